//! The same chains judged by `openssl verify -x509_strict` and by us. They must agree, except
//! where a case says why not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::chain::{Options, verify};

const KEY_IDS: &str = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid,issuer:always";
const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign";
const DEVICE: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who accepts a chain.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Both,
    Nobody,
    /// With the reason why we do not.
    OnlyOpenssl(&'static str),
    /// With the reason why we do.
    OnlyUs(&'static str),
}
use Expected::{Both, Nobody, OnlyOpenssl, OnlyUs};

/// A certificate to make: its subject, its extensions, and for how many days it is valid.
struct Spec {
    subject: &'static str,
    extensions: String,
    days: u32,
}

fn spec(subject: &'static str, extensions: &[&str]) -> Spec {
    Spec { subject, extensions: extensions.join("\n"), days: 30 }
}

fn root() -> Spec {
    spec("/CN=Root", &[KEY_IDS, CA])
}

fn ca(subject: &'static str) -> Spec {
    spec(subject, &[KEY_IDS, CA])
}

fn device() -> Spec {
    spec("/CN=device-1", &[KEY_IDS, DEVICE])
}

fn path_length(subject: &'static str, length: &str) -> Spec {
    let constraints = format!("basicConstraints=critical,CA:TRUE,pathlen:{length}");
    spec(subject, &[KEY_IDS, &constraints, "keyUsage=critical,keyCertSign"])
}

fn short(mut spec: Spec) -> Spec {
    spec.days = 1;
    spec
}

/// Extensions of an intermediate, besides the key identifiers.
const INTERMEDIATES: [(&str, &[&str], Expected); 9] = [
    ("no basic constraints", &["keyUsage=keyCertSign"], Nobody),
    (
        "not critical",
        &["basicConstraints=CA:TRUE", "keyUsage=keyCertSign"],
        OnlyUs(
            "RFC 5280, 4.2.1.9, is a duty of issuers; OpenSSL looks at it with -x509_strict only",
        ),
    ),
    ("no keyCertSign", &["basicConstraints=critical,CA:TRUE", "keyUsage=cRLSign"], Nobody),
    ("usage not critical", &["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"], Both),
    (
        "no key usage",
        &["basicConstraints=critical,CA:TRUE"],
        OnlyUs("RFC 5280, 6.1.4 (n) asks for keyCertSign if there is a key usage"),
    ),
    ("no CA", &[DEVICE], Nobody),
    ("for servers", &[CA, "extendedKeyUsage=serverAuth"], Nobody),
    ("unknown critical", &[CA, "1.2.3.4=critical,DER:0500"], Nobody),
    (
        "policy demanded",
        &[CA, "policyConstraints=critical,requireExplicitPolicy:0"],
        OnlyOpenssl("it looks at policies only when told to"),
    ),
];

/// Extensions of a device, besides the key identifiers.
const DEVICES: [(&str, &str, Expected); 9] = [
    ("no extensions", "", Both),
    ("digitalSignature", "keyUsage=digitalSignature", Both),
    ("keyEncipherment", "keyUsage=keyEncipherment", Nobody),
    ("keyAgreement", "keyUsage=keyAgreement", Both),
    ("for clients", "extendedKeyUsage=clientAuth", Both),
    ("for servers", "extendedKeyUsage=serverAuth", Nobody),
    ("unknown critical", "1.2.3.4=critical,DER:0500", Nobody),
    ("unknown", "1.2.3.4=DER:0500", Both),
    ("everything", EVERYTHING, Both),
];

/// Extensions that play no part, in all their forms.
const EVERYTHING: &str = "\
crlDistributionPoints=URI:http://example.com/a.crl,URI:http://example.com/b.crl
authorityInfoAccess=OCSP;URI:http://example.com/ocsp,caIssuers;URI:http://example.com/ca.cer
subjectInfoAccess=caRepository;URI:http://example.com/
issuerAltName=email:ca@example.com
certificatePolicies=1.2.3,@policy
tlsfeature=status_request
nsComment=made by hand
nsCertType=client
subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b,RID:1.2.3.4,dirName:dir,DNS:*.example.com,\
URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6,IP:2001:db8::1,email:a@example.com
[policy]
policyIdentifier=1.3.5.8
CPS.1=http://example.com/cps
userNotice.1=@notice
[notice]
explicitText=text
organization=Example
noticeNumbers=1,2
[dir]
CN=other name
";

/// Name constraints of the root, and a name of the device.
const NAMES: [(&str, &str, Expected); 13] = [
    ("permitted;DNS:example.com", "DNS:a.example.com", Both),
    ("permitted;DNS:example.com", "DNS:example.org", Nobody),
    ("excluded;DNS:example.com", "DNS:a.example.com", Nobody),
    ("excluded;DNS:example.com", "DNS:notexample.com", Both),
    ("permitted;email:example.com", "email:a@example.com", Both),
    ("permitted;email:example.com", "email:a@b.example.com", Nobody),
    ("permitted;email:.example.com", "email:a@b.example.com", Both),
    ("permitted;IP:192.0.2.0/255.255.255.0", "IP:192.0.2.9", Both),
    ("permitted;IP:192.0.2.0/255.255.255.0", "IP:192.0.3.9", Nobody),
    ("permitted;URI:.example.com", "URI:mqtts://b.example.com:8883/", Both),
    ("permitted;URI:.example.com", "URI:mqtts://example.com:8883/", Nobody),
    ("permitted;IP:192.0.2.0/255.255.255.0", "DNS:example.com", Both),
    (
        "permitted;DNS:.example.com",
        "DNS:a.example.com",
        OnlyOpenssl("RFC 5280, 4.2.1.10 has no leading dot for DNS names"),
    ),
];

/// Chains from the root down.
fn cases() -> Vec<(String, Vec<Spec>, Expected)> {
    let mut cases = lengths_and_times();
    for (name, extensions, expected) in INTERMEDIATES {
        let chain = vec![root(), spec("/CN=A", &[&[KEY_IDS], extensions].concat()), device()];
        cases.push((format!("intermediate: {name}"), chain, expected));
    }
    for (name, extensions, expected) in DEVICES {
        let chain = vec![root(), spec("/CN=device-1", &[KEY_IDS, extensions])];
        cases.push((format!("device: {name}"), chain, expected));
    }
    for (constraint, name, expected) in NAMES {
        let constraint_line = format!("nameConstraints=critical,{constraint}");
        let name_line = format!("subjectAltName={name}");
        let chain = vec![
            spec("/CN=Root", &[KEY_IDS, CA, &constraint_line]),
            spec("/CN=device-1", &[KEY_IDS, DEVICE, &name_line]),
        ];
        cases.push((format!("{name} under {constraint}"), chain, expected));
    }
    cases
}

fn lengths_and_times() -> Vec<(String, Vec<Spec>, Expected)> {
    let of = path_length;
    let cases = [
        ("plain", vec![root(), device()], Both),
        ("four", vec![root(), ca("/CN=A"), ca("/CN=B"), device()], Both),
        ("length kept", vec![of("/CN=R", "1"), of("/CN=A", "0"), device()], Both),
        ("length of the anchor", vec![of("/CN=R", "0"), ca("/CN=A"), device()], Nobody),
        ("length of a CA", vec![root(), of("/CN=A", "0"), ca("/CN=B"), device()], Nobody),
        ("self-issued", vec![root(), of("/CN=A", "0"), of("/CN=A", "0"), device()], Both),
        ("expired device", vec![root(), short(device())], Nobody),
        ("expired CA", vec![root(), short(ca("/CN=A")), device()], Nobody),
        ("expired anchor", vec![short(root()), device()], Nobody),
    ];
    cases.map(|(name, chain, expected)| (name.to_owned(), chain, expected)).into()
}

#[test]
fn openssl_agrees_about_chains() {
    let works = |o: std::process::Output| o.status.success() && o.stdout.starts_with(b"OpenSSL 3");
    if !Command::new("openssl").arg("version").output().is_ok_and(works) {
        println!("left out: the comparison with OpenSSL, which needs openssl 3 in the path");
        return;
    }
    let mut wrong = Vec::new();
    for (name, chain, expected) in cases() {
        let dir = tempfile::tempdir().unwrap();
        let files = make(dir.path(), &chain);
        let certs: Vec<Certificate> = files.iter().map(|file| read(file)).collect();
        let at = certs[0].not_before + 5 * DAY;
        let openssl = openssl_accepts(dir.path(), &files, at.unix_timestamp());
        let leaf = certs.last().unwrap();
        let ours = verify(leaf, &certs[1..certs.len() - 1], &certs[..1], &Options::new(at));
        let agreed = match expected {
            Both => (true, true),
            Nobody => (false, false),
            OnlyOpenssl(_) => (true, false),
            OnlyUs(_) => (false, true),
        };
        if (openssl, ours.is_ok()) != agreed {
            wrong
                .push(format!("{name}: {expected:?}, but OpenSSL says {openssl}, and we {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Makes the chain with OpenSSL; the files are in the order of the specs.
fn make(dir: &Path, chain: &[Spec]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (i, spec) in chain.iter().enumerate() {
        let path = |suffix: &str| dir.join(format!("{i}.{suffix}"));
        let config = format!(
            "[req]\ndistinguished_name=dn\nstring_mask=utf8only\n[dn]\n[e]\n{}\n",
            spec.extensions
        );
        std::fs::write(path("cnf"), config).unwrap();
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-nodes", "-sha256", "-extensions", "e", "-subj", spec.subject]);
        command.args(["-days", &spec.days.to_string()]);
        command.arg("-config").arg(path("cnf"));
        command.arg("-keyout").arg(path("key")).arg("-out").arg(path("pem"));
        if let Some(issuer) = files.last() {
            command.arg("-CA").arg(issuer).arg("-CAkey").arg(issuer.with_extension("key"));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        files.push(path("pem"));
    }
    files
}

fn read(file: &Path) -> Certificate {
    Certificate::all_from_pem_or_der(&std::fs::read(file).unwrap()).unwrap().remove(0)
}

fn openssl_accepts(dir: &Path, files: &[PathBuf], at: i64) -> bool {
    let (leaf, above) = files.split_last().unwrap();
    let untrusted = dir.join("untrusted.pem");
    let texts: Vec<String> =
        above.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    std::fs::write(&untrusted, texts.concat()).unwrap();
    let mut command = Command::new("openssl");
    command.args(["verify", "-x509_strict", "-purpose", "sslclient", "-auth_level", "2"]);
    command.args(["-attime", &at.to_string()]).arg("-CAfile").arg(&files[0]);
    command.arg("-untrusted").arg(untrusted).arg(leaf);
    command.output().unwrap().status.success()
}
