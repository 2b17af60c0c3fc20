//! What is in keystores and truststores, as far as their password opens them.

use std::collections::HashMap;

use crate::cert::Certificate;
use crate::crypto::sha256;
use crate::files;
use crate::key::PrivateKey;
use crate::pki::Ca;
use crate::read;
use crate::rollout::RolloutError;
use crate::rollout::spec::Spec;
use crate::secret::Password;
use crate::store::{self, Entry, EntryKind};

/// A certificate that is too many or missing: the key of the file, what is there, what is wanted.
type Difference = (&'static str, Option<String>, Option<String>);

/// So many hex digits of a fingerprint tell certificates of one subject apart.
const SHORT: usize = 16;

/// What truststores are to hold.
pub(super) struct Trusted {
    /// The certificates, with the key of the file that names each.
    certificates: Vec<(Certificate, &'static str)>,
    /// CAs that are not made yet.
    unmade: Vec<String>,
    /// CAs of the PKI directory, to say which key a certificate came from that is too many.
    cas: Vec<Certificate>,
}

impl Trusted {
    pub(super) fn of(spec: &Spec, existing: &[Ca]) -> Result<Self, RolloutError> {
        let (mut certificates, mut unmade) = (Vec::new(), Vec::new());
        for path in &spec.truststore.certificates {
            let found = read::certificates(&files::read(path)?, None).map_err(|source| {
                RolloutError::Certificate { path: path.clone(), source: Box::new(source) }
            })?;
            certificates.extend(found.into_iter().map(|cert| (cert, "truststore.certificates")));
        }
        for name in &spec.truststore.cas {
            match existing.iter().find(|ca| ca.name == *name) {
                Some(ca) => certificates.push((ca.certificate().clone(), "truststore.cas")),
                None => unmade.push(name.clone()),
            }
        }
        let cas = existing.iter().map(|ca| ca.certificate().clone()).collect();
        Ok(Self { certificates, unmade, cas })
    }

    /// What a truststore has too much or lacks: the key of the file, what is there, what is wanted.
    fn differs(&self, there: &[Certificate]) -> Vec<Difference> {
        let subject = |cert: &Certificate| {
            let mut all = self.certificates.iter().map(|(wanted, _)| wanted).chain(there);
            let is_like = |other: &Certificate| other != cert && other.subject == cert.subject;
            Some(match all.any(is_like) {
                false => cert.subject.to_string(),
                // Two of one subject: a renewed one, or another CA of that name.
                true => {
                    let print = &cert.fingerprint_sha256()[..SHORT];
                    format!("{} (SHA-256 {print}…)", cert.subject)
                }
            })
        };
        let mut found = Vec::new();
        for (cert, key) in &self.certificates {
            if !there.contains(cert) {
                found.push((*key, None, subject(cert)));
            }
        }
        found.extend(self.unmade.iter().map(|name| ("truststore.cas", None, Some(name.clone()))));
        for cert in there {
            if self.certificates.iter().all(|(wanted, _)| wanted != cert) {
                let is_ca = self.cas.contains(cert);
                let key = if is_ca { "truststore.cas" } else { "truststore.certificates" };
                found.push((key, subject(cert), None));
            }
        }
        found
    }
}

/// Opens stores with the password of the file. All truststores of a run are alike, so each is opened once.
pub(super) struct Stores<'a> {
    password: Option<&'a Password>,
    pub(super) trusted: Trusted,
    known: HashMap<[u8; 32], Result<Vec<Certificate>, String>>,
}

impl<'a> Stores<'a> {
    pub(super) fn new(password: Option<&'a Password>, trusted: Trusted) -> Self {
        Self { password, trusted, known: HashMap::new() }
    }

    /// Whether there is a password to open them with.
    pub(super) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// What a truststore has too much or lacks.
    ///
    /// Errors: why it cannot be opened.
    pub(super) fn truststore(&mut self, bytes: &[u8]) -> Result<Vec<Difference>, String> {
        let digest = sha256(bytes);
        if !self.known.contains_key(&digest) {
            let certificates = self.open(bytes).map(|kinds| {
                let certificate = |kind| match kind {
                    EntryKind::Trusted { certificate, .. } => Some(*certificate),
                    _ => None,
                };
                kinds.into_iter().filter_map(certificate).collect()
            });
            self.known.insert(digest, certificates);
        }
        match &self.known[&digest] {
            Ok(there) => Ok(self.trusted.differs(there)),
            Err(reason) => Err(reason.clone()),
        }
    }

    /// The chain of the key in a keystore, if the key is that of its first certificate; else nothing.
    ///
    /// Errors: why it cannot be opened.
    pub(super) fn keystore(&self, bytes: &[u8]) -> Result<Vec<Certificate>, String> {
        let chain = |kind| match kind {
            EntryKind::Key { pkcs8, chain } => Some((pkcs8, chain)),
            _ => None,
        };
        let found = self.open(bytes)?.into_iter().find_map(chain);
        let (key, chain) = found.ok_or("it holds no key that the password opens")?;
        let key = PrivateKey::from_pkcs8(key.expose()).map_err(|e| e.to_string())?;
        let is_its_key = |own: &Certificate| own.spki == key.public_key().spki();
        Ok(if chain.first().is_some_and(is_its_key) { chain } else { Vec::new() })
    }

    fn open(&self, bytes: &[u8]) -> Result<Vec<EntryKind>, String> {
        let store = store::open(bytes, self.password, None).map_err(|e| e.to_string())?;
        Ok(store.entries.into_iter().map(Entry::into_kind).collect())
    }
}
