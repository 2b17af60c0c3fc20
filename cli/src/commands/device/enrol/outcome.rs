//! What came of it: the files, and what is said.

use std::path::PathBuf;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::enrolment::folder::Folder;
use c8y_pki_engine::files::{self, Access, Existing, FileError};
use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{as_line, day, until};

#[derive(Serialize)]
pub(super) struct Enrolled {
    id: String,
    action: &'static str,
    subject: String,
    issuer: String,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    folder: String,
}

pub(super) fn pem(certificates: &[Certificate]) -> String {
    certificates.iter().map(Certificate::pem).collect()
}

/// Writes what came; cert.pem comes last: with it the device counts as enrolled. The chain is the leaf alone:
/// the platform knows its own CA, whose certificate it replaces each year.
pub(super) fn keep(
    folder: &Folder,
    certificates: &[Certificate],
) -> std::result::Result<(), FileError> {
    let own = certificates.first().map(Certificate::pem).unwrap_or_default();
    let write =
        |path: PathBuf| files::write(&path, own.as_bytes(), Access::Public, Existing::Replace);
    write(folder.chain())?;
    write(folder.cert())?;
    folder.forget_one_time()
}

pub(super) fn report(
    id: &DeviceId,
    action: &'static str,
    certificates: &[Certificate],
    folder: &Folder,
    out: Output,
) -> Result {
    let dir = folder.dir();
    let Some(own) = certificates.first() else {
        return Err(Failure::usage(
            format!("there is no certificate for {} in {}", id.as_str(), dir.display()),
            "remove the directory, and enrol the device again",
        ));
    };
    let enrolled = Enrolled {
        id: id.as_str().to_owned(),
        action,
        subject: own.subject.to_string(),
        issuer: own.issuer.to_string(),
        not_after: own.not_after,
        folder: dir.display().to_string(),
    };
    out.result(&enrolled, |e| {
        let end = format!("{} ({})", day(e.not_after), until(e.not_after));
        as_line(&format!("{}: {}, by {}, valid until {end}", e.id, e.action, e.issuer))
            + &as_line(&format!("  {}", e.folder))
    })?;
    Ok(Outcome::Done)
}
