//! A request, read whole.

use std::net::IpAddr;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::answer::{Result, bad, media_type};
use crate::csr::Request;
use crate::read;

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: hyper::Method,
    pub(super) path: String,
    /// What stands behind the question mark.
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// DER of the certificate whose key the client has shown in the handshake.
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) now: OffsetDateTime,
    /// The address of who asks.
    pub(super) client: IpAddr,
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

    /// The token of Bearer authentication (RFC 6750), if the request has one.
    pub(super) fn bearer(&self) -> Option<&str> {
        let value = self.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// The text of a header field.
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A value of the query (URL Standard, 5.1), the first of that name.
    pub(super) fn query(&self, name: &str) -> Result<Option<String>> {
        let pairs = self.query.iter().flat_map(|query| query.split('&'));
        let found = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let Some((_, value)) = found.into_iter().find(|(known, _)| *known == name) else {
            return Ok(None);
        };
        let spaced = value.replace('+', " ");
        let text = percent_decode_str(&spaced).decode_utf8();
        let text =
            text.map_err(|_| bad(&format!("{name} is not UTF-8 once %-signs are decoded")))?;
        Ok(Some(text.into_owned()))
    }

    /// The JSON of the body.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        if self.media_type() != "application/json" {
            return Err(media_type("application/json"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| bad(&format!("the body of the request is not as described: {e}")))
    }

    /// The PKCS#10 of the body.
    pub(super) fn request(&self) -> Result<Request> {
        match self.body.is_empty() {
            true => Err(bad("the body of the request is empty")),
            false => request_in(&self.body),
        }
    }
}

/// A PKCS#10: in base64 with or without line ends (RFC 7030, 4.2.1), in PEM as some clients send it, with text around it
/// too, or in DER.
pub(super) fn request_in(bytes: &[u8]) -> Result<Request> {
    let refused =
        |e: &dyn std::fmt::Display| bad(&format!("the body of the request is refused: {e}"));
    if let Some(der) = of_base64(bytes) {
        return Request::from_der(&der).map_err(|e| refused(&e));
    }
    let mut found = read::requests(bytes).map_err(|e| refused(&e))?;
    match (found.len(), found.pop()) {
        (1, Some(request)) => request.map_err(|e| refused(&e)),
        (count, _) => Err(bad(&format!("the body has {count} requests instead of one"))),
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
    use crate::serve::answer::Body;

    fn call(body: &[u8]) -> Call {
        Call {
            method: hyper::Method::POST,
            path: String::new(),
            query: None,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body),
            certificate: None,
            now: OffsetDateTime::UNIX_EPOCH,
            client: IpAddr::from([127, 0, 0, 1]),
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
                let Body::Sentence(text) = refused.body else { panic!("no sentence") };
                prop_assert!(!text.contains('\n'));
            }
        }
    }
}
