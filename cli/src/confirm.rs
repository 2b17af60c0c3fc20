//! A question before something that cannot be taken back.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::{Failure, Result};
use crate::render::{as_line, printable};

/// Shows what it is about, and asks; `what` begins the sentence that is said where nobody can be asked.
pub(crate) fn confirm(what: &str, lines: &[String], question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            format!("{what} has to be confirmed, and there is no terminal to ask"),
            "give --yes",
        ));
    }
    let mut err = std::io::stderr().lock();
    for line in lines {
        // Nobody is left to answer if standard error is gone.
        let _ = write!(err, "{}", as_line(&format!("  {line}")));
    }
    let _ = write!(err, "{} [y/N] ", printable(question));
    let _ = err.flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(Failure::Input)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
