//! `pki.toml`: the version of the directory's form, where the registry is, the longest chain, and signing policies.

use std::collections::BTreeMap;
use std::path::Path;

use super::policy::{RawPolicy, SigningPolicy};
use super::{AuthorityError, Pki, Result, check_name};
use crate::cert::LongestChain;
use crate::failure::Underlying;
use crate::files::{self, Access, Existing, Lock, Looked};
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

pub(super) fn text_of<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str> {
    std::str::from_utf8(bytes).map_err(|_| config_error(path, "it is not UTF-8"))
}

fn parsed<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let (line, words) = toml_fault(text, &e);
        config_error(path, Underlying::worded(format!("line {line}: {words}"), e))
    })
}

/// The policies in pki.toml, with the ids of the files that they name.
pub(super) fn own_policies(dir: &Path) -> Result<BTreeMap<String, RawPolicy>> {
    own_policies_of(dir, &mut Looked::default())
}

/// The same, with the files that it comes from.
pub(super) fn own_policies_of(
    dir: &Path,
    looked: &mut Looked,
) -> Result<BTreeMap<String, RawPolicy>> {
    let path = dir.join("pki.toml");
    policies_of(dir, &path, read_config(&path)?, looked)
}

fn policies_of(
    dir: &Path,
    path: &Path,
    config: Config,
    looked: &mut Looked,
) -> Result<BTreeMap<String, RawPolicy>> {
    let mut policies = config.policy;
    for (ca, raw) in &mut policies {
        let certificate = dir.join("ca").join(ca).join("cert.pem");
        looked.at(&certificate);
        // A policy that no CA has is probably meant for another: better said than passed over.
        if check_name(ca).is_err() || !certificate.exists() {
            return Err(config_error(path, format!("[policy.{ca}]: there is no CA named {ca:?}")));
        }
        if let Some(file) = raw.ids_from.take() {
            looked.at(&dir.join(&file));
            let text = String::from_utf8(files::read(&dir.join(&file))?)
                .map_err(|_| config_error(path, format!("{file} is not UTF-8")))?;
            raw.list(&text);
        }
    }
    Ok(policies)
}

/// The policies that tables say.
pub(super) fn made(
    path: &Path,
    tables: &BTreeMap<String, RawPolicy>,
) -> Result<BTreeMap<String, SigningPolicy>> {
    let made = tables.iter().map(|(ca, raw)| {
        let policy = SigningPolicy::new(ca, raw);
        Ok((ca.clone(), policy.map_err(|problem| config_error(path, problem))?))
    });
    made.collect()
}

/// The text of pki.toml with another policy of a CA.
pub(super) fn with_policy(path: &Path, text: &str, ca: &str, table: &str) -> Result<String> {
    let without = without_policy(path, text, ca)?;
    Ok(format!("{}\n\n[policy.{ca}]\n{table}", without.trim_end()))
}

/// The text of pki.toml without the policy of a CA.
pub(super) fn without_policy(path: &Path, text: &str, ca: &str) -> Result<String> {
    let header = format!("[policy.{ca}]");
    let mut is_inside = false;
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| {
            let line = line.trim();
            is_inside = line == header || (is_inside && !line.starts_with('['));
            !is_inside
        })
        .collect();
    match parsed::<Config>(path, &kept)?.policy.contains_key(ca) {
        false => Ok(kept),
        true => Err(config_error(
            path,
            format!(
                "the policy of {ca} cannot be replaced: write all of its settings under one {header}"
            ),
        )),
    }
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
    /// Adds the table of a CA's signing policy to pki.toml; false if it has one, which stays. It counts
    /// from when the directory is opened next; where a database says what counts, it is to be published.
    ///
    /// Errors: a table that is none of a policy.
    pub fn add_policy(&self, ca: &str, table: &str) -> Result<bool> {
        let _lock = Lock::wait(&self.lock_path())?;
        let path = self.dir().join("pki.toml");
        if read_config(&path)?.policy.contains_key(ca) || self.tables.contains_key(ca) {
            return Ok(false);
        }
        let mut text = String::from_utf8_lossy(&files::read(&path)?).into_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("\n{table}"));
        let config: Config = parsed(&path, &text)?;
        made(&path, &policies_of(self.dir(), &path, config, &mut Looked::default())?)?;
        files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        Ok(true)
    }
}
