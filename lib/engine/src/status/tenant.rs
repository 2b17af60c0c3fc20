//! What a tenant says: which CAs it trusts, what of the revocations it has, which devices it knows.
//!
//! What this user may not see is told and is no error. Each device is a request of its own (platform: "External IDs"),
//! so no more are asked about than wanted, the newest first.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::crl::{Reason, Revoked};
use crate::pki::{AuthorityError, Ca, Pki};
use crate::platform::crl::Switch;
use crate::platform::standing::{ID_TYPE, is_registered};
use crate::platform::trusted::TrustedCertificate;
use crate::platform::{Client, PlatformError, crl, tenant, trusted};
use crate::registry::{Filter, Record, Role, Status};

/// Ids of devices that are kept.
pub const MOST_IDS: usize = 10_000;

/// What a tenant says.
#[derive(Debug, Clone, Serialize)]
pub struct AtTenant {
    /// Its id.
    pub tenant: String,
    /// Its host.
    pub host: String,
    /// How the CAs that have devices stand there; none if this user may not see them.
    pub trust: Option<Vec<Trust>>,
    /// Whether it looks at its list of revocations.
    pub revocation_check: Switch,
    /// Revocations of the registry that are not in its list, those on hold left out; none if it was not told.
    pub revocations_missing: Option<usize>,
    /// Which devices it knows; none if this user may not see it.
    pub registered: Option<Registered>,
    /// What could not be looked at, and why.
    pub unanswered: Vec<String>,
}

/// How a CA that has devices stands at the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trust {
    /// Its name in the PKI directory.
    pub ca: String,
    /// Its live devices.
    pub devices: u64,
    /// The nearest certificate of its chain that is uploaded and enabled, by its name there; none if no device of it
    /// is let in.
    pub anchor: Option<String>,
    /// Whether one of its chain is uploaded and disabled.
    pub disabled: bool,
    /// The fingerprint by which the tenant knows that one: it may have another name there.
    #[serde(skip)]
    pub disabled_as: Option<String>,
    /// Whether the proof of possession of that certificate is complete.
    pub proven: bool,
    /// Whether its devices register themselves.
    pub registers_itself: bool,
}

/// Which of the devices are registered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// How many were asked about.
    pub asked: usize,
    /// How many were not.
    pub not_asked: usize,
    /// How many of those asked about are not there.
    pub missing: usize,
    /// Which those are, the first [`MOST_IDS`].
    pub missing_ids: Vec<String>,
    /// The order that all of them are in, if they are.
    pub missing_order: Option<String>,
}

/// A device to ask about.
struct Asked {
    id: String,
    kind: String,
    order: Option<String>,
}

/// What there is to compare with, gathered before anything is asked.
pub struct Known {
    cas: Vec<(Ca, u64)>,
    revoked: Vec<Revoked>,
    devices: Vec<Asked>,
    not_asked: usize,
}

impl Known {
    /// What the PKI directory says; `most` devices are asked about, the newest first.
    pub fn of(pki: &Pki, most: usize) -> Result<Self, AuthorityError> {
        let counts = pki.registry().device_counts()?;
        let all = pki.cas()?;
        let mut subjects = Vec::new();
        let mut revoked = Vec::new();
        for ca in &all {
            let subject = &ca.certificate().subject;
            // CAs of one name share their revocations.
            if !subjects.contains(&subject) {
                revoked.extend(pki.registry().revoked(subject)?);
                subjects.push(subject);
            }
        }
        // The platform cannot end a hold, so they are not sent there.
        revoked.retain(|entry| entry.reason != Reason::CertificateHold);
        let devices = newest(pki, most)?;
        let live: u64 = counts.values().sum();
        let not_asked = usize::try_from(live).unwrap_or(usize::MAX).saturating_sub(devices.len());
        let with_devices = |ca: &Ca| counts.get(&ca.name).copied().filter(|count| *count > 0);
        let cas = all.iter().filter_map(|ca| Some((ca.clone(), with_devices(ca)?))).collect();
        Ok(Self { cas, revoked, devices, not_asked })
    }
}

