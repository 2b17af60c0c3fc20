//! MQTT ClientIds and the device identifiers in them.
//!
//! `connectionType:deviceIdentifier:defaultTemplateIdentifier` (platform: "MQTT ClientId"); the
//! type defaults to `d`, the template is optional. The device identifier becomes the Common Name
//! of the certificate, a directory name, a cell of the registration CSV, a SmartREST value and, for
//! child devices, a topic level. [`DeviceId::parse`] accepts what is safe in all of these:
//!
//! | refused | because |
//! | --- | --- |
//! | empty, or only dots | names nothing, or a directory's parent |
//! | `:` | separates the parts of a ClientId |
//! | `/` `+` `#` | topic separator and wildcards (MQTT 3.1.1, 4.7) |
//! | `"` `,` `;` | quote and separators of the registration CSV, which the platform detects by itself |
//! | `-` `=` `@` in front | read as an option by shells, as a formula by spreadsheets |
//! | control, format and other invisible characters, any white space but the plain space | cannot be told apart by eye; MQTT 3.1.1, 1.5.3 forbids NUL |
//! | white space at either end | CN and ClientId must be equal to the byte |
//! | more than 64 characters | ub-common-name (RFC 5280, appendix A) |
//!
//! Everything else is read, non-ASCII letters included; [`DeviceId::file_name`] turns it into
//! a name that is safe on every file system.
//!
//! A new id may hold no white space, `\` nor `$` either ([`DeviceId::check_new`]): the platform refuses to
//! register such devices since 10.20.90, and their user would be `device_<id>`, in whose name these are
//! forbidden (platform: "Rules that certificates must meet"). Ids that exist may have them.

mod convert;
mod new;
mod rounded;
mod windows;

use std::fmt;

use percent_encoding::percent_encode_byte;
use unicode_normalization::UnicodeNormalization;

use crate::crypto::{hex, sha256};
use crate::shown::is_hidden;
#[doc(hidden)]
pub use rounded::{ROUNDED, is_rounded};
#[doc(hidden)]
pub use windows::is_kept_by_windows;

/// Longest device identifier, in characters: ub-common-name of RFC 5280, appendix A.
pub const MAX_CHARS: usize = 64;

/// A device identifier or ClientId that was refused, and the rule that it breaks.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("{} {id:?} {rule}", self.what())]
pub struct ClientIdError {
    /// The text.
    pub id: String,
    /// The rule.
    pub rule: Rule,
}

/// A rule for device identifiers; `Display` is the rest of a sentence about one that breaks it.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum Rule {
    /// No characters at all.
    #[error("is empty")]
    Empty,
    /// `.`, `..` and the like.
    #[error("consists of dots only, which names a directory, not a device")]
    OnlyDots,
    /// A character with a meaning of its own on the platform.
    #[error("contains {found:?}, which {meaning}")]
    Reserved {
        /// The character.
        found: char,
        /// What the character means, as the rest of a sentence.
        meaning: &'static str,
    },
    /// A dangerous first character.
    #[error("starts with {found:?}, which {meaning}")]
    Start {
        /// The character.
        found: char,
        /// What the character means there, as the rest of a sentence.
        meaning: &'static str,
    },
    /// A character that cannot be seen.
    #[error("contains the invisible character U+{0:04X}")]
    Invisible(u32),
    /// White space around the identifier.
    #[error("has white space at its start or end")]
    Padded,
    /// `8,96529E+19`.
    #[error("is a number that a spreadsheet has rounded")]
    Rounded,
    /// Longer than [`MAX_CHARS`].
    #[error("has {0} characters; a common name holds at most {MAX_CHARS}")]
    TooLong(usize),
    /// A character that exists in older ids, and that the platform refuses in new ones.
    #[error("contains {0:?}, which the platform refuses in the ids of new devices")]
    NotInNew(char),
    /// More than two colons.
    #[error("has more than three parts separated by ':'")]
    TooManyParts,
}

impl ClientIdError {
    /// The sentence with a place in it: `device id "x" (devices.csv line 3) is …`.
    pub fn at(&self, place: &str) -> String {
        format!("{} {:?} ({place}) {}", self.what(), self.id, self.rule)
    }

    /// What was refused: only a whole ClientId has parts.
    fn what(&self) -> &'static str {
        match self.rule {
            Rule::TooManyParts => "ClientId",
            _ => "device id",
        }
    }
}

/// A device identifier: the part of the ClientId that must equal the certificate's Common Name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(String);

