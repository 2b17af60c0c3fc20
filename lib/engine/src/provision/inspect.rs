//! The other half of `registry check`: is every live device's key where it was written, and its own?
//!
//! Keys are looked at on all cores, while other processes may issue, renew and move devices. So what does
//! not fit at the first look is looked at again, with what the registry has of the device by then; and a
//! device whose directory waits in the staging of a run, stopped or alive, is no fault of anybody's.

mod archives;
mod keys;
mod places;

pub use keys::{Keys, check_keys, check_keys_with};
