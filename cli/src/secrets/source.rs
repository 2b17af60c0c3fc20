//! Where one secret comes from: its file, else its variable, else a person at a terminal.

use std::path::{Path, PathBuf};

use c8y_pki_core::secret::{ChosenPassword, NoPassword, Password};

use super::surroundings::{Process, Surroundings};
use super::weak::WeakArgs;
use crate::failure::{Failure, Result};
use crate::input;
use crate::output::Output;

/// One secret that a command may need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The file named by the option, if it was given.
    pub(super) file: Option<&'a PathBuf>,
    /// The option, for messages.
    pub(super) option: Option<&'static str>,
    /// The environment variable.
    pub(super) variable: Option<&'static str>,
    /// What kind of secret it is: `password`, `PIN`, `token`.
    pub(super) noun: &'static str,
    /// What it opens, for the prompt: "the CA's key".
    pub(super) what: &'a str,
    /// What is asked where no file is given.
    pub(super) outside: &'a dyn Surroundings,
}

impl<'a> Source<'a> {
    /// A secret of this process, so far with neither option nor variable.
    pub(super) fn new(noun: &'static str, what: &'a str) -> Self {
        Self { file: None, option: None, variable: None, noun, what, outside: &Process }
    }

    /// The same with the option that names its file.
    pub(super) fn file(self, option: &'static str, file: Option<&'a PathBuf>) -> Self {
        Self { file, option: Some(option), ..self }
    }

    /// The same with its variable.
    pub(super) fn variable(self, name: &'static str) -> Self {
        Self { variable: Some(name), ..self }
    }

    /// The same without a variable.
    pub(crate) fn no_variable(self) -> Self {
        Self { variable: None, ..self }
    }

    /// A secret of something that exists.
    pub(crate) fn existing(&self) -> Result<Password> {
        match self.given()? {
            Some(password) => Ok(password),
            None => self.ask(),
        }
    }

    /// A password for a store that exists, which may be empty. None if none was given, and asking is to come
    /// after the store was tried without one.
    pub(crate) fn of_store(&self) -> Result<Option<Password>> {
        self.read_by(Password::from_file_or_empty)
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

    /// From the file or the environment, if one of them has it.
    pub(crate) fn given(&self) -> Result<Option<Password>> {
        self.read_by(Password::from_file)
    }

    /// The first line of a file, of standard input for `-`, or else of the variable.
    fn read_by(
        &self,
        read: impl Fn(&[u8]) -> std::result::Result<Password, NoPassword>,
    ) -> Result<Option<Password>> {
        let Some(path) = self.file else {
            let text = self.in_environment();
            return Ok(text.and_then(|text| read(text.as_bytes()).ok()));
        };
        let secret = read(&input::read(path)?);
        secret.map(Some).map_err(|problem| self.no_secret(path, problem))
    }

    /// From the person at the terminal.
    pub(super) fn ask(&self) -> Result<Password> {
        if !self.outside.can_ask() {
            return Err(self.nobody_to_ask());
        }
        let question = format!("{} of {}: ", capital(self.noun), self.what);
        let password = self.outside.ask(&question)?;
        if password.expose().is_empty() {
            return Err(Failure::usage(
                format!("the {} of {} is empty", self.noun, self.what),
                "type at least one character",
            ));
        }
        Ok(password)
    }

    fn ask_again(&self, first: &Password) -> Result<()> {
        let again = self.outside.ask(&format!("Again, {} of {}: ", self.noun, self.what))?;
        match *first == again {
            true => Ok(()),
            false => Err(Failure::usage("the two passwords differ", "type the same one twice")),
        }
    }

    /// Adds to a failure to open something where the secret came from, if nobody has named it on the command line. A token
    /// that fails by itself does not.
    pub(super) fn named_in<T>(&self, opened: Result<T>) -> Result<T> {
        let variable =
            self.variable.filter(|_| self.file.is_none() && self.in_environment().is_some());
        match (opened, variable) {
            (Err(failure), Some(variable)) if failure.is_wrong_input() => {
                Err(failure.and(format!("the {} came from {variable}", self.noun)))
            }
            (opened, _) => opened,
        }
    }

    fn in_environment(&self) -> Option<String> {
        self.variable.and_then(|name| self.outside.variable(name))
    }

    fn nobody_to_ask(&self) -> Failure {
        let hint = match (self.option, self.variable) {
            (Some(option), Some(variable)) => format!("give {option} FILE, or set {variable}"),
            (Some(option), None) => format!("give {option} FILE"),
            (None, variable) => format!("set {}", variable.unwrap_or_default()),
        };
        let message = format!(
            "the {} of {} is needed, and there is no terminal to ask",
            self.noun, self.what
        );
        Failure::usage(message, hint)
    }

    fn no_secret(&self, path: &Path, problem: NoPassword) -> Failure {
        let noun = self.noun;
        Failure::usage(
            format!("the {noun} file {} gives no {noun}: {problem}", path.display()),
            problem.hint_for(noun).to_string(),
        )
    }
}

fn capital(noun: &str) -> String {
    let mut letters = noun.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
