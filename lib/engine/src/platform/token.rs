//! A device's token over HTTPS, with its certificate (platform: "Token over HTTPS").
//!
//! The chain goes along in the header `X-Ssl-Cert-Chain`, PEM on one line, but for a certificate
//! alone, whose immediate issuer has to be uploaded. What the token says is not looked at here: see
//! [`device::token`](crate::device::token), which also makes the TLS that this goes over.

use serde::Deserialize;

use super::{Body, Client, Method, PlatformError, Request};
use crate::cert::Certificate;
use crate::secret::Password;

/// The platform's port for this.
pub const PORT: u16 = 8443;

/// The request, for a chain with the device's own certificate first.
pub fn request(chain: &[Certificate]) -> Request {
    let request = Request::new(Method::Post, "/devicecontrol/deviceAccessToken", Body::None);
    match chain {
        [] | [_] => request,
        chain => request.header("X-Ssl-Cert-Chain", on_one_line(chain)),
    }
}

/// PEM with a space in place of each line end, which no header can hold: without those the platform's parser
/// says "Incomplete data".
fn on_one_line(chain: &[Certificate]) -> String {
    let lines = |certificate: &Certificate| certificate.pem().trim().replace('\n', " ");
    chain.iter().map(lines).collect::<Vec<_>>().join(" ")
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "accessToken")]
    token: String,
}

/// Gets a token over TLS that presents the device's certificate.
///
/// Errors: [`PlatformError::DeviceCertificate`] if the platform does not accept it (401);
/// [`PlatformError::ChainUnread`] (400), [`PlatformError::NoTokens`] (404),
/// [`PlatformError::NotAutoRegistered`] (422).
pub(super) async fn fetch(
    client: &Client,
    chain: &[Certificate],
) -> Result<Password, PlatformError> {
    let answer: Answer =
        client.json(&request(chain)).await.map_err(|e| in_words(e, client.host()))?;
    Ok(Password::new(answer.token))
}

/// The refusals that the vendor's description names (`POST /devicecontrol/deviceAccessToken`).
fn in_words(error: PlatformError, host: &str) -> PlatformError {
    let host = host.to_owned();
    match error {
        PlatformError::Unauthorized { .. } => PlatformError::DeviceCertificate { host },
        PlatformError::Refused { status: 400, message, .. } => {
            PlatformError::ChainUnread { host, message }
        }
        PlatformError::Refused { status: 404, message, .. } => {
            PlatformError::NoTokens { host, message }
        }
        PlatformError::Refused { status: 422, message, .. } => {
            PlatformError::NotAutoRegistered { host, message }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    #[test]
    fn each_documented_refusal_has_words_of_its_own() {
        let refused = |status| {
            let (path, message) = ("/devicecontrol/deviceAccessToken".to_owned(), "why".into());
            let error = PlatformError::Refused { method: Method::Post, path, status, message };
            let error = in_words(error, "acme:8443");
            (error.to_string(), error.hint())
        };
        for (status, words) in [
            (400, "acme:8443 cannot read the chain in the header X-Ssl-Cert-Chain: why"),
            (404, "acme:8443 gives no tokens for certificates: why"),
            (422, "acme:8443 cannot register the device by itself: why"),
        ] {
            let (said, hint) = refused(status);
            assert_eq!(said, words);
            assert!(hint.is_some(), "{status}");
        }
        assert!(refused(409).0.contains("with 409"), "others stay as they are");
        let login = String::new();
        let error =
            PlatformError::Unauthorized { host: "acme:8443".to_owned(), login, message: None };
        let said = in_words(error, "acme:8443").to_string();
        assert_eq!(
            said,
            "acme:8443 does not accept the device's certificate: the chain is not valid there, or revoked"
        );
    }
}
