//! Names of a profile, in which `{id}` stands for whose certificate it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::name::{AltName, AltNameError, URI};

/// What stands for the device's identifier, or the server's name.
const PLACE: &str = "{id}";

/// All that a segment of a URI cannot have as it is (RFC 3986, 2.3: unreserved).
const NOT_UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name that each certificate of a profile gets, in which `{id}` stands for the device's identifier or the
/// server's name: `URI:urn:example:device:{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AltNamePattern(String);

impl AltNamePattern {
    /// Checks the text with an identifier in it that every form can have.
    pub fn parse(text: &str) -> Result<Self, AltNameError> {
        let pattern = Self(text.to_owned());
        pattern.fill("a1").map_err(|e| AltNameError { text: text.to_owned(), ..e })?;
        Ok(pattern)
    }

    /// The name of the certificate that is about `id`. In a URI, what is not unreserved there is
    /// percent-encoded.
    ///
    /// Errors: the identifier cannot stand there, such as `gw_1` in a DNS name.
    pub fn fill(&self, id: &str) -> Result<AltName, AltNameError> {
        let is_uri = self.0.split(':').next().is_some_and(|p| p.eq_ignore_ascii_case(URI));
        let id = match is_uri {
            true => utf8_percent_encode(id, NOT_UNRESERVED).to_string(),
            false => id.to_owned(),
        };
        self.0.replace(PLACE, &id).parse()
    }

    /// The text, with `{id}` in it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
