//! The devices of an order for a run, and what an order says of devices that are made anew.

use super::error::{OrderError, Result};
use crate::list::{Device, DeviceList};
use crate::registry::{OrderRecord, Ordered, Registry};

/// The list of an order, with all that it says of each device.
///
/// Errors: [`OrderError::TakenBack`].
pub fn list_of(registry: &Registry, order: &OrderRecord) -> Result<DeviceList> {
    if let Some(at) = order.taken_back {
        let since = at.date().to_string();
        return Err(OrderError::TakenBack { name: order.name.clone(), since });
    }
    let mut list = DeviceList::default();
    registry.each_ordered(order, |Ordered { id, line, details }| -> Result {
        list.devices.push(Device { line, details, ..Device::from(id) });
        Ok(())
    })?;
    Ok(list)
}

/// Gives devices of which nothing but their id is known what their order says of them, or else what the registry kept
/// when they were issued last: type, name, group and all else that their list had.
pub fn keep_details(registry: &Registry, list: &mut DeviceList) -> Result {
    for device in list.devices.iter_mut().filter(|device| device.details.is_empty()) {
        device.details = match registry.ordered(&device.id)? {
            Some(ordered) => ordered.details,
            None => {
                let last = registry.history(&device.id)?.pop();
                last.map(|record| record.details).unwrap_or_default()
            }
        };
    }
    Ok(())
}
