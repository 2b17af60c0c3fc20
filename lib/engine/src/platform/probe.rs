//! Calls that only a self-test of a tenant makes: it registers one device, asks whether the
//! truststore is shared, and removes the device again.
//!
//! To remove a device its object goes with its user, as the vendor's own client for Python does it
//! (`withDeviceUser`); a device whose object was never made has only its user.

use serde::Deserialize;
use serde_json::Value;

use super::crl::{self, Switch};
use super::register::{self, RowResult, Sheet};
use super::request::segment;
use super::standing::{ID_TYPE, KIND, ROLE_IDENTITY};
use super::{Body, Client, Method, PlatformError, Request, trusted};
use crate::cert::Serial;
use crate::client_id::DeviceId;

/// Lets a user remove objects of the inventory.
const ROLE_INVENTORY: &str = "ROLE_INVENTORY_ADMIN";
/// Lets a user remove users.
const ROLE_USERS: &str = "ROLE_USER_MANAGEMENT_ADMIN";
/// Lets a user read the options of the instance: to read those of the tenant takes another role.
pub const ROLE_OPTIONS: &str = "ROLE_OPTION_MANAGEMENT_ADMIN";

/// Whether the tenants of the instance share a truststore; one that was never set does not.
///
/// Errors: the user may not read it; an answer of another form.
pub async fn shared_truststore(client: &Client) -> Result<Switch, PlatformError> {
    let request = Request::get("/tenant/system/options/ssl/shared-truststore.enabled");
    match client.json::<Value>(&request.role(ROLE_OPTIONS).accept(crl::KIND)).await {
        Ok(option) => Ok(match &option["value"] {
            Value::Bool(on) => Switch::of(if *on { "true" } else { "false" }),
            Value::String(text) => Switch::of(text),
            _ => Switch::Unknown,
        }),
        Err(e) if e.status() == Some(404) => Ok(Switch::Off),
        Err(e) => Err(e),
    }
}

/// Registers the devices of a sheet with one call, without a file of results.
///
/// Errors: as of any call; rows that are refused are results.
pub async fn register_all(client: &Client, sheet: &Sheet) -> Result<Vec<RowResult>, PlatformError> {
    let rows: Vec<_> = sheet.rows.iter().collect();
    register::send(client, &register::request("selftest.csv", sheet, &rows), &rows).await
}

/// Whether a device stands after its registration, also when it was there before: an answer may have been
/// lost, and the call sent again.
pub fn is_registered(result: &RowResult) -> bool {
    result.outcome.is_done()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    external_id: String,
    managed_object: Object,
}

#[derive(Deserialize)]
struct Object {
    id: String,
}

/// The request that revokes one certificate now: an empty date is that of the upload.
pub fn revoke_request(serial: &Serial) -> Request {
    let csv = format!("SERIALNO,DATE\n{serial},\n");
    let body = Body::csv("revoked.csv", csv.into_bytes());
    Request::new(Method::Put, crl::PATH, body).role(trusted::ROLE)
}

/// The id of a device's object; none if there is no device of that name.
pub async fn object_of(
    client: &Client,
    device: &DeviceId,
) -> Result<Option<String>, PlatformError> {
    let path = format!("/identity/externalIds/{}/{}", segment(ID_TYPE), segment(device.as_str()));
    let request = Request::get(path).role(ROLE_IDENTITY).accept(KIND);
    match client.json::<Known>(&request).await {
        Ok(known) if known.external_id == device.as_str() => Ok(Some(known.managed_object.id)),
        // Nothing is removed that is not the device that was asked for.
        Ok(known) => {
            let problem = format!("its answer is about another device, {:?}", known.external_id);
            Err(client.strange(&request, problem))
        }
        Err(e) if e.status() == Some(404) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The request that removes an object of the inventory, and the user of the device that it is.
pub fn remove_object_request(object: &str) -> Request {
    let path = format!("/inventory/managedObjects/{}", segment(object));
    Request::new(Method::Delete, path, Body::None).role(ROLE_INVENTORY).with("withDeviceUser", true)
}

/// The request that removes a device's user.
pub fn remove_user_request(tenant: &str, device: &DeviceId) -> Request {
    let user = segment(&format!("device_{device}"));
    let path = format!("/user/{}/users/{user}", segment(tenant));
    Request::new(Method::Delete, path, Body::None).role(ROLE_USERS)
}

/// Sends a removal; false if there was nothing to remove.
pub async fn remove(client: &Client, request: &Request) -> Result<bool, PlatformError> {
    match client.send(request).await {
        Ok(_) => Ok(true),
        Err(e) if e.status() == Some(404) => Ok(false),
        Err(e) => Err(e),
    }
}
