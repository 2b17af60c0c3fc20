//! How a device stands at a tenant: what can be asked when it is refused without a reason (platform:
//! "Trusted certificates", "Revocation").
//!
//! Facts only; what they mean is for `device::diagnosis` to say. What the tenant does not tell, or not
//! to this user, is unknown and no error. Nothing is changed by asking.
//!
//! Whether a device is registered comes from `GET /identity/externalIds/{type}/{id}` (OpenAPI of the
//! platform, "External IDs").

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use super::request::segment;
use super::tenant::Tenant;
use super::trusted::TrustedCertificate;
use super::verdict::{self, Verdict};
use super::{Client, PlatformError, Request, bare_host, crl, tenant, trusted};
use crate::cert::{Certificate, Serial};

/// The type of the external ids of devices, unless a registration names another (IDTYPE).
pub const ID_TYPE: &str = "c8y_Serial";

/// The type of an external id (its description).
pub(super) const KIND: &str =
    "application/vnd.com.nsn.cumulocity.externalid+json, application/json";

/// Lets a user look up external ids.
pub const ROLE_IDENTITY: &str = "ROLE_IDENTITY_READ";

/// An uploaded certificate that a device leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    /// Certificates from the device's own up to this one, both included.
    pub length: usize,
    /// Whether it is among those presented; else the device's own comes alone, and this signed it.
    pub presented: bool,
    /// What the tenant says of it.
    pub trusted: TrustedCertificate,
}

/// A CA of which the tenant has another certificate than the device presents.
#[derive(Debug, Clone, PartialEq)]
pub struct Renewed {
    /// What the tenant has.
    pub trusted: TrustedCertificate,
    /// Certificates from the device's own up to that of the CA, both included.
    pub length: usize,
    /// The end of the one that is presented.
    pub presented_until: OffsetDateTime,
}

/// What a tenant says about a device. None stands for what it does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The tenant's id.
    pub tenant: Option<String>,
    /// The names under which it is reached: the host that was asked, and its domain.
    pub hosts: Vec<String>,
    /// The uploaded certificates that the device leads to, the nearest first.
    pub anchors: Option<Vec<Anchor>>,
    /// The uploaded certificate that signed the last one presented, and is not among them.
    pub above: Option<TrustedCertificate>,
    /// Whether there is a device of that external id.
    pub registered: Option<bool>,
    /// Whether a certificate of the chain is in the tenant's list of revocations.
    pub revoked: Option<bool>,
    /// Whether the tenant looks at that list: off unless somebody has switched it on.
    pub revocation_checked: Option<bool>,
    /// An uploaded certificate of the same name and key as one that is presented, and another one all the
    /// same: the CA was renewed. Only where the device leads to no uploaded certificate otherwise.
    pub renewed: Option<Renewed>,
    /// The time by the platform's clock.
    pub time: Option<OffsetDateTime>,
    /// What could not be asked, and why.
    pub unanswered: Vec<String>,
}

/// The platform's own verdict on what a device presents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainVerdict {
    /// What it says.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whether it names another tenant of the instance as the owner of the CA.
    pub other_tenant: bool,
    /// The id of the tenant that was asked.
    #[serde(skip)]
    pub asked: String,
    /// The names under which that is reached.
    #[serde(skip)]
    pub hosts: Vec<String>,
}

impl ChainVerdict {
    /// Whether a device with this chain is let into the tenant that was asked; none if it does not say so.
    pub fn accepts(&self) -> Option<bool> {
        self.verdict.accepts_for(&self.asked)
    }

