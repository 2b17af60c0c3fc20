//! Where passwords come from: a file, the environment, or a person at a terminal. Never an
//! argument's value, and never a prompt where nobody can answer.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use c8y_pki::secret::{ChosenPassword, NoPassword, Password, WeakPassword};
use c8y_pki::shown::one_line;
use clap::Args;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::{stop, values};

/// One password that a command may need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The file named by the option, if it was given.
    pub(crate) file: Option<&'a PathBuf>,
    /// The option, for messages; empty if the command has none.
    pub(crate) option: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
    /// What kind of secret it is: `password`, `token`.
    pub(crate) noun: &'static str,
    /// What it opens, for the prompt: "the CA's key".
    pub(crate) what: &'a str,
}

/// Whether a weak password may be chosen.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WeakArgs {
    /// Take a new password for a CA's key that has fewer than 12 characters or is easily guessed; for
    /// tests and labs. Passwords that only open a key are not judged
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

/// The password of a private key's file.
pub(crate) fn of_key<'a>(file: Option<&'a PathBuf>, what: &'a str) -> Source<'a> {
    Source {
        file,
        option: "--key-password-file",
        variable: "C8Y_PKI_KEY_PASSWORD",
        noun: "password",
        what,
    }
}

/// Opens something with the password that was given. Without one it is tried with none, and a password is
/// asked for only if `needs` says that it is the reason.
pub(crate) fn opening<T, E>(
    source: Source<'_>,
    open: impl Fn(Option<&Password>) -> std::result::Result<T, E>,
    needs: impl Fn(&E) -> bool,
) -> Result<std::result::Result<T, E>> {
    let given = source.of_store()?;
    match open(given.as_ref()) {
        Err(e) if given.is_none() && needs(&e) => Ok(open(Some(&source.ask()?))),
        other => Ok(other),
    }
}

impl Source<'_> {
    /// A password for something that exists.
    pub(crate) fn existing(&self) -> Result<Password> {
        match self.given()? {
            Some(password) => Ok(password),
            None => self.ask(),
        }
    }

    /// A password for a store that exists, which may be empty. None if none was given, and asking is to come
    /// after the store was tried without one.
    pub(crate) fn of_store(&self) -> Result<Option<Password>> {
        let Some(path) = self.file else {
            let variable = std::env::var(self.variable).ok();
            return Ok(variable.and_then(|text| Password::from_file_or_empty(text.as_bytes()).ok()));
        };
        let read = Password::from_file_or_empty(&values::read(path)?);
        read.map(Some).map_err(|problem| no_password(path, self.noun, problem))
    }

    /// A password for something new: asked for twice.
    pub(crate) fn new_one(&self) -> Result<Password> {
        if let Some(password) = self.given()? {
            return Ok(password);
        }
        let first = self.ask()?;
        self.ask_again(&first)?;
        Ok(first)
    }

    /// A password for a key that may be a CA's: asked for twice, and judged.
    pub(crate) fn chosen(&self, weak: WeakArgs, out: Output) -> Result<ChosenPassword> {
        if let Some(password) = self.given()? {
            return weak.choose(password, out);
        }
        let first = weak.choose(self.ask()?, out)?;
        self.ask_again(first.password())?;
        Ok(first)
    }

    fn ask_again(&self, first: &Password) -> Result<()> {
        let again = prompt(&format!("Again, {} of {}: ", self.noun, self.what))?;
        match *first == again {
            true => Ok(()),
            false => Err(Failure::usage("the two passwords differ", "type the same one twice")),
        }
    }

    /// From the file or the environment, if one of them has it.
    pub(crate) fn given(&self) -> Result<Option<Password>> {
        if let Some(path) = self.file {
            return read(path, self.noun).map(Some);
        }
        match std::env::var(self.variable) {
            // As of a file, the first line counts.
            Ok(text) => Ok(Password::from_file(text.as_bytes()).ok()),
            Err(_) => Ok(None),
        }
    }

    fn ask(&self) -> Result<Password> {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                format!(
                    "the {} of {} is needed, and there is no terminal to ask",
                    self.noun, self.what
                ),
                match self.option {
                    "" => format!("set {}", self.variable),
                    option => format!("give {option} FILE, or set {}", self.variable),
                },
            ));
        }
        let password = prompt(&format!("{} of {}: ", capital(self.noun), self.what))?;
        if password.expose().is_empty() {
            return Err(Failure::usage(
                format!("the {} of {} is empty", self.noun, self.what),
                "type at least one character",
            ));
        }
        Ok(password)
    }
}

fn capital(noun: &str) -> String {
    let mut letters = noun.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn prompt(text: &str) -> Result<Password> {
    let typed = stop::at_prompt(|| rpassword::prompt_password(one_line(text).as_ref()));
    typed.map(Password::new).map_err(Failure::Input)
}

/// The first line of a file, or of standard input for `-`.
fn read(path: &Path, noun: &str) -> Result<Password> {
    Password::from_file(&values::read(path)?).map_err(|problem| no_password(path, noun, problem))
}

fn no_password(path: &Path, noun: &str, problem: NoPassword) -> Failure {
    Failure::usage(
        format!("the {noun} file {} gives no {noun}: {problem}", path.display()),
        problem.hint(noun),
    )
}
