//! A token for a device, over HTTPS with its certificate (platform: "Token over HTTPS").
//!
//! The chain is in the header `X-Ssl-Cert-Chain`, PEM on one line, unless the immediate issuer was
//! uploaded. Whatever is wrong: 401 without a reason; the list of connections has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::judge;
use super::state::World;
use crate::cert::Certificate;

const HEADER: &str = "x-ssl-cert-chain";

/// `POST /devicecontrol/deviceAccessToken`.
pub(super) fn issue(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let presented = presented(call).map_err(Refusal::unauthorized)?;
    let admitted = judge::admit(world, &presented, call.now).map_err(Refusal::unauthorized)?;
    let (tenant, device) = (&admitted.tenant, &admitted.device);
    let token = world.tokens.issue(&world.site.host, tenant, device, true, call.now);
    Ok(Answer::json(200, &json!({ "accessToken": token.expose() })))
}

/// The chain of the header, which begins with the certificate of the handshake; that one alone
/// without the header.
fn presented(call: &Call) -> Result<Vec<Certificate>, String> {
    let Some(leaf) = &call.certificate else {
        return Err("the client showed no certificate in its handshake".to_owned());
    };
    if !call.headers.contains_key(HEADER) {
        return Ok(vec![leaf.clone()]);
    }
    let text = call.header(HEADER).ok_or("X-Ssl-Cert-Chain is no text")?;
    let chain = chain(text)?;
    match chain.first() {
        Some(first) if first == leaf => Ok(chain),
        _ => {
            Err("X-Ssl-Cert-Chain does not begin with the certificate of the handshake".to_owned())
        }
    }
}

/// PEM on one line, its line ends removed or made spaces.
fn chain(text: &str) -> Result<Vec<Certificate>, String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let broken = || format!("X-Ssl-Cert-Chain: certificate {} is not whole", found.len() + 1);
        let inner = rest.strip_prefix(BEGIN).ok_or_else(broken)?;
        let (base64, after) = inner.split_once(END).ok_or_else(broken)?;
        let base64: String = base64.split_ascii_whitespace().collect();
        let der = STANDARD.decode(base64).map_err(|_| broken())?;
        found.push(Certificate::from_der(&der).map_err(|_| broken())?);
        rest = after.trim_start();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_on_one_line() {
        let now = super::super::clock::now();
        let (a, _) = super::super::identity::authority("a", now).unwrap();
        let (b, _) = super::super::identity::authority("b", now).unwrap();
        let pem = format!("{}{}", a.pem(), b.pem());
        for line in [pem.replace('\n', ""), pem.replace('\n', " ")] {
            assert_eq!(chain(&line).unwrap(), [a.clone(), b.clone()]);
        }
        for bad in ["x", &a.pem()[..60], "-----BEGIN CERTIFICATE-----!-----END CERTIFICATE-----"] {
            assert!(chain(bad).is_err(), "{bad}");
        }
    }
}
