//! Reads every keystore and truststore of the recipe that this project replaces, and one of each
//! tool that makes PKCS#12.

use std::path::PathBuf;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::failure::Failure;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{
    DEVICE_KEY_ALIAS, Entry, EntryKind, Format, Listing, OpenOptions, SERVER_CERTIFICATE_ALIAS,
    Store, StoreError, detect, open, open_with,
};

const DEVICE: &str = "openssl-recipe/caCertificate/intermediateCertificate/deviceCertificates";

fn data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn device_file(name: &str) -> Vec<u8> {
    data(&format!("{DEVICE}/{name}"))
}

fn open_device_file(name: &str, password: &str, key_password: Option<&str>) -> Store {
    let key_password = key_password.map(Password::new);
    open(&device_file(name), Some(&Password::new(password)), key_password.as_ref())
        .unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn recipe_chain() -> Vec<Certificate> {
    Certificate::all_from_pem_or_der(&device_file("deviceCertChain.pem")).unwrap()
}

fn assert_device_entry(entry: &Entry) {
    assert_eq!(entry.alias, DEVICE_KEY_ALIAS);
    let EntryKind::Key { pkcs8, chain } = entry.kind() else { panic!("{:?}", entry.kind()) };
    assert!(pkcs8.expose().len() > 2000, "RSA 4096");
    assert_eq!(*chain, recipe_chain());
}

#[test]
fn keystores_hold_the_key_and_the_whole_chain() {
    for (name, store_password, key_password) in [
        ("deviceKeystore.pkcs12", "keystore-Secret-04", None),
        ("deviceKeystore.jks", "keystore-Secret-05", Some("keystore-Secret-04")),
        ("deviceKeystore_realjks.jks", "keystore-Secret-04", None),
    ] {
        let store = open_device_file(name, store_password, key_password);
        assert_eq!(store.entries.len(), 1, "{name}");
        assert_device_entry(&store.entries[0]);
    }
}

#[test]
fn the_same_key_is_in_all_keystores() {
    let key = |store: &Store| match store.entries[0].kind() {
        EntryKind::Key { pkcs8, .. } => pkcs8.clone(),
        other => panic!("{other:?}"),
    };
    let p12 = open_device_file("deviceKeystore.pkcs12", "keystore-Secret-04", None);
    let jks = open_device_file("deviceKeystore_realjks.jks", "keystore-Secret-04", None);
    assert!(key(&p12) == key(&jks));
}

#[test]
fn a_jks_key_stays_sealed_without_its_own_password() {
    let store = open_device_file("deviceKeystore.jks", "keystore-Secret-05", None);
    let EntryKind::Sealed { chain, .. } = store.entries[0].kind() else { panic!("{store:?}") };
    assert_eq!(*chain, recipe_chain());
    assert_eq!(Listing::new(Format::Jks, &store).entries[0].entry_type, "sealed_key");
}

#[test]
fn truststores_hold_the_server_certificate() {
    let server = Certificate::all_from_pem_or_der(&device_file("serverCertificate.pem")).unwrap();
    for name in ["deviceTruststore.pkcs12", "deviceTruststore.jks", "deviceTruststore_realjks.jks"]
    {
        let store = open_device_file(name, "trust-Secret-06", None);
        assert_eq!(store.entries.len(), 1, "{name}");
        let (alias, kind) = (&store.entries[0].alias, store.entries[0].kind());
        assert_eq!(alias, SERVER_CERTIFICATE_ALIAS, "{name}");
        let trusted =
            EntryKind::Trusted { certificate: Box::new(server[0].clone()), java_trusted: true };
        assert_eq!(*kind, trusted, "{name}");
    }
}

#[test]
fn formats_come_from_the_octets_and_not_from_the_name() {
    for (name, format) in [
        ("deviceKeystore.pkcs12", Format::Pkcs12),
        ("deviceTruststore.jks", Format::Pkcs12),
        ("deviceKeystore_realjks.jks", Format::Jks),
        ("deviceCertChain.pem", Format::Pem),
    ] {
        assert_eq!(detect(&device_file(name)), Ok(format), "{name}");
    }
}

#[test]
fn wrong_and_missing_passwords_are_told_apart() {
    for (name, format) in [
        ("deviceKeystore.pkcs12", Format::Pkcs12),
        ("deviceTruststore.jks", Format::Pkcs12),
        ("deviceKeystore_realjks.jks", Format::Jks),
    ] {
        let wrong = open(&device_file(name), Some(&Password::new("guess")), None);
        assert_eq!(wrong, Err(StoreError::WrongPassword { format }), "{name}");
        let none = open(&device_file(name), None, None);
        assert_eq!(none, Err(StoreError::PasswordNeeded { format }), "{name}");
    }
}

#[test]
fn a_changed_file_is_not_taken_for_a_wrong_password() {
    for (name, format) in
        [("deviceKeystore.pkcs12", Format::Pkcs12), ("deviceKeystore_realjks.jks", Format::Jks)]
    {
        let mut bytes = device_file(name);
        let last = bytes.len() - 1;
        // PKCS#12 ends with the MAC's salt and iterations, JKS with its digest.
        bytes[last - 8] ^= 1;
        let password = Password::new("keystore-Secret-04");
        assert_eq!(open(&bytes, Some(&password), None), Err(StoreError::Altered { format }));
    }
}

#[test]
fn a_truncated_file_says_so() {
    for name in ["deviceKeystore.pkcs12", "deviceKeystore_realjks.jks"] {
        let bytes = device_file(name);
        let password = Password::new("keystore-Secret-04");
        for length in (4..bytes.len()).step_by(97) {
            let opened = open(&bytes[..length], Some(&password), None);
            assert!(matches!(opened, Err(StoreError::Truncated { .. })), "{name} {length}");
        }
    }
}

#[test]
fn a_certificate_chain_in_pem_is_a_truststore() {
    let store = open(&device_file("deviceCertChain.pem"), None, None).unwrap();
    let aliases: Vec<_> = store.entries.iter().map(|e| e.alias.as_str()).collect();
    assert_eq!(aliases, ["servercertificate", "servercertificate-2", "servercertificate-3"]);
}

#[test]
fn stores_of_other_tools_open() {
    // NSS writes BER of indefinite length, GnuTLS knows "no password" beside the empty one, OpenSSL
    // -legacy takes RC2 of 40 bits, Python leaves names away.
    for (name, password, alias) in [
        ("openssl-modern.p12", Some("secret-1"), "device"),
        ("openssl-legacy.p12", Some("secret-1"), "device"),
        ("openssl-unnamed.p12", Some("secret-1"), "1"),
        ("openssl-empty-password.p12", None, "device"),
        ("nss.p12", Some("secret-1"), "device"),
        ("gnutls.p12", Some("secret-1"), "device"),
        ("gnutls-null-password.p12", None, "device"),
        ("python.p12", Some("secret-1"), "device"),
        ("python-unnamed.p12", Some("secret-1"), "1"),
        ("keytool.p12", Some("secret-1"), "device"),
    ] {
        let password = password.map(Password::new);
        let store = open(&data(&format!("stores/{name}")), password.as_ref(), None)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let entry = store.entry(alias).unwrap_or_else(|| panic!("{name}: {store:?}"));
        let EntryKind::Key { chain, .. } = entry.kind() else { panic!("{name}: {entry:?}") };
        assert_eq!(chain.len(), 3, "{name}");
        assert_eq!(store.entries.len(), 1, "{name}: {store:?}");
    }
}

#[test]
fn a_truststore_of_openssl_is_read_and_marked_as_empty_to_java() {
    let password = Password::new("secret-1");
    let store = open(&data("stores/openssl-trust.p12"), Some(&password), None).unwrap();
    let kind = store.entries.first().map(|e| e.kind());
    assert!(matches!(kind, Some(EntryKind::Trusted { java_trusted: false, .. })), "{store:?}");
}

#[test]
fn a_store_without_mac_opens_only_when_asked() {
    let bytes = data("stores/openssl-no-mac.p12");
    let unverified = |password: &str| {
        let password = Password::new(password);
        let options = OpenOptions { store_password: Some(&password), ..OpenOptions::default() };
        open_with(&bytes, OpenOptions { allow_unverified: true, ..options })
    };
    assert_eq!(open(&bytes, Some(&Password::new("secret-1")), None), Err(StoreError::NoMac));
    assert_eq!(unverified("secret-1").unwrap().entries.len(), 1);
    let wrong = StoreError::WrongPassword { format: Format::Pkcs12 };
    assert_eq!(unverified("guess"), Err(wrong));
}

#[test]
fn secret_keys_are_listed() {
    let password = Password::new("secret-1");
    let store = open(&data("stores/keytool-secret.p12"), Some(&password), None).unwrap();
    let EntryKind::SecretKey { algorithm } = store.entries[0].kind() else { panic!("{store:?}") };
    assert_eq!(algorithm.as_deref(), Some("2.16.840.1.101.3.4.1"), "AES");
}

#[test]
fn jceks_is_refused_by_name() {
    let bytes = data("stores/keytool.jceks");
    assert_eq!(open(&bytes, Some(&Password::new("secret-1")), None), Err(StoreError::Jceks));
    assert!(StoreError::Jceks.hint().unwrap().to_string().contains("-deststoretype PKCS12"));
}
