//! Who asks, and what they may do (platform: "REST": Basic with `tenant/user` or `user`, or a bearer
//! token). A user name without tenant belongs to the tenant of the host.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};

use super::HOME;
use super::answer::{Answer, Refusal};
use super::call::Call;
use super::jwt;
use super::names::OF_DEVICE;
use super::state::{MANAGEMENT, World};
use crate::secret::Password;

/// All roles that a call asks for. Each tenant has a user of the name of each, who has that one alone.
const ROLES: [&str; 17] = [
    "ROLE_TENANT_MANAGEMENT_ADMIN",
    "ROLE_TENANT_ADMIN",
    "ROLE_TENANT_MANAGEMENT_READ",
    "ROLE_DEVICE_CONTROL_ADMIN",
    "ROLE_DEVICE_CONTROL_READ",
    "ROLE_IDENTITY_READ",
    "ROLE_IDENTITY_ADMIN",
    "ROLE_OPTION_MANAGEMENT_READ",
    "ROLE_OPTION_MANAGEMENT_ADMIN",
    "ROLE_USER_MANAGEMENT_ADMIN",
    "ROLE_USER_MANAGEMENT_OWN_ADMIN",
    "ROLE_USER_MANAGEMENT_OWN_READ",
    "ROLE_INVENTORY_ADMIN",
    // Not those of a person.
    "ROLE_SYSTEM",
    DEVICE,
    BOOTSTRAP_ROLE,
    "ROLE_USER_MANAGEMENT_READ",
];
/// How many of these, from the first, the administrator has.
const OF_ADMIN: usize = 13;
const OWN: &str = "ROLE_USER_MANAGEMENT_OWN_READ";
const DEVICE: &str = "ROLE_DEVICE";
const BOOTSTRAP_ROLE: &str = "ROLE_DEVICE_BOOTSTRAP";

/// What a call asks for, as the roles of which one suffices: to change trusted certificates.
pub(super) const TRUSTED_CERTIFICATES: &[&str] =
    &["ROLE_TENANT_MANAGEMENT_ADMIN", "ROLE_TENANT_ADMIN"];
/// To look at them.
pub(super) const TRUSTED_CERTIFICATES_READ: &[&str] =
    &["ROLE_TENANT_MANAGEMENT_ADMIN", "ROLE_TENANT_ADMIN", "ROLE_TENANT_MANAGEMENT_READ"];
/// To have a chain judged.
pub(super) const VERDICTS: &[&str] =
    &["ROLE_TENANT_MANAGEMENT_ADMIN", "ROLE_TENANT_MANAGEMENT_READ"];
/// To switch features for a tenant.
pub(super) const FEATURES: &[&str] = &["ROLE_TENANT_MANAGEMENT_ADMIN"];
/// To remove objects of the inventory.
pub(super) const INVENTORY_ADMIN: &[&str] = &["ROLE_INVENTORY_ADMIN"];
/// To register devices.
pub(super) const REGISTRATION: &[&str] = &["ROLE_DEVICE_CONTROL_ADMIN"];
/// To see which devices are to be registered.
pub(super) const REGISTRATION_READ: &[&str] = &["ROLE_DEVICE_CONTROL_READ"];
/// To withdraw a device that is to be registered, or its user.
pub(super) const USERS_ADMIN: &[&str] = &["ROLE_USER_MANAGEMENT_ADMIN"];
/// To look at users.
pub(super) const USERS_READ: &[&str] = &["ROLE_USER_MANAGEMENT_READ", "ROLE_USER_MANAGEMENT_ADMIN"];
/// To ask for the credentials of a device.
pub(super) const CREDENTIALS: &[&str] = &[BOOTSTRAP_ROLE];
/// To look up external ids.
pub(super) const IDENTITIES: &[&str] = &["ROLE_IDENTITY_READ"];
/// To read options, to write them, and to read those of the instance.
pub(super) const OPTIONS_READ: &[&str] = &["ROLE_OPTION_MANAGEMENT_READ"];
pub(super) const OPTIONS: &[&str] = &["ROLE_OPTION_MANAGEMENT_ADMIN"];
/// To see who one is.
pub(super) const ONESELF: &[&str] = &["ROLE_SYSTEM", OWN];
/// To renew a certificate.
pub(super) const DEVICES: &[&str] = &[DEVICE];

/// The user of devices that have no credentials yet, in the management tenant.
pub(super) const BOOTSTRAP: &str = "devicebootstrap";

/// The other users of every tenant, and their roles; the administrator has those of a person.
const USERS: [(&str, &[&str]); 3] = [
    ("trust", &["ROLE_TENANT_ADMIN", "ROLE_IDENTITY_READ", OWN]),
    (
        "devices",
        &["ROLE_DEVICE_CONTROL_ADMIN", "ROLE_DEVICE_CONTROL_READ", "ROLE_IDENTITY_READ", OWN],
    ),
    ("reader", &["ROLE_TENANT_MANAGEMENT_READ", OWN]),
];

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) tenant: String,
    pub(super) user: String,
    roles: &'static [&'static str],
    pub(super) device: bool,
}

/// User and password of Basic authentication (RFC 7617).
pub(super) struct Basic {
    pub(super) tenant: String,
    pub(super) user: String,
    pub(super) password: Password,
}

