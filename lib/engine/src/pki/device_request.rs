//! What is asked for when one device is to get a certificate.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{CaKey, RequestError};
use crate::client_id::DeviceId;
use crate::crypto::{KeyPolicy, PublicKey};
use crate::csr::Request;
use crate::issue::BeyondIssuer;
use crate::name::{Name, NameBuilder};
use crate::profile::Profile;
use crate::read;
use crate::registry::{OrderRecord, RowId};

/// A certificate for one device: whose, for which key, by which CA, since when. All else has a default, and a
/// method that changes it.
#[derive(Debug, Clone)]
#[must_use]
pub struct DeviceRequest<'k> {
    pub(super) ca_key: &'k CaKey,
    pub(super) now: OffsetDateTime,
    pub(super) source: Source,
    pub(super) id: Option<DeviceId>,
    pub(super) profile: Option<Profile>,
    pub(super) subject: NameBuilder,
    pub(super) days: Option<u32>,
    pub(super) shorten: bool,
    pub(super) replace: Option<Replacing>,
    /// The certificate that the device has now, or had last: this one, or nothing is made.
    pub(super) follows: Option<Follows>,
    pub(super) believed: Option<OffsetDateTime>,
    /// The subject as a whole, in place of the fields.
    pub(super) whole: Option<Name>,
    pub(super) keys: KeyPolicy,
    pub(super) details: BTreeMap<String, String>,
    /// Who asks, for the audit log.
    pub(super) by: Option<String>,
    /// The order that it is for.
    pub(super) order: Option<OrderRecord>,
    /// The kind of file for which the key was made just now, and not by the device.
    pub(super) made_for: Option<&'static str>,
}

/// Where the device's key comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// From a request, whose signature proves that the device has the private half.
    Request(Box<Request>),
    /// From somebody who says so.
    Key(PublicKey),
}

/// Which certificate of the device a new one comes after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// Its live one.
    Live(RowId),
    /// Its last one, and none is live.
    Ended(RowId),
}

/// What becomes of the certificate that the device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replacing {
    /// It is replaced and stays valid until its end: for a device that changes over by itself.
    Supersede,
    /// It is replaced and revoked, with the reason `superseded`. The next revocation list has it.
    Revoke,
}

impl<'k> DeviceRequest<'k> {
    /// From a PKCS#10 request (RFC 2986), PEM or DER. Its key and its common name count, which is the device's
    /// identifier; extensions that it asks for do not. `ca_key` says which CA signs, `now` is the present time.
    ///
    /// Errors: it cannot be read, or holds several requests. Whether it may be signed is looked at by
    /// [`Pki::issue`](super::Pki::issue).
    pub fn from_csr(
        ca_key: &'k CaKey,
        request: &[u8],
        now: OffsetDateTime,
    ) -> Result<Self, RequestError> {
        let mut found = read::requests(request)?;
        match (found.len(), found.pop()) {
            (1, Some(request)) => Ok(Self::of_request(ca_key, request?, now)),
            (count, _) => Err(RequestError::Several(count)),
        }
    }

    /// From a public key alone. Nothing shows that the device has the private half: the caller has to know.
    pub fn from_key(
        ca_key: &'k CaKey,
        id: DeviceId,
        public_key: PublicKey,
        now: OffsetDateTime,
    ) -> Self {
        Self::new(ca_key, Source::Key(public_key), now).id(id)
    }

    /// From a request that was read already; as [`DeviceRequest::from_csr`].
    pub(crate) fn of_request(ca_key: &'k CaKey, request: Request, now: OffsetDateTime) -> Self {
        Self::new(ca_key, Source::Request(Box::new(request)), now)
    }

    fn new(ca_key: &'k CaKey, source: Source, now: OffsetDateTime) -> Self {
        Self {
            ca_key,
            now,
            source,
            id: None,
            profile: None,
            subject: NameBuilder::default(),
            days: None,
            shorten: false,
            replace: None,
            follows: None,
            believed: None,
            whole: None,
            keys: KeyPolicy::default(),
            details: BTreeMap::new(),
            by: None,
            order: None,
            made_for: None,
        }
    }

    /// The device's identifier, in place of the common name of the request. A service that knows who is asking
    /// should say so here: the common name is only what the device says of itself.
    pub fn id(mut self, id: DeviceId) -> Self {
        self.id = Some(id);
        self
    }

