//! The examples of docs/how-to/choose-profile.md, each as it stands there: devices and servers made by them before
//! OpenSSL, pyca/cryptography and pkilint.

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{python_tool, python_with, tool};

const PAGE: &str = include_str!("../../../docs/how-to/choose-profile.md");

/// What OpenSSL says of the extensions of each example's certificate, in the order of the page.
const SAID: [(&str, &[&str]); 5] = [
    ("names.toml", &["URI:https://devices.example.com/gw-0001", "othername:"]),
    (
        "lists.toml",
        &[
            "URI:http://pki.example.com/line-7.crl",
            "OCSP - URI:http://ocsp.example.com/",
            "CA Issuers - URI:http://pki.example.com/line-7.cer",
        ],
    ),
    ("usages.toml", &["X509v3 Extended Key Usage: critical", "1.3.6.1.4.1.32473.2"]),
    ("own.toml", &["1.3.6.1.4.1.32473.1: \n", "gateway-v2", "Policy: 1.3.6.1.4.1.32473.3"]),
    ("broker.toml", &["DNS:gw-0001.plant.example.com", "TLS Web Server Authentication"]),
];

const PYTHON: &str = "
import sys
from cryptography import x509
cert = x509.load_pem_x509_certificate(open(sys.argv[1], 'rb').read())
names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
other = names.get_values_for_type(x509.OtherName)
print(other[0].type_id.dotted_string, other[0].value.hex())
";

/// The TOML of the page that begins with a comment of this name.
fn example(name: &str) -> &'static str {
    let mark = format!("# {name}\n");
    let found = PAGE.split("```toml\n").skip(1).find(|block| block.starts_with(&mark));
    let block = found.unwrap_or_else(|| panic!("the page has no example {name}"));
    block.split("```").next().unwrap_or_default()
}

/// Makes the certificate of each example; its file.
fn made(cli: &Cli, name: &str) -> String {
    cli.write(name, example(name));
    let id = "gw-0001";
    let out = name.trim_end_matches(".toml");
    let rest = format!("{id} --ca line --profile {name} --out {out} --pki {out}-pki {CA_PW}");
    cli.ok(&format!("ca init root --subject CN=Root --key-type ec-p256 --pki {out}-pki {CA_PW}"));
    cli.ok(&format!("ca add line --parent root --subject CN=Line --pki {out}-pki {CA_PW}"));
    match example(name).contains("kind = \"server\"") {
        true => cli.ok(&format!("server issue {rest}")),
        false => cli.ok(&format!("device issue {rest}")),
    };
    format!("{out}/{id}/cert.pem")
}

#[test]
fn examples_of_the_page_are_what_openssl_reads() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::new();
    for (name, parts) in SAID {
        let file = made(&cli, name);
        let said = openssl.run(&["x509", "-in", &cli.arg(&file), "-noout", "-text"]);
        for part in parts {
            assert!(said.contains(part), "{name}: {part:?} is not in\n{said}");
        }
        let out = name.trim_end_matches(".toml");
        let chain = [format!("{out}-pki/ca/root/cert.pem"), format!("{out}-pki/ca/line/cert.pem")];
        let [root, line] = chain.map(|path| cli.arg(&path));
        openssl.run(&["verify", "-CAfile", &root, "-untrusted", &line, &cli.arg(&file)]);
        // Ours reads them too.
        let shown = cli.ok(&format!("cert show {file}"));
        let hardware = "hardwareModuleName:1.3.6.1.4.1.32473.7:gw-0001";
        assert_eq!(shown.contains(hardware), name == "names.toml", "{shown}");
        // It judges as a server judges devices.
        if !example(name).contains("kind = \"server\"") {
            let chain = format!("{out}/gw-0001/chain.pem");
            cli.ok(&format!("cert verify {chain} --trust {out}-pki/ca/root/cert.pem"));
        }
    }
}

#[test]
fn pyca_reads_the_name_of_the_hardware() {
    let Some(python) = python_with("cryptography") else { return };
    let cli = Cli::new();
    let file = made(&cli, "names.toml");
    let said = python.run(&["-c", PYTHON, &cli.arg(&file)]);
    // SEQUENCE { OID 1.3.6.1.4.1.32473.7, OCTET STRING "gw-0001" } (RFC 4108, section 5).
    let value = "301406092b06010401 81fd5907 040767772d30303031".replace(' ', "");
    assert_eq!(said.trim(), format!("1.3.6.1.5.5.7.8.4 {value}"));
}

#[test]
fn pkilint_finds_nothing_in_them() {
    let Some(linter) = python_tool("lint_pkix_cert") else { return };
    let cli = Cli::new();
    let mut findings = String::new();
    for (name, _) in SAID {
        crate::pkilint::lint(&linter, &cli, &[], &made(&cli, name), &mut findings);
    }
    cli.ok(&format!("ca init edge --subject CN=Edge {CA_PW}"));
    // No wildcard: RFC 5280 leaves them to others (4.2.1.6), and this linter refuses them.
    for profile in ["server", "classic-server"] {
        cli.ok(&format!(
            "server issue {profile} --ca edge --profile {profile} --out servers {CA_PW} \
             --san DNS:a.example.com,IP:192.0.2.7,IP:2001:db8::7,URI:https://a.example.com/"
        ));
        let file = format!("servers/{profile}/cert.pem");
        crate::pkilint::lint(&linter, &cli, &[], &file, &mut findings);
    }
    assert!(findings.is_empty(), "{findings}");
}
