//! Whatever octets come, nothing panics: whole files, cut files, files with changed octets.

use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki::cert::Certificate;
use c8y_pki::crl::Crl;
use c8y_pki::csr::Request;
use c8y_pki::describe::{Passwords, describe};
use c8y_pki::key::PrivateKey;
use c8y_pki::profile::Profile;
use c8y_pki::registry::parse_serial;
use c8y_pki::secret::Password;
use c8y_pki::store::pkcs7;
use proptest::prelude::*;

/// Real files of every kind: keys, certificates, requests, stores.
fn samples() -> Vec<Vec<u8>> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/openssl-recipe"), &mut files);
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/keys"), &mut files);
    files.sort();
    let samples: Vec<Vec<u8>> = files
        .iter()
        .map(|path| fs::read(path).unwrap())
        // Encrypted files cost a key derivation each; a few of them are in the tests of `store`.
        .filter(|bytes| !bytes.windows(9).any(|w| w == b"ENCRYPTED") && bytes.len() < 20_000)
        .collect();
    assert!(samples.len() > 20, "only {} files", samples.len());
    samples
}

/// Everything that reads such octets.
fn read_all(bytes: &[u8]) {
    let password = Password::new("x");
    let _ = Certificate::all_from_pem_or_der(bytes);
    let _ = PrivateKey::read(bytes, None);
    let _ = describe(bytes, Passwords::default());
    let _ = Crl::all_from_pem_or_der(bytes);
    let _ = pkcs7::contents(bytes);
    for request in Request::all_from_pem_or_der(bytes).into_iter().flatten().flatten() {
        let _ = request.check_possession();
    }
    if bytes.len() < 300 {
        let _ = describe(bytes, Passwords { password: Some(&password), key: None });
    }
}

#[test]
fn files_cut_anywhere() {
    for sample in samples() {
        let step = (sample.len() / 97).max(1);
        for length in (0..sample.len()).step_by(step) {
            read_all(&sample[..length]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn files_with_changed_octets(
        sample in proptest::sample::select(samples()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = sample;
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        read_all(&bytes);
        // The same below the armour, where a change reaches the DER.
        for block in pem::parse_many(&bytes).unwrap_or_default() {
            read_all(block.contents());
        }
    }

    #[test]
    fn changed_der(
        sample in proptest::sample::select(samples()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for block in pem::parse_many(&sample).unwrap_or_default() {
            let mut bytes = block.contents().to_vec();
            for (index, value) in &changes {
                let at = index.index(bytes.len());
                bytes[at] = *value;
            }
            read_all(&bytes);
        }
    }

    #[test]
    fn any_octets(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn any_serial_number(text in any::<String>()) {
        let _ = parse_serial(&text);
    }

    #[test]
    fn any_profile(text in any::<String>()) {
        let _ = Profile::parse("x.toml", &text);
    }
}
