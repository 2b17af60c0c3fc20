//! Trusted certificates: the CAs whose devices a tenant lets in.
//!
//! What the platform checks at upload is checked here first ([`check`]): X.509 v3, `CA:TRUE`, not
//! expired; and RSA keys of 2048 bits at least. [`add`] is idempotent: a certificate that is there
//! is success, and a 409 is looked into, because the same certificate may stand in another tenant
//! of the instance.

mod check;
mod object;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use check::{TrustProblem, check};
pub use object::TrustedCertificate;

use super::lenient::AtMost;
use super::request::{self, segment};
use super::{Body, Client, Method, PlatformError, Request};
use crate::cert::Certificate;

/// Each of these lets a user change trusted certificates.
pub const ROLES: [&str; 2] = ["ROLE_TENANT_MANAGEMENT_ADMIN", "ROLE_TENANT_ADMIN"];

/// The same in words.
pub const ROLE: &str = "ROLE_TENANT_MANAGEMENT_ADMIN or ROLE_TENANT_ADMIN";

/// The role that is enough to read them.
pub const ROLE_READ: &str = "ROLE_TENANT_MANAGEMENT_READ";

/// Certificates on a page of a list.
const PAGE: usize = 1000;

/// Certificates on a page that a server sends unasked; the platform gives 2000 at most (its description,
/// `pageSize`).
const MOST_ON_PAGE: usize = 2000;

/// Bytes of a certificate's object: the certificate in base64, subject, issuer and the rest. One with a key of
/// RSA 8192 and a long subject is below 8 KiB.
const OBJECT: usize = 8 << 10;

/// Certificates of a tenant that are read; tenants have some tens.
const MOST_CERTIFICATES: usize = 10_000;

/// A certificate to upload, and how it is to stand there.
#[derive(Debug, Clone)]
pub struct NewTrusted<'a> {
    /// The certificate.
    pub certificate: &'a Certificate,
    /// Its name in the tenant.
    pub name: &'a str,
    /// Whether devices may use it.
    pub enabled: bool,
    /// Whether devices are registered at their first connection.
    pub auto_registration: bool,
}

/// A change of a trusted certificate: what is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Another name.
    pub name: Option<String>,
    /// Enable or disable it.
    pub enabled: Option<bool>,
    /// Switch auto-registration on or off.
    pub auto_registration: Option<bool>,
}

impl NewTrusted<'_> {
    /// Why it cannot be had where another tenant has it.
    pub fn in_another_tenant(&self) -> PlatformError {
        let fingerprint = self.certificate.fingerprint_sha1();
        PlatformError::InAnotherTenant { name: self.name.to_owned(), fingerprint }
    }
}

impl Change {
    /// Whether it would change anything of that certificate.
    pub fn concerns(&self, found: &TrustedCertificate) -> bool {
        self.name.as_ref().is_some_and(|n| *n != found.name)
            || self.enabled.is_some_and(|e| e != found.is_enabled())
            || self.auto_registration.is_some_and(|a| a != found.auto_registration_enabled)
    }
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Added {
    /// It was uploaded.
    Created,
    /// It was there.
    AlreadyThere,
    /// The platform calls it known, but this tenant does not have it: another tenant of the
    /// instance does.
    InAnotherTenant,
}

fn path(tenant: &str) -> String {
    format!("/tenant/tenants/{}/trusted-certificates", segment(tenant))
}

fn one(tenant: &str, fingerprint: &str) -> String {
    format!("{}/{}", path(tenant), segment(fingerprint))
}

fn status(enabled: bool) -> &'static str {
    if enabled { "ENABLED" } else { "DISABLED" }
}

fn new_json(new: &NewTrusted<'_>) -> serde_json::Value {
    json!({
        "name": new.name,
        "status": status(new.enabled),
        "autoRegistrationEnabled": new.auto_registration,
        "certInPemFormat": new.certificate.pem(),
    })
}

