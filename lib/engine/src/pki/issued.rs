//! One device, signed and recorded without a file: what a service does for each request.
//!
//! The certificate is recorded in one durable transaction before it is returned. A program that is killed
//! between signing and recording leaves a certificate that nobody has; one that is killed between recording and
//! answering leaves one that [`Pki::issue`] returns again to anyone who asks with the same key.

use std::sync::Arc;

use time::OffsetDateTime;

use super::device_request::{DeviceRequest, Follows, Replacing};
use super::owners::KeyOwners;
use super::together::Entry;
use super::{AuthorityError, Ca, CertifyError, Pki, RequestError, Terms, config, policy};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::clock::{self, ClockError};
use crate::crypto::PublicKey;
use crate::failure::Underlying;
use crate::issue::IssueError;
use crate::profile::{Kind, Profile};
use crate::registry::{
    Holder, NewRecord, Newcomers, Record, Registry, RegistryError, Replaced, Status, batch_name,
};

type Result<T> = std::result::Result<T, RequestError>;

/// How often it is decided anew because others were faster. Each time one of them has recorded something about
/// the same device.
const ATTEMPTS: usize = 8;

/// A device's certificate, which the registry has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Issued {
    /// The device.
    pub id: DeviceId,
    /// Its certificate.
    pub certificate: Certificate,
    /// What the device presents: its certificate, then each issuer, the root last.
    pub chain: Vec<Certificate>,
    /// Whether it was made just now. Else the device had it already, for the same key.
    pub is_new: bool,
}

impl Issued {
    /// The PEM of the chain.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }
}

/// What is to be done for a device.
enum Decision {
    /// It has a certificate for this key.
    Return(Box<Record>),
    /// It gets one, perhaps in place of another.
    Sign(Option<Replaced>),
}

impl Pki {
    /// Signs one device's certificate and records it. Nothing else is written; no directory and no file is made.
    ///
    /// It takes `&self`: threads can share the [`Pki`] in an `Arc`, and other processes can work on the same
    /// directory at the same time (the registry decides about an id that several want). CAs and signing
    /// policies are looked at each time, and read anew if their files have changed. It waits for the disk and, with a
    /// key in a token, for that: call it where a thread may wait, under tokio in `spawn_blocking`. What threads ask for
    /// at the same time is recorded in one transaction.
    ///
    /// A device that has a live certificate of this CA for the very key that is asked for gets that one again
    /// ([`Issued::is_new`] is false), so that a request can be repeated whose answer was lost.
    ///
    /// Errors: a request that is refused ([`RequestError::is_refusal`]); a clock that is not believed
    /// ([`clock`]); a CA that must not sign, as it is revoked or its registry was rolled back; a
    /// registry that was exchanged or cannot be written.
    pub fn issue(&self, request: &DeviceRequest<'_>) -> Result<Issued> {
        let (key, id) = (request.public_key()?, request.device()?);
        let profile = profile_of(request)?;
        if request.subject.has("CN") {
            return Err(RequestError::SubjectWithCommonName);
        }
        let cas = self.cas()?;
        self.check_now(&cas, request.now, request.believed)?;
        let ca = self.ca_of(&cas, request.ca_key)?;
        let batch = batch_name(request.now)?;
        for _ in 0..ATTEMPTS {
            let replaces = match self.decide(request, (ca, &cas), &id, key)? {
                Decision::Return(record) => return issued_before(id, &record, &cas, self),
                Decision::Sign(replaces) => replaces,
            };
            self.check_may_sign(ca)?;
            let policy = self.policy_now(ca, &cas)?;
            let terms = Terms { ca, policy: &policy, profile: &profile, subject: &request.subject };
            let certificate = sign(request, terms, &id, key).map_err(|e| refused(&id, e))?;
            let record = record_of(request, ca, &id, &certificate, replaces);
            let entry = Entry {
                record,
                batch: batch.clone(),
                now: request.now,
                issuers: ca.chain.clone(),
                by: request.by.clone(),
                order: request.order.clone(),
            };
            match self.together.record(&self.registry, self.certified()?, entry) {
                // Another thread or process was faster.
                Err(RegistryError::Conflict) => {}
                Err(RegistryError::KeyTaken { other, .. }) => {
                    return Err(RequestError::SharedKey { id: id.to_string(), holder: other });
                }
                Err(e) => return Err(e.into()),
                Ok(()) => {
                    let chain = [std::slice::from_ref(&certificate), ca.chain.as_slice()].concat();
                    return Ok(Issued { id, certificate, chain, is_new: true });
                }
            }
        }
        Err(RegistryError::Conflict.into())
    }

