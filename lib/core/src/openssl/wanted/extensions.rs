//! Sections of extensions (x509v3_config(5)): which of them a profile can say.

use super::super::conf::{Entry, Section};
use super::Notes;
use crate::cert::KeyUsage;

/// Names of extended key usages that a profile has only as numbers (RFC 5280, 4.2.1.12; OpenSSL, objects.txt).
const USAGES: [(&str, &str); 7] = [
    ("clientAuth", "clientAuth"),
    ("serverAuth", "serverAuth"),
    ("anyExtendedKeyUsage", "anyExtendedKeyUsage"),
    ("codeSigning", "1.3.6.1.5.5.7.3.3"),
    ("emailProtection", "1.3.6.1.5.5.7.3.4"),
    ("timeStamping", "1.3.6.1.5.5.7.3.8"),
    ("OCSPSigning", "1.3.6.1.5.5.7.3.9"),
];

/// What a section says of a certificate.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) is_ca: bool,
    pub(super) path_length: Option<u32>,
    pub(super) key_usage: Vec<String>,
    pub(super) extended: Vec<String>,
}

/// Whether a section is one of a certificate's extensions, as far as its names tell.
pub(super) fn is_of_certificates(section: &Section) -> bool {
    let has = |name: &str| section.get(name).is_some();
    (has("basicConstraints") || has("keyUsage")) && !has("proxyCertInfo")
}

/// Reads a section; none if no profile can say what it says.
pub(super) fn read(section: &Section, notes: &mut Notes) -> Option<Read> {
    let mut read = Read::default();
    let mut fits = true;
    for entry in &section.entries {
        match entry.name.as_str() {
            "basicConstraints" => fits &= constraints(entry, &mut read, notes),
            "keyUsage" => usage(entry, &mut read, notes),
            "extendedKeyUsage" => extended(entry, &mut read, notes),
            "subjectKeyIdentifier" if entry.value == "hash" => {}
            "subjectKeyIdentifier" => notes.add(
                entry.line,
                format!("subjectKeyIdentifier = {}: it is always the hash of the key", entry.value),
            ),
            "authorityKeyIdentifier" => {
                if entry.value.contains("issuer:always") {
                    let what = "authorityKeyIdentifier has the issuer's key identifier here, not its name \
                                (issuer:always)";
                    notes.add(entry.line, what);
                }
            }
            name => notes.add(entry.line, other(name, &entry.value)),
        }
    }
    if read.key_usage.is_empty() {
        let usual: &[&str] =
            if read.is_ca { &["keyCertSign", "cRLSign"] } else { &["digitalSignature"] };
        read.key_usage = usual.iter().map(|name| (*name).to_owned()).collect();
        notes.add(
            section.line,
            format!("[{}] has no keyUsage: the profile has {}", section.name, usual.join(", ")),
        );
    }
    fits.then_some(read)
}

/// What is said of an extension that is not imported.
fn other(name: &str, value: &str) -> String {
    let key = match name {
        "subjectAltName" => "subject_alt_name",
        "crlDistributionPoints" => "crl_distribution_points",
        "authorityInfoAccess" => "ocsp or ca_issuers",
        name if crate::der::dotted_oid(name).is_some() => "[[extension]]",
        _ => return format!("profiles have no {name} (= {value})"),
    };
    format!("{name} (= {value}) is not imported: write {key} into the profile if you need it")
}

/// The parts of a value, and whether it is to be critical.
fn parts(entry: &Entry) -> (Vec<&str>, bool) {
    let all: Vec<&str> =
        entry.value.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let critical = all.first() == Some(&"critical");
    (all.into_iter().skip(usize::from(critical)).collect(), critical)
}

fn constraints(entry: &Entry, read: &mut Read, notes: &mut Notes) -> bool {
    let (parts, critical) = parts(entry);
    for part in parts {
        let (name, value) = part.split_once(':').unwrap_or((part, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "ca" => {
                read.is_ca =
                    matches!(value.trim().to_ascii_lowercase().as_str(), "true" | "yes" | "y")
            }
            "pathlen" => match value.trim().parse::<u8>() {
                Ok(length) => read.path_length = Some(length.into()),
                Err(_) => {
                    notes.add(entry.line, format!("pathlen:{value} is no number from 0 to 255"));
                    return false;
                }
            },
            _ => {
                notes.add(
                    entry.line,
                    format!("basicConstraints = {}: it cannot be read", entry.value),
                );
                return false;
            }
        }
    }
    if !critical {
        notes.add(entry.line, "basicConstraints is marked as critical here (RFC 5280, 4.2.1.9)");
    }
    true
}

fn usage(entry: &Entry, read: &mut Read, notes: &mut Notes) {
    let (parts, critical) = parts(entry);
    for part in parts {
        match KeyUsage::NAMES.iter().find(|name| **name == part) {
            Some(name) => read.key_usage.push((*name).to_owned()),
            None => notes.add(entry.line, format!("keyUsage has no {part:?}")),
        }
    }
    if !critical {
        notes.add(entry.line, "keyUsage is marked as critical here (RFC 5280, 4.2.1.3)");
    }
}

fn extended(entry: &Entry, read: &mut Read, notes: &mut Notes) {
    let (parts, critical) = parts(entry);
    for part in parts {
        let known = USAGES.iter().find(|(name, _)| *name == part).map(|(_, ours)| *ours);
        match known.or_else(|| crate::profile::extended_key_usage_oid(part).map(|_| part)) {
            Some(usage) => read.extended.push(usage.to_owned()),
            None => notes.add(entry.line, format!("extendedKeyUsage {part:?} cannot be imported")),
        }
    }
    if critical {
        notes.add(entry.line, "extendedKeyUsage is not marked as critical here");
    }
}
