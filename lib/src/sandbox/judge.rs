//! Whether a device may connect, by what it presents (platform: "Device certificate and what the
//! device presents"). The platform gives no reason for a refusal; the list of connections does.
//!
//! The chain is taken as it comes, leaf first, each certificate followed by its signer; nothing is
//! sorted or completed, but for a leaf alone whose immediate issuer was uploaded. What stands above
//! the uploaded certificate is not looked at. Where several of a chain were uploaded, the nearest to the
//! device that lets it in decides; if none does, the reason is that of the nearest.

use time::OffsetDateTime;

use super::revocation::significant;
use super::state::World;
use super::tenant::{AuthType, Device};
use super::trusted::Trusted;
use crate::cert::Certificate;
use crate::chain::{self, Options};

/// Most certificates in a chain.
const LONGEST: usize = 10;
/// The longest chain that needs no proof of possession.
const WITHOUT_PROOF: usize = 2;

/// A device that may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admitted {
    pub(super) tenant: String,
    pub(super) device: String,
}

/// Judges what a device presents, and registers it where the certificate of its CA says so.
pub(super) fn admit(
    world: &mut World,
    presented: &[Certificate],
    now: OffsetDateTime,
) -> Result<Admitted, String> {
    let leaf = presented.first().ok_or("no certificate was presented")?;
    let id = leaf.subject.common_name().ok_or("the certificate has no common name")?.to_owned();
    if id.contains(':') {
        return Err(format!("the common name {id:?} contains ':'"));
    }
    if presented.len() > LONGEST {
        return Err(format!("the chain has {} certificates, more than {LONGEST}", presented.len()));
    }
    let mut refused = None;
    for anchor in anchors(world, presented)? {
        match below(world, &anchor, &id, now) {
            Ok(()) => return Ok(Admitted { tenant: anchor.tenant, device: id }),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    Err(refused.unwrap_or_else(|| "no uploaded certificate is among those presented".to_owned()))
}

/// An uploaded certificate that a chain leads to.
struct Anchor {
    tenant: String,
    uploaded: Trusted,
    /// From the device up to it.
    chain: Vec<Certificate>,
}

/// Judges a device below one uploaded certificate.
fn below(world: &mut World, anchor: &Anchor, id: &str, now: OffsetDateTime) -> Result<(), String> {
    let Anchor { tenant, uploaded, chain } = anchor;
    check_uploaded(tenant, uploaded, chain.len())?;
    check_links(chain)?;
    let (leaf, above) = chain.split_first().ok_or("no certificate was presented")?;
    let anchors = [uploaded.certificate.clone()];
    chain::verify(leaf, above, &anchors, &Options::new(now)).map_err(|e| e.to_string())?;
    check_revoked(world, tenant, chain)?;
    check_registered(world, tenant, uploaded, id)
}

/// The uploaded certificates among those presented, the nearest to the device first. Not those that
/// are locked out.
fn anchors(world: &World, presented: &[Certificate]) -> Result<Vec<Anchor>, String> {
    let mut locked_out = None;
    let mut found = Vec::new();
    let all = world.tenants.iter();
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
        None => "no uploaded certificate is among those presented".to_owned(),
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

fn check_uploaded(tenant: &str, uploaded: &Trusted, length: usize) -> Result<(), String> {
    let subject = &uploaded.certificate.subject;
    if !uploaded.enabled {
        return Err(format!("{subject} is DISABLED in {tenant}"));
    }
    if length > WITHOUT_PROOF && !uploaded.proven {
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
    let revoked =
        chain.iter().find(|cert| tenant.revoked.contains_key(significant(cert.serial.octets())));
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
) -> Result<(), String> {
    let Some(tenant) = world.tenants.get_mut(tenant) else { return Ok(()) };
    match tenant.devices.get(id) {
        Some(device) if device.auth_type == AuthType::Certificates => Ok(()),
        Some(_) => Err(format!("{id} is registered with AUTH_TYPE BASIC")),
        None if uploaded.auto_registration => {
            let mut device = Device::new(AuthType::Certificates);
            device.automatic = true;
            tenant.devices.insert(id.to_owned(), device);
            Ok(())
        }
        None => Err(format!("{id} is not registered, and auto-registration is off")),
    }
}
