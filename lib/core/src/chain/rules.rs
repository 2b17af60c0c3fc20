//! What one certificate must look like, whatever path it is on.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::name_constraints;
use super::options::{Options, Purpose};
use super::rule::Rule;
use crate::cert::{Certificate, Extension, oid};

/// Longest serial number, in bytes (RFC 5280, 4.1.2.2).
const MAX_SERIAL_BYTES: usize = 20;

/// Extensions whose demands are met here, so that they may be critical.
const PROCESSED: [&str; 9] = [
    oid::KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::POLICY_MAPPINGS,
    oid::POLICY_CONSTRAINTS,
    oid::EXTENDED_KEY_USAGE,
    oid::INHIBIT_ANY_POLICY,
];

/// Extensions that a CA must not mark as critical (RFC 5280, 4.2.1.1, 4.2.1.2, 4.2.1.8, 4.2.1.15,
/// 4.2.2.1 and 4.2.2.2).
const NEVER_CRITICAL: [&str; 6] = [
    oid::SUBJECT_KEY_ID,
    oid::AUTHORITY_KEY_ID,
    "2.5.29.9",
    "2.5.29.46",
    "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.5.5.7.1.11",
];

/// Extensions that a CA must mark as critical (RFC 5280, 4.2.1.10, 4.2.1.11 and 4.2.1.14).
const ALWAYS_CRITICAL: [&str; 3] =
    [oid::NAME_CONSTRAINTS, oid::POLICY_CONSTRAINTS, oid::INHIBIT_ANY_POLICY];

/// anyExtendedKeyUsage.
const ANY_PURPOSE: &str = "2.5.29.37.0";

/// The part that a certificate plays in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    /// It has issued another certificate of the path.
    pub(super) issuer: bool,
    /// It is trusted as it stands.
    pub(super) anchor: bool,
}

/// Holds one certificate to every rule that needs no other certificate. Duties of issuers that it
/// breaks come back, unless they are to be enforced.
pub(super) fn check(cert: &Certificate, role: Role, options: &Options) -> Result<Vec<Rule>, Rule> {
    check_enforced(cert, role, options.purpose)?;
    let duties = broken_duties(cert, role);
    if options.strict
        && let Some(duty) = duties.iter().find(|duty| !duty.is_advice())
    {
        return Err(duty.clone());
    }
    check_validity(cert, options.at)?;
    Ok(duties)
}

/// Every rule but those of the dates that servers enforce.
fn check_enforced(cert: &Certificate, role: Role, purpose: Purpose) -> Result<(), Rule> {
    check_fields(cert, role)?;
    check_extensions(cert)?;
    if role.issuer {
        check_issuer(cert)?;
    }
    check_ca_fields(cert)?;
    check_names(cert)?;
    if !role.issuer {
        check_leaf_usage(cert, purpose)?;
    }
    check_purpose(cert, purpose)
}

/// The duties of issuers that a certificate breaks.
fn broken_duties(cert: &Certificate, role: Role) -> Vec<Rule> {
    let mut broken = Vec::new();
    broken.extend(check_serial(cert, role).err());
    if cert.version != 3 {
        // Key identifiers are extensions: it cannot have them.
        broken.push(Rule::Version(cert.version));
        return broken;
    }
    if let (false, Some(parameters)) = (role.anchor, cert.odd_signature_parameters) {
        broken.push(Rule::SignatureParameters(parameters));
    }
    let lax = |id: &&str| cert.extension(id).is_some_and(|e| !e.critical);
    let not_critical = ALWAYS_CRITICAL.into_iter().filter(lax);
    broken.extend(not_critical.map(|id| Rule::NotCriticalExtension(id.to_owned())));
    if cert.is_ca() && lax(&oid::BASIC_CONSTRAINTS) {
        broken.push(Rule::NotCriticalExtension(oid::BASIC_CONSTRAINTS.to_owned()));
    }
    broken.extend(check_key_ids(cert, role).err());
    if !cert.is_ca() {
        broken.extend(check_without_ca(cert));
    }
    if cert.is_ca() && lax(&oid::KEY_USAGE) {
        broken.push(Rule::KeyUsageNotCritical);
    }
    broken
}

