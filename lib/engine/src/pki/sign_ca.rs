//! A CA of this directory signs the request of a CA that is elsewhere: an offline root for the CA of a plant.
//!
//! What is signed is planned first, so that a person can look at it, and planned again under the lock. It is recorded
//! before it is returned; the same request again gets the same certificate. The new CA is no CA of this directory,
//! which does not have its key: its row says so (`has_key` is false).

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{AuthorityError, Ca, Pki, Result, policy, want_kind};
use crate::cert::{Certificate, Serial};
use crate::crl::Reason;
use crate::crypto::{KeyPolicy, PublicKey};
use crate::csr::{CaAsked, Limited, Request};
use crate::files::Lock;
use crate::issue::{self, BeyondIssuer, Issuer, Order, Validity};
use crate::key::signer::Signer;
use crate::profile::{Kind, PathLength, Profile};
use crate::registry::{Holder, NewRecord, Record, Replaced, Status, batch_name};

/// How the request of a CA is to be signed.
#[derive(Debug, Clone)]
pub struct CaSigning<'a> {
    /// The request.
    pub request: &'a Request,
    /// What the certificate has besides subject and key; of kind `intermediate`.
    pub profile: &'a Profile,
    /// Validity in days, in place of the profile's.
    pub days: Option<u32>,
    /// What to do when it would outlive its issuer.
    pub beyond_issuer: BeyondIssuer,
    /// Path length, in place of the request's and the profile's.
    pub path_length: Option<PathLength>,
    /// Sign without the extensions that a request may not ask for.
    pub leave_out: bool,
    /// Sign anew a request whose certificate is still live. The former one becomes superseded.
    pub renew: bool,
    /// Which weak keys are let through.
    pub keys: KeyPolicy,
}

/// What is going to be signed.
#[derive(Debug, Clone)]
pub struct CaPlan {
    /// How many CAs may follow; none if there is no limit.
    pub path_length: Option<u8>,
    /// When it is valid.
    pub validity: Validity,
    /// How many certificates a device below it presents.
    pub chain_length: usize,
    /// What the request asks for and does not get.
    pub limited: Vec<Limited>,
    /// The live certificate that its key has from this CA.
    pub former: Option<Certificate>,
    replaces: Option<Replaced>,
}

/// What was signed.
#[derive(Debug, Clone)]
pub struct SignedCa {
    /// The new CA's certificate and those above it, the root last.
    pub chain: Vec<Certificate>,
    /// Whether it was made just now. Else the request was signed before.
    pub is_new: bool,
}

impl SignedCa {
    /// The PEM of the chain: the answer to the request.
    pub fn pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }
}

impl CaPlan {
    /// The answer that the request got before, if it has a live certificate from this CA.
    pub fn signed_before(&self, parent: &Ca) -> Option<SignedCa> {
        let own = self.former.clone()?;
        Some(SignedCa { chain: [&[own], parent.chain.as_slice()].concat(), is_new: false })
    }
}

impl Pki {
    /// What signing a request comes to, with `parent` as the CA that signs. Nothing is changed, and no key is needed.
    ///
    /// Errors: a request without possession of its key, or with a weak one; more than a request may ask for
    /// ([`CaAskedError`](crate::csr::CaAskedError)); a subject that the policy or the name constraints of the parent
    /// do not permit, or that a CA above has; a chain that gets too long; a key that somebody else has; a parent that
    /// must not sign.
    pub fn plan_ca(
        &self,
        parent: &Ca,
        wanted: &CaSigning<'_>,
        now: OffsetDateTime,
    ) -> Result<CaPlan> {
        want_kind(wanted.profile, Kind::Intermediate)?;
        let request = wanted.request;
        let key = request.check_to_certify(wanted.keys)?;
        let subject = &request.subject;
        self.policy(&parent.name).check_subject(&parent.certificate().subject, subject)?;
        policy::check_names(parent, subject, &[])?;
        if let Some(above) = parent.chain.iter().find(|above| above.subject.matches(subject)) {
            return Err(AuthorityError::SubjectAbove(above.subject.clone()));
        }
        self.check_not_revoked(parent)?;
        self.check_not_rolled_back(parent)?;
        let room = issue::path_length(PathLength::Computed, &parent.chain, self.longest_chain())?;
        let chosen = (wanted.profile.path_length, wanted.profile.key_usage.as_slice());
        let granted = CaAsked::of(request)?.grant(
            room.unwrap_or(0),
            wanted.path_length,
            chosen,
            wanted.leave_out,
        )?;
        let path_length =
            issue::path_length(granted.path_length, &parent.chain, self.longest_chain())?;
        let validity = Validity::of(wanted.profile, now, wanted.days);
        let validity = issue::fit(parent.certificate(), validity, wanted.beyond_issuer)?;
        let former = self.signed_before(parent, request, key)?;
        let is_live = |(_, cert): &(Record, Certificate)| cert.not_after > now;
        let (row, former) = former.filter(is_live).map(|(r, cert)| (r.row, cert)).unzip();
        Ok(CaPlan {
            path_length,
            validity,
            chain_length: parent.chain.len() + 2,
            limited: granted.limited,
            former,
            replaces: row.map(|row| Replaced { row, revoke: false }),
        })
    }

