//! What the device's own files show, before anything is sent.

use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::workshop::{Made, bundle, ca, device, device_for, renewed, root};
use c8y_pki_tests::{arg, tool};

use crate::rows::row;

/// Runs a check that ends before the network: nobody listens on that port.
fn check(cli: &Cli, line: &str) -> Outcome {
    cli.run(&format!("device check --host localhost --port 1 --json {line}")).expect(2)
}

/// A root and the CA `Line` below it.
fn cas() -> (Made, Made) {
    let root = root("Root", None);
    let line = ca("Line", &root, None);
    (root, line)
}

#[test]
fn files_missing() {
    let cli = Cli::new();
    let first = row("files-missing").holds(&check(&cli, "gw-1"))["causes"][0].clone();
    assert_eq!(first["cause"], "there is no directory out/gw-1");
    let remedy = first["remedy"].as_str().expect("text");
    assert!(remedy.starts_with("is it the right directory? (--out, --bundle)"), "{remedy}");
    // A key alone lacks its chain, and nothing else.
    let root = root("Root", None);
    bundle(&cli, "b", &root, &[&root]);
    std::fs::remove_file(cli.path("b/chain.pem")).expect("a file");
    let detail = check(&cli, "--bundle b").json()["steps"][0]["detail"].clone();
    assert_eq!(detail, "b holds key.pem, but no chain.pem");
    // A file of passwords in the wrong place is not shown.
    cli.write("secrets", "correct-Horse-01\n");
    let detail = check(&cli, "--keystore secrets").json()["steps"][0]["detail"].clone();
    assert_eq!(
        detail,
        "secrets: this is no keystore, neither PKCS#12, JKS nor PEM: it looks like text"
    );
}

/// A keystore with the password of `pw`.
fn keystore(cli: &Cli, name: &str) {
    let (root, line) = cas();
    let device = device("gw-1", &line);
    bundle(cli, "gw-1", &device, &[&device, &line, &root]);
    cli.ok(&format!(
        "store create {name} --key gw-1/key.pem --cert gw-1/chain.pem --store-password-file pw"
    ));
}

#[test]
fn store_password() {
    let cli = Cli::new();
    keystore(&cli, "gw-1.p12");
    cli.write("other", "Another-01\n");
    row("store-password").holds(&check(&cli, "--keystore gw-1.p12 --store-password-file other"));
}

#[test]
fn key_password() {
    let Some(keytool) = tool("keytool") else { return };
    let cli = Cli::new();
    let store = cli.path("gw-1.jks");
    let password = cli.text("pw");
    keytool.run(&[
        "-genkeypair",
        "-alias",
        "devicekeyentry",
        "-dname",
        "CN=gw-1",
        "-keyalg",
        "EC",
        "-storetype",
        "JKS",
        "-keystore",
        arg(&store),
        "-storepass",
        password.trim(),
        "-keypass",
        "Another-01",
    ]);
    let line = "gw-1 --keystore gw-1.jks --store-password-file pw";
    let report = row("key-password").holds(&check(&cli, line));
    let detail = report["steps"][0]["detail"].as_str().expect("text");
    assert!(detail.contains("does not open the key"), "{detail}");
}

#[test]
fn key_mismatch() {
    let (cli, (root, line)) = (Cli::new(), cas());
    bundle(&cli, "b", &device("gw-1", &line), &[&device("gw-1", &line), &line, &root]);
    row("key-mismatch").holds(&check(&cli, "--bundle b"));
}

#[test]
fn chain_reversed() {
    let (cli, (root, line)) = (Cli::new(), cas());
    let device = device("gw-1", &line);
    bundle(&cli, "b", &device, &[&root, &line, &device]);
    row("chain-reversed").holds(&check(&cli, "--bundle b"));
}

#[test]
fn chain_swapped() {
    let (cli, (root, line)) = (Cli::new(), cas());
    let device = device("gw-1", &line);
    bundle(&cli, "b", &device, &[&device, &root, &line]);
    row("chain-swapped").holds(&check(&cli, "--bundle b"));
}

#[test]
fn chain_too_long() {
    let cli = Cli::new();
    let mut above = vec![root("Root", None)];
    for n in 1..10 {
        above.insert(0, ca(&format!("CA {n}"), &above[0], None));
    }
    let device = device("gw-1", &above[0]);
    let chain: Vec<&Made> = std::iter::once(&device).chain(&above).collect();
    assert_eq!(chain.len(), 11);
    bundle(&cli, "b", &device, &chain);
    row("chain-too-long").holds(&check(&cli, "--bundle b"));
}

