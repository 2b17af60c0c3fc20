//! The outermost of DER (X.690): tag and length, for what is put together from pieces that are DER
//! already. Whatever has more to it is written and read by libraries.

/// Tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// Tag of a SET.
pub const SET: u8 = 0x31;
/// Tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// Tag of a BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// Tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// Tag of a UTF8String.
pub const UTF8_STRING: u8 = 0x0c;
/// Tag of a PrintableString.
pub const PRINTABLE_STRING: u8 = 0x13;
/// Tag of an IA5String.
pub const IA5_STRING: u8 = 0x16;
/// Tag of an OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
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
            let octets = length.to_be_bytes();
            let leading = octets.iter().take_while(|octet| **octet == 0).count();
            let significant = &octets[leading..];
            // At most eight octets.
            out.push(0x80 | significant.len().to_le_bytes()[0]);
            out.extend_from_slice(significant);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Reads an element's header at `at`: where its contents start, and their length.
pub fn header(der: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = usize::from(*der.get(at + 1)?);
    if first < 0x80 {
        return Some((at + 2, first));
    }
    let count = first & 0x7f;
    if count == 0 || count > 4 {
        return None;
    }
    let octets = der.get(at + 2..at + 2 + count)?;
    let length = octets.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    Some((at + 2 + count, length))
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
            let written = element(0x04, &[head, tail]);
            assert_eq!(written, expected, "{length}");
            assert_eq!(header(&written, 0), Some((written.len() - length, length)));
        }
    }
}
