//! Keystores and truststores as text: what `keytool -list -v` tells.

use std::fmt::Write;

use c8y_pki_core::store::Listing;

use super::text::{colons, date, printable};

/// A store: its entries with their certificates.
pub(crate) fn listing(listing: &Listing) -> String {
    let count = listing.entries.len();
    let mut text = format!(
        "{} store, {count} {}\n",
        listing.format,
        if count == 1 { "entry" } else { "entries" }
    );
    for entry in &listing.entries {
        let kind = match entry.entry_type {
            "key" => "private key",
            "trusted" => "trusted certificate",
            "sealed_key" => "private key under another password",
            "secret_key" => "secret key",
            other => other,
        };
        let _ = write!(text, "\nAlias {:?}: {kind}", entry.alias);
        if entry.entry_type == "key" || entry.entry_type == "sealed_key" {
            let _ = write!(text, ", chain of {}", entry.chain_length);
        }
        if let Some(modified) = entry.modified {
            let _ = write!(text, ", {}", date(modified));
        }
        text.push('\n');
        if entry.java_trusted == Some(false) {
            text.push_str(
                "  Java does not see this entry: it lacks the attribute that marks it trusted\n",
            );
        }
        for (index, cert) in entry.certificates.iter().enumerate() {
            let _ = writeln!(text, "  [{index}] {}", printable(&cert.subject));
            let _ = writeln!(text, "      issuer   {}", printable(&cert.issuer));
            let _ = writeln!(text, "      serial   {}", cert.serial);
            let _ = writeln!(
                text,
                "      valid    {} to {}",
                date(cert.not_before),
                date(cert.not_after)
            );
            let _ = writeln!(text, "      key      {}", printable(&cert.key_algorithm));
            let _ = writeln!(text, "      SHA-1    {}", colons(&cert.sha1));
            let _ = writeln!(text, "      SHA-256  {}", colons(&cert.sha256));
        }
    }
    text
}
