//! `device issue --exec`: a tool of the firm's own is run for each device that was issued, one after the other. Its
//! exit code decides whether the device counts as handed over, which the registry keeps with the device's order.

mod run;
mod tool;

pub(super) use run::HandOver;
