//! What taking an order back would revoke.

use super::error::Result;
use crate::registry::{OrderRecord, OrderState, OrderedDevice, Record, Registry};

/// What taking an order back would do.
#[derive(Debug, Clone, Default)]
pub struct TakeBack {
    /// Live certificates that were issued since the order was made: they are revoked.
    pub revoke: Vec<Record>,
    /// Devices whose live certificate is older than the order: they keep it.
    pub before: Vec<Record>,
    /// How many devices have none: they were not issued, or are revoked already.
    pub without: u64,
    /// How many of those to be revoked were handed over.
    pub handed_over: u64,
    /// How many of them have connected.
    pub connected: u64,
}

/// Looks at all devices of an order; nothing is changed.
pub fn take_back(registry: &Registry, order: &OrderRecord) -> Result<TakeBack> {
    let mut all = TakeBack::default();
    let _moment = registry.snapshot()?;
    registry.each_order_device(order, |device| -> Result {
        let OrderedDevice { state, live, before, handed_over, connected, .. } = device;
        match live {
            Some(live) if before => all.before.push(live),
            Some(live) => {
                all.handed_over += u64::from(handed_over.is_some());
                all.connected += u64::from(connected.is_some());
                all.revoke.push(live);
            }
            None => {
                debug_assert_ne!(state, OrderState::Issued);
                all.without += 1;
            }
        }
        Ok(())
    })?;
    Ok(all)
}
