//! Blocks of PEM, read and written.

use crate::armor;
use crate::failure::Underlying;

/// Most blocks of a PEM text. The list of all CAs and intermediates that browsers know has some thousands; read
/// into facts, a certificate takes some kibibytes.
pub const MAX_PEM_BLOCKS: usize = 10_000;

/// What is wrong with a PEM text of more than [`MAX_PEM_BLOCKS`].
pub(crate) const TOO_MANY_BLOCKS: &str =
    "it has more than 10000 blocks; split it into several files";

/// The blocks of a PEM text. A block without an end, as a download that broke off leaves it, is an
/// error; the parser would pass it over.
#[doc(hidden)]
pub fn pem_blocks(bytes: &[u8]) -> Result<Vec<pem::Pem>, Underlying> {
    let bytes = &*armor::plain(bytes);
    let blocks = pem_parts(bytes)?;
    let begun = bytes
        .split(|b| matches!(b, b'\n' | b'\r'))
        .filter(|line| line.trim_ascii_start().starts_with(b"-----BEGIN "))
        .count();
    if begun > blocks.len() {
        return Err(format!("{begun} blocks begin, {} are whole", blocks.len()).into());
    }
    Ok(blocks)
}

/// The blocks of a PEM text that are whole. They are counted before the first is read.
pub(crate) fn pem_parts(bytes: &[u8]) -> Result<Vec<pem::Pem>, Underlying> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let dashes = bytes.iter().enumerate().filter(|(_, octet)| **octet == b'-');
    let mut begun = dashes.filter(|(at, _)| bytes[*at..].starts_with(BEGIN));
    if begun.nth(MAX_PEM_BLOCKS).is_some() {
        return Err(TOO_MANY_BLOCKS.into());
    }
    pem::parse_many(bytes).map_err(Underlying::of)
}

/// A certificate's block, without what OpenSSL has written behind it in a TRUSTED CERTIFICATE.
#[doc(hidden)]
pub fn without_trust(block: &pem::Pem) -> &[u8] {
    match block.tag() {
        "TRUSTED CERTIFICATE" => armor::first(block.contents()),
        _ => block.contents(),
    }
}

/// PEM with lines of 64 characters, the width of RFC 7468, and `\n` on every system.
pub(crate) fn pem_text(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}
