//! CAs made elsewhere: whatever `ca add --import` takes has devices that pass, here and at OpenSSL; what cannot
//! have any is refused before the first key. And policies, through the command line.

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::openssl::OpenSsl;

/// Extensions of a CA as people have them, how it is signed, and whether it can have devices.
struct Elsewhere {
    name: &'static str,
    extensions: &'static str,
    digest: &'static str,
    /// The words of the refusal, or of the warning; nothing to say if they are empty.
    taken: Result<&'static str, &'static str>,
}

const fn taken(name: &'static str, extensions: &'static str, said: &'static str) -> Elsewhere {
    Elsewhere { name, extensions, digest: "-sha256", taken: Ok(said) }
}

const fn refused(name: &'static str, extensions: &'static str, why: &'static str) -> Elsewhere {
    Elsewhere { name, extensions, digest: "-sha256", taken: Err(why) }
}

const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                  subjectKeyIdentifier=hash\n";

const CAS: [Elsewhere; 13] = [
    taken("plain", "", ""),
    taken("for-clients", "extendedKeyUsage=clientAuth", ""),
    taken("for-both", "extendedKeyUsage=serverAuth,clientAuth", ""),
    refused(
        "for-servers",
        "extendedKeyUsage=serverAuth",
        "an extended key usage without clientAuth",
    ),
    refused(
        "for-mail",
        "extendedKeyUsage=emailProtection",
        "an extended key usage without clientAuth",
    ),
    taken("within", "nameConstraints=critical,permitted;dirName:nothing", ""),
    taken("beside", "nameConstraints=critical,excluded;dirName:others", ""),
    taken("names-lax", "nameConstraints=excluded;dirName:others", "as critical"),
    taken("dns", "nameConstraints=critical,permitted;DNS:example.com", ""),
    refused("unknown", "1.3.6.1.4.1.99999.1=critical,DER:0500", "which is not understood here"),
    taken("policies", "certificatePolicies=1.3.6.1.4.1.99999.1", ""),
    Elsewhere { name: "sha-1", extensions: "", digest: "-sha1", taken: Ok("SHA-1") },
    refused(
        "told",
        "authorityInfoAccess=critical,caIssuers;URI:http://example.com/a",
        "marks the extension 1.3.6.1.5.5.7.1.1 as critical",
    ),
];

/// Makes a CA with OpenSSL: `<name>.pem` and `<name>.key`.
fn make(openssl: &OpenSsl, ca: &Elsewhere) {
    let Elsewhere { name, extensions, digest, .. } = ca;
    openssl.write(
        &format!("{name}.cnf"),
        format!("[req]\ndistinguished_name=dn\n[dn]\n[e]\n{CA}{extensions}\n[nothing]\n[others]\nO=Other\n"),
    );
    openssl.run(&format!(
        "req -x509 -config @{name}.cnf -extensions e -newkey ec -pkeyopt ec_paramgen_curve:P-256 {digest} \
         -nodes -days 30 -subj /CN={name} -keyout @{name}.key -out @{name}.pem"
    ));
}

#[test]
fn whatever_import_takes_has_devices_that_pass() {
    let cli = Cli::new();
    let Some(openssl) = OpenSsl::at(&cli.path("")) else { return };
    for ca in &CAS {
        let name = ca.name;
        make(&openssl, ca);
        let import = format!("ca add {name} --import {name}.pem --key {name}.key {CA_PW}");
        let outcome = cli.run(&import);
        match ca.taken {
            Ok(warning) => {
                assert_eq!(outcome.code, 0, "{name}: {outcome:?}");
                assert!(outcome.stderr.contains(warning), "{name}: {outcome:?}");
            }
            Err(why) => {
                assert_eq!(outcome.code, 2, "{name}: {outcome:?}");
                assert!(outcome.stderr.contains(why), "{name}: {outcome:?}");
                assert!(!cli.path(&format!("pki/ca/{name}")).exists(), "{name}");
                continue;
            }
        }
        let id = format!("d-{name}");
        cli.ok(&format!("device issue {id} --ca {name} --out out {CA_PW}"));
        cli.ok(&format!("cert verify --trust {name}.pem out/{id}/chain.pem --as-device {id}"));
        openssl.run(&format!(
            "verify -purpose sslclient -auth_level 2 -CAfile @{name}.pem @out/{id}/cert.pem"
        ));
    }
}

