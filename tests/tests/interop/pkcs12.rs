//! PKCS#12 of every variety that the tools write, made by them and opened here; and a directory of files
//! that OpenSSL opens.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{
    DEVICE_KEY_ALIAS, EntryKind, Format, OpenOptions, Store, StoreError, WriteOptions, open,
    open_with, write,
};
use c8y_pki_tests::{Tool, arg, data_dir, python_with, tool};
use tempfile::TempDir;
use time::macros::datetime;

/// A key and its chain as files, for tools that make stores of them.
struct Source {
    dir: TempDir,
    chain: Vec<Certificate>,
}

impl Source {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let keys = data_dir().join("keys");
        let text = |name: &str| fs::read_to_string(keys.join(name)).unwrap();
        fs::write(dir.path().join("key.pem"), text("rsa-2048.key.pem")).unwrap();
        let chain =
            text("rsa-2048.cert.pem") + &text("intermediate.cert.pem") + &text("root.cert.pem");
        fs::write(dir.path().join("chain.pem"), &chain).unwrap();
        let chain = Certificate::all_from_pem_or_der(chain.as_bytes()).unwrap();
        Self { dir, chain }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a tool; `@name` stands for the path of that file. Whether it succeeds.
    fn try_run(&self, tool: &Tool, words: &[&str]) -> bool {
        let words: Vec<String> = words
            .iter()
            .map(|word| match word.strip_prefix('@') {
                Some(name) => arg(&self.path(name)).to_owned(),
                None => (*word).to_owned(),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        tool.output(&words).status.success()
    }

    fn opened(&self, name: &str, password: Option<&str>) -> Result<Store, StoreError> {
        let password = password.map(Password::new);
        let options = OpenOptions {
            store_password: password.as_ref(),
            key_password: None,
            allow_unverified: true,
        };
        open_with(&fs::read(self.path(name)).unwrap(), options)
    }

    /// Holds a store to the key and its chain.
    fn assert_in(&self, name: &str, password: Option<&str>, what: &str) {
        let store = self.opened(name, password).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(store.entries.len(), 1, "{what}: {store:?}");
        let EntryKind::Key { pkcs8, chain } = store.entries[0].kind() else {
            panic!("{what}: {store:?}")
        };
        assert_eq!(*chain, self.chain, "{what}");
        let key = PrivateKey::from_pkcs8(pkcs8.expose()).unwrap();
        assert_eq!(key.public_key().spki(), self.chain[0].spki, "{what}");
    }
}

#[test]
fn every_variety_of_openssl_opens() {
    const CIPHERS: [&str; 15] = [
        "PBE-SHA1-3DES",
        "PBE-SHA1-2DES",
        "PBE-SHA1-RC2-40",
        "PBE-SHA1-RC2-128",
        "PBE-SHA1-RC4-40",
        "PBE-SHA1-RC4-128",
        "PBE-MD5-DES",
        "PBE-SHA1-DES",
        "PBE-MD5-RC2-64",
        "PBE-SHA1-RC2-64",
        "aes-128-cbc",
        "aes-192-cbc",
        "aes-256-cbc",
        "des-ede3-cbc",
        "NONE",
    ];
    const HASHES: [&str; 13] = [
        "md5",
        "sha1",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "sha512-224",
        "sha512-256",
        "sha3-224",
        "sha3-256",
        "sha3-512",
        "blake2s256",
        "blake2b512",
    ];
    const PASSWORDS: [&str; 4] = ["store-Secret-1", "", "Gerät-Passwort", "пароль😀"];
    let Some(openssl) = tool("openssl") else { return };
    let source = Source::new();
    let mut made = 0;
    let mut check = |cipher: &str, mac: &[&str], password: &str| {
        let pass = format!("pass:{password}");
        let from = [
            "pkcs12",
            "-export",
            "-legacy",
            "-inkey",
            "@key.pem",
            "-in",
            "@chain.pem",
            "-out",
            "@t.p12",
        ];
        let how = ["-passout", &pass, "-certpbe", cipher, "-keypbe", cipher, "-iter", "20"];
        let what = format!("{cipher} {mac:?} {password:?}");
        if !source.try_run(&openssl, &[&from[..], &how, mac].concat()) {
            eprintln!("left out: OpenSSL does not write {what}");
            return;
        }
        made += 1;
        source.assert_in("t.p12", Some(password), &what);
        if cipher != "NONE" && !password.is_empty() {
            assert!(source.opened("t.p12", Some("guess")).is_err(), "{what}");
            assert!(source.opened("t.p12", None).is_err(), "{what}");
        }
    };
    for cipher in CIPHERS {
        for password in PASSWORDS {
            check(cipher, &["-macalg", "sha256"], password);
        }
        check(cipher, &["-nomac"], "store-Secret-1");
    }
    for hash in HASHES {
        check("aes-256-cbc", &["-macalg", hash], "store-Secret-1");
    }
    assert!(made >= 60, "only {made} were made");
}

#[test]
fn no_password_at_all_of_openssl_and_gnutls_opens() {
    let (Some(openssl), Some(certtool)) = (tool("openssl"), tool("certtool")) else { return };
    let source = Source::new();
    let from = ["pkcs12", "-export", "-inkey", "@key.pem", "-in", "@chain.pem", "-out", "@n.p12"];
    let how = ["-nomac", "-certpbe", "NONE", "-keypbe", "NONE", "-passout", "pass:"];
    assert!(source.try_run(&openssl, &[&from[..], &how].concat()));
    source.assert_in("n.p12", None, "neither MAC nor encryption");
    let strict = open(&fs::read(source.path("n.p12")).unwrap(), None, None);
    assert_eq!(strict, Err(StoreError::NoMac));
    for password in ["--null-password", "--empty-password"] {
        for cipher in ["3des-pkcs12", "aes-256", "rc2-40", "arcfour"] {
            let from =
                ["--to-p12", "--load-privkey", "@key.pem", "--load-certificate", "@chain.pem"];
            let how = ["--p12-name", "d", password, "--pkcs-cipher", cipher, "--outfile", "@g.p12"];
            // Without --outder it is PEM.
            for form in [&["--outder"][..], &[]] {
                let what = format!("certtool {password} {cipher} {form:?}");
                assert!(source.try_run(&certtool, &[&from[..], &how, form].concat()), "{what}");
                source.assert_in("g.p12", None, &what);
                source.assert_in("g.p12", Some(""), &what);
            }
        }
    }
}

#[test]
fn varieties_of_nss_open() {
    let (Some(pk12util), Some(certutil)) = (tool("pk12util"), tool("certutil")) else { return };
    let Some(openssl) = tool("openssl") else { return };
    let source = Source::new();
    let from = ["pkcs12", "-export", "-inkey", "@key.pem", "-in", "@chain.pem", "-out", "@o.p12"];
    assert!(
        source.try_run(&openssl, &[&from[..], &["-name", "d", "-passout", "pass:pw-1"]].concat())
    );
    fs::create_dir(source.path("db")).unwrap();
    assert!(source.try_run(&certutil, &["-N", "-d", "@db", "--empty-password"]));
    assert!(source.try_run(&pk12util, &["-i", "@o.p12", "-d", "@db", "-W", "pw-1"]));
    let mut made = 0;
    for (cipher, hash) in [
        ("AES-128-CBC", "SHA-1"),
        ("AES-256-CBC", "SHA-512"),
        ("PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC", "SHA-256"),
        ("PKCS #12 V2 PBE With SHA-1 And 2KEY Triple DES-CBC", "SHA-256"),
        ("PKCS #12 V2 PBE With SHA-1 And 128 Bit RC2 CBC", "SHA-384"),
        ("PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC", "SHA-224"),
        ("PKCS #12 V2 PBE With SHA-1 And 128 Bit RC4", "SHA-1"),
        ("PKCS #12 V2 PBE With SHA-1 And 40 Bit RC4", "SHA-1"),
    ] {
        let from = ["-o", "@nss.p12", "-d", "@db", "-n", "d", "-W", "pw-2"];
        if !source
            .try_run(&pk12util, &[&from[..], &["-c", cipher, "-C", cipher, "-M", hash]].concat())
        {
            eprintln!("left out: pk12util does not write {cipher} with {hash}");
            continue;
        }
        made += 1;
        source.assert_in("nss.p12", Some("pw-2"), &format!("NSS {cipher} {hash}"));
    }
    assert!(made >= 3, "only {made} were made");
}

/// pyca's OpenSSL is the judge of PBMAC1, which the system's may be too old for.
#[test]
fn python_checks_pbmac1() {
    const SCRIPT: &str = r#"
import sys
from cryptography.hazmat.primitives.serialization import pkcs12
p12 = pkcs12.load_pkcs12(open(sys.argv[1], "rb").read(), sys.argv[2].encode())
assert p12.key.public_key() == p12.cert.certificate.public_key()
assert len(p12.additional_certs) == 2
try:
    pkcs12.load_pkcs12(open(sys.argv[1], "rb").read(), b"guess")
except ValueError:
    print("checked")
"#;
    const KNOWS: &str = "from cryptography.hazmat.backends.openssl import backend
assert backend.openssl_version_number() >= 0x30400000";
    let Some(python) = python_with("cryptography") else { return };
    if !python.output(&["-c", KNOWS]).status.success() {
        eprintln!(
            "left out: the OpenSSL of Python's cryptography is older than 3.4, without PBMAC1"
        );
        return;
    }
    let source = Source::new();
    let key = PrivateKey::read(&fs::read(source.path("key.pem")).unwrap(), None).unwrap();
    let mut store = Store::new();
    store.add_key(DEVICE_KEY_ALIAS, &key, source.chain.clone()).unwrap();
    let password = Password::new("store-Secret-1");
    let mut options = WriteOptions::new(Some(&password), datetime!(2026-01-02 03:04:05 UTC));
    options.pkcs12.pbmac1 = true;
    let bytes = write(&store, Format::Pkcs12, &options).unwrap();
    fs::write(source.path("p.p12"), bytes).unwrap();
    let said = python.run(&["-c", SCRIPT, arg(&source.path("p.p12")), "store-Secret-1"]);
    assert!(said.contains("checked"), "{said}");
}

/// Passwords of public test suites, unless `C8Y_PKI_P12_PASSWORDS` names a file with others.
const PASSWORDS: [&str; 20] = [
    "password",
    "",
    "cryptography",
    "changeit",
    "foobar",
    "1234",
    "notasecret",
    "v3-certs",
    "secret",
    "test",
    "12345",
    "123456",
    "passwd",
    "pass:12345",
    "Red Hat Enterprise Linux 7.4",
    "CaudFocwijRupogDoicsApfiHadManUgNa",
    "σύνθημα γνώρισμα",
    "ένα-δύο",
    "ένα_δύο_τρία_τέσσερα",
    "Пароль для PFX",
];

/// Opens every file of the directory that `C8Y_PKI_P12_DIR` names and that OpenSSL opens, and compares
/// certificates and public keys.
#[test]
fn files_that_openssl_opens_open_here() {
    let Some(folder) = std::env::var_os("C8Y_PKI_P12_DIR") else {
        eprintln!("left out: C8Y_PKI_P12_DIR names no directory of PKCS#12 files");
        return;
    };
    let Some(openssl) = tool("openssl") else { return };
    let passwords: Vec<String> = match std::env::var_os("C8Y_PKI_P12_PASSWORDS") {
        Some(file) => fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect(),
        None => PASSWORDS.map(str::to_owned).to_vec(),
    };
    let (mut files, mut theirs, mut ours) = (Vec::new(), 0, 0);
    collect(Path::new(&folder), &mut files);
    let mut failed = Vec::new();
    for file in &files {
        let Some((password, text)) = by_openssl(&openssl, file, &passwords) else {
            eprintln!("OpenSSL does not open {}", file.display());
            continue;
        };
        theirs += 1;
        match compare(file, &password, &text) {
            Ok(()) => ours += 1,
            Err(problem) => failed.push(format!("{}: {problem}", file.display())),
        }
    }
    eprintln!(
        "{} files, OpenSSL opens {theirs}, {ours} of them open here and hold the same",
        files.len()
    );
    assert!(failed.is_empty() && theirs > 0, "{} fail:\n{}", failed.len(), failed.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        match path.is_dir() {
            true => collect(&path, files),
            false if matches!(ending.as_str(), "p12" | "pfx" | "pkcs12") => files.push(path),
            false => {}
        }
    }
    files.sort();
}

/// The password that OpenSSL takes, and the certificates and keys as PEM.
fn by_openssl(openssl: &Tool, file: &Path, passwords: &[String]) -> Option<(String, String)> {
    passwords.iter().find_map(|password| {
        let pass = format!("pass:{password}");
        let args = ["pkcs12", "-legacy", "-in", arg(file), "-nodes", "-passin", &pass];
        let output = openssl.output(&args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then(|| (password.clone(), text))
    })
}

fn compare(file: &Path, password: &str, text: &str) -> Result<(), String> {
    let password = Password::new(password);
    let options =
        OpenOptions { store_password: Some(&password), key_password: None, allow_unverified: true };
    let store = open_with(&fs::read(file).unwrap(), options).map_err(|e| e.to_string())?;
    let (mut certificates, mut keys) = (BTreeSet::new(), 0);
    for entry in &store.entries {
        match entry.kind() {
            EntryKind::Key { chain, .. } => {
                keys += 1;
                certificates.extend(chain.iter().map(|c| c.der().to_vec()));
            }
            EntryKind::Trusted { certificate, .. } => {
                certificates.insert(certificate.der().to_vec());
            }
            _ => {}
        }
    }
    let expected: BTreeSet<Vec<u8>> = match text.contains("BEGIN CERTIFICATE") {
        true => Certificate::all_from_pem_or_der(text.as_bytes())
            .map_err(|e| format!("OpenSSL's own certificate: {e}"))?
            .iter()
            .map(|c| c.der().to_vec())
            .collect(),
        false => BTreeSet::new(),
    };
    if certificates != expected {
        return Err(format!("{} certificates, OpenSSL has {}", certificates.len(), expected.len()));
    }
    let expected = text.matches("-----BEGIN PRIVATE KEY").count();
    if keys != expected {
        return Err(format!("{keys} keys, OpenSSL has {expected}"));
    }
    // The first key of both; keys of algorithms that are not loaded are compared by their number.
    let first = store.entries.iter().find_map(|entry| match entry.kind() {
        EntryKind::Key { pkcs8, .. } => PrivateKey::from_pkcs8(pkcs8.expose()).ok(),
        _ => None,
    });
    match (first, PrivateKey::read(text.as_bytes(), None)) {
        (Some(ours), Ok(theirs)) if ours.public_key() != theirs.public_key() => {
            Err("another key than OpenSSL's".to_owned())
        }
        _ => Ok(()),
    }
}

/// What Python's cryptography opens of a directory: a line of JSON each, with the password that opens it, the
/// SHA-256 of its certificates, and the public key.
const BY_PYTHON: &str = r#"
import hashlib, json, os, sys, warnings
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.serialization import pkcs12
warnings.simplefilter("ignore")
directory, passwords = sys.argv[1], json.loads(sys.argv[2])
if directory == "vectors":
    import cryptography_vectors
    directory = os.path.dirname(cryptography_vectors.__file__)
for root, _, names in sorted(os.walk(directory)):
    for name in sorted(n for n in names if n.lower().endswith((".p12", ".pfx"))):
        path = os.path.join(root, name)
        data = open(path, "rb").read()
        for password in passwords + [None]:
            try:
                p12 = pkcs12.load_pkcs12(data, None if password is None else password.encode())
            except Exception:
                continue
            found = ([p12.cert] if p12.cert else []) + p12.additional_certs
            der = lambda c: c.certificate.public_bytes(s.Encoding.DER)
            key = p12.key and p12.key.public_key().public_bytes(
                s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo).hex()
            print(json.dumps({"file": path, "password": password, "key": key,
                "certificates": sorted(hashlib.sha256(der(c)).hexdigest() for c in found)}))
            break
        else:
            print(json.dumps({"file": path, "password": None, "closed": True}))
"#;

/// Every PKCS#12 file of the test suite of Python's cryptography, PKITS among it: all that it opens opens here,
/// and holds the same.
#[test]
fn the_test_suite_of_python_opens() {
    let Some(python) = python_with("cryptography_vectors") else { return };
    let passwords = serde_json::to_string(&PASSWORDS).unwrap();
    let said = python.run(&["-c", BY_PYTHON, "vectors", &passwords]);
    let (mut theirs, mut closed, mut failed) = (0, 0, Vec::new());
    for line in said.lines() {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        if found["closed"] == true {
            closed += 1;
            continue;
        }
        theirs += 1;
        if let Err(problem) = as_python(&found) {
            failed.push(format!("{}: {problem}", found["file"]));
        }
    }
    eprintln!("{theirs} files open in Python, {closed} do not, {} of them not here", failed.len());
    assert!(theirs > 400, "only {theirs} files were found");
    assert!(failed.is_empty(), "{} fail:\n{}", failed.len(), failed.join("\n"));
}

fn as_python(found: &serde_json::Value) -> Result<(), String> {
    let password = found["password"].as_str().map(Password::new);
    let options = OpenOptions {
        store_password: password.as_ref(),
        key_password: None,
        allow_unverified: true,
    };
    let bytes = fs::read(found["file"].as_str().unwrap()).unwrap();
    let store = open_with(&bytes, options).map_err(|e| e.to_string())?;
    let (mut certificates, mut keys) = (BTreeSet::new(), Vec::new());
    for entry in &store.entries {
        match entry.kind() {
            EntryKind::Key { pkcs8, chain } => {
                keys.push(pkcs8);
                certificates.extend(chain.iter().map(Certificate::fingerprint_sha256));
            }
            EntryKind::Trusted { certificate, .. } => {
                certificates.insert(certificate.fingerprint_sha256());
            }
            _ => {}
        }
    }
    let theirs: BTreeSet<String> =
        serde_json::from_value(found["certificates"].clone()).map_err(|e| e.to_string())?;
    if certificates != theirs {
        return Err(format!("{} certificates in place of {}", certificates.len(), theirs.len()));
    }
    match (found["key"].as_str(), keys.first()) {
        (None, None) => Ok(()),
        (Some(theirs), Some(ours)) => match PrivateKey::from_pkcs8(ours.expose()) {
            Ok(key) if hex(key.public_key().spki()) != theirs => Err("another key".to_owned()),
            // Of an algorithm that is not loaded: that there is one has been seen.
            _ => Ok(()),
        },
        (theirs, ours) => {
            Err(format!("a key: {} in place of {}", ours.is_some(), theirs.is_some()))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
