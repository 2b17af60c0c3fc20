//! Distinguished names (RFC 5280, 4.1.2.4 and appendix A) and their text form (RFC 4514).
//!
//! A [`Name`] keeps the exact DER it was read from, so that an issuer's name goes into a
//! certificate byte for byte. Names that we make use the string types of the recipe and of
//! RFC 5280: UTF8String, except C and serialNumber (PrintableString) and emailAddress and DC
//! (IA5String). Upper bounds are counted in characters.
//!
//! RFC 4514 writes the most specific part first: `CN=device-1,O=Acme,C=DE` is encoded C, O, CN.

mod build;
mod fields;
mod rfc4514;

use std::fmt;

use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

pub use build::NameBuilder;
#[doc(hidden)]
pub use build::NameTemplate;
pub use fields::{FIELDS, Field, find_field};
use rfc4514::{escape, parse_rfc4514};

use crate::failure::{Failure, Fault, Hint};

/// What can be wrong with a distinguished name.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum NameError {
    /// Not one of the field names in [`FIELDS`].
    #[error("{0:?} is not a field of a distinguished name")]
    UnknownField(String),
    /// An attribute without text.
    #[error("the field {0} of a distinguished name is empty")]
    EmptyValue(&'static str),
    /// Longer than the upper bound of RFC 5280, appendix A.
    #[error("{field}={value:?} has {chars} characters; RFC 5280 allows at most {max}")]
    TooLong {
        /// Field name.
        field: &'static str,
        /// Its value.
        value: String,
        /// Its length in characters.
        chars: usize,
        /// The bound.
        max: usize,
    },
    /// C is not two letters of ISO 3166.
    #[error("C={0:?} is not a country code of two capital letters (ISO 3166)")]
    Country(String),
    /// A character that the field's string type does not have.
    #[error("{field}={value:?} contains {found:?}, which its string type does not have")]
    Charset {
        /// Field name.
        field: &'static str,
        /// Its value.
        value: String,
        /// The character.
        found: char,
    },
    /// A field that may occur once only.
    #[error("the field {0} is given twice; only OU and DC may repeat")]
    Repeated(&'static str),
    /// The text is not RFC 4514.
    #[error("{text:?} is not a distinguished name: {reason}")]
    Syntax {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The DER is not a Name.
    #[error("the bytes are not a distinguished name")]
    Der,
}

impl Failure for NameError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::UnknownField(_) => {
                let names: Vec<_> = FIELDS.iter().map(|f| f.name).collect();
                Some(format!("known fields: {}", names.join(", ")).into())
            }
            Self::Syntax { .. } => Some("write it like CN=Example Root CA,O=Example,C=DE".into()),
            Self::Country(value) if value.len() == 2 => {
                Some(format!("write C={}", value.to_ascii_uppercase()).into())
            }
            Self::Country(_) => Some("for example C=DE".into()),
            _ => None,
        }
    }
}

/// One attribute of a name as it was read: type and decoded text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The attribute type in dotted form.
    pub oid: String,
    /// The text, or `#` and the hexadecimal DER where the value is no string.
    pub value: String,
}

impl Attribute {
    /// `CN`, `O` …, or the dotted object identifier.
    pub fn label(&self) -> &str {
        FIELDS.iter().find(|f| f.dotted == self.oid).map_or(&self.oid, |f| f.name)
    }
}

/// A distinguished name: its DER and what it says.
#[derive(Debug, Clone)]
pub struct Name {
    der: Vec<u8>,
    rdns: Vec<Vec<Attribute>>,
}

