//! Whose a certificate is, and how the registry says so.
//!
//! The table knows two roles, `ca` and `device`. A server's row has the role `device` and, as its client id, its name
//! behind `server:`: no device identifier holds a colon, so that the index which allows one live certificate for each
//! identifier does so for each server too.

use std::fmt;
use std::str::FromStr;

use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::failure::{Failure, Fault, Hint};

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A certificate authority.
    Ca,
    /// A device.
    Device,
    /// A server.
    Server,
}

impl Role {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Device => "device",
            Self::Server => "server",
        }
    }
}

/// What stands before a server's name.
const SERVER: &str = "server:";

/// The condition that a row of the role `device` is a device's, and that it is a server's. `;` follows `:`.
pub(super) const IS_DEVICE: &str =
    "role = 'device' AND NOT (client_id >= 'server:' AND client_id < 'server;')";
pub(super) const IS_SERVER: &str =
    "role = 'device' AND client_id >= 'server:' AND client_id < 'server;'";

/// Longest name of a server, in bytes: that of a common name (RFC 5280, appendix A).
const MAX_NAME: usize = 64;

/// A text that is no name of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name for a server: it has 1 to {MAX_NAME} letters, digits, dots, hyphens and underscores, \
     and begins with a letter or digit"
)]
pub struct ServerNameError(String);

impl Failure for ServerNameError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        Some("the name is that of a directory and the common name; other names go into the certificate beside it".into())
    }
}

/// The name of a server in the registry: its common name, and that of its directory. Case does not tell two apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerName(String);

impl ServerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the registry looks it up by.
    pub(crate) fn key(&self) -> String {
        server_key(&self.0)
    }
}

/// The same for a name that may be that of a server.
pub(super) fn server_key(name: &str) -> String {
    format!("{SERVER}{name}")
}

impl FromStr for ServerName {
    type Err = ServerNameError;

    fn from_str(text: &str) -> Result<Self, ServerNameError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        match begins && text.len() <= MAX_NAME && text.bytes().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(ServerNameError(text.to_owned())),
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// A CA's; its subject names it.
    Ca,
    /// A device's. An identifier that an older version has recorded is what it was, though it may break a rule
    /// that is younger than it.
    Device(DeviceId),
    /// A server's.
    Server(ServerName),
}

impl Holder {
    /// The device, if it is one's.
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Device(id) => Some(id),
            Self::Ca | Self::Server(_) => None,
        }
    }

    /// The server, if it is one's.
    pub fn server(&self) -> Option<&ServerName> {
        match self {
            Self::Server(name) => Some(name),
            Self::Ca | Self::Device(_) => None,
        }
    }

    /// The name of the directory that it gets in the directory of a run; none for CAs.
    pub(crate) fn file_name(&self) -> Option<String> {
        match self {
            Self::Device(id) => Some(id.file_name()),
            Self::Server(name) => Some(name.to_string()),
            Self::Ca => None,
        }
    }

    /// The device's id, or the server's name.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Device(id) => Some(id.as_str()),
            Self::Server(name) => Some(name.as_str()),
            Self::Ca => None,
        }
    }

    /// Whose a certificate is that no registry knows: a server's if it is for servers and not for clients.
    ///
    /// Errors: why it is neither a device's nor a server's, in words.
    pub(crate) fn of_certificate(certificate: &Certificate) -> Result<Self, String> {
        if certificate.is_ca() {
            return Err("it is a CA's".to_owned());
        }
        let name = certificate.subject.common_name().unwrap_or_default();
        match certificate.is_for_servers() {
            true => name.parse().map(Self::Server).map_err(|e: ServerNameError| e.to_string()),
            false => DeviceId::parse(name)
                .map(Self::Device)
                .map_err(|e| format!("it names no device: {e}")),
        }
    }

    /// What its certificate is for.
    pub fn role(&self) -> Role {
        match self {
            Self::Ca => Role::Ca,
            Self::Device(_) => Role::Device,
            Self::Server(_) => Role::Server,
        }
    }

    /// What the columns `role`, `client_id` and `folded_id` hold.
    pub(super) fn columns(&self) -> (&'static str, Option<String>, Option<String>) {
        match self {
            Self::Ca => ("ca", None, None),
            Self::Device(id) => ("device", Some(id.as_str().to_owned()), Some(id.folded())),
            Self::Server(name) => ("device", Some(name.key()), Some(name.key().to_lowercase())),
        }
    }

    /// What the columns `role` and `client_id` say; none for what nobody here writes.
    pub(super) fn of_columns(role: &str, client_id: Option<String>) -> Option<Self> {
        match (role, client_id) {
            ("ca", _) => Some(Self::Ca),
            (_, Some(id)) if id.is_empty() => None,
            (_, Some(id)) => Some(match id.strip_prefix(SERVER) {
                Some(name) => Self::Server(ServerName(name.to_owned())),
                // The rules of ids may have grown since it was recorded.
                None => Self::Device(DeviceId::known(id)),
            }),
            _ => None,
        }
    }

    /// What tells it from other devices and servers; none for CAs.
    pub(crate) fn folded(&self) -> Option<String> {
        self.columns().2
    }
}

/// The common name that goes with a client id of the registry.
pub(super) fn common_name(client_id: &str) -> &str {
    client_id.strip_prefix(SERVER).unwrap_or(client_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers_are_those_of_directories() {
        for good in ["broker", "broker.plant-7.example.com", "7", "A_b"] {
            assert_eq!(good.parse::<ServerName>().unwrap().as_str(), good);
        }
        for bad in ["", ".hidden", "-a", "a b", "a/b", "*.a.com", "server:a", "ü", &"a".repeat(65)]
        {
            assert!(bad.parse::<ServerName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn columns_are_read_as_they_were_written() {
        let device = Holder::Device(DeviceId::parse("Server-1").unwrap());
        let server = Holder::Server("Server-1".parse().unwrap());
        for holder in [Holder::Ca, device.clone(), server.clone()] {
            let (role, client_id, _) = holder.columns();
            assert_eq!(Holder::of_columns(role, client_id), Some(holder));
        }
        assert_ne!(device.folded(), server.folded());
        assert_eq!(server.folded().as_deref(), Some("server:server-1"));
        assert_eq!(common_name("server:Server-1"), "Server-1");
    }
}
