//! In a build without the feature `sandbox`: a rehearsal says that there is none.

use std::convert::Infallible;
use std::sync::atomic::AtomicBool;

use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::rollout::Connecting;
use c8y_pki_engine::rollout::spec::Spec;

use crate::failure::{Failure, Result};
use crate::output::Output;

/// A sandbox. This build has none.
pub(super) struct Rehearsal(Infallible);

impl Rehearsal {
    /// An error that says so.
    pub(super) fn start(_: &Spec) -> Result<Self> {
        Err(Failure::usage(
            "this build has no tenant in memory",
            "rehearse with a build that has the feature `sandbox`, which is on by default",
        ))
    }

    /// Cannot be called: there is no rehearsal.
    pub(super) fn client(&self) -> Result<Client> {
        match self.0 {}
    }

    /// Cannot be called: there is no rehearsal.
    pub(super) fn stay(&self, _: &AtomicBool, _: Output) -> Result<()> {
        match self.0 {}
    }

    /// Cannot be called: there is no rehearsal.
    pub(super) fn connecting(&self, _: Option<usize>) -> Connecting {
        match self.0 {}
    }
}
