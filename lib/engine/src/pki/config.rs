//! `pki.toml`: the version of the directory's form, where the registry is, the longest chain, and signing policies.

use std::collections::BTreeMap;
use std::path::Path;

use super::policy::{RawPolicy, SigningPolicy};
use super::{AuthorityError, Pki, Result, check_name};
use crate::cert::LongestChain;
use crate::failure::Underlying;
use crate::files::{self, Access, Existing, Lock};
use crate::profile::toml_fault;
use crate::registry::is_file;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    version: u32,
    pub(super) registry: String,
    pub(super) longest_chain: Option<LongestChain>,
    #[serde(default)]
    policy: BTreeMap<String, RawPolicy>,
}

fn config_error(path: &Path, problem: impl Into<Underlying>) -> AuthorityError {
    AuthorityError::Config { path: path.to_owned(), problem: problem.into() }
}

/// Reads pki.toml.
pub(super) fn read_config(path: &Path) -> Result<Config> {
    let config: Config = parsed(path, text_of(path, &files::read(path)?)?)?;
    if config.version != 1 {
        let problem = format!("version {} of the directory's form is not known", config.version);
        return Err(config_error(path, problem));
    }
    Ok(config)
}

fn text_of<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str> {
    std::str::from_utf8(bytes).map_err(|_| config_error(path, "it is not UTF-8"))
}

fn parsed<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let (line, words) = toml_fault(text, &e);
        config_error(path, Underlying::worded(format!("line {line}: {words}"), e))
    })
}

pub(super) fn read_policies(
    dir: &Path,
    path: &Path,
    config: &Config,
) -> Result<BTreeMap<String, SigningPolicy>> {
    let mut policies = BTreeMap::new();
    for (ca, raw) in &config.policy {
        // A policy that no CA has is probably meant for another: better said than passed over.
        if check_name(ca).is_err() || !dir.join("ca").join(ca).join("cert.pem").exists() {
            return Err(config_error(path, format!("[policy.{ca}]: there is no CA named {ca:?}")));
        }
        let listed = match &raw.ids_from {
            None => None,
            Some(file) => {
                let bytes = files::read(&dir.join(file))?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| config_error(path, format!("{file} is not UTF-8")))?;
                Some(text)
            }
        };
        let policy =
            SigningPolicy::new(ca, raw, listed).map_err(|problem| config_error(path, problem))?;
        policies.insert(ca.clone(), policy);
    }
    Ok(policies)
}

/// The name of the registry's file in a PKI directory; none if it is in a database.
pub(crate) fn registry_file(dir: &Path) -> Result<Option<String>> {
    let place = read_config(&dir.join("pki.toml"))?.registry;
    Ok(is_file(&place).then_some(place))
}

/// What pki.toml at this path holds, with another place of the registry. All else stays as its owner has written it.
pub(crate) fn with_registry(path: &Path, bytes: &[u8], registry: &str) -> Result<String> {
    #[derive(serde::Deserialize)]
    struct Place {
        registry: toml::Spanned<String>,
    }
    let text = text_of(path, bytes)?;
    let Place { registry: former } = parsed(path, text)?;
    let (before, after) = (&text[..former.span().start], &text[former.span().end..]);
    Ok(format!("{before}{}{after}", toml::Value::String(registry.to_owned())))
}

impl Pki {
    /// Adds the table of a CA's signing policy to pki.toml; false if it has one there, which stays. It counts
    /// from when the directory is opened next.
    ///
    /// Errors: a table that is none of a policy.
    pub fn add_policy(&self, ca: &str, table: &str) -> Result<bool> {
        let _lock = Lock::wait(&self.lock_path())?;
        let path = self.dir().join("pki.toml");
        if read_config(&path)?.policy.contains_key(ca) {
            return Ok(false);
        }
        let mut text = String::from_utf8_lossy(&files::read(&path)?).into_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("\n{table}"));
        let config: Config = parsed(&path, &text)?;
        read_policies(self.dir(), &path, &config)?;
        files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        Ok(true)
    }
}
