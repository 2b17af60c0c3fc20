//! Which tenant it is, and what the user may do there.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::crl::{self, Switch};
use super::lenient::AtMost;
use super::{Client, PlatformError, Request, trusted};

/// Lets a user register devices in bulk.
pub const ROLE_DEVICES: &str = "ROLE_DEVICE_CONTROL_ADMIN";

/// Lets a user see who it is, and of which tenant.
pub const ROLE_ONESELF: &str = "ROLE_USER_MANAGEMENT_OWN_READ";

/// The types of the answers (the platform's description).
const TENANT: &str = "application/vnd.com.nsn.cumulocity.currenttenant+json, application/json";
const USER: &str = "application/vnd.com.nsn.cumulocity.currentuser+json, application/vnd.com.nsn.cumulocity.user+json, application/json";

/// Roles of a user that are read; the platform knows some hundreds.
const MOST_ROLES: usize = 10_000;

/// The tenant that a host and a login belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id, such as `t12345`.
    #[serde(rename(deserialize = "name"))]
    pub id: String,
    /// Its domain.
    #[serde(default, rename(deserialize = "domainName"))]
    pub domain: String,
}

impl Client {
    /// The tenant id: given, or asked for once.
    pub async fn tenant(&self) -> Result<&str, PlatformError> {
        if let Some(id) = self.tenant.get() {
            return Ok(id);
        }
        let current = current(self).await?;
        Ok(self.tenant.get_or_init(|| current.id))
    }

    /// The tenant and where it is, `t12345@acme.cumulocity.com`: what was done there is not done
    /// elsewhere.
    pub async fn place(&self) -> Result<String, PlatformError> {
        Ok(place(self.tenant().await?, self.host()))
    }
}

/// As [`Client::place`], of a tenant that is not asked.
pub fn place(tenant: &str, host: &str) -> String {
    format!("{tenant}@{host}")
}

/// Asks which tenant this is (`GET /tenant/currentTenant`).
pub async fn current(client: &Client) -> Result<Tenant, PlatformError> {
    current_with_time(client).await.map(|(tenant, _)| tenant)
}

/// The same, with the time by the platform's clock, where the answer tells it.
///
/// Errors: [`PlatformError::OtherTenant`] if the client was told another tenant than the login's.
pub(super) async fn confirmed(
    client: &Client,
) -> Result<(Tenant, Option<OffsetDateTime>), PlatformError> {
    let (tenant, time) = current_with_time(client).await?;
    let wanted = client.tenant.get_or_init(|| tenant.id.clone());
    if *wanted != tenant.id {
        return Err(PlatformError::OtherTenant { wanted: wanted.clone(), found: tenant.id });
    }
    Ok((tenant, time))
}

async fn current_with_time(
    client: &Client,
) -> Result<(Tenant, Option<OffsetDateTime>), PlatformError> {
    let request = Request::get("/tenant/currentTenant").role(ROLE_ONESELF).accept(TENANT);
    let answer = client.send(&request).await?;
    let tenant: Tenant = client.read(&request, &answer)?;
    if tenant.id.is_empty() {
        return Err(client.strange(&request, "the name of the tenant is empty".to_owned()));
    }
    Ok((tenant, answer.date.map(OffsetDateTime::from)))
}

/// Whether the user may do a thing: as far as it can be known without doing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum May {
    /// It may.
    Yes,
    /// It may not.
    No,
    /// The platform does not tell.
    Unknown,
}

/// What can be said of a tenant and of the user who asks.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Host and port.
    pub host: String,
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The user, where the platform tells.
    pub user: Option<String>,
    /// Whether the user may manage trusted certificates and revocations.
    pub trusted_certificates: May,
    /// Whether the user may register devices in bulk.
    pub registration: May,
    /// Whether the tenant looks at its list of revocations.
    pub revocation_check: Switch,
    /// The trusted certificates, where the user may see them.
    #[serde(skip)]
    pub trusted: Option<Vec<trusted::TrustedCertificate>>,
}

/// Asks all that can be asked without changing anything. The user's roles come from
/// `GET /user/currentUser` (OpenAPI of the platform, "Current user"); where they are not to be had,
/// rights that cannot be seen otherwise are [`May::Unknown`].
///
/// Errors: [`PlatformError::OtherTenant`] if the client was told another tenant than the login's.
pub async fn status(client: &Client) -> Result<Status, PlatformError> {
    let (tenant, _) = confirmed(client).await?;
    let user = user(client).await?;
    let roles = user.as_ref().and_then(|user| user.effective_roles.as_ref());
    let has = |wanted: &[&str]| match roles {
        Some(roles) => may(roles.0.iter().any(|r| wanted.contains(&r.id.as_str()))),
        None => May::Unknown,
    };
    let trusted = match trusted::list(client).await {
        Ok(list) => Some(list),
        Err(e) if e.status() == Some(403) => None,
        Err(e) => return Err(e),
    };
    Ok(Status {
        host: client.host().to_owned(),
        tenant,
        trusted_certificates: match trusted {
            Some(_) => has(&trusted::ROLES),
            None => May::No,
        },
        registration: has(&[ROLE_DEVICES]),
        revocation_check: crl::switch(client).await?,
        user: user.map(|u| u.user_name),
        trusted,
    })
}

fn may(yes: bool) -> May {
    if yes { May::Yes } else { May::No }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_name: String,
    #[serde(default)]
    effective_roles: Option<AtMost<Role, MOST_ROLES>>,
}

#[derive(Deserialize)]
struct Role {
    id: String,
}

async fn user(client: &Client) -> Result<Option<User>, PlatformError> {
    let request = Request::get("/user/currentUser").role(ROLE_ONESELF).accept(USER);
    match client.json(&request).await {
        Ok(user) => Ok(Some(user)),
        Err(e) if matches!(e.status(), Some(403 | 404)) => Ok(None),
        Err(e) => Err(e),
    }
}
