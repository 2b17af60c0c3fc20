//! Reading key files, whatever wrote them.
//!
//! | PEM label | form | written by |
//! | --- | --- | --- |
//! | `PRIVATE KEY` | PKCS#8 (RFC 5958) version 1 or 2 | OpenSSL 1.0 and later, GnuTLS, Java |
//! | `ENCRYPTED PRIVATE KEY` | PBES2, PBES1 and the schemes of PKCS#12, as `key::pbe` lists them | OpenSSL, GnuTLS |
//! | `RSA PRIVATE KEY` | PKCS#1 (RFC 8017) | OpenSSL `-traditional`, GnuTLS |
//! | `EC PRIVATE KEY` | SEC1 (RFC 5915), `EC PARAMETERS` before it or not | OpenSSL `ecparam`, GnuTLS |
//!
//! The last two also with `Proc-Type: 4,ENCRYPTED`. All of them as bare DER too. Text around PEM
//! blocks and blocks of other kinds are passed over; the first private key counts.

use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::{Decode, Encode};

use super::pbe::{Cost, PbeError, Sealed, is_private_key_info, is_sealed};
use super::{KeyError, PrivateKey, legacy};
use crate::armor;
use crate::cert::{TOO_MANY_BLOCKS, pem_parts};
use crate::crypto::{KeyAlgorithm, KeyPair, MlDsa, ed25519_pkcs8};
use crate::der;
use crate::secret::{Password, SecretBytes};

/// Most PBKDF iterations that are accepted: some seconds of work.
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// Most memory that scrypt may ask for, in bytes: that of N = 2^17 and r = 8, the costliest that is advised
/// for passwords (OWASP, Password Storage Cheat Sheet). OpenSSL writes N = 2^14 and r = 8 (16 MiB), and itself
/// reads no more than 32 MiB (`SCRYPT_MAX_MEM`).
pub const MAX_SCRYPT_MEMORY: u64 = 128 << 20;

/// How often scrypt may fill its memory (`p`); OpenSSL writes 1.
pub const MAX_SCRYPT_PARALLEL: u16 = 16;

/// The memory of scrypt's large array, in bytes (RFC 7914, sections 2 and 5).
pub(crate) fn scrypt_memory(n: u64, r: u16) -> u64 {
    n.saturating_mul(128 * u64::from(r))
}

const NOT_PKCS8: KeyError = KeyError::Damaged("it is not PKCS#8");

const RSA_ENCRYPTION: &[u64] = &[1, 2, 840, 113549, 1, 1, 1];
const EC_PUBLIC_KEY: &[u64] = &[1, 2, 840, 10045, 2, 1];

/// Whether PEM bytes hold a private key that needs a password.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    let encrypted = |block: &pem::Pem| {
        block.tag() == "ENCRYPTED PRIVATE KEY" || block.headers().get("DEK-Info").is_some()
    };
    let (bytes, der) = (&*armor::plain(bytes), armor::der(bytes));
    if der.first() == Some(&0x30) {
        return is_sealed(der);
    }
    pem_parts(bytes).is_ok_and(|blocks| blocks.iter().any(encrypted))
}

