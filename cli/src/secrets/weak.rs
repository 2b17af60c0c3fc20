//! Whether a weak password may be chosen for a key that may be a CA's.

use c8y_pki_core::secret::{ChosenPassword, Password, WeakPassword};
use clap::Args;

use crate::failure::Result;
use crate::output::Output;

/// Whether a weak password may be chosen.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WeakArgs {
    /// Accept a new password for a CA's key that has fewer than 12 characters or is easy to guess; for tests and
    /// labs. Passwords that only open a key are not checked
    #[arg(long)]
    pub(crate) weak_password: bool,
}

impl WeakArgs {
    /// Judges a password that is to protect a key from now on.
    pub(crate) fn choose(self, password: Password, out: Output) -> Result<ChosenPassword> {
        if !self.weak_password {
            return Ok(ChosenPassword::judge(password)?);
        }
        if let Err(problem) = ChosenPassword::judge(password.clone()) {
            warn_of_weak(&problem, out);
        }
        Ok(ChosenPassword::unjudged(password))
    }
}

/// Says that a weak password is used because it was asked for.
pub(crate) fn warn_of_weak(problem: &WeakPassword, out: Output) {
    out.warning(&format!("{problem}; it is used because of --weak-password"));
}
