//! Devices that are let in one by one (platform: "Bootstrap of password devices", "The platform's own CA";
//! the calls are those of "new device requests" in its OpenAPI description).
//!
//! Somebody enters a device's id: it is `WAITING_FOR_CONNECTION`. When the device asks, as the bootstrap
//! user, it is `PENDING_ACCEPTANCE`. Somebody accepts it, `ACCEPTED`, and with the next message the
//! device gets its credentials; the request is gone, the device is there. With a one-time password the
//! device may enrol at once, and is `ACCEPTED`; it is there once it has enrolled. After some
//! wrong one-time passwords it is `BLOCKED` ([`Pending::matches`]). Refused with 422: an id that no device can have, one that is
//! there already, a one-time password of the wrong form; with 404: accepting a device that has not asked.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Profile;
use super::answer::{Answer, Refusal};
use super::auth::{self, CREDENTIALS, REGISTRATION, REGISTRATION_READ, USERS_ADMIN};
use super::call::Call;
use super::clock::{self, iso};
use super::collection;
use super::names::{self, OF_DEVICE};
use super::state::{AuthType, Device, Pending, Status, Tenant, World};
use crate::crypto::random_password;
use crate::secret::Password;

/// How many characters the password of a device has.
const PASSWORD: usize = 24;

/// The type of its JSON.
const KIND: &str = "newdevicerequest";

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
        let Some(Pending { status, one_time: None, .. }) = tenant.requests.get_mut(device) else {
            continue;
        };
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

/// Enters a device's id; with a one-time password it may enrol at once.
pub(super) fn enter(
    tenant: &mut Tenant,
    device: &str,
    one_time: Option<Password>,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    names::check_id(device)
        .and_then(|()| names::check_user(device))
        .and_then(|()| one_time.as_ref().map_or(Ok(()), names::check_one_time))
        .map_err(|reason| Refusal::unprocessable(format!("The device {device:?}: {reason}.")))?;
    if tenant.devices.contains_key(device) || tenant.requests.contains_key(device) {
        let message = format!("The device {device} is there already.");
        return Err(Refusal::unprocessable(message));
    }
    let pending = match one_time {
        Some(one_time) => Pending::to_enrol(one_time, now),
        None => Pending {
            status: Status::Waiting,
            one_time: None,
            failures: 0,
            since: now,
            details: Value::Null,
        },
    };
    tenant.requests.insert(device.to_owned(), pending);
    Ok(())
}

/// The same without a caller.
pub(super) fn enter_now(tenant: &mut Tenant, device: &str) -> Result<(), Refusal> {
    enter(tenant, device, None, clock::now())
}

/// Accepts a device that has asked.
pub(super) fn accept(tenant: &mut Tenant, device: &str) -> Result<(), Refusal> {
    let none = || Refusal::not_found(format!("There is no new device request {device}."));
    let pending = tenant.requests.get_mut(device).ok_or_else(none)?;
    match pending.status {
        Status::Waiting => {
            let message = format!("The device {device} has not connected yet.");
            Err(Refusal::not_found(message))
        }
        Status::Blocked => Err(Refusal::not_found(format!("The device {device} is blocked."))),
        Status::Pending | Status::Accepted => {
            pending.status = Status::Accepted;
            Ok(())
        }
    }
}

/// `GET`, `POST /devicecontrol/newDeviceRequests`, and `GET`, `PUT`, `DELETE` of one below it.
pub(super) fn answer(world: &mut World, call: &Call, id: Option<&str>) -> Result<Answer, Refusal> {
    let roles = match call.verb() {
        "GET" => REGISTRATION_READ,
        "DELETE" => USERS_ADMIN,
        _ => REGISTRATION,
    };
    let caller = auth::caller(world, call)?.needs(roles)?;
    let base = format!("{}/devicecontrol/newDeviceRequests", world.site.url());
    let nobody = || Refusal::not_found("There is no such tenant.");
    let tenant = world.tenants.get_mut(&caller.tenant).ok_or_else(nobody)?;
    let shown = |tenant: &Tenant, id: &str| shown(tenant, &caller.tenant, &base, id);
    match (call.verb(), id) {
        ("POST", _) => {
            let body = call.json()?;
            let id = body["id"].as_str().unwrap_or_default();
            let one_time = body["enrollmentToken"].as_str().map(Password::new);
            enter(tenant, id, one_time, call.now)?;
            if let Some(pending) = tenant.requests.get_mut(id) {
                pending.details = json!({ "type": body["type"], "groupId": body["groupId"] });
            }
            Ok(Answer::vendor(201, KIND, &shown(tenant, id)?))
        }
        (_, None) => {
            let all = tenant.requests.keys().map(|id| shown(tenant, id));
            let all = all.collect::<Result<_, _>>()?;
            let page = collection::page(call, &base, "newDeviceRequests", all)?;
            Ok(Answer::vendor(200, "newdevicerequestcollection", &page))
        }
        ("PUT", Some(id)) => {
            let body = call.json()?;
            shown(tenant, id)?;
            if body["status"] != Status::Accepted.name() {
                return Err(Refusal::unprocessable("The status can only become ACCEPTED."));
            }
            accept(tenant, id)?;
            Ok(Answer::vendor(200, KIND, &shown(tenant, id)?))
        }
        ("DELETE", Some(id)) => {
            shown(tenant, id)?;
            tenant.requests.remove(id);
            Ok(Answer::empty(204))
        }
        (_, Some(id)) => Ok(Answer::vendor(200, KIND, &shown(tenant, id)?)),
    }
}

fn shown(tenant: &Tenant, name: &str, base: &str, id: &str) -> Result<Value, Refusal> {
    let none = || Refusal::not_found(format!("There is no new device request {id}."));
    let pending = tenant.requests.get(id).ok_or_else(none)?;
    let mut object = json!({
        "id": id, "status": pending.status.name(), "self": format!("{base}/{id}"),
        "tenantId": name, "creationTime": iso(pending.since),
    });
    for detail in ["type", "groupId"] {
        if let Some(text) = pending.details[detail].as_str() {
            object[detail] = text.into();
        }
    }
    Ok(object)
}

/// `POST /devicecontrol/deviceCredentials`, for the bootstrap user: 404 until the device is accepted.
pub(super) fn credentials(world: &mut World, call: &Call) -> Result<Answer, Refusal> {
    auth::caller(world, call)?.needs(CREDENTIALS)?;
    let body = call.json()?;
    let id = body["id"].as_str().unwrap_or_default();
    match ask(world, id) {
        Heard::Nothing(reason) => Err(Refusal::not_found(format!("{reason}."))),
        Heard::Credentials(tenant, password) => {
            let link = format!("{}/devicecontrol/deviceCredentials/{id}", world.site.url());
            let object = json!({
                "id": id, "tenantId": tenant, "username": format!("{OF_DEVICE}{id}"),
                "password": password.expose(), "self": link,
            });
            let status = match world.site.profile {
                Profile::Documented => 200,
                Profile::Field => 201,
            };
            Ok(Answer::vendor(status, "devicecredentials", &object))
        }
    }
}
