//! What lies outside of the program: the environment, and a person at a terminal.

use std::fmt::Debug;
use std::io::IsTerminal;

use c8y_pki_core::secret::Password;
use c8y_pki_core::shown::one_line;

use crate::failure::{Failure, Result};
use crate::stop;
use crate::variables;

/// Where a secret may come from that no file has.
pub(super) trait Surroundings: Debug {
    /// A variable of the environment, as it is.
    fn variable(&self, name: &str) -> Option<String>;

    /// Whether there is somebody who can be asked.
    fn can_ask(&self) -> bool;

    /// Asks; what is typed is not shown.
    fn ask(&self, question: &str) -> Result<Password>;
}

/// Those of this process.
#[derive(Debug)]
pub(super) struct Process;

impl Surroundings for Process {
    fn variable(&self, name: &str) -> Option<String> {
        variables::as_it_is(name)
    }

    fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal()
    }

    fn ask(&self, question: &str) -> Result<Password> {
        let typed = stop::at_prompt(|| rpassword::prompt_password(one_line(question).as_ref()));
        typed.map(Password::new).map_err(Failure::Input)
    }
}
