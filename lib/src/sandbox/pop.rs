//! Proof of possession: whoever uploaded a CA shows that its key is theirs (platform: "Proof of
//! possession"). The signature is over the code's octets exactly, with SHA-256: RSA with PKCS#1 v1.5,
//! ECDSA in DER. A code is good once, and for a time; each new one takes the place of the one before.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::Duration;

use super::answer::{Answer, Refusal};
use super::auth::{self, TRUSTED_CERTIFICATES};
use super::call::Call;
use super::clock::iso;
use super::state::World;
use super::trusted::{Code, Trusted, find, keeper, shown};
use crate::crypto::random_password;

/// Characters of a code.
const LENGTH: usize = 32;

/// `POST …/trusted-certificates-pop/{fingerprint}/verification-code`.
pub(super) fn new_code(
    world: &mut World,
    call: &Call,
    tenant: &str,
    fingerprint: &str,
) -> Result<Answer, Refusal> {
    keeper(world, call, tenant)?;
    let life = i64::try_from(world.site.code_seconds).unwrap_or(i64::MAX);
    // A life without end is one of a hundred years.
    let until = call.now + Duration::seconds(life.min(3_155_760_000));
    let given = world.site.verification_code.clone();
    let trusted = find(world, tenant, fingerprint)?;
    let text = match given {
        Some(text) => text,
        None => random_password(LENGTH).map_err(Refusal::broken)?.expose().to_owned(),
    };
    trusted.code = Some(Code { text, until });
    shown(world, tenant, fingerprint)
}

/// `POST …/trusted-certificates-pop/{fingerprint}/pop`.
pub(super) fn submit(
    world: &mut World,
    call: &Call,
    tenant: &str,
    fingerprint: &str,
) -> Result<Answer, Refusal> {
    keeper(world, call, tenant)?;
    let trusted = find(world, tenant, fingerprint)?;
    let body = call.json()?;
    let Some(signature) = body["proofOfPossessionSignedVerificationCode"].as_str() else {
        let message = "\"proofOfPossessionSignedVerificationCode\" is missing.";
        return Err(Refusal::unprocessable(message));
    };
    let code = usable_code(trusted, call)?;
    verify(trusted, code, signature).map_err(|reason| {
        Refusal::bad(format!("The signature of the verification code is wrong: {reason}."))
    })?;
    trusted.proven = true;
    trusted.code = None;
    shown(world, tenant, fingerprint)
}

fn usable_code<'a>(trusted: &'a Trusted, call: &Call) -> Result<&'a str, Refusal> {
    match &trusted.code {
        None => Err(Refusal::unprocessable("There is no verification code: ask for one first.")),
        Some(code) if code.until <= call.now => Err(Refusal::unprocessable(format!(
            "The verification code could be used until {}: ask for a new one.",
            iso(code.until)
        ))),
        Some(code) => Ok(&code.text),
    }
}

fn verify(trusted: &Trusted, code: &str, signature: &str) -> Result<(), String> {
    let signature = STANDARD.decode(signature);
    let signature = signature.map_err(|e| format!("it is no base64 without line breaks ({e})"))?;
    let key = trusted.certificate.public_key.as_ref().map_err(ToString::to_string)?;
    key.verify_sha256(code.as_bytes(), &signature).map_err(|e| e.to_string())
}

/// `POST …/trusted-certificates-pop/{fingerprint}/confirmed`: the management tenant vouches for a
/// tenant, itself included.
pub(super) fn confirm(
    world: &mut World,
    call: &Call,
    tenant: &str,
    fingerprint: &str,
) -> Result<Answer, Refusal> {
    auth::caller(world, call)?.of_management()?.needs(TRUSTED_CERTIFICATES)?;
    let trusted = find(world, tenant, fingerprint)?;
    trusted.proven = true;
    trusted.code = None;
    shown(world, tenant, fingerprint)
}
