//! A CA gets another name in its directory: the registry, its policy and its directory, in this order.
//!
//! A marker in the CA's directory says what is under way. A run that was stopped is settled when the directory is opened
//! to be written to: finished if the registry knows the new name, forgotten if not. What is made of certificates follows
//! by itself: parents, chains, keys and lists are found by what they are, not by names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use toml::Spanned;

use super::config::read_config;
use super::{AuthorityError, Ca, Pki, Result, check_name};
use crate::failure::Underlying;
use crate::files::{self, Access, Existing, Lock};
use crate::profile::toml_fault;

/// The marker in the directory of a CA that gets another name.
const RENAMING: &str = "renaming.json";

#[derive(Serialize, Deserialize)]
struct Marker {
    from: String,
    to: String,
    /// The last row of the audit log before.
    after: i64,
}

/// Of pki.toml only the names in `[policy.NAME]`, with their places.
#[derive(Deserialize)]
struct Policies {
    #[serde(default)]
    policy: BTreeMap<Spanned<String>, serde::de::IgnoredAny>,
}

impl Pki {
    /// Gives a CA another name. Files outside of the directory that name it are the caller's.
    ///
    /// Errors: a name that is taken, or under which another CA has issued.
    pub fn rename_ca(&mut self, from: &str, to: &str, now: OffsetDateTime) -> Result<Ca> {
        check_name(to)?;
        let _lock = Lock::wait(&self.lock_path())?;
        self.ca(from)?;
        Self::check_new_name(&self.dir, to)?;
        if !self.registry.ends_of(to)?.is_empty() {
            return Err(AuthorityError::NameOfAnother(to.to_owned()));
        }
        // Before anything is changed: a table that cannot be renamed is an error.
        self.renamed_policy(from, to)?;
        let (from, to) = (from.to_owned(), to.to_owned());
        let marker = Marker { from, to, after: self.registry.last_sequence()? };
        let path = self.mark(&marker)?;
        if let Err(e) = self.registry.rename_ca(&marker.from, &marker.to, now) {
            let _ = files::remove_file(&path);
            return Err(e.into());
        }
        self.finish_renaming(&marker)?;
        self.kept = self.registry.kept_cas()?;
        self.read_policies()?;
        self.ca(&marker.to)
    }

    /// Puts policy and directory under the new name, as far as they are not yet.
    fn finish_renaming(&self, marker: &Marker) -> Result<()> {
        if let Some(text) = self.renamed_policy(&marker.from, &marker.to)? {
            let path = self.dir.join("pki.toml");
            files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        }
        let (old, new) = (self.ca_dir(&marker.from), self.ca_dir(&marker.to));
        if old.join(RENAMING).exists() {
            files::rename(&old, &new)?;
        }
        files::remove_file(&new.join(RENAMING))?;
        Ok(files::sync_dir(&new)?)
    }

    /// Puts a CA under the name that the registry has given it elsewhere.
    pub(super) fn take_name(&self, from: &str, to: &str) -> Result<()> {
        self.renamed_policy(from, to)?;
        let marker = Marker { from: from.to_owned(), to: to.to_owned(), after: 0 };
        self.mark(&marker)?;
        self.finish_renaming(&marker)
    }

    fn mark(&self, marker: &Marker) -> Result<PathBuf> {
        let path = self.ca_dir(&marker.from).join(RENAMING);
        let text = serde_json::to_string(marker).unwrap_or_default() + "\n";
        files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
        Ok(path)
    }

    /// Settles renamings that were stopped.
    pub(super) fn settle_renamings(&self) -> Result<()> {
        let is_under_way = |dir: &Path| dir.join(RENAMING).exists();
        if !files::list_dir(&self.dir.join("ca"))?.iter().any(|dir| is_under_way(dir)) {
            return Ok(());
        }
        // The process that renames holds it; when it is free, the marker is there no more or left over.
        let _lock = Lock::wait(&self.lock_path())?;
        for dir in files::list_dir(&self.dir.join("ca"))? {
            let path = dir.join(RENAMING);
            if !path.exists() {
                continue;
            }
            let marker: Marker =
                serde_json::from_slice(&files::read_small(&path)?).map_err(|e| {
                    AuthorityError::Config { path: path.clone(), problem: Underlying::of(e) }
                })?;
            match self.registry.was_renamed(&marker.from, &marker.to, marker.after)? {
                true => self.finish_renaming(&marker)?,
                false => files::remove_file(&path)?,
            }
        }
        Ok(())
    }

    /// The text of pki.toml with the policy of a CA under its new name; none if it has no policy there.
    ///
    /// Errors: a table whose name cannot be changed in the text.
    fn renamed_policy(&self, from: &str, to: &str) -> Result<Option<String>> {
        let path = self.dir.join("pki.toml");
        read_config(&path)?;
        let text = String::from_utf8_lossy(&files::read(&path)?).into_owned();
        let error = |problem: Underlying| AuthorityError::Config { path: path.clone(), problem };
        let names = |text: &str| {
            toml::from_str::<Policies>(text)
                .map_err(|e| error(Underlying::worded(toml_fault(text, &e).1, e)))
        };
        let before = names(&text)?;
        let mut wanted: Vec<String> =
            before.policy.keys().map(|name| name.get_ref().clone()).collect();
        let Some(own) = wanted.iter_mut().find(|name| *name == from) else { return Ok(None) };
        to.clone_into(own);
        wanted.sort_unstable();
        let span = before.policy.keys().find(|name| name.get_ref() == from).map(Spanned::span);
        let changed = span.and_then(|span| {
            let (start, end) = (text.get(..span.start)?, text.get(span.end..)?);
            Some(format!("{start}{to}{end}"))
        });
        let is_it = |text: &String| {
            let found =
                names(text).map(|all| all.policy.into_keys().map(Spanned::into_inner).collect());
            found.is_ok_and(|found: Vec<String>| found == wanted)
        };
        match changed.filter(is_it) {
            Some(changed) => Ok(Some(changed)),
            None => {
                let problem = format!(
                    "the name in [policy.{from}] cannot be changed to {to}: write all of its settings under one \
                     [policy.{from}]"
                );
                Err(error(problem.into()))
            }
        }
    }
}