impl Name {
    /// Reads the DER of a Name and keeps it byte for byte.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        let (rest, name) = X509Name::from_der(der).map_err(|_| NameError::Der)?;
        if !rest.is_empty() {
            return Err(NameError::Der);
        }
        let rdns = name.iter().map(|rdn| rdn.iter().map(read_attribute).collect()).collect();
        Ok(Self { der: der.to_vec(), rdns })
    }

    /// Starts an empty name.
    pub fn builder() -> NameBuilder {
        NameBuilder::default()
    }

    /// Parses the RFC 4514 form, most specific part first. Several attributes in one RDN (`+`) and
    /// hexadecimal values (`#`) are not written by us and refused here.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut builder = NameBuilder::default();
        for (field, value) in parse_rfc4514(text)? {
            builder.push(field, &value)?;
        }
        builder.in_given_order().build()
    }

    /// The DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether there is nothing in it.
    #[doc(hidden)]
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// All attributes in the order in which they are encoded.
    #[doc(hidden)]
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.rdns.iter().flatten()
    }

    /// The values of a field, by its name in [`FIELDS`].
    #[doc(hidden)]
    pub fn values<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.attributes().filter(move |a| a.label() == field).map(|a| a.value.as_str())
    }

    /// The Common Name: the last one, should there be several.
    pub fn common_name(&self) -> Option<&str> {
        self.values("CN").last()
    }

    /// Whether two names are equal by RFC 5280, 7.1: the same attributes in the same order,
    /// strings compared without regard to case and runs of white space.
    pub fn matches(&self, other: &Self) -> bool {
        let same =
            |(a, b): (&Attribute, &Attribute)| a.oid == b.oid && fold(&a.value) == fold(&b.value);
        let same_rdn = |(a, b): (&Vec<Attribute>, &Vec<Attribute>)| {
            a.len() == b.len() && a.iter().zip(b).all(same)
        };
        self.der == other.der
            || (self.rdns.len() == other.rdns.len()
                && self.rdns.iter().zip(&other.rdns).all(same_rdn))
    }

    /// A text that is equal for two names exactly when they [match](Name::matches): the key of an
    /// index by name.
    pub(crate) fn index_key(&self) -> String {
        let mut key = String::new();
        for rdn in &self.rdns {
            for attribute in rdn {
                key.extend([&attribute.oid, "=", &fold(&attribute.value), "\0"]);
            }
            key.push('\n');
        }
        key
    }

    /// Whether this name begins with all the RDNs of `base`: a directory name constraint
    /// (RFC 5280, 4.2.1.10).
    #[doc(hidden)]
    pub fn is_within(&self, base: &Self) -> bool {
        let head = Self {
            der: Vec::new(),
            rdns: self.rdns.iter().take(base.rdns.len()).cloned().collect(),
        };
        head.rdns.len() == base.rdns.len() && (base.is_empty() || head.matches(base))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Name {}

impl std::str::FromStr for Name {
    type Err = NameError;

    /// As [`Name::parse`].
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl fmt::Display for Name {
    /// RFC 4514: the last RDN first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rdn) in self.rdns.iter().rev().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            for (j, attribute) in rdn.iter().enumerate() {
                if j > 0 {
                    f.write_str("+")?;
                }
                write!(f, "{}={}", attribute.label(), escape(&attribute.value))?;
            }
        }
        Ok(())
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn fold(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn read_attribute(attribute: &x509_parser::x509::AttributeTypeAndValue<'_>) -> Attribute {
    use x509_parser::asn1_rs::{Tag, ToDer};
    let any = attribute.attr_value();
    let utf16 = |data: &[u8]| {
        let units: Vec<u16> =
            data.chunks_exact(2).map(|c| u16::from_be_bytes([c[0], c[1]])).collect();
        String::from_utf16(&units).ok()
    };
    let text = match any.tag() {
        Tag::BmpString => utf16(any.data),
        Tag::UniversalString => any
            .data
            .chunks_exact(4)
            .map(|c| char::from_u32(u32::from_be_bytes([c[0], c[1], c[2], c[3]])))
            .collect(),
        // Latin-1 is what people put into a TeletexString.
        Tag::TeletexString => Some(any.data.iter().map(|b| char::from(*b)).collect()),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(any.data.to_vec()).ok()
        }
        _ => None,
    };
    let raw = || format!("#{}", crate::crypto::hex(&any.to_der_vec().unwrap_or_default()));
    Attribute { oid: attribute.attr_type().to_id_string(), value: text.unwrap_or_else(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_and_flags_give_the_same_name() {
        let parsed = Name::parse("CN=Example Root CA, OU=B, OU=A, O=Example, C=DE").unwrap();
        let built = Name::builder()
            .with("CN", "Example Root CA")
            .and_then(|b| b.with("C", "DE"))
            .and_then(|b| b.with("O", "Example"))
            .and_then(|b| b.with("OU", "A"))
            .and_then(|b| b.with("OU", "B"))
            .and_then(NameBuilder::build)
            .unwrap();
        assert_eq!(parsed, built);
        assert_eq!(parsed.to_string(), "CN=Example Root CA,OU=B,OU=A,O=Example,C=DE");
        assert_eq!(parsed.common_name(), Some("Example Root CA"));
    }

    #[test]
    fn escapes_of_rfc_4514() {
        for value in ["a,b", "#x", " edge ", "q\"w+e;r<t>y\\", "Łódź", "two  words"] {
            let name = Name::builder().with("O", value).unwrap().build().unwrap();
            let again = Name::parse(&name.to_string()).unwrap();
            assert_eq!(name, again, "{name}");
        }
        assert_eq!(Name::parse("O=\\C5\\81").unwrap().values("O").next(), Some("Ł"));
    }

    #[test]
    fn both_forms_of_an_identifier_agree() {
        for field in &FIELDS {
            let arcs: Vec<String> = field.oid.iter().map(u64::to_string).collect();
            assert_eq!(arcs.join("."), field.dotted);
        }
    }

    #[test]
    fn a_name_with_an_open_field_is_the_same_name() {
        let cn = find_field("CN").unwrap();
        for fields in [&[][..], &[("C", "DE"), ("O", "Example")], &[("DC", "x"), ("OU", "Łódź")]]
        {
            let builder =
                fields.iter().try_fold(Name::builder(), |b, (f, v)| b.with(f, v)).unwrap();
            let whole = builder.clone().with("CN", "gw-1").unwrap().build().unwrap();
            let open = builder.build_without(cn);
            assert_eq!(open.fill("gw-1").unwrap(), whole.der());
            assert!(open.fill("").is_err());
        }
    }

    #[test]
    fn bounds_and_charsets() {
        let push = |field: &str, value: &str| Name::builder().with(field, value).map(|_| ());
        assert_eq!(push("CN", &"é".repeat(64)), Ok(()));
        assert!(matches!(push("CN", &"x".repeat(65)), Err(NameError::TooLong { max: 64, .. })));
        assert!(matches!(push("C", "de"), Err(NameError::Country(_))));
        assert!(matches!(push("emailAddress", "ü@x"), Err(NameError::Charset { found: 'ü', .. })));
        assert!(matches!(push("O", ""), Err(NameError::EmptyValue("O"))));
        assert!(matches!(push("X", "y"), Err(NameError::UnknownField(_))));
        let twice = Name::builder().with("O", "a").unwrap().with("O", "b").map(|_| ());
        assert_eq!(twice, Err(NameError::Repeated("O")));
    }

    #[test]
    fn malformed_strings_say_why() {
        for text in ["CN", "CN=a,", "CN=a+O=b", "CN=a;O=b", "CN=#0c01", "CN=x\\"] {
            assert!(matches!(Name::parse(text), Err(NameError::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn comparison_ignores_case_and_spaces_but_not_order() {
        let a = Name::parse("CN=Root  ca,O=X").unwrap();
        assert!(a.matches(&Name::parse("CN=root CA,O=x").unwrap()));
        assert!(!a.matches(&Name::parse("O=x,CN=root CA").unwrap()));
        assert!(a.is_within(&Name::parse("O=x").unwrap()));
        assert!(!a.is_within(&Name::parse("O=y").unwrap()));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails_cleanly(text in any::<String>()) {
            let _ = Name::parse(&text);
        }

        #[test]
        fn any_value_round_trips(value in "\\PC{1,64}") {
            if let Ok(builder) = Name::builder().with("CN", &value) {
                let name = builder.build().unwrap();
                prop_assert_eq!(Name::parse(&name.to_string()).unwrap(), name);
            }
        }
    }
}
