//! Trusted certificates: the CAs whose devices may connect (platform: "Trusted certificates").
//!
//! Refused with 422: what is not one certificate of X.509 version 3 with CA:TRUE that has not expired,
//! with an RSA key of at least 2048 bits or an elliptic curve; a status other than ENABLED and
//! DISABLED. Refused with 409: one that this tenant holds, or that another one holds with proof of
//! possession.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::answer::{Answer, Refusal};
use super::auth::{self, TRUSTED_CERTIFICATES, TRUSTED_CERTIFICATES_READ};
use super::call::Call;
use super::clock::iso;
use super::collection;
use super::state::{Code, Trusted, World, collection_url};
use crate::cert::Certificate;
use crate::crypto::KeyAlgorithm;

/// Refuses who may not change the certificates of the tenant in the path.
pub(super) fn keeper(world: &World, call: &Call, tenant: &str) -> Result<(), Refusal> {
    may(world, call, tenant, TRUSTED_CERTIFICATES)
}

/// Refuses who may not look at them.
fn looker(world: &World, call: &Call, tenant: &str) -> Result<(), Refusal> {
    may(world, call, tenant, TRUSTED_CERTIFICATES_READ)
}

fn may(world: &World, call: &Call, tenant: &str, roles: &[&str]) -> Result<(), Refusal> {
    let caller = auth::caller(world, call)?.needs(roles)?;
    if !world.tenants.contains_key(tenant) {
        return Err(Refusal::not_found(format!("There is no tenant {tenant:?}.")));
    }
    caller.of_tenant(tenant).map(drop)
}

/// The certificate of that fingerprint, to be changed.
pub(super) fn find<'a>(
    world: &'a mut World,
    tenant: &str,
    fingerprint: &str,
) -> Result<&'a mut Trusted, Refusal> {
    let trusted = world.tenants.get_mut(tenant).map(|tenant| &mut tenant.trusted);
    let found = trusted.and_then(|all| all.iter_mut().find(|t| t.fingerprint == fingerprint));
    found.ok_or_else(|| no_certificate(fingerprint))
}

fn no_certificate(fingerprint: &str) -> Refusal {
    Refusal::not_found(format!("There is no trusted certificate {fingerprint:?}."))
}

/// The certificate as an answer.
pub(super) fn shown(world: &World, tenant: &str, fingerprint: &str) -> Result<Answer, Refusal> {
    let found = world.tenants.get(tenant).and_then(|tenant| tenant.trusted(fingerprint));
    let found = found.ok_or_else(|| no_certificate(fingerprint))?;
    Ok(Answer::json(200, &found.object(&world.site, tenant)))
}

/// `GET …/trusted-certificates`.
pub(super) fn list(world: &World, call: &Call, tenant: &str) -> Result<Answer, Refusal> {
    looker(world, call, tenant)?;
    let only_authority = call.flag("certificateAuthority")?;
    let all = world.tenants.get(tenant).map(|t| t.trusted.as_slice()).unwrap_or_default();
    let objects = all
        .iter()
        .filter(|trusted| trusted.own_authority || !only_authority)
        .map(|trusted| trusted.object(&world.site, tenant))
        .collect();
    let base = collection_url(&world.site, tenant);
    Ok(Answer::json(200, &collection::page(call, &base, "certificates", objects)?))
}

/// `GET …/trusted-certificates/{fingerprint}`.
pub(super) fn show(
    world: &World,
    call: &Call,
    tenant: &str,
    fingerprint: &str,
) -> Result<Answer, Refusal> {
    looker(world, call, tenant)?;
    shown(world, tenant, fingerprint)
}

/// `POST …/trusted-certificates`.
pub(super) fn create(world: &mut World, call: &Call, tenant: &str) -> Result<Answer, Refusal> {
    keeper(world, call, tenant)?;
    let mut trusted = read(&call.json()?, call.now)?;
    trusted.in_trust_store = call.flag_or("addToTrustStore", true)?;
    trusted.code = Some(Code::new(&world.site, call.now).map_err(Refusal::broken)?);
    check_unique(world, tenant, &trusted.fingerprint)?;
    let object = trusted.object(&world.site, tenant);
    add(world, tenant, trusted);
    let link = object["self"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(201, &object).with("Location", link))
}

