//! `device check`: does the device connect, and if not, why?

mod beside;
mod many;
mod run;
mod setting;
pub(super) mod show;

pub(super) use run::run;
pub(super) use setting::{CheckArgs, MORE_WITH_LOGIN};
