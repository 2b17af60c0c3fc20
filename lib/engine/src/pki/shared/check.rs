//! Are the database, its audit log and the directory at one about the CAs?

use super::chains;
use crate::crl::Crl;
use crate::failure::Failure as _;
use crate::failure::Fault;
use crate::pki::{AuthorityError, Ca, Pki, Result};
use crate::registry::{Checked, KeptCa, Told, digest, number_of};

impl Pki {
    /// Holds what the database has of the CAs to its audit log and to the directory. What differs is noted.
    pub(in crate::pki) fn check_shared(&self, checked: &mut Checked) -> Result<()> {
        if !self.registry.is_shared() {
            return Ok(());
        }
        let (kept, told, cas) = (self.registry.kept_cas()?, self.registry.told_cas()?, self.cas()?);
        for one in &kept.cas {
            let here = cas.iter().find(|ca| ca.name == one.name);
            let told = told.get(&one.name).cloned().unwrap_or_default();
            for problem in self.problems_of(one, &told, here)? {
                checked.note("ca", format!("the CA {}: {problem}", one.name));
            }
        }
        for ca in cas.iter().filter(|ca| kept.get(&ca.name).is_none() && !ca.is_unrecorded()) {
            let name = &ca.name;
            checked.note("ca", format!("the CA {name} is not in the database for other stations"));
        }
        for news in self.news.iter().filter(|news| news.is_warning()) {
            checked.note("ca", news.sentence());
        }
        Ok(())
    }

    fn problems_of(&self, kept: &KeptCa, told: &Told, here: Option<&Ca>) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        if told.chain != kept.chain {
            problems
                .push("its certificates in the database are not those of the audit log".to_owned());
        }
        if told.policy != kept.policy {
            problems.push("its policy in the database is not that of the audit log".to_owned());
        }
        if let Some(shared) = self.registry.shared_ca(&kept.name)? {
            match chains::read(&self.registry, &shared) {
                Ok(_) => {}
                Err(AuthorityError::Shared(e)) if e.fault() == Fault::Refusal => {
                    problems.push(e.to_string());
                }
                Err(e) => return Err(e),
            }
        }
        problems.extend(self.problem_of_list(kept, told, here)?);
        if let Some(ca) = here {
            if kept.chain != digest(ca.chain_pem()) {
                problems.push(
                    "its certificates in the directory are not those of the database".to_owned(),
                );
            }
            if kept.list < ca.list_number()?.0 {
                problems.push("its last list is not in the database".to_owned());
            }
        }
        Ok(problems)
    }

    fn problem_of_list(
        &self,
        kept: &KeptCa,
        told: &Told,
        here: Option<&Ca>,
    ) -> Result<Option<String>> {
        let der = self.registry.shared_list(&kept.name)?;
        let own = der.as_ref().map(|der| (kept.list, digest(der)));
        if own != told.list || (own.is_none() && kept.list > 0) {
            return Ok(Some("its list in the database is not that of the audit log".to_owned()));
        }
        let (Some(der), Some(ca)) = (der, here) else { return Ok(None) };
        let list = Crl::all_from_pem_or_der(&der).ok().and_then(|mut lists| lists.pop());
        let is_own = |list: &Crl| {
            ca.has_signed(list) && number_of(list).is_ok_and(|number| number == kept.list)
        };
        Ok(match list.as_ref().is_some_and(is_own) {
            true => None,
            false => Some(format!("list {} of the database is none of its lists", kept.list)),
        })
    }
}
