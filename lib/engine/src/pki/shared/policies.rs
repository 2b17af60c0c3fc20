//! Which signing policies count, and how they become texts.
//!
//! Where the registry is in a database, its policies count. A CA that is new there brings the policy that it has in
//! pki.toml. After that pki.toml is a draft: it counts once it was published by somebody who may change the database.

use std::collections::BTreeMap;
use std::path::Path;

use time::OffsetDateTime;

use super::Brought;
use crate::files::{self, Access, Existing};
use crate::pki::policy::RawPolicy;
use crate::pki::{AuthorityError, Pki, Result, SharedError, config};
use crate::profile::toml_fault;
use crate::registry::{KeptCa, digest};

/// The copy of the database's policy in the directory of a CA.
const COPY: &str = "policy.toml";

impl Pki {
    /// The policies that count, of those that pki.toml has and those of the database.
    pub(in crate::pki) fn counting(
        &mut self,
        own: &BTreeMap<String, RawPolicy>,
    ) -> Result<BTreeMap<String, RawPolicy>> {
        let mut all = own.clone();
        for kept in self.kept.cas.clone() {
            if !self.ca_dir(&kept.name).join("cert.pem").exists() {
                continue;
            }
            let draft = own.get(&kept.name).map(|raw| text(&kept.name, raw)).transpose()?;
            if draft.is_some() && draft.as_deref().map(digest) != kept.policy {
                self.news.push(Brought::OtherPolicy { ca: kept.name.clone() });
            }
            match self.kept_policy(&kept)? {
                Some(text) => all.insert(kept.name.clone(), self.parsed(&kept.name, &text)?),
                None => all.remove(&kept.name),
            };
        }
        Ok(all)
    }

    /// The policies that count at this moment, for a program that has opened the directory long ago.
    pub(in crate::pki) fn counting_now(&self) -> Result<BTreeMap<String, RawPolicy>> {
        let mut all = config::own_policies(&self.dir)?;
        for kept in self.registry.kept_cas()?.cas {
            let name = &kept.name;
            if !self.ca_dir(name).join("cert.pem").exists() {
                continue;
            }
            let is_known = self.kept.get(name).is_some_and(|known| known.policy == kept.policy);
            let table = match is_known {
                true => self.tables.get(name).cloned(),
                false => {
                    let text = self.registry.shared_ca(name)?.and_then(|ca| ca.policy);
                    text.map(|text| self.parsed(name, &text)).transpose()?
                }
            };
            match table {
                Some(table) => all.insert(name.clone(), table),
                None => all.remove(name),
            };
        }
        Ok(all)
    }

    /// The policy that the database has of a CA; its copy in the directory is made so, where that can be written.
    fn kept_policy(&mut self, kept: &KeptCa) -> Result<Option<String>> {
        let path = self.ca_dir(&kept.name).join(COPY);
        let copy = match path.exists() {
            true => Some(String::from_utf8_lossy(&files::read(&path)?).into_owned()),
            false => None,
        };
        if copy.as_deref().map(digest) == kept.policy {
            return Ok(copy);
        }
        let policy = match kept.policy {
            Some(_) => self.registry.shared_ca(&kept.name)?.and_then(|ca| ca.policy),
            None => None,
        };
        if files::is_folder_writable(&self.dir) {
            match &policy {
                Some(text) => {
                    files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?;
                }
                None => files::remove_file(&path)?,
            }
        }
        if copy.is_some() {
            self.news.push(Brought::Policy { ca: kept.name.clone() });
        }
        Ok(policy)
    }

    fn parsed(&self, ca: &str, text: &str) -> Result<RawPolicy> {
        let unfit = |e: toml::de::Error| SharedError::Unfit {
            ca: ca.to_owned(),
            registry: self.registry.path().display().to_string(),
            problem: format!("its policy: {}", toml_fault(text, &e).1),
        };
        Ok(toml::from_str(text).map_err(unfit)?)
    }

    /// The policy of a CA as the database has it, or is to have it; none if it has none.
    pub(in crate::pki) fn policy_text(&self, ca: &str) -> Result<Option<String>> {
        self.tables.get(ca).map(|raw| text(ca, raw)).transpose()
    }

    /// Puts the policies of pki.toml into the database, in place of those that it has; returns whose. A CA without a
    /// table in pki.toml keeps the policy that it has. Nothing if the registry is a file. With `only` that CA's alone.
    ///
    /// Errors: [`RegistryError::NotAllowed`](crate::registry::RegistryError::NotAllowed) for who may not change it.
    pub fn publish_policies(
        &mut self,
        only: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Vec<String>> {
        let mut changed = Vec::new();
        if !self.registry.is_shared() {
            return Ok(changed);
        }
        let own = config::own_policies(&self.dir)?.into_iter();
        for (ca, raw) in own.filter(|(ca, _)| only.is_none_or(|only| only == ca)) {
            let text = text(&ca, &raw)?;
            let Some(kept) = self.kept.get(&ca) else { continue };
            if kept.policy.as_deref() != Some(&digest(&text)) {
                self.registry.publish_policy(&ca, &text, now)?;
                changed.push(ca);
            }
        }
        self.kept = self.registry.kept_cas()?;
        self.read_policies()?;
        // What was just done is no news.
        self.news.clear();
        Ok(changed)
    }

    /// What pki.toml at this path holds, with the policies that count in the database: for a directory that goes on
    /// without it.
    pub(crate) fn with_policies(&self, bytes: &[u8]) -> Result<String> {
        let path = self.dir.join("pki.toml");
        let mut all = config::text_of(&path, bytes)?.to_owned();
        if !self.registry.is_shared() {
            return Ok(all);
        }
        let own = config::own_policies(&self.dir)?;
        for (ca, raw) in &self.tables {
            let wanted = text(ca, raw)?;
            if own.get(ca).map(|raw| text(ca, raw)).transpose()?.as_ref() != Some(&wanted) {
                all = config::with_policy(&path, &all, ca, &wanted)?;
            }
        }
        for ca in own.keys().filter(|ca| !self.tables.contains_key(*ca)) {
            all = config::without_policy(&path, &all, ca)?;
        }
        Ok(all)
    }
}

/// Removes the copies of a directory that works without a database from now on.
pub(in crate::pki) fn remove_copies(dir: &Path) -> Result<()> {
    let mut folders = files::list_dir(&dir.join("ca"))?.into_iter().filter(|ca| ca.is_dir());
    folders.try_for_each(|ca| Ok(files::remove_file(&ca.join(COPY))?))
}

/// A policy as a text that is the same for the same policy.
fn text(ca: &str, raw: &RawPolicy) -> Result<String> {
    toml::to_string(raw).map_err(|e| {
        let problem = format!("[policy.{ca}]: {e}");
        AuthorityError::Config { path: "pki.toml".into(), problem: problem.into() }
    })
}
