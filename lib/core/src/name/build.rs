//! Names that are made here: from fields, in the order in which they are encoded.

use super::fields::{FIELDS, Field, StringType, check_value, find_field};
use super::{Name, NameError};
use crate::der;

/// Collects fields, then writes the name in the order of [`FIELDS`].
#[derive(Debug, Clone, Default)]
pub struct NameBuilder {
    parts: Vec<(&'static Field, String)>,
    given_order: bool,
}

impl NameBuilder {
    /// Adds a field, checked against its string type and length.
    #[doc(hidden)]
    pub fn push(&mut self, field: &'static Field, value: &str) -> Result<&mut Self, NameError> {
        check_value(field, value)?;
        if !field.repeats && self.parts.iter().any(|(f, _)| f.name == field.name) {
            return Err(NameError::Repeated(field.name));
        }
        self.parts.push((field, value.to_owned()));
        Ok(self)
    }

    /// As [`NameBuilder::push`], for chains of calls.
    pub fn with(mut self, field: &str, value: &str) -> Result<Self, NameError> {
        self.push(find_field(field)?, value)?;
        Ok(self)
    }

    /// Whether a field is there already.
    #[doc(hidden)]
    pub fn has(&self, field: &str) -> bool {
        self.parts.iter().any(|(f, _)| f.name == field)
    }

    /// Keeps the order of the calls instead of that of [`FIELDS`].
    pub(super) fn in_given_order(mut self) -> Self {
        self.given_order = true;
        self
    }

    /// Encodes the name.
    pub fn build(mut self) -> Result<Name, NameError> {
        self.sort();
        let rdns: Vec<Vec<u8>> = self.parts.iter().map(|(f, value)| rdn(f, value)).collect();
        Name::from_der(&der::element(der::SEQUENCE, &[&rdns.concat()]))
    }

    /// Encodes all but one field, which is not among them.
    #[doc(hidden)]
    pub fn build_without(mut self, open: &'static Field) -> NameTemplate {
        self.sort();
        let (before, after): (Vec<_>, Vec<_>) =
            self.parts.iter().partition(|(field, _)| rank(field) <= rank(open));
        let encode = |parts: Vec<&(&'static Field, String)>| {
            parts.into_iter().flat_map(|(field, value)| rdn(field, value)).collect()
        };
        NameTemplate { open, before: encode(before), after: encode(after) }
    }

    fn sort(&mut self) {
        if !self.given_order {
            self.parts.sort_by_key(|(field, _)| rank(field));
        }
    }
}

fn rank(field: &Field) -> Option<usize> {
    FIELDS.iter().position(|other| other.name == field.name)
}

/// The DER of a RelativeDistinguishedName with one attribute.
fn rdn(field: &Field, value: &str) -> Vec<u8> {
    let tag = match field.string {
        StringType::Utf8 => der::UTF8_STRING,
        StringType::Printable => der::PRINTABLE_STRING,
        StringType::Ia5 => der::IA5_STRING,
    };
    let oid = der::oid(field.oid);
    let value = der::element(tag, &[value.as_bytes()]);
    der::element(der::SET, &[&der::element(der::SEQUENCE, &[&oid, &value])])
}

/// A name with one field open: what the subjects of many devices have in common.
#[derive(Debug)]
#[doc(hidden)]
pub struct NameTemplate {
    open: &'static Field,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl NameTemplate {
    /// The DER of the name with that value, which is checked as by [`NameBuilder::push`].
    #[doc(hidden)]
    pub fn fill(&self, value: &str) -> Result<Vec<u8>, NameError> {
        check_value(self.open, value)?;
        let own = rdn(self.open, value);
        Ok(der::element(der::SEQUENCE, &[&self.before, &own, &self.after]))
    }
}
