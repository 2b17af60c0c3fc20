//! The extensions that only path validation reads: subjectAltName, nameConstraints and the policy
//! extensions (RFC 5280, 4.2.1.4 to 4.2.1.14).
//!
//! They are read on demand, so that listing a million certificates does not pay for them. What is
//! not the DER of the extension is [`MalformedExtension`]; whether a well-formed value is allowed
//! is for `chain` to say.

use yasna::models::TaggedDerValue;
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag, TagClass};

use super::{Certificate, Serial};
use crate::der;
use crate::failure::{Failure, Fault, Hint};
use crate::name::Name;

/// Object identifiers of extensions, and of extended key usages.
pub mod oid {
    /// subjectKeyIdentifier.
    pub const SUBJECT_KEY_ID: &str = "2.5.29.14";
    /// keyUsage.
    pub const KEY_USAGE: &str = "2.5.29.15";
    /// subjectAltName.
    pub const SUBJECT_ALT_NAME: &str = "2.5.29.17";
    /// basicConstraints.
    pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
    /// nameConstraints.
    pub const NAME_CONSTRAINTS: &str = "2.5.29.30";
    /// cRLDistributionPoints.
    pub const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
    /// certificatePolicies.
    pub const CERTIFICATE_POLICIES: &str = "2.5.29.32";
    /// policyMappings.
    pub const POLICY_MAPPINGS: &str = "2.5.29.33";
    /// authorityKeyIdentifier.
    pub const AUTHORITY_KEY_ID: &str = "2.5.29.35";
    /// policyConstraints.
    pub const POLICY_CONSTRAINTS: &str = "2.5.29.36";
    /// extKeyUsage.
    pub const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
    /// inhibitAnyPolicy.
    pub const INHIBIT_ANY_POLICY: &str = "2.5.29.54";
    /// id-kp-serverAuth, a value of extKeyUsage (RFC 5280, 4.2.1.12).
    pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
    /// id-kp-clientAuth.
    pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

    /// Names of extensions (RFC 5280, 4.2, and common private ones).
    const NAMES: [(&str, &str); 14] = [
        (SUBJECT_KEY_ID, "subjectKeyIdentifier"),
        (KEY_USAGE, "keyUsage"),
        (SUBJECT_ALT_NAME, "subjectAltName"),
        ("2.5.29.18", "issuerAltName"),
        (BASIC_CONSTRAINTS, "basicConstraints"),
        (NAME_CONSTRAINTS, "nameConstraints"),
        (CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints"),
        (CERTIFICATE_POLICIES, "certificatePolicies"),
        (POLICY_MAPPINGS, "policyMappings"),
        (AUTHORITY_KEY_ID, "authorityKeyIdentifier"),
        (POLICY_CONSTRAINTS, "policyConstraints"),
        (EXTENDED_KEY_USAGE, "extKeyUsage"),
        ("1.3.6.1.5.5.7.1.1", "authorityInfoAccess"),
        ("2.16.840.1.113730.1.13", "netscapeComment"),
    ];

    /// The name of an extension, or its identifier if it has none here.
    #[doc(hidden)]
    pub fn name_of(oid: &str) -> &str {
        NAMES.iter().find(|(known, _)| *known == oid).map_or(oid, |(_, name)| name)
    }
}

/// An extension whose value is not what its identifier promises.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[error("the extension {oid} is malformed")]
pub struct MalformedExtension {
    /// Dotted object identifier, one of [`oid`].
    pub oid: &'static str,
}

impl Failure for MalformedExtension {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}

/// A name of subjectAltName or nameConstraints (RFC 5280, 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneralName {
    /// A mailbox; in a constraint also a host, or a domain after a dot.
    Email(String),
    /// A DNS name.
    Dns(String),
    /// A distinguished name.
    Directory(Name),
    /// A URI; in a constraint a host, or a domain after a dot.
    Uri(String),
    /// An address of 4 or 16 bytes; in a constraint followed by a mask of the same length.
    Ip(Vec<u8>),
    /// A form that is not interpreted: otherName, x400Address, ediPartyName or registeredID.
    Other(&'static str),
}

impl GeneralName {
    /// The name of the form, as in RFC 5280.
    pub fn form(&self) -> &'static str {
        match self {
            Self::Email(_) => "rfc822Name",
            Self::Dns(_) => "dNSName",
            Self::Directory(_) => "directoryName",
            Self::Uri(_) => "uniformResourceIdentifier",
            Self::Ip(_) => "iPAddress",
            Self::Other(form) => form,
        }
    }

