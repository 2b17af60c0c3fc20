//! A token for a device, over HTTPS with its certificate (platform: "Token over HTTPS").
//!
//! The chain is in the header `X-Ssl-Cert-Chain`, unless the immediate issuer was uploaded: PEM on one line,
//! with a space in place of every line end. Without those it is refused with 400 and the words of Java's
//! parser. A chain that does not begin with the certificate of the handshake gets that put in front.
//! Whatever is wrong with the chain: 401 without a reason; the list of connections has it. A device that
//! cannot be registered by itself: 422.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::judge::{self, Reason};
use super::state::World;
use crate::cert::Certificate;

const HEADER: &str = "x-ssl-cert-chain";

/// `POST /devicecontrol/deviceAccessToken`.
pub(super) fn issue(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    let leaf = call.certificate.as_ref().ok_or_else(|| {
        Refusal::unauthorized("the client showed no certificate in its handshake")
    })?;
    let presented = presented(call, leaf)?;
    let admitted = judge::admit(world, &presented, call.now).map_err(|reason| match reason {
        Reason::NotRegistrable(reason) => {
            let message = format!("Automatic registration failed: {reason}.");
            Refusal::unprocessable(message).plain()
        }
        Reason::Chain(reason) => Refusal::unauthorized(reason),
    })?;
    let (tenant, device) = (&admitted.tenant, &admitted.device);
    let token = world.tokens.issue_to_device(&world.site.host, tenant, device, call.now);
    let token = token.map_err(Refusal::broken)?;
    Ok(Answer::json(200, &json!({ "accessToken": token.expose() })))
}

/// The chain of the header, with the certificate of the handshake first; that one alone without the header.
fn presented(call: &Call, leaf: &Certificate) -> Result<Vec<Certificate>, Refusal> {
    if !call.headers.contains_key(HEADER) {
        return Ok(vec![leaf.clone()]);
    }
    let text = call.header(HEADER).and_then(chain);
    // The words of Java's parser, in which a line end is missing.
    let mut chain = text.ok_or_else(|| Refusal::bad("Incomplete data"))?;
    if chain.first() != Some(leaf) {
        chain.insert(0, leaf.clone());
    }
    Ok(chain)
}

/// PEM on one line, a space in place of each line end (or tab, which is read as one).
fn chain(text: &str) -> Option<Vec<Certificate>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (base64, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        let spaced = base64.starts_with([' ', '\t']) && base64.ends_with([' ', '\t']);
        if !spaced || !(after.is_empty() || after.starts_with([' ', '\t'])) {
            return None;
        }
        let base64: String = base64.split_ascii_whitespace().collect();
        found.push(Certificate::from_der(&STANDARD.decode(base64).ok()?).ok()?);
        rest = after.trim_start();
    }
    Some(found)
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
        assert_eq!(chain(&pem.replace('\n', " ")), Some(vec![a.clone(), b.clone()]));
        let without = pem.replace('\n', "");
        let once = pem.trim().replace("-----\n-----", "----------").replace('\n', " ");
        for bad in [
            without.as_str(),
            &once,
            "x",
            &a.pem()[..60],
            "-----BEGIN CERTIFICATE----- ! -----END CERTIFICATE-----",
        ] {
            assert_eq!(chain(bad), None, "{bad}");
        }
    }
}