    /// Refuses if the registry was exchanged, or if the clock is not believed. `believed` is what it should say in a
    /// program that runs since it was believed.
    pub(super) fn check_now(
        &self,
        cas: &[Ca],
        now: OffsetDateTime,
        believed: Option<OffsetDateTime>,
    ) -> Result<()> {
        self.registry.check_in_place()?;
        let mut evidence = self.evidence_seen(cas)?;
        if let Some(than) = believed.filter(|than| *than - now > clock::SLACK) {
            let what = "the time that is counted since the start of the service".to_owned();
            return Err(ClockError::Behind { now, what, than }.into());
        }
        // It runs a little ahead of a moment that was taken before it.
        evidence.audited = evidence.audited.max(believed.map(|at| at.min(now)));
        Ok(clock::check(now, &evidence)?)
    }

    /// Refuses a CA with which nothing is to be signed, as it and the registry are now.
    pub(crate) fn check_may_sign(&self, ca: &Ca) -> std::result::Result<(), AuthorityError> {
        self.check_chain_length(ca)?;
        self.check_not_revoked(ca)?;
        self.check_list_seen(ca)
    }

    /// What a CA may sign by pki.toml or the database as it is now, which a service may have opened long ago.
    pub(crate) fn policy_now(
        &self,
        ca: &Ca,
        cas: &[Ca],
    ) -> std::result::Result<policy::SigningPolicy, AuthorityError> {
        let path = self.dir.join("pki.toml");
        let given = match self.registry.is_shared() {
            true => Arc::new(config::made(&path, &self.counting_now()?)?),
            false => self.given.get(&path, |looked| {
                Ok::<_, AuthorityError>(Arc::new(config::made(
                    &path,
                    &config::own_policies_of(&self.dir, looked)?,
                )?))
            })?,
        };
        Ok(policy::of_all(cas, &given).remove(&ca.name).unwrap_or_default())
    }

    fn decide(
        &self,
        request: &DeviceRequest<'_>,
        (ca, cas): (&Ca, &[Ca]),
        id: &DeviceId,
        key: &PublicKey,
    ) -> Result<Decision> {
        let holders = self.registry.holders(self.certified()?, key)?;
        if let Some(refused) = KeyOwners::new(holders, cas).refuse(id, key.spki()) {
            return Err(refused);
        }
        let registry = &self.registry;
        check_no_twin(registry, id)?;
        if let Some(live) = registry.live_device(id)? {
            return of_live((request, ca), id, key, live);
        }
        let last = registry.history(id)?.pop();
        if request
            .follows
            .is_some_and(|one| last.as_ref().map(|l| Follows::Ended(l.row)) != Some(one))
        {
            return Err(RequestError::Replaced { id: id.to_string() });
        }
        if registry.live_server_of(id)?.is_some() {
            return Err(RequestError::IsServer { id: id.to_string() });
        }
        match last {
            None => id.check_new().map_err(RequestError::NewId)?,
            Some(last) if request.replace.is_none() => check_not_ended(id, &last)?,
            Some(_) => {}
        }
        Ok(Decision::Sign(None))
    }

    /// The keys that were ever certified, read when they are first asked for.
    fn certified(&self) -> std::result::Result<&Newcomers, RegistryError> {
        if let Some(known) = self.certified.get() {
            return Ok(known);
        }
        let read = self.registry.all_certified()?;
        // Another thread may have been faster.
        Ok(self.certified.get_or_init(|| read))
    }
}

fn profile_of(request: &DeviceRequest<'_>) -> Result<Profile> {
    let profile = match &request.profile {
        Some(profile) => profile.clone(),
        None => "device".parse::<Profile>()?,
    };
    super::want_kind(&profile, Kind::Device)?;
    Ok(profile)
}

