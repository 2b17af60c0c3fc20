//! External ids: whether there is a device of that name (OpenAPI of the platform, "External IDs").
//!
//! A device has one as soon as it was registered in bulk, or has made its object with the message 100; to
//! have been registered by its first connection is not enough. The type is that of its registration.

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::answer::{Answer, Refusal};
use super::auth::{self, IDENTITIES};
use super::call::Call;
use super::state::{Tenant, World};

/// `GET /identity/externalIds/{type}/{id}`. Roles: `ROLE_IDENTITY_READ`; a device may read its own.
pub(super) fn find(world: &World, call: &Call, kind: &str, id: &str) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?;
    let (kind, id) = (decoded(kind), decoded(id));
    let own = caller.device && caller.user == id;
    let caller = if own { caller } else { caller.needs(IDENTITIES)? };
    let tenant = world.tenants.get(&caller.tenant);
    let device = tenant.and_then(|tenant| device_of(tenant, &kind, &id));
    let Some(device) = device else {
        return Err(Refusal::not_found(format!(
            "There is no external id {id:?} of type {kind:?}."
        )));
    };
    let link = format!("{}{}", world.site.url(), call.path);
    let object = json!({
        "id": device, "self": format!("{}/inventory/managedObjects/{device}", world.site.url()),
    });
    Ok(Answer::vendor(
        200,
        "externalid",
        &json!({ "externalId": id, "type": kind, "managedObject": object, "self": link }),
    ))
}

/// The device of an external id.
fn device_of(tenant: &Tenant, kind: &str, id: &str) -> Option<String> {
    let own = |device: &str| {
        let registered = tenant.devices.get(device).filter(|d| !d.automatic);
        let made = tenant.inventories.get(device).is_some_and(|i| i.has_object());
        match registered {
            Some(registered) => registered.id_type == kind,
            None => made && kind == "c8y_Serial",
        }
    };
    if own(id) {
        return Some(id.to_owned());
    }
    let other = |external: &Option<(String, String)>| {
        external.as_ref().is_some_and(|(k, i)| k == kind && i == id)
    };
    let mut devices = tenant.devices.iter();
    devices.find(|(_, device)| other(&device.external)).map(|(id, _)| id.clone())
}

/// A segment of a path (RFC 3986, 2.1).
pub(super) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded() {
        assert_eq!(decoded("a%20b%2Fc%C3%A4"), "a b/c\u{e4}");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%2%+f"), "%zz%2%+f");
    }
}