/// `POST …/trusted-certificates/bulk`: all or none.
pub(super) fn create_many(world: &mut World, call: &Call, tenant: &str) -> Result<Answer, Refusal> {
    keeper(world, call, tenant)?;
    let body = call.json()?;
    let Some(entries) = body["certificates"].as_array() else {
        return Err(Refusal::unprocessable("\"certificates\" is no list."));
    };
    let in_trust_store = call.flag_or("addToTrustStore", true)?;
    let mut all: Vec<Trusted> = Vec::new();
    for entry in entries {
        let mut trusted = read(entry, call.now)?;
        trusted.in_trust_store = in_trust_store;
        trusted.code = Some(Code::new(&world.site, call.now).map_err(Refusal::broken)?);
        check_unique(world, tenant, &trusted.fingerprint)?;
        if all.iter().any(|other| other.fingerprint == trusted.fingerprint) {
            let fingerprint = &trusted.fingerprint;
            return Err(Refusal::conflict(format!("{fingerprint} is given twice.")));
        }
        all.push(trusted);
    }
    let objects: Vec<Value> = all.iter().map(|t| t.object(&world.site, tenant)).collect();
    for trusted in all {
        add(world, tenant, trusted);
    }
    Ok(Answer::json(201, &json!({ "certificates": objects })))
}

fn add(world: &mut World, tenant: &str, trusted: Trusted) {
    if let Some(tenant) = world.tenants.get_mut(tenant) {
        tenant.trusted.push(trusted);
    }
}

fn check_unique(world: &World, tenant: &str, fingerprint: &str) -> Result<(), Refusal> {
    let own = world.tenants.get(tenant).and_then(|tenant| tenant.trusted(fingerprint));
    if own.is_some() || world.elsewhere(tenant, fingerprint).any(|other| other.proven) {
        return Err(Refusal::conflict(format!(
            "A certificate with the fingerprint {fingerprint} exists already."
        )));
    }
    Ok(())
}

/// `PUT …/trusted-certificates/{fingerprint}`: name, status, autoRegistrationEnabled; each may be
/// left out, and anything else is passed over.
pub(super) fn change(
    world: &mut World,
    call: &Call,
    tenant: &str,
    fingerprint: &str,
) -> Result<Answer, Refusal> {
    keeper(world, call, tenant)?;
    let mut changed = find(world, tenant, fingerprint)?.clone();
    apply(&mut changed, &call.json()?)?;
    *find(world, tenant, fingerprint)? = changed;
    shown(world, tenant, fingerprint)
}

/// `DELETE …/trusted-certificates/{fingerprint}`. The MQTT sessions of its devices end.
pub(super) fn remove(
    world: &mut World,
    call: &Call,
    tenant: &str,
    fingerprint: &str,
) -> Result<Answer, Refusal> {
    keeper(world, call, tenant)?;
    let own = find(world, tenant, fingerprint)?.own_authority;
    if let Some(tenant) = world.tenants.get_mut(tenant) {
        tenant.trusted.retain(|t| t.fingerprint != fingerprint);
        if own {
            tenant.authority = None;
        }
    }
    world.online.end_by(tenant, fingerprint);
    Ok(Answer::empty(204))
}

/// What an upload asks for.
fn read(value: &Value, now: OffsetDateTime) -> Result<Trusted, Refusal> {
    let Some(pem) = value["certInPemFormat"].as_str() else {
        return Err(Refusal::unprocessable("\"certInPemFormat\" is missing."));
    };
    let certificate = one_certificate(pem).map_err(|reason| {
        Refusal::unprocessable(format!("\"certInPemFormat\" holds no certificate: {reason}."))
    })?;
    check_anchor(&certificate, now).map_err(|reason| {
        let subject = &certificate.subject;
        Refusal::unprocessable(format!("The certificate of {subject} is refused: {reason}."))
    })?;
    if value.get("status").is_none() {
        return Err(Refusal::unprocessable("\"status\" is missing."));
    }
    let mut trusted = Trusted::new(certificate, String::new());
    apply(&mut trusted, value)?;
    Ok(trusted)
}

