//! The fields that names are made of: their identifiers, string types and upper bounds.

use super::NameError;

/// The ASN.1 string type in which a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StringType {
    Utf8,
    Printable,
    Ia5,
}

/// A field of a distinguished name that can be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in RFC 4514 strings and profiles.
    pub name: &'static str,
    /// The object identifier of the attribute type.
    pub oid: &'static [u64],
    /// The same, dotted.
    pub dotted: &'static str,
    /// Longest value, in characters (RFC 5280, appendix A).
    pub max: usize,
    /// Whether it may occur more than once.
    pub repeats: bool,
    pub(super) string: StringType,
}

const fn field(
    name: &'static str,
    oid: &'static [u64],
    dotted: &'static str,
    max: usize,
    string: StringType,
    repeats: bool,
) -> Field {
    Field { name, oid, dotted, max, repeats, string }
}

/// The writable fields in the order in which they are encoded: from the country down.
pub static FIELDS: [Field; 10] = [
    field("C", &[2, 5, 4, 6], "2.5.4.6", 2, StringType::Printable, false),
    field("ST", &[2, 5, 4, 8], "2.5.4.8", 128, StringType::Utf8, false),
    field("L", &[2, 5, 4, 7], "2.5.4.7", 128, StringType::Utf8, false),
    field(
        "DC",
        &[0, 9, 2342, 19200300, 100, 1, 25],
        "0.9.2342.19200300.100.1.25",
        63,
        StringType::Ia5,
        true,
    ),
    field("O", &[2, 5, 4, 10], "2.5.4.10", 64, StringType::Utf8, false),
    field("OU", &[2, 5, 4, 11], "2.5.4.11", 64, StringType::Utf8, true),
    field("serialNumber", &[2, 5, 4, 5], "2.5.4.5", 64, StringType::Printable, false),
    field(
        "UID",
        &[0, 9, 2342, 19200300, 100, 1, 1],
        "0.9.2342.19200300.100.1.1",
        256,
        StringType::Utf8,
        false,
    ),
    field("CN", &[2, 5, 4, 3], "2.5.4.3", 64, StringType::Utf8, false),
    field(
        "emailAddress",
        &[1, 2, 840, 113549, 1, 9, 1],
        "1.2.840.113549.1.9.1",
        255,
        StringType::Ia5,
        false,
    ),
];

/// Finds a field by its name, in any case; `E` and `SERIALNUMBER` are known too.
pub fn find_field(name: &str) -> Result<&'static Field, NameError> {
    let wanted = if name.eq_ignore_ascii_case("E") { "emailAddress" } else { name };
    FIELDS
        .iter()
        .find(|f| f.name.eq_ignore_ascii_case(wanted))
        .ok_or_else(|| NameError::UnknownField(name.to_owned()))
}

/// Holds a value to its field's string type and length.
pub(super) fn check_value(field: &'static Field, value: &str) -> Result<(), NameError> {
    let chars = value.chars().count();
    if chars == 0 {
        return Err(NameError::EmptyValue(field.name));
    }
    if field.name == "C" && !(chars == 2 && value.bytes().all(|b| b.is_ascii_uppercase())) {
        return Err(NameError::Country(value.to_owned()));
    }
    if chars > field.max {
        return Err(NameError::TooLong {
            field: field.name,
            value: value.to_owned(),
            chars,
            max: field.max,
        });
    }
    let allowed = |c: char| match field.string {
        StringType::Utf8 => !c.is_control(),
        StringType::Ia5 => c.is_ascii() && !c.is_ascii_control(),
        StringType::Printable => c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c),
    };
    match value.chars().find(|c| !allowed(*c)) {
        Some(found) => {
            Err(NameError::Charset { field: field.name, value: value.to_owned(), found })
        }
        None => Ok(()),
    }
}
