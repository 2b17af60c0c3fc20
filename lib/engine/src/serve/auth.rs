//! Who asks: a device with its one-time password, or one with a certificate that the registry has.

use super::answer::{Refusal, Result, failed, forbidden, unauthorized};
use super::call::Call;
use super::passwords::is_same;
use super::state::Shared;
use super::terms::Terms;
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::clock::rfc3339;
use crate::crypto::sha256;
use crate::registration::OneTimePassword;
use crate::registry::{Record, Status};

/// Who asks.
pub(super) enum Asker {
    /// A device that knows its one-time password: of its order, else of the file.
    Password { id: DeviceId, of_order: bool },
    /// A device with its live certificate.
    Live(DeviceId, Box<Certified>),
    /// A device with a certificate that was replaced: perhaps the answer with the next one was lost.
    Former(DeviceId),
}

/// A certificate with which a device asks.
pub(super) struct Certified {
    pub(super) record: Record,
    pub(super) certificate: Certificate,
}

impl Asker {
    pub(super) fn id(&self) -> &DeviceId {
        match self {
            Self::Password { id, .. } | Self::Live(id, _) | Self::Former(id) => id,
        }
    }

    /// What it has shown.
    pub(super) fn by(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::Live(..) | Self::Former(_) => "certificate",
        }
    }
}

/// Who asks for a first certificate. A password that is given counts: devices may show the certificate of their maker
/// besides.
pub(super) fn first(shared: &Shared, call: &Call) -> Result<Asker> {
    match (call.basic(), &call.certificate) {
        (Some(given), _) => with_password(shared, given),
        (None, Some(der)) => with_certificate(shared, call, der),
        (None, None) => Err(unauthorized(
            "an id and a one-time password are needed, or a client certificate of this service's CA",
        )),
    }
}

/// Who asks for a further certificate.
pub(super) fn again(shared: &Shared, call: &Call) -> Result<Asker> {
    match &call.certificate {
        Some(der) => with_certificate(shared, call, der),
        None => Err(forbidden("a certificate is renewed with the device's live certificate alone")),
    }
}

fn with_password(shared: &Shared, given: Option<(String, String)>) -> Result<Asker> {
    let wrong = || {
        let mut refusal = unauthorized("the id or its one-time password is wrong");
        refusal.is_wrong = true;
        refusal
    };
    let (user, password) = given.ok_or_else(wrong)?;
    let id = DeviceId::parse(&user).map_err(|_| wrong())?;
    let in_file = shared.has_password(&user, &password);
    // What is wrong with its order is for the log, as long as it is not known who asks.
    let unsaid = |refusal: Refusal| match refusal.status {
        403 => {
            let mut unsaid = wrong();
            unsaid.note.reason = refusal.note.reason;
            unsaid
        }
        _ => refusal,
    };
    let ordered = match Terms::of(shared, &id) {
        Ok(terms) => terms.password,
        // It is known who asks, and will be told.
        Err(_) if in_file => None,
        Err(refusal) => return Err(unsaid(refusal)),
    };
    let is_it = |own: OneTimePassword| is_same(&sha256(own.expose().as_bytes()), &password);
    let of_order = ordered.is_some_and(is_it);
    if of_order || in_file { Ok(Asker::Password { id, of_order }) } else { Err(wrong()) }
}

fn with_certificate(shared: &Shared, call: &Call, der: &[u8]) -> Result<Asker> {
    let unknown = || forbidden("the client certificate is none of this service's CA");
    let certificate = Certificate::from_der(der).map_err(|_| unknown())?;
    let found = shared.pki.registry().record_of(&certificate).map_err(|e| failed(&e))?;
    let ca = shared.ca()?;
    let record = found.filter(|record| record.ca == ca.name).ok_or_else(unknown)?;
    let id = record.holder.device().ok_or_else(unknown)?.clone();
    let (from, until) = (certificate.not_before, certificate.not_after);
    if call.now < from || call.now > until {
        return Err(forbidden(&format!(
            "the client certificate is valid from {} until {}",
            rfc3339(from),
            rfc3339(until)
        )));
    }
    match record.status {
        Status::Revoked => Err(forbidden("the client certificate was revoked")),
        Status::Superseded => Ok(Asker::Former(id)),
        Status::Live => Ok(Asker::Live(id, Box::new(Certified { record, certificate }))),
    }
}