fn of_live(
    (request, ca): (&DeviceRequest<'_>, &Ca),
    id: &DeviceId,
    key: &PublicKey,
    live: Record,
) -> Result<Decision> {
    let is_another = request.follows.is_some_and(|one| one != Follows::Live(live.row));
    if let Some(replacing) = request.replace.filter(|_| !is_another) {
        let revoke = replacing == Replacing::Revoke;
        return Ok(Decision::Sign(Some(Replaced { row: live.row, revoke })));
    }
    let is_valid = live.not_before <= request.now && request.now <= live.not_after;
    // Also where another certificate was to be replaced: then the same request was answered a moment ago.
    if is_valid && live.ca == ca.name && live.certificate()?.spki == key.spki() {
        return Ok(Decision::Return(Box::new(live)));
    }
    if is_another {
        return Err(RequestError::Replaced { id: id.to_string() });
    }
    let (serial, not_after) = (live.serial, live.not_after);
    Err(RequestError::AlreadyIssued { id: id.to_string(), serial, not_after })
}

/// Refuses an identifier that looks like that of a live device.
fn check_no_twin(registry: &Registry, id: &DeviceId) -> Result<()> {
    match has_twin(registry, id)? {
        true => Err(RequestError::Twin { id: id.to_string() }),
        false => Ok(()),
    }
}

/// Whether a live device has another id that looks the same.
pub(crate) fn has_twin(
    registry: &Registry,
    id: &DeviceId,
) -> std::result::Result<bool, RegistryError> {
    let is_other = |live: Record| live.holder.device().is_some_and(|other| other != id);
    if registry.live_device(id)?.is_some_and(is_other) {
        return Ok(true);
    }
    for twin in id.twins() {
        if registry.live_device(&twin)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses a device whose last certificate was revoked.
fn check_not_ended(id: &DeviceId, last: &Record) -> Result<()> {
    let Some((at, reason)) = last.revoked.filter(|_| last.status == Status::Revoked) else {
        return Ok(());
    };
    let (id, since) = (id.to_string(), at.date().to_string());
    Err(RequestError::Revoked { id, since, reason: reason.name() })
}

fn sign(
    request: &DeviceRequest<'_>,
    terms: Terms<'_>,
    id: &DeviceId,
    key: &PublicKey,
) -> std::result::Result<Certificate, CertifyError> {
    let own = request.whole.as_ref();
    terms.check(id, own)?;
    let span = (request.days, request.beyond_issuer());
    let made = terms.certifier(request.ca_key, request.now, span)?.certify(id, own, key)?;
    Ok(Certificate::from_der(&made.der).map_err(|e| IssueError::Encoding(Underlying::of(e)))?)
}

/// A refusal of what every device is held to, as this device's.
fn refused(id: &DeviceId, e: CertifyError) -> RequestError {
    match e {
        CertifyError::Name(e) => e.into(),
        CertifyError::Issue(e) => e.into(),
        CertifyError::Policy(source) => {
            RequestError::Policy { id: id.to_string(), source: Box::new(source) }
        }
    }
}

fn record_of(
    request: &DeviceRequest<'_>,
    ca: &Ca,
    id: &DeviceId,
    certificate: &Certificate,
    replaces: Option<Replaced>,
) -> NewRecord {
    NewRecord {
        ca: ca.name.clone(),
        holder: Holder::Device(id.clone()),
        certificate: certificate.into(),
        details: request.details.clone(),
        location: None,
        has_key: false,
        bundle: request.made_for.map(str::to_owned),
        replaces,
        key_from_outside: request.made_for.is_none(),
    }
}

/// The certificate that a device has, with the chain of the CA that signed it.
fn issued_before(id: DeviceId, record: &Record, cas: &[Ca], pki: &Pki) -> Result<Issued> {
    let certificate = record.certificate()?;
    let ca = pki.find_ca(cas, &record.ca)?;
    let chain = [std::slice::from_ref(&certificate), ca.chain.as_slice()].concat();
    Ok(Issued { id, certificate, chain, is_new: false })
}
