//! Extensions in words.

use serde::Serialize;
use x509_parser::extensions::{
    DistributionPointName, GeneralName, NameConstraints, ParsedExtension, X509Extension,
};
use x509_parser::prelude::FromDer;

use crate::ber;
use crate::cert::{AltName, Certificate, KeyUsage, oid};
use crate::crypto::hex;
use crate::der;
use crate::name::Name;

/// An extension.
#[derive(Debug, Clone, Serialize)]
pub struct ExtensionView {
    /// Its name in RFC 5280, or the object identifier.
    pub name: String,
    /// Dotted object identifier.
    pub oid: String,
    /// Whether it is critical.
    pub critical: bool,
    /// What it says; the value's DER in hex where we do not know the extension.
    pub value: String,
}

/// The extensions of a certificate in words.
pub(crate) fn views(cert: &Certificate) -> Vec<ExtensionView> {
    let view = |extension: &crate::cert::Extension| ExtensionView {
        name: oid::name_of(&extension.oid).to_owned(),
        oid: extension.oid.clone(),
        critical: extension.critical,
        value: text(cert, extension).unwrap_or_else(|| hex(&extension.value)),
    };
    cert.extensions.iter().map(view).collect()
}

fn text(cert: &Certificate, extension: &crate::cert::Extension) -> Option<String> {
    match extension.oid.as_str() {
        "2.5.29.14" => cert.subject_key_id.as_deref().map(hex),
        "2.5.29.15" => cert.key_usage.map(|usage: KeyUsage| join(usage.names())),
        "2.5.29.19" => cert.basic_constraints.map(|bc| match (bc.ca, bc.path_length) {
            (true, Some(n)) => format!("CA, path length {n}"),
            (true, None) => "CA, path length unlimited".to_owned(),
            (false, _) => "not a CA".to_owned(),
        }),
        "2.5.29.35" => cert.authority_key_id.as_deref().map(hex),
        "2.5.29.37" => {
            cert.extended_key_usage.as_ref().map(|oids| join(oids.iter().map(|o| purpose(o))))
        }
        // Only identifiers that we know: those of others may not even be valid.
        known if oid::name_of(known) != known => {
            parsed(&extension.value, known, extension.critical)
        }
        _ => None,
    }
}

fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

fn purpose(oid: &str) -> &str {
    match oid {
        "1.3.6.1.5.5.7.3.1" => "serverAuth",
        "1.3.6.1.5.5.7.3.2" => "clientAuth",
        "1.3.6.1.5.5.7.3.3" => "codeSigning",
        "1.3.6.1.5.5.7.3.4" => "emailProtection",
        "1.3.6.1.5.5.7.3.8" => "timeStamping",
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning",
        "2.5.29.37.0" => "anyExtendedKeyUsage",
        other => other,
    }
}

/// Extensions that only the parser looks into.
fn parsed(value: &[u8], oid: &str, critical: bool) -> Option<String> {
    // The parser wants the whole Extension; it is put together again from its parts.
    let arcs: Vec<u64> = oid.split('.').filter_map(|arc| arc.parse().ok()).collect();
    let critical: &[u8] = if critical { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    let value = der::element(der::OCTET_STRING, &[value]);
    let der = der::element(der::SEQUENCE, &[&der::oid(&arcs), critical, &value]);
    let (_, extension) = X509Extension::from_der(&der).ok()?;
    match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(san) => Some(names(&san.general_names)),
        ParsedExtension::NameConstraints(constraints) => Some(name_constraints(constraints)),
        ParsedExtension::CRLDistributionPoints(points) => {
            let urls = points.iter().filter_map(|p| match &p.distribution_point {
                Some(DistributionPointName::FullName(full)) => Some(names(full)),
                _ => None,
            });
            Some(urls.collect::<Vec<_>>().join(", "))
        }
        ParsedExtension::AuthorityInfoAccess(access) => {
            let texts = access.accessdescs.iter().map(|d| general_name(&d.access_location));
            Some(texts.collect::<Vec<_>>().join(", "))
        }
        ParsedExtension::CertificatePolicies(policies) => {
            let oids = policies.iter().map(|p| p.policy_id.to_id_string());
            Some(oids.collect::<Vec<_>>().join(", "))
        }
        ParsedExtension::NsCertComment(comment) => Some((*comment).to_owned()),
        _ => None,
    }
}

fn names(names: &[GeneralName<'_>]) -> String {
    names.iter().map(general_name).collect::<Vec<_>>().join(", ")
}

fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(dns) => format!("DNS:{dns}"),
        GeneralName::RFC822Name(mail) => format!("email:{mail}"),
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::IPAddress(bytes) => format!("IP:{}", address(bytes)),
        GeneralName::DirectoryName(dn) => {
            Name::from_der(dn.as_raw()).map_or_else(|e| e.to_string(), |n| format!("DN:{n}"))
        }
        GeneralName::RegisteredID(oid) => format!("OID:{}", oid.to_id_string()),
        GeneralName::OtherName(kind, value) => {
            let hardware = AltName::hardware_module(&kind.to_id_string(), value);
            hardware.unwrap_or_else(|| format!("another form of name ({})", ber::oid_text(kind)))
        }
        _ => "another form of name".to_owned(),
    }
}

/// An address, or an address and its mask as name constraints have it.
fn address(bytes: &[u8]) -> String {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let one = |bytes: &[u8]| -> Option<String> {
        if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
            return Some(Ipv4Addr::from(v4).to_string());
        }
        <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).to_string())
    };
    let (address, mask) = bytes.split_at(bytes.len() / 2);
    match (one(bytes), one(address), one(mask)) {
        (Some(whole), _, _) => whole,
        (None, Some(address), Some(mask)) => format!("{address}/{mask}"),
        _ => hex(bytes),
    }
}

fn name_constraints(constraints: &NameConstraints<'_>) -> String {
    let list = |word: &str, trees: &Option<Vec<x509_parser::extensions::GeneralSubtree<'_>>>| {
        let trees = trees.iter().flatten();
        trees.map(|t| format!("{word} {}", general_name(&t.base))).collect::<Vec<_>>()
    };
    let permitted = list("permitted", &constraints.permitted_subtrees);
    let excluded = list("excluded", &constraints.excluded_subtrees);
    [permitted, excluded].concat().join(", ")
}
