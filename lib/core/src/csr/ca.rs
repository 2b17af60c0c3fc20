//! Requests for CAs: what one asks for, and what of it a CA above may give.
//!
//! A request is a wish. It may ask for a path length and for key usages; what goes beyond the room below the issuer and
//! the profile is left out, and said. Any other extension (names, name constraints, policies, extended key usages,
//! what is not known here) changes what the new CA may do, so the request is refused by the extension's name, unless
//! the one who signs says that it is to be left out.

use std::fmt;

use x509_parser::extensions::{BasicConstraints, KeyUsage as ParsedUsage};
use x509_parser::prelude::FromDer;

use super::request::{CsrError, Request, make_with};
use crate::cert::{AskedAttributes, EXTENSION_REQUEST, KeyUsage, oid};
use crate::der;
use crate::failure::{Failure, Fault, Hint, Permission};
use crate::key::signer::Signer;
use crate::name::Name;
use crate::profile::PathLength;

/// Why a request for a CA is refused by what it asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaAskedError {
    /// Attributes that cannot be read.
    #[error("the request for {0} cannot be signed: its attributes are malformed (RFC 2986, 4.1)")]
    Malformed(Name),
    /// The same extension more than once.
    #[error("the request for {subject} asks for {extension} more than once")]
    Twice {
        /// Its subject.
        subject: Name,
        /// The extension.
        extension: String,
    },
    /// It asks not to be a CA.
    #[error(
        "the request for {0} asks for basicConstraints with CA:FALSE: it is the request of a device or a server, not \
         of a CA"
    )]
    NotACa(Name),
    /// It asks for key usages without the one that makes a CA.
    #[error(
        "the request for {0} asks for a keyUsage without keyCertSign: such a CA could sign nothing"
    )]
    NoCertSign(Name),
    /// It asks for what only the profile decides.
    #[error(
        "the request for {subject} asks for {}: a request for a CA may ask for basicConstraints and keyUsage only",
        extensions.join(", ")
    )]
    Beyond {
        /// Its subject.
        subject: Name,
        /// The extensions, by name, or by identifier if they have none here.
        extensions: Vec<String>,
    },
}

impl Failure for CaAskedError {
    fn fault(&self) -> Fault {
        match self {
            Self::Malformed(_) | Self::Twice { .. } => Fault::Input,
            Self::NotACa(_) | Self::NoCertSign(_) | Self::Beyond { .. } => Fault::Refusal,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Beyond { .. } => Some(
                Hint::say("have it made again without them")
                    .then(Hint::permit("or sign it without them", Permission::LeaveOutAsked)),
            ),
            Self::NotACa(_) | Self::NoCertSign(_) => Some(
                "have the CA make a request that says CA:TRUE and keyCertSign, or nothing of both"
                    .into(),
            ),
            Self::Malformed(_) | Self::Twice { .. } => Some("have it made again".into()),
        }
    }
}

/// What a request for a CA asks for, besides subject and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaAsked {
    subject: Name,
    path_length: Option<u32>,
    usage: Option<KeyUsage>,
    beyond: Vec<String>,
    attributes: Vec<String>,
}

impl CaAsked {
    /// Reads what a request asks for.
    ///
    /// Errors: attributes that cannot be read; one that asks not to be a CA, or for no keyCertSign.
    pub fn of(request: &Request) -> Result<Self, CaAskedError> {
        let subject = &request.subject;
        let malformed = || CaAskedError::Malformed(subject.clone());
        let read = AskedAttributes::read(&request.attributes).map_err(|_| malformed())?;
        let (mut asked, mut seen) = (Self::none(subject, read.others), Vec::new());
        for extension in &read.extensions {
            let name = oid::name_of(&extension.oid).to_owned();
            if seen.contains(&name) {
                return Err(CaAskedError::Twice { subject: subject.clone(), extension: name });
            }
            match extension.oid.as_str() {
                oid::BASIC_CONSTRAINTS => {
                    let (rest, basic) =
                        BasicConstraints::from_der(&extension.value).map_err(|_| malformed())?;
                    if !rest.is_empty() {
                        return Err(malformed());
                    }
                    if !basic.ca {
                        return Err(CaAskedError::NotACa(subject.clone()));
                    }
                    asked.path_length = basic.path_len_constraint;
                }
                oid::KEY_USAGE => {
                    let (_, usage) =
                        ParsedUsage::from_der(&extension.value).map_err(|_| malformed())?;
                    let usage = KeyUsage(usage.flags);
                    if !usage.has("keyCertSign") {
                        return Err(CaAskedError::NoCertSign(subject.clone()));
                    }
                    asked.usage = Some(usage);
                }
                // It is computed from the key anyway.
                oid::SUBJECT_KEY_ID => {}
                _ => asked.beyond.push(name.clone()),
            }
            seen.push(name);
        }
        Ok(asked)
    }

