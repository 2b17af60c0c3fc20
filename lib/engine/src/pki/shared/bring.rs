//! From the database into the directory: names, certificates, lists.

use super::Brought;
use super::chains::{self, Verdict};
use crate::cert::Certificate;
use crate::crl::Crl;
use crate::crypto::{hex, sha256};
use crate::files::{self, Access, Existing, Lock};
use crate::pki::renew::RENEWED;
use crate::pki::{Ca, IN_THE_MAKING, Pki, Result, SharedError};
use crate::registry::{KeptCa, SharedCa, digest, number_of};

impl Pki {
    /// Takes what the database has and the directory has not, or only an older one. If nothing differs this is one
    /// question. Where nothing can be written, nothing is.
    ///
    /// Errors: [`SharedError::OtherKey`].
    pub(in crate::pki) fn bring(&mut self) -> Result<()> {
        self.kept = self.registry.kept_cas()?;
        let behind = self.behind(&self.cas()?)?;
        if behind.is_empty() || !files::is_folder_writable(&self.dir) {
            return Ok(());
        }
        let _lock = Lock::wait(&self.lock_path())?;
        self.follow_names()?;
        for kept in behind {
            self.bring_ca(&kept)?;
            self.bring_list(&kept)?;
        }
        Ok(())
    }

    /// What of the database is not so in the directory.
    fn behind(&self, cas: &[Ca]) -> Result<Vec<KeptCa>> {
        let mut behind = Vec::new();
        for kept in &self.kept.cas {
            let is_same = match cas.iter().find(|ca| ca.name == kept.name) {
                Some(ca) => digest(ca.chain_pem()) == kept.chain && !is_newer(kept, ca)?,
                None => false,
            };
            if !is_same {
                behind.push(kept.clone());
            }
        }
        Ok(behind)
    }

    /// Gives CAs the names that they have got elsewhere.
    fn follow_names(&mut self) -> Result<()> {
        // One that gives its name away comes before the one that gets it.
        while let Some((from, to)) = self.next_name()? {
            self.take_name(&from, &to)?;
            self.news.push(Brought::Renamed { from, to });
        }
        Ok(())
    }

    fn next_name(&self) -> Result<Option<(String, String)>> {
        let cas = self.cas()?;
        for kept in &self.kept.cas {
            if self.ca_dir(&kept.name).exists() {
                continue;
            }
            let own = &chains::read(&self.registry, &self.theirs(kept)?)?[0];
            let is_it = |ca: &&Ca| {
                let of_name = self.kept.get(&ca.name);
                ca.certificate().spki == own.spki
                    && ca.certificate().subject.matches(&own.subject)
                    && of_name.is_none_or(|kept| kept.chain != digest(ca.chain_pem()))
            };
            if let Some(ca) = cas.iter().find(is_it) {
                return Ok(Some((ca.name.clone(), kept.name.clone())));
            }
        }
        Ok(None)
    }

    fn theirs(&self, kept: &KeptCa) -> Result<SharedCa> {
        let gone = || SharedError::Unfit {
            ca: kept.name.clone(),
            registry: self.registry.path().display().to_string(),
            problem: "it has got another name in this moment".to_owned(),
        };
        Ok(self.registry.shared_ca(&kept.name)?.ok_or_else(gone)?)
    }

    fn bring_ca(&mut self, kept: &KeptCa) -> Result<()> {
        let here = self.cas()?.into_iter().find(|ca| ca.name == kept.name);
        if here.as_ref().is_some_and(|ca| digest(ca.chain_pem()) == kept.chain) {
            return Ok(());
        }
        let chain = chains::read(&self.registry, &self.theirs(kept)?)?;
        let Some(here) = here else { return self.add_ca(&kept.name, &chain) };
        // One whose making was stopped is recorded first.
        if !here.is_unrecorded()
            && let Verdict::Theirs(chain) = chains::compare(&self.registry, &here, chain)?
        {
            let next = Ca { chain, ..here };
            let path = next.dir.join(RENEWED);
            files::write(&path, next.chain_pem().as_bytes(), Access::Public, Existing::Replace)?;
            self.put_in_place(&next, &path)?;
            self.news.push(Brought::Renewed { ca: next.name });
        }
        Ok(())
    }

    /// Makes the directory of a CA, without a key.
    fn add_ca(&mut self, name: &str, chain: &[Certificate]) -> Result<()> {
        let ca = name.to_owned();
        if self.ca_dir(name).exists() {
            let problem = format!(
                "the registry has a CA of that name, and ca/{name} has no certificate: give that one another name"
            );
            self.news.push(Brought::NotTaken { ca, problem });
            return Ok(());
        }
        let staging = self.dir.join("ca").join(format!("{IN_THE_MAKING}{name}"));
        files::remove_tree(&staging)?;
        files::create_private_dir(&staging)?;
        let all: String = chain.iter().map(Certificate::pem).collect();
        for (file, text) in [("chain.pem", all), ("cert.pem", chain[0].pem())] {
            files::write(&staging.join(file), text.as_bytes(), Access::Public, Existing::Refuse)?;
        }
        files::rename(&staging, &self.ca_dir(name))?;
        self.news.push(Brought::Added { ca, sha256: hex(&sha256(chain[0].der())) });
        Ok(())
    }

    fn bring_list(&mut self, kept: &KeptCa) -> Result<()> {
        let Some(ca) = self.cas()?.into_iter().find(|ca| ca.name == kept.name) else {
            return Ok(());
        };
        if !is_newer(kept, &ca)? {
            return Ok(());
        }
        let der = self.registry.shared_list(&kept.name)?.unwrap_or_default();
        let list = Crl::all_from_pem_or_der(&der).ok().and_then(|mut lists| lists.pop());
        let name = kept.name.clone();
        // It may be a newer one by now, and never one that the CA has not signed.
        let is_it = |list: &Crl| {
            ca.has_signed(list) && number_of(list).is_ok_and(|number| number >= kept.list)
        };
        match list.filter(is_it) {
            Some(list) => {
                ca.keep_list(&list)?;
                self.news.push(Brought::List { ca: name, number: kept.list });
            }
            None => {
                let number = kept.list;
                let problem = format!(
                    "list {number} of the registry is not taken: it is none of this CA's lists with that number"
                );
                self.news.push(Brought::NotTaken { ca: name, problem });
            }
        }
        Ok(())
    }
}

/// Whether the list of the database is newer than the last one in the CA's directory.
fn is_newer(kept: &KeptCa, ca: &Ca) -> Result<bool> {
    let (number, is_there) = ca.list_number()?;
    Ok(kept.list > number || (kept.list == number && number > 0 && !is_there))
}
