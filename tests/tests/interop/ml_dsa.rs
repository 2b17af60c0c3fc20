//! ML-DSA (RFC 9881) between us and pyca/cryptography with its OpenSSL, in both directions, and by an example of the
//! RFC. What cannot take such keys says so.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::{KeyType, MlDsa, SignatureAlgorithm};
use c8y_pki_core::csr;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::{Tool, arg, data_dir, python_dir, python_with};

/// Python with ML-DSA: cryptography 47 or later.
fn python() -> Option<Tool> {
    python_with("cryptography.hazmat.primitives.asymmetric.mldsa")
}

fn run(python: &Tool, cli: &Cli, args: &[&str]) -> String {
    let script = python_dir().join("mldsa.py");
    let dir = cli.arg("");
    let (mode, more) = args.split_first().expect("a mode");
    python.run(&[&[arg(&script), mode, &dir], more].concat())
}

/// A root, a CA, a device, a request, a list and a manifest, each by another parameter set.
fn made() -> Cli {
    let cli = Cli::new();
    let warned = |line: &str| {
        let done = cli.run(&format!("{line} {CA_PW}")).expect(0);
        assert!(
            done.stderr.contains("warning: the platform's documentation names RSA and EC keys"),
            "{done:?}"
        );
    };
    warned("ca init --subject 'CN=Root,O=Example' --key-type ml-dsa-87");
    warned("ca add line --parent root --subject 'CN=Line,O=Example' --key-type ml-dsa-65");
    warned("device issue d gone --ca line --out out --key-type ml-dsa-44 --bundle pem");
    cli.ok(&format!("device manifest --out ho {CA_PW}"));
    cli.ok("device revoke gone --yes");
    cli.ok(&format!("ca crl line --out line.crl {CA_PW}"));
    cli.ok("key new --type ml-dsa-87 --plain --out ours.key");
    let key = PrivateKey::read(&cli.read("ours.key"), None).expect("a key");
    let request = csr::make(&Name::parse("CN=ours").expect("a name"), &key).expect("a request");
    cli.write("ours.csr", csr::pem(&request));
    cli
}

