//! The handshake, what is learnt in it, and why it failed.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ClientConnection, StreamOwned};

use super::super::alert::{Alert, tls_error};
use super::super::credentials::Credentials;
use super::super::mqtt::Transport;
use super::error::{LinkError, ServerFault};
use super::target::Target;
use super::tls::{Facts, Identity, Tls};
use crate::crypto::{has_no_common_version, is_full, is_too_large, tls_reason};
use crate::failure::Underlying;
use crate::net::{Deadline, Timed};

/// A TLS connection.
pub struct Link {
    stream: StreamOwned<ClientConnection, Timed>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Link {
    /// Makes TLS out of a TCP connection, by its deadline. The facts are filled in any case.
    ///
    /// With TLS 1.3 a server judges the device's certificate after this: its alert comes with the
    /// first reading.
    pub fn secure(
        stream: Timed,
        target: &Target,
        credentials: &Credentials,
        facts: &mut Facts,
    ) -> Result<Self, LinkError> {
        Self::secure_as(stream, target, Identity::Certificate(credentials), facts)
    }

    /// The same for anyone who connects, with a certificate or without.
    pub fn secure_as(
        mut stream: Timed,
        target: &Target,
        identity: Identity<'_>,
        facts: &mut Facts,
    ) -> Result<Self, LinkError> {
        let name = target.server_name()?;
        let Tls { config, judge, presenter } = Tls::new(&target.host, identity)?;
        let failed = |e: rustls::Error| LinkError::Tls { reason: tls_reason(e) };
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(failed)?;
        let deadline = stream.deadline();
        let mut outcome = Ok((0, 0));
        while connection.is_handshaking() && outcome.is_ok() {
            outcome = connection.complete_io(&mut stream);
        }
        if let Err(e) = &outcome
            && is_gone(e)
        {
            // A server that closes has said why, if it did, before: its alert has come and is still to be read.
            outcome = last_words(&mut connection, &mut stream).map_or(outcome, Err);
        }
        *facts = presenter.map(|presenter| presenter.facts()).unwrap_or_default();
        facts.server = judge.presented();
        let link = match outcome {
            Ok(_) => Ok(Self { stream: StreamOwned::new(connection, stream) }),
            Err(e) => Err(explain(e, judge.fault(), target, deadline)),
        };
        tell(target, &link, facts);
        link
    }

    /// The version of TLS.
    pub fn version(&self) -> &'static str {
        match self.stream.conn.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for Link {
    fn set_deadline(&mut self, deadline: Deadline) {
        self.stream.sock.set_deadline(deadline);
    }
}

/// Tells what a handshake has come to. With TLS 1.3 a server's alert about the certificate comes later.
fn tell(target: &Target, link: &Result<Link, LinkError>, facts: &Facts) {
    let (target, asked) = (target.to_string(), facts.asked);
    match link {
        Ok(link) => {
            let cipher = link.stream.conn.negotiated_cipher_suite().map(|suite| suite.suite());
            tracing::debug!(
                target: "c8y_pki::tls",
                server = target, version = link.version(),
                cipher = cipher.and_then(|suite| suite.as_str()).unwrap_or_default(),
                asked_for_a_certificate = asked, accepted_cas = facts.accepted.len() as u64,
                "the handshake is done"
            );
        }
        Err(error) => tracing::debug!(
            target: "c8y_pki::tls",
            server = target, asked_for_a_certificate = asked, error = %error,
            "the handshake failed"
        ),
    }
}

fn explain(
    error: io::Error,
    fault: Option<ServerFault>,
    target: &Target,
    deadline: Deadline,
) -> LinkError {
    if let Some(fault) = fault {
        return LinkError::Untrusted { target: target.to_string(), fault };
    }
    if let Some(alert) = Alert::in_error(&error) {
        return LinkError::Alert { alert };
    }
    if let Some(tls) = tls_error(&error) {
        return match tls {
            large if is_too_large(large) => LinkError::TooLarge { target: target.to_string() },
            rustls::Error::PeerIncompatible(found) => LinkError::Incompatible {
                target: target.to_string(),
                version: has_no_common_version(found),
                reason: tls_reason(tls.clone()),
            },
            rustls::Error::InvalidMessage(_) => LinkError::NotTls { target: target.to_string() },
            other => LinkError::Tls { reason: tls_reason(other.clone()) },
        };
    }
    if is_full(&error) {
        return LinkError::TooLarge { target: target.to_string() };
    }
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            LinkError::TlsTimeout { target: target.to_string(), seconds: deadline.seconds() }
        }
        _ if is_gone(&error) => LinkError::Closed { target: target.to_string() },
        _ => LinkError::Tls { reason: Underlying::of(error) },
    }
}

/// Whether the other side has closed.
fn is_gone(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    [UnexpectedEof, ConnectionReset, ConnectionAborted, BrokenPipe].contains(&error.kind())
}

/// What the other side has said before it closed, if that is an error of TLS.
fn last_words(connection: &mut ClientConnection, stream: &mut Timed) -> Option<io::Error> {
    while connection.read_tls(stream).ok()? > 0 {
        if let Err(e) = connection.process_new_packets() {
            return Some(io::Error::new(ErrorKind::InvalidData, e));
        }
    }
    None
}
