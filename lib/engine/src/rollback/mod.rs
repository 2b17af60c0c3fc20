//! Is the registry older than what is out in the world, and how does it get back what it has lost?
//!
//! A registry that was put back from a backup has forgotten what was issued and revoked since. Found out
//! by what is compared with it:
//!
//! - the last list of each CA, its number and its entries;
//! - the directories and archives into which devices were issued: certificates that a CA of the PKI directory has
//!   signed and the registry does not have;
//! - the hand-over files that were made, where they still are;
//! - what else somebody has: lists, hand-over files with their signatures, archives, directories.
//!
//! [`compare`] finds the differences and changes nothing; [`Comparison::repair`] takes over what can be:
//! revocations from lists, certificates from directories and archives. A hand-over file has no certificates, so
//! what it names is only told.

mod before_list;
mod places;
mod repair;
mod sources;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::cert::{Certificate, pem_blocks};
use crate::crl::Crl;
use crate::crypto::sha256;
use crate::failure::{Failure, Fault, Hint, Permission, Task, Underlying};
use crate::files::FileError;
use crate::pki::{Ca, Lost, Pki, Rollback};
use crate::registry::pipeline::in_order;
use crate::registry::{Checked, Holder, Registry, RegistryError, Scan};

pub use before_list::{Forgotten, accept_forgotten, before_list, refuse_forgotten};
pub use repair::Repaired;

/// What can go wrong with a comparison or a repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// Something given to compare with that cannot be used.
    #[error("{}: {problem}", path.display())]
    Source {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        problem: Underlying,
    },
    /// A list of a CA of which certificates were found that the registry does not have.
    #[error("{difference}{}; no list of {ca} is made", more_of(*more))]
    Forgotten {
        /// The CA.
        ca: String,
        /// The first of the certificates, as a sentence.
        difference: String,
        /// How many more there are.
        more: usize,
    },
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The PKI directory.
    #[error(transparent)]
    Authority(#[from] crate::pki::AuthorityError),
}

impl Failure for RollbackError {
    fn fault(&self) -> Fault {
        match self {
            Self::Forgotten { .. } => Fault::Refusal,
            Self::Source { .. } => Fault::Input,
            Self::File(e) => e.fault(),
            Self::Registry(e) => e.fault(),
            Self::Authority(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Source { .. } => Some(
                "give lists (PEM or DER), manifest.csv with its manifest.csv.sig, archives or directories of \
                 devices"
                    .into(),
            ),
            Self::Forgotten { ca, .. } => Some(
                Hint::run("take over what the registry has forgotten", Task::RepairRegistry).then(
                    Hint::permit("to make a list without it", Permission::Rollback { ca: ca.clone() }),
                ),
            ),
            Self::File(e) => e.hint(),
            Self::Registry(e) => e.hint(),
            Self::Authority(e) => e.hint(),
        }
    }
}

fn more_of(more: usize) -> String {
    match more {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    }
}

/// A certificate of a CA of ours that the registry does not have.
#[derive(Debug, Clone)]
pub struct Found {
    /// The directory or archive with it.
    pub place: PathBuf,
    /// The certificate.
    pub certificate: Certificate,
    /// The CA that has signed it.
    pub ca: String,
    /// Whether its key, or a keystore, is in the same directory.
    pub has_key: bool,
    /// Why it cannot be recorded as a device's or a server's, if it cannot.
    pub unfit: Option<String>,
}

impl Found {
    fn sentence(&self) -> String {
        let (cert, place) = (&self.certificate, self.place.display());
        let unfit = match &self.unfit {
            Some(why) => format!("; it cannot be recorded: {why}"),
            None => String::new(),
        };
        format!(
            "{place} has the certificate {} of {}, signed by {}, and the registry does not{unfit}",
            cert.serial, cert.subject, self.ca
        )
    }
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
    /// The CA that has signed the file.
    #[serde(skip)]
    pub ca: String,
    /// SHA-256 of the certificate, as hex.
    #[serde(skip)]
    pub sha256: String,
}

impl Told {
    fn sentence(&self) -> String {
        let Self { file, device_id, serial, problem, .. } = self;
        let file = file.display();
        format!("{file} names the certificate {serial} of {device_id}, which {problem}")
    }
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
    /// Last lists that cannot be compared.
    pub lost: Vec<Lost>,
    /// CAs that have no last list, and are not known to have made one.
    pub unlisted: Vec<String>,
    /// Whole lists of CAs of this directory that were given, with the name of the CA and their number.
    pub given: Vec<(String, u64, Crl)>,
}

impl Comparison {
    /// Whether the registry knows all of it.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
            && self.certificates.is_empty()
            && self.told.is_empty()
            && self.lost.is_empty()
    }

    /// What no repair can take over.
    pub fn unsettled(&self) -> usize {
        let unfit = self.certificates.iter().filter(|found| found.unfit.is_some()).count();
        let lost = self.lost.iter().filter(|lost| self.given_for(lost).is_none()).count();
        self.told.len() + unfit + lost
    }

    /// A list that was given and can take the place of a lost one: the newest.
    fn given_for(&self, lost: &Lost) -> Option<&Crl> {
        let fit = |(ca, number, _): &&(String, u64, Crl)| *ca == lost.ca && *number >= lost.number;
        self.given.iter().filter(fit).max_by_key(|(_, number, _)| *number).map(|(_, _, list)| list)
    }

    /// A sentence for each difference.
    pub fn sentences(&self) -> Vec<String> {
        let lists = self.lists.iter().map(Rollback::sentence);
        let certificates = self.certificates.iter().map(Found::sentence);
        let told = self.told.iter().map(Told::sentence);
        let lost = self.lost.iter().map(Lost::sentence);
        lost.chain(lists).chain(certificates).chain(told).collect()
    }