    /// The profile, of kind `device`, in place of the built-in one of that name.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Fields of the subject besides the common name; none by default.
    pub fn subject(mut self, fields: NameBuilder) -> Self {
        self.subject = fields;
        self
    }

    /// How many days it is valid, in place of the profile's number. One that would outlive its CA is refused;
    /// the profile's number is shortened to the CA's end.
    pub fn days(mut self, days: u32) -> Self {
        self.days = Some(days);
        self
    }

    /// Shortens the [`days`](Self::days) to the CA's end too, instead of refusing them.
    pub fn shorten(mut self) -> Self {
        self.shorten = true;
        self
    }

    /// Makes a new certificate in place of the one that the device has, also for one that was revoked.
    pub fn replace(mut self, replacing: Replacing) -> Self {
        self.replace = Some(replacing);
        self
    }

    /// Makes a new certificate in place of this one, which stays valid until its end, and of no other: it is refused
    /// if the device has none now, or another one for another key.
    #[cfg(feature = "serve")]
    pub(crate) fn in_place_of(mut self, row: RowId) -> Self {
        self.follows = Some(Follows::Live(row));
        self.replace(Replacing::Supersede)
    }

    /// Makes a new certificate for a device whose last one is this, which is live no more, even if it was revoked: it
    /// is refused if the device has got another one since, for another key.
    #[cfg(feature = "serve")]
    pub(crate) fn after(mut self, row: RowId) -> Self {
        self.follows = Some(Follows::Ended(row));
        self.replace(Replacing::Supersede)
    }

    /// The subject as a whole, the common name included, as of the certificate that is renewed.
    #[cfg(feature = "serve")]
    pub(crate) fn whole_subject(mut self, subject: Name) -> Self {
        self.whole = Some(subject);
        self
    }

    /// A moment at which the clock was known to be right, in a program that runs since then: a silence of the
    /// registry before it is no reason to doubt the clock.
    #[cfg(feature = "serve")]
    pub(crate) fn clock_believed(mut self, at: OffsetDateTime) -> Self {
        self.believed = Some(at);
        self
    }

    /// For an order: nothing is made once that was taken back.
    #[cfg(feature = "serve")]
    pub(crate) fn ordered(mut self, order: OrderRecord) -> Self {
        self.order = Some(order);
        self
    }

    /// Who asks, for the audit log.
    #[cfg(feature = "serve")]
    pub(crate) fn by(mut self, who: String) -> Self {
        self.by = Some(who);
        self
    }

    /// The key was made just now, for a file of this kind that the device gets.
    #[cfg(feature = "serve")]
    pub(crate) fn made_for(mut self, kind: &'static str) -> Self {
        self.made_for = Some(kind);
        self
    }

    /// Which keys are certified, in place of the default: no weak ones.
    #[doc(hidden)]
    pub fn key_policy(mut self, keys: KeyPolicy) -> Self {
        self.keys = keys;
        self
    }

    /// A column for the file that registers devices (`NAME`, `TYPE`, …), kept in the registry.
    pub fn detail(mut self, column: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.insert(column.into(), value.into());
        self
    }

    pub(super) fn beyond_issuer(&self) -> BeyondIssuer {
        BeyondIssuer::of(self.days, self.shorten)
    }

    /// The device's key, once it is known that it may be certified.
    pub(super) fn public_key(&self) -> Result<&PublicKey, RequestError> {
        match &self.source {
            Source::Request(request) => Ok(request.check_to_certify(self.keys)?),
            Source::Key(key) => {
                key.check_fit(self.keys)?;
                Ok(key)
            }
        }
    }

    /// Whose it is.
    pub(super) fn device(&self) -> Result<DeviceId, RequestError> {
        match (&self.id, &self.source) {
            (Some(id), _) => Ok(id.clone()),
            (None, Source::Request(request)) => id_of(request),
            (None, Source::Key(_)) => Err(RequestError::NoCommonName),
        }
    }
}

/// The identifier of the device that a request is from: its only common name.
pub(crate) fn id_of(request: &Request) -> Result<DeviceId, RequestError> {
    let names: Vec<&str> = request.subject.values("CN").collect();
    match names.as_slice() {
        [] => Err(RequestError::NoCommonName),
        [name] => DeviceId::parse(name).map_err(RequestError::CommonName),
        several => {
            let quoted: Vec<String> = several.iter().map(|name| format!("{name:?}")).collect();
            Err(RequestError::CommonNames(quoted.join(" and ")))
        }
    }
}
