//! Bounds on work, so that a hostile heap of certificates costs milliseconds, not hours.

use super::ChainError;

/// Signatures checked for one chain. An honest chain needs one for each certificate; this allows
/// for several hundred certificates that share a name, and ends within a second on a slow device.
pub const MAX_SIGNATURE_CHECKS: u32 = 1_000;

/// Certificates considered as the next one of a path. Certificates that sign each other allow
/// exponentially many paths; this lets several hundred share a name at two places of the chain.
pub const MAX_PATH_STEPS: u32 = 200_000;

/// Paths that reached an anchor and were then refused as a whole. Each such judgement reads the
/// names and policies of all its certificates again, so it is dearer than a step.
pub const MAX_COMPLETE_PATHS: u32 = 5_000;

/// Names and name constraints read and compared. A leaf with 1000 names under a CA with 200
/// subtrees stays below, and is far more than anyone issues.
pub const MAX_NAME_COMPARISONS: u32 = 250_000;

/// What is left of the bounds.
#[derive(Debug)]
pub(super) struct Budget {
    signatures: u32,
    steps: u32,
    paths: u32,
    names: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            signatures: MAX_SIGNATURE_CHECKS,
            steps: MAX_PATH_STEPS,
            paths: MAX_COMPLETE_PATHS,
            names: MAX_NAME_COMPARISONS,
        }
    }

    pub(super) fn signature(&mut self) -> Result<(), ChainError> {
        spend(&mut self.signatures, 1, "signature checks", MAX_SIGNATURE_CHECKS)
    }

    pub(super) fn step(&mut self) -> Result<(), ChainError> {
        spend(&mut self.steps, 1, "path steps", MAX_PATH_STEPS)
    }

    pub(super) fn complete_path(&mut self) -> Result<(), ChainError> {
        spend(&mut self.paths, 1, "complete paths", MAX_COMPLETE_PATHS)
    }

    pub(super) fn names(&mut self, count: usize) -> Result<(), ChainError> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        spend(&mut self.names, count, "comparisons of names", MAX_NAME_COMPARISONS)
    }

    /// A second search over the same certificates may go as far as the first; signature checks are
    /// remembered and not made again.
    pub(super) fn renew(&mut self) {
        let signatures = self.signatures;
        *self = Self { signatures, ..Self::new() };
    }
}

fn spend(left: &mut u32, count: u32, what: &'static str, limit: u32) -> Result<(), ChainError> {
    *left = left.checked_sub(count).ok_or(ChainError::BudgetExceeded { what, limit })?;
    Ok(())
}