    /// Whether it counts for a device that connects to that host: it may be another tenant's otherwise.
    pub fn is_of(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// An answer that counts for all devices, or why there is none.
type Once<T> = OnceCell<Result<T, String>>;

/// Asks a tenant about devices. What counts for all of them is asked once.
#[derive(Debug)]
pub struct Inquiry<'a> {
    client: &'a Client,
    id_type: String,
    /// Of devices that have another type.
    id_types: HashMap<String, String>,
    tenant: Once<(Tenant, Option<OffsetDateTime>)>,
    trusted: Once<Vec<Uploaded>>,
    revoked: Once<Vec<Serial>>,
    checked: Once<Option<bool>>,
}

/// An uploaded certificate, and itself where it can be read.
#[derive(Debug)]
struct Uploaded {
    trusted: TrustedCertificate,
    certificate: Option<Certificate>,
}

impl<'a> Inquiry<'a> {
    /// Gets ready; nothing is asked yet. `id_type` is usually [`ID_TYPE`].
    pub fn new(client: &'a Client, id_type: impl Into<String>) -> Self {
        let (tenant, trusted, revoked) = (Once::new(), Once::new(), Once::new());
        let (id_type, id_types) = (id_type.into(), HashMap::new());
        Self { client, id_type, id_types, tenant, trusted, revoked, checked: Once::new() }
    }

    /// With the types of those devices that have one of their own, by their ids.
    #[must_use]
    pub fn with_id_types(self, id_types: HashMap<String, String>) -> Self {
        Self { id_types, ..self }
    }

    /// Asks about a device that presents these certificates, its own first.
    pub async fn ask(&self, presented: &[Certificate], device: &str) -> Standing {
        let mut standing = Standing::default();
        let known = self.tenant().await;
        let Some((tenant, time)) = standing.take(known) else {
            // Who is not let in, or not reached, need not be asked four more times.
            return standing;
        };
        standing.tenant = Some(tenant.id.clone());
        standing.hosts =
            [self.client.host(), &tenant.domain].map(|host| bare_host(host).to_owned()).to_vec();
        standing.time = *time;
        let trusted = async || told(trusted::list(self.client).await.map(readable));
        let trusted = self.trusted.get_or_init(trusted).await;
        if let Some(trusted) = standing.take(trusted) {
            let anchors = anchors(trusted, presented);
            if anchors.is_empty() {
                standing.renewed = renewed(trusted, presented);
            }
            standing.anchors = Some(anchors);
            standing.above = above(trusted, presented);
        }
        let revoked = self.revoked.get_or_init(async || told(self.revocations().await)).await;
        if let Some(revoked) = standing.take(revoked) {
            standing.revoked =
                Some(presented.iter().any(|c| revoked.iter().any(|r| is_same(r, &c.serial))));
        }
        let checked = async || told(crl::is_on(self.client).await.map(|switch| switch.known()));
        let checked = self.checked.get_or_init(checked).await;
        standing.revocation_checked = standing.take(checked).copied().flatten();
        let registered = told(self.registered(device).await);
        standing.registered = standing.take(&registered).copied();
        standing
    }

    /// The platform's own verdict on what a device presents, for the tenant that is asked.
    ///
    /// Errors: why it cannot be asked, in words.
    pub async fn verdict(&self, presented: &[Certificate]) -> Result<ChainVerdict, String> {
        let (tenant, _) = self.tenant().await.as_ref().map_err(Clone::clone)?;
        let verdict = told(verdict::ask_as_known(self.client, presented).await)?;
        let other_tenant = verdict.is_for_another_than(&tenant.id);
        let of = [self.client.host(), &tenant.domain].map(|host| bare_host(host).to_owned());
        Ok(ChainVerdict { verdict, other_tenant, asked: tenant.id.clone(), hosts: of.to_vec() })
    }

    async fn tenant(&self) -> &Result<(Tenant, Option<OffsetDateTime>), String> {
        self.tenant.get_or_init(async || told(tenant::confirmed(self.client).await)).await
    }

    async fn revocations(&self) -> Result<Vec<Serial>, PlatformError> {
        let list = crl::download(self.client).await?;
        Ok(list.revoked.into_iter().map(|entry| entry.serial).collect())
    }

    async fn registered(&self, device: &str) -> Result<bool, PlatformError> {
        let kind = self.id_types.get(device).unwrap_or(&self.id_type);
        is_registered(self.client, kind, device).await
    }
}

/// An external id, as the platform answers (its description: both fields are required).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalId {
    external_id: String,
    #[serde(rename = "type")]
    _kind: String,
}

impl Standing {
    /// An answer, or a note that there is none.
    fn take<'a, T>(&mut self, answer: &'a Result<T, String>) -> Option<&'a T> {
        match answer {
            Ok(value) => Some(value),
            Err(reason) => {
                self.unanswered.push(reason.clone());
                None
            }
        }
    }
}

