//! What a run is to do, and what it has done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use time::OffsetDateTime;

use super::bundle::{Bundle, BundleSettings};
use super::destination::Out;
use super::former::Keep;
use crate::crypto::KeyPolicy;
use crate::issue::BeyondIssuer;
use crate::key::signer::Signer;
use crate::list::BadRow;
use crate::list::new_ids::Remarks;
use crate::name::NameBuilder;
use crate::pki::policy::SigningPolicy;
use crate::pki::{Ca, Terms};
use crate::profile::Profile;
use crate::registry::OrderRecord;
use crate::secret::Password;

/// What to do with a device that has a live certificate already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Leave it as it is.
    #[default]
    Skip,
    /// Refuse the whole run before the first key.
    Fail,
    /// Issue another one in its place; the former one stays in the registry as history.
    ///
    /// A run that was stopped, however it ended, is resumed by the next one in the same directory:
    /// what was recorded since its beginning is left as it is.
    Replace {
        /// Whether the former certificate is revoked, with the reason `superseded`.
        revoke: bool,
    },
}

/// What to do with a device whose certificate was revoked and that has no live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedDevices {
    /// Leave it out.
    LeaveOut,
    /// Issue it if it is in an order that was made after that; else leave it out.
    IfOrdered,
    /// With [`Existing::Replace`], issue it; else as [`Self::IfOrdered`].
    Issue,
}

impl Existing {
    /// Whether live devices get another certificate.
    pub(super) fn replaces(self) -> bool {
        matches!(self, Self::Replace { .. })
    }
}

/// What to issue, and how.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The issuing CA.
    pub ca: &'a Ca,
    /// Its key.
    pub key: &'a dyn Signer,
    /// The profile, of kind `device`.
    pub profile: &'a Profile,
    /// Subject fields besides CN, which is the device identifier.
    pub subject: &'a NameBuilder,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// What to do when a device would outlive its issuer.
    pub beyond_issuer: BeyondIssuer,
    /// Where their files go.
    pub out: Out<'a>,
    /// The files of a device.
    pub bundle: BundleSettings<'a>,
    /// What to do with devices that are issued already.
    pub existing: Existing,
    /// What to do with devices that were revoked.
    pub revoked: RevokedDevices,
    /// What counts of the former certificate of a device that is issued again.
    pub keep: Keep,
    /// The order that the devices are issued for. Once it was taken back, nothing more is recorded.
    pub order: Option<&'a OrderRecord>,
    /// A CSV that gets a random store password for each device, in place of one password for all; see
    /// [`SECRETS_HEADER`](super::SECRETS_HEADER).
    pub secrets: Option<&'a Path>,
    /// Takes keys from the pool of the PKI directory, which this password opens, instead of making them.
    pub key_pool: Option<&'a Password>,
    /// Whether devices that can be issued are, though others have faults.
    pub keep_going: bool,
    /// What the CA may sign.
    pub policy: &'a SigningPolicy,
    /// Which keys are certified that were made elsewhere.
    pub keys: KeyPolicy,
    /// Number of worker threads; at least one is used.
    pub threads: usize,
}

impl<'a> Job<'a> {
    /// On what terms its devices are certified.
    pub(super) fn terms(&self) -> Terms<'a> {
        self.rules().terms()
    }

    /// Which devices it issues.
    pub(super) fn rules(&self) -> Rules<'a> {
        Rules {
            ca: self.ca,
            profile: self.profile,
            subject: self.subject,
            days: self.days,
            beyond_issuer: self.beyond_issuer,
            kinds: self.bundle.kinds,
            has_trusted: !self.bundle.trusted.is_empty(),
            encrypts_keys: self.bundle.key_password.is_some(),
            secrets: self.secrets,
            draws_keys: self.key_pool.is_some(),
            existing: self.existing,
            revoked: self.revoked,
            keep: self.keep,
            keep_going: self.keep_going,
            policy: self.policy,
        }
    }
}

