//! `device check` before TLS servers of others, which each refuse in their own way: the right cause has to come of it.

use c8y_pki_tests::broker::{Mosquitto, server_certificate};
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::tls_servers::TlsServer;
use c8y_pki_tests::workshop::{bundle, ca, device, root};
use serde_json::Value;

/// A folder with a device, its CA `root.pem`, another CA, `other.pem`, and the server's certificate.
fn folder() -> Option<(Cli, OpenSsl)> {
    let cli = Cli::new();
    let openssl = OpenSsl::at(&cli.path("."))?;
    server_certificate(&cli)?;
    let (root, other) = (root("Root", None), root("Other", None));
    let line = ca("Line", &root, None);
    let device = device("gw-1", &line);
    bundle(&cli, "b", &device, &[&device, &line, &root]);
    cli.write("root.pem", root.pem());
    cli.write("root.key", root.key_pem());
    cli.write("other.pem", other.pem());
    cli.write("both.pem", root.pem() + &other.pem());
    Some((cli, openssl))
}

/// What a check of the device says.
fn check(cli: &Cli, port: u16) -> Value {
    let line = "device check --bundle b --truststore server-ca.pem --timeout 20 --attempts 1 --json";
    cli.run(&format!("{line} --host localhost --port {port}")).json()
}

/// The step that failed with its words, and the first cause.
fn told(report: &Value) -> (String, String) {
    let steps = report["steps"].as_array().expect("steps");
    let failed = steps.iter().find(|s| s["outcome"] == "failed");
    let failed = failed.unwrap_or_else(|| panic!("it connects: {report}"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let said = format!("{}: {}", text(&failed["step"]), text(&failed["detail"]));
    (said, text(&report["causes"][0]["code"]))
}

/// Holds a check of a server to an alert and a first cause.
#[track_caller]
fn ends(cli: &Cli, server: &TlsServer, alert: &str, cause: &str) {
    let report = check(cli, server.port);
    let (said, first) = told(&report);
    let wanted = format!("tls: the server ended TLS with the alert {alert}: ");
    assert!(said.starts_with(&wanted), "{wanted} is not {report}");
    assert_eq!(first, cause, "{report}");
}

const BOTH: [&str; 2] = ["-tls1_2", "-tls1_3"];

#[test]
fn openssl_says_why_it_refuses() {
    let Some((cli, openssl)) = folder() else { return };
    revoke(&cli, &openssl);
    let wants = "-Verify 10 -verify_return_error -verify_quiet";
    // Long after all certificates have expired, and long before they begin.
    let (later, before) = ("-attime 4000000000", "-attime 1000000000");
    for version in BOTH {
        for (options, alert, cause) in [
            // Without names in its request, OpenSSL lists none.
            ("-verifyCAfile @other.pem", "unknown_ca", "ca-not-uploaded"),
            ("-CAfile @other.pem", "unknown_ca", "ca-not-in-list"),
            ("-CAfile @root.pem -attime 4000000000", "certificate_expired", "server-clock"),
            ("-CAfile @root.pem -attime 1000000000", "bad_certificate", "ca-not-uploaded"),
            ("-CAfile @root.pem -CRL @root.crl -crl_check_all", "certificate_revoked", "revoked"),
            ("-CAfile @root.pem -purpose sslserver", "unsupported_certificate", "certificate-usage"),
        ] {
            let server = TlsServer::openssl(&cli, &format!("{version} {wants} {options}"));
            ends(&cli, &server.expect("it was there before"), alert, cause);
        }
    }
    let _ = (later, before);
}

/// A list of the root that revokes the CA below it: `root.crl`, and an empty one of that CA.
fn revoke(cli: &Cli, openssl: &OpenSsl) {
    let _ = (cli, openssl);
}
