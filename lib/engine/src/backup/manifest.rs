//! What a backup holds.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The file in a backup that says what it holds.
pub(super) const MANIFEST: &str = "manifest.json";

/// The registry in a backup.
pub(super) const REGISTRY: &str = "registry.sqlite";

/// Which form the manifest has.
pub(super) const FORMAT: &str = "c8y-pki backup 1";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form, `c8y-pki backup 1`.
    pub format: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub made: OffsetDateTime,
    /// The version of the program that made it.
    pub version: String,
    /// Whether the keys of CAs are in it.
    pub with_keys: bool,
    /// What its registry has.
    pub registry: Recorded,
    /// Its files besides the manifest, by name.
    pub files: Vec<Entry>,
}

/// What a registry has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Certificates.
    pub certificates: u64,
    /// Rows of the audit log.
    pub audit_rows: u64,
    /// The last hash of the audit log.
    pub head: String,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path in the PKI directory, with `/`.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its contents, in hex.
    pub sha256: String,
}

/// Whether a name is that of a file inside of a directory: nothing that leads out of it.
pub(super) fn is_inside(name: &str) -> bool {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    plain && !name.is_empty() && !name.contains('\\') && !name.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_none() {
        for good in ["pki.toml", "ca/root/cert.pem", "profiles/a.toml"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "ca/../../x", "./x", "ca/", "a\\b"] {
            assert!(!is_inside(bad), "{bad}");
        }
    }
}
