//! A device's token over HTTPS, with its certificate (platform: "Token over HTTPS").
//!
//! The chain goes along in the header `X-Ssl-Cert-Chain`, PEM on one line, but for a certificate
//! alone, whose immediate issuer has to be uploaded. What the token says is not looked at here: see
//! [`device::token`](crate::device::token), which also makes the TLS that this goes over.

use rustls::ClientConfig;
use serde::Deserialize;

use super::transport::Transport;
use super::{Body, Client, Method, PlatformError, Request, Settings};
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
/// Errors: [`PlatformError::DeviceCertificate`] if the platform does not accept it.
pub(crate) fn fetch(
    settings: &Settings,
    tls: ClientConfig,
    chain: &[Certificate],
) -> Result<Password, PlatformError> {
    let client = Client::over(Transport::with_tls(settings, tls)?, settings)?;
    let answer: Answer = client.json(&request(chain)).map_err(|e| match e {
        PlatformError::Unauthorized { host, .. } => PlatformError::DeviceCertificate { host },
        other => other,
    })?;
    Ok(Password::new(answer.token))
}
