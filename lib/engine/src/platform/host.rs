//! The host of a tenant, refused when it is made if it is none.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::ServerName;

use super::PlatformError;
use super::transport::base;

/// The host of a tenant, and its port if one was given: what `acme.cumulocity.com`, `https://acme.cumulocity.com` or
/// `localhost:9443` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    /// The name, or the address without brackets.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port of REST, if it is not the usual one of https.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for Host {
    type Err = PlatformError;

    /// Errors: [`PlatformError::BadHost`] for another scheme, a path, a login, or what can stand in no certificate.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let url = base(text)?;
        let name = url.host_str().unwrap_or_default();
        let name = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
        if ServerName::try_from(name).is_err() {
            let problem = "it is no host name and no address";
            return Err(PlatformError::BadHost { host: text.to_owned(), problem });
        }
        Ok(Self { name: name.to_owned(), port: url.port() })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.name.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}", self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_as_people_write_it() {
        for (text, name, port, shown) in [
            ("acme.example.com", "acme.example.com", None, "acme.example.com"),
            ("HTTPS://Acme.Example.com", "acme.example.com", None, "acme.example.com"),
            (" https://acme.example.com/ ", "acme.example.com", None, "acme.example.com"),
            ("localhost:9443", "localhost", Some(9443), "localhost:9443"),
            ("https://[::1]:9443", "::1", Some(9443), "[::1]:9443"),
            ("192.0.2.1", "192.0.2.1", None, "192.0.2.1"),
        ] {
            let host: Host = text.parse().unwrap();
            assert_eq!((host.name(), host.port()), (name, port), "{text:?}");
            assert_eq!(host.to_string(), shown, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_when_it_is_made() {
        for text in [
            "",
            "https://",
            "http://acme.example.com",
            "HTTP://acme.example.com",
            "acme.example.com/apps",
            "user@acme.example.com",
            "a b",
            "-acme.example.com",
            "acme_.-x",
            "..",
            "*.example.com",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?} was taken");
        }
    }
}
