//! The check itself: the file, the audit log, the rows, the lists' numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::audit_log::AuditLog;
use super::findings::{Checked, Finding, Scan};
use super::rows;
use super::signers::Signers;
use crate::cert::Certificate;
use crate::registry::database::again;
use crate::registry::{Filter, Registry, RegistryError, Result, Role};

impl Registry {
    /// Checks the file, the audit log, every row and every certificate, on all cores. Nothing is changed.
    pub fn check(&self) -> Result<Checked> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        self.check_with(&Scan { threads, progress: &|_, _| {} })
    }

    /// The same with so many threads, and tells how far it is. It begins anew if the connection to a database is lost.
    pub fn check_with(&self, scan: &Scan<'_>) -> Result<Checked> {
        again(|| self.check_at_one_moment(scan))
    }

    fn check_at_one_moment(&self, scan: &Scan<'_>) -> Result<Checked> {
        let mut checked = Checked::default();
        // One moment for all of it, whatever other processes record meanwhile.
        let _moment = self.snapshot()?;
        let done = thread::scope(|scope| {
            let whole = scope.spawn(|| self.problems());
            let done = self.check_contents(scan, &mut checked);
            let problems = whole.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let mut file = Checked::default();
            match problems {
                Ok(problems) => problems.into_iter().for_each(|p| file.note("database", p)),
                Err(RegistryError::Damaged { reason, .. }) => {
                    file.note("database", reason.to_string())
                }
                Err(e) => return Err(e),
            }
            // What is wrong with the file comes first: all else may follow from it.
            file.join(Checked {
                findings: std::mem::take(&mut checked.findings),
                ..Checked::default()
            });
            checked.more_findings += file.more_findings;
            checked.findings = file.findings;
            done
        });
        match done {
            // A page that cannot be read ends the check: what was found until then counts.
            Err(RegistryError::Damaged { reason, .. }) => {
                let finding = Finding { kind: "database", message: reason.to_string() };
                if !checked.findings.contains(&finding) {
                    checked.add(finding);
                }
            }
            other => other?,
        }
        Ok(checked)
    }

    fn check_contents(&self, scan: &Scan<'_>, checked: &mut Checked) -> Result<()> {
        let count = "SELECT count(*) FROM certificate";
        let total: i64 = self.session()?.one(count, values![], |row| row.get(0))?;
        let total = total.cast_unsigned();
        (scan.progress)(0, total);
        let audit_log = AuditLog::read(self, checked)?;
        let cas = self.find(&Filter { role: Some(Role::Ca), ..Filter::default() })?;
        let cas: Vec<Certificate> = cas.iter().filter_map(|r| r.certificate().ok()).collect();
        rows::check(self, &audit_log, &Signers::new(cas), (scan, total), checked)?;
        self.check_orders(checked)?;
        self.check_crl_numbers(&audit_log, checked)
    }

    fn check_crl_numbers(&self, audit_log: &AuditLog, checked: &mut Checked) -> Result<()> {
        let sql = "SELECT ca, number FROM crl_number";
        let kept = self.session()?.all(sql, values![], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let kept: BTreeMap<String, i64> = kept.into_iter().collect();
        for ca in audit_log.crl_numbers.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
            let (kept, told) = (kept.get(ca), audit_log.crl_numbers.get(ca));
            if kept != told {
                let number = |n: Option<&i64>| n.map_or("none".to_owned(), i64::to_string);
                checked.note(
                    "state",
                    format!(
                        "the last CRL number of {ca} is {}, but {} by the audit log",
                        number(kept),
                        number(told)
                    ),
                );
            }
        }
        Ok(())
    }
}
