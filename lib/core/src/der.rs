//! The one writer of DER (X.690): elements from their parts. BER and DER are read in `ber`.
//!
//! An element is written into one buffer of the right size, so that no copy of a secret is left in a buffer that
//! grew: [`secret`] wipes it afterwards.

use std::iter;

use zeroize::Zeroizing;

/// Tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// Tag of a SET.
pub const SET: u8 = 0x31;
/// Tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// Tag of a BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// Tag of a BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// Tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// Tag of a UTF8String.
pub const UTF8_STRING: u8 = 0x0c;
/// Tag of a PrintableString.
pub const PRINTABLE_STRING: u8 = 0x13;
/// Tag of a BMPString.
pub const BMP_STRING: u8 = 0x1e;
/// Tag of an IA5String.
pub const IA5_STRING: u8 = 0x16;
/// Tag of an OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
/// `[0]`, primitive.
pub const CONTEXT_0_PRIMITIVE: u8 = 0x80;
/// `[0]`, constructed.
pub const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed.
#[cfg(feature = "aws-lc-rs")]
pub const CONTEXT_1: u8 = 0xa1;

/// An element: the tag, the length of all parts together, and the parts.
pub fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 2 + size_of::<usize>());
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let leading = bytes.iter().take_while(|octet| **octet == 0).count();
            let significant = &bytes[leading..];
            // At most eight bytes.
            out.push(0x80 | significant.len().to_le_bytes()[0]);
            out.extend_from_slice(significant);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// The same of a secret, which is wiped when it is dropped.
pub fn secret(tag: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(element(tag, parts))
}

/// An INTEGER that is not negative, from its bytes, big-endian, of which zeros in front do not count.
pub fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = &bytes[zeros..];
    // Zero has a byte, and a first bit would be a sign.
    let pad: &[u8] =
        if significant.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[pad, significant])
}

/// An INTEGER that is not negative.
pub fn number(value: u64) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

/// An OBJECT IDENTIFIER from its numbers, of which there are two at least.
pub fn oid(numbers: &[u64]) -> Vec<u8> {
    let [first, second, rest @ ..] = numbers else { return element(OID, &[]) };
    let both = first.saturating_mul(40).saturating_add(*second);
    let mut contents = Vec::new();
    for number in iter::once(both).chain(rest.iter().copied()) {
        let groups = (u64::BITS - number.leading_zeros()).div_ceil(7).max(1);
        contents.extend((0..groups).rev().map(|group| {
            let [low, ..] = (number >> (7 * group)).to_le_bytes();
            // All but the last have the top bit.
            if group == 0 { low & 0x7f } else { low | 0x80 }
        }));
    }
    element(OID, &[&contents])
}

/// The numbers of an object identifier in dotted form (X.660: the first is 0 to 2, the second below 40 unless
/// the first is 2); each of 32 bits at most.
pub fn dotted_oid(text: &str) -> Option<Vec<u64>> {
    let digits = |arc: &str| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit());
    let arc = |arc: &str| arc.parse::<u32>().ok().filter(|_| digits(arc)).map(u64::from);
    let arcs: Vec<u64> = text.split('.').map(arc).collect::<Option<_>>()?;
    let valid = arcs.len() > 1 && arcs[0] <= 2 && (arcs[0] == 2 || arcs[1] < 40);
    valid.then_some(arcs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_another_implementation() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let contents = vec![7; length];
            let expected = yasna::construct_der(|writer| writer.write_bytes(&contents));
            let (head, tail) = contents.split_at(length / 2);
            assert_eq!(element(OCTET_STRING, &[head, tail]), expected, "{length}");
        }
    }

    #[test]
    fn numbers_are_those_of_another_implementation() {
        for shift in 0..64 {
            for value in [1 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let expected = yasna::construct_der(|writer| writer.write_u64(value));
                assert_eq!(number(value), expected, "{value}");
            }
        }
        assert_eq!(unsigned(&[]), [INTEGER, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 0x80]), [INTEGER, 2, 0, 0x80]);
    }

    #[test]
    fn identifiers_are_those_of_another_implementation() {
        let known: [&[u64]; 5] = [
            &[1, 2, 840, 113549, 1, 1, 10],
            &[1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1],
            &[2, 5, 4, 3],
            &[2, 999, 3],
            &[1, 2, u64::MAX, 0, 127, 128, 16383, 16384],
        ];
        for numbers in known {
            let expected = yasna::construct_der(|writer| {
                writer.write_oid(&yasna::models::ObjectIdentifier::from_slice(numbers));
            });
            assert_eq!(oid(numbers), expected, "{numbers:?}");
        }
    }
}