    /// Signs a request and records the certificate. One that was signed before is returned again, unless it is to be
    /// renewed.
    ///
    /// Errors: as [`Pki::plan_ca`]; a key that is not the parent's.
    pub fn sign_ca(
        &mut self,
        parent: &Ca,
        parent_key: &dyn Signer,
        wanted: &CaSigning<'_>,
        now: OffsetDateTime,
    ) -> Result<SignedCa> {
        let _lock = Lock::wait(&self.lock_path())?;
        // As it is now: it may have been renewed since the caller looked.
        let parent = &self.ca(&parent.name)?;
        let plan = self.plan_ca(parent, wanted, now)?;
        if let Some(signed) = plan.signed_before(parent).filter(|_| !wanted.renew) {
            return Ok(signed);
        }
        let issuer = Issuer::new(parent.certificate(), parent_key, now)?;
        let order = Order {
            profile: wanted.profile,
            subject: &wanted.request.subject,
            public_key: wanted.request.check_to_certify(wanted.keys)?,
            serial: Serial::random()?,
            validity: plan.validity,
            path_length: plan.path_length,
        };
        let certificate = issue::issue(&order, &issuer)?;
        let record = NewRecord {
            ca: parent.name.clone(),
            holder: Holder::Ca,
            certificate: (&certificate).into(),
            details: BTreeMap::new(),
            location: None,
            has_key: false,
            bundle: None,
            replaces: plan.replaces,
            key_from_outside: true,
        };
        self.registry.record(&batch_name(now)?, now, &[record])?;
        let chain = [&[certificate], parent.chain.as_slice()].concat();
        Ok(SignedCa { chain, is_new: true })
    }

    /// The live certificate that a CA has given to this very subject and key.
    ///
    /// Errors: a key that another CA of the directory, another holder or a revoked certificate has.
    fn signed_before(
        &self,
        parent: &Ca,
        request: &Request,
        key: &PublicKey,
    ) -> Result<Option<(Record, Certificate)>> {
        let other = |ca: &Ca| {
            ca.certificate().spki == key.spki()
                && !ca.certificate().subject.matches(&request.subject)
        };
        if let Some(ca) = self.cas()?.into_iter().find(other) {
            return Err(AuthorityError::KeyTaken(format!("the CA {:?}", ca.name)));
        }
        let mut found = None;
        for record in self.registry.with_key(key.spki())? {
            let certificate = record.certificate().ok();
            let is_its_own = record.holder == Holder::Ca
                && certificate.as_ref().is_some_and(|c| c.subject.matches(&request.subject));
            match record.revoked {
                None | Some((_, Reason::Superseded)) if is_its_own => {}
                None => return Err(AuthorityError::KeyTaken(record.whose())),
                Some(_) => {
                    let revoked =
                        format!("a revoked certificate, {} of {}", record.serial, record.whose());
                    return Err(AuthorityError::KeyTaken(revoked));
                }
            }
            // A CA with a new key has the subject of the former one.
            let by_parent = |cert: &Certificate| {
                let own = parent.certificate().public_key.as_ref();
                own.is_ok_and(|key| cert.verify_signature(key).is_ok())
            };
            if let Some(cert) = certificate.filter(by_parent)
                && record.status == Status::Live
            {
                found = Some((record, cert));
            }
        }
        Ok(found)
    }
}
