//! What a request asks to have in its certificate beside subject and key: the names of its extensionRequest (RFC
//! 2985, 5.4.2). They go into a certificate only if somebody who has seen them says so.

use super::name::{AltName, AltNameError};
use crate::ber::{BerError, Reader};
use crate::der;

/// id-ce-subjectAltName (RFC 5280, 4.2.1.6).
const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];
/// pkcs-9-at-extensionRequest (RFC 2985, 5.4.2).
const EXTENSION_REQUEST: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 14];

/// The names of the request with these attributes.
pub(crate) fn asked_in(attributes: &[u8]) -> Result<Vec<AltName>, AltNameError> {
    let malformed = |_| AltNameError::of_request("its attributes are malformed (RFC 2986, 4.1)");
    let found = values(attributes).map_err(malformed)?;
    match found.as_slice() {
        [] => Ok(Vec::new()),
        [one] => AltName::all_of_extension(one),
        _ => Err(AltNameError::of_request("it asks for a subjectAltName more than once")),
    }
}

/// The values of all extensions subjectAltName that are asked for.
fn values(attributes: &[u8]) -> Result<Vec<Vec<u8>>, BerError> {
    let (wanted, requested) = (der::oid(&SUBJECT_ALT_NAME), der::oid(&EXTENSION_REQUEST));
    let (mut all, mut found) = (Reader::new(attributes), Vec::new());
    while !all.is_empty() {
        let mut attribute = all.sequence("an attribute")?;
        if attribute.oid("an attribute's type")? != &requested[2..] {
            continue;
        }
        let mut set = Reader::new(attribute.tagged(der::SET, "an attribute's values")?.contents);
        while !set.is_empty() {
            let mut extensions = set.sequence("the extensions")?;
            while !extensions.is_empty() {
                let mut extension = extensions.sequence("an extension")?;
                let is_wanted = extension.oid("an extension's type")? == &wanted[2..];
                if extension.next_is(der::BOOLEAN) {
                    extension.any("whether it is critical")?;
                }
                let value = extension.octet_string("an extension's value")?;
                if is_wanted {
                    found.push(value.into_owned());
                }
            }
        }
    }
    Ok(found)
}
