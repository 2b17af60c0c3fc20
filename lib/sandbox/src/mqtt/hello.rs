//! The first packet: which protocol it speaks, and what it says of who comes (MQTT 3.1.1, 3.1; MQTT 5, 3.1).
//!
//! MQTT 3.1 (protocol name `MQIsdp`, level 3) has the same packets as 3.1.1 in all that matters here,
//! so its CONNECT is turned into one of 3.1.1. MQTT 5 is spoken on the port of the MQTT Service only (platform:
//! "MQTT"). Refused: another first packet, a malformed one, and any other protocol; only the last of these gets
//! an answer, CONNACK 1 in the form of 3.1.1.

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Event, role};
use mqtt_protocol_core::mqtt::{Connection, Version};

use super::super::state::{Port, Protocol};
use super::frame;
use super::packets::Connect;

/// A CONNECT, and the state of the protocol after it.
pub(super) struct Hello {
    pub(super) protocol: Protocol,
    pub(super) connect: Connect,
    pub(super) connection: Connection<role::Server>,
    /// What the protocol wants done besides: the timer of keep-alive.
    pub(super) events: Vec<Event>,
}

/// Why there is no [`Hello`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    /// To be answered with CONNACK 1.
    Version(String),
    /// To be closed without an answer.
    Malformed(String),
}

/// Reads the first packet that came to a port.
pub(super) fn read(packet: &[u8], port: Port) -> Result<Hello, Unheard> {
    let malformed = |reason: &str| Unheard::Malformed(reason.to_owned());
    if frame::kind(packet) != frame::CONNECT {
        return Err(malformed("the first packet is no CONNECT"));
    }
    frame::check(packet, false).map_err(Unheard::Malformed)?;
    let (protocol, rest) = protocol(frame::body(packet), port)?;
    if !flags_fit(rest.first().copied().unwrap_or_default()) {
        return Err(malformed("the flags of the CONNECT are malformed"));
    }
    let (version, packet) = match protocol {
        Protocol::Mqtt5 => (Version::V5_0, packet.to_vec()),
        Protocol::Mqtt31 | Protocol::Mqtt311 => (Version::V3_1_1, of_3_1_1(rest)),
    };
    let mut connection = Connection::<role::Server>::new(version);
    connection.set_auto_pub_response(true);
    connection.set_auto_ping_response(true);
    let mut connect = None;
    let mut others = Vec::new();
    for event in connection.recv(&mut Cursor::new(&packet[..])) {
        match event {
            Event::NotifyPacketReceived(packet) => connect = Connect::of(&packet),
            other => others.push(other),
        }
    }
    let connect = connect.ok_or_else(|| malformed("the CONNECT is malformed"))?;
    Ok(Hello { protocol, connect, connection, events: others })
}

/// The protocol, and what follows its name and level.
fn protocol(body: &[u8], port: Port) -> Result<(Protocol, &[u8]), Unheard> {
    let cut = || Unheard::Malformed("the CONNECT is malformed".to_owned());
    let (length, rest) = body.split_first_chunk::<2>().ok_or_else(cut)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (name, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let (level, rest) = rest.split_first().ok_or_else(cut)?;
    match (name, level) {
        (b"MQIsdp", 3) => Ok((Protocol::Mqtt31, rest)),
        (b"MQTT", 4) => Ok((Protocol::Mqtt311, rest)),
        (b"MQTT", 5) if port == Port::Service => Ok((Protocol::Mqtt5, rest)),
        (b"MQIsdp" | b"MQTT", _) => {
            let spoken = match port {
                Port::Classic => "MQTT 3.1 and 3.1.1",
                Port::Service => "MQTT 3.1.1 and 5",
            };
            Err(Unheard::Version(format!("the protocol level is {level}; {spoken} are spoken")))
        }
        _ => Err(Unheard::Malformed("the CONNECT has another protocol's name".to_owned())),
    }
}

/// MQTT 3.1.1, 3.1.2.3: the reserved bit, and a last will without the flag for one.
fn flags_fit(flags: u8) -> bool {
    const RESERVED: u8 = 0x01;
    const WILL: u8 = 0x04;
    const WILL_QOS: u8 = 0x18;
    const WILL_RETAIN: u8 = 0x20;
    let will = flags & WILL != 0;
    let of_will = flags & (WILL_QOS | WILL_RETAIN);
    flags & RESERVED == 0 && (will || of_will == 0) && flags & WILL_QOS != WILL_QOS
}

fn of_3_1_1(rest: &[u8]) -> Vec<u8> {
    const HEAD: &[u8] = b"\x00\x04MQTT\x04";
    let mut packet = vec![0x10];
    let mut length = HEAD.len() + rest.len();
    loop {
        let octet = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            packet.push(octet);
            break;
        }
        packet.push(octet | 0x80);
    }
    packet.extend_from_slice(HEAD);
    packet.extend_from_slice(rest);
    packet
}

