//! Orders: a list of devices that somebody has ordered, and what has become of each.
//!
//! An order keeps the rows of its list as they were read. Whether a device is issued stands in `certificate`, and
//! nowhere else: an order asks there for certificates that were recorded after it, by their row of the audit log. So
//! runs belong to an order however often they were stopped, and so does a device that was made again by its id. What
//! no certificate tells is a step: that a device failed, connected, or was handed over. Steps are only added. One that
//! is about a certificate counts for that one alone: a device that was made again has still to be handed over.
//!
//! Each change is one transaction, with a row of the audit log that has a digest of what was written.
//!
//! | file | for |
//! | --- | --- |
//! | `record` | what an order, its devices and its steps are |
//! | `tables` | the rows of their tables, and digests of what they say |
//! | `create` | an order is recorded, and taken back |
//! | `steps` | steps are recorded |
//! | `sharing` | the list is shared out to stations, in ranges |
//! | `read` | orders and their lists are read |
//! | `devices` | what became of their devices |
//! | `check` | everything is as it was written |

mod check;
mod create;
mod devices;
mod read;
mod record;
mod sharing;
mod steps;
mod tables;

pub(in crate::registry) use create::check_not_taken_back;
#[cfg(feature = "serve")]
pub(crate) use record::Recent;
pub use record::{NewOrder, OrderRecord, OrderState, Ordered, OrderedDevice, Step};
pub use sharing::OpenShare;
pub(in crate::registry) use sharing::hold_range;
pub(crate) use sharing::{Hold, Taken};
