//! What a CA did before it came here: read from the files of `openssl ca`, and told when it is taken over.

use std::path::{Path, PathBuf};

use c8y_pki_core::openssl::{self, database};
use c8y_pki_core::read;
use c8y_pki_engine::Error;
use c8y_pki_engine::files;
use c8y_pki_engine::pki::{AuthorityError, Former, History, Untaken, certificates_in};
use c8y_pki_engine::registry::Adopted;
use clap::Args;
use serde::Serialize;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::count;
use crate::values;

/// How many lines are shown to people; JSON has all.
const MOST_SHOWN: usize = 50;

/// What there is of a CA's history.
#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Import what `openssl ca` has issued and revoked: its database (database.txt, index.txt)
    #[arg(long, value_name = "FILE", requires = "import")]
    openssl_db: Option<PathBuf>,
    /// Files with the certificates that the CA has issued, or directories in which to look for them; may be repeated
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., requires = "import")]
    certs: Vec<PathBuf>,
    /// The CA's last revocation list: its number and all its entries are imported
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "import")]
    crl: Vec<PathBuf>,
    /// The file with the number of the CA's next list, as `openssl ca` keeps it; by default `crlnumber`
    /// beside --openssl-db, or in the directory `crl` there, if there is one
    #[arg(long, value_name = "FILE", requires = "import")]
    crlnumber: Option<PathBuf>,
}

impl HistoryArgs {
    /// Whether anything was given.
    pub(super) fn is_given(&self) -> bool {
        self.openssl_db.is_some()
            || !self.certs.is_empty()
            || !self.crl.is_empty()
            || self.crlnumber.is_some()
    }

    /// Reads all of it.
    pub(super) fn read(&self, out: Output) -> Result<Former> {
        let mut former = Former::default();
        if let Some(path) = &self.openssl_db {
            (former.rows, former.bad) = database::read(&files::read(path)?);
            let folder = path.parent().unwrap_or(Path::new("."));
            // OpenSSL writes `unknown`; other programs name the file.
            for file in former.rows.iter().filter_map(|row| row.file.as_ref()) {
                let path = folder.join(file);
                if path.is_file() {
                    former.certificates.extend(certificates_in(&path).unwrap_or_default());
                }
            }
        }
        for path in &self.certs {
            former.certificates.extend(values::certificates_in(path)?);
        }
        for path in &self.crl {
            let lists = read::lists(&files::read_small(path)?);
            let lists = lists.map_err(|e| Error::from(e).in_file(path.display().to_string()))?;
            former.lists.extend(lists);
        }
        if let Some(path) = self.number_file() {
            let number = openssl::crl_number(&files::read_small(&path)?);
            former.last_number = Some(number.map_err(|problem| AuthorityError::Config {
                path: path.clone(),
                problem: format!("it {problem}").into(),
            })?);
            if self.crlnumber.is_none() {
                out.note(&format!("The number of the last list is read from {}.", path.display()));
            }
        }
        Ok(former)
    }

    fn number_file(&self) -> Option<PathBuf> {
        let beside = || {
            let folder = self.openssl_db.as_ref()?.parent()?;
            let places = [folder.join("crlnumber"), folder.join("crl").join("crlnumber")];
            places.into_iter().find(|path| path.is_file())
        };
        self.crlnumber.clone().or_else(beside)
    }
}

/// What is said of a history that was taken over.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryView {
    #[serde(flatten)]
    adopted: Adopted,
    /// The number of the last list that is known.
    last_crl_number: Option<u64>,
    pub(crate) untaken: Vec<Untaken>,
    pub(crate) remarks: Vec<String>,
}

impl HistoryView {
    pub(crate) fn of(history: History, adopted: Adopted) -> Self {
        let last_crl_number = history.last_number();
        Self { adopted, last_crl_number, untaken: history.untaken, remarks: history.remarks }
    }

    /// One for several CAs.
    pub(crate) fn join(&mut self, other: Self) {
        let (own, more) = (&mut self.adopted, other.adopted);
        own.certificates += more.certificates;
        own.live += more.live;
        own.known += more.known;
        own.revocations += more.revocations;
        own.unknown_revocations += more.unknown_revocations;
        own.serials += more.serials;
        self.untaken.extend(other.untaken);
        self.remarks.extend(other.remarks);
    }

    /// What was taken over, as a line.
    pub(crate) fn line(&self) -> String {
        let done = &self.adopted;
        let mut line = format!(
            "imported: {} of devices ({} live), {}",
            count(done.certificates, "certificate"),
            done.live,
            count(done.revocations, "revocation")
        );
        if done.serials > 0 {
            let serials = count(done.serials, "serial number");
            line.push_str(&format!(", {serials} without a certificate of a device"));
        }
        if done.known > 0 {
            line.push_str(&format!("; {} recorded before", done.known));
        }
        if let Some(number) = self.last_crl_number {
            line.push_str(&format!("; the next revocation list has the number {}", number + 1));
        }
        line.push('\n');
        line
    }

    /// Names what was not taken over; the exit code says whether some of it is lost.
    pub(super) fn tell(&self, out: Output) -> Outcome {
        for untaken in self.untaken.iter().take(MOST_SHOWN) {
            let kept = match untaken.serial_kept {
                true => "only its serial number is recorded, and whether it is revoked",
                false => "nothing of it is imported",
            };
            out.warning(&format!("{}; {kept}", untaken.reason));
        }
        for remark in self.remarks.iter().take(MOST_SHOWN) {
            out.warning(remark);
        }
        let more = self.untaken.len().saturating_sub(MOST_SHOWN)
            + self.remarks.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            out.note(&format!("… and {more} more; --json has all"));
        }
        Outcome::of(self.untaken.iter().all(|untaken| untaken.serial_kept))
    }

    /// The same where each that is not taken over was named.
    pub(crate) fn tell_all(&self, out: Output) -> Outcome {
        self.tell(out);
        Outcome::of(self.untaken.is_empty())
    }

    /// That nothing is known of lists, if that is so.
    pub(super) fn warn_of_lists(&self, out: Output) {
        if self.last_crl_number.is_none() {
            out.note(
                "No number of a list was found, so the first list has number 1. If the CA has published \
                 lists, run this again with its last one: --crl FILE.",
            );
        }
    }
}