#[cfg(test)]
mod tests {
    use super::super::packets;
    use super::*;
    use proptest::prelude::*;

    fn classic(packet: &[u8]) -> Result<Hello, Unheard> {
        read(packet, Port::Classic)
    }

    /// A CONNECT with clean session, keep-alive 60 and the ClientId `d:gw-1`.
    fn connect(name: &[u8], level: u8, flags: u8, tail: &[u8]) -> Vec<u8> {
        let length = u8::try_from(name.len()).unwrap();
        let body =
            [&[0, length], name, &[level, flags, 0, 60, 0, 6], b"d:gw-1".as_slice(), tail].concat();
        [&[0x10, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
    }

    #[test]
    fn both_versions_are_understood() {
        for (name, level, protocol) in
            [(&b"MQTT"[..], 4, Protocol::Mqtt311), (b"MQIsdp", 3, Protocol::Mqtt31)]
        {
            let hello = classic(&connect(name, level, 2, &[])).ok().unwrap();
            assert_eq!(hello.protocol, protocol);
            assert_eq!(hello.connect.client_id, "d:gw-1");
            let minute_and_half = |event: &Event| {
                matches!(event, Event::RequestTimerReset { duration_ms: 90_000, .. })
            };
            assert!(hello.events.iter().any(minute_and_half));
        }
    }

    /// A CONNECT of MQTT 5 with these properties, of the ClientId `gw-1`.
    fn fifth(properties: &[u8]) -> Vec<u8> {
        let length = u8::try_from(properties.len()).unwrap();
        let body = [b"\0\x04MQTT\x05\x02\0\x3c", &[length][..], properties, b"\0\x04gw-1"].concat();
        [&[0x10, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
    }

    #[test]
    fn the_fifth_version_is_for_the_service() {
        // Session Expiry Interval 60.
        for properties in [&[][..], &[0x11, 0, 0, 0, 60]] {
            let packet = fifth(properties);
            let hello = read(&packet, Port::Service).ok().unwrap();
            assert_eq!((hello.protocol, &*hello.connect.client_id), (Protocol::Mqtt5, "gw-1"));
            let refused = classic(&packet).err().unwrap();
            let reason = "the protocol level is 5; MQTT 3.1 and 3.1.1 are spoken";
            assert_eq!(refused, Unheard::Version(reason.to_owned()));
        }
        // A property that no CONNECT has.
        assert!(matches!(
            read(&fifth(&[0x12, 0, 1, b'x']), Port::Service).err().unwrap(),
            Unheard::Malformed(_)
        ));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(rest in prop::collection::vec(any::<u8>(), 0..40)) {
            let flags = rest.first().copied().unwrap_or(2);
            for port in [Port::Classic, Port::Service] {
                let _ = read(&rest, port);
                let _ = read(&connect(b"MQTT", 4, flags, &rest), port);
                let _ = read(&connect(b"MQTT", 5, flags, &rest), port);
            }
            let _ = read(&fifth(&rest), Port::Service);
        }

        #[test]
        fn nor_do_later_packets(packets in prop::collection::vec(
            (any::<u8>(), prop::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..20)), 1..8)
        ) {
            for hello in [connect(b"MQTT", 4, 2, &[]), fifth(&[])] {
                let Hello { protocol, mut connection, .. } = read(&hello, Port::Service).ok().unwrap();
                connection.send(packets::accepted(protocol).unwrap());
                for (first, body) in &packets {
                    let packet = [&[*first, u8::try_from(body.len()).unwrap()], &body[..]].concat();
                    if frame::check(&packet, false).is_ok() {
                        connection.recv(&mut Cursor::new(&packet[..]));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_understood() {
        let why = |packet: &[u8]| classic(packet).err().unwrap();
        for (name, level) in [(&b"MQTT"[..], 3), (b"MQTT", 5), (b"MQIsdp", 4)] {
            assert!(matches!(why(&connect(name, level, 2, &[])), Unheard::Version(_)));
        }
        for packet in [
            connect(b"HTTP", 4, 2, &[]),
            connect(b"MQTT", 4, 3, &[]),
            connect(b"MQTT", 4, 0x0a, &[]),
            connect(b"MQTT", 4, 0x1e, &[0, 1, b'a', 0, 0]),
            connect(b"MQTT", 4, 0x42, &[0, 1, b'p']),
            connect(b"MQTT", 4, 0x82, &[]),
            connect(b"MQTT", 4, 2, b"more"),
            vec![0x11, 0],
            vec![0x10, 0],
            vec![0x10, 3, 0, 9, b'M'],
            vec![0xc0, 0],
        ] {
            assert!(matches!(why(&packet), Unheard::Malformed(_)), "{packet:?}");
        }
    }
}