pub(super) fn read(bytes: &[u8], password: Option<&Password>) -> Result<PrivateKey, KeyError> {
    if bytes.is_empty() {
        return Err(KeyError::NoKey { found: "nothing: it is empty".to_owned() });
    }
    if bytes.starts_with(&[0x1e, 0xf1, 0xb5, 0xb0]) {
        return Err(KeyError::Pvk);
    }
    if bytes[0] == 0x30 {
        return read_der(armor::der(bytes), password);
    }
    let bytes = &*armor::plain(bytes);
    let blocks = pem_parts(bytes).map_err(|problem| match problem == TOO_MANY_BLOCKS.into() {
        true => KeyError::Damaged(TOO_MANY_BLOCKS),
        false => KeyError::Damaged("its PEM block is not whole"),
    })?;
    let mut curve = None;
    for block in &blocks {
        let contents = || decrypted(block, password);
        match block.tag() {
            "PRIVATE KEY" => return from_pkcs8(block.contents()),
            "ENCRYPTED PRIVATE KEY" => return from_encrypted(block.contents(), password),
            "RSA PRIVATE KEY" => return from_pkcs1(contents()?.expose()),
            "EC PARAMETERS" => curve = curve_of_parameters(block.contents()),
            "EC PRIVATE KEY" => return from_sec1(contents()?.expose(), curve),
            "DSA PRIVATE KEY" => return Err(KeyError::Unsupported("DSA".to_owned())),
            "OPENSSH PRIVATE KEY" => {
                return Err(KeyError::Unsupported("OpenSSH's own format".to_owned()));
            }
            _ => {}
        }
    }
    Err(KeyError::NoKey { found: found_instead(&blocks) })
}

fn found_instead(blocks: &[pem::Pem]) -> String {
    let mut tags: Vec<&str> = blocks.iter().map(pem::Pem::tag).collect();
    tags.dedup();
    if tags.is_empty() { "text without a PEM block".to_owned() } else { tags.join(", ") }
}

fn decrypted(block: &pem::Pem, password: Option<&Password>) -> Result<SecretBytes, KeyError> {
    match block.headers().get("DEK-Info") {
        Some(dek_info) => legacy::decrypt(dek_info, block.contents(), password),
        None => Ok(SecretBytes::new(block.contents())),
    }
}

fn read_der(der: &[u8], password: Option<&Password>) -> Result<PrivateKey, KeyError> {
    if PrivateKeyInfoRef::try_from(der).is_ok() {
        return from_pkcs8(der);
    }
    if is_sealed(der) {
        return from_encrypted(der, password);
    }
    if sec1::EcPrivateKey::from_der(der).is_ok() {
        return from_sec1(der, None);
    }
    from_pkcs1(der).map_err(|_| KeyError::NoKey {
        found: "DER that is neither PKCS#8, PKCS#1 nor SEC1".to_owned(),
    })
}

pub(super) fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, KeyError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| NOT_PKCS8)?;
    match info.algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" => from_pkcs1(info.private_key.as_bytes()),
        "1.2.840.10045.2.1" => {
            let curve = info.algorithm.parameters.and_then(|p| p.to_der().ok());
            from_sec1(info.private_key.as_bytes(), curve.and_then(|der| curve_of_parameters(&der)))
        }
        "1.3.101.112" => from_ed25519(info.private_key.as_bytes()),
        other => match MlDsa::of_oid(other) {
            Some(set) => {
                let inner = info.private_key.as_bytes();
                let (pair, pkcs8) = KeyPair::from_ml_dsa_private_key(set, inner)?;
                PrivateKey::from_parts(pair, pkcs8)
            }
            None => Err(KeyError::Unsupported(format!("the algorithm {other}"))),
        },
    }
}

/// The contents of an Ed25519 PrivateKeyInfo: an OCTET STRING around the seed (RFC 8410, 7).
fn from_ed25519(curve_private_key: &[u8]) -> Result<PrivateKey, KeyError> {
    let seed = match curve_private_key {
        [0x04, 0x20, seed @ ..] if seed.len() == 32 => seed,
        _ => return Err(KeyError::Damaged("an Ed25519 key has 32 bytes")),
    };
    PrivateKey::from_parts(KeyPair::from_ed25519_seed(seed)?, ed25519_pkcs8(seed))
}

fn from_pkcs1(der: &[u8]) -> Result<PrivateKey, KeyError> {
    short_rsa(der)?;
    let pkcs8 = wrap_pkcs8(der, RSA_ENCRYPTION, &[0x05, 0x00]);
    PrivateKey::from_parts(KeyPair::from_rsa_pkcs8(pkcs8.expose())?, pkcs8)
}

