//! The mark: how a text begins that a CA has signed, so that no signature of one kind is good for
//! another.
//!
//! A CA's key signs for several purposes, often with one hash. What it signs, all of it:
//!
//! | what | where | how it begins |
//! | --- | --- | --- |
//! | certificates | core, `issue/tbs.rs` | DER: a SEQUENCE |
//! | revocation lists | core, `issue/tbs.rs`, through `crl.rs` | DER: a SEQUENCE |
//! | requests for certificates | core, `csr/request.rs` | DER: a SEQUENCE |
//! | manifests, CSV | `manifest/making.rs` | [`MARK`], before that was `device_id,` |
//! | manifests, JSON | `manifest/making.rs` | `{` |
//! | verification codes of the platform | `platform/pop.rs` | printable ASCII, one line, none of the above ([`VerificationCode`]) |
//! | 32 random bytes of our own, to see that a token's public key fits | core, `key/pkcs11/signing.rs` | not chosen by anybody |
//!
//! Only codes are chosen by somebody else. Who adds another purpose gives it a first line that begins
//! with [`MARK`] and names purpose and issuer, and a row in this table.
//!
//! [`VerificationCode`]: crate::platform::pop::VerificationCode

use crate::cert::Certificate;

/// How every text begins that is signed by a CA and is no DER.
pub const MARK: &str = "#c8y-pki ";

/// How the CSV of an old manifest begins, which has no mark.
pub(crate) const OLD_CSV: &str = "device_id,";

/// How the JSON of a manifest begins.
pub(super) const JSON: &str = "{";

/// All beginnings of signed texts. A manifest begins with one of them, exactly; a verification code
/// with none of them, not even behind spaces.
pub const BEGINNINGS: [&str; 3] = [MARK, OLD_CSV, JSON];

/// What a mark says of a manifest up to the issuer, without [`MARK`].
const MANIFEST: &str = "manifest 2; purpose: hand-over of devices; issuer: ";

/// What stands before the fingerprint of the issuer.
const FINGERPRINT: &str = "; issuer SHA-256: ";

/// The first line of a manifest, without its end: purpose and issuer.
///
/// A subject in the form of RFC 4514 has no control characters; line ends of Unicode are escaped as
/// these are, so that it is one line to everybody.
pub(super) fn line(issuer: &Certificate) -> String {
    written(&issuer.subject.to_string(), &issuer.fingerprint_sha256())
}

fn written(subject: &str, fingerprint: &str) -> String {
    let subject = one_line(subject);
    format!("{MARK}{MANIFEST}{subject}{FINGERPRINT}{fingerprint}")
}

fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            let mut bytes = [0; 4];
            let escaped = c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:02X}"));
            out.extend(escaped);
        } else {
            out.push(c);
        }
    }
    out
}

/// The fingerprint of the issuer's certificate in a first line. None if that is not the one of a manifest
/// of this version.
pub(super) fn read(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(MARK)?.strip_prefix(MANIFEST)?;
    // The last one: a subject may hold the same words.
    rest.rsplit_once(FINGERPRINT).map(|(_, fingerprint)| fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_one_line_and_is_read_again() {
        for subject in ["CN=Line 7,O=Example", "CN=a\nb\u{2028}c\u{85}\\; issuer SHA-256: ff"] {
            let line = written(subject, "00:ab");
            assert!(!line.contains(['\n', '\r', '\u{85}', '\u{2028}']), "{line}");
            assert!(line.starts_with(MARK));
            assert_eq!(read(&line), Some("00:ab"));
        }
        let later = written("CN=a", "ff").replace("manifest 2", "manifest 3");
        assert_eq!(read(&later), None);
    }
}
