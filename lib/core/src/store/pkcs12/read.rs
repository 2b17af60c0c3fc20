//! From a PFX (RFC 7292, section 4) to bags: its MAC is checked, then [`bags`](super::bags) opens it.

use std::borrow::Cow;

use super::super::{Format, OpenOptions, StoreError};
use super::bags::{Bags, Opener, wrong_password};
use super::mac::Mac;
use super::{damaged, oid, unsupported};
use crate::ber::{self, Reader, dotted};
use crate::key::pbe::Secret;

/// Reads the file: checks its MAC and opens its parts.
pub(super) fn read(bytes: &[u8], options: OpenOptions<'_>) -> Result<Bags, StoreError> {
    let (content, mac) = read_pfx(bytes)?;
    if mac.is_none() && !options.allow_unverified {
        return Err(StoreError::NoMac);
    }
    let readings = |password: &str| Secret::readings(password);
    let mut secrets = readings(options.store_password.map(|p| p.expose()).unwrap_or_default());
    let key_secrets = options.key_password.map(|p| readings(p.expose())).unwrap_or_default();
    if let Some(mac) = &mac {
        let Some(right) = secrets.iter().position(|secret| mac.matches(secret, &content)) else {
            return Err(mac_failure(&content, &secrets, options));
        };
        // The others stay: some tools read the same password in two ways in one file.
        secrets.swap(0, right);
    }
    let mut opener = Opener::new(&secrets, &key_secrets, options, mac.is_some());
    opener.safe(&content)?;
    Ok(opener.bags)
}

/// A MAC that fails: the password is wrong, unless it decrypts some of the contents.
fn mac_failure(content: &[u8], secrets: &[Secret], options: OpenOptions<'_>) -> StoreError {
    let mut opener = Opener::new(secrets, &[], options, false);
    opener.lenient = true;
    // What else is wrong does not matter: the file has changed anyway.
    let _ = opener.safe(content);
    match opener.opened {
        true => StoreError::Altered { format: Format::Pkcs12 },
        false => wrong_password(options),
    }
}

/// PFX: the bytes of the AuthenticatedSafe, and the MAC.
fn read_pfx(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, Option<Mac>), StoreError> {
    let mut file = Reader::new(bytes);
    let mut pfx = file.sequence("the file")?;
    if !file.rest_is_blank() {
        return Err(damaged("bytes follow its end"));
    }
    let version = pfx.uint("the version")?;
    if version != 3 {
        return Err(unsupported(format!("version {version} of PKCS#12")));
    }
    let mut safe = pfx.sequence("the authenticated safe")?;
    match safe.oid("the type of the authenticated safe")? {
        oid::DATA => {}
        oid::SIGNED_DATA => {
            let what = "a signature in place of a MAC (SignedData), which no password checks";
            return Err(unsupported(what.to_owned()));
        }
        other => return Err(unsupported(format!("content of type {}", dotted(other)))),
    }
    let explicit = safe.tagged(ber::CONTEXT_0, "the authenticated safe's content")?;
    let content =
        Reader::new(explicit.contents).octet_string("the authenticated safe's content")?;
    let mac = if pfx.is_empty() { None } else { Some(Mac::read(pfx)?) };
    Ok((content, mac))
}