/// Takes over what can be changed.
fn apply(trusted: &mut Trusted, value: &Value) -> Result<(), Refusal> {
    let refuse = |field: &str, found: &Value, wanted: &str| {
        Err(Refusal::unprocessable(format!("\"{field}\" is {found}; it must be {wanted}.")))
    };
    match value.get("name") {
        None => {}
        Some(Value::String(name)) => trusted.name.clone_from(name),
        Some(other) => return refuse("name", other, "a text"),
    }
    match value.get("status").map(|status| (status.as_str(), status)) {
        None => {}
        Some((Some("ENABLED"), _)) => trusted.enabled = true,
        Some((Some("DISABLED"), _)) => trusted.enabled = false,
        Some((_, other)) => return refuse("status", other, "\"ENABLED\" or \"DISABLED\""),
    }
    match value.get("autoRegistrationEnabled") {
        None => {}
        Some(Value::Bool(enabled)) => trusted.auto_registration = *enabled,
        Some(Value::String(text)) if text == "true" => trusted.auto_registration = true,
        Some(Value::String(text)) if text == "false" => trusted.auto_registration = false,
        Some(other) => return refuse("autoRegistrationEnabled", other, "true or false"),
    }
    Ok(())
}

/// The certificate in a text: PEM with or without line ends, with or without its first and last
/// line.
pub(super) fn one_certificate(text: &str) -> Result<Certificate, String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = text.trim();
    let inner = match text.strip_prefix(BEGIN) {
        Some(rest) => rest.strip_suffix(END).ok_or("it has no end")?,
        None => text,
    };
    if inner.contains("-----") {
        return Err("it is not one block BEGIN CERTIFICATE".to_owned());
    }
    let base64: String = inner.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|e| format!("it is no base64 ({e})"))?;
    Certificate::from_der(&der).map_err(|e| e.to_string())
}

/// Rules for what may be uploaded (platform: "Uploaded trust anchor").
fn check_anchor(certificate: &Certificate, now: OffsetDateTime) -> Result<(), String> {
    if certificate.version != 3 {
        return Err(format!("it is of version {}, not 3", certificate.version));
    }
    if !certificate.is_ca() {
        return Err("it has no basicConstraints with CA:TRUE".to_owned());
    }
    if certificate.not_after < now {
        return Err(format!("it expired on {}", iso(certificate.not_after)));
    }
    let key = certificate.public_key.as_ref().map_err(ToString::to_string)?;
    match key.algorithm() {
        KeyAlgorithm::MlDsa(set) => Err(format!("its key is of type {set}, not RSA or EC")),
        _ => key.check_strength().map_err(|e| e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::CryptoError;

    #[test]
    fn what_may_not_be_uploaded() {
        let now = super::super::clock::now();
        let (good, _) = super::super::identity::authority("x", now).unwrap();
        assert_eq!(check_anchor(&good, now), Ok(()));
        let refused = |change: fn(&mut Certificate), part: &str| {
            let mut bad = good.clone();
            change(&mut bad);
            let reason = check_anchor(&bad, now).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        };
        refused(|c| c.version = 1, "version 1");
        refused(|c| c.basic_constraints = None, "CA:TRUE");
        refused(|c| c.not_after = c.not_before, "expired");
        refused(|c| c.public_key = Err(CryptoError::ShortRsa(1024)), "1024 bits");
    }

    #[test]
    fn partial_changes() {
        let now = super::super::clock::now();
        let (ca, _) = super::super::identity::authority("x", now).unwrap();
        let mut trusted = Trusted::new(ca, "a".to_owned());
        apply(&mut trusted, &json!({})).unwrap();
        assert_eq!((trusted.name.as_str(), trusted.enabled), ("a", true));
        apply(&mut trusted, &json!({ "status": "DISABLED", "autoRegistrationEnabled": "true" }))
            .unwrap();
        assert_eq!((trusted.enabled, trusted.auto_registration), (false, true));
        for bad in [
            json!({ "name": 1 }),
            json!({ "status": "enabled" }),
            json!({ "autoRegistrationEnabled": "yes" }),
        ] {
            assert!(apply(&mut trusted, &bad).is_err(), "{bad}");
        }
    }
}
