//! A client of MQTT made by hand, byte for byte, so that nothing is shared with the sandbox but the
//! standard. Each read waits for ten seconds at most.
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use c8y_pki_sandbox::Sandbox;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

pub(crate) const CONNACK: u8 = 0x20;
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;
pub(crate) const SUBACK: u8 = 0x90;
pub(crate) const UNSUBACK: u8 = 0xb0;
pub(crate) const PINGRESP: u8 = 0xd0;

/// A text with its length before it.
pub(crate) fn text(value: &[u8]) -> Vec<u8> {
    [&u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
}

/// A packet: first byte, length, body.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut whole = vec![first];
    let mut length = body.len();
    while length > 127 {
        whole.push(u8::try_from(length % 128).unwrap() | 128);
        length /= 128;
    }
    whole.push(u8::try_from(length).unwrap());
    whole.extend_from_slice(body);
    whole
}

/// What a CONNECT says.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub(crate) name: &'static str,
    pub(crate) level: u8,
    pub(crate) client_id: String,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    pub(crate) will: Option<(String, String)>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

pub(crate) fn of(client_id: &str) -> Connect {
    Connect {
        name: "MQTT",
        level: 4,
        client_id: client_id.to_owned(),
        clean: true,
        keep_alive: 0,
        will: None,
        user: None,
        password: None,
    }
}

impl Connect {
    pub(crate) fn user(self, user: &str, password: &str) -> Self {
        Self { user: Some(user.to_owned()), password: Some(password.to_owned()), ..self }
    }

    pub(crate) fn mqtt_3_1(self) -> Self {
        Self { name: "MQIsdp", level: 3, ..self }
    }

    pub(crate) fn will(self, topic: &str, message: &str) -> Self {
        Self { will: Some((topic.to_owned(), message.to_owned())), ..self }
    }

    pub(crate) fn packet(&self) -> Vec<u8> {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(self.clean, 2)
            | flag(self.will.is_some(), 4)
            | flag(self.user.is_some(), 0x80)
            | flag(self.password.is_some(), 0x40);
        let mut body = text(self.name.as_bytes());
        body.extend([self.level, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(text(self.client_id.as_bytes()));
        for part in self.will.iter().flat_map(|(topic, message)| [topic, message]) {
            body.extend(text(part.as_bytes()));
        }
        for part in self.user.iter().chain(&self.password) {
            body.extend(text(part.as_bytes()));
        }
        packet(0x10, &body)
    }
}

/// A connection, after its TLS handshake.
pub(crate) struct Mqtt {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Mqtt {
    pub(crate) fn over(sandbox: &Sandbox, config: Arc<ClientConfig>) -> Self {
        Self::at(sandbox.mqtt_port(), config)
    }

    /// At another port.
    pub(crate) fn at(port: u16, config: Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(config, name).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { stream: StreamOwned::new(connection, socket) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next packet: its first byte and its body; none when the connection has ended.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        match self.try_next() {
            Ok(packet) => Some(packet),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("nothing came, and the connection is open")
            }
            Err(_) => None,
        }
    }

    fn try_next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut octet = [0];
        self.stream.read_exact(&mut octet)?;
        let first = octet[0];
        let mut length = 0;
        for place in 0..4 {
            self.stream.read_exact(&mut octet)?;
            length |= usize::from(octet[0] & 0x7f) << (7 * place);
            if octet[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((first, body))
    }

    /// Holds the next packet to its first byte.
    #[track_caller]
    pub(crate) fn expect(&mut self, first: u8) -> Vec<u8> {
        let (found, body) = self.next().expect("the connection has ended");
        assert_eq!(found, first, "{body:?}");
        body
    }

    /// Sends a CONNECT; the code of the CONNACK, none when the connection ends instead.
    #[track_caller]
    pub(crate) fn connect(&mut self, connect: &Connect) -> Option<u8> {
        self.send(&connect.packet());
        let (first, body) = self.next()?;
        assert_eq!((first, body.len(), body[0]), (CONNACK, 2, 0), "{body:?}");
        if body[1] != 0 {
            assert_eq!(self.next(), None, "a refusal ends the connection");
        }
        Some(body[1])
    }

    pub(crate) fn publish(&mut self, topic: &str, message: &str) {
        self.send(&packet(0x30, &[text(topic.as_bytes()), message.into()].concat()));
    }

    /// What ends the handshake, if something does.
    pub(crate) fn handshake(mut self) -> io::Result<()> {
        self.stream.write_all(&[0xc0, 0])?;
        self.stream.flush()?;
        // With TLS 1.3 a refusal comes when the client is ready.
        match self.try_next() {
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Err(e),
            _ => Ok(()),
        }
    }

    /// With QoS 1, and the PUBACK that says that it was dealt with.
    #[track_caller]
    pub(crate) fn publish_1(&mut self, topic: &str, message: &str) {
        let body = [text(topic.as_bytes()), vec![0, 9], message.into()].concat();
        self.send(&packet(0x32, &body));
        assert_eq!(self.expect(PUBACK), [0, 9]);
    }

    /// Subscribes to one topic; the code of the SUBACK.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, topic: &str, qos: u8) -> u8 {
        let body = [vec![0, 7], text(topic.as_bytes()), vec![qos]].concat();
        self.send(&packet(0x82, &body));
        let body = self.expect(SUBACK);
        assert_eq!((&body[..2], body.len()), (&[0, 7][..], 3));
        body[2]
    }

    /// The next message, with QoS 0.
    #[track_caller]
    pub(crate) fn message(&mut self) -> (String, String) {
        let body = self.expect(0x30);
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let part = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (part(&body[2..2 + length]), part(&body[2 + length..]))
    }

    /// That nothing waits: a ping is answered next.
    #[track_caller]
    pub(crate) fn ping(&mut self) {
        self.send(&[0xc0, 0]);
        self.expect(PINGRESP);
    }
}

/// The lines of MQTT with that method in the list of connections.
pub(crate) fn lines(sandbox: &Sandbox, method: &str) -> Vec<Value> {
    let state = sandbox.state();
    let all = state["connections"].as_array().unwrap().iter();
    all.filter(|line| line["port"] == "mqtt" && line["method"] == *method).cloned().collect()
}

/// The reason of the newest of these lines, when there are so many of them.
#[track_caller]
pub(crate) fn reason(sandbox: &Sandbox, method: &str, count: usize) -> String {
    let line = until(|| lines(sandbox, method).get(count - 1).cloned());
    line["reason"].as_str().unwrap_or_default().to_owned()
}

/// Waits until it is there.
#[track_caller]
pub(crate) fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < end, "it did not come in ten seconds");
        std::thread::sleep(Duration::from_millis(10));
    }
}
