//! The objects of devices, as far as they can be removed: `DELETE /inventory/managedObjects/{id}`. It is part
//! of the vendor's interface that the description at hand has not; `c8y_api` calls it so.
//!
//! With `withDeviceUser=true` the device's user goes too, and its connection ends.

use super::answer::{Answer, Refusal};
use super::auth::{self, INVENTORY_ADMIN};
use super::call::Call;
use super::external::decoded;
use super::state::World;

/// Removes the object of a device.
pub(super) fn remove(world: &mut World, call: &Call, id: &str) -> Result<Answer, Refusal> {
    let caller = auth::caller(world, call)?.needs(INVENTORY_ADMIN)?;
    let (name, id) = (caller.tenant.clone(), decoded(id));
    let with_user = call.flag("withDeviceUser")?;
    let none = || Refusal::not_found(format!("There is no managed object {id:?}."));
    let tenant = world.tenants.get_mut(&name).ok_or_else(none)?;
    let had_object = tenant.inventories.remove(&id).is_some();
    // A device that was registered in bulk has an object from then on.
    let registered = tenant.devices.get(&id).is_some_and(|device| !device.automatic);
    if !had_object && !registered {
        return Err(none());
    }
    if with_user {
        tenant.devices.remove(&id);
        world.online.end_of(&name, &id, "the device was removed");
    }
    Ok(Answer::empty(204))
}
