//! `config.toml`: defaults that people write. This program only reads it.

use std::path::{Path, PathBuf};

use c8y_pki_core::profile::toml_fault;
use c8y_pki_engine::files;
use serde::Deserialize;

use super::places;
use crate::failure::{Failure, Result};
use crate::output::{Colour, Form};

/// What the file may hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The PKI directory.
    pub(crate) pki: Option<PathBuf>,
    /// The CA that issues.
    pub(crate) ca: Option<String>,
    /// Where issued devices go.
    pub(crate) out: Option<PathBuf>,
    /// The form of results.
    pub(crate) output: Option<Form>,
    /// Whether text is coloured.
    pub(crate) color: Option<Colour>,
    /// Fields of the subjects of new CAs.
    #[serde(default)]
    pub(crate) subject: Subject,
}

/// Fields of a subject.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Subject {
    pub(crate) country: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) locality: Option<String>,
    pub(crate) org: Option<String>,
    pub(crate) org_unit: Option<String>,
    pub(crate) email: Option<String>,
}

impl Config {
    /// Where it is, if it can be anywhere.
    pub(crate) fn place() -> Option<PathBuf> {
        places::path("config.toml")
    }

    /// Reads it; nothing is set where there is none.
    pub(crate) fn read() -> Result<Self> {
        match Self::place() {
            Some(path) if path.exists() => Self::of(&path),
            _ => Ok(Self::default()),
        }
    }

    fn of(path: &Path) -> Result<Self> {
        let bytes = files::read_small(path)?;
        let text = String::from_utf8_lossy(&bytes);
        toml::from_str(&text).map_err(|e| {
            let (line, words) = toml_fault(&text, &e);
            Failure::usage(
                format!("{}, line {line}: {words}", path.display()),
                "it may hold pki, ca, out, output, color, and in [subject] country, state, locality, org, org-unit, email",
            )
        })
    }
}
