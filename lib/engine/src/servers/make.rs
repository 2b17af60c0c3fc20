//! A server's certificate: checked, signed, recorded, and put into its place.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::error::{Result, ServerError};
use super::folder;
use super::order::{ServerFiles, ServerKey, ServerOrder};
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

/// What would be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// How long the certificate would be valid.
    pub validity: Validity,
    /// The server's directory.
    pub folder: PathBuf,
    /// Where what stands there would be moved, whosever it is.
    pub moved_to: Option<PathBuf>,
}

/// Whether the order can be carried out, with these files below `out`, as far as that is known without the CA's key and a
/// password. Nothing is changed.
pub fn check(
    pki: &Pki,
    ca: &Ca,
    order: &ServerOrder<'_>,
    (out, files): (&Path, &ServerFiles<'_>),
    now: OffsetDateTime,
) -> Result<Checked> {
    let subject = order.check()?;
    folder::check(out)?;
    files.check(order)?;
    check_holder(pki, order)?;
    pki.check_may_sign(ca)?;
    let cas = pki.cas()?;
    pki.policy_now(ca, &cas)?.check_server(ca, &subject, order.alt_names)?;
    check_key(pki, order, &cas)?;
    let asked = (order.profile, order.days);
    let validity = Validity::under(ca.certificate(), asked, order.beyond_issuer, now)?;
    let moved_to = folder::would_move(out, order.name);
    Ok(Checked { validity, folder: folder::of(out, order.name), moved_to })
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
    let _lock = Lock::wait(&pki.lock_path())?;
    folder::recover(out, order.name, pki.registry())?;
    clock::check(now, &pki.evidence_seen(&pki.cas()?)?)?;
    let files = ServerFiles { kinds: bundle.kinds, encrypts_key: bundle.key_password.is_some() };
    let checked = check(pki, ca, order, (out, &files), now)?;
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
    let issuer = Issuer::new(ca.certificate(), ca_key as &dyn Signer, now)?;
    let certificate = sign(order, &issuer, (&subject, public), checked.validity)?;
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

/// Refuses a key from outside that somebody else has: a request may be that of a device.
fn check_key(pki: &Pki, order: &ServerOrder<'_>, cas: &[Ca]) -> Result {
    let spki = match order.key {
        ServerKey::New => return Ok(()),
        ServerKey::Own(key) => key.public_key().spki(),
        ServerKey::Requested(public) => public.spki(),
    };
    let (name, holder) = (order.name.clone(), Holder::Server(order.name.clone()));
    if let Some(ca) = cas.iter().find(|ca| ca.certificate().spki == spki) {
        return Err(ServerError::SharedKey { name, other: format!("the CA {}", ca.name) });
    }
    let holders = pki.registry().with_keys([spki])?;
    match holders.of(spki).iter().find(|record| record.keeps_key_from(&holder)) {
        Some(record) => Err(ServerError::SharedKey { name, other: record.whose() }),
        None => Ok(()),
    }
}

fn sign(
    order: &ServerOrder<'_>,
    issuer: &Issuer<'_>,
    (subject, public_key): (&Name, &PublicKey),
    validity: Validity,
) -> Result<Certificate> {
    debug_assert_eq!(order.profile.kind, Kind::Server);
    let template = Order {
        profile: order.profile,
        subject,
        public_key,
        serial: Serial::random().map_err(issue::IssueError::from)?,
        validity,
        path_length: None,
    };
    Ok(issue::issue_named(&template, order.alt_names, issuer)?)
}
