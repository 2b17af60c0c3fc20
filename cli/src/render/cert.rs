//! Certificates, requests, CRLs and keys as text: like `openssl x509 -text`, but to be read.

use std::fmt::Write;

use c8y_pki_engine::inspect::{CertificateView, CrlView, Item, KeyOrFault, KeyView, RequestView};

use super::store::listing;
use super::text::{colons, date, printable, until};

/// All items of a file, an empty line between them.
pub(crate) fn items(items: &[Item]) -> String {
    items.iter().map(item).collect::<Vec<_>>().join("\n")
}

fn item(item: &Item) -> String {
    match item {
        Item::Certificate(view) => certificate(view),
        Item::Request(view) => request(view),
        Item::Crl(view) => crl(view),
        Item::PrivateKey(view) => key("Private key (its public half)", view),
        Item::PublicKey(view) => key("Public key", view),
        Item::EncryptedPrivateKey => {
            "Encrypted private key\n  give its password to see its public half\n".to_owned()
        }
        Item::Store(view) => listing(view),
        Item::Other { label, bytes } => {
            format!("{}\n  {bytes} bytes, not read\n", printable(label))
        }
        _ => String::new(),
    }
}

fn line(text: &mut String, label: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "  {label:<14}{}", printable(&value.to_string()));
}

fn certificate(view: &CertificateView) -> String {
    let mut text = String::from(if view.ca { "CA certificate\n" } else { "Certificate\n" });
    line(&mut text, "Subject", &view.subject);
    let issuer = if view.issuer == view.subject { " (self-signed)" } else { "" };
    line(&mut text, "Issuer", format!("{}{issuer}", view.issuer));
    line(&mut text, "Serial", &view.serial);
    line(&mut text, "Not before", date(view.not_before));
    line(&mut text, "Not after", format!("{}, {}", date(view.not_after), until(view.not_after)));
    key_line(&mut text, &view.public_key);
    line(&mut text, "Signature", &view.signature_algorithm);
    if view.version != 3 {
        line(&mut text, "Version", view.version);
    }
    for extension in &view.extensions {
        let critical = if extension.critical { " (critical)" } else { "" };
        let value = printable(&extension.value);
        let _ = writeln!(text, "  {}{critical}: {value}", extension.name);
    }
    line(&mut text, "SHA-1", colons(&view.fingerprint_sha1));
    line(&mut text, "SHA-256", colons(&view.fingerprint_sha256));
    text
}

fn key_line(text: &mut String, key: &KeyOrFault) {
    match key {
        KeyOrFault::Key(key) => line(text, "Public key", &key.algorithm),
        KeyOrFault::Fault { fault } => line(text, "Public key", fault),
    }
}

fn key(title: &str, view: &KeyView) -> String {
    let mut text = format!("{title}\n");
    line(&mut text, "Algorithm", &view.algorithm);
    line(&mut text, "Key id", &view.key_id);
    line(&mut text, "SPKI SHA-256", &view.spki_sha256);
    text
}

/// Names of one subject, of which readers take different ones.
fn several(names: &[String]) -> String {
    format!("{}: {}; some readers take the first, others the last", names.len(), names.join(", "))
}

fn request(view: &RequestView) -> String {
    let mut text = String::from("Certificate request\n");
    line(&mut text, "Subject", &view.subject);
    key_line(&mut text, &view.public_key);
    line(&mut text, "Signature", &view.signature_algorithm);
    if !view.common_names.is_empty() {
        line(&mut text, "Common names", several(&view.common_names));
    }
    if !view.asked_names.is_empty() {
        line(&mut text, "Asks for", view.asked_names.join(", "));
    }
    if let Some(problem) = &view.asked_names_problem {
        line(&mut text, "Asks for", format!("not known: {problem}"));
    }
    match &view.possession_unknown {
        Some(why) => line(&mut text, "Possession", format!("not known: {why}")),
        None if view.possession => line(&mut text, "Possession", "proven"),
        None => line(&mut text, "Possession", "NOT proven: the signature is wrong"),
    }
    text
}

fn crl(view: &CrlView) -> String {
    let mut text = String::from("Certificate revocation list\n");
    line(&mut text, "Issuer", &view.issuer);
    line(&mut text, "Number", view.number.as_deref().unwrap_or("none"));
    line(&mut text, "This update", date(view.this_update));
    let next = view
        .next_update
        .map_or_else(|| "not given".to_owned(), |next| format!("{}, {}", date(next), until(next)));
    line(&mut text, "Next update", next);
    line(&mut text, "Signature", &view.signature_algorithm);
    if let Some(part) = view.part {
        line(&mut text, "Part", format!("it {part}"));
    }
    line(&mut text, "Revoked", view.revoked.len());
    for revoked in &view.revoked {
        let of = revoked.issuer.as_ref().map(|issuer| format!("  of {issuer}")).unwrap_or_default();
        let _ =
            writeln!(text, "  {}  {}  {}{of}", revoked.serial, date(revoked.at), revoked.reason);
    }
    text
}
