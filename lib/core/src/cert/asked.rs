//! What a request asks to have in its certificate beside subject and key: the attributes of a PKCS#10 request (RFC
//! 2986, 4.1), and the extensions of its extensionRequest (RFC 2985, 5.4.2). Nothing of it counts unless the one who
//! signs has looked at it.

use crate::ber::{BerError, Reader, dotted};
use crate::der;

/// pkcs-9-at-extensionRequest (RFC 2985, 5.4.2).
pub(crate) const EXTENSION_REQUEST: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 14];

/// An extension that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedExtension {
    /// Dotted object identifier.
    pub(crate) oid: String,
    /// DER of its value (the contents of the OCTET STRING).
    pub(crate) value: Vec<u8>,
}

/// What the attributes of a request hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AskedAttributes {
    /// The extensions that it asks for, in order.
    pub(crate) extensions: Vec<AskedExtension>,
    /// Dotted object identifiers of the other attributes: a challenge password, notes of the system that made it.
    pub(crate) others: Vec<String>,
}

impl AskedAttributes {
    /// Reads the contents of the field of attributes.
    pub(crate) fn read(attributes: &[u8]) -> Result<Self, BerError> {
        let requested = der::oid(&EXTENSION_REQUEST);
        let (mut all, mut asked) = (Reader::new(attributes), Self::default());
        while !all.is_empty() {
            let mut attribute = all.sequence("an attribute")?;
            let kind = attribute.oid("an attribute's type")?;
            if kind != &requested[2..] {
                asked.others.push(dotted(kind));
                continue;
            }
            let set = attribute.tagged(der::SET, "an attribute's values")?.contents;
            let mut set = Reader::new(set);
            while !set.is_empty() {
                let mut extensions = set.sequence("the extensions")?;
                while !extensions.is_empty() {
                    let extension = extensions.sequence("an extension")?;
                    asked.extensions.push(AskedExtension::read(extension)?);
                }
            }
        }
        Ok(asked)
    }
}

impl AskedExtension {
    fn read(mut extension: Reader<'_>) -> Result<Self, BerError> {
        let oid = dotted(extension.oid("an extension's type")?);
        if extension.next_is(der::BOOLEAN) {
            extension.any("whether it is critical")?;
        }
        let value = extension.octet_string("an extension's value")?.into_owned();
        Ok(Self { oid, value })
    }
}
