//! Which certificates and reasons a revocation list is for: issuingDistributionPoint (RFC 5280, 5.2.5).

use yasna::models::TaggedDerValue;
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, Tag};

use crate::cert::{PointName, Reasons};

/// The kind of certificate that a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Certificates that are not of CAs.
    Users,
    /// Certificates of CAs.
    Cas,
    /// Attribute certificates.
    Attributes,
}

/// issuingDistributionPoint. Its absence is the default: all certificates of the list's issuer, for every
/// reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// The distribution point that it is for.
    pub point: Option<PointName>,
    /// The kind of certificate that it is for; none for all.
    pub only: Option<Only>,
    /// The reasons that it is for; none for all.
    pub reasons: Option<Reasons>,
    /// Whether it has certificates of other issuers (indirectCRL).
    pub indirect: bool,
    /// The DER of the extension's value: lists with the same are for the same.
    pub der: Vec<u8>,
}

impl Scope {
    /// Reads the value of the extension. A list for two kinds of certificate at once is for none of
    /// them, so that is an error.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let parts = yasna::parse_der(der, |r| r.collect_sequence_of(|part| part.read_tagged_der()));
        let scope = parts.and_then(|parts| scope(&parts)).ok()?;
        Some(Self { der: der.to_vec(), ..scope })
    }
}

fn scope(parts: &[TaggedDerValue]) -> ASN1Result<Scope> {
    let mut scope = Scope::default();
    let mut last = None;
    for part in parts {
        let number = part.tag().tag_number;
        if part.tag() != Tag::context(number) || last >= Some(number) {
            return invalid();
        }
        last = Some(number);
        let only = match number {
            0 => {
                scope.point = Some(PointName::from_der(part.value())?);
                continue;
            }
            3 => {
                scope.reasons = Some(Reasons::from_bits(part.value())?);
                continue;
            }
            4 => {
                scope.indirect = boolean(part)?;
                continue;
            }
            1 => Only::Users,
            2 => Only::Cas,
            5 => Only::Attributes,
            _ => return invalid(),
        };
        if boolean(part)? && scope.only.replace(only).is_some() {
            return invalid();
        }
    }
    Ok(scope)
}

fn boolean(part: &TaggedDerValue) -> ASN1Result<bool> {
    match part.value() {
        [0] => Ok(false),
        [0xff] => Ok(true),
        _ => invalid(),
    }
}

fn invalid<T>() -> ASN1Result<T> {
    Err(ASN1Error::new(ASN1ErrorKind::Invalid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_rfc_5280_numbers_them() {
        let read = |der: &[u8]| Scope::from_der(der);
        assert_eq!(read(&[0x30, 3, 0x81, 1, 0xff]).unwrap().only, Some(Only::Users));
        assert_eq!(read(&[0x30, 3, 0x82, 1, 0xff]).unwrap().only, Some(Only::Cas));
        assert_eq!(read(&[0x30, 3, 0x85, 1, 0xff]).unwrap().only, Some(Only::Attributes));
        assert!(read(&[0x30, 3, 0x84, 1, 0xff]).unwrap().indirect);
        assert!(!read(&[0x30, 3, 0x84, 1, 0]).unwrap().indirect);
        assert_eq!(read(&[0x30, 0]).unwrap().only, None);
    }

    #[test]
    fn what_contradicts_itself_or_is_out_of_order_is_not_read() {
        let faulty: [&[u8]; 5] = [
            &[0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0xff],
            &[0x30, 6, 0x82, 1, 0xff, 0x81, 1, 0],
            &[0x30, 3, 0x81, 1, 1],
            &[0x30, 3, 0x86, 1, 0xff],
            &[0x30, 3, 0x81, 1, 0xff, 0],
        ];
        for der in faulty {
            assert_eq!(Scope::from_der(der), None, "{der:?}");
        }
    }
}
