//! How far an order is.

use serde::Serialize;

use super::error::Result;
use crate::registry::{OrderRecord, OrderState, OrderedDevice, Registry};

/// How far an order is: numbers of devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// All of them.
    pub devices: u64,
    /// With a live certificate.
    pub issued: u64,
    /// Of these, those whose certificate is older than the order.
    pub before: u64,
    /// Of these, those that were made more than once in this order.
    pub reworked: u64,
    /// Of these, those that have connected with it.
    pub connected: u64,
    /// Of these, those that were handed over with it.
    pub handed_over: u64,
    /// Without a live certificate, as the last attempt failed.
    pub failed: u64,
    /// Without a live certificate, as it was revoked.
    pub revoked: u64,
    /// Not issued yet.
    pub open: u64,
}

impl Progress {
    /// Counts a device.
    pub fn add(&mut self, device: &OrderedDevice) {
        self.devices += 1;
        match device.state {
            OrderState::Issued => self.issued += 1,
            OrderState::Failed => self.failed += 1,
            OrderState::Revoked => self.revoked += 1,
            OrderState::Open => self.open += 1,
        }
        self.before += u64::from(device.before);
        self.reworked += u64::from(device.is_reworked());
        self.connected += u64::from(device.connected.is_some());
        self.handed_over += u64::from(device.handed_over.is_some());
    }

    /// Whether nothing is left to be issued: each device has a live certificate, or had one that was revoked.
    pub fn is_settled(&self) -> bool {
        self.open == 0 && self.failed == 0
    }

    /// Whether every device has a live certificate.
    pub fn is_whole(&self) -> bool {
        self.issued == self.devices
    }
}

/// Counts the devices of an order, as they are at one moment.
pub fn progress(registry: &Registry, order: &OrderRecord) -> Result<Progress> {
    let mut progress = Progress::default();
    let _moment = registry.snapshot()?;
    registry.each_order_device(order, |device| -> Result {
        progress.add(&device);
        Ok(())
    })?;
    Ok(progress)
}
