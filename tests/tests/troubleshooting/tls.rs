//! TLS that the server ends, and servers whose certificate signed itself.

use c8y_pki_tests::broker::{paper_broker, polite, server_certificate};
use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::tls_servers::{TlsServer, WANTS, many_cas};
use c8y_pki_tests::workshop::{bundle, ca, device, root};

use crate::rows::row;

/// A directory with the files of a device, its CA and the server's certificate.
fn folder() -> Option<(Cli, OpenSsl)> {
    let cli = Cli::new();
    server_certificate(&cli)?;
    let openssl = OpenSsl::at(&cli.path("."))?;
    let root = root("Root", None);
    let line = ca("Line", &root, None);
    let device = device("gw-1", &line);
    bundle(&cli, "b", &device, &[&device, &line, &root]);
    for (name, made) in [("root", &root), ("line", &line)] {
        cli.write(&format!("{name}.pem"), made.pem());
        cli.write(&format!("{name}.key"), made.key_pem());
    }
    openssl.root("other", c8y_pki_tests::openssl::EC);
    Some((cli, openssl))
}

fn check(cli: &Cli, port: u16, code: i32) -> Outcome {
    let line =
        "device check --bundle b --truststore server-ca.pem --timeout 20 --attempts 1 --json";
    cli.run(&format!("{line} --host localhost --port {port}")).expect(code)
}

/// A check of a server of OpenSSL that wants a certificate, with options.
fn before_openssl(cli: &Cli, options: &str) -> Outcome {
    let server = TlsServer::openssl(cli, &format!("{WANTS} {options}"));
    check(cli, server.expect("it was there before").port, 1)
}

#[test]
fn ca_not_in_list() {
    let Some((cli, _)) = folder() else { return };
    let report = row("ca-not-in-list").holds(&before_openssl(&cli, "-CAfile @other.pem"));
    assert_eq!(report["accepted_cas"]["number"], 1, "{report}");
}

#[test]
fn alert_unknown_ca() {
    let Some((cli, _)) = folder() else { return };
    row("alert-unknown-ca").holds(&before_openssl(&cli, "-verifyCAfile @other.pem"));
}

#[test]
fn alert_expired() {
    let Some((cli, _)) = folder() else { return };
    let outcome = before_openssl(&cli, "-CAfile @root.pem -attime 4000000000");
    row("alert-expired").holds(&outcome);
}

#[test]
fn alert_bad_certificate() {
    let Some((cli, _)) = folder() else { return };
    let outcome = before_openssl(&cli, "-CAfile @root.pem -attime 1000000000");
    row("alert-bad-certificate").holds(&outcome);
}

#[test]
fn alert_revoked() {
    let Some((cli, openssl)) = folder() else { return };
    openssl.revoke("line", "b/chain");
    cli.write("all.pem", cli.text("root.pem") + &cli.text("line.pem") + &cli.text("line.crl"));
    row("alert-revoked").holds(&before_openssl(&cli, "-CAfile @all.pem -crl_check"));
}

#[test]
fn tls_version() {
    let Some((cli, _)) = folder() else { return };
    row("tls-version").holds(&before_openssl(&cli, "-tls1_1 -cipher DEFAULT@SECLEVEL=0"));
}

#[test]
fn no_common_cipher() {
    let Some((cli, _)) = folder() else { return };
    let outcome = before_openssl(&cli, "-tls1_2 -cipher ECDHE-ECDSA-AES256-CCM");
    row("no-common-cipher").holds(&outcome);
}

#[test]
fn key_unsuited() {
    let Some((cli, _)) = folder() else { return };
    row("key-unsuited")
        .holds(&before_openssl(&cli, "-tls1_2 -CAfile @root.pem -client_sigalgs RSA+SHA256"));
}

#[test]
fn server_name_unknown() {
    let Some((cli, _)) = folder() else { return };
    let options = "-servername other -servername_fatal -cert2 @server.pem -key2 @server.key";
    row("server-name-unknown").holds(&before_openssl(&cli, options));
}

#[test]
fn ca_list_too_long() {
    let Some((cli, _)) = folder() else { return };
    cli.write("many.pem", many_cas(840).concat());
    row("ca-list-too-long").holds(&before_openssl(&cli, "-CAfile @many.pem"));
}

#[test]
fn edge_server_certificate() {
    let Some((cli, openssl)) = folder() else { return };
    openssl.self_signed("server", "/CN=localhost", "-addext subjectAltName=DNS:localhost");
    let port = paper_broker(&cli, polite);
    // The truststore has the certificate that the server had before.
    openssl.self_signed("former", "/CN=localhost", "-addext subjectAltName=DNS:localhost");
    cli.write("server-ca.pem", cli.text("former.pem"));
    let report = row("edge-server-certificate").holds(&check(&cli, port, 2));
    let detail = report["steps"][6]["detail"].as_str().expect("text");
    assert!(detail.ends_with(", and it has another one of that name"), "{detail}");
    // With exactly the right one it is let in.
    cli.write("server-ca.pem", cli.text("server.pem"));
    check(&cli, port, 0);
}
