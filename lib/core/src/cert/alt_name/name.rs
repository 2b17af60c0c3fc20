//! A name, and the error for a text that is none.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::super::GeneralName;
use super::super::extensions::names_of_extension;
use super::forms;
use crate::ber::{self, Reader};
use crate::der;
use crate::failure::{Failure, Fault, Hint};

/// Most names of one certificate: a guard against a list that was not meant for one.
pub const MAX_ALT_NAMES: usize = 100;

/// id-on-hardwareModuleName (RFC 4108, section 5).
const HARDWARE_MODULE_NAME: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 4];

/// The prefixes, as they are shown.
const DNS: &str = "DNS";
const IP: &str = "IP";
pub(super) const URI: &str = "URI";
const EMAIL: &str = "email";
const HARDWARE: &str = "hardwareModuleName";

/// Why a text is no name for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no name for a certificate: {problem}")]
pub struct AltNameError {
    /// The text.
    pub text: String,
    /// The rule that it breaks.
    pub problem: String,
    pub(super) hint: Option<String>,
}

impl AltNameError {
    fn new(text: impl fmt::Display, problem: impl Into<String>) -> Self {
        Self { text: text.to_string(), problem: problem.into(), hint: None }
    }

    /// About the names that a request asks for.
    pub(crate) fn of_request(problem: &str) -> Self {
        Self::new("the request", problem)
    }
}

impl Failure for AltNameError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        self.hint.clone().map(Hint::from)
    }
}

/// A name of a subjectAltName, which keeps the rules of its form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AltName {
    /// A DNS name in ASCII, perhaps with `*` as its first label.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// An absolute URI.
    Uri(String),
    /// A mailbox.
    Email(String),
    /// A device's hardware: the object identifier of its type, and its serial number.
    HardwareModule {
        /// The numbers of the object identifier.
        kind: Vec<u64>,
        /// The serial number.
        serial: String,
    },
}

impl AltName {
    /// Reads several names, separated by commas: `DNS:a.example.com,IP:192.0.2.7`. A comma that no prefix
    /// follows belongs to the name before it, as in a URI.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AltNameError> {
        split(text).into_iter().map(str::parse).collect()
    }

    /// The names of a subjectAltName, given as the value of the extension. Names of other forms than those above,
    /// and malformed ones, are errors: nothing of a request is left out in silence.
    pub fn all_of_extension(value: &[u8]) -> Result<Vec<Self>, AltNameError> {
        let malformed =
            || AltNameError::new("subjectAltName", "it is malformed (RFC 5280, 4.2.1.6)");
        let names = names_of_extension(value).ok_or_else(malformed)?;
        names.iter().map(Self::of_general).collect()
    }

    fn of_general(name: &GeneralName) -> Result<Self, AltNameError> {
        let (prefix, value) = match name {
            GeneralName::Dns(dns) => (DNS, dns.clone()),
            GeneralName::Uri(uri) => (URI, uri.clone()),
            GeneralName::Email(mailbox) => (EMAIL, mailbox.clone()),
            GeneralName::Ip(bytes) => {
                let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from);
                let problem = || AltNameError::new("iPAddress", "an address has 4 or 16 bytes");
                (IP, v4.or(v6).map_err(|_| problem())?.to_string())
            }
            GeneralName::Directory(_) | GeneralName::Other(_) => {
                let form = name.form();
                return Err(AltNameError::new(
                    form,
                    "names of this form are not taken from requests",
                ));
            }
        };
        format!("{prefix}:{value}").parse()
    }

    /// The same name in the form in which certificates are read.
    pub fn general(&self) -> GeneralName {
        match self {
            Self::Dns(dns) => GeneralName::Dns(dns.clone()),
            Self::Uri(uri) => GeneralName::Uri(uri.clone()),
            Self::Email(mailbox) => GeneralName::Email(mailbox.clone()),
            Self::Ip(IpAddr::V4(v4)) => GeneralName::Ip(v4.octets().to_vec()),
            Self::Ip(IpAddr::V6(v6)) => GeneralName::Ip(v6.octets().to_vec()),
            Self::HardwareModule { .. } => GeneralName::Other("otherName"),
        }
    }

    /// The host of a URI that has one.
    pub fn uri_host(&self) -> Option<&str> {
        match self {
            Self::Uri(uri) => forms::uri_host(uri),
            _ => None,
        }
    }

    /// The DER of its GeneralName.
    pub(crate) fn der(&self) -> Vec<u8> {
        const fn context(number: u8) -> u8 {
            der::CONTEXT_0_PRIMITIVE | number
        }
        match self {
            Self::Email(text) => der::element(context(1), &[text.as_bytes()]),
            Self::Dns(text) => der::element(context(2), &[text.as_bytes()]),
            Self::Uri(text) => der::element(context(6), &[text.as_bytes()]),
            Self::Ip(IpAddr::V4(v4)) => der::element(context(7), &[&v4.octets()]),
            Self::Ip(IpAddr::V6(v6)) => der::element(context(7), &[&v6.octets()]),
            Self::HardwareModule { kind, serial } => {
                let serial = der::element(der::OCTET_STRING, &[serial.as_bytes()]);
                let value = der::element(der::SEQUENCE, &[&der::oid(kind), &serial]);
                let value = der::element(der::CONTEXT_0, &[&value]);
                der::element(der::CONTEXT_0, &[&der::oid(&HARDWARE_MODULE_NAME), &value])
            }
        }
    }

    /// A hardwareModuleName as it is written, if an otherName of the type `kind` (dotted) is one; `value` is the DER
    /// behind the type.
    pub fn hardware_module(kind: &str, value: &[u8]) -> Option<String> {
        if der::dotted_oid(kind)? != HARDWARE_MODULE_NAME {
            return None;
        }
        let inner = Reader::new(value).tagged(der::CONTEXT_0, "its value").ok()?;
        let mut fields = Reader::new(inner.contents).sequence("its value").ok()?;
        let kind = ber::dotted(fields.oid("the type of the hardware").ok()?);
        let serial = fields.octet_string("its serial number").ok()?;
        let serial = match std::str::from_utf8(&serial) {
            Ok(text) => text.to_owned(),
            Err(_) => crate::crypto::hex(&serial),
        };
        Some(format!("{HARDWARE}:{kind}:{serial}"))
    }
}

