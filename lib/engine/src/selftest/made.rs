//! What a self-test makes for itself, in memory: a CA of two days and a device of one.

use time::OffsetDateTime;

use super::SelfTestError;
use crate::cert::{Certificate, LongestChain, Serial};
use crate::client_id::DeviceId;
use crate::crypto::hex;
use crate::issue::{self, Issuer, Order, Validity};
use crate::key::PrivateKey;
use crate::name::Name;
use crate::profile::Profile;

/// Days that the CA is valid.
const CA_DAYS: u32 = 2;
/// Days that the device's certificate is valid.
const DEVICE_DAYS: u32 = 1;

/// A profile of ours: a test reads all of them.
fn built_in(name: &'static str) -> Result<Profile, SelfTestError> {
    Profile::built_in(name).ok_or(SelfTestError::NoProfile(name))
}

/// A CA and a device that nobody else has: their names end with the same random digits.
pub struct Disposable {
    pub(super) ca: Certificate,
    pub(super) ca_key: PrivateKey,
    pub(super) leaf: Certificate,
    pub(super) key: PrivateKey,
    pub(super) id: DeviceId,
}

impl Disposable {
    /// Makes both, with the profiles that a rollout has by default.
    pub fn make(now: OffsetDateTime) -> Result<Self, SelfTestError> {
        let digits = Serial::random()?;
        let digits = hex(digits.bytes().get(1..6).unwrap_or_default());
        let id = DeviceId::parse(&format!("c8y-pki-selftest-{digits}"))?;
        let profile = built_in("root")?;
        let ca_key = PrivateKey::generate_for_ca(profile.key)?;
        let subject =
            Name::builder().with("CN", &format!("c8y-pki self-test {digits}"))?.build()?;
        let order = Order {
            profile: &profile,
            subject: &subject,
            public_key: ca_key.public_key(),
            serial: Serial::random()?,
            validity: Validity::of(&profile, now, Some(CA_DAYS)),
            path_length: issue::path_length(profile.path_length, &[], LongestChain::CLOUD)?,
        };
        let ca = issue::self_sign(&order, &ca_key)?;
        let profile = built_in("device")?;
        let key = PrivateKey::generate(profile.key)?;
        let subject = Name::builder().with("CN", id.as_str())?.build()?;
        let order = Order {
            profile: &profile,
            subject: &subject,
            public_key: key.public_key(),
            serial: Serial::random()?,
            validity: Validity::of(&profile, now, Some(DEVICE_DAYS)),
            path_length: None,
        };
        let leaf = issue::issue(&order, &Issuer::new(&ca, &ca_key, now)?)?;
        Ok(Self { ca, ca_key, leaf, key, id })
    }

    /// SHA-1 of the CA's certificate, as the platform names it.
    pub fn fingerprint(&self) -> String {
        self.ca.fingerprint_sha1()
    }

    /// The CA's name at the tenant.
    pub fn name(&self) -> String {
        self.ca.subject.common_name().unwrap_or_default().to_owned()
    }

    /// The device's identifier.
    pub fn device(&self) -> &DeviceId {
        &self.id
    }

    /// The serial number of the device's certificate, which stays in the tenant's revocation list.
    pub fn serial(&self) -> &Serial {
        &self.leaf.serial
    }

    pub(super) fn chain(&self) -> Vec<Certificate> {
        vec![self.leaf.clone(), self.ca.clone()]
    }
}
