//! Java's `DataInput`: big-endian numbers, blocks with their length before them, modified UTF-8.

use super::super::{Format, StoreError};
use super::damaged;

/// Reads bytes in order; every length is held against what is left before it is used.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// So many bytes; `what` names them in errors.
    pub(super) fn take(
        &mut self,
        count: usize,
        what: &'static str,
    ) -> Result<&'a [u8], StoreError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            let (needed, left) = (count as u64, self.rest.len());
            return Err(StoreError::Truncated { format: Format::Jks, what, needed, left });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], StoreError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, what)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, StoreError> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64, StoreError> {
        self.array(what).map(i64::from_be_bytes)
    }

    /// A block after its length.
    pub(super) fn block(&mut self, what: &'static str) -> Result<&'a [u8], StoreError> {
        let length = self.u32(what)?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX), what)
    }

    /// Text: its length in bytes as u16, then modified UTF-8.
    pub(super) fn utf(&mut self, what: &'static str) -> Result<String, StoreError> {
        let length = u16::from_be_bytes(self.array(what)?);
        let bytes = self.take(usize::from(length), what)?;
        let units = decode_units(bytes);
        let text = units.and_then(|u| String::from_utf16(&u).ok());
        text.ok_or_else(|| damaged(format!("{what} is not modified UTF-8")))
    }
}

/// UTF-16 units of modified UTF-8: one to three bytes a unit, surrogates on their own, NUL in two
/// bytes (Java's `DataInput.readUTF`).
fn decode_units(mut bytes: &[u8]) -> Option<Vec<u16>> {
    let tail = |b: u8| (b & 0xc0 == 0x80).then_some(u16::from(b & 0x3f));
    let mut units = Vec::with_capacity(bytes.len());
    while let Some((&first, rest)) = bytes.split_first() {
        let (unit, used) = match first {
            0x00..=0x7f => (u16::from(first), 0),
            0xc0..=0xdf => (u16::from(first & 0x1f) << 6 | tail(*rest.first()?)?, 1),
            0xe0..=0xef => {
                let high = u16::from(first & 0x0f) << 12;
                (high | tail(*rest.first()?)? << 6 | tail(*rest.get(1)?)?, 2)
            }
            _ => return None,
        };
        units.push(unit);
        bytes = &rest[used..];
    }
    Some(units)
}

/// Writes a length or count.
pub(super) fn write_len(out: &mut Vec<u8>, length: usize) -> Result<(), StoreError> {
    let length = u32::try_from(length).map_err(|_| too_long("more than 2^32 bytes"))?;
    out.extend(length.to_be_bytes());
    Ok(())
}

/// Writes text as Java's `DataOutput.writeUTF`.
pub(super) fn write_utf(out: &mut Vec<u8>, text: &str) -> Result<(), StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        let (six, middle) = (0x80 | low & 0x3f, (high & 0x0f) << 2 | low >> 6);
        match unit {
            0x01..=0x7f => bytes.push(low),
            0 | 0x80..=0x7ff => bytes.extend([0xc0 | middle, six]),
            _ => bytes.extend([0xe0 | high >> 4, 0x80 | middle, six]),
        }
    }
    let length = u16::try_from(bytes.len()).map_err(|_| too_long("an alias of 64 KiB"))?;
    out.extend(length.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

fn too_long(what: &str) -> StoreError {
    StoreError::CannotHold { format: Format::Jks, what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn modified_utf_8_of_java() {
        let mut out = Vec::new();
        write_utf(&mut out, "a\0é€😀").unwrap();
        let expected = [
            0, 14, b'a', 0xc0, 0x80, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xbd, 0xed, 0xb8,
            0x80,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn a_length_beyond_the_end_is_truncation() {
        let error = Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).block("a key").unwrap_err();
        assert!(matches!(error, StoreError::Truncated { needed: 0xffff_ffff, left: 1, .. }));
    }

    proptest! {
        #[test]
        fn any_text_round_trips(text in any::<String>()) {
            let mut out = Vec::new();
            write_utf(&mut out, &text).unwrap();
            prop_assert_eq!(Reader::new(&out).utf("it").unwrap(), text);
        }

        #[test]
        fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Reader::new(&bytes).utf("it");
        }
    }
}
