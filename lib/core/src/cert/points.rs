//! cRLDistributionPoints (RFC 5280, 4.2.1.13): where a certificate's revocation lists come from, by the
//! names that tie a list to a certificate.

use yasna::models::TaggedDerValue;
use yasna::{ASN1Result, Tag};

use super::extensions::{general_names, invalid};
use super::{Certificate, GeneralName, MalformedExtension, oid};
use crate::ber::Reader;
use crate::der;
use crate::name::Name;

/// Reasons for a revocation, as a set (RFC 5280, 4.2.1.13: ReasonFlags).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasons(u16);

impl Reasons {
    /// The names by bit number; bit 0 is not used.
    const NAMES: [&'static str; 9] = [
        "unused",
        "keyCompromise",
        "cACompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        "certificateHold",
        "privilegeWithdrawn",
        "aACompromise",
    ];
    /// No reason.
    pub const NONE: Self = Self(0);
    /// Every reason.
    pub const ALL: Self = Self(0b1_1111_1110);

    /// What both sets have.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either set has.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The names of RFC 5280.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let numbered = Self::NAMES.into_iter().enumerate();
        numbered.filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name)
    }

    /// Reads the contents of a BIT STRING. Bits that RFC 5280 does not know say nothing here.
    pub(crate) fn from_bits(contents: &[u8]) -> ASN1Result<Self> {
        let Some((unused, bytes)) = contents.split_first() else { return invalid() };
        if *unused > 7 || (bytes.is_empty() && *unused > 0) {
            return invalid();
        }
        let is_set =
            |bit: &usize| bytes.get(bit / 8).is_some_and(|octet| octet >> (7 - bit % 8) & 1 == 1);
        let bits = (1..Self::NAMES.len()).filter(is_set).fold(0, |all, bit| all | 1 << bit);
        Ok(Self(bits))
    }
}

/// The name of a distribution point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointName {
    /// Names of the same point.
    Full(Vec<GeneralName>),
    /// What comes behind the name of who makes the list: the DER of a RelativeDistinguishedName.
    Relative(Vec<u8>),
}

impl PointName {
    /// Reads the DER of a DistributionPointName.
    pub(crate) fn from_der(value: &[u8]) -> ASN1Result<Self> {
        let choice = yasna::parse_der(value, |reader| reader.read_tagged_der())?;
        match choice.tag() {
            tag if tag == Tag::context(0) => match general_names(choice.value())? {
                names if names.is_empty() => invalid(),
                names => Ok(Self::Full(names)),
            },
            tag if tag == Tag::context(1) => {
                Ok(Self::Relative(der::element(der::SET, &[choice.value()])))
            }
            _ => invalid(),
        }
    }

    /// The names, if the list is made by `issuer`.
    pub fn names(&self, issuer: &Name) -> Vec<GeneralName> {
        match self {
            Self::Full(names) => names.clone(),
            Self::Relative(rdn) => {
                let rdns = Reader::new(issuer.der()).tagged(der::SEQUENCE, "a name").ok();
                let whole = rdns.map(|rdns| der::element(der::SEQUENCE, &[rdns.contents, rdn]));
                let name = whole.and_then(|whole| Name::from_der(&whole).ok());
                name.map(GeneralName::Directory).into_iter().collect()
            }
        }
    }
}

/// A point from which a revocation list comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionPoint {
    /// Its name.
    pub name: Option<PointName>,
    /// The reasons that its list is for; none for all.
    pub reasons: Option<Reasons>,
    /// Who makes its list, if that is not the certificate's issuer.
    pub issuer: Option<Vec<GeneralName>>,
}

impl Certificate {
    /// The points of cRLDistributionPoints; none without the extension. An empty list, and a point with
    /// neither name nor issuer, are malformed.
    #[doc(hidden)]
    pub fn distribution_points(
        &self,
    ) -> Result<Option<Vec<DistributionPoint>>, MalformedExtension> {
        self.read(oid::CRL_DISTRIBUTION_POINTS, |reader| {
            let points = reader.collect_sequence_of(|r| {
                point(&r.collect_sequence_of(|part| part.read_tagged_der())?)
            })?;
            if points.is_empty() { invalid() } else { Ok(points) }
        })
    }
}

fn point(parts: &[TaggedDerValue]) -> ASN1Result<DistributionPoint> {
    let mut point = DistributionPoint { name: None, reasons: None, issuer: None };
    let mut last = None;
    for part in parts {
        let number = part.tag().tag_number;
        if part.tag() != Tag::context(number) || last >= Some(number) {
            return invalid();
        }
        last = Some(number);
        match number {
            0 => point.name = Some(PointName::from_der(part.value())?),
            1 => point.reasons = Some(Reasons::from_bits(part.value())?),
            2 => point.issuer = Some(general_names(part.value())?),
            _ => return invalid(),
        }
    }
    if point.name.is_none() && point.issuer.is_none() { invalid() } else { Ok(point) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_as_in_rfc_5280() {
        let names = |bits: &[u8]| Reasons::from_bits(bits).map(|r| r.names().collect::<Vec<_>>());
        assert_eq!(names(&[6, 0b0100_0000]).unwrap(), ["keyCompromise"]);
        assert_eq!(names(&[7, 1, 0x80]).unwrap(), ["privilegeWithdrawn", "aACompromise"]);
        assert_eq!(Reasons::from_bits(&[7, 0x7f, 0x80]).unwrap(), Reasons::ALL);
        // "unused" is no reason.
        assert!(Reasons::from_bits(&[7, 0x80]).unwrap().is_empty());
        assert!(names(&[]).is_err() && names(&[8, 0]).is_err() && names(&[1]).is_err());
    }

    #[test]
    fn a_relative_name_stands_behind_the_issuers() {
        let rdn = Name::parse("CN=point 1").unwrap();
        let rdns = Reader::new(rdn.der()).tagged(der::SEQUENCE, "a name").unwrap();
        let issuer = Name::parse("O=Example,C=DE").unwrap();
        let names = PointName::Relative(rdns.contents.to_vec()).names(&issuer);
        let whole = Name::parse("CN=point 1,O=Example,C=DE").unwrap();
        assert!(matches!(&names[..], [GeneralName::Directory(name)] if name.matches(&whole)));
    }
}
