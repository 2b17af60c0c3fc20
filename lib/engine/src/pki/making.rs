//! New CAs: roots and intermediates, and how one comes into the directory with all its files or not at all.

use std::path::Path;

use time::OffsetDateTime;

use super::ca::{check_name, load, parent_of, want_kind};
use super::key::StoredKey;
use super::recording::record_of;
use super::unrecorded::UNRECORDED;
use super::{AuthorityError, Ca, CaSettings, History, IN_THE_MAKING, Pki, Result, policy, waiting};
use crate::cert::{Certificate, Serial};
use crate::client_id::is_kept_by_windows;
use crate::crl::Reason;
use crate::crypto::KeyPolicy;
use crate::files::{self, Access, Existing, Lock};
use crate::issue::{self, Issuer, Order, Validity};
use crate::key::signer::Signer;
use crate::profile::Kind;
use crate::registry::{Adopted, Holder, RegistryError};

impl Pki {
    /// Makes a root CA.
    pub fn init_root(
        &mut self,
        name: &str,
        settings: &CaSettings<'_>,
        now: OffsetDateTime,
    ) -> Result<Ca> {
        want_kind(settings.profile, Kind::Root)?;
        let _lock = self.lock_for(name)?;
        self.check_name_is_unused(name, &settings.key)?;
        let kept = settings.key.make(settings.profile.key)?;
        let key = kept.signer.as_ref();
        key.public_key().check_fit(KeyPolicy::default())?;
        let wanted = settings.path_length.unwrap_or(settings.profile.path_length);
        let order = Order {
            profile: settings.profile,
            subject: settings.subject,
            public_key: key.public_key(),
            serial: Serial::random()?,
            validity: Validity::of(settings.profile, now, settings.days),
            path_length: issue::path_length(wanted, &[], self.longest)?,
        };
        let certificate = issue::self_sign(&order, key)?;
        self.check_key_is_free(&certificate, |_| true)?;
        self.check_name_is_free(name, &certificate)?;
        Ok(self.keep(name, vec![certificate], &kept, None, now)?.0)
    }

    /// Makes an intermediate CA under `parent`, whose key is at hand.
    pub fn add_intermediate(
        &mut self,
        name: &str,
        parent: &Ca,
        parent_key: &dyn Signer,
        settings: &CaSettings<'_>,
        now: OffsetDateTime,
    ) -> Result<Ca> {
        want_kind(settings.profile, Kind::Intermediate)?;
        self.policy(&parent.name).check_subject(&parent.certificate().subject, settings.subject)?;
        let _lock = self.lock_for(name)?;
        // As it is now: it may have been renewed since the caller looked.
        let parent = &self.ca(&parent.name)?;
        self.check_not_revoked(parent)?;
        self.check_not_rolled_back(parent)?;
        policy::check_names(parent, settings.subject, &[])?;
        let wanted = settings.path_length.unwrap_or(settings.profile.path_length);
        let path_length = issue::path_length(wanted, &parent.chain, self.longest)?;
        let issuer = Issuer::new(parent.certificate(), parent_key, now)?;
        let validity = Validity::of(settings.profile, now, settings.days);
        let validity = issuer.fit(validity, settings.beyond_issuer)?;
        self.check_name_is_unused(name, &settings.key)?;
        let kept = settings.key.make(settings.profile.key)?;
        kept.signer.public_key().check_fit(KeyPolicy::default())?;
        let order = Order {
            profile: settings.profile,
            subject: settings.subject,
            public_key: kept.signer.public_key(),
            serial: Serial::random()?,
            validity,
            path_length,
        };
        let mut chain = vec![issue::issue(&order, &issuer)?];
        self.check_key_is_free(&chain[0], |_| true)?;
        self.check_name_is_free(name, &chain[0])?;
        chain.extend(parent.chain.iter().cloned());
        Ok(self.keep(name, chain, &kept, None, now)?.0)
    }

    pub(super) fn lock_for(&self, name: &str) -> Result<Lock> {
        check_name(name)?;
        let lock = Lock::wait(&self.lock_path())?;
        Self::check_new_name(&self.dir, name)?;
        Ok(lock)
    }

    /// Whether a new CA may have this name in a PKI directory, which need not be there yet: to be asked
    /// before anybody is asked for a secret.
    pub fn check_new_name(pki: &Path, name: &str) -> Result<()> {
        check_name(name)?;
        if is_kept_by_windows(name) {
            return Err(AuthorityError::NameOfWindows(name.to_owned()));
        }
        waiting::refuse_waiting(pki, name)?;
        match pki.join("ca").join(name).exists() {
            true => Err(AuthorityError::NameTaken(name.to_owned())),
            false => Ok(()),
        }
    }

