//! Whose labels are written: all devices of an order, those of it that are on a list, or those of a list alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::shown;
use c8y_pki_engine::labels::OfCertificate;
use c8y_pki_engine::list::Device;
use c8y_pki_engine::orders::{self, OrderOptions};
use c8y_pki_engine::registration;
use c8y_pki_engine::registry::{OrderRecord, OrderState, Record, Registry, Status};

use super::view::issue_command;
use crate::failure::{Failure, Result};
use crate::hint;
use crate::output::Output;

/// How many ids a sentence names.
pub(super) const NAMED: usize = 5;

/// The devices that get labels.
#[derive(Debug)]
pub(super) struct Labelled {
    /// What messages call them together.
    pub(super) of: String,
    pub(super) devices: Vec<Owner>,
    /// What makes the certificates that are missing.
    pub(super) issuing: String,
}

/// A device that gets a label.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) id: String,
    /// What its list says of it.
    pub(super) details: BTreeMap<String, String>,
    pub(super) certificate: Option<OfCertificate>,
    /// The serial number of that.
    pub(super) serial: Option<String>,
    /// It has none, because its last one was revoked.
    pub(super) is_revoked: bool,
    pub(super) order: Option<String>,
    pub(super) customer: Option<String>,
}

impl Owner {
    /// A device and its live certificate.
    fn new(
        id: &DeviceId,
        details: BTreeMap<String, String>,
        live: Option<&Record>,
    ) -> Result<Self> {
        let certificate = live.map(Record::certificate).transpose()?;
        Ok(Self {
            id: id.to_string(),
            details,
            certificate: certificate.as_ref().map(OfCertificate::from),
            serial: live.map(|live| live.serial.to_string()),
            is_revoked: false,
            order: None,
            customer: None,
        })
    }
}

/// All devices of an order, or those of it that are on a list.
pub(super) fn of_order(
    registry: &Registry,
    order: &OrderRecord,
    list: Option<Vec<Device>>,
) -> Result<Labelled> {
    let mut wanted: Option<HashSet<String>> =
        list.map(|list| list.iter().map(|device| device.id.to_string()).collect());
    let mut devices = Vec::new();
    registry.each_order_device(order, |device| -> Result<()> {
        let id = device.ordered.id.as_str();
        if wanted.as_mut().is_none_or(|wanted| wanted.remove(id)) {
            let live = device.live.as_ref().filter(|_| device.state == OrderState::Issued);
            let later = device.said_later();
            let details = registration::said_last(device.ordered.details.clone(), later);
            let id = device.ordered.id.clone();
            let (order, customer) = (Some(order.name.clone()), order.customer.clone());
            let is_revoked = device.state == OrderState::Revoked;
            devices.push(Owner { order, customer, is_revoked, ..Owner::new(&id, details, live)? });
        }
        Ok(())
    })?;
    let mut others: Vec<String> = wanted.into_iter().flatten().collect();
    if others.is_empty() {
        let command = issue_command(&order.name, &OrderOptions::of(order)?);
        let issuing = format!("`{command}`; if one was revoked, by its id with --existing replace");
        return Ok(Labelled { of: format!("the order {:?}", order.name), devices, issuing });
    }
    others.sort_unstable();
    Err(Failure::usage(
        format!(
            "the list has devices that are not in the order {:?}: {}",
            order.name,
            named(&others)
        ),
        "take them off the list, or leave out the name of the order",
    ))
}

/// The devices of a list, whatever order they are in. The list comes before what was kept of a device.
pub(super) fn of_list(registry: &Registry, list: Vec<Device>) -> Result<Labelled> {
    let mut orders: HashMap<String, OrderRecord> = HashMap::new();
    let (mut devices, mut unknown) = (Vec::new(), Vec::new());
    for Device { id, mut details, .. } in list {
        let live = registry.live_device(&id)?.filter(|record| is_of(record, &id));
        let ordered = registry.ordered(&id)?.filter(|ordered| ordered.id == id);
        let order = match &ordered {
            Some(_) => registry.open_order_of(&id)?,
            None => None,
        };
        if live.is_none() && order.is_none() {
            unknown.push(id.to_string());
            continue;
        }
        let ordered = ordered.map(|ordered| ordered.details).unwrap_or_default();
        let kept = registry.kept_details(&id)?;
        for (header, value) in registration::said_last(ordered, Some(&kept)) {
            details.entry(header).or_insert(value);
        }
        let customer = match &order {
            None => None,
            Some(name) => {
                if !orders.contains_key(name) {
                    orders.insert(name.clone(), orders::named(registry, name)?);
                }
                orders[name].customer.clone()
            }
        };
        let is_revoked = live.is_none() && was_revoked(registry, &id)?;
        let owner = Owner::new(&id, details, live.as_ref())?;
        devices.push(Owner { order, customer, is_revoked, ..owner });
    }
    if unknown.is_empty() {
        let issuing =
            format!("`{}`", hint::with_pki("device issue --from FILE --ca NAME --out DIR"));
        return Ok(Labelled { of: "the list".to_owned(), devices, issuing });
    }
    Err(Failure::usage(
        format!("the registry has no certificate and no order of {}", named(&unknown)),
        "issue them first, or take them off the list",
    ))
}

/// Whether a device's last certificate was revoked.
fn was_revoked(registry: &Registry, id: &DeviceId) -> Result<bool> {
    let last = registry.history(id)?.into_iter().rfind(|record| is_of(record, id));
    Ok(last.is_some_and(|record| record.status == Status::Revoked))
}

/// Tells of devices that get a label though they were revoked: their labels look like all others.
pub(super) fn warn_of_revoked(devices: &[Owner], out: Output) {
    let revoked: Vec<String> =
        devices.iter().filter(|device| device.is_revoked).map(|device| device.id.clone()).collect();
    if !revoked.is_empty() {
        let (number, all) = (revoked.len() as u64, devices.len() as u64);
        let part = shown::part(number, all, "device", ("is revoked", "are revoked"));
        let verb = if number == 1 { "it gets a label" } else { "they get labels" };
        out.warning(&format!("{part}, and {verb}: {}", named(&revoked)));
    }
}

/// Ids that differ in case are different devices.
fn is_of(record: &Record, id: &DeviceId) -> bool {
    record.holder.device() == Some(id)
}

/// The first of some ids.
pub(super) fn named(ids: &[String]) -> String {
    let more = if ids.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", ids[..ids.len().min(NAMED)].join(", "))
}
