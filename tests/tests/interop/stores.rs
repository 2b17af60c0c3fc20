//! Keystores against the tools of others: they open what we write, and we open what they write.

use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::{Password, SecretBytes};
use c8y_pki_core::store::{
    Compat, DEVICE_KEY_ALIAS, EntryKind, Format, SERVER_CERTIFICATE_ALIAS, Store, WriteOptions,
    open, write,
};
use c8y_pki_tests::{Tool, arg, data_dir, python_with, tool};
use tempfile::TempDir;
use time::macros::datetime;

const KEY_TYPES: [&str; 5] = ["rsa-2048", "ec-p256", "ec-p384", "ec-p521", "ed25519"];
const PASSWORD: &str = "store-Secret-1";

struct Device {
    key_type: &'static str,
    pkcs8: SecretBytes,
    chain: Vec<Certificate>,
}

fn pem(name: &str) -> String {
    let path = data_dir().join("keys").join(format!("{name}.pem"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn devices() -> impl Iterator<Item = Device> {
    KEY_TYPES.into_iter().map(|key_type| {
        let names = [&format!("{key_type}.key"), &format!("{key_type}.cert")];
        let own: String = names.map(|n| pem(n)).concat();
        let text = own + &pem("intermediate.cert") + &pem("root.cert");
        let mut store = open(text.as_bytes(), None, None).unwrap();
        let EntryKind::Key { pkcs8, chain } = store.entries.remove(0).into_kind() else {
            panic!("{key_type}: no key")
        };
        assert_eq!(chain.len(), 3, "{key_type}");
        Device { key_type, pkcs8, chain }
    })
}

impl Device {
    fn key(&self) -> PrivateKey {
        PrivateKey::from_pkcs8(self.pkcs8.expose()).unwrap()
    }

    fn store(&self) -> Store {
        let mut store = Store::new();
        store.add_key(DEVICE_KEY_ALIAS, &self.key(), self.chain.clone()).unwrap();
        store
    }

    /// Writes the device's keystore into `dir`.
    fn write(&self, dir: &TempDir, format: Format, compat: Compat) -> PathBuf {
        write_file(&self.store(), dir, &format!("{}-{compat:?}.ks", self.key_type), format, compat)
    }

    /// Holds what we read from another tool's file against the device.
    fn assert_in(&self, path: &Path, key_password: Option<&str>, openssl: &Tool) {
        let at = format!("{} in {}", self.key_type, path.display());
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("{at}: {e}"));
        let key_password = key_password.map(Password::new);
        let store = open(&bytes, Some(&Password::new(PASSWORD)), key_password.as_ref())
            .unwrap_or_else(|e| panic!("{at}: {e}"));
        assert_eq!(store.entries.len(), 1, "{at}: {store:?}");
        let EntryKind::Key { pkcs8, chain } = store.entries[0].kind() else {
            panic!("{at}: {store:?}")
        };
        assert_eq!(*chain, self.chain, "{at}");
        assert_same_key(pkcs8, &self.chain[0], openssl, &at);
    }
}

/// Tools encode the same key in their own ways, so its public half decides.
fn assert_same_key(pkcs8: &SecretBytes, leaf: &Certificate, openssl: &Tool, at: &str) {
    let dir = TempDir::new().unwrap();
    let (key, public) = (dir.path().join("key"), dir.path().join("public"));
    fs::write(&key, pkcs8.expose()).unwrap();
    let args = ["pkey", "-inform", "DER", "-in", arg(&key), "-pubout", "-outform", "DER", "-out"];
    openssl.run(&[&args[..], &[arg(&public)]].concat());
    assert_eq!(fs::read(&public).unwrap(), leaf.spki, "{at}");
}

fn write_file(store: &Store, dir: &TempDir, name: &str, format: Format, compat: Compat) -> PathBuf {
    let password = Password::new(PASSWORD);
    let mut options = WriteOptions::new(Some(&password), datetime!(2026-01-02 03:04:05 UTC));
    options.pkcs12.compat = compat;
    let path = dir.path().join(name);
    fs::write(&path, write(store, format, &options).unwrap()).unwrap();
    path
}

fn truststore() -> Store {
    let root = Certificate::all_from_pem_or_der(pem("root.cert").as_bytes()).unwrap().remove(0);
    let mut store = Store::new();
    store.add_trusted(SERVER_CERTIFICATE_ALIAS, root).unwrap();
    store
}

#[test]
fn openssl_opens_ours_and_we_open_its() {
    let Some(openssl) = tool("openssl") else { return };
    let dir = TempDir::new().unwrap();
    let pass = format!("pass:{PASSWORD}");
    for device in devices() {
        for compat in [Compat::Modern, Compat::Legacy] {
            let ours = device.write(&dir, Format::Pkcs12, compat);
            let pem = dir.path().join("all.pem");
            let args = ["pkcs12", "-in", arg(&ours), "-passin", &pass, "-nodes", "-out", arg(&pem)];
            openssl.run(&args);
            let text = fs::read_to_string(&pem).unwrap();
            let names = text.matches("friendlyName: devicekeyentry").count();
            assert_eq!(names, 2, "on key and leaf: {text}");
            for (name, more) in [("modern.p12", &[][..]), ("legacy.p12", &["-legacy"][..])] {
                let theirs = dir.path().join(name);
                let args = ["pkcs12", "-export", "-in", arg(&pem), "-passout", &pass, "-out"];
                openssl.run(&[&args[..], &[arg(&theirs)], more].concat());
                device.assert_in(&theirs, None, &openssl);
            }
        }
    }
}

#[test]
fn keytool_opens_ours_and_we_open_its() {
    let (Some(keytool), Some(openssl)) = (tool("keytool"), tool("openssl")) else { return };
    let dir = TempDir::new().unwrap();
    for device in devices() {
        for (format, compat) in [
            (Format::Pkcs12, Compat::Modern),
            (Format::Pkcs12, Compat::Legacy),
            (Format::Jks, Compat::Modern),
        ] {
            let ours = device.write(&dir, format, compat);
            let listing =
                keytool.run(&["-list", "-v", "-keystore", arg(&ours), "-storepass", PASSWORD]);
            let expected =
                ["Alias name: devicekeyentry", "PrivateKeyEntry", "Certificate chain length: 3"];
            for line in expected {
                assert!(listing.contains(line), "{} {line}: {listing}", device.key_type);
            }
            assert_eq!(format == Format::Jks, listing.contains("Creation date: Jan 2, 2026"));
        }
        import_by_keytool(&device, &dir, &keytool, &openssl);
    }
}

/// Has keytool copy our file into files of its own, of Java 8's algorithms and Java 17's.
fn import_by_keytool(device: &Device, dir: &TempDir, keytool: &Tool, openssl: &Tool) {
    let ours = device.write(dir, Format::Pkcs12, Compat::Modern);
    let copies = [
        ("java17.p12", "PKCS12", PASSWORD, &[][..]),
        ("java8.p12", "PKCS12", PASSWORD, &["-J-Dkeystore.pkcs12.legacy"][..]),
        ("same.jks", "JKS", PASSWORD, &[]),
        ("own.jks", "JKS", "key-Secret-2", &[]),
    ];
    for (name, store_type, key_password, more) in copies {
        let theirs = dir.path().join(format!("{}-{name}", device.key_type));
        let source = ["-importkeystore", "-srckeystore", arg(&ours), "-srcstorepass", PASSWORD];
        let target = ["-destkeystore", arg(&theirs), "-deststorepass", PASSWORD];
        let entry = ["-srcalias", DEVICE_KEY_ALIAS, "-destkeypass", key_password];
        let kind = ["-deststoretype", store_type];
        keytool.run(&[&source[..], &target, &entry, &kind, more].concat());
        device.assert_in(&theirs, Some(key_password), openssl);
    }
}

#[test]
fn keytool_sees_our_trusted_certificates() {
    let Some(keytool) = tool("keytool") else { return };
    let dir = TempDir::new().unwrap();
    for (format, compat) in [
        (Format::Pkcs12, Compat::Modern),
        (Format::Pkcs12, Compat::Legacy),
        (Format::Jks, Compat::Modern),
    ] {
        let ours = write_file(&truststore(), &dir, "trust", format, compat);
        let listing = keytool.run(&["-list", "-keystore", arg(&ours), "-storepass", PASSWORD]);
        assert!(listing.contains("servercertificate"), "{listing}");
        assert!(listing.contains("trustedCertEntry"), "{listing}");
    }
}

#[test]
fn keytool_opens_a_key_password_of_its_own() {
    const KEY_PASSWORD: &str = "key-Secret-3";
    let (Some(keytool), Some(openssl)) = (tool("keytool"), tool("openssl")) else { return };
    let dir = TempDir::new().unwrap();
    let (store_password, key_password) = (Password::new(PASSWORD), Password::new(KEY_PASSWORD));
    for device in devices() {
        let now = datetime!(2026-01-02 03:04:05 UTC);
        let mut options = WriteOptions::new(Some(&store_password), now);
        options.key_password = Some(&key_password);
        let ours = dir.path().join(format!("{}.jks", device.key_type));
        fs::write(&ours, write(&device.store(), Format::Jks, &options).unwrap()).unwrap();
        let theirs = dir.path().join(format!("{}.p12", device.key_type));
        let source = ["-importkeystore", "-srckeystore", arg(&ours), "-srcstorepass", PASSWORD];
        let target = ["-destkeystore", arg(&theirs), "-deststorepass", PASSWORD];
        let entry = ["-srcalias", DEVICE_KEY_ALIAS, "-srckeypass", KEY_PASSWORD];
        let kind = ["-destkeypass", PASSWORD, "-deststoretype", "PKCS12"];
        keytool.run(&[&source[..], &target, &entry, &kind].concat());
        device.assert_in(&theirs, None, &openssl);
    }
}

#[test]
fn several_keys_and_certificates_share_a_file() {
    let Some(keytool) = tool("keytool") else { return };
    let dir = TempDir::new().unwrap();
    let mut store = truststore();
    for device in devices() {
        store.add_key(device.key_type, &device.key(), device.chain.clone()).unwrap();
    }
    for format in [Format::Pkcs12, Format::Jks] {
        let ours = write_file(&store, &dir, "all", format, Compat::Modern);
        let listing =
            keytool.run(&["-list", "-v", "-keystore", arg(&ours), "-storepass", PASSWORD]);
        assert!(listing.contains("contains 6 entries"), "{listing}");
        assert_eq!(listing.matches("Certificate chain length: 3").count(), 5, "{listing}");
        assert_eq!(listing.matches("trustedCertEntry").count(), 1, "{listing}");
        let again = open(&fs::read(&ours).unwrap(), Some(&Password::new(PASSWORD)), None).unwrap();
        for entry in &store.entries {
            assert_eq!(again.entry(&entry.alias).map(|e| e.kind()), Some(entry.kind()));
        }
    }
}

#[test]
fn keytool_does_not_see_trusted_certificates_of_openssl() {
    let (Some(keytool), Some(openssl)) = (tool("keytool"), tool("openssl")) else { return };
    let dir = TempDir::new().unwrap();
    let (theirs, pass) = (dir.path().join("trust.p12"), format!("pass:{PASSWORD}"));
    let root = data_dir().join("keys").join("root.cert.pem");
    let args = ["pkcs12", "-export", "-nokeys", "-in", arg(&root), "-passout", &pass, "-out"];
    openssl.run(&[&args[..], &[arg(&theirs)]].concat());
    let listing = keytool.run(&["-list", "-keystore", arg(&theirs), "-storepass", PASSWORD]);
    assert!(listing.contains("contains 0 entries"), "{listing}");
    let bytes = fs::read(&theirs).unwrap();
    let store = open(&bytes, Some(&Password::new(PASSWORD)), None).unwrap();
    let kind = store.entries[0].kind();
    assert!(matches!(kind, EntryKind::Trusted { java_trusted: false, .. }), "{kind:?}");
    // Written again by us, Java sees it.
    let ours = write_file(&store, &dir, "ours.p12", Format::Pkcs12, Compat::Modern);
    let listing = keytool.run(&["-list", "-keystore", arg(&ours), "-storepass", PASSWORD]);
    assert!(listing.contains("contains 1 entry"), "{listing}");
}

#[test]
fn certtool_opens_ours_and_we_open_its() {
    let (Some(certtool), Some(openssl)) = (tool("certtool"), tool("openssl")) else { return };
    let dir = TempDir::new().unwrap();
    for device in devices() {
        for compat in [Compat::Modern, Compat::Legacy] {
            let ours = device.write(&dir, Format::Pkcs12, compat);
            let args = ["--p12-info", "--inder", "--infile", arg(&ours), "--password", PASSWORD];
            let info = certtool.run(&args);
            assert_eq!(info.matches("BEGIN CERTIFICATE").count(), 3, "{info}");
            assert_eq!(info.matches("BEGIN ENCRYPTED PRIVATE KEY").count(), 1, "{info}");
            let sealed = dir.path().join("sealed.pem");
            fs::write(&sealed, &info[info.find("-----BEGIN ENCRYPTED").unwrap()..]).unwrap();
            let args = ["--key-info", "--infile", arg(&sealed), "--password", PASSWORD];
            certtool.run(&args);
        }
        let theirs = dir.path().join(format!("{}-gnutls.p12", device.key_type));
        let (key, chain) = (dir.path().join("key.pem"), dir.path().join("chain.pem"));
        fs::write(&key, pem(&format!("{}.key", device.key_type))).unwrap();
        fs::write(&chain, device.chain.iter().map(Certificate::pem).collect::<String>()).unwrap();
        let input = ["--to-p12", "--load-privkey", arg(&key), "--load-certificate", arg(&chain)];
        let output = ["--p12-name", "device", "--password", PASSWORD, "--outder", "--outfile"];
        certtool.run(&[&input[..], &output, &[arg(&theirs)]].concat());
        device.assert_in(&theirs, None, &openssl);
    }
}

#[test]
fn pk12util_opens_ours_and_we_open_its() {
    let (Some(pk12util), Some(certutil)) = (tool("pk12util"), tool("certutil")) else { return };
    let Some(openssl) = tool("openssl") else { return };
    let dir = TempDir::new().unwrap();
    for device in devices() {
        for compat in [Compat::Modern, Compat::Legacy] {
            let ours = device.write(&dir, Format::Pkcs12, compat);
            let db = dir.path().join(format!("nss-{}-{compat:?}", device.key_type));
            fs::create_dir(&db).unwrap();
            certutil.run(&["-N", "-d", arg(&db), "--empty-password"]);
            let listing = pk12util.run(&["-l", arg(&ours), "-d", arg(&db), "-W", PASSWORD]);
            assert!(listing.contains("Certificate(has private key):"), "{listing}");
            assert!(listing.contains("Key(shrouded):"), "{listing}");
            let import = ["-i", arg(&ours), "-d", arg(&db), "-W", PASSWORD];
            if device.key_type == "ed25519" && !nss_knows_ed25519(&pk12util, &openssl, &db) {
                let said = pk12util.output(&import).stderr;
                assert!(String::from_utf8_lossy(&said).contains(NSS_UNABLE), "{said:?}");
                continue;
            }
            pk12util.run(&import);
            let theirs = dir.path().join(format!("nss-{}-{compat:?}.p12", device.key_type));
            let from = ["-o", arg(&theirs), "-d", arg(&db), "-n", DEVICE_KEY_ALIAS];
            pk12util.run(&[&from[..], &["-W", PASSWORD]].concat());
            device.assert_in(&theirs, None, &openssl);
        }
    }
}

const NSS_UNABLE: &str = "SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY";

/// Whether NSS takes OpenSSL's file with an Ed25519 key: NSS 3.87 does not.
fn nss_knows_ed25519(pk12util: &Tool, openssl: &Tool, db: &Path) -> bool {
    let (keys, file) = (data_dir().join("keys"), db.join("openssl.p12"));
    let (key, cert) = (keys.join("ed25519.key.pem"), keys.join("ed25519.cert.pem"));
    let pass = format!("pass:{PASSWORD}");
    let args = ["pkcs12", "-export", "-inkey", arg(&key), "-in", arg(&cert), "-passout", &pass];
    openssl.run(&[&args[..], &["-name", "openssl", "-out", arg(&file)]].concat());
    let output = pk12util.output(&["-i", arg(&file), "-d", arg(db), "-W", PASSWORD]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || said.contains(NSS_UNABLE), "{said}");
    output.status.success()
}

#[test]
fn python_opens_ours_and_we_open_its() {
    const SCRIPT: &str = r#"
import sys
from cryptography.hazmat.primitives.serialization import pkcs12, BestAvailableEncryption
source, target, password = sys.argv[1], sys.argv[2], sys.argv[3].encode()
p12 = pkcs12.load_pkcs12(open(source, "rb").read(), password)
assert p12.cert.friendly_name == b"devicekeyentry", p12.cert.friendly_name
assert p12.key.public_key() == p12.cert.certificate.public_key()
others = [c.certificate for c in p12.additional_certs]
assert len(others) == 2
data = pkcs12.serialize_key_and_certificates(
    None, p12.key, p12.cert.certificate, others, BestAvailableEncryption(password))
open(target, "wb").write(data)
"#;
    let (Some(python), Some(openssl)) = (python_with("cryptography"), tool("openssl")) else {
        return;
    };
    let dir = TempDir::new().unwrap();
    for device in devices() {
        for compat in [Compat::Modern, Compat::Legacy] {
            let ours = device.write(&dir, Format::Pkcs12, compat);
            let theirs = dir.path().join("python.p12");
            python.run(&["-c", SCRIPT, arg(&ours), arg(&theirs), PASSWORD]);
            device.assert_in(&theirs, None, &openssl);
        }
    }
}
