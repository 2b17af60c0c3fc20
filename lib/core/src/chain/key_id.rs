//! Does a certificate's authorityKeyIdentifier belong to its issuer's certificate (RFC 5280, 4.2.1.1)?
//!
//! RFC 5280 uses it to find a path only; servers hold a chain to it. Java says that such a path "does not
//! chain", OpenSSL ends with error 20 or 30.

use super::rule::Rule;
use crate::cert::{AuthorityKey, Certificate, GeneralName};
use crate::crypto::hex;
use crate::name::Name;

/// Holds what `cert` says of its issuer's certificate to `issuer`. What is not there on either side, or
/// cannot be read, is not compared.
pub(super) fn check(cert: &Certificate, issuer: &Certificate) -> Result<(), Rule> {
    let Some(AuthorityKey { key_id, issuer: names, serial }) = cert.authority_key().ok().flatten()
    else {
        return Ok(());
    };
    let of = || Box::new(issuer.subject.clone());
    if let (Some(wanted), Some(found)) = (&key_id, &issuer.subject_key_id)
        && wanted != found
    {
        let (wanted, found) = (hex(wanted), hex(found));
        return Err(Rule::AuthorityKeyIdDiffers { issuer: of(), wanted, found });
    }
    if let Some(wanted) = serial.filter(|serial| *serial != issuer.serial) {
        let (wanted, found) = (wanted.to_string().into(), issuer.serial.to_string().into());
        return Err(Rule::AuthorityCertDiffers {
            issuer: of(),
            what: "serial number",
            wanted,
            found,
        });
    }
    let directory = |name: &GeneralName| match name {
        GeneralName::Directory(name) => Some(name.clone()),
        _ => None,
    };
    let wanted: Option<Name> = names.iter().flatten().find_map(directory);
    if let Some(wanted) = wanted.filter(|wanted| !wanted.matches(&issuer.issuer)) {
        let (wanted, found) = (wanted.to_string().into(), issuer.issuer.to_string().into());
        return Err(Rule::AuthorityCertDiffers { issuer: of(), what: "issuer", wanted, found });
    }
    Ok(())
}
