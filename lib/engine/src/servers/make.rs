//! A server's certificate: checked, signed, recorded, and put into its place.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::error::{Result, ServerError};
use super::folder;
use super::order::{ServerKey, ServerOrder};
use super::recorded::details;
use crate::cert::{AltName, Certificate, Serial};
use crate::clock;
use crate::crypto::PublicKey;
use crate::files::Lock;
use crate::issue::{self, Issuer, Order, Validity};
use crate::key::PrivateKey;
use crate::key::signer::Signer;
use crate::name::Name;
use crate::pki::{Ca, CaKey, Pki};
use crate::profile::Kind;
use crate::provision::bundle::{Bundle, BundleFile, BundleSettings, Bundler};
use crate::registry::{Holder, NewRecord, RegistryError, Replaced, ServerName, With, batch_name};
use crate::store::Pkcs12Options;

/// A server's certificate, which the registry has, and where its files are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MadeServer {
    /// The server.
    pub name: ServerName,
    /// Its certificate.
    pub certificate: Certificate,
    /// The names in it beside the subject.
    pub alt_names: Vec<AltName>,
    /// Its directory.
    pub folder: PathBuf,
    /// Where the files of the certificate that it replaces are now, if they were in that directory.
    pub former: Option<PathBuf>,
}

/// Settings for a server that keeps its key: certificates, and no secret.
pub fn certificates_only<'a>(
    kinds: &'a [Bundle],
    trusted: &'a [Certificate],
) -> BundleSettings<'a> {
    BundleSettings {
        kinds,
        store_password: None,
        key_password: None,
        key_iterations: 0,
        pkcs12: Pkcs12Options::default(),
        trusted,
    }
}

/// Whether the order can be carried out, as far as that is known without the CA's key.
pub fn check(pki: &Pki, ca: &Ca, order: &ServerOrder<'_>) -> Result {
    let subject = order.check()?;
    check_holder(pki, order)?;
    pki.check_may_sign(ca)?;
    Ok(pki.policy_now(ca, &pki.cas()?)?.check_server(ca, &subject, order.alt_names)?)
}

/// The same for who only asks: when the certificate would end if it were made now.
pub fn preview(
    pki: &Pki,
    ca: &Ca,
    order: &ServerOrder<'_>,
    now: OffsetDateTime,
) -> Result<OffsetDateTime> {
    check(pki, ca, order)?;
    let issuer = ca.certificate();
    issue::check_signs_at(issuer, now)?;
    let wanted = Validity::of(order.profile, now, order.days);
    Ok(issue::fit(issuer, wanted, order.beyond_issuer)?.not_after)
}

/// Puts in place, or removes, what a process that was killed has left of a server below `out`.
pub fn recover(pki: &Pki, name: &ServerName, out: &Path) -> Result {
    let _lock = Lock::wait(&pki.lock_path())?;
    folder::recover(out, name, pki.registry())
}

/// Makes a server's certificate, in place of the one it has if the order says so, records it, and writes its
/// directory below `out`: `cert.pem`, `chain.pem`, and what of the bundle has a key, if the key is here.
pub fn make(
    pki: &Pki,
    (ca, ca_key): (&Ca, &CaKey),
    order: &ServerOrder<'_>,
    (out, bundle): (&Path, BundleSettings<'_>),
    now: OffsetDateTime,
) -> Result<MadeServer> {
    let subject = order.check()?;
    folder::check(out)?;
    let _lock = Lock::wait(&pki.lock_path())?;
    folder::recover(out, order.name, pki.registry())?;
    clock::check(now, &pki.evidence_seen(&pki.cas()?)?)?;
    check(pki, ca, order)?;
    let bundler = Bundler::new(bundle, &ca.chain, false, now)?;
    let made;
    let key = match &order.key {
        ServerKey::New => {
            made = PrivateKey::generate_by(order.profile.key, order.profile.rsa_keys)?;
            Some(&made)
        }
        ServerKey::Own(key) => Some(*key),
        ServerKey::Requested(_) => None,
    };
    let public = match (&order.key, key) {
        (ServerKey::Requested(public), _) => *public,
        (_, Some(key)) => key.public_key(),
        (_, None) => return Err(ServerError::NoKey { name: order.name.clone() }),
    };
    let certificate = sign(order, ca, ca_key, (&subject, public), now)?;
    let mut files = Vec::new();
    if let Some(key) = key {
        files.extend(bundler.files(key, order.key_pem, &(&certificate).into(), None)?);
    }
    let is_there = |files: &[BundleFile], name| files.iter().any(|file| file.name == name);
    for file in bundler.certificate_files(&(&certificate).into()) {
        if !is_there(&files, file.name) {
            files.push(file);
        }
    }
    let staged = folder::stage(out, order.name, &files)?;
    let record = NewRecord {
        ca: ca.name.clone(),
        holder: Holder::Server(order.name.clone()),
        certificate: (&certificate).into(),
        details: details(order, key.is_some()),
        location: std::path::absolute(folder::of(out, order.name)).ok(),
        bundle: None,
        has_key: key.is_some(),
        replaces: order.replaces.map(|(old, revoke)| Replaced { row: old.row, revoke }),
        key_from_outside: !matches!(order.key, ServerKey::New),
    };
    let batch = batch_name(now).map_err(issue::IssueError::from)?;
    if let Err(e) = pki.registry().record_with(&batch, now, &[&record], With::default(), None) {
        staged.remove();
        return Err(match e {
            RegistryError::Conflict => ServerError::Taken { name: order.name.clone() },
            RegistryError::KeyTaken { other, .. } => {
                ServerError::SharedKey { name: order.name.clone(), other }
            }
            other => other.into(),
        });
    }
    let former = staged.place(order.name)?;
    Ok(MadeServer {
        name: order.name.clone(),
        certificate,
        alt_names: order.alt_names.to_vec(),
        folder: folder::of(out, order.name),
        former,
    })
}

/// Refuses a server that has a certificate which is not to be replaced, and a name that is a device's: the platform
/// would take one for the other by its common name.
fn check_holder(pki: &Pki, order: &ServerOrder<'_>) -> Result {
    let name = order.name;
    if pki.registry().live_device(name.as_str())?.is_some() {
        return Err(ServerError::IsDevice { name: name.clone() });
    }
    match (pki.registry().live_server(name)?, order.replaces) {
        (Some(live), None) => Err(ServerError::AlreadyIssued {
            name: name.clone(),
            serial: live.serial,
            not_after: live.not_after,
        }),
        (Some(live), Some((old, _))) if live.row == old.row => Ok(()),
        (None, None) => Ok(()),
        (_, Some(_)) => Err(ServerError::Taken { name: name.clone() }),
    }
}

fn sign(
    order: &ServerOrder<'_>,
    ca: &Ca,
    ca_key: &CaKey,
    (subject, public_key): (&Name, &PublicKey),
    now: OffsetDateTime,
) -> Result<Certificate> {
    debug_assert_eq!(order.profile.kind, Kind::Server);
    let issuer = Issuer::new(ca.certificate(), ca_key as &dyn Signer, now)?;
    let wanted = Validity::of(order.profile, now, order.days);
    let template = Order {
        profile: order.profile,
        subject,
        public_key,
        serial: Serial::random().map_err(issue::IssueError::from)?,
        validity: issuer.fit(wanted, order.beyond_issuer)?,
        path_length: None,
    };
    Ok(issue::issue_named(&template, order.alt_names, &issuer)?)
}
