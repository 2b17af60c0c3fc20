//! A request, read whole.

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use time::OffsetDateTime;

use super::answer::{Result, bad};
use crate::csr::Request;
use crate::read;

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: hyper::Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// DER of the certificate whose key the client has shown in the handshake.
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) now: OffsetDateTime,
}

impl Call {
    /// The media type of the body, without parameters, in lower case.
    pub(super) fn media_type(&self) -> String {
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let value = value.unwrap_or_default().split(';').next().unwrap_or_default();
        value.trim().to_ascii_lowercase()
    }

    /// User and password of Basic authentication (RFC 7617), if the request has them; none if they cannot be read.
    pub(super) fn basic(&self) -> Option<Option<(String, String)>> {
        let value = self.headers.get(AUTHORIZATION)?;
        Some(value.to_str().ok().and_then(basic))
    }

    /// The PKCS#10 of the body: in base64 with or without line ends (RFC 7030, 4.2.1), in PEM as some clients send it,
    /// with text around it too, or in DER.
    pub(super) fn request(&self) -> Result<Request> {
        if self.body.is_empty() {
            return Err(bad("the body of the request is empty"));
        }
        let refused =
            |e: &dyn std::fmt::Display| bad(&format!("the body of the request is refused: {e}"));
        if let Some(der) = of_base64(&self.body) {
            return Request::from_der(&der).map_err(|e| refused(&e));
        }
        let mut found = read::requests(&self.body).map_err(|e| refused(&e))?;
        match (found.len(), found.pop()) {
            (1, Some(request)) => request.map_err(|e| refused(&e)),
            (count, _) => Err(bad(&format!("the body has {count} requests instead of one"))),
        }
    }
}

/// What base64 says, if it is nothing but that; neither PEM nor DER is.
fn of_base64(body: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine;
    let text: Vec<u8> = body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn basic(value: &str) -> Option<(String, String)> {
    use base64::Engine;
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(body: &[u8]) -> Call {
        Call {
            method: hyper::Method::POST,
            path: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            certificate: None,
            now: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn logins_are_those_of_rfc_7617() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(basic("Basic Z3ctMTpwOnc="), pair("gw-1", "p:w"));
        assert_eq!(basic("basic  Z3ctMTo="), pair("gw-1", ""));
        for other in
            ["", "Basic", "Bearer Z3ctMTpw", "Basic Z3ctMQ==", "Basic \u{e4}", "Basic /w=="]
        {
            assert_eq!(basic(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let forms = [&[][..], b"0", b"-----BEGIN CERTIFICATE REQUEST-----\n", b"MII"];
            for start in forms {
                let refused = call(&[start, &body].concat()).request().unwrap_err();
                prop_assert_eq!(refused.status, 400);
                prop_assert_eq!(refused.body.iter().filter(|b| **b == b'\n').count(), 1);
            }
        }
    }
}
