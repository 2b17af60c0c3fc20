//! Proof of possession: the one who uploaded a CA shows that its key is theirs (platform: "Proof of
//! possession"). The signature is over the code's bytes exactly, with SHA-256: RSA with PKCS#1 v1.5,
//! ECDSA in DER. A code is there from the upload on, good once, and for a time; each new one takes the place
//! of the one before. A line end after it in what was signed does no harm.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::{Answer, Refusal};
use super::auth::{self, TRUSTED_CERTIFICATES};
use super::call::Call;
use super::clock::iso;
use super::state::{Code, Trusted, World};
use super::trusted::{find, keeper, shown};

/// `POST …/trusted-certificates-pop/{fingerprint}/verification-code`.
pub(super) fn new_code(
    world: &mut World,
    call: &Call,
    tenant: &str,
    fingerprint: &str,
) -> Result<Answer, Refusal> {
    keeper(world, call, tenant)?;
    let code = Code::new(&world.site, call.now).map_err(Refusal::broken)?;
    find(world, tenant, fingerprint)?.code = Some(code);
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
        return Err(Refusal::unprocessable(message).plain());
    };
    let code = usable_code(trusted, call)?;
    verify(trusted, code, signature).map_err(|reason| {
        Refusal::bad(format!("The signature of the verification code is wrong: {reason}.")).plain()
    })?;
    trusted.proven = true;
    trusted.code = None;
    shown(world, tenant, fingerprint)
}

fn usable_code<'a>(trusted: &'a Trusted, call: &Call) -> Result<&'a str, Refusal> {
    match &trusted.code {
        None => {
            Err(Refusal::unprocessable("There is no verification code: ask for one first.").plain())
        }
        Some(code) if code.until <= call.now => Err(Refusal::unprocessable(format!(
            "The verification code could be used until {}: ask for a new one.",
            iso(code.until)
        ))
        .plain()),
        Some(code) => Ok(&code.text),
    }
}

fn verify(trusted: &Trusted, code: &str, signature: &str) -> Result<(), String> {
    let signature = STANDARD.decode(signature);
    let signature = signature.map_err(|e| format!("it is no base64 without line breaks ({e})"))?;
    let key = trusted.certificate.public_key.as_ref().map_err(ToString::to_string)?;
    let right = key.verify_sha256(code.as_bytes(), &signature);
    // Since 10.18.86 a line end does no harm.
    let mut with_line_end = ["\n", "\r\n"].iter().map(|end| format!("{code}{end}"));
    if with_line_end.any(|code| key.verify_sha256(code.as_bytes(), &signature).is_ok()) {
        return Ok(());
    }
    right.map_err(|e| e.to_string())
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
    if trusted.proven {
        return Err(Refusal::unprocessable("Its possession is proven already.").plain());
    }
    trusted.proven = true;
    trusted.code = None;
    shown(world, tenant, fingerprint)
}
