//! Proof of possession: that the one who uploaded a CA's certificate has its key.
//!
//! The platform gives a verification code; exactly its bytes are signed with SHA-256 and the CA's
//! key (RSA: PKCS#1 v1.5; EC: ECDSA in DER), and the signature goes back as base64 in one line
//! (platform: "Proof of possession"). That is what
//! `openssl dgst -sha256 -sign key code.txt | openssl base64 -A` gives. Signing needs no network:
//! [`sign`] is for keys that are elsewhere. Refused: keys that have no signature with SHA-256
//! (Ed25519, ML-DSA).
//!
//! What is signed comes from the server, and the same key signs certificates and manifests. So nothing
//! is signed but a [`VerificationCode`], and the key is opened when the code is at hand.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use time::{Duration, OffsetDateTime};

pub use super::code::{CodeError, MAX_CODE, VerificationCode};
use super::request::segment;
use super::trusted::{self, ROLE, TrustedCertificate};
use super::{Body, Client, Method, PlatformError, Request};
use crate::armor;
use crate::cert::Certificate;
use crate::crypto::{CryptoError, PublicKey, unhex};
use crate::key::signer::Signer;

/// A code that runs out within this time is not begun with.
const MARGIN: Duration = Duration::seconds(30);

fn path(tenant: &str, fingerprint: &str) -> String {
    let (tenant, fingerprint) = (segment(tenant), segment(fingerprint));
    format!("/tenant/tenants/{tenant}/trusted-certificates-pop/{fingerprint}")
}

/// The request for a new verification code.
pub fn code_request(tenant: &str, fingerprint: &str) -> Request {
    let path = path(tenant, fingerprint) + "/verification-code";
    Request::new(Method::Post, path, Body::None).role(ROLE)
}

/// The submission of a signed code.
pub fn submit_request(tenant: &str, fingerprint: &str, signature: &str) -> Request {
    let body = json!({ "proofOfPossessionSignedVerificationCode": signature });
    let path = path(tenant, fingerprint) + "/pop";
    Request::new(Method::Post, path, Body::Json(body)).role(ROLE)
}

/// Whether the key is the certificate's, and of a kind that can sign a proof.
pub fn check_key(certificate: &Certificate, signer: &dyn Signer) -> Result<(), PlatformError> {
    let algorithm = signer.public_key().algorithm();
    if !algorithm.has_sha256() {
        return Err(CryptoError::NoSha256(algorithm).into());
    }
    match certificate.spki == signer.public_key().spki() {
        true => Ok(()),
        false => Err(PlatformError::OtherKey { subject: certificate.subject.to_string() }),
    }
}

/// Signs a verification code: base64 without line breaks.
pub fn sign(signer: &dyn Signer, code: &VerificationCode) -> Result<String, CryptoError> {
    Ok(STANDARD.encode(signer.sign_sha256(code.as_str().as_bytes())?))
}

/// The verification code of a certificate, as the tenant gives it; none if there is none.
///
/// Errors: [`PlatformError::Code`] if it is a text that no CA may sign.
pub fn code_of(
    client: &Client,
    found: &TrustedCertificate,
) -> Result<Option<VerificationCode>, PlatformError> {
    let text = found.proof_of_possession_unsigned_verification_code.as_deref();
    let parsed = text.map(VerificationCode::parse).transpose();
    parsed.map_err(|problem| PlatformError::Code { host: client.host().to_owned(), problem })
}

/// A signature as base64 in one line, whatever came: base64 with line breaks, base64url, hex as
/// `openssl dgst -hex` writes it, or the bytes themselves, as a token or `openssl dgst` gives them. Text
/// may be in UTF-16, as Windows PowerShell writes it.
pub fn signature(given: &[u8]) -> String {
    let given = &*armor::ascii(given);
    let text: Vec<u8> = given.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let unpadded = || text.strip_suffix(b"==").or(text.strip_suffix(b"="));
    // Hex comes first: its digits are base64 too.
    let bytes = from_hex(&text)
        .or_else(|| STANDARD.decode(&text).ok())
        .or_else(|| URL_SAFE_NO_PAD.decode(unpadded().unwrap_or(&text)).ok());
    STANDARD.encode(bytes.as_deref().unwrap_or(given))
}

/// The bytes that hex digits stand for, with what `openssl dgst` writes before them (`SHA2-256(FILE)= `)
/// and with colons or not. Shorter than any signature: none, since a few letters of base64 look the same.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    const SHORTEST: usize = 64;
    let digits = match text.iter().position(|b| *b == b'=') {
        Some(at) if text[..at].ends_with(b")") => &text[at + 1..],
        _ => text,
    };
    let digits: Vec<u8> = digits.iter().copied().filter(|b| *b != b':').collect();
    unhex(digits).filter(|bytes| bytes.len() >= SHORTEST)
}

/// What can be said of a signed code before it is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// It is right.
    Right,
    /// The code was signed together with a line end.
    WithLineEnd,
    /// Another key, or another code.
    Wrong,
}

/// Holds a signature (base64) against the CA's public key and the code.
pub fn judge(key: &PublicKey, code: &VerificationCode, signature: &str) -> Signed {
    let Ok(bytes) = STANDARD.decode(signature) else {
        return Signed::Wrong;
    };
    let is_of = |text: String| key.verify_sha256(text.as_bytes(), &bytes).is_ok();
    if is_of(code.to_string()) {
        return Signed::Right;
    }
    let with_line_end = is_of(format!("{code}\n")) || is_of(format!("{code}\r\n"));
    if with_line_end { Signed::WithLineEnd } else { Signed::Wrong }
}

