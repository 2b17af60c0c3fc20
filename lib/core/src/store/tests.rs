use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::cert::Certificate;
use crate::crypto::KeyType;
use crate::key::PrivateKey;

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!("../../testdata/", $name, ".pem"))
    };
}

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05.678 UTC);

fn password() -> Password {
    Password::new("store-Secret-1")
}

fn certificate(pem: &str) -> Certificate {
    Certificate::all_from_pem_or_der(pem.as_bytes()).unwrap().remove(0)
}

fn chain(leaf: &str) -> Vec<Certificate> {
    let [issuer, root] = [key_file!("intermediate.cert"), key_file!("root.cert")];
    vec![certificate(leaf), certificate(issuer), certificate(root)]
}

fn key(pem_text: &str) -> PrivateKey {
    PrivateKey::read(pem_text.as_bytes(), None).unwrap()
}

/// A key of type Ed25519 and one of P-256, which both backends know, and a trusted certificate.
pub(super) fn sample() -> Store {
    let mut store = Store::new();
    for (alias, pem, leaf) in [
        (DEVICE_KEY_ALIAS, key_file!("ed25519.key"), key_file!("ed25519.cert")),
        ("Zweiter Schlüssel", key_file!("ec-p256.key"), key_file!("ec-p256.cert")),
    ] {
        store.add_key(alias, &key(pem), chain(leaf)).unwrap();
    }
    let server = certificate(key_file!("root.cert"));
    store.add_trusted(SERVER_CERTIFICATE_ALIAS, server).unwrap();
    store
}

/// As [`write`], cheap and the same each time.
pub(super) fn written(store: &Store, format: Format, compat: Compat) -> Vec<u8> {
    let password = password();
    let mut options = WriteOptions::new(Some(&password), NOW);
    options.pkcs12 = Pkcs12Options {
        compat,
        encryption_iterations: 2,
        mac_iterations: 3,
        plain_certificates: false,
        pbmac1: false,
    };
    write(store, format, &options).unwrap()
}

#[test]
fn a_store_comes_back_as_it_was_written() {
    for (format, compat) in [
        (Format::Pkcs12, Compat::Modern),
        (Format::Pkcs12, Compat::Legacy),
        (Format::Jks, Compat::Modern),
    ] {
        let bytes = written(&sample(), format, compat);
        assert_eq!(detect(&bytes), Ok(format));
        let again = open(&bytes, Some(&password()), None).unwrap();
        assert_eq!(again.entries.len(), 3, "{format}");
        for entry in &sample().entries {
            let found = again.entry(&entry.alias).unwrap();
            assert_eq!(found.kind, entry.kind, "{format} {}", entry.alias);
            assert_eq!(found.modified, (format == Format::Jks).then_some(NOW));
        }
    }
}

#[test]
fn every_key_type_finds_its_certificate() {
    for (name, pem, leaf) in [
        ("rsa-2048", key_file!("rsa-2048.key"), key_file!("rsa-2048.cert")),
        ("ec-p256", key_file!("ec-p256.key"), key_file!("ec-p256.cert")),
        ("ec-p384", key_file!("ec-p384.key"), key_file!("ec-p384.cert")),
        ("ec-p521", key_file!("ec-p521.key"), key_file!("ec-p521.cert")),
        ("ed25519", key_file!("ed25519.key"), key_file!("ed25519.cert")),
    ] {
        if name == "ec-p521" && KeyType::EcP521.check_available().is_err() {
            continue;
        }
        let mut store = Store::new();
        store.add_key(name, &key(pem), chain(leaf)).unwrap();
        let bytes = written(&store, Format::Pkcs12, Compat::Modern);
        let again = open(&bytes, Some(&password()), None).unwrap();
        assert_eq!(again, store, "{name}");
    }
}

