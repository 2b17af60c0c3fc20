//! `rollout`: everything from one file.

mod advice;
mod args;
mod beyond;
mod plan;
#[cfg(feature = "sandbox")]
mod rehearsal;
#[cfg(not(feature = "sandbox"))]
#[path = "no_rehearsal.rs"]
mod rehearsal;
mod run;
mod show;

pub(crate) use args::RolloutArgs;
pub(crate) use run::run;
