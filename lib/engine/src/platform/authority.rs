//! The platform's own CA for a tenant: whether the tenant may have one, whether it has one, and its dates
//! (platform: "The platform's own CA").
//!
//! The feature `certificate-authority` is asked first, because without it the platform answers 404 or 403
//! to everything else. The platform renews the CA by itself on 2 October of each year, with the same key
//! and name: its fingerprint changes, and the certificates that it has issued stay valid.

use serde::Serialize;
use serde_json::json;

use super::trusted::{self, TrustedCertificate};
use super::{Body, Client, Method, PlatformError, Request, features};
use crate::failure::{Failure, Fault};

/// The feature of the platform.
const FEATURE: &str = "certificate-authority";

/// What lets a user switch a feature of the tenant.
const FEATURE_ROLE: &str = "ROLE_TENANT_MANAGEMENT_ADMIN";

/// Whether the tenant may have a CA of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Feature {
    /// It may.
    On,
    /// It may not, until the feature is switched on.
    Off,
    /// The platform does not know the feature.
    Absent,
}

/// What there is of the platform's own CA.
#[derive(Debug, Clone)]
pub struct Status {
    /// Whether the tenant may have one.
    pub feature: Feature,
    /// The CA; none where the tenant has none.
    pub authority: Option<TrustedCertificate>,
}

/// The question whether the tenant may have a CA of the platform.
pub fn feature_request() -> Request {
    features::request(FEATURE)
}

/// The request that lets it have one.
pub fn enable_request() -> Request {
    let body = Body::Json(json!({ "active": true }));
    Request::new(Method::Put, format!("/features/{FEATURE}/by-tenant"), body).role(FEATURE_ROLE)
}

/// The request that makes the CA.
pub fn create_request() -> Request {
    Request::new(Method::Post, "/certificate-authority", Body::None).role(trusted::ROLE)
}

/// The request that gives the CA new dates. It is repeated only when it is known to have had no effect:
/// each effect is another fingerprint.
pub fn renew_request() -> Request {
    Request::new(Method::Post, "/certificate-authority/renew", Body::None)
        .role(trusted::ROLE)
        .once()
}

/// Whether the tenant may have a CA of the platform.
pub async fn feature(client: &Client) -> Result<Feature, PlatformError> {
    asked(client).await.map(|answer| answer.unwrap_or(Feature::Absent))
}

/// The feature, or what the platform says that does not know it.
async fn asked(client: &Client) -> Result<Result<Feature, PlatformError>, PlatformError> {
    match features::is_on(client, FEATURE).await {
        Ok(true) => Ok(Ok(Feature::On)),
        Ok(false) => Ok(Ok(Feature::Off)),
        Err(PlatformError::Refused { status: 404, message, .. }) => {
            let host = client.host().to_owned();
            Ok(Err(PlatformError::NoAuthorityFeature { host, message }))
        }
        Err(e) => Err(e),
    }
}

/// Refuses what cannot work without the feature.
async fn need_feature(client: &Client) -> Result<(), PlatformError> {
    match asked(client).await?? {
        Feature::On => Ok(()),
        _ => Err(PlatformError::AuthorityOff),
    }
}

/// What there is of the CA. Nothing is changed.
pub async fn status(client: &Client) -> Result<Status, PlatformError> {
    Ok(Status { feature: feature(client).await?, authority: find(client).await? })
}

/// The platform's own CA for the tenant, if it has one. All trusted certificates are looked through: a
/// platform that does not know the query parameter for it would answer with all of them.
pub async fn find(client: &Client) -> Result<Option<TrustedCertificate>, PlatformError> {
    Ok(trusted::list(client).await?.into_iter().find(|c| c.tenant_certificate_authority))
}

/// Lets the tenant have a CA of the platform; whether that was changed now.
///
/// Errors: [`PlatformError::NoAuthorityFeature`]; the platform does as if it had switched it on, and has not.
pub async fn enable(client: &Client) -> Result<bool, PlatformError> {
    if asked(client).await?? == Feature::On {
        return Ok(false);
    }
    let request = enable_request();
    client.send(&request).await?;
    match feature(client).await? {
        Feature::On => Ok(true),
        _ => {
            let problem = "it takes the change, and the feature is still off".to_owned();
            Err(client.strange(&request, problem))
        }
    }
}

/// The platform's own CA for the tenant, made if there is none; whether it was made now.
///
/// Errors: [`PlatformError::AuthorityOff`], [`PlatformError::NoAuthorityFeature`].
pub async fn create(client: &Client) -> Result<(bool, TrustedCertificate), PlatformError> {
    if let Some(found) = find(client).await? {
        return Ok((false, found));
    }
    need_feature(client).await?;
    let request = create_request();
    let made = match client.send(&request).await {
        Ok(_) => true,
        // Somebody else was faster, or an answer of ours was lost.
        Err(e) if e.status() == Some(409) => false,
        Err(e) => return Err(e),
    };
    let missing = || client.strange(&request, "the CA is not among the certificates".to_owned());
    find(client).await?.map(|found| (made, found)).ok_or_else(missing)
}

/// Gives the CA new dates. The former certificate, and the one that there is now.
///
/// Errors: [`PlatformError::NoAuthority`]; [`PlatformError::AuthorityNotRenewed`] where the platform says no
/// with 404, as it does while more than 18 months are left.
pub async fn renew(
    client: &Client,
) -> Result<(TrustedCertificate, TrustedCertificate), PlatformError> {
    need_feature(client).await?;
    let former = find(client).await?.ok_or(PlatformError::NoAuthority)?;
    let request = renew_request();
    let lost = match client.send(&request).await {
        Ok(_) => None,
        Err(PlatformError::Refused { status: 404, message, .. }) => {
            return Err(PlatformError::AuthorityNotRenewed { message, end: former.not_after });
        }
        // It may have taken effect: the fingerprint tells.
        Err(e) if e.fault() == Fault::Lost => Some(e),
        Err(e) => return Err(e),
    };
    match (find(client).await?, lost) {
        (Some(now), _) if now.fingerprint != former.fingerprint => Ok((former, now)),
        (_, Some(lost)) => Err(lost),
        (_, None) => {
            let problem = "the CA has the same fingerprint as before".to_owned();
            Err(client.strange(&request, problem))
        }
    }
}