#[test]
fn a_text_comes_back_as_it_was_written() {
    let mut store = sample();
    store.entries.truncate(1);
    let options = WriteOptions::new(None, NOW);
    let text = write(&store, Format::Pem, &options).unwrap();
    assert_eq!(open(&text, None, None).unwrap(), store);
    let refused = write(&sample(), Format::Pem, &options);
    assert!(matches!(refused, Err(StoreError::CannotHold { format: Format::Pem, .. })));
    let encrypted =
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    // Encrypted keys are read; this one is none.
    assert!(matches!(open(encrypted, None, None), Err(StoreError::Key { .. })));
}

#[test]
fn aliases_are_unique_whatever_their_case() {
    let mut store = sample();
    let server = certificate(key_file!("root.cert"));
    let mut refused = |alias: &str| store.add_trusted(alias, server.clone()).unwrap_err();
    assert_eq!(
        refused("DeviceKeyEntry"),
        StoreError::DuplicateAlias {
            alias: "DeviceKeyEntry".into(),
            taken: "devicekeyentry".into()
        }
    );
    for alias in ["", "a\nb", "😀", &"x".repeat(256)] {
        assert!(matches!(refused(alias), StoreError::Alias { .. }), "{alias:?}");
    }
}

#[test]
fn a_key_comes_with_its_own_whole_chain() {
    let chain = chain(key_file!("ed25519.cert"));
    let own = key(key_file!("ed25519.key"));
    let mut store = Store::new();
    let mut add = |chain: &[Certificate]| store.add_key("k", &own, chain.to_vec());
    assert_eq!(add(&[]), Err(StoreError::EmptyChain { alias: "k".into() }));
    assert!(matches!(add(&chain[1..]), Err(StoreError::KeyMismatch { .. })));
    let gap = [chain[0].clone(), chain[2].clone()];
    assert!(matches!(add(&gap), Err(StoreError::BrokenChain { .. })));
    assert_eq!(add(&chain[..1]), Ok(()));
    // A key of the same type that is somebody else's.
    let foreign = PrivateKey::generate(KeyType::Ed25519).unwrap();
    let refused = store.add_key("l", &foreign, chain);
    assert!(matches!(refused, Err(StoreError::KeyMismatch { .. })));
    assert_eq!(store.entries.len(), 1);
}

#[test]
fn what_java_cannot_open_is_not_written() {
    let store = sample();
    for format in [Format::Pkcs12, Format::Jks] {
        let write_with = |text: &str| {
            let password = Password::new(text);
            write(&store, format, &WriteOptions::new(Some(&password), NOW))
        };
        assert_eq!(write_with("pässword"), Err(StoreError::PasswordCharset { format }));
        assert_eq!(write_with(""), Err(StoreError::PasswordNeeded { format }));
        let none = write(&store, format, &WriteOptions::new(None, NOW));
        assert_eq!(none, Err(StoreError::PasswordNeeded { format }));
    }
    let (store_password, key_password) = (password(), Password::new("another"));
    let mut options = WriteOptions::new(Some(&store_password), NOW);
    options.key_password = Some(&key_password);
    let refused = write(&store, Format::Pkcs12, &options);
    assert_eq!(refused, Err(StoreError::SeparateKeyPassword));
    options.key_password = None;
    options.pkcs12.mac_iterations = MAX_ITERATIONS + 1;
    let refused = write(&store, Format::Pkcs12, &options);
    assert!(matches!(refused, Err(StoreError::Iterations { .. })));
}

#[test]
fn errors_name_neither_passwords_nor_keys() {
    let options = format!("{:?}", WriteOptions::new(Some(&password()), NOW));
    assert!(!options.contains("Secret"), "{options}");
    assert!(!format!("{:?}", sample()).contains("ED, "), "no bytes of a key");
    let json = serde_json::to_string(&Listing::new(Format::Jks, &sample())).unwrap();
    assert!(json.contains("\"entry_type\":\"key\"") && !json.contains("pkcs8"), "{json}");
}

#[test]
fn a_listing_tells_what_keytool_tells() {
    let listing = Listing::new(Format::Pkcs12, &sample());
    let entry = &listing.entries[0];
    assert_eq!((entry.entry_type, entry.chain_length), ("key", 3));
    let leaf = &entry.certificates[0];
    assert_eq!(leaf.subject, "CN=device-ed25519,O=Example");
    assert_eq!(leaf.key_algorithm, "Ed25519");
    assert_eq!((leaf.sha1.len(), leaf.sha256.len()), (40, 64));
    assert_eq!(listing.entries[2].java_trusted, Some(true));
}

