//! A server whose certificate signed itself and says CA:TRUE, as on many installations of Edge: accepted by every
//! command that was given exactly this certificate, refused with any other.

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::broker::paper_tenant;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome};
use c8y_pki_tests::device_clients::Client;
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::tool;

/// A sandbox whose server's certificate signed itself; `sandbox-ca.pem` is that certificate.
fn edge(cli: Cli) -> AtTenant {
    let faults = "self-signed".parse().expect("faults");
    AtTenant::with(cli, Settings { faults, ..Settings::default() })
}

#[test]
fn every_command_takes_the_certificate_that_it_was_given() {
    let at = edge(Cli::with_cas());
    let (mqtt, url) = (at.sandbox.mqtt_port(), at.sandbox.mtls_url());
    let mtls = url.rsplit(':').next().expect("a port");
    let device = format!("gw-1 --truststore sandbox-ca.pem --port {mqtt}");
    at.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    for line in [
        "tenant status".to_owned(),
        "tenant trust add --ca line --auto-registration".to_owned(),
        "tenant trust list".to_owned(),
        format!("pop prove --ca line {CA_PW}"),
        "tenant verify out/gw-1/chain.pem".to_owned(),
        "tenant crl enable".to_owned(),
        "registration create --ca line --out devices.csv".to_owned(),
        "registration upload devices.csv".to_owned(),
        "registration add gw-2 --otp-out otp.csv".to_owned(),
        "registration list".to_owned(),
        "tenant authority create".to_owned(),
        format!("device check {device}"),
        // The first token of a sandbox has to wait for its key.
        format!("device token {device} --timeout 60"),
        format!("device token {device} --https --https-port {mtls} --timeout 60"),
    ] {
        let outcome = at.run(&line);
        assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
    }
    let otp = at.cli.text("otp.csv");
    let (_, otp) = otp.lines().nth(1).and_then(|row| row.split_once(',')).expect("a row");
    at.cli.write("otp", otp);
    at.ok("device enrol gw-2 --out out --otp-file otp");
}

#[test]
fn another_certificate_of_the_same_name_is_refused() {
    let at = edge(Cli::new());
    let other = edge(Cli::new());
    at.cli.write("other.pem", other.cli.read("sandbox-ca.pem"));
    let refused = at.run_with("tenant status", &[("C8Y_PKI_CACERT", "other.pem")]).expect(2);
    let said = refused.error();
    assert!(said.contains("only where exactly this certificate is trusted"), "{said}");
    assert!(refused.stderr.contains("--cacert FILE"), "{refused:?}");
    // Without any, too.
    at.cli.write("root.pem", c8y_pki_tests::workshop::root("Root", None).pem());
    at.run_with("tenant status", &[("C8Y_PKI_CACERT", "root.pem")]).expect(2);
}

/// What commands and the clients of others say of a server that has this certificate: in this order c8y-pki over
/// HTTPS, curl and Java.
fn judged(cli: &Cli, host: &str) -> [Option<bool>; 3] {
    let port = paper_tenant(cli, |_| (200, r#"{"name":"t1","certificates":[]}"#.to_owned()));
    let url = format!("https://{host}:{port}");
    let variables =
        [("C8Y_HOST", url.as_str()), ("C8Y_USER", "t1/admin"), ("C8Y_PASSWORD", "secret-of-edge")];
    let ours: Outcome = cli.run_with("tenant trust list --cacert server.pem", &variables, b"");
    let curl = tool("curl").map(|curl| {
        let args = ["--silent", "--show-error", "--cacert", &cli.arg("server.pem"), &url];
        curl.output(&args).status.success()
    });
    cli.ok("store create edge.p12 --trusted server.pem --store-password-file pw");
    let java = Client::java(cli).map(|mut java| {
        let answer = java.ask(&format!("{host} {port} - edge.p12 d:gw-1 3.1.1"));
        // It speaks MQTT, which the server does not; TLS is what counts.
        !["certificat", "No name matching", "No subject", "CertificateExpired", "NotAfter"]
            .iter()
            .any(|words| answer.contains(words))
    });
    std::fs::remove_file(cli.path("edge.p12")).expect("it was made");
    [Some(ours.code == 0), curl, java]
}

#[test]
fn names_and_dates_are_judged_as_others_do() {
    let cli = Cli::new();
    let Some(openssl) = OpenSsl::at(&cli.path(".")) else { return };
    let all = |wanted: bool| [Some(wanted); 3];
    for (subject, extension, wanted) in [
        ("/CN=edge", "-addext subjectAltName=DNS:localhost", true),
        ("/CN=localhost", "-addext subjectAltName=DNS:other.example.com", false),
        // Without a name of its own, that of the subject counts, for OpenSSL and Java too.
        ("/O=Edge/CN=localhost", "", true),
        ("/CN=LocalHost", "", true),
        ("/CN=other.example.com", "", false),
        // An address never stands in a common name.
        ("/CN=edge", "-addext subjectAltName=IP:127.0.0.9", false),
    ] {
        openssl.self_signed("server", subject, extension);
        for (judge, said) in judged(&cli, "localhost").iter().enumerate() {
            let agrees = said.is_none_or(|said| Some(said) == all(wanted)[judge]);
            assert!(agrees, "{subject} {extension}: judge {judge} says {said:?}");
        }
    }
    // A certificate that has expired: Java does not look at the dates of one that stands in its truststore.
    openssl.self_signed("server", "/CN=localhost", "-addext subjectAltName=DNS:localhost");
    let key = cli.text("server.key");
    c8y_pki_tests::broker::server_certificate_for(&cli, -20, -10).expect("OpenSSL is there");
    assert_ne!(cli.text("server.key"), key);
    let [ours, curl, java] = judged(&cli, "localhost");
    assert_eq!((ours, curl.unwrap_or(false)), (Some(false), false));
    assert!(java.unwrap_or(true), "it is taken as it is");
}

#[test]
fn openssl_and_we_take_the_same_certificate_over_mqtt() {
    let at = edge(Cli::with_cas());
    let port = at.sandbox.mqtt_port();
    let Some(openssl) = tool("openssl") else { return };
    let other = edge(Cli::new());
    at.cli.write("other.pem", other.cli.read("sandbox-ca.pem"));
    at.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    at.ok("tenant trust add --ca line --auto-registration");
    for (trusted, wanted) in [("sandbox-ca.pem", true), ("other.pem", false)] {
        let address = format!("localhost:{port}");
        let file = at.cli.arg(trusted);
        let args = ["s_client", "-connect", &address, "-CAfile", &file, "-verify_return_error"];
        let theirs = openssl.output(&[&args[..], &["-verify_hostname", "localhost"]].concat());
        assert_eq!(theirs.status.success(), wanted, "{trusted}");
        let line = format!("device check gw-1 --truststore {trusted} --port {port} --attempts 1");
        at.run(&line).expect(if wanted { 0 } else { 2 });
    }
}
