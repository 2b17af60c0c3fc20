//! `device check` before TLS servers of others, which each refuse in their own way: the right cause has to come of it.

use std::io::{Read, Write};

use c8y_pki_tests::broker::{Mosquitto, listen, server_certificate};
use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::tls_servers::{TlsServer, WANTS, many_cas};
use c8y_pki_tests::workshop::{bundle, ca, device, root};
use serde_json::Value;

/// A directory with a device, its CA `root.pem`, another CA, `other.pem`, and the server's certificate.
fn folder() -> Option<Cli> {
    let cli = Cli::new();
    server_certificate(&cli)?;
    let (root, other) = (root("Root", None), root("Other", None));
    let line = ca("Line", &root, None);
    let device = device("gw-1", &line);
    bundle(&cli, "b", &device, &[&device, &line, &root]);
    cli.write("root.pem", root.pem());
    cli.write("line.pem", line.pem());
    cli.write("line.key", line.key_pem());
    cli.write("other.pem", other.pem());
    Some(cli)
}

/// What a check of the device says.
fn check(cli: &Cli, port: u16) -> Value {
    let line =
        "device check --bundle b --truststore server-ca.pem --timeout 20 --attempts 1 --json";
    cli.run(&format!("{line} --host localhost --port {port}")).json()
}

