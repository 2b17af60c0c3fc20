//! A request is signed: for a device over EST, for a station over the API.

use time::OffsetDateTime;

use super::answer::{Refusal, Result, bad, failed, forbidden};
use super::state::Shared;
use super::terms::Terms;
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::crypto::PublicKey;
use crate::csr::Request;
use crate::pki::{DeviceRequest, Issued, RequestError};
use crate::registry::{Record, Status};

/// What is to be signed.
pub(super) struct Wanted<'a> {
    /// Whose it is.
    pub(super) id: &'a DeviceId,
    pub(super) key: Key<'a>,
    pub(super) now: OffsetDateTime,
    /// For the audit log.
    pub(super) by: Option<String>,
    /// Why the device gets a certificate.
    pub(super) claim: Claim<'a>,
}

/// For which key.
pub(super) enum Key<'a> {
    /// That of a request.
    Requested(Request),
    /// One that was made here, for a file of this kind.
    Made(&'a PublicKey, &'static str),
}

impl Key<'_> {
    fn public(&self) -> Result<&PublicKey> {
        match self {
            Self::Requested(request) => {
                request.public_key.as_ref().map_err(|e| bad(&e.to_string()))
            }
            Self::Made(key, _) => Ok(key),
        }
    }
}

/// Why a device gets a certificate.
pub(super) enum Claim<'a> {
    /// For its order one since that was made, without an order its first one. What is answered if it has had that one,
    /// for another key.
    Once { of_order: bool, had: fn(&DeviceId) -> Refusal },
    /// It has this live one.
    Live(&'a Record),
    /// It has this live one, and the next is to be for the same subject.
    Renewal(&'a Record, &'a Certificate),
    /// It has one that was replaced: it gets the one that replaced it, whose answer was lost, and no other.
    Lost,
}

/// Signs a request and records the certificate. The same request again gets the same certificate.
pub(super) fn sign(shared: &Shared, wanted: Wanted<'_>) -> Result<Issued> {
    let Wanted { id, key, now, by, claim } = wanted;
    if let Key::Requested(request) = &key {
        check_name(request, id)?;
    }
    let terms = Terms::of(shared, id)?;
    terms.check_key(key.public()?)?;
    let follows = follows(shared, id, key.public()?.spki(), &claim)?;
    let kept = terms.kept_after(follows.before());
    if let (Key::Requested(request), Claim::Renewal(_, former)) = (&key, &claim) {
        check_same(request, former)?;
    }
    let mut asked = match key {
        Key::Requested(request) => DeviceRequest::of_request(&shared.key, request, now),
        Key::Made(key, kind) => {
            DeviceRequest::from_key(&shared.key, id.clone(), key.clone(), now).made_for(kind)
        }
    };
    asked = asked
        .id(id.clone())
        .profile(terms.usual.profile)
        .subject(terms.usual.subject)
        .clock_believed(shared.believed());
    if let Some(who) = by {
        asked = asked.by(who);
    }
    if let Some(order) = terms.order {
        asked = asked.ordered(order);
    }
    if let Some(days) = terms.usual.days {
        asked = asked.days(days).shorten();
    }
    for (column, value) in kept {
        asked = asked.detail(column, value);
    }
    if let Claim::Renewal(_, former) = claim {
        asked = asked.whole_subject(former.subject.clone());
    }
    asked = match &follows {
        Follows::Nothing => asked,
        Follows::Live(record) => asked.in_place_of(record.row),
        Follows::Ended(record) => asked.after(record.row),
    };
    shared.pki.issue(&asked).map_err(refused)
}

/// Which certificate the new one comes after.
enum Follows {
    /// None; or there is one for this key, and it is answered again.
    Nothing,
    Live(Box<Record>),
    Ended(Box<Record>),
}

impl Follows {
    /// Of what is kept of the device, that with this stays.
    fn before(&self) -> Option<&Record> {
        match self {
            Self::Nothing => None,
            Self::Live(record) | Self::Ended(record) => Some(record),
        }
    }
}

