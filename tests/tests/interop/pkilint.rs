//! Certificates of the default profiles and CRLs before `pkilint`, an independent linter for
//! RFC 5280: no finding of the level WARNING or worse.

use std::fmt::Write;

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{Tool, python_tool};

/// Lints a file; adds what is found to `findings`.
pub(crate) fn lint(linter: &Tool, cli: &Cli, more: &[&str], file: &str, findings: &mut String) {
    let path = cli.arg(file);
    let args = [&["lint", "-s", "WARNING", "-f", "JSON"], more, &[&path]].concat();
    let output = linter.output(&args);
    let text = String::from_utf8_lossy(&output.stdout);
    let report: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    for result in report["results"].as_array().expect("results") {
        let _ = writeln!(findings, "{file}: {result}");
    }
}

#[test]
fn certificates_of_the_default_profiles() {
    let Some(linter) = python_tool("lint_pkix_cert") else { return };
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject 'CN=Root,O=Example GmbH,C=DE' {CA_PW}"));
    cli.ok(&format!("ca add line --parent root --subject 'CN=Line 7,O=Example GmbH,C=DE' {CA_PW}"));
    let subject = "--org 'Example GmbH' --country DE --org-unit Zähler";
    cli.ok(&format!("device issue gw-1 ünïcödé-7 --ca line --out out {subject} {CA_PW}"));
    let mut findings = String::new();
    for file in [
        "pki/ca/root/cert.pem",
        "pki/ca/line/cert.pem",
        "out/gw-1/cert.pem",
        "out/%C3%BCn%C3%AFc%C3%B6d%C3%A9-7/cert.pem",
    ] {
        lint(&linter, &cli, &[], file, &mut findings);
    }
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn certificates_of_every_key_type() {
    let Some(linter) = python_tool("lint_pkix_cert") else { return };
    let cli = Cli::with_cas();
    let mut findings = String::new();
    for key_type in ["rsa-2048", "ec-p384", "ec-p521", "ed25519"] {
        let line = format!("device issue {key_type} --ca line --out out --key-type {key_type}");
        cli.ok(&format!("{line} {CA_PW}"));
        lint(&linter, &cli, &[], &format!("out/{key_type}/cert.pem"), &mut findings);
    }
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn revocation_lists() {
    let Some(linter) = python_tool("lint_crl") else { return };
    let cli = Cli::with_cas();
    let mut findings = String::new();
    let mut lint_both = || {
        for ca in ["root", "line"] {
            cli.ok(&format!("ca crl {ca} {CA_PW}"));
            let file = format!("pki/ca/{ca}/crl.pem");
            lint(&linter, &cli, &["-t", "CRL", "-p", "PKIX"], &file, &mut findings);
        }
    };
    lint_both();
    // With an entry for each reason, and one without.
    let reasons = ["unspecified", "keyCompromise", "cessationOfOperation", "privilegeWithdrawn"];
    cli.ok(&format!("device issue {} --ca line --out out {CA_PW}", reasons.join(" ")));
    for reason in reasons {
        cli.ok(&format!("device revoke {reason} --reason {reason}"));
    }
    lint_both();
    assert!(findings.is_empty(), "{findings}");
}

#[test]
fn renewed_certificates() {
    let Some(linter) = python_tool("lint_pkix_cert") else { return };
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    cli.ok(&format!("ca renew root {CA_PW}"));
    cli.ok(&format!("ca renew line {CA_PW}"));
    cli.ok(&format!("ca renew line --new-key line-2 {CA_PW}"));
    cli.ok(&format!("device renew gw-1 --ca line-2 --out out --reuse-key {CA_PW}"));
    let mut findings = String::new();
    for file in [
        "pki/ca/root/cert.pem",
        "pki/ca/line/cert.pem",
        "pki/ca/line-2/cert.pem",
        "out/gw-1/cert.pem",
    ] {
        lint(&linter, &cli, &[], file, &mut findings);
    }
    assert!(findings.is_empty(), "{findings}");
}
