//! Bounds on work, so that a hostile heap of certificates costs milliseconds, not hours.

use super::ChainError;

/// Signatures checked for one chain. An honest chain needs one for each certificate; this allows
/// for several hundred certificates that share a name, and ends within a second on a slow device.
pub const MAX_SIGNATURE_CHECKS: u32 = 1_000;

/// Certificates considered as the next one of a path. Certificates that sign each other allow
/// exponentially many paths; this lets several hundred share a name at two places of the chain.
pub const MAX_PATH_STEPS: u32 = 200_000;

/// Names compared with name constraints. A leaf with 1000 names under a CA with 250 subtrees is
/// far more than anyone issues.
pub const MAX_NAME_COMPARISONS: u32 = 250_000;

/// What is left of the bounds.
#[derive(Debug)]
pub(super) struct Budget {
    signatures: u32,
    steps: u32,
    names: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            signatures: MAX_SIGNATURE_CHECKS,
            steps: MAX_PATH_STEPS,
            names: MAX_NAME_COMPARISONS,
        }
    }

    pub(super) fn signature(&mut self) -> Result<(), ChainError> {
        spend(&mut self.signatures, "signature checks", MAX_SIGNATURE_CHECKS)
    }

    pub(super) fn step(&mut self) -> Result<(), ChainError> {
        spend(&mut self.steps, "path steps", MAX_PATH_STEPS)
    }

    pub(super) fn name(&mut self) -> Result<(), ChainError> {
        spend(&mut self.names, "comparisons of names", MAX_NAME_COMPARISONS)
    }

    /// A second search over the same certificates starts with as many steps as the first.
    pub(super) fn renew_steps(&mut self) {
        self.steps = MAX_PATH_STEPS;
    }
}

fn spend(left: &mut u32, what: &'static str, limit: u32) -> Result<(), ChainError> {
    *left = left.checked_sub(1).ok_or(ChainError::BudgetExceeded { what, limit })?;
    Ok(())
}