#[test]
fn not_a_ca() {
    let cli = Cli::new();
    let Some(openssl) = OpenSsl::at(&cli.path(".")) else { return };
    openssl.root("root", c8y_pki_tests::openssl::EC);
    openssl.device("middle", "root");
    openssl.device("gw-1", "middle");
    cli.write("b/key.pem", cli.read("gw-1.key"));
    cli.write("b/chain.pem", cli.read("gw-1-chain.pem"));
    row("not-a-ca").holds(&check(&cli, "--bundle b"));
}

#[test]
fn path_length() {
    let cli = Cli::new();
    // Nothing but devices may stand below `Upper`.
    let root = root("Root", None);
    let upper = ca("Upper", &root, Some(0));
    let lower = ca("Lower", &upper, None);
    let device = device("gw-1", &lower);
    bundle(&cli, "b", &device, &[&device, &lower, &upper, &root]);
    row("path-length").holds(&check(&cli, "--bundle b"));
}

/// A check as the device `id` with a certificate of that common name.
fn named(common_name: &str, id: &str) -> Outcome {
    let (cli, (root, line)) = (Cli::new(), cas());
    let device = device(common_name, &line);
    bundle(&cli, "b", &device, &[&device, &line, &root]);
    check(&cli, &format!("{id} --bundle b"))
}

#[test]
fn common_name_prefix() {
    row("common-name-prefix").holds(&named("d:gw-1", "gw-1"));
}

#[test]
fn common_name_colon() {
    let report = row("common-name-colon").holds(&named("AA:BB:CC:00:11:22", ""));
    let remedy = report["causes"][0]["remedy"].as_str().expect("text");
    assert!(remedy.contains("AABBCC001122"), "{remedy}");
}

#[test]
fn common_name_case() {
    let report = row("common-name-case").holds(&named("GW-1", "gw-1"));
    let cause = report["causes"][0]["cause"].as_str().expect("text");
    assert!(cause.contains("upper and lower case"), "{cause}");
}

#[test]
fn common_name_space() {
    let report = row("common-name-space").holds(&named("gw 1", "gw1"));
    let cause = report["causes"][0]["cause"].as_str().expect("text");
    assert!(cause.contains("white space"), "{cause}");
}

#[test]
fn uploaded_ca_missing() {
    let (cli, (root, line)) = (Cli::new(), cas());
    let device = device("gw-1", &line);
    bundle(&cli, "b", &device, &[&device, &line]);
    cli.write("root.pem", root.pem());
    row("uploaded-ca-missing").holds(&check(&cli, "--bundle b --uploaded root.pem"));
}

#[test]
fn uploaded_ca_renewed() {
    let (cli, (root, line)) = (Cli::new(), cas());
    let device = device("gw-1", &line);
    let later = renewed(&line, Some(&root));
    bundle(&cli, "b", &device, &[&device, &later, &root]);
    cli.write("line.pem", line.pem());
    let report = row("uploaded-ca-renewed").holds(&check(&cli, "--bundle b --uploaded line.pem"));
    let causes = report["causes"].to_string();
    assert!(causes.contains("of the same name and key"), "{report}");
    // So says `cert verify`, too.
    let verify = "cert verify b/chain.pem --trust line.pem --as-device gw-1 --json";
    let said = cli.run(verify).expect(1).json();
    assert_eq!(said["device"][0]["code"], "ca-renewed", "{said}");
    // What the remedy says is right.
    cli.write("later.pem", later.pem());
    cli.run(&verify.replace("line.pem", "later.pem")).expect(0);
}

#[test]
fn expired() {
    let (cli, (root, line)) = (Cli::new(), cas());
    let device = device_for("gw-1", &line, -5, -1);
    bundle(&cli, "b", &device, &[&device, &line, &root]);
    let report = row("expired").holds(&check(&cli, "--bundle b"));
    assert_eq!(report["causes"][1]["code"], "clock-ahead", "{report}");
}

#[test]
fn not_yet_valid() {
    let (cli, (root, line)) = (Cli::new(), cas());
    let device = device_for("gw-1", &line, 1, 90);
    bundle(&cli, "b", &device, &[&device, &line, &root]);
    let report = row("not-yet-valid").holds(&check(&cli, "--bundle b"));
    assert_eq!(report["causes"][1]["code"], "not-yet-valid", "{report}");
}