fn follows(shared: &Shared, id: &DeviceId, spki: &[u8], claim: &Claim<'_>) -> Result<Follows> {
    let live = |record: &Record| Box::new(record.clone());
    match claim {
        Claim::Once { of_order, had } => once(shared, id, spki, (*of_order, *had)),
        Claim::Renewal(own, _) => Ok(Follows::Live(live(own))),
        // The same request again, or another key.
        Claim::Live(own) if is_again(shared, own, spki)? => Ok(Follows::Nothing),
        Claim::Live(own) => Ok(Follows::Live(live(own))),
        Claim::Lost => match has_live(shared, id, spki)? {
            true => Ok(Follows::Nothing),
            false => Err(forbidden("the client certificate was replaced by one for another key")),
        },
    }
}

/// An order gives one certificate since it was made, what stands in no order the first one. Who sends the request again
/// whose answer was lost gets that one again.
fn once(
    shared: &Shared,
    id: &DeviceId,
    spki: &[u8],
    (of_order, had): (bool, fn(&DeviceId) -> Refusal),
) -> Result<Follows> {
    let registry = shared.pki.registry();
    let Some(last) = last(shared, id)? else { return Ok(Follows::Nothing) };
    if of_order && registry.is_ordered_since(id, &last).map_err(|e| failed(&e))? {
        let last = Box::new(last);
        return Ok(match last.status {
            Status::Live => Follows::Live(last),
            Status::Superseded | Status::Revoked => Follows::Ended(last),
        });
    }
    if is_again(shared, &last, spki)? { Ok(Follows::Nothing) } else { Err(had(id)) }
}

/// The live certificate of a device, else its last one.
pub(super) fn last(shared: &Shared, id: &DeviceId) -> Result<Option<Record>> {
    let registry = shared.pki.registry();
    match registry.live_device(id).map_err(|e| failed(&e))? {
        Some(live) => Ok(Some(live)),
        None => Ok(registry.history(id).map_err(|e| failed(&e))?.pop()),
    }
}

/// Whether the live certificate of a device is of this CA and for that key.
fn has_live(shared: &Shared, id: &DeviceId, spki: &[u8]) -> Result<bool> {
    match shared.pki.registry().live_device(id).map_err(|e| failed(&e))? {
        Some(live) => is_again(shared, &live, spki),
        None => Ok(false),
    }
}

/// Whether a certificate is what this service has answered to a request with that key.
fn is_again(shared: &Shared, record: &Record, spki: &[u8]) -> Result<bool> {
    let certificate = record.certificate().map_err(|e| failed(&e))?;
    let is_own = record.status == Status::Live && record.ca == shared.ca()?.name;
    Ok(is_own && certificate.spki == spki)
}

/// The common name is the device's id, if there is one.
fn check_name(request: &Request, id: &DeviceId) -> Result<()> {
    match request.subject.values("CN").find(|name| *name != id.as_str()) {
        None => Ok(()),
        Some(other) => Err(forbidden(&format!(
            "the request has the common name {other:?}, and the device is {:?}",
            id.as_str()
        ))),
    }
}

/// A certificate is renewed for the same subject (RFC 7030, 4.2.2). Names that the request asks for do not count: the
/// profile gives them.
fn check_same(request: &Request, former: &Certificate) -> Result<()> {
    if !request.subject.matches(&former.subject) {
        return Err(forbidden(&format!(
            "the request is for {}, and the certificate that is to be renewed for {}: they must be the same",
            request.subject, former.subject
        )));
    }
    Ok(())
}

fn refused(error: RequestError) -> Refusal {
    if !error.is_refusal() {
        return failed(&error);
    }
    match error {
        RequestError::Read(_)
        | RequestError::Several(_)
        | RequestError::Csr(_)
        | RequestError::Crypto(_)
        | RequestError::NoCommonName
        | RequestError::CommonNames(_)
        | RequestError::CommonName(_) => bad(&error.to_string()),
        _ => forbidden(&error.to_string()),
    }
}