    /// Notes each difference.
    pub fn note(&self, checked: &mut Checked) {
        for sentence in self.sentences() {
            checked.note("rollback", sentence);
        }
    }
}

/// Compares the registry with the last lists, with the directories and archives of its devices, with its hand-over
/// files, and with what is given in `against`.
///
/// Errors: a path of `against` that is nothing to compare with, or that nobody of this PKI has signed.
pub fn compare(pki: &Pki, against: &[PathBuf]) -> Result<Comparison, RollbackError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    compare_with(pki, against, &Scan { threads, progress: &|_, _| {} })
}

/// The same with so many threads, and tells how many certificates of devices it has looked at, of about how
/// many.
pub fn compare_with(
    pki: &Pki,
    against: &[PathBuf],
    scan: &Scan<'_>,
) -> Result<Comparison, RollbackError> {
    let cas = pki.cas()?;
    let mut comparison = Comparison::default();
    for ca in &cas {
        match pki.lost_list(ca)? {
            Some(lost) => comparison.lost.push(lost),
            None if !ca.dir().join("crl.pem").exists() => {
                comparison.unlisted.push(ca.name.clone());
            }
            None => comparison.lists.extend(pki.compare_last_list(ca)?),
        }
    }
    let mut known = Known::of(pki.registry())?;
    let mut places = std::mem::take(&mut known.places);
    // What is there no more has nothing to say; that keys are missing is told elsewhere.
    places.retain(|place| place.exists());
    let sources = Sources { pki, cas: &cas, known: &known.certificates };
    for path in pki.registry().handovers()? {
        sources.compare_handover(&path, &mut comparison)?;
    }
    for path in against {
        places.extend(sources.compare(path, &mut comparison)?);
    }
    let search = Search { cas: &cas, known: &known.certificates };
    comparison.certificates = in_turn(pki.registry(), search.all(&places, scan)?)?;
    Ok(comparison)
}

/// What is compared with files that are given.
struct Sources<'a> {
    pki: &'a Pki,
    cas: &'a [Ca],
    known: &'a HashSet<Fingerprint>,
}

/// Looks for certificates that the registry does not have.
struct Search<'a> {
    cas: &'a [Ca],
    known: &'a HashSet<Fingerprint>,
}

/// A file with a certificate: where, its contents, and whether its key is there too.
type Candidate = (PathBuf, Vec<u8>, bool);

impl Search<'_> {
    /// Looks through directories and archives, on all cores.
    fn all(&self, places: &[PathBuf], scan: &Scan<'_>) -> Result<Vec<Found>, RollbackError> {
        let mut found = Vec::new();
        let (mut done, total) = (0, self.known.len() as u64);
        let read = |give: &mut dyn FnMut(Candidate)| -> Result<(), RollbackError> {
            for place in places {
                places::each_certificate(place, &mut |place, pem, has_key| {
                    give((place.to_owned(), pem, has_key));
                })?;
            }
            Ok(())
        };
        in_order(
            scan.threads,
            read,
            |candidate| self.judge(candidate),
            |one| {
                done += 1;
                (scan.progress)(done, total.max(done));
                found.extend(one);
            },
        )?;
        Ok(found)
    }

    /// A certificate that is ours and unknown. What is no certificate is none of ours.
    fn judge(&self, (place, contents, has_key): Candidate) -> Option<Found> {
        let der = match contents.first() {
            Some(0x30) => contents,
            _ => pem_blocks(&contents).ok()?.into_iter().next()?.into_contents(),
        };
        // Nearly all of them are known: only the others are read.
        if self.known.contains(&fingerprint(&der)) {
            return None;
        }
        let certificate = Certificate::from_der(&der).ok()?;
        let signed = |ca: &&Ca| {
            let own = ca.certificate();
            own.subject.matches(&certificate.issuer)
                && own.public_key.as_ref().is_ok_and(|k| certificate.verify_signature(k).is_ok())
        };
        let ca = self.cas.iter().find(signed)?.name.clone();
        let unfit = Holder::of_certificate(&certificate).err();
        Some(Found { place, certificate, ca, has_key, unfit })
    }
}

/// What was found, in order: by place, each certificate once. What was recorded meanwhile is known.
fn in_turn(registry: &Registry, mut found: Vec<Found>) -> Result<Vec<Found>, RollbackError> {
    found.sort_by(|a, b| a.place.cmp(&b.place));
    let mut seen = HashSet::new();
    let mut unknown = Vec::new();
    for one in found {
        let is_new = seen.insert(fingerprint(one.certificate.der()));
        if is_new && !registry.has(&one.certificate)? {
            unknown.push(one);
        }
    }
    Ok(unknown)
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

/// What a registry has of devices and servers: certificates, and where they were put.
struct Known {
    certificates: HashSet<Fingerprint>,
    places: Vec<PathBuf>,
}

impl Known {
    fn of(registry: &Registry) -> Result<Self, RollbackError> {
        let mut certificates = HashSet::new();
        let mut places = std::collections::BTreeSet::new();
        registry.each_place(|der, holder, location| -> Result<(), RollbackError> {
            certificates.insert(fingerprint(der));
            if let Some(location) = location {
                let place = places::parent_of(Path::new(location), holder.as_ref());
                if !places.contains(place) {
                    places.insert(place.to_owned());
                }
            }
            Ok(())
        })?;
        Ok(Self { certificates, places: places.into_iter().collect() })
    }
}
