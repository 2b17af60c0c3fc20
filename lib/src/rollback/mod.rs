//! Is the registry older than what is out in the world, and how does it get back what it has lost?
//!
//! A registry that was put back from a backup has forgotten what was issued and revoked since. Found out
//! by what is compared with it:
//!
//! - the last list of each CA, its number and its entries;
//! - the folders and archives into which devices were issued: certificates that a CA of the PKI folder has
//!   signed and the registry does not have;
//! - what else somebody has: lists, hand-over files with their signatures, archives, folders.
//!
//! [`compare`] finds the differences and changes nothing; [`Comparison::repair`] takes over what can be:
//! revocations from lists, certificates from folders and archives. A hand-over file has no certificates, so
//! what it names is only told.

mod places;
mod repair;
mod sources;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::authority::{AuthorityError, Ca, Pki, Rollback};
use crate::cert::Certificate;
use crate::crypto::sha256;
use crate::files::FileError;
use crate::registry::{Checked, Registry, RegistryError};

pub use repair::Repaired;

/// What can go wrong with a comparison or a repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// Something given to compare with that cannot be used.
    #[error("{}: {problem}", path.display())]
    Source {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A certificate that was found and cannot be recorded.
    #[error("{}: {problem}", path.display())]
    Certificate {
        /// Where it was found.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The PKI folder.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl RollbackError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source { .. } => Some(
                "give lists (PEM or DER), manifest.csv with its manifest.csv.sig, archives or folders of \
                 devices"
                    .to_owned(),
            ),
            Self::Certificate { .. } => None,
            Self::File(e) => e.hint(),
            Self::Registry(e) => e.hint(),
            Self::Authority(e) => e.hint(),
        }
    }
}

/// A certificate of a CA of ours that the registry does not have.
#[derive(Debug, Clone)]
pub struct Found {
    /// The folder or archive with it.
    pub place: PathBuf,
    /// The certificate.
    pub certificate: Certificate,
    /// The CA that has signed it.
    pub ca: String,
    /// Whether its key, or a keystore, is in the same folder.
    pub has_key: bool,
}

/// What a hand-over file says and the registry does not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Told {
    /// The file.
    pub file: PathBuf,
    /// The device.
    pub device_id: String,
    /// The serial number of its certificate.
    pub serial: String,
    /// `is not in the registry`, `is revoked there, and not in the registry`.
    pub problem: &'static str,
}

/// What the registry does not know.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Lists that revoke more, or have higher numbers.
    pub lists: Vec<Rollback>,
    /// Certificates that were found.
    pub certificates: Vec<Found>,
    /// What hand-over files tell.
    pub told: Vec<Told>,
    /// Last lists that cannot be compared: why not.
    pub unusable: Vec<String>,
}

impl Comparison {
    /// Whether the registry knows all of it.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
            && self.certificates.is_empty()
            && self.told.is_empty()
            && self.unusable.is_empty()
    }

    /// A sentence for each difference.
    pub fn sentences(&self) -> Vec<String> {
        let lists = self.lists.iter().map(Rollback::sentence);
        let certificates = self.certificates.iter().map(|found| {
            let (cert, place) = (&found.certificate, found.place.display());
            format!(
                "{place} has the certificate {} of {}, signed by {}, and the registry does not",
                cert.serial, cert.subject, found.ca
            )
        });
        let told = self.told.iter().map(|told| {
            let (file, device) = (told.file.display(), &told.device_id);
            format!(
                "{file} names the certificate {} of {device}, which {}",
                told.serial, told.problem
            )
        });
        self.unusable.iter().cloned().chain(lists).chain(certificates).chain(told).collect()
    }

    /// Notes each difference.
    pub fn note(&self, checked: &mut Checked) {
        for sentence in self.sentences() {
            checked.note("rollback", sentence);
        }
    }
}

