//! One connection, from its handshake to its end.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use mqtt_protocol_core::mqtt::packet::GenericPacketTrait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::clock;
use super::super::faults::MqttFault;
use super::super::shared::Shared;
use super::super::state::{Guest, Port, Protocol, Way};
use super::admit::{self, Claim, Refused};
use super::frame::{self, NoPacket};
use super::hello::{self, Hello, Unheard};
use super::notes::{Noted, Who, add, note};
use super::packets::{self, Denial};
use super::session::{Requests, Session, WRITING};
use crate::cert::Certificate;
use crate::crypto::{alert_words, tls_words};

/// How long a client may take for its handshake, and then for its CONNECT.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves one connection to its end.
pub(in super::super) async fn connection(stream: TcpStream, port: Port, shared: Arc<Shared>) {
    let config = match shared.mqtt_tls(port) {
        Ok(config) => config,
        Err(e) => return note(&shared, port, "HANDSHAKE", None, e.to_string()),
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    let mut stream = match timeout(PATIENCE, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(e)) => return handshake_failed(&shared, port, &e),
        Err(_) => return,
    };
    let presented = presented(&stream);
    let subject = match &presented {
        Ok(chain) => chain.first().map(|leaf| leaf.subject.to_string()),
        Err(_) => None,
    };
    let mut buffer = Vec::new();
    let first = match timeout(PATIENCE, first(&mut stream, &mut buffer)).await {
        Ok(Ok(packet)) => packet,
        Ok(Err(reason)) => return note(&shared, port, "DISCONNECT", subject, reason),
        Err(_) => return note(&shared, port, "DISCONNECT", subject, "no CONNECT came"),
    };
    let hello = match hello::read(&first, port) {
        Ok(hello) => hello,
        Err(Unheard::Malformed(reason)) => {
            return note(&shared, port, "DISCONNECT", subject, reason);
        }
        Err(Unheard::Version(reason)) => {
            let who = Who { port, client_id: String::new(), subject, user: None };
            // Of a version that is not spoken nobody can read the answer; 3.1.1 is what is commonly known.
            let refused = Refused { code: Denial::Version, reason };
            return refuse(stream, &shared, Protocol::Mqtt311, who, refused).await;
        }
    };
    let protocol = hello.protocol;
    let user = hello.connect.user.clone();
    let mut who = Who { port, client_id: hello.connect.client_id.clone(), subject, user };
    let fault = shared.draw_mqtt();
    if let Some(fault) = fault.filter(|fault| *fault != MqttFault::Late) {
        return fail(stream, &shared, protocol, who, fault).await;
    }
    match enter(&shared, port, &hello, presented) {
        Ok((guest, ticket, requests)) => {
            if guest.way == Way::Certificate {
                who.user = Some(format!("{}/{}", guest.tenant, guest.device));
            }
            let late = fault.is_some();
            let reason = guest.remark.map(str::to_owned);
            add(&shared, "CONNECT", who, Noted { fault, reason, ..Noted::default() });
            let mut session = Session::new(shared, stream, buffer, hello, guest, ticket);
            if late {
                session.refuse_later();
            }
            session.run(requests).await;
        }
        Err(refused) => refuse(stream, &shared, protocol, who, refused).await,
    }
}

/// The chain of the handshake, leaf first; empty without one.
fn presented(stream: &TlsStream<TcpStream>) -> Result<Vec<Certificate>, String> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let read = |(place, der): (usize, &rustls::pki_types::CertificateDer<'_>)| {
        Certificate::from_der(der)
            .map_err(|e| format!("certificate {} cannot be read: {e}", place + 1))
    };
    chain.iter().enumerate().map(read).collect()
}

/// The first packet; what comes behind it stays in the buffer.
async fn first(stream: &mut TlsStream<TcpStream>, buffer: &mut Vec<u8>) -> Result<Vec<u8>, String> {
    loop {
        // Another protocol's first line may never become a whole packet.
        if !buffer.is_empty() && frame::kind(buffer) != frame::CONNECT {
            return Err("the first packet is no CONNECT".to_owned());
        }
        if let Some(packet) = frame::take(buffer).map_err(NoPacket::text)? {
            return Ok(packet);
        }
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return Err("the client went before its CONNECT".to_owned()),
            Ok(_) => {}
        }
    }
}

/// Judges a CONNECT, and makes the client known.
fn enter(
    shared: &Shared,
    port: Port,
    hello: &Hello,
    presented: Result<Vec<Certificate>, String>,
) -> Result<(Guest, u64, Requests), Refused> {
    let not_read = |reason| Refused { code: Denial::Unauthorized, reason };
    let presented = presented.map_err(not_read)?;
    let claim = Claim {
        port,
        protocol: hello.protocol,
        client_id: &hello.connect.client_id,
        clean_session: hello.connect.clean_session,
        will: hello.connect.will.as_ref(),
        user: hello.connect.user.as_deref(),
        password: hello.connect.password.as_deref(),
        presented: &presented,
    };
    let now = clock::now();
    let mut world = shared.world();
    let guest = admit::admit(&mut world, &claim, now)?;
    let (sender, requests) = mpsc::unbounded_channel();
    let ticket = world.online.enter(&guest, hello.protocol, now, sender);
    Ok((guest, ticket, requests))
}

/// Answers with a code, notes the reason, and closes.
async fn refuse(
    stream: TlsStream<TcpStream>,
    shared: &Shared,
    protocol: Protocol,
    who: Who,
    refused: Refused,
) {
    let Refused { code, reason } = refused;
    let status = u16::from(code.code(protocol));
    add(shared, "CONNECT", who, Noted { status, reason: Some(reason), fault: None });
    close(stream, protocol, Some(code)).await;
}

/// Closes, with or without a code.
async fn close(mut stream: TlsStream<TcpStream>, protocol: Protocol, code: Option<Denial>) {
    let connack = code.and_then(|code| packets::denied(protocol, code).ok());
    let answer = async {
        if let Some(connack) = connack {
            stream.write_all(&connack.to_continuous_buffer()).await?;
        }
        stream.shutdown().await
    };
    // A client that does not read its answer does not get it.
    let _ = timeout(WRITING, answer).await;
}

/// Does to a CONNECT what the fault demands; it is not judged.
async fn fail(
    mut stream: TlsStream<TcpStream>,
    shared: &Shared,
    protocol: Protocol,
    who: Who,
    fault: MqttFault,
) {
    let code = match fault {
        MqttFault::Unavailable => Some(Denial::Unavailable),
        MqttFault::Overloaded => Some(Denial::Unauthorized),
        _ => None,
    };
    let reason = Some("it fails on purpose".to_owned());
    let status = code.map_or(0, |code| u16::from(code.code(protocol)));
    add(shared, "CONNECT", who, Noted { status, reason, fault: Some(fault) });
    if fault == MqttFault::Silent {
        // Until the client has had enough.
        while matches!(stream.read(&mut [0; 512]).await, Ok(1..)) {}
    }
    close(stream, protocol, code).await;
}

/// A handshake that failed because of what was said in it, not because the client went away.
fn handshake_failed(shared: &Shared, port: Port, error: &std::io::Error) {
    if error.kind() == ErrorKind::InvalidData {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let reason = match tls {
            Some(rustls::Error::AlertReceived(alert)) => {
                format!("the client ended TLS with {}", alert_words(u8::from(*alert)))
            }
            Some(tls) => tls_words(tls),
            None => error.to_string(),
        };
        note(shared, port, "HANDSHAKE", None, reason);
    }
}
