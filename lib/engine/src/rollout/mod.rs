//! The whole job from one file: CAs, devices, keystores, truststore, registration CSV.
//!
//! [`spec`] reads the file, [`plan`] compares it with what is there, key by key ([`Finding`]), [`apply`] does what is
//! left. What would change or revoke something that exists is done only where [`spec::Allowed`] says so. Everything is
//! idempotent: a second run finds everything in place and changes nothing. The steps
//! beyond this machine come last, and are done as far as [`Remote`] says how: what the tenant is to
//! know, and whether the devices connect. [`report`](mod@report) makes a page of it for people.

mod apply;
mod connect;
mod diff;
mod error;
mod judged;
mod known;
mod leftover;
mod listed;
mod longest;
mod making;
mod occupied;
mod outcome;
mod password;
mod places;
mod plan;
mod prune;
mod registered;
mod remote;
pub mod report;
mod run;
mod shortened;
pub mod spec;
mod step;
mod summary;
mod tenant;
mod turn;
mod verdict;

pub use apply::apply;
pub use connect::{Connected, Connecting, NotConnected};
pub use diff::{Finding, Remedy, Sign};
pub use error::RolloutError;
pub use judged::Judged;
pub use occupied::Occupied;
pub use outcome::Report;
pub use password::Passwords;
pub use places::purpose;
pub use plan::{Action, Plan, Step, plan};
pub use prune::Pruned;
pub use registered::Registered;
pub use remote::Remote;
pub use run::Run;
pub use shortened::ShortenedOf;
pub use turn::Turn;

/// The embedded example: file names and their contents.
pub static EXAMPLE: [(&str, &str); 2] = [
    ("rollout.toml", include_str!("../../templates/rollout.toml")),
    ("devices.csv", include_str!("../../templates/devices.csv")),
];