#[test]
fn pyca_verifies_what_we_make() {
    let Some(python) = python() else { return };
    let cli = made();
    let said = run(&python, &cli, &["judge", PASSWORD]);
    let oid = |last: u8| format!("2.16.840.1.101.3.4.3.{last}");
    let wanted = [
        format!("leaf MLDSA44PrivateKey {}/None", oid(18)),
        format!("line MLDSA65PublicKey {}/None", oid(19)),
        format!("root MLDSA87PublicKey {}/None", oid(19)),
        format!("list {} 1", oid(18)),
        format!("request {}", oid(19)),
        "manifest".to_owned(),
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn we_verify_what_pyca_makes() {
    let Some(python) = python() else { return };
    let cli = Cli::with_cas();
    run(&python, &cli, &["make"]);
    let said = cli.ok("cert verify theirs.pem --trust their-root.pem --as-device theirs");
    assert!(said.starts_with("valid"), "{said}");
    assert_eq!(said.matches("no ML-DSA-").count(), 2, "{said}");
    // Another root of the same name and type has not signed it.
    std::fs::rename(cli.path("their-root.pem"), cli.path("first.pem")).expect("renamed");
    run(&python, &cli, &["make"]);
    std::fs::rename(cli.path("theirs.pem"), cli.path("second.pem")).expect("renamed");
    let other = cli.run("cert verify second.pem --trust first.pem --json").expect(1).json();
    assert_eq!(other["valid"], false, "{other}");
    // Their key signs for us, and their request is signed.
    cli.ok(&format!("ca add theirs --import their-root.pem --key their-root.key {CA_PW}"));
    cli.ok(&format!("device sign theirs.csr --ca theirs --out out {CA_PW}"));
    cli.ok("cert verify out/r-1/chain.pem --trust their-root.pem --as-device r-1");
    cli.ok("registry check");
}

/// RFC 9881, appendix C: the certificate of ML-DSA-44, which has signed itself. Its key is that of the seed 00 01 … 1f.
#[test]
fn the_example_of_the_rfc_is_verified() {
    let pem = std::fs::read(data_dir().join("rfc9881/ML-DSA-44.crt")).expect("the example");
    let certificate = Certificate::all_from_pem_or_der(&pem).expect("a certificate").remove(0);
    let key = certificate.public_key.as_ref().expect("a key");
    assert_eq!(certificate.signature_algorithm, Ok(SignatureAlgorithm::MlDsa(MlDsa::P44)));
    certificate.verify_signature(key).expect("its own signature");
    let seed: Vec<u8> = (0..32).collect();
    let pkcs8 = [&hex("3034020100300b060960864801650304031104228020")[..], &seed].concat();
    let private = PrivateKey::from_pkcs8(&pkcs8).expect("a key");
    assert_eq!(private.public_key(), key);
    assert_eq!(private.pkcs8().expose(), pkcs8);
    // What is signed counts: here the serial number.
    let mut forged = certificate.der().to_vec();
    forged[20] ^= 1;
    let forged = Certificate::from_der(&forged).expect("a certificate");
    assert!(forged.verify_signature(key).is_err());
}

fn hex(digits: &str) -> Vec<u8> {
    c8y_pki_core::crypto::unhex(digits).expect("digits")
}

#[test]
fn what_cannot_take_such_keys_says_so() {
    let cli = made();
    for (kind, name) in [("p12", "PKCS#12"), ("jks", "JKS")] {
        let issue =
            format!("device issue s --ca line --out out --key-type ml-dsa-44 --bundle {kind}");
        let refused = cli.run(&format!("{issue} --store-password-file pw {CA_PW}")).expect(2);
        let wanted = format!("a {name} store is not written with an ML-DSA-44 key");
        assert!(refused.error().contains(&wanted), "{refused:?}");
        assert!(refused.stderr.contains("take PEM for the key"), "{refused:?}");
        assert!(!cli.path("out/s").exists());
        // An order that could never be issued is not taken.
        cli.write("list.csv", "id\ns\n");
        let order = "order create o --from list.csv --ca line --key-type ml-dsa-44 --bundle pem,";
        let refused = cli.run(&format!("{order}{kind}")).expect(2);
        assert!(refused.error().contains(&wanted), "{refused:?}");
        cli.run("order show o").expect(2);
    }
    // Keys of its own do not matter for a truststore.
    cli.ok(&format!(
        "device issue t --ca line --out out --key-type ml-dsa-44 --bundle pem,truststore-p12 \
         --server-cert pki/ca/root/cert.pem --store-password-file pw {CA_PW}"
    ));
    cli.write("code", "abc");
    let pop = cli.run(&format!("pop sign code --ca line {CA_PW}")).expect(2);
    assert!(
        pop.error().contains("a key of type ML-DSA-65 gives no signature with SHA-256"),
        "{pop:?}"
    );
    let unknown = cli.run("key new --type ml-dsa-66 --out k").expect(2);
    assert!(unknown.stderr.contains("ml-dsa-44, ml-dsa-65, ml-dsa-87"), "{unknown:?}");
}

/// The sandbox has the documentation's opinion: no such CA is trusted, and no such signature is taken in the handshake.
#[test]
fn the_sandbox_takes_no_such_keys() {
    let at = AtTenant::new(made());
    let refused = at.run("tenant trust add --ca line").expect(1);
    assert!(refused.error().contains("its key is of type ML-DSA-65, not RSA or EC"), "{refused:?}");
    let port = at.sandbox.mqtt_port();
    let check =
        format!("device check d --port {port} --truststore sandbox-ca.pem --attempts 1 --json");
    let report = at.run(&check).expect(1).json();
    let causes: Vec<&str> = report["causes"]
        .as_array()
        .expect("causes")
        .iter()
        .filter_map(|c| c["code"].as_str())
        .collect();
    assert_eq!(causes.first(), Some(&"key-unsuited"), "{report}");
    // What it would be told by a server that takes them is noted before it connects.
    let notes = report["notes"].to_string();
    assert!(notes.contains("has a key of type ML-DSA-44"), "{report}");
}

/// Each command that makes such a key, or certifies one that is there, warns before it is relied on.
#[test]
fn every_command_warns_of_such_keys() {
    let cli = made();
    let makes = |line: &str| {
        let done = cli.run(line).expect(0);
        let warnings = done.stderr.matches("documentation names RSA and EC keys").count();
        assert_eq!(warnings, 1, "{line}: {done:?}");
    };
    let with_key = |line: &str| makes(&format!("{line} {CA_PW}"));
    makes("key new --type ml-dsa-44 --plain --out k.key");
    makes("key pool fill --type ml-dsa-44 --count 1 --pool-password-file pw");
    with_key("ca renew line --parent-password-file pw");
    with_key("ca renew line --new-key line-b --key-type ml-dsa-44 --parent-password-file pw");
    with_key("ca add plain --parent root --subject CN=Plain --key-type ec-p256");
    with_key("ca request new --subject CN=New --key-type ml-dsa-65 --out new.csr");
    with_key("ca sign-request new.csr --ca root --out new.pem --yes");
    with_key("server issue broker --ca line --san DNS:broker.example.com --out servers");
    with_key("server renew broker");
    // Under a root of the usual kind, so that the devices' own keys are what counts.
    cli.ok(&format!("ca init usual --subject CN=Usual {CA_PW}"));
    with_key("device sign ours.csr --ca usual --out out");
    with_key("device issue e --ca usual --out out --key-type ml-dsa-44");
    with_key("device renew e --out out --reuse-key");
    with_key("device renew ours --csr ours.csr --out out");
    let usual = cli.run(&format!("device issue f --ca usual --out out {CA_PW}")).expect(0);
    assert!(!usual.stderr.contains("documentation names"), "{usual:?}");
}

#[test]
fn a_plan_warns_of_such_keys() {
    let cli = Cli::new();
    let profile = cli.ok("profile show device");
    cli.write("demo/trial.toml", profile.replace("\"ec-p256\"", "\"ml-dsa-44\""));
    let file = cli.ok("profile show rollout.toml").replace("\"device\"", "\"trial.toml\"");
    cli.write("demo/rollout.toml", &file);
    cli.write("demo/devices.csv", "id\ngw-1\n");
    // The keystore that the file asks for is not made of such a key: it is said before anything is made.
    for command in ["rollout demo/rollout.toml --plan", "rollout demo/rollout.toml"] {
        let refused = cli.run(command).expect(2);
        let wanted = "a PKCS#12 store is not written with an ML-DSA-44 key";
        assert!(refused.error().contains(wanted), "{refused:?}");
        assert!(refused.error().contains("rollout.toml line "), "{refused:?}");
        assert!(!cli.path("demo/pki").exists() && !cli.path("demo/secrets").exists());
    }
    cli.write("demo/rollout.toml", file.replace("\"p12\", ", ""));
    let plan = cli.run("rollout demo/rollout.toml --plan").expect(0);
    assert!(
        plan.stderr.contains(
            "warning: the platform's documentation names RSA and EC keys and no ML-DSA-44"
        ),
        "{plan:?}"
    );
}

/// Keys as FIPS 204's known answers have them, expanded and without a seed, sign and are written as they came.
#[test]
fn every_form_of_a_private_key_is_read() {
    let Some(python) = python_with("cryptography_vectors") else { return };
    let folder = python.run(&["-c", "import cryptography_vectors as v; print(v.__path__[0])"]);
    let folder = std::path::Path::new(folder.trim()).join("asymmetric/MLDSA");
    let kat = std::fs::read_to_string(folder.join("kat_MLDSA_65_det_pure.rsp")).expect("answers");
    let field = |name: &str| {
        let line = kat.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        hex(line.unwrap_or_else(|| panic!("no {name}")))
    };
    let (seed, public, expanded) = (field("xi"), field("pk"), field("sk"));
    let der = |tag: u8, contents: &[u8]| {
        let len = contents.len();
        let head = match len {
            0..128 => vec![tag, u8::try_from(len).expect("short")],
            _ => [&[tag, 0x82][..], &u16::try_from(len).expect("short").to_be_bytes()].concat(),
        };
        [head, contents.to_vec()].concat()
    };
    let pkcs8 = |inner: &[u8]| {
        let id = hex("300b0609608648016503040312");
        der(0x30, &[&[2, 1, 0], &id[..], &der(4, inner)].concat())
    };
    let (seed, expanded) = (der(0x80, &seed), der(4, &expanded));
    let both = der(0x30, &[der(4, &seed[2..]), expanded.clone()].concat());
    for (inner, written) in [(&seed, &seed), (&expanded, &expanded), (&both, &seed)] {
        let key = PrivateKey::from_pkcs8(&pkcs8(inner)).expect("a key");
        assert_eq!(key.public_key().bits(), public);
        assert_eq!(key.pkcs8().expose(), pkcs8(written));
        let again = PrivateKey::read(key.to_pem().expose(), None).expect("a key");
        assert_eq!(again.public_key(), key.public_key());
    }
    // Both halves, of two keys.
    let other = PrivateKey::generate(KeyType::MlDsa(MlDsa::P65)).expect("a key");
    let other = &other.pkcs8().expose()[other.pkcs8().expose().len() - 32..];
    let mixed = der(0x30, &[der(4, other), expanded].concat());
    assert!(PrivateKey::from_pkcs8(&pkcs8(&mixed)).is_err());
}