    /// Whether both name the same. Names of a form that is not interpreted never do.
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Directory(a), Self::Directory(b)) => a.matches(b),
            (Self::Other(_), Self::Other(_)) => false,
            _ => self == other,
        }
    }

    /// Whether it is that distinguished name.
    pub fn is_directory(&self, name: &Name) -> bool {
        matches!(self, Self::Directory(own) if own.matches(name))
    }
}

/// The name spaces of a CA (RFC 5280, 4.2.1.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameConstraints {
    /// Where names of these forms have to be.
    pub permitted: Vec<GeneralName>,
    /// Where names must not be.
    pub excluded: Vec<GeneralName>,
}

/// After how many more certificates a demand takes effect (RFC 5280, 4.2.1.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyConstraints {
    /// An acceptable policy is demanded from there on.
    pub require_explicit_policy: Option<u32>,
    /// Policy mappings do not count from there on.
    pub inhibit_policy_mapping: Option<u32>,
}

/// AuthorityKeyIdentifier (RFC 5280, 4.2.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityKey {
    /// The key identifier of the issuer.
    pub key_id: Option<Vec<u8>>,
    /// The issuer of the issuer's certificate.
    pub issuer: Option<Vec<GeneralName>>,
    /// The serial number of the issuer's certificate.
    pub serial: Option<Serial>,
}

impl Certificate {
    /// The names of subjectAltName; none without the extension. An empty list is malformed.
    #[doc(hidden)]
    pub fn subject_alt_names(&self) -> Result<Option<Vec<GeneralName>>, MalformedExtension> {
        self.read(oid::SUBJECT_ALT_NAME, |reader| {
            let names = reader.collect_sequence_of(|r| general_name(&r.read_tagged_der()?))?;
            if names.is_empty() { invalid() } else { Ok(names) }
        })
    }

    /// NameConstraints; none without the extension. Empty ones, subtrees with a minimum or a
    /// maximum (RFC 5280 uses neither) and addresses without a mask are malformed.
    #[doc(hidden)]
    pub fn name_constraints(&self) -> Result<Option<NameConstraints>, MalformedExtension> {
        self.read(oid::NAME_CONSTRAINTS, |reader| {
            reader.read_sequence(|parts| {
                let permitted = optional_subtrees(parts, 0)?;
                let excluded = optional_subtrees(parts, 1)?;
                if permitted.is_none() && excluded.is_none() {
                    return invalid();
                }
                Ok(NameConstraints {
                    permitted: permitted.unwrap_or_default(),
                    excluded: excluded.unwrap_or_default(),
                })
            })
        })
    }

    /// The dotted identifiers of certificatePolicies; none without the extension.
    #[doc(hidden)]
    pub fn certificate_policies(&self) -> Result<Option<Vec<String>>, MalformedExtension> {
        self.read(oid::CERTIFICATE_POLICIES, |reader| {
            reader.collect_sequence_of(|r| {
                r.read_sequence(|policy| {
                    let id = policy.next().read_oid()?.to_string();
                    policy.read_optional(|qualifiers| qualifiers.read_tagged_der())?;
                    Ok(id)
                })
            })
        })
    }

    /// PolicyConstraints; none without the extension. Empty ones are malformed.
    #[doc(hidden)]
    pub fn policy_constraints(&self) -> Result<Option<PolicyConstraints>, MalformedExtension> {
        self.read(oid::POLICY_CONSTRAINTS, |reader| {
            reader.read_sequence(|parts| {
                let mut skip = |number: u64| {
                    parts.read_optional(|r| {
                        r.read_tagged_implicit(Tag::context(number), |r| r.read_u32())
                    })
                };
                let require_explicit_policy = skip(0)?;
                let inhibit_policy_mapping = skip(1)?;
                if require_explicit_policy.is_none() && inhibit_policy_mapping.is_none() {
                    return invalid();
                }
                Ok(PolicyConstraints { require_explicit_policy, inhibit_policy_mapping })
            })
        })
    }

    /// The pairs of policyMappings, issuer's policy and subject's; none without the extension. An
    /// empty list is malformed.
    #[doc(hidden)]
    pub fn policy_mappings(&self) -> Result<Option<Vec<(String, String)>>, MalformedExtension> {
        self.read(oid::POLICY_MAPPINGS, |reader| {
            let pairs = reader.collect_sequence_of(|r| {
                r.read_sequence(|pair| {
                    let issuers = pair.next().read_oid()?.to_string();
                    Ok((issuers, pair.next().read_oid()?.to_string()))
                })
            })?;
            if pairs.is_empty() { invalid() } else { Ok(pairs) }
        })
    }

