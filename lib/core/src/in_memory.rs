//! A CA and its devices in memory: no directory, no registry, no file. For tests, demonstrations and programs that keep
//! account of what they issue by themselves; `Pki` does that for all others.

use time::OffsetDateTime;

use crate::cert::{Certificate, LongestChain, Serial};
use crate::client_id::DeviceId;
use crate::crypto::PublicKey;
use crate::failure::{Failure, Fault, Hint, Task};
use crate::issue::{self, BeyondIssuer, IssueError, Issuer, Order, Validity};
use crate::key::{KeyError, PrivateKey};
use crate::name::{Name, NameError};
use crate::profile::{Kind, Profile};
use crate::secret::Password;
use crate::store::{self, DEVICE_KEY_ALIAS, Format, Store, StoreError, WriteOptions};

/// Why nothing is made in memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InMemoryError {
    /// A profile that is for something else.
    #[error("profile {0:?} is not for what is to be made")]
    WrongProfile(String),
    /// The subject.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The keystore.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for InMemoryError {
    fn fault(&self) -> Fault {
        match self {
            Self::WrongProfile(_) => Fault::Input,
            Self::Name(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Store(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::WrongProfile(_) => {
                Some(Hint::run("see what each profile is for", Task::ListProfiles))
            }
            Self::Name(e) => e.hint(),
            Self::Key(e) => e.hint(),
            Self::Issue(e) => e.hint(),
            Self::Store(e) => e.hint(),
        }
    }
}

type Result<T> = std::result::Result<T, InMemoryError>;

/// A root CA and its key.
#[derive(Debug)]
pub struct InMemoryCa {
    certificate: Certificate,
    key: PrivateKey,
}

/// A device: its key, and what it presents.
#[derive(Debug)]
#[non_exhaustive]
pub struct InMemoryDevice {
    /// Its key.
    pub key: PrivateKey,
    /// Its certificate, then that of its CA.
    pub chain: Vec<Certificate>,
}

impl InMemoryCa {
    /// Makes a root by the built-in profile `root`, valid from `now` on.
    pub fn new(subject: &Name, now: OffsetDateTime) -> Result<Self> {
        Self::by(&built_in("root")?, subject, now)
    }

    /// The same by a profile, of kind `root`.
    pub fn by(profile: &Profile, subject: &Name, now: OffsetDateTime) -> Result<Self> {
        want(profile, Kind::Root)?;
        let key = PrivateKey::generate_for_ca(profile.key)?;
        let order = Order {
            profile,
            subject,
            public_key: key.public_key(),
            serial: Serial::random().map_err(IssueError::from)?,
            validity: Validity::of(profile, now, None),
            path_length: issue::path_length(profile.path_length, &[], LongestChain::CLOUD)?,
        };
        let certificate = issue::self_sign(&order, &key)?;
        Ok(Self { certificate, key })
    }

    /// A CA that is there: its certificate and its key, which is seen to be its own.
    pub fn of(certificate: Certificate, key: PrivateKey) -> Result<Self> {
        if certificate.public_key.as_ref() != Ok(key.public_key()) {
            return Err(IssueError::KeyMismatch { issuer: certificate.subject }.into());
        }
        Ok(Self { certificate, key })
    }

    /// Its certificate: what is uploaded to the tenant.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Makes a device by the built-in profile `device`, valid from `now` on, until the CA's end at the latest.
    /// Nobody remembers it: the same id can be given again.
    pub fn device(&self, id: &DeviceId, now: OffsetDateTime) -> Result<InMemoryDevice> {
        self.device_by(&built_in("device")?, id, now)
    }

    /// The same by a profile, of kind `device`.
    pub fn device_by(
        &self,
        profile: &Profile,
        id: &DeviceId,
        now: OffsetDateTime,
    ) -> Result<InMemoryDevice> {
        let key = PrivateKey::generate(profile.key)?;
        let subject = Name::builder().with("CN", id.as_str())?.build()?;
        let leaf = self.certify(profile, &subject, key.public_key(), now)?;
        Ok(InMemoryDevice { key, chain: vec![leaf, self.certificate.clone()] })
    }

    /// Certifies a key that was made elsewhere, under a subject of any fields, by a profile of kind `device`. That the
    /// key is the device's is for the caller to know: by the signature of a request, for instance.
    pub fn certify(
        &self,
        profile: &Profile,
        subject: &Name,
        public_key: &PublicKey,
        now: OffsetDateTime,
    ) -> Result<Certificate> {
        want(profile, Kind::Device)?;
        let issuer = Issuer::new(&self.certificate, &self.key, now)?;
        let order = Order {
            profile,
            subject,
            public_key,
            serial: Serial::random().map_err(IssueError::from)?,
            validity: issuer.fit(Validity::of(profile, now, None), BeyondIssuer::Shorten)?,
            path_length: None,
        };
        let id = subject.common_name().unwrap_or_default();
        let names = profile.extensions.alt_names_of(id).map_err(IssueError::from)?;
        Ok(issue::issue_named(&order, &names, &issuer)?)
    }
}

impl InMemoryDevice {
    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        // It begins with it: `device_by` makes no other.
        &self.chain[0]
    }

    /// A keystore with its key and chain, in one of the formats of [`Format`].
    pub fn keystore(
        &self,
        format: Format,
        password: &Password,
        now: OffsetDateTime,
    ) -> Result<Vec<u8>> {
        let mut keystore = Store::new();
        keystore.add_key(DEVICE_KEY_ALIAS, &self.key, self.chain.clone())?;
        Ok(store::write(&keystore, format, &WriteOptions::new(Some(password), now))?)
    }
}

fn built_in(name: &str) -> Result<Profile> {
    Profile::built_in(name).ok_or_else(|| InMemoryError::WrongProfile(name.to_owned()))
}

fn want(profile: &Profile, kind: Kind) -> Result<()> {
    match profile.kind == kind {
        true => Ok(()),
        false => Err(InMemoryError::WrongProfile(profile.name.clone())),
    }
}
