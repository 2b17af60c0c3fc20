//! `device connect`: a session that stays, as a device's own program would keep it.
//!
//! Operations go to standard output, errors and all else to standard error, and lines of standard input
//! to the platform.

mod lines;
mod run;
mod show;

pub(crate) use run::ConnectArgs;
pub(super) use run::run;