    /// InhibitAnyPolicy: after how many more certificates anyPolicy does not count; none without
    /// the extension.
    #[doc(hidden)]
    pub fn inhibit_any_policy(&self) -> Result<Option<u32>, MalformedExtension> {
        self.read(oid::INHIBIT_ANY_POLICY, |reader| reader.read_u32())
    }

    /// AuthorityKeyIdentifier as a whole; none without the extension.
    #[doc(hidden)]
    pub fn authority_key(&self) -> Result<Option<AuthorityKey>, MalformedExtension> {
        self.read(oid::AUTHORITY_KEY_ID, |reader| {
            let mut key = AuthorityKey::default();
            for part in reader.collect_sequence_of(|part| part.read_tagged_der())? {
                match part.tag().tag_number {
                    0 => key.key_id = Some(part.value().to_vec()),
                    1 => key.issuer = Some(general_names(part.value())?),
                    2 => key.serial = Some(Serial::from_octets(part.value())),
                    _ => return invalid(),
                }
            }
            Ok(key)
        })
    }

    pub(super) fn read<T>(
        &self,
        oid: &'static str,
        parse: impl FnOnce(BERReader<'_, '_>) -> ASN1Result<T>,
    ) -> Result<Option<T>, MalformedExtension> {
        let Some(extension) = self.extension(oid) else { return Ok(None) };
        match yasna::parse_der(&extension.value, parse) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(MalformedExtension { oid }),
        }
    }
}

pub(super) fn invalid<T>() -> ASN1Result<T> {
    Err(ASN1Error::new(ASN1ErrorKind::Invalid))
}

pub(super) fn general_name(value: &TaggedDerValue) -> ASN1Result<GeneralName> {
    let tag = value.tag();
    if tag.tag_class != TagClass::ContextSpecific {
        return invalid();
    }
    Ok(match tag.tag_number {
        0 => GeneralName::Other("otherName"),
        1 => GeneralName::Email(ia5(value.value())?),
        2 => GeneralName::Dns(ia5(value.value())?),
        3 => GeneralName::Other("x400Address"),
        4 => match Name::from_der(value.value()) {
            Ok(name) => GeneralName::Directory(name),
            Err(_) => return invalid(),
        },
        5 => GeneralName::Other("ediPartyName"),
        6 => GeneralName::Uri(ia5(value.value())?),
        7 => GeneralName::Ip(value.value().to_vec()),
        8 => GeneralName::Other("registeredID"),
        _ => return invalid(),
    })
}

/// The names of an extension whose value is GeneralNames: at least one.
pub(crate) fn names_of_extension(value: &[u8]) -> Option<Vec<GeneralName>> {
    let names = yasna::parse_der(value, |reader| {
        reader.collect_sequence_of(|r| general_name(&r.read_tagged_der()?))
    });
    names.ok().filter(|names| !names.is_empty())
}

/// GeneralNames without their own tag and length.
pub(super) fn general_names(contents: &[u8]) -> ASN1Result<Vec<GeneralName>> {
    let whole = der::element(der::SEQUENCE, &[contents]);
    names_of_extension(&whole).map_or_else(invalid, Ok)
}

fn ia5(bytes: &[u8]) -> ASN1Result<String> {
    match str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => invalid(),
    }
}

/// A list of GeneralSubtree behind an implicit context tag.
fn optional_subtrees(
    parts: &mut BERReaderSeq<'_, '_>,
    number: u64,
) -> ASN1Result<Option<Vec<GeneralName>>> {
    parts.read_optional(|reader| {
        reader.read_tagged_implicit(Tag::context(number), |reader| {
            let subtrees = reader.collect_sequence_of(|subtree| {
                // Nothing may follow the name: minimum is DEFAULT 0, which DER leaves out, and
                // maximum must be absent.
                subtree.read_sequence(|fields| general_name(&fields.next().read_tagged_der()?))
            })?;
            let masked = |name: &GeneralName| match name {
                GeneralName::Ip(bytes) => has_mask(bytes),
                _ => true,
            };
            if subtrees.is_empty() || !subtrees.iter().all(masked) {
                return invalid();
            }
            Ok(subtrees)
        })
    })
}

/// Whether bytes are an address and a mask whose ones all come first (RFC 4632).
fn has_mask(bytes: &[u8]) -> bool {
    let mask = &bytes[bytes.len() / 2..];
    let ones: u32 = mask.iter().map(|b| b.leading_ones()).sum();
    let set: u32 = mask.iter().map(|b| b.count_ones()).sum();
    let prefix = mask.iter().position(|b| *b != 0xff).unwrap_or(mask.len());
    let contiguous = mask.iter().skip(prefix + 1).all(|b| *b == 0);
    matches!(bytes.len(), 8 | 32) && ones == set && contiguous
}
