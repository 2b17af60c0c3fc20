//! One MQTT packet out of the bytes that came: its length, and the flags of its fixed header.
//!
//! Refused, so that the connection is closed: a packet of more than 16184 bytes, header included
//! (platform: "MQTT"); a length of more than four bytes, flags that are reserved, and the packet
//! identifier 0 (MQTT 3.1.1, 2.2.2, 2.2.3 and 2.3.1). The protocol's own code looks at neither flags nor
//! that identifier.

/// Most bytes of a packet, with its header.
pub(in super::super) const LARGEST: usize = 16_184;

pub(super) const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBREL: u8 = 6;
const SUBSCRIBE: u8 = 8;
const UNSUBSCRIBE: u8 = 10;
const DUP: u8 = 0x08;

/// The kind of a packet.
pub(super) fn kind(packet: &[u8]) -> u8 {
    packet.first().map_or(0, |first| first >> 4)
}

/// Why there is no packet, and will be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPacket {
    /// It has so many bytes, with its header.
    TooLarge(usize),
    /// Its length is malformed.
    Length,
}

impl NoPacket {
    /// In words.
    pub(super) fn text(self) -> String {
        match self {
            Self::TooLarge(bytes) => format!("a packet of {bytes} bytes came, more than {LARGEST}"),
            Self::Length => "a packet's length is malformed".to_owned(),
        }
    }
}

/// Takes the first packet, if it is there whole; says why the connection has to end.
pub(super) fn take(buffer: &mut Vec<u8>) -> Result<Option<Vec<u8>>, NoPacket> {
    let Some((header, remaining)) = length(buffer)? else { return Ok(None) };
    let whole = header + remaining;
    if whole > LARGEST {
        return Err(NoPacket::TooLarge(whole));
    }
    if buffer.len() < whole {
        return Ok(None);
    }
    let rest = buffer.split_off(whole);
    Ok(Some(std::mem::replace(buffer, rest)))
}

/// How long the fixed header is, and what follows it.
fn length(buffer: &[u8]) -> Result<Option<(usize, usize)>, NoPacket> {
    let mut remaining = 0;
    for (place, octet) in buffer.iter().skip(1).take(4).enumerate() {
        remaining |= usize::from(octet & 0x7f) << (7 * place);
        if octet & 0x80 == 0 {
            return Ok(Some((place + 2, remaining)));
        }
    }
    if buffer.len() < 5 { Ok(None) } else { Err(NoPacket::Length) }
}

/// Refuses reserved flags, and the packet identifier 0.
pub(super) fn check(packet: &[u8], old: bool) -> Result<(), String> {
    check_flags(packet, old)?;
    match identifier(packet) {
        Some(&[0, 0]) => Err("a packet has the identifier 0".to_owned()),
        _ => Ok(()),
    }
}

/// What the MQTT Service does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// A message of QoS 2.
    Qos2,
    /// A message that is to be retained.
    Retained,
}

/// Refuses what the MQTT Service does not take.
pub(super) fn check_service(packet: &[u8]) -> Result<(), NotTaken> {
    const RETAIN: u8 = 0x01;
    const QOS_2: u8 = 0x04;
    let flags = packet.first().copied().unwrap_or_default() & 0x0f;
    match kind(packet) {
        PUBLISH if flags & QOS_2 != 0 => Err(NotTaken::Qos2),
        PUBLISH if flags & RETAIN != 0 => Err(NotTaken::Retained),
        _ => Ok(()),
    }
}

/// What follows the fixed header.
pub(super) fn body(packet: &[u8]) -> &[u8] {
    let length = packet.iter().skip(1).take_while(|octet| **octet & 0x80 != 0).count() + 2;
    packet.get(length..).unwrap_or_default()
}

/// The packet identifier, of packets that have one.
fn identifier(packet: &[u8]) -> Option<&[u8; 2]> {
    const PUBACK: u8 = 4;
    const QOS: u8 = 0x06;
    let body = body(packet);
    match kind(packet) {
        PUBLISH if packet.first()? & QOS != 0 => {
            let (length, rest) = body.split_first_chunk::<2>()?;
            rest.get(usize::from(u16::from_be_bytes(*length))..)?.first_chunk()
        }
        PUBACK..=UNSUBSCRIBE => body.first_chunk(),
        _ => None,
    }
}

/// Refuses reserved flags. MQTT 3.1 has DUP where 3.1.1 has none.
fn check_flags(packet: &[u8], old: bool) -> Result<(), String> {
    let flags = packet.first().copied().unwrap_or_default() & 0x0f;
    let flags = if old { flags & !DUP } else { flags };
    let fits = match kind(packet) {
        PUBLISH => flags & 0x06 != 0x06,
        PUBREL | SUBSCRIBE | UNSUBSCRIBE => flags == 2,
        // MQTT 3.1 ignores what is in there.
        _ => flags == 0 || old,
    };
    if fits { Ok(()) } else { Err("a packet has reserved flags".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_taken_one_by_one() {
        let mut buffer = vec![0xc0, 0, 0x30, 3, 0, 1];
        assert_eq!(take(&mut buffer), Ok(Some(vec![0xc0, 0])));
        assert_eq!(take(&mut buffer), Ok(None));
        buffer.push(b'a');
        assert_eq!(take(&mut buffer), Ok(Some(vec![0x30, 3, 0, 1, b'a'])));
        assert_eq!((take(&mut buffer), buffer.len()), (Ok(None), 0));
    }

    #[test]
    fn the_largest_packet() {
        // 3 bytes of header: 16181 = 0x35 + 0x7e * 128.
        let mut fits = vec![0x30, 0xb5, 0x7e];
        fits.resize(LARGEST, 0);
        assert_eq!(take(&mut fits.clone()), Ok(Some(fits)));
        let refused = take(&mut vec![0x30, 0xb6, 0x7e]).unwrap_err();
        assert_eq!(refused, NoPacket::TooLarge(16185));
        assert_eq!(refused.text(), "a packet of 16185 bytes came, more than 16184");
        assert_eq!(take(&mut vec![0x30, 0x80, 0x80, 0x80, 0x80]), Err(NoPacket::Length));
    }

    #[test]
    fn the_identifier_0() {
        for packet in [
            &[0x32, 6, 0, 1, b't', 0, 0, b'm'][..],
            &[0x34, 5, 0, 1, b't', 0, 0],
            &[0x40, 2, 0, 0],
            &[0x62, 2, 0, 0],
            &[0x82, 6, 0, 0, 0, 1, b't', 0],
        ] {
            assert!(check(packet, false).is_err(), "{packet:?}");
        }
        for packet in [
            &[0x30, 5, 0, 1, b't', 0, 0][..],
            &[0x32, 5, 0, 1, b't', 0, 1],
            &[0x32, 2, 0, 9],
            &[0x40, 1, 0],
            &[0xc0, 0],
        ] {
            assert!(check(packet, false).is_ok(), "{packet:?}");
        }
    }

    #[test]
    fn reserved_flags() {
        for (first, new, old) in [
            (0x30, true, true),
            (0x36, false, false),
            (0x3b, true, true),
            (0x80, false, false),
            (0x82, true, true),
            (0x8a, false, true),
            (0xc1, false, true),
        ] {
            assert_eq!(check_flags(&[first], false).is_ok(), new, "{first:x}");
            assert_eq!(check_flags(&[first], true).is_ok(), old, "{first:x}");
        }
    }
}
