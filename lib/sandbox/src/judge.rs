//! Whether a device may connect, by what it presents (platform: "Device certificate and what the
//! device presents"). The platform gives no reason for a refusal; the list of connections does.
//!
//! The chain is taken as it comes, leaf first, each certificate followed by its signer; nothing is
//! sorted or completed, but for a leaf alone whose immediate issuer was uploaded. What stands above
//! the uploaded certificate is not looked at. Where several of a chain were uploaded, the nearest to the
//! device that lets it in decides; if none does, the reason is that of the nearest. Revocations count once
//! their check is switched on; a proof of possession is asked for only if the sandbox was told to.

use rustls::CertificateError;
use time::OffsetDateTime;

use super::names;
use super::revocation::significant;
use super::state::{AuthType, Device, Trusted, World};
use crate::cert::Certificate;
use crate::chain::{self, Options};

/// The longest chain that needs no proof of possession.
const WITHOUT_PROOF: usize = 2;

/// A device that may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admitted {
    pub(super) tenant: String,
    pub(super) device: String,
    /// The fingerprint of the uploaded certificate that lets it in.
    pub(super) by: String,
}

/// Why a device may not connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// What it presents.
    Chain(String),
    /// It would have to be registered by itself, and cannot be.
    NotRegistrable(String),
}

impl Reason {
    /// In words.
    pub(super) fn text(self) -> String {
        match self {
            Self::Chain(reason) | Self::NotRegistrable(reason) => reason,
        }
    }
}

/// Judges what a device presents, and registers it where the certificate of its CA says so.
pub(super) fn admit(
    world: &mut World,
    presented: &[Certificate],
    now: OffsetDateTime,
) -> Result<Admitted, Reason> {
    let id = common_name(presented).map_err(Reason::Chain)?;
    if id.contains(':') {
        return Err(Reason::Chain(format!("the common name {id:?} contains ':'")));
    }
    admit_as(world, presented, &id, now)
}

/// The common name of the first certificate.
pub(super) fn common_name(presented: &[Certificate]) -> Result<String, String> {
    let leaf = presented.first().ok_or("no certificate was presented")?;
    let name = leaf.subject.common_name().ok_or("the certificate has no common name")?;
    Ok(name.to_owned())
}

