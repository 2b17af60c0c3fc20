//! The CAs of the file and those of the PKI directory.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::fields;
use super::finding::{Finding, Remedy, Sign};
use crate::cert::Certificate;
use crate::files;
use crate::key::pkcs11::KeyUri;
use crate::pki::{Ca, KeyPlace};
use crate::registry::{Registry, RegistryError};
use crate::rollout::spec::{CaSpec, Spec};

/// The CA that has the subject of a CA of the file, which has another name and is not made yet: in the PKI directory, or
/// further up in the file.
pub(in crate::rollout) fn second_of_a_subject<'a>(
    spec: &'a Spec,
    wanted: &CaSpec,
    existing: &'a [Ca],
) -> Option<&'a str> {
    if existing.iter().any(|ca| ca.name == wanted.name) {
        return None;
    }
    let there = existing.iter().find(|ca| ca.certificate().subject.matches(&wanted.subject));
    let above = || {
        let before = spec.cas.iter().take_while(|ca| ca.name != wanted.name);
        before.into_iter().find(|ca| ca.subject.matches(&wanted.subject)).map(|ca| &ca.name)
    };
    there.map(|ca| &ca.name).or_else(above).map(String::as_str)
}

/// How the CAs compare. `ends` are the ends of all CA certificates that there ever were; `registry` knows which are
/// revoked.
pub(in crate::rollout) fn compare(
    spec: &Spec,
    (existing, registry): (&[Ca], Option<&Registry>),
    (ends, now): (&[OffsetDateTime], OffsetDateTime),
    longest: crate::cert::LongestChain,
) -> Result<Vec<Finding>, RegistryError> {
    let mut findings = Vec::new();
    for wanted in &spec.cas {
        let under = wanted.parent.as_ref().map_or_else(String::new, |p| format!(" under {p}"));
        let detail = format!("{}{under}", wanted.subject);
        let Some(found) = existing.iter().find(|ca| ca.name == wanted.name) else {
            let made = Finding::new(Sign::Missing, "ca.name", &wanted.name, detail);
            findings.push(made.by(Remedy::Apply));
            continue;
        };
        let before = findings.len();
        if let Some(registry) = registry {
            findings.extend(revoked(wanted, found, registry)?);
        }
        findings.extend(expired(wanted, found, (spec, existing), now));
        findings.extend(profile(wanted, found, longest));
        findings.extend(dates(wanted, found, ends));
        findings.extend(token(wanted, found));
        findings.extend(open_key(found));
        if findings[before..].iter().all(|f| !f.sign.is_change()) {
            findings.push(Finding::new(Sign::InPlace, "ca.name", &wanted.name, detail));
        }
        if wanted.token.as_ref().is_some_and(|token| token.existing_key) {
            let detail = "it counts only when the CA is made";
            findings.push(Finding::new(Sign::InPlace, "ca.existing_key", &wanted.name, detail));
        }
    }
    let is_named = |ca: &&Ca| spec.cas.iter().all(|wanted| wanted.name != ca.name);
    findings.extend(existing.iter().filter(is_named).map(|ca| {
        let detail = "it is not in this file, and stays as it is";
        Finding::new(Sign::Unlisted, "ca.name", &ca.name, detail).by(Remedy::Stays)
    }));
    Ok(findings)
}

/// What is to be made under a CA that a row tells as revoked or expired, or whose key is not there, is not made by a
/// run, and says so.
pub(in crate::rollout) fn hold_back(spec: &Spec, existing: &[Ca], findings: &mut [Finding]) {
    let is_of_ca = |finding: &&Finding| finding.key == "ca.name" && finding.sign == Sign::Differs;
    let mut idle: BTreeSet<String> =
        findings.iter().filter(is_of_ca).map(|finding| finding.name.clone()).collect();
    let has_no_key = |ca: &&Ca| !ca.key_place().path().exists();
    idle.extend(existing.iter().filter(has_no_key).map(|ca| ca.name.clone()));
    for finding in findings.iter_mut().filter(|finding| finding.sign == Sign::Missing) {
        let is_ca = finding.key == "ca.name";
        let issuer = match is_ca {
            true => {
                spec.cas.iter().find(|ca| ca.name == finding.name).and_then(|ca| ca.parent.as_ref())
            }
            false => Some(&spec.devices.ca).filter(|_| finding.key == "devices.from"),
        };
        let Some(issuer) = issuer.filter(|issuer| idle.contains(*issuer)) else { continue };
        finding.detail.push_str(&format!(", but {issuer} cannot sign as it is"));
        finding.remedy = None;
        if is_ca {
            idle.insert(finding.name.clone());
        }
    }
}

