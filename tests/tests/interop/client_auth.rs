//! Chains of client certificates, of the families of x509-limbo (rfc5280::*, webpki::* for clients). The corpus
//! itself is not at hand, so tests/python/families.py makes them by its public descriptions. OpenSSL and
//! pyca/cryptography's verifier judge too.

use std::collections::BTreeMap;

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::{arg, python_dir, python_with, tool};

/// Where we accept and one of the others refuses, or the other way round, and why.
const DEPARTURES: [(&str, &str); 5] = [
    (
        "ca-without-usage",
        "pyca asks for a CA's key usage, RFC 5280, 6.1.4 (n) only for keyCertSign in it",
    ),
    (
        "eku-any",
        "OpenSSL does not take anyExtendedKeyUsage for clientAuth; RFC 5280, 4.2.1.12 and Java do",
    ),
    ("san-empty", "RFC 5280, 4.2.1.6: at least one name"),
    (
        "subject-empty-no-san",
        "RFC 5280, 4.1.2.6: then a critical subjectAltName; the platform wants a name",
    ),
    ("subject-empty-san-not-critical", "the same"),
];

/// What is refused for a duty of issuers, if that is asked for.
const STRICT: [&str; 5] = [
    "aki-missing-intermediate",
    "leaf-has-names-limits",
    "leaf-signs-certificates",
    "path-length-without-ca",
    "ski-missing-intermediate",
];

#[test]
fn client_certificates_are_judged_as_openssl_and_pyca_do() {
    let (Some(python), Some(openssl)) = (python_with("cryptography"), tool("openssl")) else {
        return;
    };
    let cli = Cli::new();
    python.run(&[arg(&python_dir().join("families.py")), &cli.arg("cases")]);
    let said = python.run(&[arg(&python_dir().join("clients.py")), &cli.arg("cases")]);
    let pyca: BTreeMap<&str, bool> = said
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(case, verdict)| (case, verdict == "accepted"))
        .collect();
    assert_eq!(pyca.len(), 46);
    let (mut departures, mut strict) = (Vec::new(), Vec::new());
    for (case, pyca) in pyca {
        let file = |name: &str| cli.arg(&format!("cases/{case}/{name}.pem"));
        let [root, above, leaf] = ["root", "above", "leaf"].map(file);
        let mut line = vec!["verify", "-purpose", "sslclient", "-auth_level", "2"];
        line.extend(["-CAfile", &root, "-untrusted", &above, &leaf]);
        let openssl = openssl.output(&line).status.success();
        let verify =
            format!("cert verify --trust cases/{case}/root.pem cases/{case}/chain.pem --json");
        let ours = cli.run(&verify).json()["valid"] == true;
        if ours != (openssl && pyca) {
            eprintln!("{case}: ours {ours}, OpenSSL {openssl}, pyca {pyca}");
            departures.push(case);
        }
        if ours && cli.run(&format!("{verify} --strict")).json()["valid"] != true {
            strict.push(case);
        }
    }
    let named = DEPARTURES.map(|(case, _)| case);
    assert_eq!((departures, strict), (named.to_vec(), STRICT.to_vec()));
}