/// The upload of certificates: one by the plain call, several by the bulk call, which takes all or
/// none.
pub fn add_request(tenant: &str, new: &[NewTrusted<'_>]) -> Request {
    // The answer repeats them.
    let most = request::MOST + new.len() * OBJECT;
    let (path, body) = match new {
        [one] => (path(tenant), new_json(one)),
        many => {
            let all: Vec<_> = many.iter().map(new_json).collect();
            (path(tenant) + "/bulk", json!({ "certificates": all }))
        }
    };
    // Sent twice, the second is answered with 409, which is looked into.
    Request::new(Method::Post, path, Body::Json(body)).role(ROLE).at_most(most)
}

/// The change of a certificate. All three settings are sent: the platform's answer to a part of
/// them is not documented.
pub fn update_request(tenant: &str, found: &TrustedCertificate, change: &Change) -> Request {
    let mut body = json!({
        "name": change.name.as_deref().unwrap_or(&found.name),
        "autoRegistrationEnabled":
            change.auto_registration.unwrap_or(found.auto_registration_enabled),
    });
    let status = change.enabled.map_or(found.status.as_str(), |enabled| status(enabled));
    if !status.is_empty() {
        body["status"] = status.into();
    }
    Request::new(Method::Put, one(tenant, &found.fingerprint), Body::Json(body)).role(ROLE)
}

/// The removal of a certificate.
pub fn remove_request(tenant: &str, fingerprint: &str) -> Request {
    Request::new(Method::Delete, one(tenant, fingerprint), Body::None).role(ROLE)
}

/// A page of a list, and the answer to a bulk upload.
#[derive(Deserialize)]
struct Page<const MOST: usize> {
    certificates: AtMost<TrustedCertificate, MOST>,
    #[serde(default)]
    next: Option<String>,
}

/// All trusted certificates of the tenant, page by page.
pub async fn list(client: &Client) -> Result<Vec<TrustedCertificate>, PlatformError> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for number in 1.. {
        let request = Request::get(path(client.tenant().await?))
            .role(ROLE_READ)
            .with("pageSize", PAGE)
            .with("currentPage", number)
            .at_most(PAGE * OBJECT);
        let page: Page<MOST_ON_PAGE> = client.json(&request).await?;
        let certificates = page.certificates.0;
        let (got, before) = (certificates.len(), all.len());
        // A certificate that is added meanwhile moves others onto the next page.
        let new = |c: &TrustedCertificate| seen.insert(c.fingerprint.clone());
        all.extend(certificates.into_iter().filter(new));
        if all.len() > MOST_CERTIFICATES {
            let problem = format!("it lists more than {MOST_CERTIFICATES} certificates");
            return Err(client.strange(&request, problem));
        }
        // `next` may be there on the last page too. A page with nothing new ends the list, also that
        // of a server that gives the same page for ever.
        if all.len() == before || page.next.is_none() && got < PAGE {
            break;
        }
    }
    Ok(all)
}

/// Other certificates of the same CA: the same name and the same key.
pub fn renewals<'a>(
    all: &'a [TrustedCertificate],
    one: &TrustedCertificate,
) -> Vec<&'a TrustedCertificate> {
    one.certificate().map_or_else(|_| Vec::new(), |certificate| renewals_of(all, &certificate))
}

/// The same of a certificate that the tenant need not have.
pub fn renewals_of<'a>(
    all: &'a [TrustedCertificate],
    certificate: &Certificate,
) -> Vec<&'a TrustedCertificate> {
    let is_other =
        |c: &&TrustedCertificate| c.certificate().is_ok_and(|c| c.is_renewal_of(certificate));
    all.iter().filter(is_other).collect()
}

/// One certificate by its fingerprint; none if the tenant does not have it.
pub async fn find(
    client: &Client,
    fingerprint: &str,
) -> Result<Option<TrustedCertificate>, PlatformError> {
    let request = Request::get(one(client.tenant().await?, fingerprint)).role(ROLE_READ);
    match client.json(&request).await {
        Ok(found) => of_that(client, &request, found, fingerprint).map(Some),
        Err(e) if e.status() == Some(404) => Ok(None),
        Err(e) => Err(e),
    }
}

/// An answer has to be about the certificate that it was asked about.
fn of_that(
    client: &Client,
    request: &Request,
    found: TrustedCertificate,
    fingerprint: &str,
) -> Result<TrustedCertificate, PlatformError> {
    match found.fingerprint.eq_ignore_ascii_case(fingerprint) {
        true => Ok(found),
        false => {
            let problem = format!("its answer is about another certificate, {}", found.fingerprint);
            Err(client.strange(request, problem))
        }
    }
}

