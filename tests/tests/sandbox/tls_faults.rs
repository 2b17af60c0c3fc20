//! What the sandbox does in handshakes on purpose, as OpenSSL's client sees it.

use std::process::Output;

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{Tool, tool};

fn tenant(faults: &str) -> AtTenant {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let faults = faults.parse().expect("faults");
    AtTenant::with(cli, Settings { faults, ..Settings::default() })
}

/// `openssl s_client` at the port of MQTT, with more arguments; it ends after the handshake.
fn client(openssl: &Tool, at: &AtTenant, more: &str) -> (bool, String) {
    let line = format!(
        "s_client -connect localhost:{} -servername localhost -CAfile {} -verify_return_error {more}",
        at.sandbox.mqtt_port(),
        at.cli.arg("sandbox-ca.pem")
    );
    let Output { status, stdout, stderr } =
        openssl.output(&line.split_whitespace().collect::<Vec<_>>());
    let said = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The names of CAs that it shows as accepted.
fn names(said: &str) -> usize {
    let (_, after) =
        said.split_once("Acceptable client certificate CA names\n").unwrap_or_default();
    after.lines().take_while(|line| line.contains("CN = ")).count()
}

#[test]
fn the_lists_of_accepted_cas() {
    let Some(openssl) = tool("openssl") else { return };
    let at = tenant("0.0");
    at.ok("tenant trust add --ca root");
    for version in ["-tls1_2", "-tls1_3"] {
        let (good, said) = client(&openssl, &at, version);
        assert!(good && said.contains("CN = Root") && names(&said) == 1, "{said}");
        at.sandbox.set_faults("foreign-ca-list".parse().expect("faults"));
        let (good, said) = client(&openssl, &at, version);
        assert!(good && !said.contains("CN = Root") && names(&said) == 3, "{said}");
        at.sandbox.set_faults("0.0".parse().expect("faults"));
    }
    at.sandbox.set_faults("large-ca-list".parse().expect("faults"));
    let (good, said) = client(&openssl, &at, "-tls1_2");
    assert!(good && names(&said) == 512, "{said}");
    let read = said.split_once("SSL handshake has read ").expect("its length").1;
    let read: usize = read.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    assert!(read > 65_536, "{read}");
}

#[test]
fn alerts_in_place_of_a_connack() {
    let Some(openssl) = tool("openssl") else { return };
    let at = tenant("tls-alert");
    let chain = at.cli.text("out/gw-1/chain.pem");
    let (_, above) = chain.split_once("-----END CERTIFICATE-----\n").expect("a certificate");
    at.cli.write("above.pem", above);
    let device = format!(
        "-tls1_2 -cert {} -key {} -cert_chain {}",
        at.cli.arg("out/gw-1/chain.pem"),
        at.cli.arg("out/gw-1/key.pem"),
        at.cli.arg("above.pem")
    );
    let alert = |number: u8| {
        let (good, said) = client(&openssl, &at, &device);
        assert!(!good && said.contains(&format!("SSL alert number {number}")), "{number}: {said}");
    };
    alert(48);
    at.ok("tenant trust add --ca root --auto-registration");
    let (good, said) = client(&openssl, &at, &device);
    assert!(good, "{said}");
    at.ok("device revoke gw-1");
    at.ok("tenant crl enable");
    at.ok("tenant crl upload");
    alert(44);
    let check = format!(
        "device check gw-1 --truststore sandbox-ca.pem --port {} --attempts 1 --json",
        at.sandbox.mqtt_port()
    );
    let report = at.run(&check).expect(1).json();
    assert_eq!(report["causes"][0]["code"], "revoked", "{report}");
}

#[test]
fn a_server_certificate_as_on_edge() {
    let Some(openssl) = tool("openssl") else { return };
    let at = tenant("self-signed");
    let (good, said) = client(&openssl, &at, "-verify_hostname localhost");
    assert!(good && said.contains("Verify return code: 0 (ok)"), "{said}");
    let text = openssl.run(&["x509", "-in", &at.cli.arg("sandbox-ca.pem"), "-noout", "-text"]);
    assert!(text.contains("CA:TRUE") && !text.contains("Key Usage"), "{text}");
}