/// The value of a subjectAltName with these names.
pub(crate) fn extension_value(names: &[AltName]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = names.iter().map(AltName::der).collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    der::element(der::SEQUENCE, &parts)
}

impl FromStr for AltName {
    type Err = AltNameError;

    fn from_str(text: &str) -> Result<Self, AltNameError> {
        let fail = |problem: String| AltNameError::new(text, problem);
        let Some((prefix, value)) = text.split_once(':') else {
            let problem = "it does not begin with DNS:, IP:, URI:, email: or hardwareModuleName:";
            let meant = [format!("IP:{text}"), format!("DNS:{text}")];
            let meant = meant.into_iter().find(|name| name.parse::<Self>().is_ok());
            let hint = meant.map(|name| format!("write {name}"));
            return Err(AltNameError { hint, ..fail(problem.to_owned()) });
        };
        let is = |known: &str| prefix.eq_ignore_ascii_case(known);
        let checked = if is(DNS) {
            forms::dns(value).map(|()| Self::Dns(value.to_owned()))
        } else if is(IP) {
            forms::ip(value).map(Self::Ip)
        } else if is(URI) {
            forms::uri(value).map(|()| Self::Uri(value.to_owned()))
        } else if is(EMAIL) {
            forms::email(value).map(|()| Self::Email(value.to_owned()))
        } else if is(HARDWARE) {
            forms::hardware(value).map(|(kind, serial)| Self::HardwareModule { kind, serial })
        } else {
            let problem =
                format!("{prefix:?} is none of DNS, IP, URI, email and hardwareModuleName");
            Err(forms::Problem::from(problem))
        };
        checked.map_err(|problem| AltNameError { hint: problem.hint, ..fail(problem.text) })
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(dns) => write!(f, "{DNS}:{dns}"),
            Self::Ip(address) => write!(f, "{IP}:{address}"),
            Self::Uri(uri) => write!(f, "{URI}:{uri}"),
            Self::Email(mailbox) => write!(f, "{EMAIL}:{mailbox}"),
            Self::HardwareModule { kind, serial } => {
                let numbers: Vec<String> = kind.iter().map(u64::to_string).collect();
                write!(f, "{HARDWARE}:{}:{serial}", numbers.join("."))
            }
        }
    }
}

/// The names of a list, each as it was written.
fn split(text: &str) -> Vec<&str> {
    let begins = |rest: &str| {
        [DNS, IP, URI, EMAIL, HARDWARE].iter().any(|prefix| {
            let (own, colon) = (rest.get(..prefix.len()), rest.as_bytes().get(prefix.len()));
            own.is_some_and(|own| own.eq_ignore_ascii_case(prefix)) && colon == Some(&b':')
        })
    };
    let (mut names, mut start) = (Vec::new(), 0);
    for (at, _) in text.match_indices(',') {
        if begins(text[at + 1..].trim_start()) {
            names.push(text[start..at].trim());
            start = at + 1;
        }
    }
    names.push(text[start..].trim());
    names
}