/// Compares the registry with the last lists, with the folders and archives of its devices, and with what
/// is given in `against`.
///
/// Errors: a path of `against` that is nothing to compare with, or that nobody of this PKI has signed.
pub fn compare(pki: &Pki, against: &[PathBuf]) -> Result<Comparison, RollbackError> {
    let cas = pki.cas()?;
    let mut comparison = Comparison::default();
    for ca in &cas {
        match pki.compare_last_list(ca) {
            Ok(found) => comparison.lists.extend(found),
            Err(e @ AuthorityError::LastList { .. }) => comparison.unusable.push(e.to_string()),
            Err(e) => return Err(e.into()),
        }
    }
    let mut known = Known::of(pki.registry())?;
    let mut search = Search { pki, cas: &cas, known: &known.certificates, found: Vec::new() };
    for place in std::mem::take(&mut known.places) {
        // What is there no more has nothing to say; that keys are missing is told elsewhere.
        if place.exists() {
            search.place(&place)?;
        }
    }
    for path in against {
        sources::compare(path, &mut search, &mut comparison)?;
    }
    comparison.certificates = search.end()?;
    Ok(comparison)
}

/// Looks for certificates that the registry does not have.
struct Search<'a> {
    pki: &'a Pki,
    cas: &'a [Ca],
    known: &'a HashSet<Fingerprint>,
    found: Vec<Found>,
}

impl Search<'_> {
    /// Looks through a folder or an archive.
    fn place(&mut self, path: &Path) -> Result<(), RollbackError> {
        places::each_certificate(path, &mut |place, pem, has_key| self.judge(place, pem, has_key))
    }

    /// Keeps a certificate that is ours and unknown. What is no certificate is none of ours.
    fn judge(&mut self, place: &Path, pem: &[u8], has_key: bool) {
        let Ok(certificate) = Certificate::all_from_pem_or_der(pem).map(|mut all| all.remove(0))
        else {
            return;
        };
        if self.known.contains(&fingerprint(certificate.der())) {
            return;
        }
        let signed = |ca: &&Ca| {
            let own = ca.certificate();
            own.subject.matches(&certificate.issuer)
                && own.public_key.as_ref().is_ok_and(|k| certificate.verify_signature(k).is_ok())
        };
        let Some(ca) = self.cas.iter().find(signed).map(|ca| ca.name.clone()) else { return };
        let place = place.to_owned();
        self.found.push(Found { place, certificate, ca, has_key });
    }

    /// What was found, in order: by place, each certificate once. What was recorded meanwhile is known.
    fn end(self) -> Result<Vec<Found>, RollbackError> {
        let mut found = self.found;
        found.sort_by(|a, b| a.place.cmp(&b.place));
        let mut seen = HashSet::new();
        let mut unknown = Vec::new();
        for one in found {
            let is_new = seen.insert(fingerprint(one.certificate.der()));
            if is_new && !self.pki.registry().has(&one.certificate)? {
                unknown.push(one);
            }
        }
        Ok(unknown)
    }
}

/// The first half of a certificate's SHA-256: a registry can have a million of them.
type Fingerprint = [u8; 16];

fn fingerprint(der: &[u8]) -> Fingerprint {
    half(&sha256(der))
}

fn half(sha256: &[u8; 32]) -> Fingerprint {
    let mut half = [0; 16];
    half.copy_from_slice(&sha256[..16]);
    half
}

/// What a registry has of devices: certificates, and where they were put.
struct Known {
    certificates: HashSet<Fingerprint>,
    places: Vec<PathBuf>,
}

impl Known {
    fn of(registry: &Registry) -> Result<Self, RollbackError> {
        let mut certificates = HashSet::new();
        let mut places = std::collections::BTreeSet::new();
        registry.each_place(|der, id, location| -> Result<(), RollbackError> {
            certificates.insert(fingerprint(der));
            if let Some(location) = location {
                let place = places::parent_of(Path::new(location), id);
                if !places.contains(place) {
                    places.insert(place.to_owned());
                }
            }
            Ok(())
        })?;
        Ok(Self { certificates, places: places.into_iter().collect() })
    }
}