/// Uploads what is not there, several with one call. What came of each, in the same order.
pub async fn add(client: &Client, new: &[NewTrusted<'_>]) -> Result<Vec<Added>, PlatformError> {
    if let [one] = new {
        return Ok(vec![add_one(client, one).await?]);
    }
    let there: Vec<String> = list(client).await?.into_iter().map(|c| c.fingerprint).collect();
    let is_there = |n: &NewTrusted<'_>| there.contains(&n.certificate.fingerprint_sha1());
    let missing: Vec<NewTrusted<'_>> = new.iter().filter(|n| !is_there(n)).cloned().collect();
    let all_new = match missing.as_slice() {
        [] | [_] => false,
        many => match add_all(client, many).await {
            Ok(()) => true,
            // One of them is known somewhere or refused, and none was taken: find out which.
            Err(e) if matches!(e.status(), Some(409 | 422)) => false,
            Err(e) => return Err(e),
        },
    };
    let mut added = Vec::with_capacity(new.len());
    for n in new {
        added.push(match (is_there(n), all_new) {
            (true, _) => Added::AlreadyThere,
            (false, true) => Added::Created,
            (false, false) => add_one(client, n).await?,
        });
    }
    Ok(added)
}

async fn add_all(client: &Client, new: &[NewTrusted<'_>]) -> Result<(), PlatformError> {
    let request = add_request(client.tenant().await?, new);
    let made: Page<MOST_CERTIFICATES> = client.json(&request).await?;
    let made: HashSet<String> =
        made.certificates.0.into_iter().map(|c| c.fingerprint.to_ascii_lowercase()).collect();
    let missing = new.iter().map(|n| n.certificate.fingerprint_sha1()).find(|f| !made.contains(f));
    match missing {
        None => Ok(()),
        Some(missing) => {
            Err(client
                .strange(&request, format!("its answer does not name the certificate {missing}")))
        }
    }
}

async fn add_one(client: &Client, new: &NewTrusted<'_>) -> Result<Added, PlatformError> {
    let request = add_request(client.tenant().await?, std::slice::from_ref(new));
    let fingerprint = new.certificate.fingerprint_sha1();
    match client.json(&request).await {
        Ok(made) => of_that(client, &request, made, &fingerprint).map(|_| Added::Created),
        Err(e) if e.status() == Some(409) => {
            let found = find(client, &fingerprint).await?;
            Ok(if found.is_some() { Added::AlreadyThere } else { Added::InAnotherTenant })
        }
        Err(e) => Err(e),
    }
}

/// Changes a certificate; the certificate as it is then.
pub async fn update(
    client: &Client,
    found: &TrustedCertificate,
    change: &Change,
) -> Result<TrustedCertificate, PlatformError> {
    client.send(&update_request(client.tenant().await?, found, change)).await?;
    known(client, &found.fingerprint).await
}

/// Removes a certificate; false if it was not there.
pub async fn remove(client: &Client, fingerprint: &str) -> Result<bool, PlatformError> {
    match client.send(&remove_request(client.tenant().await?, fingerprint)).await {
        Ok(_) => Ok(true),
        Err(e) if e.status() == Some(404) => Ok(false),
        Err(e) => Err(e),
    }
}

/// A certificate that has to be there, itself at hand.
///
/// Errors: [`PlatformError::NotThere`] if it is not; [`PlatformError::OtherOfCa`] if the tenant has another
/// certificate of the same CA in its place.
pub async fn known_certificate(
    client: &Client,
    certificate: &Certificate,
) -> Result<TrustedCertificate, PlatformError> {
    match known(client, &certificate.fingerprint_sha1()).await {
        Err(missing @ PlatformError::NotThere { .. }) => {
            let all = list(client).await?;
            let Some(other) = renewals_of(&all, certificate).into_iter().next() else {
                return Err(missing);
            };
            Err(PlatformError::OtherOfCa {
                tenant: client.tenant().await?.to_owned(),
                subject: certificate.subject.to_string(),
                found: other.fingerprint.clone(),
                until: other
                    .not_after
                    .map_or_else(String::new, |t| format!(", until {}", t.date())),
            })
        }
        other => other,
    }
}

/// A certificate that has to be there.
///
/// Errors: [`PlatformError::NotThere`] if it is not.
pub async fn known(
    client: &Client,
    fingerprint: &str,
) -> Result<TrustedCertificate, PlatformError> {
    match find(client, fingerprint).await? {
        Some(found) => Ok(found),
        None => Err(PlatformError::NotThere {
            tenant: client.tenant().await.unwrap_or_default().to_owned(),
            fingerprint: fingerprint.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_changes_nothing_is_known() {
        let found: TrustedCertificate = serde_json::from_str(
            r#"{"fingerprint":"ab","name":"n","status":"ENABLED","autoRegistrationEnabled":true}"#,
        )
        .unwrap();
        let same = Change {
            name: Some("n".to_owned()),
            enabled: Some(true),
            auto_registration: Some(true),
        };
        assert!(!same.concerns(&found) && !Change::default().concerns(&found));
        assert!(Change { enabled: Some(false), ..Change::default() }.concerns(&found));
        let request = update_request("t1", &found, &Change { name: Some("m".into()), ..same });
        let body = r#"{"autoRegistrationEnabled":true,"name":"m","status":"ENABLED"}"#;
        assert_eq!(request.body, Body::Json(serde_json::from_str(body).unwrap()));
    }
}