fn check_serial(cert: &Certificate, role: Role) -> Result<(), Rule> {
    let serial = cert.serial.bytes();
    let problem = if serial.len() > MAX_SERIAL_BYTES {
        "longer than 20 bytes"
    } else if serial.first().is_some_and(|b| b & 0x80 != 0) {
        "negative"
    } else if serial.iter().all(|b| *b == 0) && !(role.anchor && role.issuer) {
        // Many roots in use have it, and RFC 5280, 4.1.2.2 asks to be graceful about it.
        "not positive"
    } else {
        return Ok(());
    };
    Err(Rule::SerialNumber { serial: cert.serial.to_string(), problem })
}

fn check_fields(cert: &Certificate, role: Role) -> Result<(), Rule> {
    if cert.version != 3 && !cert.extensions.is_empty() {
        return Err(Rule::ExtensionsInVersion(cert.version));
    }
    if cert.issuer.is_empty() {
        return Err(Rule::EmptyIssuer);
    }
    if !cert.algorithms_agree {
        return Err(Rule::AlgorithmsDiffer);
    }
    // Nobody checks the signature of an anchor.
    if let (false, Err(e)) = (role.anchor, &cert.signature_algorithm) {
        return Err(Rule::SignatureAlgorithm(e.clone()));
    }
    let key = cert.public_key.as_ref().map_err(|e| Rule::PublicKey(e.clone()))?;
    key.check_strength().map_err(Rule::PublicKey)
}

fn check_extensions(cert: &Certificate) -> Result<(), Rule> {
    let mut seen = HashSet::new();
    for extension in &cert.extensions {
        let id = || extension.oid.clone();
        if !seen.insert(&extension.oid) {
            return Err(Rule::DuplicateExtension(id()));
        }
        let listed = |list: &[&str]| list.contains(&extension.oid.as_str());
        if extension.critical {
            if listed(&NEVER_CRITICAL) {
                return Err(Rule::CriticalExtension(id()));
            }
            if !listed(&PROCESSED) {
                return Err(Rule::UnknownCriticalExtension(id()));
            }
        }
        if !extension.well_formed && is_standard(extension) {
            return Err(Rule::MalformedExtension(id()));
        }
    }
    check_readable(cert)
}

/// Extensions of RFC 5280 must be well-formed even when they play no part here; others are none of
/// our business.
fn is_standard(extension: &Extension) -> bool {
    extension.oid.starts_with("2.5.29.") || extension.oid.starts_with("1.3.6.1.5.5.7.1.")
}

/// What the certificate's reader passed over in silence must not count as absent.
fn check_readable(cert: &Certificate) -> Result<(), Rule> {
    let silent = [
        (oid::BASIC_CONSTRAINTS, cert.basic_constraints.is_none()),
        (oid::KEY_USAGE, cert.key_usage.is_none()),
        (oid::EXTENDED_KEY_USAGE, cert.extended_key_usage.as_ref().is_none_or(Vec::is_empty)),
        (oid::SUBJECT_KEY_ID, cert.subject_key_id.is_none()),
    ];
    for (id, unread) in silent {
        if unread && cert.extension(id).is_some() {
            return Err(Rule::MalformedExtension(id.to_owned()));
        }
    }
    let malformed = |e: crate::cert::MalformedExtension| Rule::MalformedExtension(e.oid.to_owned());
    cert.name_constraints().map_err(malformed)?;
    cert.policy_constraints().map_err(malformed)?;
    cert.policy_mappings().map_err(malformed)?;
    cert.inhibit_any_policy().map_err(malformed)?;
    cert.certificate_policies().map_err(malformed)?;
    cert.subject_alt_names().map_err(malformed)?;
    Ok(())
}

fn check_key_ids(cert: &Certificate, role: Role) -> Result<(), Rule> {
    if cert.is_ca() && cert.subject_key_id.is_none() {
        return Err(Rule::SubjectKeyIdMissing);
    }
    // RFC 5280, 4.2.1.1 spares self-signed certificates; only an anchor ever is one in a path.
    if cert.authority_key_id.is_none() && !(role.anchor && cert.is_self_issued()) {
        return Err(Rule::AuthorityKeyIdMissing);
    }
    Ok(())
}