/// The newest live devices.
fn newest(pki: &Pki, most: usize) -> Result<Vec<Asked>, AuthorityError> {
    let mut kept = std::collections::VecDeque::new();
    let filter =
        Filter { role: Some(Role::Device), status: Some(Status::Live), ..Filter::default() };
    pki.registry().each::<AuthorityError>(&filter, |record: Record| {
        let Some(id) = record.holder.device().map(ToString::to_string) else { return Ok(()) };
        let of_list = crate::registration::column(&record.details, "IDTYPE");
        let kind = of_list.unwrap_or(ID_TYPE).to_owned();
        if kept.len() == most {
            kept.pop_front();
        }
        if most > 0 {
            kept.push_back(Asked { id, kind, order: None });
        }
        Ok(())
    })?;
    for asked in &mut kept {
        asked.order = pki.registry().open_order_of(&asked.id)?;
    }
    Ok(kept.into())
}

/// Asks a tenant.
///
/// Errors: it was not reached, or does not let this user in at all.
pub async fn ask(client: &Client, known: &Known) -> Result<AtTenant, PlatformError> {
    let found = tenant::current(client).await?;
    let mut unanswered = Vec::new();
    let trusted = allowed(trusted::list(client).await, &mut unanswered)?;
    let revocation_check = allowed(crl::is_on(client).await, &mut unanswered)?;
    let list = allowed(crl::download(client).await, &mut unanswered)?;
    let registered = registered(client, known).await;
    let registered = allowed(registered, &mut unanswered)?;
    let missing = |list: crate::crl::Crl| {
        let there: HashSet<String> = list.revoked.iter().map(|e| e.serial.to_decimal()).collect();
        known.revoked.iter().filter(|entry| !there.contains(&entry.serial.to_decimal())).count()
    };
    Ok(AtTenant {
        tenant: found.id,
        host: client.host().to_owned(),
        trust: trusted.map(|all| known.cas.iter().map(|(ca, n)| trust(ca, *n, &all)).collect()),
        revocation_check: revocation_check.unwrap_or(Switch::Unknown),
        revocations_missing: list.map(missing),
        registered,
        unanswered,
    })
}

/// An answer; what this user may not see is noted.
fn allowed<T>(
    answer: Result<T, PlatformError>,
    unanswered: &mut Vec<String>,
) -> Result<Option<T>, PlatformError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(e @ PlatformError::Forbidden { .. }) => {
            let PlatformError::Forbidden { role, .. } = &e else { return Ok(None) };
            // No hint follows that would name it.
            let takes =
                role.as_ref().map_or_else(String::new, |role| format!(" (it takes {role})"));
            unanswered.push(format!("{e}{takes}"));
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

fn trust(ca: &Ca, devices: u64, uploaded: &[TrustedCertificate]) -> Trust {
    let of_chain = ca.chain.iter().filter_map(|certificate| {
        let fingerprint = certificate.fingerprint_sha1();
        uploaded.iter().find(|one| one.fingerprint.eq_ignore_ascii_case(&fingerprint))
    });
    let of_chain: Vec<&TrustedCertificate> = of_chain.collect();
    let anchor = of_chain.iter().find(|one| one.is_enabled());
    Trust {
        ca: ca.name.clone(),
        devices,
        anchor: anchor.map(|one| one.name.clone()),
        disabled_as: of_chain
            .iter()
            .find(|one| !one.is_enabled())
            .map(|one| one.fingerprint.clone()),
        disabled: of_chain.iter().any(|one| !one.is_enabled()),
        proven: anchor.is_some_and(|one| one.proof_of_possession_valid),
        registers_itself: of_chain
            .iter()
            .any(|one| one.is_enabled() && one.auto_registration_enabled),
    }
}

/// Asks about each device, eight at a time.
async fn registered(client: &Client, known: &Known) -> Result<Registered, PlatformError> {
    let next = Mutex::new(known.devices.iter());
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
    let ask = async || {
        let mut missing = Vec::new();
        while let Some(asked) = take() {
            if !is_registered(client, &asked.kind, &asked.id).await? {
                missing.push(asked);
            }
        }
        Ok::<_, PlatformError>(missing)
    };
    let (a, b, c, d, e, f, g, h) =
        tokio::try_join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask())?;
    let mut missing = [a, b, c, d, e, f, g, h].concat();
    missing.sort_by(|a, b| a.id.cmp(&b.id));
    let order = missing.first().and_then(|first| first.order.clone());
    let is_one = missing.iter().all(|asked| asked.order == order);
    Ok(Registered {
        asked: known.devices.len(),
        not_asked: known.not_asked,
        missing: missing.len(),
        missing_ids: missing.iter().take(MOST_IDS).map(|asked| asked.id.clone()).collect(),
        missing_order: order.filter(|_| is_one),
    })
}
