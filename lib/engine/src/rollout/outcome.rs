//! What a rollout has done.

use super::connect::Connected;
use super::diff::Finding;
use super::error::RolloutError;
use super::judged::Judged;
use super::prune::Pruned;
use super::registered::Registered;
use super::shortened::ShortenedOf;
use super::step::{Step, changes};
use crate::platform::PlatformError;
use crate::platform::crl::Switch;
use crate::provision::Summary;

/// What a rollout has done.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// The steps of its plan, and whether each is done.
    pub steps: Vec<Step>,
    /// Whether the tenant looks at its list of revocations; none without a tenant, and in a
    /// rehearsal.
    pub revocation_check: Option<Switch>,
    /// What both sides say of a device's chain, if one was judged before the others were made.
    pub verdict: Option<Judged>,
    /// What is not as the file wants it, and was left as it is.
    pub left: Vec<Finding>,
    /// What is there and not in the file, and stays: it is nothing to do.
    pub stays: Vec<Finding>,
    /// What was not looked at.
    pub not_looked_at: Vec<Finding>,
    /// What was made for less time than its profile says.
    pub shortened: Vec<ShortenedOf>,
    /// What became of the devices.
    pub devices: Summary,
    /// What became of those that are no longer in the list, if they were to be revoked.
    pub pruned: Option<Pruned>,
    /// What became of them at the tenant, if they were to be registered there.
    pub registered: Option<Registered>,
    /// Which of them connect, if they were to.
    pub connected: Option<Connected>,
    /// Why the steps at the tenant ended early.
    #[serde(skip)]
    pub failure: Option<RolloutError>,
}

impl Report {
    /// Whether it was interrupted before its end.
    pub fn is_stopped(&self) -> bool {
        let told =
            matches!(self.failure, Some(RolloutError::Platform(PlatformError::Stopped { .. })));
        told || self.devices.stopped
            || self.registered.as_ref().is_some_and(|r| r.stopped)
            || self.connected.as_ref().is_some_and(|c| c.stopped)
    }

    /// Whether anything was made or written anew.
    pub fn changed(&self) -> bool {
        changes(&self.steps)
    }
}
