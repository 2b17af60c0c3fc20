//! The last revocation list of a CA, and what is kept of it besides.
//!
//! `crl.pem` says what a registry must know. That it is gone must not look like a CA that has made none, so a
//! small file outside the registry keeps its number: `last-list.json`. Before a CA's first list it has the
//! number 0, so that a run that was stopped between the number and the list is not taken for a list that is
//! lost.

use std::path::{Path, PathBuf};

use super::{AuthorityError, Ca, Pki, Result};
use crate::clock::rfc3339;
use crate::crl::Crl;
use crate::crypto::{hex, sha256};
use crate::failure::Underlying;
use crate::files::{self, Access, Existing};
use crate::registry::number_of;

/// The file that keeps the number of the last list.
const NOTE: &str = "last-list.json";

/// What is kept of the last list.
#[derive(Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Note {
    number: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    this_update: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sha256: String,
}

/// The last list of a CA.
#[derive(Debug)]
pub(super) enum LastList {
    /// It has made none.
    None,
    /// In its directory.
    Of(Box<Crl>),
    /// It has made one, which is not there or cannot be used.
    Lost(Lost),
}

/// A last list that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The CA.
    pub ca: String,
    /// Where it should be.
    pub path: PathBuf,
    /// The highest number that is known of its lists.
    pub number: u64,
    /// Whether that number is known from outside the registry, which knows of a lower one.
    pub is_newer: bool,
    /// What is wrong.
    pub problem: Underlying,
}

impl Lost {
    /// The same as an error.
    pub(crate) fn error(self) -> AuthorityError {
        AuthorityError::LastList { ca: self.ca, path: self.path, problem: self.problem }
    }

    /// What is wrong, as a sentence.
    pub fn sentence(&self) -> String {
        self.clone().error().to_string()
    }
}

impl Ca {
    /// Where its last list is.
    pub(super) fn list_path(&self) -> PathBuf {
        self.dir.join("crl.pem")
    }

    /// Its last list; none if the directory has none.
    ///
    /// Errors: what is wrong with a file that holds no list of this CA, or one whose number cannot be gone on
    /// from.
    pub(super) fn list_in_folder(&self) -> Result<Option<std::result::Result<Crl, Underlying>>> {
        let path = self.list_path();
        if !path.exists() {
            return Ok(None);
        }
        let found = Crl::all_from_pem_or_der(&files::read(&path)?);
        let list = match found.map(|mut lists| lists.pop()) {
            Ok(Some(list)) => list,
            Ok(None) => return Ok(Some(Err("it is empty".into()))),
            Err(e) => return Ok(Some(Err(Underlying::of(e)))),
        };
        if !self.has_signed(&list) {
            return Ok(Some(Err("it is not signed with this CA's key".into())));
        }
        Ok(Some(number_of(&list).map(|_| list).map_err(Underlying::from)))
    }

    /// Whether a list is this CA's own.
    #[doc(hidden)]
    pub fn has_signed(&self, list: &Crl) -> bool {
        let own = self.certificate();
        list.issuer.matches(&own.subject)
            && own.public_key.as_ref().is_ok_and(|key| list.verify_signature(key).is_ok())
    }

    /// The highest number that is known here of its lists, and whether the last list is there.
    pub(super) fn list_number(&self) -> Result<(u64, bool)> {
        let is_there = self.list_path().exists();
        let number = match self.note()? {
            Some(note) => note.number,
            None => match self.list_in_folder()? {
                Some(Ok(list)) => number_of(&list).unwrap_or_default(),
                Some(Err(_)) | None => 0,
            },
        };
        Ok((number, is_there))
    }

    /// What is kept of its last list; none in a directory of a former version.
    fn note(&self) -> Result<Option<Note>> {
        let path = self.dir.join(NOTE);
        if !path.exists() {
            return Ok(None);
        }
        let note = serde_json::from_slice(&files::read_small(&path)?);
        note.map(Some).map_err(|e| AuthorityError::Config { path, problem: Underlying::of(e) })
    }

    fn keep_note(&self, note: &Note) -> Result<()> {
        let text = serde_json::to_string(note).unwrap_or_default() + "\n";
        let path = self.dir.join(NOTE);
        Ok(files::write(&path, text.as_bytes(), Access::Public, Existing::Replace)?)
    }

    /// Before the number of a list is taken: says that it has made none yet, if that is so.
    pub(super) fn begin_list(&self, known: u64) -> Result<()> {
        match known == 0 && !self.list_path().exists() && self.note()?.is_none() {
            true => self.keep_note(&Note::default()),
            false => Ok(()),
        }
    }

    /// Puts a list in its directory, and keeps its number.
    pub(super) fn keep_list(&self, list: &Crl) -> Result<()> {
        let path = self.list_path();
        files::write(&path, list.pem().as_bytes(), Access::Public, Existing::Replace)?;
        self.keep_note(&Note {
            number: number_of(list).unwrap_or_default(),
            this_update: rfc3339(list.this_update),
            sha256: hex(&sha256(list.der())),
        })
    }
}

impl Pki {
    /// The last list of a CA, as far as it is there.
    pub(super) fn last_list(&self, ca: &Ca) -> Result<LastList> {
        let problem = match ca.list_in_folder()? {
            Some(Ok(list)) => return Ok(LastList::Of(Box::new(list))),
            Some(Err(problem)) => Some(problem),
            None => None,
        };
        let known = self.registry.crl_number(&ca.name)?;
        let noted = ca.note()?.map(|note| note.number);
        let number = known.max(noted.unwrap_or(0));
        let problem = match (problem, noted) {
            (Some(problem), _) => problem,
            // Its first list was never written.
            (None, Some(0)) => return Ok(LastList::None),
            (None, _) if number == 0 => return Ok(LastList::None),
            (None, _) => {
                format!("it is not there, and list {number} of {} was made", ca.name).into()
            }
        };
        let (path, is_newer) = (ca.list_path(), noted.is_some_and(|noted| noted > known));
        let lost = Lost { ca: ca.name.clone(), path, number, is_newer, problem };
        match self.registry.has_accepted_loss(&ca.name, number)? {
            true => Ok(LastList::None),
            false => Ok(LastList::Lost(lost)),
        }
    }

    /// The last list that a CA has made; none if it has made none. What is wrong with one that cannot be used is an
    /// answer, as the inner error.
    pub fn made_list(&self, ca: &Ca) -> Result<std::result::Result<Option<Crl>, Lost>> {
        Ok(match self.last_list(ca)? {
            LastList::None => Ok(None),
            LastList::Of(list) => Ok(Some(*list)),
            LastList::Lost(lost) => Err(lost),
        })
    }

    /// Puts a list that somebody has kept back in place of the last one, which is lost.
    ///
    /// Errors: one that this CA has not signed.
    pub fn put_list_back(&self, ca: &Ca, list: &Crl) -> Result<()> {
        if !ca.has_signed(list) {
            let problem = "the list to be put there is not signed with this CA's key".into();
            let path: &Path = &ca.list_path();
            return Err(AuthorityError::LastList {
                ca: ca.name.clone(),
                path: path.to_owned(),
                problem,
            });
        }
        ca.keep_list(list)
    }
}