/// That the CA, or one above it, is revoked: nothing is signed with it, and nothing that it has signed is valid.
fn revoked(
    wanted: &CaSpec,
    found: &Ca,
    registry: &Registry,
) -> Result<Option<Finding>, RegistryError> {
    for (at, certificate) in found.chain.iter().enumerate() {
        let Some(revoked) = registry.revocation(certificate)? else { continue };
        let (whose, day, reason) = (whose(at, certificate), revoked.at.date(), revoked.reason);
        let detail = format!("{whose} was revoked on {day} ({}): it must not sign", reason.name());
        let finding = Finding::new(Sign::Differs, "ca.name", &wanted.name, detail);
        return Ok(Some(finding.by(Remedy::NewCa { ca: wanted.name.clone() })));
    }
    Ok(None)
}

/// That its certificate has run out, or one above it of which the file says nothing.
fn expired(
    wanted: &CaSpec,
    found: &Ca,
    (spec, existing): (&Spec, &[Ca]),
    now: OffsetDateTime,
) -> Vec<Finding> {
    let named = |ca: &&Ca| spec.cas.iter().any(|wanted| wanted.name == ca.name);
    let has_row =
        |above: &Certificate| existing.iter().filter(named).any(|ca| ca.certificate() == above);
    let chain = found.chain.iter().enumerate();
    let told = chain.filter(|(at, certificate)| *at == 0 || !has_row(certificate));
    told.filter_map(|(at, certificate)| {
        let detail = format!("{} {}", whose(at, certificate), fields::expired(certificate, now)?);
        let finding = Finding::new(Sign::Differs, "ca.name", &wanted.name, detail);
        Some(if at == 0 { finding.by(renewal(wanted)) } else { finding })
    })
    .collect()
}

/// A certificate of a CA's chain by its place, in words.
fn whose(at: usize, certificate: &Certificate) -> String {
    match at {
        0 => "its certificate".to_owned(),
        _ => format!("the certificate of {} above it", certificate.subject),
    }
}

fn renewal(wanted: &CaSpec) -> Remedy {
    let days = wanted.days.unwrap_or(wanted.profile.validity_days);
    Remedy::RenewCa { ca: wanted.name.clone(), days }
}

fn profile(wanted: &CaSpec, found: &Ca, longest: crate::cert::LongestChain) -> Vec<Finding> {
    let name = &wanted.name;
    match fields::of_ca(&wanted.profile, &found.chain, longest) {
        Err(reason) => {
            let detail = format!("its certificate was not compared with the profile: {reason}");
            vec![Finding::new(Sign::NotLookedAt, "ca.profile", name, detail)]
        }
        Ok(fields) => fields
            .into_iter()
            .map(|field| {
                Finding::new(Sign::Differs, "ca.profile", name, field.name)
                    .values(field.old, field.new)
                    .by(Remedy::NewCa { ca: name.clone() })
            })
            .collect(),
    }
}

fn dates(wanted: &CaSpec, found: &Ca, ends: &[OffsetDateTime]) -> Option<Finding> {
    let (profile, own) = (&wanted.profile, found.certificate());
    let (old, new) = fields::days((profile, wanted.days), own, ends)?;
    let key = if wanted.days.is_some() { "ca.days" } else { "ca.profile" };
    let found = Finding::new(Sign::Differs, key, &wanted.name, "validity");
    Some(found.values(old, new).by(renewal(wanted)))
}

/// That other users can read its key.
fn open_key(found: &Ca) -> Option<Finding> {
    let KeyPlace::File(path) = found.key_place() else { return None };
    let (name, detail) = (path.display().to_string(), "other users can read it");
    let is_open = files::is_open_to_others(path);
    is_open.then(|| {
        let remedy = Remedy::Protect { path: path.clone() };
        Finding::new(Sign::Differs, "pki", name, detail).by(remedy)
    })
}

/// Where the key is, and where the file wants it. That a key is in a file, not in a token, is an error before this.
fn token(wanted: &CaSpec, found: &Ca) -> Option<Finding> {
    let place = |uri: &KeyUri| KeyUri { module: None, ..uri.clone() }.to_string();
    let old = match found.key_place() {
        KeyPlace::File(_) => return None,
        KeyPlace::Unnamed { path, .. } => path.display().to_string(),
        KeyPlace::Token { uri, .. } => {
            if wanted.token.as_ref().is_some_and(|token| leads_to(&token.uri, uri)) {
                return None;
            }
            place(uri)
        }
    };
    let new = wanted.token.as_ref().map_or_else(|| "a file".to_owned(), |t| place(&t.uri));
    let found = Finding::new(Sign::Differs, "ca.token", &wanted.name, "its key");
    Some(found.values(old, new).by(Remedy::NewCa { ca: wanted.name.clone() }))
}

/// Whether what the file says of a key is true of the key that is there: the file may say less.
fn leads_to(wanted: &KeyUri, found: &KeyUri) -> bool {
    let said = |wanted: &Option<String>, found: &Option<String>| {
        wanted.is_none() || found.is_none() || wanted == found
    };
    said(&wanted.token, &found.token)
        && said(&wanted.object, &found.object)
        && (wanted.id.is_none() || found.id.is_none() || wanted.id == found.id)
}
