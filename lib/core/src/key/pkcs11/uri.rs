//! Names of keys in tokens: PKCS#11 URIs (RFC 7512).
//!
//! ```text
//! pkcs11:token=Factory;object=line-7?module-path=/usr/lib/softhsm/libsofthsm2.so
//! ```
//!
//! Taken: `token`, `serial`, `manufacturer`, `model` of the token; `object` (its label), `id` and
//! `type=private` of the key; `module-path`. Refused: anything else, an attribute that stands there
//! twice, what is not encoded as a URI has to be, and a PIN in the URI, wherever it stands: it would be
//! seen in lists of processes and kept in files.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, percent_encode_byte,
};

use super::Pkcs11Error;

/// Characters that stand for themselves in every part of a URI (RFC 3986, 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path, which is easier to read with its separators (RFC 7512, 2.3: `pk11-qchar`).
const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Why a URI with a PIN is refused.
pub(super) const PIN: &str = "a PIN does not belong into it";

/// How every PKCS#11 URI begins.
const SCHEME: &str = "pkcs11:";

/// Which key, in which token, behind which module. What is not given is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUri {
    /// The token's label.
    pub token: Option<String>,
    /// The token's serial number.
    pub serial: Option<String>,
    /// Who made the token.
    pub manufacturer: Option<String>,
    /// The token's model.
    pub model: Option<String>,
    /// The key's label.
    pub object: Option<String>,
    /// The key's id: any bytes.
    pub id: Option<Vec<u8>>,
    /// The library through which the token is reached.
    pub module: Option<PathBuf>,
}

impl KeyUri {
    /// Whether a text is meant as a PKCS#11 URI, and not as the name of a file.
    pub fn is_meant(text: &str) -> bool {
        text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
    }

    /// The same URI with this module, unless it names one.
    #[must_use]
    pub fn or_module(mut self, module: Option<&Path>) -> Self {
        self.module = self.module.or_else(|| module.map(Path::to_owned));
        self
    }

    /// The same URI, with an absolute path to a module that is relative to `folder`. A bare name is one
    /// that the system looks up, and stays. (A `folder` that is relative itself is one of the current directory.)
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place that needs the current directory")]
    pub fn with_module_from(mut self, folder: &Path) -> Self {
        if let Some(module) = &self.module
            && module.components().nth(1).is_some()
            && let Ok(absolute) = std::path::absolute(folder.join(module))
        {
            self.module = Some(absolute);
        }
        self
    }

    /// Whether another URI names the same as far as this one says it; the module is only the way there.
    pub fn fits(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(given: &Option<T>, other: &Option<T>) -> bool {
            given.is_none() || given == other
        }
        same(&self.token, &other.token)
            && same(&self.serial, &other.serial)
            && same(&self.manufacturer, &other.manufacturer)
            && same(&self.model, &other.model)
            && same(&self.object, &other.object)
            && same(&self.id, &other.id)
    }

    fn take(&mut self, attribute: &str, is_query: bool) -> Result<(), &'static str> {
        let (name, value) = attribute.split_once('=').ok_or("each part of it is name=value")?;
        let bytes: Cow<'_, [u8]> = percent_decode_str(value).into();
        if name == "id" && !is_query {
            return put(&mut self.id, bytes.into_owned());
        }
        let text = String::from_utf8(bytes.into_owned()).map_err(|_| "a value is not UTF-8")?;
        match (name, is_query) {
            ("token", false) => put(&mut self.token, text),
            ("serial", false) => put(&mut self.serial, text),
            ("manufacturer", false) => put(&mut self.manufacturer, text),
            ("model", false) => put(&mut self.model, text),
            ("object", false) => put(&mut self.object, text),
            ("type", false) if text == "private" => Ok(()),
            ("type", false) => Err("its type is not private"),
            ("module-path", true) => put(&mut self.module, PathBuf::from(text)),
            ("module-name", true) => Err("it names a module, not the module's path"),
            _ => Err("a part of it is not one of token, serial, manufacturer, model, object, id, \
                      type, module-path"),
        }
    }
}

fn put<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("a part of it is there twice"),
    }
}

/// Where an attribute that looks like a PIN begins, if there is one, in its place or not.
fn pin_at(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    let begins = |(at, _): &(usize, &str)| {
        at.checked_sub(1).is_none_or(|before| {
            matches!(text.as_bytes().get(before), Some(b':' | b';' | b'?' | b'&'))
        })
    };
    text.match_indices("pin").find(begins).map(|(at, _)| at)
}

/// The URI as far as a message may show it: what follows may be a PIN.
fn shown(text: &str) -> String {
    let end = text.find('?').into_iter().chain(pin_at(text)).min();
    text[..end.unwrap_or(text.len())].to_owned()
}

/// Whether each `%` has its two hex digits (RFC 3986, 2.1).
fn is_encoded(text: &str) -> bool {
    let hex = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    text.split('%').skip(1).all(hex)
}

impl FromStr for KeyUri {
    type Err = Pkcs11Error;