    /// Refuses the key of a CA of the directory whose certificate is one of those, and a key that the registry
    /// has for another CA, a device or a revoked certificate. A CA that is taken in again, since its directory was
    /// lost, has its own.
    pub(super) fn check_key_is_free(
        &self,
        own: &Certificate,
        is_one: impl Fn(&Certificate) -> bool,
    ) -> Result<()> {
        let has_it = |ca: &Ca| ca.certificate().spki == own.spki && is_one(ca.certificate());
        if let Some(other) = self.cas()?.into_iter().find(has_it) {
            return Err(AuthorityError::KeyTaken(format!("the CA {:?}", other.name)));
        }
        for record in self.registry.with_key(&own.spki)? {
            let other = record.certificate();
            let is_ca = record.holder == Holder::Ca;
            let is_own = is_ca && other.is_ok_and(|other| other == *own || !is_one(&other));
            let holder = record.whose();
            match record.revoked {
                None | Some((_, Reason::Superseded)) if is_own => {}
                None => return Err(AuthorityError::KeyTaken(holder)),
                Some(_) => {
                    let revoked = format!("a revoked certificate, {} of {holder}", record.serial);
                    return Err(AuthorityError::KeyTaken(revoked));
                }
            }
        }
        Ok(())
    }

    /// Writes the directory of a new CA and records it; what it did before is recorded first, with it.
    pub(super) fn keep(
        &mut self,
        name: &str,
        chain: Vec<Certificate>,
        kept: &StoredKey<'_>,
        history: Option<&History>,
        now: OffsetDateTime,
    ) -> Result<(Ca, Adopted)> {
        let staging = self.dir.join("ca").join(format!("{IN_THE_MAKING}{name}"));
        files::remove_tree(&staging)?;
        files::create_private_dir(&staging)?;
        let chain_pem: String = chain.iter().map(Certificate::pem).collect();
        let put = |file: &str, bytes: &[u8], access| {
            files::write(&staging.join(file), bytes, access, Existing::Refuse)
        };
        let written = put(kept.file, kept.bytes.expose(), Access::Private)
            .and_then(|()| put("chain.pem", chain_pem.as_bytes(), Access::Public))
            .and_then(|()| put("cert.pem", chain[0].pem().as_bytes(), Access::Public))
            .and_then(|()| put(UNRECORDED, b"", Access::Public));
        let placed = written.map_err(AuthorityError::from).and_then(|()| {
            let adopted = match history {
                Some(history) => self.adopt_staged(name, &staging, history, now)?,
                None => Adopted::default(),
            };
            files::rename(&staging, &self.ca_dir(name))?;
            Ok(adopted)
        });
        let adopted = match placed {
            Ok(adopted) => adopted,
            Err(e) => {
                // What is recorded waits for its place.
                if !self.registry.has(&chain[0])? {
                    let _ = files::remove_tree(&staging);
                }
                return Err(e);
            }
        };
        let ca = self.ca(name)?;
        let recorded = self.record_with(&ca, None, true, now);
        if let Err(AuthorityError::Registry(RegistryError::KeyTaken { .. })) = recorded {
            // Somebody has had its key certified in the meantime: there is no such CA.
            files::remove_tree(&ca.dir)?;
        }
        recorded?;
        ca.settle()?;
        // What it did before was recorded with it: then others do not have it yet.
        self.publish(now)?;
        Ok((ca, adopted))
    }

    /// Records a new CA whose directory is still in the making, with what it did before.
    pub(super) fn adopt_staged(
        &mut self,
        name: &str,
        staging: &Path,
        history: &History,
        now: OffsetDateTime,
    ) -> Result<Adopted> {
        let mut ca = load(name.to_owned(), staging.to_owned())?;
        let all: Vec<(String, Certificate)> =
            self.cas()?.into_iter().map(|ca| (ca.name.clone(), ca.certificate().clone())).collect();
        ca.parent = ca.chain.get(1).and_then(|above| parent_of(above, &all));
        let place = Ca { dir: self.ca_dir(name), ..ca.clone() };
        // One whose directory was lost is recorded already.
        let is_new = !self.registry.has(ca.certificate())?;
        let own = is_new.then(|| record_of(&place, None, true));
        self.adopt_new(&ca, history, own, now)
    }
}