impl DeviceId {
    /// Accepts an identifier that is safe everywhere it will be used; see the module's table.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        match broken_rule(text) {
            Some(rule) => Err(ClientIdError { id: text.to_owned(), rule }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// An identifier that was accepted before: of a list that was read, or of a registry. One that an older
    /// version has recorded may break a rule that is younger than it; it stays what it was.
    #[doc(hidden)]
    pub fn known(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two identifiers that differ only in case are the same: X.500 names
    /// (RFC 5280, 7.1) and many file systems do not tell such a pair apart.
    #[doc(hidden)]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// The form in which two identifiers are the same that look the same: as [`folded`](Self::folded), and
    /// however their letters are put together (Unicode's NFC and NFD, Annex 15).
    #[doc(hidden)]
    pub fn likeness(&self) -> String {
        likeness(&self.0)
    }

    /// [`folded`](Self::folded) forms of other identifiers that look the same, with letters put together in the
    /// usual other ways.
    #[doc(hidden)]
    pub fn twins(&self) -> Vec<String> {
        if self.0.is_ascii() {
            return Vec::new();
        }
        let own = self.folded();
        let mut twins: Vec<String> = vec![own.nfc().collect(), own.nfd().collect()];
        twins.dedup();
        twins.retain(|twin| *twin != own);
        twins
    }

    /// A file name for the identifier, different for different identifiers: letters, digits, `.`,
    /// `_` and `-` stay, every other byte becomes `%XX`; so do a dot in front, which hides a directory,
    /// and what Windows reserves (`CON`, a dot at the end). Names over 200 bytes end in a hash
    /// instead.
    #[doc(hidden)]
    pub fn file_name(&self) -> String {
        const LONGEST: usize = 200;
        let mut name = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            let hidden = byte == b'.' && name.is_empty();
            let safe = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            if safe && !hidden {
                name.push(byte.into());
            } else {
                name.push_str(percent_encode_byte(byte));
            }
        }
        if name.ends_with('.') {
            name.pop();
            name.push_str(percent_encode_byte(b'.'));
        }
        if is_kept_by_windows(&name) {
            let first = name.remove(0);
            name.insert_str(0, percent_encode_byte(first as u8));
        }
        if name.len() > LONGEST {
            name.truncate(LONGEST - 33);
            name.push('~');
            name.push_str(&hex(&sha256(self.0.as_bytes())[..16]));
        }
        name
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for DeviceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The first rule of the module's table that `text` breaks.
fn broken_rule(text: &str) -> Option<Rule> {
    if text.is_empty() {
        return Some(Rule::Empty);
    }
    if let Some(bad) = text.chars().find(|c| is_invisible(*c)) {
        return Some(Rule::Invisible(bad.into()));
    }
    if text.trim() != text {
        return Some(Rule::Padded);
    }
    if is_rounded(text) {
        return Some(Rule::Rounded);
    }
    for found in text.chars() {
        if let Some(meaning) = reserved(found) {
            return Some(Rule::Reserved { found, meaning });
        }
    }
    if text.bytes().all(|b| b == b'.') {
        return Some(Rule::OnlyDots);
    }
    match text.as_bytes()[0] {
        b'-' => {
            return Some(Rule::Start { found: '-', meaning: "command lines read as an option" });
        }
        found @ (b'=' | b'@') => {
            let meaning = "spreadsheets read as a formula";
            return Some(Rule::Start { found: found.into(), meaning });
        }
        _ => {}
    }
    let chars = text.chars().count();
    (chars > MAX_CHARS).then_some(Rule::TooLong(chars))
}

fn reserved(c: char) -> Option<&'static str> {
    match c {
        ':' => Some("the platform reserves"),
        '/' => Some("separates the levels of an MQTT topic"),
        '+' | '#' => Some("is a wildcard in MQTT topics"),
        '"' => Some("is the quote of the registration CSV and of SmartREST"),
        ',' | ';' => Some("separates the columns of the registration CSV"),
        _ => None,
    }
}

fn is_invisible(c: char) -> bool {
    is_hidden(c) || (c.is_whitespace() && c != ' ')
}

/// A whole ClientId: `[type:]deviceIdentifier[:template]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId {
    connection_type: Option<String>,
    device: DeviceId,
    template: Option<String>,
}

impl ClientId {
    /// Splits and checks a ClientId: one part is the identifier, two are type and identifier,
    /// three end with the template.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        let parts: Vec<&str> = text.split(':').collect();
        let part = |p: &str| DeviceId::parse(p).map(|id| Some(id.0));
        match parts[..] {
            [id] => {
                Ok(Self { connection_type: None, device: DeviceId::parse(id)?, template: None })
            }
            [kind, id] => Ok(Self {
                connection_type: part(kind)?,
                device: DeviceId::parse(id)?,
                template: None,
            }),
            [kind, id, template] => Ok(Self {
                connection_type: part(kind)?,
                device: DeviceId::parse(id)?,
                template: part(template)?,
            }),
            _ => Err(ClientIdError { id: text.to_owned(), rule: Rule::TooManyParts }),
        }
    }