#[test]
fn a_device_that_name_constraints_exclude_gets_no_key() {
    let cli = Cli::new();
    let Some(openssl) = OpenSsl::at(&cli.path("")) else { return };
    make(&openssl, &CAS[6]);
    cli.ok(&format!("ca add beside --import beside.pem --key beside.key {CA_PW}"));
    let issue = format!("device issue d-1 d-2 --ca beside --out out {CA_PW} --org Other");
    let said = cli.run(&issue);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("excludes"), "{said:?}");
    assert!(!cli.path("out/d-1").exists() && !cli.path("out/d-2").exists());
    assert_eq!(cli.run("device list --json").expect(0).json_lines().len(), 0);
}

/// The code of the refusal, or nothing.
fn judged(cli: &Cli, line: &str) -> String {
    let json = cli.run(&format!("cert verify --json {line}")).json();
    json["refusal"]["rule"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn policies_are_asked_for_by_options() {
    const OURS: &str = "1.3.6.1.4.1.99999.1";
    let cli = Cli::new();
    let Some(openssl) = OpenSsl::at(&cli.path("")) else { return };
    openssl.root("root", c8y_pki_tests::openssl::EC);
    let below = |name: &str, issuer: &str, extensions: &str| {
        openssl.request(name);
        openssl.write("p.cnf", format!("[e]\nauthorityKeyIdentifier=keyid\n{extensions}\n"));
        openssl.run(&format!(
            "x509 -req -in @{name}.csr -CA @{issuer}.pem -CAkey @{issuer}.key -CAcreateserial -days 20 \
             -extfile @p.cnf -extensions e -out @{name}.pem"
        ));
    };
    below("line", "root", &format!("{CA}certificatePolicies={OURS}"));
    below("any", "root", &format!("{CA}certificatePolicies=2.5.29.32.0"));
    let mapped = "1.3.6.1.4.1.99999.2";
    let mapping = format!("{CA}certificatePolicies={OURS}\npolicyMappings={OURS}:{mapped}");
    below("mapped", "root", &mapping);
    let device =
        |policy: &str| format!("basicConstraints=critical,CA:FALSE\ncertificatePolicies={policy}");
    below("d-line", "line", &device(OURS));
    below("d-any", "any", &device(OURS));
    below("d-mapped", "mapped", &device(mapped));
    below("d-none", "line", "basicConstraints=critical,CA:FALSE");
    let chain = |name: &str, ca: &str| format!("--trust root.pem --untrusted {ca}.pem {name}.pem");
    let explicit = format!("--explicit-policy --policy {OURS}");
    // Our options, those of OpenSSL, and whether the chain is good.
    let cases = [
        ("d-line", "line", explicit.clone(), format!("-explicit_policy -policy {OURS}"), true),
        (
            "d-line",
            "line",
            format!("--explicit-policy --policy {mapped}"),
            format!("-explicit_policy -policy {mapped}"),
            false,
        ),
        ("d-none", "line", "--explicit-policy".into(), "-explicit_policy".into(), false),
        ("d-none", "line", format!("--policy {OURS}"), format!("-policy {OURS}"), true),
        ("d-any", "any", explicit.clone(), format!("-explicit_policy -policy {OURS}"), true),
        (
            "d-any",
            "any",
            format!("{explicit} --inhibit-any-policy"),
            format!("-explicit_policy -inhibit_any -policy {OURS}"),
            false,
        ),
        ("d-mapped", "mapped", explicit.clone(), format!("-explicit_policy -policy {OURS}"), true),
        (
            "d-mapped",
            "mapped",
            format!("{explicit} --inhibit-policy-mapping"),
            format!("-explicit_policy -inhibit_map -policy {OURS}"),
            false,
        ),
    ];
    for (name, ca, ours, theirs, good) in cases {
        let rule = judged(&cli, &format!("{} {ours}", chain(name, ca)));
        assert_eq!(rule, if good { "" } else { "explicit-policy" }, "{name} {ours}");
        let [root, ca, leaf] = ["root", ca, name].map(|n| openssl.arg(&format!("{n}.pem")));
        let line = format!("verify -policy_check {theirs} -CAfile {root} -untrusted {ca} {leaf}");
        let words: Vec<&str> = line.split(' ').collect();
        let openssl = c8y_pki_tests::tool("openssl").expect("it was there");
        assert_eq!(openssl.output(&words).status.success(), good, "{line}");
    }
}
