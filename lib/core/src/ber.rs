//! The one reader of elements in BER (X.690, section 8), of the kinds that PKCS#12, PKCS#7 and encrypted keys are made of, and
//! the way from there to DER.
//!
//! NSS writes indefinite lengths and OCTET STRINGs in pieces, and the MAC of PKCS#12 covers the
//! bytes as they stand: it is checked before anything is turned into DER. Every length is held against what is
//! left before anything is read or copied. Refused: tag numbers above 30, nesting beyond
//! `MAX_DEPTH`.

use std::borrow::Cow;

use crate::der;
pub use crate::der::{
    BMP_STRING, CONTEXT_0, CONTEXT_0_PRIMITIVE, INTEGER, OCTET_STRING, OID, SEQUENCE, SET,
};
use crate::failure::{Failure, Fault, Hint};

const CONSTRUCTED: u8 = 0x20;

/// PKCS#12 nests about a dozen deep, PKCS#7 less.
const MAX_DEPTH: usize = 32;

/// One element.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    pub tag: u8,
    pub contents: &'a [u8],
}

/// Elements one after another.
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// Why bytes are not the BER that was expected.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum BerError {
    /// An element is longer than what is left.
    #[error("it is truncated, {what} needs {needed} bytes and {left} are left")]
    Truncated {
        /// What it is.
        what: &'static str,
        /// Bytes that it has by its own account.
        needed: u64,
        /// Bytes that are there.
        left: usize,
    },
    /// Something else is wrong, in words.
    #[error("{0}")]
    Damaged(String),
}

impl Failure for BerError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}

