//! Devices that are let in one by one, and get credentials by it (platform: "Bootstrap of password
//! devices"; the calls are those of "new device requests" in its OpenAPI description).
//!
//! Somebody enters a device's id: it is `WAITING_FOR_CONNECTION`. When the device asks, as the bootstrap
//! user, it is `PENDING_ACCEPTANCE`. Somebody accepts it, `ACCEPTED`, and with the next message the
//! device gets its credentials; the request is gone, the device is there. Refused: an id with `:`, one
//! that is there already (409), accepting a device that has not asked (422).

use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth::{self, REGISTRATION};
use super::call::Call;
use super::collection;
use super::state::World;
use super::tenant::{AuthType, Device, Tenant};
use crate::crypto::random_password;
use crate::secret::Password;

/// How many characters the password of a device has.
const PASSWORD: usize = 24;

/// How far a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Waiting,
    Pending,
    Accepted,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING_FOR_CONNECTION",
            Self::Pending => "PENDING_ACCEPTANCE",
            Self::Accepted => "ACCEPTED",
        }
    }
}

/// What a device hears that asks for credentials.
pub(super) enum Heard {
    /// Tenant and password.
    Credentials(String, Password),
    /// Nothing yet, for that reason.
    Nothing(String),
}

/// A device asks for its credentials.
pub(super) fn ask(world: &mut World, device: &str) -> Heard {
    for (name, tenant) in &mut world.tenants {
        let known = tenant.devices.get(device).filter(|d| d.auth_type == AuthType::Basic);
        if let Some(password) = known.and_then(|device| device.credentials.clone()) {
            return Heard::Credentials(name.clone(), password);
        }
        let Some(status) = tenant.requests.get_mut(device) else { continue };
        if *status != Status::Accepted {
            *status = Status::Pending;
            return Heard::Nothing(format!("{device} waits to be accepted in {name}"));
        }
        return match admit(tenant, device) {
            Ok(password) => Heard::Credentials(name.clone(), password),
            Err(reason) => Heard::Nothing(reason),
        };
    }
    Heard::Nothing(format!("{device} is not registered with credentials, nor entered by its id"))
}

/// The request becomes a device.
fn admit(tenant: &mut Tenant, device: &str) -> Result<Password, String> {
    let password = random_password(PASSWORD).map_err(|e| e.to_string())?;
    let mut made = Device::new(AuthType::Basic);
    made.credentials = Some(password.clone());
    tenant.devices.insert(device.to_owned(), made);
    tenant.requests.remove(device);
    Ok(password)
}

/// Enters a device's id.
pub(super) fn enter(tenant: &mut Tenant, device: &str) -> Result<(), Refusal> {
    if device.trim().is_empty() || device.contains(':') {
        return Err(Refusal::unprocessable(format!("The id {device:?} is empty or contains ':'.")));
    }
    if tenant.devices.contains_key(device) || tenant.requests.contains_key(device) {
        return Err(Refusal::conflict(format!("The device {device} is there already.")));
    }
    tenant.requests.insert(device.to_owned(), Status::Waiting);
    Ok(())
}

/// Accepts a device that has asked.
pub(super) fn accept(tenant: &mut Tenant, device: &str) -> Result<(), Refusal> {
    let none = || Refusal::not_found(format!("There is no new device request {device}."));
    let status = tenant.requests.get_mut(device).ok_or_else(none)?;
    if *status == Status::Waiting {
        return Err(Refusal::unprocessable(format!("The device {device} has not connected yet.")));
    }
    *status = Status::Accepted;
    Ok(())
}

/// `GET`, `POST /devicecontrol/newDeviceRequests`, and `GET`, `PUT`, `DELETE` of one below it.
pub(super) fn answer(world: &mut World, call: &Call, id: Option<&str>) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(REGISTRATION)?;
    let base = format!("{}/devicecontrol/newDeviceRequests", world.site.url());
    let nobody = || Refusal::not_found("There is no such tenant.");
    let tenant = world.tenants.get_mut(&caller.tenant).ok_or_else(nobody)?;
    match (call.method.as_str(), id) {
        ("POST", _) => {
            let body = call.json()?;
            let id = body["id"].as_str().unwrap_or_default();
            enter(tenant, id)?;
            Ok(Answer::json(201, &shown(tenant, &base, id)?))
        }
        (_, None) => {
            let ids: Vec<&String> = tenant.requests.keys().collect();
            let all = ids.into_iter().map(|id| shown(tenant, &base, id));
            let all = all.collect::<Result<_, _>>()?;
            Ok(Answer::json(200, &collection::page(call, &base, "newDeviceRequests", all)?))
        }
        ("PUT", Some(id)) => {
            let body = call.json()?;
            if body["status"] != Status::Accepted.name() {
                return Err(Refusal::unprocessable("The status can only become ACCEPTED."));
            }
            accept(tenant, id)?;
            Ok(Answer::json(200, &shown(tenant, &base, id)?))
        }
        ("DELETE", Some(id)) => {
            shown(tenant, &base, id)?;
            tenant.requests.remove(id);
            Ok(Answer::empty(204))
        }
        (_, Some(id)) => Ok(Answer::json(200, &shown(tenant, &base, id)?)),
    }
}

fn shown(tenant: &Tenant, base: &str, id: &str) -> Result<Value, Refusal> {
    let none = || Refusal::not_found(format!("There is no new device request {id}."));
    let status = tenant.requests.get(id).ok_or_else(none)?;
    Ok(json!({ "id": id, "status": status.name(), "self": format!("{base}/{id}") }))
}
