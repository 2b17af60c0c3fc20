//! The names of a request (subjectAltName in its extensionRequest, RFC 2985, 5.4.2). They go into a certificate only
//! if somebody who has seen them says so.

use super::super::asked::AskedAttributes;
use super::super::oid;
use super::name::{AltName, AltNameError};

/// The names of the request with these attributes.
pub(crate) fn asked_in(attributes: &[u8]) -> Result<Vec<AltName>, AltNameError> {
    let malformed = |_| AltNameError::of_request("its attributes are malformed (RFC 2986, 4.1)");
    let asked = AskedAttributes::read(attributes).map_err(malformed)?;
    let mut found = asked.extensions.iter().filter(|asked| asked.oid == oid::SUBJECT_ALT_NAME);
    match (found.next(), found.next()) {
        (None, _) => Ok(Vec::new()),
        (Some(one), None) => AltName::all_of_extension(&one.value),
        _ => Err(AltNameError::of_request("it asks for a subjectAltName more than once")),
    }
}