/// Holds a check to the step that failed with its words, and to the first cause.
#[track_caller]
fn told(report: &Value, words: &str, cause: &str) {
    let steps = report["steps"].as_array().expect("steps");
    let failed = steps.iter().find(|s| s["outcome"] == "failed");
    let failed = failed.unwrap_or_else(|| panic!("it connects: {report}"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let said = format!("{}: {}", text(&failed["step"]), text(&failed["detail"]));
    assert!(said.contains(words), "{words:?} is not in {report}");
    assert_eq!(report["causes"][0]["code"], cause, "{report}");
}

/// The words of a step that ends with an alert.
fn with_alert(alert: &str) -> String {
    format!("tls: the server ended TLS with the alert {alert}: ")
}

const BOTH: [&str; 2] = ["-tls1_2", "-tls1_3"];

#[test]
fn openssl_says_why_it_refuses_a_certificate() {
    let Some(cli) = folder() else { return };
    let openssl = OpenSsl::at(&cli.path(".")).expect("it was there before");
    openssl.revoke("line", "b/chain");
    cli.write("revoking.pem", cli.text("root.pem") + &cli.text("line.pem") + &cli.text("line.crl"));
    for version in BOTH {
        for (options, alert, cause) in [
            // Here OpenSSL lists nothing, and there it lists what it trusts.
            ("-verifyCAfile @other.pem", "unknown_ca", "ca-not-uploaded"),
            ("-CAfile @other.pem", "unknown_ca", "ca-not-in-list"),
            ("-CAfile @root.pem -attime 4000000000", "certificate_expired", "server-clock"),
            ("-CAfile @root.pem -attime 1000000000", "bad_certificate", "certificate-refused"),
            ("-CAfile @revoking.pem -crl_check", "certificate_revoked", "revoked"),
        ] {
            let server = TlsServer::openssl(&cli, &format!("{version} {WANTS} {options}"));
            let report = check(&cli, server.expect("it was there before").port);
            told(&report, &with_alert(alert), cause);
            assert_eq!(report["verdict"], "refused", "{report}");
        }
    }
}

#[test]
fn openssl_says_which_settings_it_misses() {
    let Some(cli) = folder() else { return };
    for (options, alert, cause) in [
        ("-tls1_2 -cipher ECDHE-ECDSA-AES256-CCM", "handshake_failure", "no-common-tls"),
        ("-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256", "handshake_failure", "no-common-tls"),
        ("-tls1_1 -cipher DEFAULT@SECLEVEL=0", "protocol_version", "tls-version"),
        ("-tls1_2 -client_sigalgs RSA+SHA256", "handshake_failure", "key-unsuited"),
        ("-tls1_3 -client_sigalgs rsa_pss_rsae_sha256", "certificate_required", "key-unsuited"),
        (
            "-servername other -servername_fatal -cert2 @server.pem -key2 @server.key",
            "unrecognized_name",
            "host-name",
        ),
    ] {
        let server = TlsServer::openssl(&cli, &format!("{WANTS} -CAfile @root.pem {options}"));
        let report = check(&cli, server.expect("it was there before").port);
        told(&report, &with_alert(alert), cause);
    }
}

#[test]
fn a_server_of_an_old_version_is_told_without_an_alert() {
    let Some(cli) = folder() else { return };
    // ServerHello of TLS 1.1: version, random, no session, a cipher, no compression.
    let hello = [&[2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
    let record = [&[22, 3, 2, 0, 42][..], &hello].concat();
    let port = listen(move |mut stream| {
        let _ = stream.read(&mut [0; 2048]);
        let _ = stream.write_all(&record);
        let _ = stream.read(&mut [0; 64]);
    });
    told(&check(&cli, port), "the server speaks neither TLS 1.2 nor TLS 1.3", "tls-version");
}

#[test]
fn lists_of_any_length_are_told() {
    let Some(cli) = folder() else { return };
    let root = cli.text("root.pem");
    // Each name takes 79 bytes. The last list but one still fits into its length, and fills the buffer of the TLS
    // library, which tells no error of its own for it; the last one does not fit, so that the server gives up.
    let all = many_cas(840);
    let too_large = ("sends a TLS handshake larger than 64 KiB", "ca-list-too-large");
    let failed = with_alert("internal_error");
    let failed = (failed.as_str(), "server-failed");
    for (version, number, wanted) in [
        ("-tls1_2", 200, None),
        ("-tls1_3", 200, None),
        ("-tls1_2", 829, Some(too_large)),
        ("-tls1_3", 828, Some(too_large)),
        ("-tls1_2", 840, Some(failed)),
        ("-tls1_3", 840, Some(failed)),
    ] {
        cli.write("many.pem", format!("{root}{}", all[..number].concat()));
        let options = format!("{version} {WANTS} -CAfile @many.pem");
        let Some(server) = TlsServer::openssl(&cli, &options) else { return };
        let report = check(&cli, server.port);
        match wanted {
            Some((words, cause)) => {
                told(&report, words, cause);
                assert_eq!(report["accepted_cas"], Value::Null, "{report}");
            }
            None => {
                let list = &report["accepted_cas"];
                assert_eq!((&list["number"], &list["listed"]), (&201.into(), &"CN=Root".into()));
            }
        }
    }
}

#[test]
fn gnutls_refuses_in_its_own_words() {
    let Some(cli) = folder() else { return };
    for (ca, priority, alert, cause) in [
        ("other.pem", "NORMAL:-VERS-TLS1.3", "access_denied", "ca-not-in-list"),
        ("other.pem", "NORMAL", "access_denied", "ca-not-in-list"),
        ("root.pem", "NORMAL:-VERS-ALL:+VERS-TLS1.1", "handshake_failure", "no-common-tls"),
        ("root.pem", "NORMAL:-CIPHER-ALL:+CAMELLIA-256-GCM", "handshake_failure", "no-common-tls"),
    ] {
        let Some(server) = TlsServer::gnutls(&cli, ca, priority) else { return };
        told(&check(&cli, server.port), &with_alert(alert), cause);
    }
}

#[test]
fn java_refuses_in_its_own_words() {
    let Some(cli) = folder() else { return };
    for version in ["TLSv1.2", "TLSv1.3"] {
        let Some(server) = TlsServer::java(&cli, "other.pem", version) else { return };
        let report = check(&cli, server.port);
        told(&report, &with_alert("certificate_unknown"), "ca-not-in-list");
        let list = &report["accepted_cas"];
        assert_eq!((&list["number"], &list["listed"]), (&1.into(), &Value::Null), "{report}");
    }
}

#[test]
fn mosquitto_refuses_in_its_own_words() {
    let Some(cli) = folder() else { return };
    let openssl = OpenSsl::at(&cli.path(".")).expect("it was there before");
    openssl.revoke("line", "b/chain");
    cli.write("all.pem", cli.text("root.pem") + &cli.text("line.pem"));
    let revoking = format!("crlfile {}", cli.arg("line.crl"));
    for (ca, more, alert, cause) in [
        ("other.pem", "tls_version tlsv1.2", "unknown_ca", "ca-not-uploaded"),
        ("other.pem", "tls_version tlsv1.3", "unknown_ca", "ca-not-uploaded"),
        ("all.pem", revoking.as_str(), "certificate_revoked", "revoked"),
    ] {
        let Some(broker) = Mosquitto::start(&cli, ca, more) else { return };
        told(&check(&cli, broker.port), &with_alert(alert), cause);
    }
}