/// Asks whether there is a device of that external id.
pub(crate) async fn is_registered(
    client: &Client,
    kind: &str,
    device: &str,
) -> Result<bool, PlatformError> {
    let (kind, id) = (segment(kind), segment(device));
    let request = Request::get(format!("/identity/externalIds/{kind}/{id}"));
    let request = request.role(ROLE_IDENTITY).accept(KIND);
    match client.json::<ExternalId>(&request).await {
        Ok(found) if found.external_id == device => Ok(true),
        Ok(found) => {
            let problem = format!("its answer is about another device, {:?}", found.external_id);
            Err(client.strange(&request, problem))
        }
        Err(e) if e.status() == Some(404) => Ok(false),
        Err(e) => Err(e),
    }
}

fn told<T>(answer: Result<T, PlatformError>) -> Result<T, String> {
    answer.map_err(|e| match &e {
        // No hint follows that would name it.
        PlatformError::Forbidden { role: Some(role), .. } => format!("{e} (it takes {role})"),
        other => other.to_string(),
    })
}

/// As numbers: leading zeros do not count.
fn is_same(one: &Serial, other: &Serial) -> bool {
    let digits = |serial: &Serial| serial.to_decimal();
    digits(one) == digits(other)
}

fn readable(all: Vec<TrustedCertificate>) -> Vec<Uploaded> {
    let read = |trusted: TrustedCertificate| {
        let certificate = trusted.certificate().ok();
        Uploaded { trusted, certificate }
    };
    all.into_iter().map(read).collect()
}

fn anchors(uploaded: &[Uploaded], presented: &[Certificate]) -> Vec<Anchor> {
    let of = |fingerprint: &str| uploaded.iter().find(|u| u.trusted.fingerprint == fingerprint);
    let mut found: Vec<Anchor> = presented
        .iter()
        .enumerate()
        .filter_map(|(at, cert)| {
            let trusted = of(&cert.fingerprint_sha1())?.trusted.clone();
            Some(Anchor { length: at + 1, presented: true, trusted })
        })
        .collect();
    if let (true, [leaf]) = (found.is_empty(), presented) {
        let issuer = uploaded.iter().find(|u| has_signed(u, leaf));
        let anchor =
            |u: &Uploaded| Anchor { length: 2, presented: false, trusted: u.trusted.clone() };
        found.extend(issuer.map(anchor));
    }
    found
}

/// A presented CA of which the tenant has another certificate.
fn renewed(uploaded: &[Uploaded], presented: &[Certificate]) -> Option<Renewed> {
    let twin = |cert: &Certificate| {
        let is_twin = |u: &&Uploaded| u.certificate.as_ref().is_some_and(|c| c.is_renewal_of(cert));
        uploaded.iter().find(is_twin)
    };
    presented.iter().enumerate().skip(1).find_map(|(at, cert)| {
        let (trusted, presented_until) = (twin(cert)?.trusted.clone(), cert.not_after);
        Some(Renewed { trusted, length: at + 1, presented_until })
    })
}

fn above(uploaded: &[Uploaded], presented: &[Certificate]) -> Option<TrustedCertificate> {
    let (last, is_there) = (presented.last()?, |u: &&Uploaded| {
        let there = |c: &Certificate| c.fingerprint_sha1() == u.trusted.fingerprint;
        presented.iter().any(there)
    });
    let mut signers = uploaded.iter().filter(|u| has_signed(u, last));
    signers.find(|u| !is_there(u)).map(|u| u.trusted.clone())
}

fn has_signed(uploaded: &Uploaded, cert: &Certificate) -> bool {
    let Some(ca) = &uploaded.certificate else { return false };
    let Ok(key) = &ca.public_key else { return false };
    cert.issuer.matches(&ca.subject) && cert.verify_signature(key).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_lose_their_zeros() {
        let serial = |bytes: &[u8]| Serial::from_octets(bytes);
        assert!(is_same(&serial(&[0, 0x80, 1]), &serial(&[0x80, 1])));
        assert!(!is_same(&serial(&[0x80, 1]), &serial(&[0x80])));
    }
}
