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
use super::state::World;
use super::tenant::MANAGEMENT;
use crate::secret::Password;

const TENANT_MANAGEMENT: &str = "ROLE_TENANT_MANAGEMENT_ADMIN";
const TENANT: &str = "ROLE_TENANT_ADMIN";
const DEVICES: &str = "ROLE_DEVICE_CONTROL_ADMIN";
const IDENTITY: &str = "ROLE_IDENTITY_READ";
const READER: &str = "ROLE_TENANT_MANAGEMENT_READ";
const DEVICE: &str = "ROLE_DEVICE";

/// What a call asks for, as the roles of which one suffices.
pub(super) const TRUSTED_CERTIFICATES: &[&str] = &[TENANT_MANAGEMENT, TENANT];
/// The same for bulk registration.
pub(super) const REGISTRATION: &[&str] = &[DEVICES];
/// The same for looking up external ids.
pub(super) const IDENTITIES: &[&str] = &[IDENTITY];

/// The users of every tenant, and their roles.
const USERS: [(&str, &[&str]); 4] = [
    ("admin", &[TENANT_MANAGEMENT, TENANT, DEVICES, IDENTITY, READER]),
    ("trust", &[TENANT, IDENTITY]),
    ("devices", &[DEVICES, IDENTITY]),
    ("reader", &[READER]),
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
        let (_, roles) = USERS.iter().find(|(name, _)| *name == user)?;
        Some(Self { tenant: tenant.to_owned(), user: user.to_owned(), roles, device: false })
    }

    fn device(tenant: &str, id: &str) -> Self {
        Self { tenant: tenant.to_owned(), user: id.to_owned(), roles: &[DEVICE], device: true }
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
        if bearer.device {
            let there = world.tenants.get(&bearer.tenant);
            let there = there.is_some_and(|t| t.devices.contains_key(&bearer.subject));
            let caller = Caller::device(&bearer.tenant, &bearer.subject);
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
    for id in [Some(user.as_str()), user.strip_prefix("device_")].into_iter().flatten() {
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
    let caller = caller(world, call)?;
    let role = |role: &&str| json!({ "id": role, "name": role });
    let roles: Vec<Value> = caller.roles.iter().map(role).collect();
    let link = format!("{}/user/currentUser", world.site.url());
    Ok(Answer::json(
        200,
        &json!({
            "id": caller.user, "userName": caller.user, "effectiveRoles": roles, "self": link,
        }),
    ))
}