    /// How many CAs it asks to have below it; none if it leaves that to its issuer.
    pub fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    /// Whether it asks for exactly these key usages; one that leaves them to its issuer asks for any.
    pub fn asks_for(&self, usages: &[String]) -> bool {
        let is_wanted = |name: &str| usages.iter().any(|usage| usage == name);
        self.usage
            .is_none_or(|own| KeyUsage::NAMES.iter().all(|name| own.has(name) == is_wanted(name)))
    }

    fn none(subject: &Name, attributes: Vec<String>) -> Self {
        let (path_length, usage, beyond) = (None, None, Vec::new());
        Self { subject: subject.clone(), path_length, usage, beyond, attributes }
    }

    /// What of it is given by a CA with room for `room` CAs in a row below the new one. `wanted` is the path length
    /// that the one who signs chooses, `profile` and `usages` are what the profile says; `leave_out` signs without
    /// the extensions that a request may not ask for.
    ///
    /// Errors: [`CaAskedError::Beyond`].
    pub fn grant(
        self,
        room: u8,
        wanted: Option<PathLength>,
        (profile, usages): (PathLength, &[String]),
        leave_out: bool,
    ) -> Result<CaGrant, CaAskedError> {
        let mut limited = Vec::new();
        if !self.beyond.is_empty() {
            if !leave_out {
                let Self { subject, beyond: extensions, .. } = self;
                return Err(CaAskedError::Beyond { subject, extensions });
            }
            limited.push(Limited::Extensions(self.beyond));
        }
        let asked = self.path_length.map(|asked| asked.min(u32::from(u8::MAX)));
        let asked = asked.and_then(|asked| u8::try_from(asked).ok()).map(PathLength::Exactly);
        let path_length = match wanted.or(asked).unwrap_or(profile) {
            PathLength::Exactly(asked) if asked > room => {
                limited.push(Limited::PathLength { asked, given: room });
                PathLength::Exactly(room)
            }
            chosen => chosen,
        };
        let not_given = |usage: &&str| !usages.iter().any(|own| own == usage);
        let left_out: Vec<&str> =
            self.usage.into_iter().flat_map(KeyUsage::names).filter(not_given).collect();
        if !left_out.is_empty() {
            limited.push(Limited::KeyUsage(left_out));
        }
        if !self.attributes.is_empty() {
            limited.push(Limited::Attributes(self.attributes));
        }
        Ok(CaGrant { path_length, limited })
    }
}

/// What a request for a CA gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaGrant {
    /// How many CAs may follow.
    pub path_length: PathLength,
    /// What it asks for and does not get.
    pub limited: Vec<Limited>,
}

/// What a request asks for and does not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limited {
    /// More CAs below it than there is room for.
    PathLength {
        /// How many it asks for, or the one who signs.
        asked: u8,
        /// How many may follow.
        given: u8,
    },
    /// Key usages that the profile does not have.
    KeyUsage(Vec<&'static str>),
    /// Extensions that are left out because the one who signs said so.
    Extensions(Vec<String>),
    /// Attributes that are no extensions, by their identifiers. They never go into a certificate.
    Attributes(Vec<String>),
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathLength { asked, given } => {
                write!(
                    f,
                    "the path length {asked} is limited to {given}: there is no more room below the issuer"
                )
            }
            Self::KeyUsage(names) => {
                write!(
                    f,
                    "the key usage {} is not given: the profile does not have it",
                    names.join(", ")
                )
            }
            Self::Extensions(names) => write!(f, "{} is left out, as you said", names.join(", ")),
            Self::Attributes(ids) => {
                write!(f, "the attribute {} is not used", ids.join(", "))
            }
        }
    }
}

/// Makes a request for a CA: one that says CA:TRUE, with a path length if one is given, and these key usages. Others
/// who sign it see so what it is for.
///
/// Errors: as [`make`](super::make).
pub fn make_for_ca(
    subject: &Name,
    path_length: Option<u8>,
    usages: &[String],
    signer: &dyn Signer,
) -> Result<Vec<u8>, CsrError> {
    const TRUE: &[u8] = &[der::BOOLEAN, 1, 0xff];
    let extension = |id: &[u64], value: &[u8]| {
        let value = der::element(der::OCTET_STRING, &[value]);
        der::element(der::SEQUENCE, &[&der::oid(id), TRUE, &value])
    };
    let length = path_length.map(|n| der::number(n.into())).unwrap_or_default();
    let basic = extension(&[2, 5, 29, 19], &der::element(der::SEQUENCE, &[TRUE, &length]));
    let usage = extension(&[2, 5, 29, 15], &usage_bits(usages));
    let extensions = der::element(der::SEQUENCE, &[&basic, &usage]);
    let values = der::element(der::SET, &[&extensions]);
    let attribute = der::element(der::SEQUENCE, &[&der::oid(&EXTENSION_REQUEST), &values]);
    make_with(subject, &[&attribute], signer)
}