/// Looks at the modulus first: the backends refuse short keys without saying that they are short.
fn short_rsa(der: &[u8]) -> Result<(), KeyError> {
    let modulus = yasna::parse_ber(der, |reader| {
        reader.read_sequence(|reader| {
            reader.next().read_u32()?;
            let (modulus, _) = reader.next().read_bigint_bytes()?;
            for _ in 0..7 {
                let _secret = zeroize::Zeroizing::new(reader.next().read_bigint_bytes()?.0);
            }
            Ok(modulus)
        })
    });
    let modulus = modulus.map_err(|_| KeyError::Damaged("it is not an RSA key of two primes"))?;
    let bytes = modulus.iter().skip_while(|b| **b == 0).count();
    let bits = u32::try_from(bytes * 8).unwrap_or(u32::MAX)
        - modulus.iter().find(|b| **b != 0).map_or(0, |b| b.leading_zeros());
    if bits < crate::crypto::MIN_RSA_BITS {
        return Err(crate::crypto::CryptoError::ShortRsa(bits).into());
    }
    Ok(())
}

/// `outer_curve` is the curve's object identifier from what stands around the key.
fn from_sec1(der: &[u8], outer_curve: Option<String>) -> Result<PrivateKey, KeyError> {
    let key = sec1::EcPrivateKey::from_der(der).map_err(|_| match has_explicit_curve(der) {
        true => KeyError::UnnamedCurve,
        false => KeyError::Damaged("it is not an EC key"),
    })?;
    let inner = key.parameters.and_then(|p| p.named_curve()).map(|oid| oid.to_string());
    let oids = [inner, outer_curve];
    let curve =
        oids.iter().flatten().find_map(|oid| curve_of_oid(oid)).ok_or_else(|| {
            match oids.iter().flatten().next() {
                Some(oid) => KeyError::Unsupported(format!("EC on curve {oid}")),
                None => KeyError::UnnamedCurve,
            }
        })?;
    let pkcs8 = wrap_pkcs8(der, EC_PUBLIC_KEY, &curve_oid_der(curve));
    let pair = KeyPair::from_ec_pkcs8(curve, pkcs8.expose())?;
    let whole = pair.ec_to_pkcs8().unwrap_or(pkcs8);
    PrivateKey::from_parts(pair, whole)
}

/// PrivateKeyInfo version 1 (RFC 5958).
fn wrap_pkcs8(inner: &[u8], algorithm: &[u64], parameters: &[u8]) -> SecretBytes {
    let algorithm = der::element(der::SEQUENCE, &[&der::oid(algorithm), parameters]);
    let inner = der::secret(der::OCTET_STRING, &[inner]);
    SecretBytes::new(der::element(der::SEQUENCE, &[&der::number(0), &algorithm, &inner]))
}

fn curve_of_parameters(der: &[u8]) -> Option<String> {
    yasna::parse_der(der, |reader| reader.read_oid()).ok().map(|oid| oid.to_string())
}

/// Whether an ECPrivateKey spells its curve out (RFC 5915 allows names only).
fn has_explicit_curve(der: &[u8]) -> bool {
    let parameters = yasna::parse_ber(der, |reader| {
        reader.read_sequence(|reader| {
            reader.next().read_u8()?;
            let _secret = zeroize::Zeroizing::new(reader.next().read_bytes()?);
            let tag = yasna::Tag::context(0);
            let parameters = reader.next().read_tagged(tag, |reader| reader.read_der())?;
            reader.read_optional(|reader| reader.read_der())?;
            Ok(parameters)
        })
    });
    parameters.is_ok_and(|der| der.first() == Some(&0x30))
}

fn curve_of_oid(oid: &str) -> Option<KeyAlgorithm> {
    match oid {
        "1.2.840.10045.3.1.7" => Some(KeyAlgorithm::EcP256),
        "1.3.132.0.34" => Some(KeyAlgorithm::EcP384),
        "1.3.132.0.35" => Some(KeyAlgorithm::EcP521),
        _ => None,
    }
}