/// The same for a device that is called otherwise than the common name says.
pub(super) fn admit_as(
    world: &mut World,
    presented: &[Certificate],
    id: &str,
    now: OffsetDateTime,
) -> Result<Admitted, Reason> {
    let mut refused = None;
    for anchor in anchors(world, presented, None).map_err(Reason::Chain)? {
        let good = below(world, &anchor, now).map_err(Reason::Chain);
        let Anchor { tenant, uploaded, .. } = &anchor;
        let known = good.and_then(|()| check_registered(world, tenant, uploaded, id));
        match known {
            Ok(()) => {
                let devices = world.tenants.get_mut(tenant).map(|tenant| &mut tenant.devices);
                let device = devices.and_then(|devices| devices.get_mut(id));
                if let (Some(device), Some(leaf)) = (device, presented.first()) {
                    device.showed(leaf);
                }
                let (by, device) = (uploaded.fingerprint.clone(), id.to_owned());
                return Ok(Admitted { tenant: anchor.tenant, device, by });
            }
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    Err(refused.unwrap_or_else(|| Reason::Chain(NONE.to_owned())))
}

/// Judges a chain without a device: the tenant whose uploaded certificate it leads to. Nothing is
/// registered by it.
pub(super) fn verify(
    world: &World,
    presented: &[Certificate],
    tenant: Option<&str>,
    now: OffsetDateTime,
) -> Result<String, String> {
    let mut refused = None;
    for anchor in anchors(world, presented, tenant)? {
        match below(world, &anchor, now) {
            Ok(()) => return Ok(anchor.tenant),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    Err(refused.unwrap_or_else(|| NONE.to_owned()))
}

/// The same in a handshake, where the error decides about the alert: expired, revoked, or a CA that is not known.
pub(super) fn in_handshake(
    world: &World,
    presented: &[Certificate],
    now: OffsetDateTime,
) -> Result<(), CertificateError> {
    if presented.iter().any(|certificate| certificate.not_after < now) {
        return Err(CertificateError::Expired);
    }
    if presented.iter().any(|certificate| now < certificate.not_before) {
        return Err(CertificateError::NotValidYet);
    }
    let mut tenants = world.tenants.keys();
    if tenants.any(|tenant| check_revoked(world, tenant, presented).is_err()) {
        return Err(CertificateError::Revoked);
    }
    let judged = verify(world, presented, None, now);
    judged.map(|_| ()).map_err(|_| CertificateError::UnknownIssuer)
}

const NONE: &str = "no uploaded certificate is among those presented";

/// An uploaded certificate that a chain leads to.
struct Anchor {
    tenant: String,
    uploaded: Trusted,
    /// From the device up to it.
    chain: Vec<Certificate>,
}

/// Judges a chain up to one uploaded certificate.
fn below(world: &World, anchor: &Anchor, now: OffsetDateTime) -> Result<(), String> {
    let Anchor { tenant, uploaded, chain } = anchor;
    check_uploaded(tenant, uploaded, chain.len(), world.site.require_proof)?;
    check_links(chain)?;
    let (leaf, above) = chain.split_first().ok_or("no certificate was presented")?;
    let anchors = [uploaded.certificate.clone()];
    let options = Options::new(now).up_to(world.site.longest_chain);
    chain::verify(leaf, above, &anchors, &options).map_err(|e| e.to_string())?;
    check_revoked(world, tenant, chain)
}

/// The uploaded certificates among those presented, the nearest to the device first. Not those that
/// are locked out.
fn anchors(
    world: &World,
    presented: &[Certificate],
    tenant: Option<&str>,
) -> Result<Vec<Anchor>, String> {
    let longest = world.site.longest_chain;
    if !longest.takes(presented.len()) {
        return Err(format!("the chain has {} certificates, more than {longest}", presented.len()));
    }
    let mut locked_out = None;
    let mut found = Vec::new();
    let all = world.tenants.iter().filter(|(name, _)| tenant.is_none_or(|one| one == *name));
    for (name, trusted) in all.flat_map(|(name, t)| t.trusted.iter().map(move |u| (name, u))) {
        let Some(chain) = chain_up_to(presented, trusted) else { continue };
        if world.is_locked_out(name, &trusted.fingerprint) {
            locked_out = Some(trusted);
            continue;
        }
        found.push(Anchor { tenant: name.clone(), uploaded: trusted.clone(), chain });
    }
    found.sort_by_key(|anchor| anchor.chain.len());
    if !found.is_empty() {
        return Ok(found);
    }
    Err(match locked_out {
        Some(ca) => format!("{} is on another tenant too, without proof", ca.certificate.subject),
        None => NONE.to_owned(),
    })
}

fn chain_up_to(presented: &[Certificate], trusted: &Trusted) -> Option<Vec<Certificate>> {
    let ca = &trusted.certificate;
    if let Some(at) = presented.iter().position(|cert| cert == ca) {
        return Some(presented[..=at].to_vec());
    }
    let [leaf] = presented else { return None };
    let key = ca.public_key.as_ref().ok()?;
    let signed = leaf.issuer.matches(&ca.subject) && leaf.verify_signature(key).is_ok();
    signed.then(|| vec![leaf.clone(), ca.clone()])
}

fn check_uploaded(
    tenant: &str,
    uploaded: &Trusted,
    length: usize,
    require_proof: bool,
) -> Result<(), String> {
    let subject = &uploaded.certificate.subject;
    if !uploaded.enabled {
        return Err(format!("{subject} is DISABLED in {tenant}"));
    }
    if require_proof && length > WITHOUT_PROOF && !uploaded.proven {
        return Err(format!(
            "the chain has {length} certificates, and {subject} lacks its proof of possession"
        ));
    }
    Ok(())
}

fn check_links(chain: &[Certificate]) -> Result<(), String> {
    for pair in chain.windows(2) {
        let [cert, signer] = pair else { continue };
        if !cert.issuer.matches(&signer.subject) {
            return Err(format!("{} is not followed by its signer {}", cert.subject, cert.issuer));
        }
        let key = signer.public_key.as_ref().map_err(ToString::to_string)?;
        if cert.verify_signature(key).is_err() {
            return Err(format!("{} is not signed by the next one", cert.subject));
        }
        if !signer.is_ca() {
            return Err(format!("{} signs, but has no CA:TRUE", signer.subject));
        }
    }
    Ok(())
}

fn check_revoked(world: &World, tenant: &str, chain: &[Certificate]) -> Result<(), String> {
    let Some(tenant) = world.tenants.get(tenant) else { return Ok(()) };
    if !tenant.checks_revocation() {
        return Ok(());
    }
    let revoked =
        chain.iter().find(|cert| tenant.revoked.contains_key(significant(cert.serial.bytes())));
    match revoked {
        Some(cert) => Err(format!("{}, serial {}, is revoked", cert.subject, cert.serial)),
        None => Ok(()),
    }
}

fn check_registered(
    world: &mut World,
    tenant: &str,
    uploaded: &Trusted,
    id: &str,
) -> Result<(), Reason> {
    let Some(tenant) = world.tenants.get_mut(tenant) else { return Ok(()) };
    match tenant.devices.get(id) {
        Some(device) if device.auth_type == AuthType::Certificates => Ok(()),
        Some(_) => Err(Reason::Chain(format!("{id} is registered with AUTH_TYPE BASIC"))),
        None if uploaded.auto_registration => {
            names::check_id(id)
                .and_then(|()| names::check_user(id))
                .map_err(|reason| Reason::NotRegistrable(format!("{id:?}: {reason}")))?;
            let mut device = Device::new(AuthType::Certificates);
            device.automatic = true;
            tenant.devices.insert(id.to_owned(), device);
            Ok(())
        }
        None => Err(Reason::Chain(format!("{id} is not registered, and auto-registration is off"))),
    }
}