fn check_ca_fields(cert: &Certificate) -> Result<(), Rule> {
    match cert.is_ca() && cert.subject.is_empty() {
        true => Err(Rule::EmptySubject("but a CA needs one")),
        false => Ok(()),
    }
}

/// What only a CA may have (RFC 5280, 4.2.1.9 and 4.2.1.10). A server takes it in a device's certificate, where it
/// gives no right.
fn check_without_ca(cert: &Certificate) -> Vec<Rule> {
    let signs = cert.key_usage.is_some_and(|usage| usage.has("keyCertSign"));
    let has_length = cert.basic_constraints.is_some_and(|bc| bc.path_length.is_some());
    let limits_names = cert.extension(oid::NAME_CONSTRAINTS).is_some();
    let found = [
        (signs, Rule::KeyCertSignWithoutCa),
        (has_length, Rule::PathLengthWithoutCa),
        (limits_names, Rule::NameConstraintsWithoutCa),
    ];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, rule)| rule).collect()
}

/// The names of a certificate and those of its name constraints (RFC 5280, 4.2.1.6 and 4.2.1.10).
fn check_names(cert: &Certificate) -> Result<(), Rule> {
    let names = cert.subject_alt_names().ok().flatten();
    if cert.subject.is_empty() {
        let critical = cert.extension(oid::SUBJECT_ALT_NAME).is_some_and(|e| e.critical);
        if !critical {
            return Err(Rule::EmptySubject("without a critical subjectAltName in its place"));
        }
    }
    for name in names.iter().flatten() {
        if !name_constraints::is_well_formed_name(name) {
            let text = name_constraints::text(name);
            return Err(Rule::MalformedName { form: name.form(), name: text });
        }
    }
    let constraints = cert.name_constraints().ok().flatten();
    let mut subtrees = constraints.iter().flat_map(|c| c.permitted.iter().chain(&c.excluded));
    if subtrees.all(name_constraints::is_well_formed_constraint) {
        Ok(())
    } else {
        Err(Rule::MalformedExtension(oid::NAME_CONSTRAINTS.to_owned()))
    }
}

fn check_issuer(cert: &Certificate) -> Result<(), Rule> {
    match cert.basic_constraints {
        None => return Err(Rule::NotCa("it has no basic constraints")),
        Some(bc) if !bc.ca => return Err(Rule::NotCa("its basic constraints say CA:FALSE")),
        Some(_) => {}
    }
    match cert.key_usage {
        Some(usage) if !usage.has("keyCertSign") => Err(Rule::KeyCertSignMissing),
        _ => Ok(()),
    }
}

fn check_leaf_usage(cert: &Certificate, purpose: Purpose) -> Result<(), Rule> {
    let Some(usage) = cert.key_usage else { return Ok(()) };
    let fits = usage.has("digitalSignature") || usage.has("keyAgreement");
    // A server may also only decrypt the key that a TLS 1.2 client sends it.
    let decrypts = purpose == Purpose::ServerAuth && usage.has("keyEncipherment");
    if fits || decrypts || purpose == Purpose::Any || cert.is_ca() {
        return Ok(());
    }
    let found: Vec<_> = usage.names().collect();
    let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    Err(Rule::KeyUsage { found })
}

fn check_purpose(cert: &Certificate, purpose: Purpose) -> Result<(), Rule> {
    let (Some(found), Some((wanted, id))) = (&cert.extended_key_usage, purpose.wanted()) else {
        return Ok(());
    };
    if found.iter().any(|o| o == id || o == ANY_PURPOSE) {
        return Ok(());
    }
    Err(Rule::ExtendedKeyUsage { wanted, found: found.join(", ") })
}

/// Both ends are inclusive, and so is the whole second of each (RFC 5280, 4.1.2.5).
fn check_validity(cert: &Certificate, at: OffsetDateTime) -> Result<(), Rule> {
    if at < cert.not_before {
        return Err(Rule::NotYetValid { not_before: cert.not_before, at });
    }
    if at > cert.not_after {
        return Err(Rule::Expired { not_after: cert.not_after, at });
    }
    Ok(())
}
