//! The users of devices: `GET`, `DELETE /user/{tenant}/users/device_{id}`.
//!
//! With `withCertificates=true` the certificates that the device showed last are told (platform: "The
//! device's recently used certificates"). Before a device enrols anew its user is removed, and with it,
//! here, the device.

use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::auth::{self, USERS_ADMIN, USERS_READ};
use super::call::Call;
use super::external::decoded;
use super::names::OF_DEVICE;
use super::state::World;

/// Shows, or removes, the user of a device.
pub(super) fn answer(
    world: &mut World,
    call: &Call,
    tenant: &str,
    user: &str,
) -> Result<Answer, Refusal> {
    let removes = call.verb() == "DELETE";
    let roles = if removes { USERS_ADMIN } else { USERS_READ };
    auth::caller(world, call)?.needs(roles)?.of_tenant(tenant)?;
    let user = decoded(user);
    let none = || Refusal::not_found(format!("There is no user {user:?}."));
    let id = user.strip_prefix(OF_DEVICE).ok_or_else(none)?;
    let with_certificates = call.flag("withCertificates")?;
    let link = format!("{}/user/{tenant}/users/{user}", world.site.url());
    let devices = world.tenants.get_mut(tenant).map(|tenant| &mut tenant.devices);
    let devices = devices.ok_or_else(none)?;
    let device = devices.get(id).ok_or_else(none)?;
    let mut object = json!({ "id": user, "userName": user, "enabled": true, "self": link });
    if with_certificates {
        let seen = device.seen.iter().map(|shown| {
            json!({
                "serialNumber": shown.serial_number, "notBefore": shown.not_before,
                "notAfter": shown.not_after,
            })
        });
        object["provisionedCertificates"] = seen.collect::<Vec<Value>>().into();
    }
    if removes {
        devices.remove(id);
        world.online.end_of(tenant, id, "the user of the device was removed");
        return Ok(Answer::empty(204));
    }
    Ok(Answer::vendor(200, "user", &object))
}