impl Basic {
    /// `tenant/user`, or a user of the first tenant.
    pub(super) fn of(user: &str, password: Password) -> Self {
        let (tenant, user) = user.split_once('/').unwrap_or((HOME, user));
        Self { tenant: tenant.to_owned(), user: user.to_owned(), password }
    }
}

impl Caller {
    fn user(tenant: &str, user: &str) -> Option<Self> {
        let named = || USERS.iter().find(|(name, _)| *name == user).map(|(_, roles)| *roles);
        let role = || ROLES.iter().find(|role| **role == user).map(std::slice::from_ref);
        let roles = match user {
            "admin" => &ROLES[..OF_ADMIN],
            BOOTSTRAP if tenant == MANAGEMENT => CREDENTIALS,
            _ => named().or_else(role)?,
        };
        Some(Self { tenant: tenant.to_owned(), user: user.to_owned(), roles, device: false })
    }

    fn device(tenant: &str, id: &str) -> Self {
        let roles = &[DEVICE, OWN];
        Self { tenant: tenant.to_owned(), user: id.to_owned(), roles, device: true }
    }

    /// The name of the user: that of a device is not its id.
    fn name(&self) -> String {
        let before = if self.device { OF_DEVICE } else { "" };
        format!("{before}{}", self.user)
    }

    /// Refuses callers who have none of the roles.
    pub(super) fn needs(self, roles: &[&str]) -> Result<Self, Refusal> {
        if self.roles.iter().any(|role| roles.contains(role)) {
            return Ok(self);
        }
        let Self { user, .. } = self;
        Err(Refusal::forbidden(format!("{user} has none of the roles {}", roles.join(", "))))
    }

    /// Refuses callers of another tenant than the one in the path.
    pub(super) fn of_tenant(self, tenant: &str) -> Result<Self, Refusal> {
        if self.tenant == tenant {
            return Ok(self);
        }
        let Self { user, tenant: own, .. } = self;
        Err(Refusal::forbidden(format!("{user} belongs to {own}, not to {tenant}")))
    }

    /// Refuses callers of any tenant but the one that manages the others.
    pub(super) fn of_management(self) -> Result<Self, Refusal> {
        let reason = "only the management tenant may do that";
        if self.tenant == MANAGEMENT { Ok(self) } else { Err(Refusal::forbidden(reason)) }
    }
}

/// Who asks, once the password or token is found right.
pub(super) fn caller(world: &World, call: &Call) -> Result<Caller, Refusal> {
    if let Some(token) = bearer(&call.headers) {
        let bearer = world.tokens.check(token, call.now).map_err(Refusal::unauthorized)?;
        if let Some(id) = bearer.subject.strip_prefix(OF_DEVICE) {
            let there = world.tenants.get(&bearer.tenant);
            let there = there.is_some_and(|t| t.devices.contains_key(id));
            let caller = Caller::device(&bearer.tenant, id);
            return there.then_some(caller).ok_or_else(|| Refusal::unauthorized("no such device"));
        }
        let user = Caller::user(&bearer.tenant, &bearer.subject);
        return user.ok_or_else(|| Refusal::unauthorized("no such user"));
    }
    let Some(basic) = basic(&call.headers) else {
        return Err(Refusal::unauthorized("no user, password or token was given"));
    };
    login(world, &basic).map_err(Refusal::unauthorized)
}

/// Who has that name and password. The user of a device is `device_<id>`, or its id.
pub(super) fn login(world: &World, basic: &Basic) -> Result<Caller, String> {
    let Basic { tenant, user, password } = basic;
    let Some(of_tenant) = world.tenants.get(tenant) else {
        return Err(format!("there is no tenant {tenant:?}"));
    };
    if let Some(caller) = Caller::user(tenant, user) {
        let wrong = || "the password is wrong".to_owned();
        return (*password == world.password).then_some(caller).ok_or_else(wrong);
    }
    for id in [Some(user.as_str()), user.strip_prefix(OF_DEVICE)].into_iter().flatten() {
        let device = of_tenant.devices.get(id).and_then(|device| device.credentials.as_ref());
        if device == Some(password) {
            return Ok(Caller::device(tenant, id));
        }
    }
    Err(format!("no user {user:?} with that password"))
}

/// `Authorization: Basic`, if it can be read.
pub(super) fn basic(headers: &HeaderMap) -> Option<Basic> {
    let encoded = scheme(headers, "basic")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Basic::of(user, Password::new(password)))
}

/// `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    scheme(headers, "bearer")
}

fn scheme<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(value.trim())
}

/// Who asks by their own account, for the list of connections.
pub(super) fn claimed(headers: &HeaderMap) -> Option<String> {
    match bearer(headers) {
        Some(token) => jwt::claimed(token),
        None => basic(headers).map(|basic| format!("{}/{}", basic.tenant, basic.user)),
    }
}

/// `GET /user/currentUser`.
pub(super) fn current_user(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let caller = caller(world, call)?.needs(ONESELF)?;
    let url = world.site.url();
    let role = |role: &&str| json!({ "id": role, "name": role, "self": format!("{url}/user/roles/{role}") });
    let roles: Vec<Value> = caller.roles.iter().map(role).collect();
    let name = caller.name();
    Ok(Answer::vendor(
        200,
        "currentuser",
        &json!({
            "id": name, "userName": name, "effectiveRoles": roles,
            "self": format!("{url}/user/currentUser"),
        }),
    ))
}
