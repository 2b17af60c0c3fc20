//! Client certificates of the API, of whichever CA: which are taken, and who shows one.
//!
//! What is kept is the very certificate and not who has issued it, so that no CA can make another client.

use time::OffsetDateTime;

use super::error::ServeError;
use crate::cert::{Certificate, oid};
use crate::crypto::KeyPolicy;
use crate::pki::Pki;

/// Refuses a certificate that is good for no client now, and that of a device: what a device presents must not open
/// the API.
pub(super) fn check(
    pki: &Pki,
    certificate: &Certificate,
    now: OffsetDateTime,
) -> Result<(), ServeError> {
    if certificate.is_ca() {
        return Err(ServeError::ClientIsCa);
    }
    let usages = certificate.extended_key_usage.as_ref();
    if usages.is_some_and(|all| !all.iter().any(|usage| usage == oid::CLIENT_AUTH)) {
        return Err(ServeError::NotForClients);
    }
    if now > certificate.not_after {
        return Err(ServeError::ClientEnded(certificate.not_after));
    }
    let key = certificate.public_key.as_ref().map_err(|e| e.clone())?;
    key.check_sound(KeyPolicy::default())?;
    let holders = pki.registry().with_key(&certificate.spki)?;
    match holders.iter().find(|record| record.holder.device().is_some()) {
        Some(of_device) => Err(ServeError::ClientIsDevice(of_device.whose())),
        None => Ok(()),
    }
}
