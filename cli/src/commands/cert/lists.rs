//! The revocation lists of `cert verify`: read, looked up in, and what became of each.

use std::path::PathBuf;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::chain::{self, ChainError, Refusal, VerifiedChain};
use c8y_pki_core::crl::Crl;
use c8y_pki_core::read;
use c8y_pki_engine::Error;
use c8y_pki_engine::files;
use serde::Serialize;

use super::args::VerifyArgs;
use crate::failure::Result;
use crate::output::Output;
use crate::values;

/// Revocation lists, and the CAs by which a list is known to be another's than an issuer's of the same name.
pub(super) struct Lists {
    all: Vec<Crl>,
    /// The file of each.
    files: Vec<PathBuf>,
    known: Vec<Certificate>,
}

/// What became of a list that was given.
#[derive(Serialize)]
pub(super) struct Given {
    file: PathBuf,
    issuer: String,
    number: Option<String>,
    used: bool,
    /// Why it was not used.
    why: Option<String>,
}

impl Given {
    pub(super) fn is_used(&self) -> bool {
        self.used
    }
}

/// A chain as it was judged, with lists if there are any.
pub(super) struct Judged {
    /// The path, if one was found; the lists may refuse it.
    pub(super) path: Option<VerifiedChain>,
    pub(super) warnings: Vec<Refusal>,
    pub(super) error: Option<ChainError>,
    pub(super) lists: Vec<Given>,
}

impl Lists {
    pub(super) fn read(args: &VerifyArgs, anchors: &[Certificate]) -> Result<Self> {
        let mut lists = Self { all: Vec::new(), files: Vec::new(), known: anchors.to_vec() };
        for path in &args.crl {
            let found = read::lists(&files::read_small(path)?)
                .map_err(|e| Error::from(e).in_file(path.display().to_string()))?;
            lists.files.extend(found.iter().map(|_| path.clone()));
            lists.all.extend(found);
        }
        for path in &args.other_ca {
            lists.known.extend(values::certificates(path)?);
        }
        Ok(lists)
    }

    /// Validates, and looks up in the lists if there are any.
    pub(super) fn judge(
        &self,
        leaf: &Certificate,
        rest: &[Certificate],
        anchors: &[Certificate],
        options: &chain::Options,
    ) -> Judged {
        let refused = "the chain was refused before any list was read";
        let path = match chain::verify(leaf, rest, anchors, options) {
            Ok(path) => path,
            Err(error) => {
                let lists = self.all.iter().map(|_| Some(refused.to_owned()));
                let lists = self.given(lists);
                return Judged { path: None, warnings: Vec::new(), error: Some(error), lists };
            }
        };
        let mut warnings = path.warnings().to_vec();
        if self.all.is_empty() {
            return Judged { path: Some(path), warnings, error: None, lists: Vec::new() };
        }
        let lists = chain::Lists { all: &self.all, known: &self.known, signers: rest };
        let found = chain::check_revocation(&path, &lists, options.at);
        let broken = found.warnings.first().filter(|_| options.strict).cloned();
        let error = found.refusal.or(broken).map(ChainError::from);
        if error.is_none() {
            warnings.extend(found.warnings);
        }
        let given = self.given(found.lists.into_iter().map(|u| u.unused));
        Judged { warnings, error, lists: given, path: Some(path) }
    }

    fn given(&self, unused: impl Iterator<Item = Option<String>>) -> Vec<Given> {
        let named = self.all.iter().zip(&self.files).zip(unused);
        let given = named.map(|((list, file), why)| Given {
            file: file.clone(),
            issuer: list.issuer.to_string(),
            number: list.number.as_ref().map(|n| n.to_decimal()),
            used: why.is_none(),
            why,
        });
        given.collect()
    }
}

/// Says which of the lists that were given have had no say, and why.
pub(super) fn note_unused(lists: &[Given], out: Output) {
    for list in lists {
        let Some(why) = &list.why else { continue };
        let number = list.number.as_ref().map(|n| format!(" {n}")).unwrap_or_default();
        out.warning(&format!("the revocation list{number} of {} was not used: {why}", list.issuer));
    }
}
