//! Questions that are answered with yes or no: before something that cannot be taken back, and about what only a person
//! knows.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::{Failure, Result};
use crate::render::{as_line, printable};
use crate::stop;

/// Whether there is somebody to ask.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal()
}

/// Shows what it is about, and asks; `what` begins the sentence that is said where nobody can be asked.
pub(crate) fn confirm(what: &str, lines: &[String], question: &str) -> Result<bool> {
    if !can_ask() {
        return Err(Failure::usage(
            format!("{what} has to be confirmed, and there is no terminal to ask"),
            "give --yes",
        ));
    }
    let text: String = lines.iter().map(|line| as_line(&format!("  {line}"))).collect();
    ask(&text, question)
}

/// Asks where somebody [can](can_ask) be asked; nothing is hidden in `text`, which stands before the question. Ctrl-C
/// ends the program.
pub(crate) fn ask(text: &str, question: &str) -> Result<bool> {
    let mut err = std::io::stderr().lock();
    // Nobody is left to answer if standard error is gone.
    let _ = write!(err, "{text}{} [y/N] ", printable(question));
    let _ = err.flush();
    let mut answer = String::new();
    stop::at_prompt(|| std::io::stdin().lock().read_line(&mut answer)).map_err(Failure::Input)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
