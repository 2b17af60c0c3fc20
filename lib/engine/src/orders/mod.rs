//! Orders: a list of devices that a customer has ordered, and how far it is.
//!
//! An order is made from a device list once, which is kept in the registry as it was read. From then on runs, the
//! hand-over file, the registration and revocation name the order and not the list. What becomes of its devices is
//! read from the registry's certificates and steps: [`Registry::each_order_device`](crate::registry::Registry).
//!
//! | file | for |
//! | --- | --- |
//! | `error` | why something cannot be done with an order |
//! | `options` | how its devices are made |
//! | `create` | an order from a list |
//! | `devices` | its list again, for a run; what an order says of devices that are made anew |
//! | `progress` | how many are issued, failed, connected, handed over |
//! | `take_back` | what taking an order back would revoke |

mod create;
mod devices;
mod error;
mod options;
mod progress;
mod take_back;

pub use create::{Draft, create, named};
pub use devices::{Unlike, check_open, keep_details, list_again, list_of, shared_by, unlike};
pub use error::OrderError;
pub use options::OrderOptions;
pub use progress::{Progress, progress};
pub use take_back::{TakeBack, take_back};
