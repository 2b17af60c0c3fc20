//! Enrolment with the platform's own CA: a device's request goes out, its certificate comes back
//! (platform: "The platform's own CA"; RFC 7030, sections 4.2 and 4.1.3).
//!
//! [`enroll`] is for a device that was registered with a one-time password: the client's login is
//! its id with that password. [`reenroll`] is for one that has a certificate and with it a token.
//! The answer is read with tolerance, since a one-time password is used up by it: base64 with or
//! without line breaks, PEM or DER. Refused: an answer that holds no certificate for the request's
//! key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::transport::Answer;
use super::{Body, Client, Method, PlatformError, Request};
use crate::cert::Certificate;
use crate::chain::{self, LeafChoice};
use crate::crypto::PublicKey;
use crate::csr;
use crate::failure::{Failure, Fault, Underlying};
use crate::store::pkcs7;

/// What lets a device have its next certificate: its own user has it.
const ROLE_RENEW: &str = "ROLE_DEVICE";

const ACCEPT: &str = "application/pkcs7-mime, */*";

/// A device's first certificate. The one-time password is good for one answer: the request is
/// repeated only when it is known to have had no effect.
pub fn enroll_request(csr_der: &[u8]) -> Request {
    request("simpleenroll", csr_der).once()
}

/// A device's next certificate. It is repeated only when it is known to have had no effect: each
/// effect is a certificate.
pub fn reenroll_request(csr_der: &[u8]) -> Request {
    request("simplereenroll", csr_der).role(ROLE_RENEW).once()
}

fn request(operation: &str, csr_der: &[u8]) -> Request {
    let path = format!("/.well-known/est/{operation}");
    let body = Body::Pkcs10(STANDARD.encode(csr_der));
    Request::new(Method::Post, path, body).accept(ACCEPT)
}

/// Gets a device its first certificate: the leaf, then its issuers as far as they were sent. The
/// client's login is the device's id and its one-time password.
///
/// Errors: a request that no CA would accept, found before anything is sent; the platform's refusal;
/// an answer without a certificate for the request's key.
pub async fn enroll(client: &Client, csr_der: &[u8]) -> Result<Vec<Certificate>, PlatformError> {
    let (request, key) = prepare(csr_der, enroll_request)?;
    let lost = |reason| PlatformError::EnrolmentLost { device: client.user(), reason };
    let answer = client.send(&request).await.map_err(|e| match e {
        PlatformError::Unauthorized { host, message, .. } => {
            PlatformError::OneTimePassword { host, device: client.user(), message }
        }
        // Nobody knows whether the one-time password is used up.
        e if e.fault() == Fault::Lost => lost(Underlying::of(e)),
        other => other,
    })?;
    certificates(&answer, &key).map_err(lost)
}

/// Gets a device its next certificate, as [`enroll`] does. The client's login is the device's token.
pub async fn reenroll(client: &Client, csr_der: &[u8]) -> Result<Vec<Certificate>, PlatformError> {
    let (request, key) = prepare(csr_der, reenroll_request)?;
    let answer = client.send(&request).await.map_err(|e| match e {
        PlatformError::Unauthorized { host, .. } => PlatformError::DeviceToken { host },
        other => other,
    })?;
    certificates(&answer, &key).map_err(|problem| client.strange(&request, problem))
}

/// The request, and the key that the certificate has to be for.
fn prepare(
    csr_der: &[u8],
    request: fn(&[u8]) -> Request,
) -> Result<(Request, PublicKey), PlatformError> {
    let csr = csr::Request::from_der(csr_der)?;
    let key = csr.check_possession()?.clone();
    Ok((request(csr_der), key))
}

/// The certificates of an answer, the one for `key` first; or what is strange about it.
fn certificates(answer: &Answer, key: &PublicKey) -> Result<Vec<Certificate>, Underlying> {
    // RFC 7030, 4.2.3. The platform has no such wait.
    if answer.status == 202 {
        return Err("it takes the request and will answer it later (202)".into());
    }
    if answer.body.is_empty() {
        return Err("the answer is empty".into());
    }
    let found = pkcs7::read(&bytes(&answer.body)?).map_err(Underlying::of)?;
    leaf_first(found, key)
}

/// PKCS#7 in DER or PEM.
fn bytes(body: &[u8]) -> Result<Vec<u8>, Underlying> {
    if pkcs7::is_signed_data(body) || body.trim_ascii_start().starts_with(b"-----BEGIN ") {
        return Ok(body.to_vec());
    }
    let text: Vec<u8> = body.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(text).map_err(|e| Underlying::worded(format!("it is no base64 ({e})"), e))
}

