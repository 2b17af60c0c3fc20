//! Whatever bytes come, nothing panics: whole files, cut files, files with changed bytes.

use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki_core::cert::{Certificate, Serial};
use c8y_pki_core::crl::Crl;
use c8y_pki_core::csr::Request;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::read;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, Compat, Format, OpenOptions, Store, WriteOptions, pkcs7};
use c8y_pki_engine::inspect::{Passwords, inspect};
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

/// Everything that reads such bytes.
fn read_all(bytes: &[u8]) {
    let password = Password::new("x");
    let _ = Certificate::all_from_pem_or_der(bytes);
    let _ = PrivateKey::read(bytes, None);
    let _ = inspect(bytes, Passwords::default());
    let _ = Crl::all_from_pem_or_der(bytes);
    let _ = pkcs7::contents(bytes);
    let _ = read::certificates(bytes, None);
    let _ = read::key(bytes, None);
    for request in Request::all_from_pem_or_der(bytes).into_iter().flatten().flatten() {
        let _ = request.check_possession();
    }
    if bytes.len() < 300 {
        let _ = inspect(bytes, Passwords { password: Some(&password), key: None });
    }
}

const PASSWORD: &str = "store-Secret-1";

/// A key with its chain as PKCS#12 of every kind that is written, and as JKS; one iteration each.
fn stores() -> Vec<Vec<u8>> {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/keys");
    let text = |name: &str| fs::read(keys.join(name)).unwrap();
    let pem = ["ec-p256.key.pem", "ec-p256.cert.pem", "intermediate.cert.pem", "root.cert.pem"];
    let store = store::open(&pem.map(text).concat(), None, None).unwrap();
    let password = Password::new(PASSWORD);
    let written = |format, compat, plain_certificates, pbmac1| {
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let mut options = WriteOptions::new(Some(&password), now);
        options.pkcs12 = store::Pkcs12Options {
            compat,
            encryption_iterations: 1,
            mac_iterations: 1,
            plain_certificates,
            pbmac1,
        };
        store::write(&store, format, &options).unwrap()
    };
    vec![
        written(Format::Pkcs12, Compat::Modern, false, false),
        written(Format::Pkcs12, Compat::Legacy, false, false),
        written(Format::Pkcs12, Compat::Modern, true, false),
        written(Format::Pkcs12, Compat::Modern, true, true),
        written(Format::Jks, Compat::Modern, false, false),
    ]
}

fn open_store(bytes: &[u8]) -> Option<Store> {
    let password = Password::new(PASSWORD);
    let store_password = Some(&password);
    let options = OpenOptions { store_password, key_password: None, allow_unverified: true };
    store::open_with(bytes, options).ok()
}

#[test]
fn stores_cut_anywhere_do_not_open() {
    for sample in stores() {
        assert!(open_store(&sample).is_some());
        for length in 0..sample.len() {
            assert_eq!(open_store(&sample[..length]), None, "{length}");
        }
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
    fn stores_with_changed_octets(
        sample in proptest::sample::select(stores()),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = sample;
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let _ = open_store(&bytes);
        let _ = read::certificates(&bytes, None);
    }

    /// What is made of text in other encodings, and of line ends that are written out.
    #[test]
    fn any_text_around_pem(
        before in any::<String>(),
        between in "(\\\\n|\\\\r|\"|'|,|\\n|-----|A)*",
        wide in any::<bool>(),
    ) {
        let text = format!("{before}-----BEGIN CERTIFICATE-----{between}-----END CERTIFICATE-----");
        read_all(text.as_bytes());
        if wide {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            read_all(&bytes);
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
        let _ = text.parse::<Serial>();
    }

    #[test]
    fn any_profile(text in any::<String>()) {
        let _ = Profile::parse("x.toml", &text);
    }
}