/// The BIT STRING of key usages: bits from the left, without zeros at the end (X.690, 11.2.2).
fn usage_bits(usages: &[String]) -> Vec<u8> {
    let mut bytes = [0_u8; 2];
    let mut last = 0;
    for (bit, name) in KeyUsage::NAMES.iter().enumerate() {
        if usages.iter().any(|usage| usage == name) {
            bytes[bit / 8] |= 0x80 >> (bit % 8);
            last = bit;
        }
    }
    let length = last / 8 + 1;
    let unused = bytes[length - 1].trailing_zeros().min(7);
    der::element(der::BIT_STRING, &[&[unused.to_le_bytes()[0]], &bytes[..length]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyType;
    use crate::key::PrivateKey;

    const ROOM: u8 = 1;

    fn usages(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn ours() -> Vec<String> {
        usages(&["keyCertSign", "cRLSign"])
    }

    fn grant(request: &[u8], leave_out: bool) -> Result<CaGrant, CaAskedError> {
        let asked = CaAsked::of(&Request::from_der(request).unwrap())?;
        asked.grant(ROOM, None, (PathLength::Computed, &ours()), leave_out)
    }

    /// A request with these extensions, each with the bytes of its value.
    fn asking(extensions: &[(&[u64], &[u8])]) -> Vec<u8> {
        let key = PrivateKey::generate(KeyType::EcP256).unwrap();
        let all: Vec<Vec<u8>> = extensions
            .iter()
            .map(|(id, value)| {
                let value = der::element(der::OCTET_STRING, &[value]);
                der::element(der::SEQUENCE, &[&der::oid(id), &value])
            })
            .collect();
        let parts: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        let set = der::element(der::SET, &[&der::element(der::SEQUENCE, &parts)]);
        let attribute = der::element(der::SEQUENCE, &[&der::oid(&EXTENSION_REQUEST), &set]);
        make_with(&Name::parse("CN=Plant").unwrap(), &[&attribute], &key).unwrap()
    }

    #[test]
    fn what_a_ca_asks_for_here_is_given() {
        let key = PrivateKey::generate(KeyType::EcP256).unwrap();
        let subject = Name::parse("CN=Plant").unwrap();
        for (asked, given) in [
            (None, PathLength::Computed),
            (Some(0), PathLength::Exactly(0)),
            (Some(1), PathLength::Exactly(1)),
        ] {
            let made = make_for_ca(&subject, asked, &ours(), &key).unwrap();
            let grant = grant(&made, false).unwrap();
            assert_eq!(grant, CaGrant { path_length: given, limited: Vec::new() });
        }
        let plain = crate::csr::make(&subject, &key).unwrap();
        assert!(grant(&plain, false).unwrap().limited.is_empty());
    }

    #[test]
    fn more_than_there_is_room_for_is_limited_and_said() {
        let key = PrivateKey::generate(KeyType::EcP256).unwrap();
        let subject = Name::parse("CN=Plant").unwrap();
        let more = usages(&["keyCertSign", "cRLSign", "digitalSignature"]);
        let made = make_for_ca(&subject, Some(7), &more, &key).unwrap();
        let granted = grant(&made, false).unwrap();
        assert_eq!(granted.path_length, PathLength::Exactly(ROOM));
        let expected = [
            Limited::PathLength { asked: 7, given: 1 },
            Limited::KeyUsage(vec!["digitalSignature"]),
        ];
        assert_eq!(granted.limited, expected);
        // The one who signs is held to it too.
        let asked = CaAsked::of(&Request::from_der(&made).unwrap()).unwrap();
        let own = Some(PathLength::Exactly(9));
        let granted = asked.grant(ROOM, own, (PathLength::Computed, &more), false).unwrap();
        assert_eq!(granted.limited, [Limited::PathLength { asked: 9, given: 1 }]);
    }

    #[test]
    fn what_only_the_profile_decides_is_refused_by_name() {
        let request = asking(&[(&[2, 5, 29, 30], &[0x30, 0]), (&[1, 3, 6, 1, 4, 1, 99], &[5, 0])]);
        let error = grant(&request, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the request for CN=Plant asks for nameConstraints, 1.3.6.1.4.1.99: a request for a CA may ask for \
             basicConstraints and keyUsage only"
        );
        assert_eq!(error.fault(), Fault::Refusal);
        let granted = grant(&request, true).unwrap();
        let left_out = usages(&["nameConstraints", "1.3.6.1.4.1.99"]);
        assert_eq!(granted.limited, [Limited::Extensions(left_out)]);
    }

    #[test]
    fn requests_that_are_not_for_a_ca_are_refused() {
        let basic: &[u64] = &[2, 5, 29, 19];
        let usage: &[u64] = &[2, 5, 29, 15];
        let fault = |extensions: &[(&[u64], &[u8])]| grant(&asking(extensions), true).unwrap_err();
        assert!(matches!(fault(&[(basic, &[0x30, 0])]), CaAskedError::NotACa(_)));
        assert!(matches!(fault(&[(usage, &[3, 2, 7, 0x80])]), CaAskedError::NoCertSign(_)));
        assert!(matches!(fault(&[(basic, &[0x30, 9])]), CaAskedError::Malformed(_)));
        let twice: &[u8] = &[0x30, 3, 1, 1, 0xff];
        assert!(matches!(fault(&[(basic, twice), (basic, twice)]), CaAskedError::Twice { .. }));
    }
}
