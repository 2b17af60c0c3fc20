//! Is a CA to be used, and are the CAs' folders as they were made?

use super::{AuthorityError, Ca, Pki, Result};
use crate::cert::Certificate;
use crate::files;
use crate::registry::{Checked, Filter, Role, Status};

impl Pki {
    /// Refuses a CA that is revoked, or stands under one that is.
    pub fn check_not_revoked(&self, ca: &Ca) -> Result<()> {
        for certificate in &ca.chain {
            if let Some(revoked) = self.registry.revocation(certificate)? {
                return Err(AuthorityError::Revoked {
                    subject: certificate.subject.to_string(),
                    since: revoked.at.date().to_string(),
                    reason: revoked.reason.name(),
                });
            }
        }
        Ok(())
    }

    /// Looks whether each CA's folder is whole, and each CA's folder is there. Faults are noted.
    pub fn check_cas(&self, checked: &mut Checked) -> Result<()> {
        let cas = self.cas()?;
        for ca in &cas {
            let name = &ca.name;
            let cert = files::read(&ca.dir.join("cert.pem"))
                .ok()
                .and_then(|bytes| Certificate::all_from_pem_or_der(&bytes).ok());
            if cert.is_none_or(|certs| certs.first() != Some(ca.certificate())) {
                checked.note(
                    "ca",
                    format!("cert.pem of the CA {name} is not the first of its chain.pem"),
                );
            }
            if let Some(problem) = ca.key_place().problem() {
                checked.note("ca", format!("the CA {name}: {problem}"));
            }
        }
        let filter =
            Filter { role: Some(Role::Ca), status: Some(Status::Live), ..Filter::default() };
        self.registry.each(&filter, |record| -> Result<()> {
            if !cas.iter().any(|ca| ca.certificate().der() == record.der) {
                let subject = record.certificate().map(|c| c.subject.to_string());
                checked.note(
                    "ca",
                    format!(
                        "the CA {} is recorded, and not in the folder",
                        subject.unwrap_or_default()
                    ),
                );
            }
            Ok(())
        })
    }
}