#[test]
fn octets_that_are_no_store_are_told_apart() {
    let opened = |bytes: &[u8]| open(bytes, Some(&password()), None).unwrap_err();
    assert_eq!(opened(b""), StoreError::Empty);
    assert_eq!(opened(&[0xce, 0xce, 0xce, 0xce, 0, 0]), StoreError::Jceks);
    let archive = StoreError::Unrecognised { looks: "a ZIP archive" };
    assert_eq!(opened(b"PK\x03\x04"), archive);
    // Nothing of a file with a password gets into a message, even if it starts like DER.
    for file in [&b"secret-0\n"[..], b"0secret\n", b"0", "0\u{fc}".as_bytes()] {
        assert_eq!(opened(file), StoreError::Unrecognised { looks: "text" });
    }
    assert_eq!(opened(&[0xff, 1]), StoreError::Unrecognised { looks: "binary data" });
}

#[test]
fn absurd_iteration_counts_are_refused_before_they_are_spent() {
    let mut bytes = written(&sample(), Format::Pkcs12, Compat::Modern);
    let end = bytes.len();
    // The last bytes are the MAC's iterations: INTEGER 3.
    assert_eq!(bytes[end - 3..], [2, 1, 3]);
    bytes[end - 1] = 0;
    let error = open(&bytes, Some(&password()), None).unwrap_err();
    assert!(matches!(error, StoreError::Iterations { found: 0, .. }), "{error}");
}

#[test]
fn a_store_cut_anywhere_never_opens() {
    for format in [Format::Pkcs12, Format::Jks] {
        let bytes = written(&sample(), format, Compat::Modern);
        for length in 0..bytes.len() {
            let opened = open(&bytes[..length], Some(&password()), None);
            match opened {
                Err(StoreError::Truncated { .. }) => {}
                Err(StoreError::Empty | StoreError::Unrecognised { .. }) if length < 4 => {}
                other => panic!("{format} {length}: {other:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_octet_never_changes_what_is_read(
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        for format in [Format::Pkcs12, Format::Jks] {
            let mut bytes = written(&sample(), format, Compat::Modern);
            let original = open(&bytes, Some(&password()), None).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            // Bytes outside the integrity check may change (a NULL, say); what is read may not.
            if let Ok(opened) = open(&bytes, Some(&password()), None) {
                prop_assert_eq!(&opened, &original, "{} byte {} bit {}", format, at, bit);
            }
        }
    }

    #[test]
    fn any_octets_are_refused(
        start in prop::sample::select(vec![&jks::MAGIC[..], &[0x30, 0x80, 2, 1, 3], &[0x30]]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [start, &rest].concat();
        let options = OpenOptions { allow_unverified: true, ..OpenOptions::default() };
        let empty_jks = bytes.len() == 32 && rest[4..8] == [0; 4];
        prop_assert!(open_with(&bytes, options).is_err() || empty_jks);
    }
}

#[test]
fn a_store_is_not_written_with_a_key_that_nobody_takes_from_it() {
    use crate::failure::Failure as _;
    for key in KeyType::ALL {
        for format in [Format::Pkcs12, Format::Jks, Format::Pem] {
            let checked = format.check_key(key);
            let KeyType::MlDsa(set) = key else {
                assert_eq!(checked, Ok(()));
                continue;
            };
            if format == Format::Pem {
                assert_eq!(checked, Ok(()));
                continue;
            }
            let refused = checked.unwrap_err();
            assert_eq!(refused, StoreError::NoReader { format, set });
            assert!(refused.to_string().contains(&format!("an {set} key")), "{refused}");
            let hint = refused.hint().map(|hint| hint.to_string());
            assert_eq!(hint.as_deref(), Some("take PEM for the key and its chain"));
        }
    }
}