/// What of a [`Job`] says what is issued, and whether it can be: all but keys and passwords.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The issuing CA.
    pub ca: &'a Ca,
    /// The profile, of kind `device`.
    pub profile: &'a Profile,
    /// Subject fields besides CN.
    pub subject: &'a NameBuilder,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// What to do when a device would outlive its issuer.
    pub beyond_issuer: BeyondIssuer,
    /// The kinds of files of a device; none if each gets what it had.
    pub kinds: &'a [Bundle],
    /// Whether there are certificates for truststores.
    pub has_trusted: bool,
    /// Whether `key.pem` is encrypted.
    pub encrypts_keys: bool,
    /// The CSV that gets a store password for each device.
    pub secrets: Option<&'a Path>,
    /// Whether keys come from the pool.
    pub draws_keys: bool,
    /// What to do with devices that are issued already.
    pub existing: Existing,
    /// What to do with devices that were revoked.
    pub revoked: RevokedDevices,
    /// What counts of the former certificate of a device that is issued again.
    pub keep: Keep,
    /// Whether devices that can be issued are, though others have faults.
    pub keep_going: bool,
    /// What the CA may sign.
    pub policy: &'a SigningPolicy,
}

impl<'a> Rules<'a> {
    pub(super) fn terms(&self) -> Terms<'a> {
        Terms { ca: self.ca, policy: self.policy, profile: self.profile, subject: self.subject }
    }
}

/// Certificates that a run is to replace.
#[doc(hidden)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formers {
    /// The CAs that have issued them.
    pub cas: BTreeSet<String>,
    /// Where the files of those are that were put at another place than this run's, with the number of devices: these
    /// files stay there.
    pub elsewhere: BTreeMap<String, usize>,
}

impl Formers {
    pub(super) fn add(&mut self, ca: String, elsewhere: Option<String>) {
        self.cas.insert(ca);
        if let Some(place) = elsewhere {
            *self.elsewhere.entry(place).or_default() += 1;
        }
    }
}

/// What a run has done.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Devices issued.
    pub issued: usize,
    /// Those among them whose former certificate was replaced.
    pub replaced: usize,
    /// What is known of the certificates that were to be replaced.
    #[doc(hidden)]
    #[serde(skip)]
    pub formers: Formers,
    /// Devices that had a live certificate already.
    pub skipped: usize,
    /// Devices whose certificate was revoked: they get another one only when that is asked for.
    pub revoked: usize,
    /// The first 100 of them.
    #[doc(hidden)]
    pub revoked_ids: Vec<String>,
    /// Those among the skipped without all the files of the bundle: moved away, lost, or issued with
    /// another bundle.
    #[doc(hidden)]
    pub incomplete: usize,
    /// The first 100 of them.
    #[doc(hidden)]
    pub incomplete_ids: Vec<String>,
    /// Where the files of those are that were put at another place than this run's: directories or archives, with the
    /// number of devices.
    #[doc(hidden)]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub elsewhere: BTreeMap<String, usize>,
    /// Devices of a shared list that other stations have made since this run began.
    #[doc(hidden)]
    pub made_by_others: usize,
    /// Devices that were to be issued and were not, because the run was stopped.
    #[doc(hidden)]
    pub left: usize,
    /// What is to be said of the ids of devices that were issued before, where no new device may have them.
    #[doc(hidden)]
    pub old_ids: Remarks,
    /// Devices that could not be issued as asked, while the others were.
    pub failed: usize,
    /// Why, for each of them.
    #[serde(skip)]
    pub failures: Vec<BadRow>,
    /// Devices of an earlier, stopped run whose files were put into place.
    #[doc(hidden)]
    pub recovered: usize,
    /// The beginning of the replacing run that this one went on with.
    #[doc(hidden)]
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// The name of the run in the registry, if it has issued any.
    pub batch: Option<String>,
    /// Whether the run was stopped before its end.
    pub stopped: bool,
    /// How long it took, in seconds, without what [`Context::issued`](super::Context) has taken.
    #[doc(hidden)]
    pub seconds: f64,
}
