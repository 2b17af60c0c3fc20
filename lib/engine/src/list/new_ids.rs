//! Ids of lists: those of new devices have to be such as the platform takes, those that exist are remarked on
//! ([`DeviceId::check_new`](crate::client_id::DeviceId::check_new)).

use super::device::Device;
use super::fault::{BadRow, BadRows};
use crate::client_id::DeviceId;
use crate::failure::Failure;

/// What is wrong with the id of a device that is new, if anything is.
pub fn fault(device: &Device) -> Option<BadRow> {
    let refused = device.id.check_new().err()?;
    let message = match device.line {
        Some(line) => refused.at(&format!("{} {line}", device.counted)),
        None => refused.to_string(),
    };
    Some(BadRow::of(device, message, refused.hint()))
}

/// The same for all of a list that are new.
pub fn refused<'a>(devices: impl IntoIterator<Item = &'a Device>) -> BadRows {
    let mut faults = BadRows::default();
    devices.into_iter().filter_map(fault).for_each(|fault| faults.add(fault));
    faults
}

/// How many remarks are kept.
const MOST: usize = 100;

/// What is to be said of the ids of devices that exist, and that no new device may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Remarks {
    /// How many there are.
    pub count: usize,
    /// The first 100 of them, a sentence each.
    pub first: Vec<String>,
}

impl Remarks {
    /// Looks at the id of one that exists.
    pub fn look_at(&mut self, id: &DeviceId) {
        let Some(remark) = id.remark() else { return };
        self.count += 1;
        if self.first.len() < MOST {
            self.first.push(remark);
        }
    }
}