fn curve_oid_der(curve: KeyAlgorithm) -> Vec<u8> {
    let oid: &[u64] = match curve {
        KeyAlgorithm::EcP384 => &[1, 3, 132, 0, 34],
        KeyAlgorithm::EcP521 => &[1, 3, 132, 0, 35],
        _ => &[1, 2, 840, 10045, 3, 1, 7],
    };
    der::oid(oid)
}

fn from_encrypted(der: &[u8], password: Option<&Password>) -> Result<PrivateKey, KeyError> {
    // What cannot be read needs no password either.
    let sealed = Sealed::read(der).map_err(|e| match e {
        PbeError::Unsupported(what) => KeyError::Unsupported(format!("its encryption is {what}")),
        PbeError::Malformed(_) => KeyError::Damaged("what says how it is encrypted is not whole"),
    })?;
    let password = password.ok_or(KeyError::NeedsPassword)?;
    check_cost(sealed.encryption.cost())?;
    let plain = sealed.open_with(password, is_private_key_info).ok_or(KeyError::WrongPassword)?;
    from_pkcs8(plain.expose())
}

fn check_iterations(iterations: u64) -> Result<(), KeyError> {
    if iterations > u64::from(MAX_ITERATIONS) {
        return Err(KeyError::TooCostly {
            what: format!("{iterations} iterations"),
            limit: MAX_ITERATIONS.to_string(),
        });
    }
    Ok(())
}

fn check_cost(cost: Cost) -> Result<(), KeyError> {
    match cost {
        Cost::Iterations(count) => check_iterations(count),
        Cost::Scrypt { n, r, p } => {
            let memory = scrypt_memory(n, r);
            if memory > MAX_SCRYPT_MEMORY || p > MAX_SCRYPT_PARALLEL {
                let what = format!("{memory} bytes of memory, {p} times");
                let limit = format!("{MAX_SCRYPT_MEMORY} bytes, {MAX_SCRYPT_PARALLEL} times");
                return Err(KeyError::TooCostly { what, limit });
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pkcs8::pkcs5::{EncryptionScheme, pbes2, scrypt};

    /// An encrypted key with such costs, and nothing in it.
    fn sealed(log_n: u8, r: u32, p: u32) -> KeyError {
        let params = scrypt::Params::new(log_n, r, p).unwrap();
        let params = pbes2::Parameters::generate_scrypt_aes256cbc(params, &[7; 16], [7; 16]);
        let scheme = EncryptionScheme::from(params.unwrap()).to_der().unwrap();
        let der = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&scheme);
                writer.next().write_bytes(&[7; 16]);
            });
        });
        read(&der, Some(&Password::new("x"))).unwrap_err()
    }

    #[test]
    fn scrypt_beyond_what_is_advised_is_refused_before_it_is_spent() {
        assert_eq!(scrypt_memory(1 << 17, 8), MAX_SCRYPT_MEMORY);
        for (log_n, p) in [(10, 16), (17, 1)] {
            assert!(matches!(sealed(log_n, 8, p), KeyError::WrongPassword), "{log_n}");
        }
        for (log_n, r, p) in [(18, 8, 1), (17, 9, 1), (14, 8, 17), (20, 8, 1)] {
            let error = sealed(log_n, r, p);
            assert!(matches!(error, KeyError::TooCostly { .. }), "{log_n} {r} {p}: {error}");
        }
    }

    #[test]
    fn very_many_blocks_are_not_read() {
        let block = "-----BEGIN X-----\nAAAA\n-----END X-----\n";
        let refused = |count: usize| read(block.repeat(count).as_bytes(), None).unwrap_err();
        assert!(matches!(refused(10_000), KeyError::NoKey { .. }));
        assert!(matches!(refused(10_001), KeyError::Damaged(TOO_MANY_BLOCKS)));
    }
}
