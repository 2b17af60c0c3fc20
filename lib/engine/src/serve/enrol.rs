//! First and further certificates (RFC 7030, 4.2).

use super::answer::{Answer, Refusal, Result, bad, failed, forbidden, media_type, unauthorized};
use super::auth::{self, Asker};
use super::call::Call;
use super::state::Shared;
use super::terms::Terms;
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::csr::Request;
use crate::pki::{DeviceRequest, Issued, RequestError};
use crate::registry::{Record, Status};
use crate::store::pkcs7;

/// `POST /simpleenroll`.
pub(super) fn first(shared: &Shared, call: &Call) -> Result<Answer> {
    let asker = auth::first(shared, call)?;
    noted(&asker, answer(shared, call, &asker, false))
}

/// `POST /simplereenroll`.
pub(super) fn again(shared: &Shared, call: &Call) -> Result<Answer> {
    let asker = auth::again(shared, call)?;
    noted(&asker, answer(shared, call, &asker, true))
}

/// The same, with who has asked.
fn noted(asker: &Asker, answer: Result<Answer>) -> Result<Answer> {
    let note = |mut answer: Answer| {
        answer.note.device = Some(asker.id().to_string());
        answer.note.by = Some(asker.by());
        answer
    };
    answer.map(note).map_err(|refusal| Box::new(note(*refusal)))
}

fn answer(shared: &Shared, call: &Call, asker: &Asker, is_renewal: bool) -> Result<Answer> {
    if call.media_type() != "application/pkcs10" {
        return Err(media_type("application/pkcs10"));
    }
    let request = call.request()?;
    check_unbound(&request)?;
    check_name(&request, asker.id())?;
    let terms = Terms::of(shared, asker.id())?;
    let key = request.public_key.as_ref().map_err(|e| bad(&e.to_string()))?;
    terms.check_key(key)?;
    let unused = match asker {
        Asker::Password { id, of_order } => unused(shared, id, key.spki(), *of_order)?,
        Asker::Live(..) | Asker::Former(_) => Unused::First,
    };
    let before = match (asker, &unused) {
        (Asker::Live(_, own), _) => Some(&own.record),
        (_, Unused::After(last)) => Some(&**last),
        (_, Unused::First) => None,
    };
    let kept = terms.kept_after(before);
    let mut wanted = DeviceRequest::of_request(&shared.key, request.clone(), call.now)
        .id(asker.id().clone())
        .profile(terms.usual.profile)
        .subject(terms.usual.subject)
        .clock_believed(shared.believed());
    if let Some(days) = terms.usual.days {
        wanted = wanted.days(days).shorten();
    }
    for (column, value) in kept {
        wanted = wanted.detail(column, value);
    }
    wanted = match asker {
        Asker::Password { .. } => match unused {
            Unused::First => wanted,
            Unused::After(last) if last.status == Status::Live => wanted.in_place_of(last.row),
            Unused::After(last) => wanted.after(last.row),
        },
        Asker::Former(id) => {
            check_lost(shared, id, key.spki())?;
            wanted
        }
        Asker::Live(_, own) if is_renewal => {
            check_same(&request, &own.certificate)?;
            let subject = own.certificate.subject.clone();
            wanted.whole_subject(subject).in_place_of(own.record.row)
        }
        // The same request again, or another key.
        Asker::Live(_, own) if own.certificate.spki == key.spki() => wanted,
        Asker::Live(_, own) => wanted.in_place_of(own.record.row),
    };
    Ok(answered(&shared.pki.issue(&wanted).map_err(refused)?))
}

/// For what a one-time password is good.
enum Unused {
    /// A first certificate, or the same one again.
    First,
    /// One after this, which is older than the order.
    After(Box<Record>),
}

/// A one-time password of an order is good for one certificate since the order was made, one of the file for the
/// first certificate. Who sends the request again whose answer was lost gets that one again.
fn unused(shared: &Shared, id: &DeviceId, spki: &[u8], of_order: bool) -> Result<Unused> {
    let registry = shared.pki.registry();
    let live = registry.live_device(id).map_err(|e| failed(&e))?;
    let last = match live {
        Some(live) => Some(live),
        None => registry.history(id).map_err(|e| failed(&e))?.pop(),
    };
    let Some(last) = last else { return Ok(Unused::First) };
    if of_order && registry.is_ordered_since(id, last.row).map_err(|e| failed(&e))? {
        return Ok(Unused::After(Box::new(last)));
    }
    if is_again(shared, &last, spki)? {
        return Ok(Unused::First);
    }
    let why = match of_order {
        true => {
            "another certificate since it was ordered, and its one-time password is good for one"
        }
        false => "a certificate already, and its one-time password is good for the first one",
    };
    Err(unauthorized(&format!("{id} has had {why}")))
}

/// A certificate that was replaced is good for the answer that was lost, and for nothing else.
fn check_lost(shared: &Shared, id: &DeviceId, spki: &[u8]) -> Result<()> {
    if has_live(shared, id, spki)? {
        return Ok(());
    }
    Err(forbidden("the client certificate was replaced by one for another key"))
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

/// A request that is bound to its TLS connection has to be held to that (RFC 7030, 3.5), which this service cannot:
/// TLS 1.3 does not have what it would be compared with.
fn check_unbound(request: &Request) -> Result<()> {
    match request.has_challenge_password() {
        Ok(false) => Ok(()),
        Ok(true) => Err(bad(
            "the request has a challenge password, which binds it to a connection (RFC 7030, 3.5), and this service \
             cannot check that: leave it out",
        )),
        Err(e) => Err(bad(&e.to_string())),
    }
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

fn answered(issued: &Issued) -> Answer {
    let certificate = std::slice::from_ref(&issued.certificate);
    // The certificate alone (RFC 7030, 4.2.3).
    let kind = "application/pkcs7-mime; smime-type=certs-only";
    let mut answer = Answer::base64(kind, &pkcs7::write(certificate));
    answer.note.serial = Some(issued.certificate.serial.to_string());
    answer.note.is_new = Some(issued.is_new);
    answer
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