fn damaged(what: impl Into<String>) -> BerError {
    BerError::Damaged(what.into())
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether nothing follows but line ends, blanks and zeros, which a transfer adds.
    pub fn rest_is_blank(&self) -> bool {
        self.rest.iter().all(|b| matches!(b, b'\r' | b'\n' | b' ' | b'\t' | 0 | 0x1a))
    }

    /// Whether the next element has that tag.
    pub fn next_is(&self, tag: u8) -> bool {
        self.rest.first() == Some(&tag)
    }

    /// The next element; `what` names it in errors.
    pub fn any(&mut self, what: &'static str) -> Result<Element<'a>, BerError> {
        let span = measure(self.rest, what)?;
        let (raw, rest) = self.rest.split_at(span.total);
        self.rest = rest;
        Ok(Element { tag: raw[0], contents: &raw[span.contents] })
    }

    /// The next element as it stands, its header included.
    pub fn raw(&mut self, what: &'static str) -> Result<&'a [u8], BerError> {
        let (raw, rest) = self.rest.split_at(measure(self.rest, what)?.total);
        self.rest = rest;
        Ok(raw)
    }

    /// The next element, of a tag that it has to have.
    pub fn tagged(&mut self, tag: u8, what: &'static str) -> Result<Element<'a>, BerError> {
        // Only strings come in pieces (X.690, 8.7).
        let string = matches!(tag, OCTET_STRING | CONTEXT_0_PRIMITIVE);
        let fits = self.next_is(tag) || string && self.next_is(tag | CONSTRUCTED);
        if let (Some(found), false) = (self.rest.first(), fits) {
            return Err(damaged(format!("{what} has tag {found:#04x} in place of {tag:#04x}")));
        }
        self.any(what)
    }

    /// A reader for the contents of the next element, a SEQUENCE.
    pub fn sequence(&mut self, what: &'static str) -> Result<Reader<'a>, BerError> {
        Ok(Reader::new(self.tagged(SEQUENCE, what)?.contents))
    }

    /// The contents of an OBJECT IDENTIFIER.
    pub fn oid(&mut self, what: &'static str) -> Result<&'a [u8], BerError> {
        Ok(self.tagged(OID, what)?.contents)
    }

    /// An INTEGER of 0 to 2^63-1.
    pub fn uint(&mut self, what: &'static str) -> Result<u64, BerError> {
        let contents = self.tagged(INTEGER, what)?.contents;
        let fits = !contents.is_empty() && contents.len() <= 8 && contents[0] < 0x80;
        if !fits {
            return Err(damaged(format!("{what} is negative or too large")));
        }
        Ok(contents.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    /// An OCTET STRING, in one piece or several.
    pub fn octet_string(&mut self, what: &'static str) -> Result<Cow<'a, [u8]>, BerError> {
        self.tagged(OCTET_STRING, what)?.octet_string(what)
    }
}

impl<'a> Element<'a> {
    /// The bytes of an OCTET STRING, implicitly tagged or not (X.690, 8.7).
    pub fn octet_string(&self, what: &'static str) -> Result<Cow<'a, [u8]>, BerError> {
        if self.tag & CONSTRUCTED == 0 {
            return Ok(Cow::Borrowed(self.contents));
        }
        let (mut pieces, mut whole) = (Reader::new(self.contents), Vec::new());
        while !pieces.is_empty() {
            let piece = pieces.any(what)?;
            if piece.tag != OCTET_STRING {
                return Err(damaged(format!("{what} has a piece that is no OCTET STRING")));
            }
            whole.extend_from_slice(piece.contents);
        }
        Ok(Cow::Owned(whole))
    }

    /// The same with definite lengths and strings in one piece, which is DER but for the order in
    /// a SET.
    pub fn to_der(self) -> Result<Vec<u8>, BerError> {
        self.to_der_within(MAX_DEPTH)
    }

    fn to_der_within(self, depth: usize) -> Result<Vec<u8>, BerError> {
        if self.tag & !CONSTRUCTED == OCTET_STRING {
            return Ok(element(OCTET_STRING, &self.octet_string("an OCTET STRING")?));
        }
        if self.tag & CONSTRUCTED == 0 {
            return Ok(element(self.tag, self.contents));
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(damaged(format!("it is nested more than {MAX_DEPTH} deep")));
        };
        let (mut members, mut contents) = (Reader::new(self.contents), Vec::new());
        while !members.is_empty() {
            contents.extend(members.any("a part of an element")?.to_der_within(depth)?);
        }
        Ok(element(self.tag, &contents))
    }
}

/// An element in DER.
pub fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    der::element(tag, &[contents])
}

/// Where an element's contents are, and how long it is in all.
struct Span {
    contents: std::ops::Range<usize>,
    total: usize,
}

/// A header: its length and that of the contents, none if indefinite.
fn header(bytes: &[u8], what: &'static str) -> Result<(usize, Option<usize>), BerError> {
    let cut = |needed: u64| BerError::Truncated { what, needed, left: bytes.len() };
    let (Some(tag), Some(first)) = (bytes.first(), bytes.get(1)) else {
        return Err(cut(2));
    };
    if tag & 0x1f == 0x1f {
        return Err(damaged(format!("{what} has a tag number above 30")));
    }
    let count = match *first {
        short @ 0..=0x7f => return Ok((2, Some(usize::from(short)))),
        0x80 if tag & CONSTRUCTED != 0 => return Ok((2, None)),
        0x81..=0x84 => usize::from(first & 0x7f),
        _ => return Err(damaged(format!("{what} has a length that is not BER"))),
    };
    let length_bytes = bytes.get(2..2 + count).ok_or_else(|| cut(2 + count as u64))?;
    let length = length_bytes.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b));
    let length = usize::try_from(length).map_err(|_| cut(u64::from(length)))?;
    Ok((2 + count, Some(length)))
}

/// What stands behind the header of the first element, which need not be whole.
pub fn first_contents(bytes: &[u8]) -> Option<&[u8]> {
    let (start, _) = header(bytes, "an element").ok()?;
    bytes.get(start..)
}

/// Measures the first element of `bytes`, end marks of indefinite lengths included.
fn measure(bytes: &[u8], what: &'static str) -> Result<Span, BerError> {
    let end_of = |at: usize, header_len: usize, length: usize| {
        let left = bytes.len() - at;
        if left - header_len < length {
            let needed = header_len as u64 + length as u64;
            return Err(BerError::Truncated { what, needed, left });
        }
        Ok(at + header_len + length)
    };
    let (start, length) = header(bytes, what)?;
    if let Some(length) = length {
        let end = end_of(0, start, length)?;
        return Ok(Span { contents: start..end, total: end });
    }
    let (mut at, mut open) = (start, 1_usize);
    loop {
        if bytes[at..].starts_with(&[0, 0]) {
            at += 2;
            open -= 1;
            if open == 0 {
                return Ok(Span { contents: start..at - 2, total: at });
            }
            continue;
        }
        let (header_len, length) = header(&bytes[at..], what)?;
        match length {
            Some(length) => at = end_of(at, header_len, length)?,
            None => {
                at += header_len;
                open += 1;
            }
        }
        if open > MAX_DEPTH {
            return Err(damaged(format!("{what} is nested more than {MAX_DEPTH} deep")));
        }
    }
}

/// An object identifier in dotted form.
pub fn dotted(oid: &[u8]) -> String {
    oid_text(&x509_parser::asn1_rs::Oid::new(Cow::Borrowed(oid)))
}

/// Longest text of an object identifier in messages, in characters.
const MAX_OID_TEXT: usize = 64;

/// An object identifier for messages and comparisons: with dots, and cut where somebody has made it very long.
pub fn oid_text(oid: &x509_parser::asn1_rs::Oid<'_>) -> String {
    let text = oid.to_id_string();
    match text.char_indices().nth(MAX_OID_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn indefinite_lengths_and_pieces() {
        let bytes = [0x30, 0x80, 0x24, 0x80, 0x04, 1, 7, 0x04, 2, 8, 9, 0, 0, 0, 0];
        let mut inner = Reader::new(&bytes).sequence("it").unwrap();
        assert_eq!(&*inner.octet_string("it").unwrap(), [7, 8, 9]);
        assert!(inner.is_empty());
    }

    #[test]
    fn a_length_beyond_the_end_is_truncation() {
        let error = Reader::new(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1]).any("it").err().unwrap();
        let BerError::Truncated { needed: 0x1_0000_0005, left: 7, .. } = error else {
            panic!("{error:?}");
        };
    }

    #[test]
    fn endless_nesting_is_refused() {
        let bytes = [0x30, 0x80].repeat(100_000);
        assert!(matches!(Reader::new(&bytes).any("it"), Err(BerError::Damaged(_))));
    }

    #[test]
    fn der_has_definite_lengths_and_strings_in_one_piece() {
        let bytes = [0x30, 0x80, 0x24, 0x80, 0x04, 1, 7, 0x04, 2, 8, 9, 0, 0, 0, 0];
        let der = |bytes: &[u8]| Reader::new(bytes).any("it").unwrap().to_der();
        assert_eq!(der(&bytes).unwrap(), [0x30, 5, 0x04, 3, 7, 8, 9]);
        for length in [0, 127, 128, 255, 256, 65_536] {
            let once = element(OCTET_STRING, &vec![1; length]);
            assert_eq!(der(&once).unwrap(), once);
            assert_eq!(Reader::new(&once).octet_string("it").unwrap().len(), length);
        }
        let deep = (0..40).fold(Vec::new(), |inner: Vec<u8>, _| element(SEQUENCE, &inner));
        assert!(matches!(der(&deep), Err(BerError::Damaged(_))));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(element) = reader.any("it") {
                let _ = element.octet_string("it");
                if let Ok(der) = element.to_der() {
                    prop_assert_eq!(Reader::new(&der).any("it").unwrap().to_der(), Ok(der.clone()));
                }
                let _ = Reader::new(element.contents).uint("it");
            }
        }
    }
}
