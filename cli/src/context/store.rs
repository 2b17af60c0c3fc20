//! The contexts in their file (`contexts.toml`, mode 0600), and their secrets in files of their own beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use c8y_pki_core::profile::toml_fault;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::files::{self, Access, Existing, FileError};
use serde::{Deserialize, Serialize};

use crate::config;
use crate::failure::{Failure, Result};

/// Letters of a context's name at most.
const MAX_NAME: usize = 64;

/// The word for no context at all.
const NONE: &str = "none";

/// Which secret of a context is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kept {
    /// `None` if it is asked for each time.
    #[default]
    Nothing,
    /// The user's password.
    Password,
    /// A token.
    Token,
}

impl Kept {
    /// Its name; none where nothing is kept.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Password => Some("password"),
            Self::Token => Some("token"),
        }
    }
}

/// How a tenant is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    pub(crate) host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cacert: Option<PathBuf>,
    #[serde(default)]
    pub(crate) secret: Kept,
}

/// A secret of a context.
pub(crate) enum Secret {
    Password(Password),
    Token(Password),
}

/// All contexts of a user.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one of `context use`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// A name that a context can have.
pub(crate) fn name_of(text: &str) -> std::result::Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match text {
        NONE => Err("`none` means that no context is taken".to_owned()),
        _ if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(good) => {
            Err(format!("use 1 to {MAX_NAME} letters, digits, - and _"))
        }
        name => Ok(name.to_owned()),
    }
}

fn place(name: &str) -> Result<PathBuf> {
    config::path(name).ok_or_else(|| {
        Failure::usage(
            "there is no directory for contexts",
            "set HOME or XDG_CONFIG_HOME to an absolute path",
        )
    })
}

fn secret_file(name: &str) -> Result<PathBuf> {
    place(&format!("secrets/{name}"))
}

impl Contexts {
    /// Those of the file; none where there is none.
    pub(crate) fn read() -> Result<Self> {
        let Some(path) = config::path("contexts.toml").filter(|path| path.exists()) else {
            return Ok(Self::default());
        };
        let bytes = files::read_small(&path)?;
        let text = String::from_utf8_lossy(&bytes);
        toml::from_str(&text).map_err(|e| {
            let (line, words) = toml_fault(&text, &e);
            Failure::usage(
                format!("{} cannot be read, line {line}: {words}", path.display()),
                "correct it, or remove it and add the contexts again",
            )
        })
    }

    /// The context with that name.
    pub(crate) fn named(&self, name: &str) -> Result<&Context> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let hint = match known.is_empty() {
                true => "`c8y-pki context add NAME --host HOST` makes one".to_owned(),
                false => format!("there are: {}", known.join(", ")),
            };
            Failure::usage(format!("there is no context {name:?}"), hint)
        })
    }

    /// Writes them.
    pub(crate) fn write(&self) -> Result<()> {
        let path = place("contexts.toml")?;
        if let Some(folder) = path.parent() {
            files::create_private_dir(folder)?;
        }
        let text = toml::to_string(self).map_err(|e| Failure::Output(std::io::Error::other(e)))?;
        Ok(files::write(&path, text.as_bytes(), Access::Private, Existing::Replace)?)
    }
}

/// Keeps the secret of a context, in place of the one that it had.
pub(crate) fn keep(name: &str, secret: &Password) -> Result<()> {
    let path = secret_file(name)?;
    if let Some(folder) = path.parent() {
        files::create_private_dir(folder)?;
    }
    let line = format!("{}\n", secret.expose());
    Ok(files::write(&path, line.as_bytes(), Access::Private, Existing::Replace)?)
}

/// Forgets the secret of a context, if one is kept.
pub(crate) fn forget(name: &str) -> Result<()> {
    let path = secret_file(name)?;
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| FileError { action: "remove", path, source }.into()),
    }
}

/// What is said of the secret of a context, after a look at its file.
pub(crate) fn said_of_secret(name: &str, secret: Kept) -> String {
    match (secret.name(), kept(name, secret)) {
        (None, _) => "asked for each time".to_owned(),
        (Some(what), Ok(_)) => format!("a {what} is kept"),
        (Some(what), Err(problem)) => {
            format!("a {what} that cannot be used: {}", problem.message())
        }
    }
}

/// The secret that is kept of a context.
pub(super) fn kept(name: &str, kept: Kept) -> Result<Option<Secret>> {
    if kept == Kept::Nothing {
        return Ok(None);
    }
    let path = secret_file(name)?;
    check_private(&path)?;
    let hint = || format!("`c8y-pki context add {name} --replace …` keeps another one");
    let bytes = files::read_small(&path).map_err(|error| match error.source.kind() {
        std::io::ErrorKind::NotFound => Failure::usage(
            format!("the secret of the context {name:?} is gone: there is no {}", path.display()),
            hint(),
        ),
        _ => error.into(),
    })?;
    let secret = Password::from_file(&bytes).map_err(|problem| {
        let told = format!("the secret of the context {name:?} in {}: {problem}", path.display());
        Failure::usage(told, hint())
    })?;
    Ok(Some(if kept == Kept::Token { Secret::Token(secret) } else { Secret::Password(secret) }))
}

/// Refuses a file that others can read.
#[cfg(unix)]
fn check_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map(|found| found.permissions().mode() & 0o777);
    match mode {
        Ok(mode) if mode & 0o077 != 0 => Err(Failure::usage(
            format!(
                "{} holds a secret, and its mode is {mode:04o}: others can read it",
                path.display()
            ),
            format!("chmod 600 {}", path.display()),
        )),
        _ => Ok(()),
    }
}

/// Windows has no such modes: the directory of the user's settings is the user's alone.
#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        assert!(name_of("acme-prod_2").is_ok());
        for bad in ["", "none", "a/b", "..", "a b", "ä", &"x".repeat(65)] {
            assert!(name_of(bad).is_err(), "{bad}");
        }
    }
}