    /// The ClientId of a device without template: `d:<id>`.
    pub fn of_device(device: DeviceId) -> Self {
        Self { connection_type: None, device, template: None }
    }

    /// The connection type; `d` when none was given.
    pub fn connection_type(&self) -> &str {
        self.connection_type.as_deref().unwrap_or("d")
    }

    /// The device identifier.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The default template identifier.
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.connection_type(), self.device)?;
        self.template.as_ref().map_or(Ok(()), |t| write!(f, ":{t}"))
    }
}

/// See [`DeviceId::likeness`].
#[doc(hidden)]
pub fn likeness(id: &str) -> String {
    match id.is_ascii() {
        true => id.to_ascii_lowercase(),
        // A small letter may be put together in another way than its capital was.
        false => id.nfc().collect::<String>().to_lowercase().nfc().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use proptest::prelude::*;

    #[test]
    fn client_ids_of_the_platform_page() {
        for (text, kind, id, template) in [
            ("mySerial", "d", "mySerial", None),
            ("d:mySerial", "d", "mySerial", None),
            ("d:mySerial:myTemplate", "d", "mySerial", Some("myTemplate")),
        ] {
            let parsed = ClientId::parse(text).unwrap();
            assert_eq!(
                (parsed.connection_type(), parsed.device().as_str(), parsed.template()),
                (kind, id, template)
            );
        }
        assert_eq!(ClientId::parse("a:b:c:d").unwrap_err().rule, Rule::TooManyParts);
        assert_eq!(ClientId::parse("d::t").unwrap_err().rule, Rule::Empty);
    }

    #[test]
    fn colons_get_the_hint_that_fits() {
        let hint = |id: &str| DeviceId::parse(id).unwrap_err().hint().unwrap().to_string();
        assert_eq!(hint("AA:BB:CC:00:11:22"), "use the address without colons: AABBCC001122");
        assert_eq!(hint("AA:BB:CC"), "use the address without colons: AABBCC");
        assert_eq!(hint("d:prefixed"), "give the id without the connection type: prefixed");
        assert_eq!(hint("pump:1"), "use another character, for example \"pump_1\"");
    }

    #[test]
    fn each_rule_refuses() {
        let refused = [
            "",
            ".",
            "..",
            "a:b",
            "a/b",
            "a+b",
            "a#b",
            "say \"hi\"",
            "a,b",
            "semi;colon",
            "-rf",
            "=cmd()",
            "@x",
            "dev\0ice",
            "dev\nice",
            "tab\tid",
            " x",
            "x ",
            "zero\u{200b}width",
            "nb\u{a0}sp",
            &"x".repeat(65),
        ];
        for id in refused {
            assert!(DeviceId::parse(id).is_err(), "{id:?} was accepted");
        }
        for id in ["ok-1", "CON", "ünïcödé-7", "${HOME}", "two words", &"é".repeat(40), "a.b_c"]
        {
            assert!(DeviceId::parse(id).is_ok(), "{id:?} was refused");
        }
    }

    #[test]
    fn file_names_are_safe() {
        let name = |id: &str| DeviceId::parse(id).unwrap().file_name();
        assert_eq!(name("gw-200_1.a"), "gw-200_1.a");
        assert_eq!(name("CON"), "%43ON");
        assert_eq!(name("com1.txt"), "%63om1.txt");
        assert_eq!(name("${HOME}"), "%24%7BHOME%7D");
        assert_eq!(name("x."), "x%2E");
        assert_eq!(name("é"), "%C3%A9");
        assert_ne!(name(&"é".repeat(64)), name(&format!("{}e", "é".repeat(63))));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_safe(text in any::<String>()) {
            if let Ok(id) = DeviceId::parse(&text) {
                let name = id.file_name();
                prop_assert!(!name.is_empty() && name.len() <= 201);
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%~".contains(&b)));
                prop_assert!(name.bytes().any(|b| b != b'.') && !name.starts_with('-'));
                let whole = ClientId::parse(&text).unwrap();
                prop_assert_eq!(whole.device(), &id);
            }
        }
    }
}