/// The certificate with a code that can be signed now: the one that is out, or a new one where that
/// has expired or `renew` asks for it.
///
/// Errors: the tenant does not have the certificate.
pub async fn code(
    client: &Client,
    fingerprint: &str,
    renew: bool,
    now: OffsetDateTime,
) -> Result<TrustedCertificate, PlatformError> {
    let found = trusted::known(client, fingerprint).await?;
    if found.proof_of_possession_valid || !renew && found.has_usable_code(now + MARGIN) {
        return Ok(found);
    }
    let request = code_request(client.tenant().await?, fingerprint);
    let renewed: TrustedCertificate = client.json(&request).await?;
    match renewed.proof_of_possession_unsigned_verification_code {
        Some(_) => Ok(renewed),
        None => Err(client.strange(&request, "there is no verification code in it".to_owned())),
    }
}

/// Submits a signed code and sees that the proof is complete.
///
/// An answer that is a no is looked into: when an earlier answer was lost, the proof may be complete
/// and the code used up.
pub async fn submit(
    client: &Client,
    fingerprint: &str,
    signature: &str,
) -> Result<TrustedCertificate, PlatformError> {
    let submitted =
        client.send(&submit_request(client.tenant().await?, fingerprint, signature)).await;
    let found = match submitted {
        Ok(_) => trusted::known(client, fingerprint).await?,
        Err(e) if matches!(e.status(), Some(400 | 404 | 409 | 422)) => {
            let found = trusted::known(client, fingerprint).await?;
            if !found.proof_of_possession_valid {
                return Err(e);
            }
            found
        }
        Err(e) => return Err(e),
    };
    match found.proof_of_possession_valid {
        true => Ok(found),
        false => Err(PlatformError::NotProven { fingerprint: fingerprint.to_owned() }),
    }
}

/// What one call of [`prove`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It was made now.
    Made,
    /// It was complete before.
    AlreadyComplete,
}

/// The whole proof: gets the code, a new one if it has expired, opens the key, signs, submits, and sees
/// that the state is complete. `open` gives the key; it is not called where nothing is to be signed.
///
/// Errors: the code is none; the key cannot be opened, or is not the certificate's; the tenant does not
/// have the certificate.
pub async fn prove<'k, E: From<PlatformError>>(
    client: &Client,
    certificate: &Certificate,
    open: impl FnOnce() -> Result<Box<dyn Signer + 'k>, E>,
    now: OffsetDateTime,
) -> Result<(Proof, TrustedCertificate), E> {
    let fingerprint = certificate.fingerprint_sha1();
    trusted::known_certificate(client, certificate).await?;
    let found = code(client, &fingerprint, false, now).await?;
    if found.proof_of_possession_valid {
        return Ok((Proof::AlreadyComplete, found));
    }
    let first = code_to_sign(client, &found)?;
    let signer = open()?;
    check_key(certificate, signer.as_ref())?;
    let attempt = async |code: &VerificationCode| {
        let signed = sign(signer.as_ref(), code).map_err(PlatformError::from)?;
        submit(client, &fingerprint, &signed).await
    };
    let proven = match attempt(&first).await {
        // Expired by the server's clock, or replaced by somebody else's request: once more.
        Err(e) if matches!(e.status(), Some(400 | 422)) => {
            let renewed = code(client, &fingerprint, true, now).await?;
            attempt(&code_to_sign(client, &renewed)?).await?
        }
        other => other?,
    };
    Ok((Proof::Made, proven))
}

/// The code that [`code`] has seen to.
fn code_to_sign(
    client: &Client,
    found: &TrustedCertificate,
) -> Result<VerificationCode, PlatformError> {
    let missing =
        || PlatformError::Code { host: client.host().to_owned(), problem: CodeError::Empty };
    code_of(client, found)?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyType;
    use crate::key::PrivateKey;

    #[test]
    fn a_signature_is_held_against_code_and_key() {
        let key = PrivateKey::generate(KeyType::EcP384).unwrap();
        let public = key.public_key();
        let code = VerificationCode::parse("code").unwrap();
        // As other programs sign.
        let signed = |text: &str| STANDARD.encode(key.sign_sha256(text.as_bytes()).unwrap());
        assert_eq!(judge(public, &code, &sign(&key, &code).unwrap()), Signed::Right);
        assert_eq!(judge(public, &code, &signed("code")), Signed::Right);
        assert_eq!(judge(public, &code, &signed("code\n")), Signed::WithLineEnd);
        assert_eq!(judge(public, &code, &signed("code\r\n")), Signed::WithLineEnd);
        assert_eq!(judge(public, &code, &signed("old")), Signed::Wrong);
        assert_eq!(judge(public, &code, "no base64"), Signed::Wrong);
    }

    #[test]
    fn a_signature_is_taken_in_any_wrapping() {
        let bytes = [0x30, 0x45, 0xff, 0x00, 0x0a];
        let one_line = STANDARD.encode(bytes);
        assert_eq!(signature(&bytes), one_line);
        assert_eq!(
            signature(format!("{}\n{}\n", &one_line[..4], &one_line[4..]).as_bytes()),
            one_line
        );
    }
}
