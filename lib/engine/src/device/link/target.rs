//! A server's name and port, its addresses, and TCP to one of them.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use rustls::pki_types::ServerName;

use super::error::LinkError;
use crate::failure::Underlying;
use crate::net::{self, Deadline, Timed};

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port: 8883 is the platform's MQTT over TLS.
    pub port: u16,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Target {
    /// The host's name, as TLS sends it and holds the server's certificate to it.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, LinkError> {
        ServerName::try_from(self.host.clone())
            .map_err(|_| LinkError::BadHost { host: self.host.clone() })
    }
}

/// Looks up the addresses of a host. What is no host name is not looked up.
///
/// A resolver that has not answered by the deadline is not waited for: the thread that asks it ends when the
/// system's resolver does.
pub fn resolve(target: &Target, deadline: Deadline) -> Result<Vec<SocketAddr>, LinkError> {
    let failed = |e: io::Error| LinkError::Resolve {
        host: target.host.clone(),
        reason: net::unresolved(e, deadline),
    };
    target.server_name()?;
    net::resolve(&target.host, target.port, &deadline).map_err(failed)
}

/// Connects to the first address that answers. What is read and written ends at the deadline, until another
/// one is set.
pub fn dial(
    target: &Target,
    addresses: &[SocketAddr],
    deadline: Deadline,
) -> Result<Timed, LinkError> {
    let target = target.to_string();
    net::connect(addresses, deadline).map_err(|e| match e.kind() {
        ErrorKind::TimedOut => LinkError::TcpTimeout { target, seconds: deadline.seconds() },
        ErrorKind::ConnectionRefused => LinkError::NothingListens { target },
        _ => LinkError::Unreachable { target, reason: Underlying::of(e) },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_no_host_name_is_not_looked_up() {
        for bad in ["", "a b", "a..b", "https://acme.example.com", "acme.example.com:8883", "-"] {
            let target = Target { host: bad.to_owned(), port: 8883 };
            let error = resolve(&target, Deadline::after(Duration::from_secs(1))).unwrap_err();
            assert!(matches!(error, LinkError::BadHost { .. }), "{bad:?}: {error}");
        }
        let target = Target { host: "127.0.0.1".to_owned(), port: 8883 };
        assert!(resolve(&target, Deadline::after(Duration::from_secs(1))).is_ok());
    }
}
