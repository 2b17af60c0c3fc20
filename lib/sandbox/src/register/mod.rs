//! Bulk registration (platform: "Bulk registration"): a CSV of devices. The answer is 201 even when
//! rows failed; it lists them.
//!
//! Refused as a whole with 422: a file without rows or headers, headers that break a rule. A device
//! that is there already gets new credentials and keeps everything else.

mod call;
mod row;
mod table;

pub(super) use call::register;
