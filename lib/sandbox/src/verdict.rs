//! The platform's own verdict on a chain, before any device is flashed (platform: "The platform's own
//! verdict on a chain"): `POST /tenant/trusted-certificates/verify-cert-chain`.
//!
//! The chain is in the part `file`, as PEM, or in a header: its certificates separated by `,`, their lines
//! by a space. The tenant is that of the part `tenantId`, else it is found from the chain. Issuer and
//! subject in the answer are those of the first certificate. The part holds as many certificates as a chain may
//! have: the description says 10, which is the cloud's longest chain; that the two go together elsewhere is inferred.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer::{Answer, Refusal};
use super::auth::{self, VERDICTS};
use super::call::Call;
use super::judge;
use super::shown::spaced;
use super::state::World;
use crate::cert::{Certificate, LongestChain};

const HEADER: &str = "x-cumulocity-client-cert-chain";
/// Most certificates in the header.
const IN_HEADER: usize = 5;
const REFUSED: &str = "Invalid certificate chain!";

/// Judges a chain. Nothing is registered by it.
pub(super) fn answer(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    auth::caller(world, call)?.needs(VERDICTS)?;
    let unread = || Refusal::bad("The certificate chain cannot be parsed.");
    let chain = chain(call, world.site.longest_chain)?
        .filter(|chain| !chain.is_empty())
        .ok_or_else(unread)?;
    let wanted = tenant(call)?;
    if let Some(name) = wanted.as_ref().filter(|name| !world.tenants.contains_key(*name)) {
        return Err(Refusal::not_found(format!("There is no tenant {name:?}.")));
    }
    let tenant = judge::verify(world, &chain, wanted.as_deref(), call.now);
    let tenant = tenant.map_err(|reason| Refusal::unauthorized(reason).saying(REFUSED))?;
    let [leaf, ..] = &chain[..] else { return Err(unread()) };
    let (issuer, subject) = (spaced(&leaf.issuer), spaced(&leaf.subject));
    let object = json!({
        "successfullyValidated": true, "tenantId": tenant, "issuer": issuer, "subject": subject,
    });
    Ok(Answer::json(200, &object))
}

fn tenant(call: &Call) -> Result<Option<String>, Refusal> {
    if call.media_type() != "multipart/form-data" {
        return Ok(None);
    }
    let text = call.part("tenantId")?.map(|part| String::from_utf8_lossy(&part.bytes));
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// The chain; none if it cannot be read.
fn chain(call: &Call, longest: LongestChain) -> Result<Option<Vec<Certificate>>, Refusal> {
    if let Some(line) = call.header(HEADER) {
        let all: Option<Vec<Certificate>> = line.split(',').map(one).collect();
        return Ok(all.filter(|all| all.len() <= IN_HEADER));
    }
    let all = Certificate::all_from_pem_or_der(&call.file()?.bytes).ok();
    // The description reads 10. That a longer chain is read where the installation takes one is our assumption.
    let read = longest.max(LongestChain::CLOUD);
    Ok(all.filter(|all| read.takes(all.len())))
}

/// A certificate on one line, with or without BEGIN and END.
fn one(text: &str) -> Option<Certificate> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = text.trim();
    let inner = text.strip_prefix(BEGIN).and_then(|t| t.strip_suffix(END)).unwrap_or(text);
    let base64: String = inner.split_ascii_whitespace().collect();
    Certificate::from_der(&STANDARD.decode(base64).ok()?).ok()
}
