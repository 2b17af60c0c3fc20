//! How JKS hides a key and guards a file (`sun.security.provider.KeyProtector` of OpenJDK).
//!
//! A key is XORed with the stream `W(i) = SHA-1(password, W(i-1))`, `W(0)` being the salt, and is
//! followed by `SHA-1(password, key)`. Passwords are UTF-16, big-endian, without an end mark.

use zeroize::Zeroizing;

use crate::crypto::sha1;
use crate::der;
use crate::secret::{Password, SecretBytes};

/// Bytes of the salt.
pub(super) const SALT: usize = 20;
const CHECK: usize = 20;

/// AlgorithmIdentifier of 1.3.6.1.4.1.42.2.17.1.1 with NULL, DER.
const ALGORITHM: [u8; 16] = [
    0x30, 0x0e, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01, 0x05, 0x00,
];

fn utf16(password: &Password) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.expose().encode_utf16().flat_map(u16::to_be_bytes).collect())
}

fn sha1_of(parts: &[&[u8]]) -> [u8; 20] {
    sha1(&Zeroizing::new(parts.concat()))
}

/// XORs with the stream of the password: encrypts and decrypts.
fn apply_stream(data: &[u8], password: &[u8], salt: [u8; SALT]) -> Zeroizing<Vec<u8>> {
    let mut word = salt;
    let mut out = Zeroizing::new(Vec::with_capacity(data.len()));
    for chunk in data.chunks(word.len()) {
        word = sha1_of(&[password, &word]);
        out.extend(chunk.iter().zip(word).map(|(octet, key)| octet ^ key));
    }
    out
}

/// Hides a key: DER of an EncryptedPrivateKeyInfo.
pub(super) fn protect(pkcs8: &SecretBytes, password: &Password, salt: [u8; SALT]) -> Vec<u8> {
    let password = utf16(password);
    let hidden = apply_stream(pkcs8.expose(), &password, salt);
    let check = sha1_of(&[&password, pkcs8.expose()]);
    let hidden = der::element(der::OCTET_STRING, &[&salt, &hidden, &check]);
    der::element(der::SEQUENCE, &[&ALGORITHM, &hidden])
}

/// The key, if the password is right (and the bytes are of this algorithm).
pub(super) fn recover(protected: &[u8], password: &Password) -> Option<SecretBytes> {
    let bytes = yasna::parse_der(protected, |reader| {
        reader.read_sequence(|info| {
            let algorithm = info.next().read_sequence(|pair| {
                let oid = pair.next().read_oid()?;
                // Java writes NULL; nothing is as good.
                pair.read_optional(|p| p.read_null())?;
                Ok(oid)
            })?;
            let ours = [1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1];
            if algorithm.components()[..] != ours {
                return Err(yasna::ASN1Error::new(yasna::ASN1ErrorKind::Invalid));
            }
            info.next().read_bytes()
        })
    });
    let bytes = bytes.ok()?;
    let (salt, rest) = bytes.split_first_chunk::<SALT>()?;
    let (hidden, check) = rest.split_last_chunk::<CHECK>()?;
    let password = utf16(password);
    let plain = apply_stream(hidden, &password, *salt);
    (sha1_of(&[&password, &plain]) == *check).then(|| SecretBytes::new(&plain[..]))
}

/// The digest at the end of a file.
pub(super) fn integrity_digest(password: &Password, data: &[u8]) -> [u8; 20] {
    sha1_of(&[&utf16(password), b"Mighty Aphrodite", data])
}