    fn from_str(text: &str) -> Result<Self, Pkcs11Error> {
        let bad = |reason| Pkcs11Error::BadUri { uri: shown(text), reason };
        if !Self::is_meant(text) {
            return Err(bad("it does not begin with pkcs11:"));
        }
        if pin_at(text).is_some() {
            return Err(bad(PIN));
        }
        if text.contains('#') || !is_encoded(text) {
            return Err(bad("a # or % in a value has to be written as %23, %25"));
        }
        let (path, query) =
            text[SCHEME.len()..].split_once('?').unwrap_or((&text[SCHEME.len()..], ""));
        let mut uri = Self::default();
        let parts = path.split(';').map(|part| (part, false));
        for (part, is_query) in parts.chain(query.split('&').map(|part| (part, true))) {
            if !part.is_empty() {
                uri.take(part, is_query).map_err(bad)?;
            }
        }
        Ok(uri)
    }
}

impl serde::Serialize for KeyUri {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [
            ("token", &self.token),
            ("serial", &self.serial),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("object", &self.object),
        ];
        let encoded = |(name, text): (&str, &Option<String>)| {
            let text = text.as_ref()?;
            Some(format!("{name}={}", percent_encode(text.as_bytes(), UNRESERVED)))
        };
        let mut parts: Vec<String> = texts.into_iter().filter_map(encoded).collect();
        // Bytes that mean no text, and should not look like one.
        let bytes = |id: &Vec<u8>| id.iter().copied().map(percent_encode_byte).collect::<String>();
        parts.extend(self.id.iter().map(|id| format!("id={}", bytes(id))));
        write!(f, "{SCHEME}{}", parts.join(";"))?;
        match &self.module {
            Some(module) => {
                let path = module.to_string_lossy();
                write!(f, "?module-path={}", percent_encode(path.as_bytes(), IN_PATH))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn those_of_the_rfc_are_read() {
        // RFC 7512, section 3, as far as they name a key and a module.
        let uri: KeyUri = "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;\
                           manufacturer=Snake%20Oil,%20Inc.;model=1.0;\
                           object=my-certificate;type=private;id=%69%95%3E%5C%F4%BD%EC%91;serial="
            .parse()
            .unwrap();
        assert_eq!(uri.token.as_deref(), Some("The Software PKCS#11 Softtoken"));
        assert_eq!(uri.manufacturer.as_deref(), Some("Snake Oil, Inc."));
        assert_eq!(uri.id.as_deref(), Some(&b"\x69\x95\x3e\x5c\xf4\xbd\xec\x91"[..]));
        assert_eq!(uri.serial.as_deref(), Some(""));
        let uri: KeyUri =
            "pkcs11:object=my-key;type=private?module-path=/mnt/libmypkcs11.so.1".parse().unwrap();
        assert_eq!(uri.module.as_deref(), Some(Path::new("/mnt/libmypkcs11.so.1")));
        assert!("pkcs11:".parse::<KeyUri>().is_ok());
    }

    #[test]
    fn a_uri_fits_another_that_says_the_same_and_more() {
        let fits = |one: &str, other: &str| {
            one.parse::<KeyUri>().unwrap().fits(&other.parse::<KeyUri>().unwrap())
        };
        assert!(fits("pkcs11:token=a", "pkcs11:token=a;object=k;id=%01?module-path=/m.so"));
        assert!(fits("pkcs11:token=a;object=k?module-path=/n.so", "pkcs11:token=a;object=k"));
        assert!(!fits("pkcs11:token=b", "pkcs11:token=a;object=k"));
        assert!(!fits("pkcs11:token=a;object=other", "pkcs11:token=a;object=k"));
        assert!(!fits("pkcs11:token=a;object=k", "pkcs11:token=a"));
        assert!(!fits("pkcs11:id=%02", "pkcs11:id=%01"));
    }

    #[test]
    fn each_refusal_says_why_and_shows_no_pin() {
        for (text, why) in [
            ("file:key.pem", "does not begin"),
            ("pkcs11:token", "name=value"),
            ("pkcs11:token=a;token=b", "twice"),
            ("pkcs11:id=a;id=b", "twice"),
            ("pkcs11:slot-id=1", "not one of"),
            ("pkcs11:type=cert", "type"),
            ("pkcs11:token=%ff", "UTF-8"),
            ("pkcs11:token=a?module-name=softhsm2", "module's path"),
            ("pkcs11:token=a?pin-value=Marker-4711", "PIN"),
            ("pkcs11:token=a?pin-source=file:/etc/pin", "PIN"),
            ("pkcs11:token=a?token=b", "not one of"),
            ("pkcs11:token=a;pin-value=4711", "PIN"),
            ("pkcs11:token=a&pin-value=4711", "PIN"),
            ("pkcs11:token=a;PIN-Source=4711", "PIN"),
            ("pkcs11:token=a;pin=4711", "PIN"),
            ("pkcs11:pin4711", "PIN"),
            ("pkcs11:token=100%", "%25"),
            ("pkcs11:token=a#b", "%23"),
        ] {
            let error = text.parse::<KeyUri>().unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert!(!format!("{error} {error:?}").contains("4711"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            token in proptest::option::of(".{0,12}"),
            object in proptest::option::of(".{0,12}"),
            id in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
            module in proptest::option::of("/[a-z#?&;= ]{0,12}"),
        ) {
            let module = module.map(PathBuf::from);
            let uri = KeyUri { token, object, id, module, ..KeyUri::default() };
            prop_assert_eq!(uri.to_string().parse::<KeyUri>(), Ok(uri));
        }

        #[test]
        fn whatever_comes_nothing_panics(text in "(pkcs11:)?.{0,40}") {
            let _ = text.parse::<KeyUri>();
        }
    }
}