/// The certificate for `key`, then its issuers.
fn leaf_first(found: Vec<Certificate>, key: &PublicKey) -> Result<Vec<Certificate>, Underlying> {
    let (own, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|c| c.public_key.as_ref() == Ok(key));
    // A server that sends the old certificate along with the new one is understood.
    let Some(leaf) = own.into_iter().max_by_key(|c| c.not_before) else {
        return Err("no certificate in it is for the key of the request".into());
    };
    let heap: Vec<Certificate> = std::iter::once(leaf).chain(others).collect();
    Ok(match chain::order(&heap, LeafChoice::PublicKey(key)) {
        Ok(ordered) => ordered.certificates,
        // The certificate is good, whatever came with it, and there may be no second one.
        Err(_) => heap,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Repeat;
    use crate::testing::{NOW, Signed};

    /// A device, an intermediate and a root.
    fn chain() -> Vec<Certificate> {
        let pem = concat!(
            include_str!("../../testdata/ec-p256.cert.pem"),
            include_str!("../../testdata/intermediate.cert.pem"),
            include_str!("../../testdata/root.cert.pem"),
        );
        Certificate::all_from_pem_or_der(pem.as_bytes()).unwrap()
    }

    fn other() -> Certificate {
        let pem = include_bytes!("../../testdata/ec-p384.cert.pem");
        Certificate::all_from_pem_or_der(pem).unwrap().remove(0)
    }

    fn answered(body: &[u8]) -> Result<Vec<Certificate>, String> {
        answered_to(&chain()[0], 200, body)
    }

    fn answered_to(
        leaf: &Certificate,
        status: u16,
        body: &[u8],
    ) -> Result<Vec<Certificate>, String> {
        let answer = Answer {
            status,
            content_type: "application/pkcs7-mime;smime-type=certs-only".to_owned(),
            retry_after: None,
            location: None,
            date: None,
            body: body.to_vec(),
        };
        certificates(&answer, leaf.public_key.as_ref().unwrap()).map_err(|e| e.to_string())
    }

    fn base64(certificates: &[Certificate]) -> String {
        STANDARD.encode(pkcs7::write(certificates))
    }

    #[test]
    fn requests_are_those_of_est() {
        let csr = [0x30, 0x82, 0xff, 0xfe, 0x01];
        let first = enroll_request(&csr);
        assert_eq!(
            first.to_string(),
            "POST /.well-known/est/simpleenroll\nContent-Type: application/pkcs10\n\nMIL//gE=\n"
        );
        assert_eq!(first.repeat, Repeat::IfUndone);
        let next = reenroll_request(&csr);
        assert_eq!(next.path, "/.well-known/est/simplereenroll");
        assert_eq!((next.repeat, next.body), (Repeat::IfUndone, first.body));
        assert_eq!((first.accept, next.accept), (ACCEPT, ACCEPT));
    }

    #[test]
    fn answers_are_read_however_they_are_wrapped() {
        let all = chain();
        let text = base64(&all);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
        let pem = format!("-----BEGIN PKCS7-----\n{}\n-----END PKCS7-----\n", lines.join("\n"));
        let crlf = lines.join("\r\n") + "\r\n";
        let bodies = [text.clone().into_bytes(), crlf.into(), pem.into(), pkcs7::write(&all)];
        for body in bodies {
            assert_eq!(answered(&body).as_ref(), Ok(&all), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn the_leaf_comes_first_and_what_is_not_its_own_goes() {
        let all = chain();
        let mixed = [all[2].clone(), other(), all[0].clone(), all[1].clone()];
        assert_eq!(answered(base64(&mixed).as_bytes()), Ok(all.clone()));
        assert_eq!(answered(base64(&all[..1]).as_bytes()), Ok(all[..1].to_vec()));
    }

    #[test]
    fn a_certificate_is_kept_whatever_comes_with_it() {
        let root = Signed::root("CN=root", |_| {});
        let ca = root.ca("CN=ca", |_| {});
        let leaf = ca.leaf();
        // Which of the two follows is in doubt.
        let twin = root.ca_with_key("CN=ca", ca.key.clone(), |draft| draft.serial[1] ^= 1).cert;
        let heap = [twin.clone(), ca.cert.clone(), leaf.clone()];
        assert!(chain::order(&heap, LeafChoice::Only).is_err());
        let found = answered_to(&leaf, 200, base64(&heap).as_bytes());
        assert_eq!(found, Ok(vec![leaf.clone(), twin, ca.cert.clone()]));

        let newer = ca.device("CN=device-1", |draft| {
            draft.spki.clone_from(&leaf.spki);
            draft.not_before = NOW;
        });
        for heap in [[leaf.clone(), newer.clone()], [newer.clone(), leaf.clone()]] {
            let found = answered_to(&leaf, 200, base64(&heap).as_bytes());
            assert_eq!(found, Ok(vec![newer.clone()]));
        }
    }

    #[test]
    fn a_certificate_of_another_key_is_refused() {
        let of_others = [other(), chain().remove(1)];
        let problem = answered(base64(&of_others).as_bytes()).unwrap_err();
        assert_eq!(problem, "no certificate in it is for the key of the request");
    }

    #[test]
    fn what_is_no_answer_is_named() {
        assert_eq!(answered(b""), Err("the answer is empty".to_owned()));
        let later = answered_to(&chain()[0], 202, base64(&chain()).as_bytes());
        assert!(later.unwrap_err().contains("later (202)"));
        assert!(answered(b"<html>").unwrap_err().starts_with("it is no base64"));
        let problem = answered(STANDARD.encode(chain()[0].der()).as_bytes()).unwrap_err();
        assert!(problem.starts_with("not a PKCS#7 file: "), "{problem}");
        let problem = answered(base64(&[]).as_bytes()).unwrap_err();
        assert_eq!(problem, "there is no certificate in the PKCS#7 file");
    }
}
