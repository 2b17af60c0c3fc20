//! The devices of an order for a run, and what an order says of devices that are made anew.

use super::error::{OrderError, Result};
use std::collections::HashMap;

use super::named;
use super::options::OrderOptions;
use crate::client_id::DeviceId;
use crate::list::{Counted, Device, DeviceList};
use crate::registry::{OrderRecord, Ordered, Registry};

/// The list of an order, with all that it says of each device; also of one that was taken back.
pub fn list_of(registry: &Registry, order: &OrderRecord) -> Result<DeviceList> {
    let (mut list, counted) = (DeviceList::default(), Counted::of_name(&order.list));
    registry.each_ordered(order, |Ordered { id, line, details }| -> Result {
        list.devices.push(Device { line, counted, details, ..Device::from(id) });
        Ok(())
    })?;
    Ok(list)
}

/// The same for devices that are made again: with what was said of each of them last, in whatever list.
pub fn list_again(registry: &Registry, order: &OrderRecord) -> Result<DeviceList> {
    let (mut list, counted) = (DeviceList::default(), Counted::of_name(&order.list));
    registry.each_order_device(order, |device| -> Result {
        // Of one without a live certificate it is looked up.
        let details = device.live.as_ref().map(|_| device.details().clone()).unwrap_or_default();
        let Ordered { id, line, .. } = device.ordered;
        list.devices.push(Device { line, counted, details, ..Device::from(id) });
        Ok(())
    })?;
    keep_details(registry, &mut list)?;
    Ok(list)
}

/// Refuses an order for which nothing is issued any more.
///
/// Errors: [`OrderError::TakenBack`].
pub fn check_open(order: &OrderRecord) -> Result {
    match order.taken_back {
        None => Ok(()),
        Some(at) => {
            let since = at.date().to_string();
            Err(OrderError::TakenBack { name: order.name.clone(), since })
        }
    }
}

/// The order that a device is in and that was not taken back.
///
/// Errors: [`OrderError::OtherCase`] if it is in it in another case only: an id is the same to the letter.
fn order_of(registry: &Registry, id: &DeviceId) -> Result<Option<String>> {
    match registry.open_order_with(id)? {
        Some((order, ordered)) if ordered != *id => {
            let (id, ordered) = (id.to_string(), ordered.to_string());
            Err(OrderError::OtherCase { id, order, ordered })
        }
        found => Ok(found.map(|(order, _)| order)),
    }
}

/// The order that all these devices are in, if it is one and the same, and was not taken back.
///
/// Errors: [`OrderError::OtherCase`].
pub fn shared_by(
    registry: &Registry,
    ids: impl IntoIterator<Item = DeviceId>,
) -> Result<Option<OrderRecord>> {
    let mut shared: Option<String> = None;
    for id in ids {
        match (order_of(registry, &id)?, &shared) {
            (None, _) => return Ok(None),
            (Some(order), None) => shared = Some(order),
            (Some(order), Some(known)) if order == *known => {}
            (Some(_), Some(_)) => return Ok(None),
        }
    }
    Ok(match shared {
        Some(name) => registry.order(&name)?,
        None => None,
    })
}

/// An order that says how its devices are made, and a device that is not in it.
#[derive(Debug, Clone)]
pub struct Unlike {
    /// The order.
    pub order: OrderRecord,
    /// The device.
    pub id: DeviceId,
}

/// An order that says something by `says`, and a device of these that is not in it; none if there is no such order, or all
/// are in it.
pub fn unlike(
    registry: &Registry,
    ids: impl IntoIterator<Item = DeviceId>,
    says: impl Fn(&OrderOptions) -> bool,
) -> Result<Option<Unlike>> {
    let mut known: HashMap<String, bool> = HashMap::new();
    let mut first: Option<(DeviceId, Option<String>)> = None;
    for id in ids {
        let order = order_of(registry, &id)?;
        if let Some(name) = order.as_ref().filter(|name| !known.contains_key(*name)) {
            let said = says(&OrderOptions::of(&named(registry, name)?)?);
            known.insert(name.clone(), said);
        }
        let Some((first_id, former)) = &first else {
            first = Some((id, order));
            continue;
        };
        let says = |order: &Option<String>| order.as_ref().filter(|name| known[*name]).cloned();
        let (order, id) = match (says(&order), says(former)) {
            (here, there) if here == there => continue,
            (Some(name), _) => (name, first_id.clone()),
            (None, Some(name)) => (name, id),
            (None, None) => continue,
        };
        return Ok(Some(Unlike { order: named(registry, &order)?, id }));
    }
    Ok(None)
}

/// Gives devices of which nothing but their id is known what their order says of them, or else what the registry kept
/// when they were issued last: type, name, group and all else that their list had.
pub fn keep_details(registry: &Registry, list: &mut DeviceList) -> Result {
    for device in list.devices.iter_mut().filter(|device| device.details.is_empty()) {
        device.details = registry.kept_details(&device.id)?;
    }
    Ok(())
}
