//! A CA of the directory is taken in again: with what was missing above it, with what its root or a company has signed
//! anew. It stays the same CA. OpenSSL signs and judges.

use std::fs;

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::openssl::{EC, OpenSsl};
use c8y_pki_tests::recipe::{LINE, Recipe};

/// Takes in the intermediate CA alone, as `plant`, and issues a device.
fn alone(cli: &Cli) {
    cli.ok(&format!(
        "ca add plant --import {LINE}/intermediateCert.pem --key {LINE}/intermediateKey.pem \
         --key-password-file inter.pw {CA_PW}"
    ));
    cli.ok(&format!("device issue early --ca plant --out out {CA_PW}"));
}

fn chain_length(cli: &Cli, ca: &str) -> serde_json::Value {
    cli.run(&format!("ca show {ca} --json")).expect(0).json()["chain_length"].clone()
}

#[test]
fn upper_certificates_that_were_missing_complete_a_ca_and_those_below_it() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    alone(&cli);
    cli.ok(&format!("ca add below --parent plant --subject CN=Below --key-type ec-p256 {CA_PW}"));
    assert_eq!((chain_length(&cli, "plant"), chain_length(&cli, "below")), (1.into(), 2.into()));
    let line =
        format!("ca add plant --import {LINE}/intermediateCert.pem caCertificate/caCert.pem");
    let done = cli.run(&format!("{line} --json")).expect(0).json();
    assert_eq!(done["change"], "completed", "{done}");
    assert_eq!((chain_length(&cli, "plant"), chain_length(&cli, "below")), (2.into(), 3.into()));
    assert_eq!(cli.run(&format!("{line} --json")).expect(0).json()["change"], "same");
    cli.ok(&format!("device issue late --ca below --out out {CA_PW}"));
    recipe.run(
        "verify -CAfile @caCertificate/caCert.pem -untrusted @out/late/chain.pem @out/late/cert.pem",
    );
    cli.ok("registry check");
    // A name that is taken is no other CA's.
    let said = cli.fails(2, "ca add plant --import caCertificate/caCert.pem");
    assert!(said.contains("exists already, and none of the certificates is for its key"), "{said}");
    let said = cli.fails(2, &format!("ca add other --import {LINE}/intermediateCert.pem"));
    assert!(said.contains("there is no private key in") && said.contains("--key"), "{said}");
}

#[test]
fn a_ca_that_its_root_renews_stays_the_same() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    alone(&cli);
    cli.ok(&format!("ca request plant --out plant.csr {CA_PW}"));
    let said = recipe.run("req -in @plant.csr -noout -verify -subject -nameopt RFC2253");
    assert!(said.contains("verify OK"), "{said}");
    assert!(
        said.contains("CN=Example Intermediate CA,OU=Devices,O=Example IoT GmbH,ST=NRW,C=DE"),
        "{said}"
    );
    let pem = cli.ok(&format!("ca request plant {CA_PW}"));
    assert!(pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{pem}");
    cli.write("caCertificate/database.txt.attr", "unique_subject = no\n");
    recipe.root("-batch -notext -extensions v3_ca -days 4000 -in @plant.csr -out @renewed.pem");
    let line = "ca add plant --import renewed.pem caCertificate/caCert.pem";
    let done = cli.run(line).expect(0);
    for said in
        ["device refresh", "1 device has a live certificate", "tenant trust add", "former-1000.pem"]
    {
        assert!(done.stderr.contains(said), "{said}: {done:?}");
    }
    assert_eq!(cli.read("pki/ca/plant/former-1000.pem"), {
        let text = cli.text(&format!("{LINE}/intermediateCert.pem"));
        text.as_bytes()[text.find("-----BEGIN").expect("PEM")..].to_vec()
    });
    assert_eq!(cli.run(&format!("{line} --json")).expect(0).json()["change"], "same");
    // What it signed before is valid under the new certificate.
    recipe.run(
        "verify -CAfile @caCertificate/caCert.pem -untrusted @pki/ca/plant/chain.pem @out/early/cert.pem",
    );
    cli.ok("registry check");
    // The former one does not come back.
    let said = cli.fails(2, &format!("ca add plant --import {LINE}/intermediateCert.pem"));
    assert!(said.contains("is older than the one that it has"), "{said}");
    // One of another subject would not be found by devices.
    recipe.root(
        "-batch -notext -extensions v3_ca -subj /C=DE/CN=Other -in @plant.csr -out @other.pem",
    );
    let said = cli.fails(2, "ca add plant --import other.pem");
    assert!(
        said.contains("has the subject CN=Other,C=DE") && said.contains("would not chain"),
        "{said}"
    );
}

#[test]
fn a_ca_that_a_company_signs_stays_the_same() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    alone(&cli);
    cli.ok(&format!("ca add plant --import {LINE}/intermediateCert.pem caCertificate/caCert.pem"));
    let company = OpenSsl::at(&cli.path("")).expect("it was there before");
    company.root("Company", EC);
    cli.ok(&format!("ca request plant --out plant.csr {CA_PW}"));
    company.run(
        "x509 -req -in @plant.csr -CA @Company.pem -CAkey @Company.key -CAcreateserial -days 20 \
         -extfile @openssl.cnf -extensions ca -out @resigned.pem",
    );
    let done =
        cli.run("ca add plant --import resigned.pem Company.pem --json").expect(0).json_lines();
    assert_eq!(done[0]["change"], "renewed", "{done:?}");
    let top = cli.run("cert show pki/ca/plant/chain.pem --json").expect(0).stdout;
    assert!(top.contains("CN=Company") && !top.contains("Example Root CA"), "{top}");
    recipe
        .run("verify -CAfile @Company.pem -untrusted @pki/ca/plant/chain.pem @out/early/cert.pem");
    cli.ok(&format!("device issue late --ca plant --out out {CA_PW}"));
    recipe.run("verify -CAfile @Company.pem -untrusted @out/late/chain.pem @out/late/cert.pem");
    cli.ok("registry check");
}

#[test]
fn configurations_become_profiles_and_a_policy() {
    let cli = Cli::new();
    let Some(recipe) = Recipe::at(&cli) else { return };
    let conf = format!("{LINE}/intermediateConfig.cnf");
    let line = format!(
        "ca add plant --import {LINE}/intermediateCert.pem caCertificate/caCert.pem \
         --key {LINE}/intermediateKey.pem --key-password-file inter.pw {CA_PW} --openssl-conf {conf}"
    );
    let done = cli.run(&line).expect(0);
    assert!(done.stdout.contains("--profile pki/profiles/plant-v3_signed.toml"), "{done:?}");
    assert!(done.stderr.contains("`openssl ca` leaves fields out"), "{done:?}");
    let policy = cli.run("ca show plant --json").expect(0).json()["policy"].clone();
    assert_eq!(policy["fields"]["CN"], "supplied", "{policy}");
    let issue =
        "device issue d --ca plant --key-type rsa-2048 --profile pki/profiles/plant-v3_signed.toml";
    cli.ok(&format!("{issue} --out out {CA_PW}"));
    // The extensions are those that the recipe's own device has.
    let extensions = |file: &str| {
        let said = recipe.run(&format!("x509 -in @{file} -noout -ext keyUsage,basicConstraints"));
        let said = said.replace("critical", "");
        let mut lines: Vec<String> = said.lines().map(|line| line.trim().to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        extensions("out/d/cert.pem"),
        extensions(&format!("{LINE}/deviceCertificates/1000.pem"))
    );
    // Again: the policy is there once.
    cli.ok(&line);
    assert_eq!(cli.text("pki/pki.toml").matches("\n[policy.plant]").count(), 1);
}

/// Default configurations as Debian installs them.
#[test]
fn default_configurations_are_read_and_what_has_no_counterpart_is_named() {
    let cli = Cli::new();
    for (path, profiles, unmet) in [
        (
            "/etc/ssl/openssl.cnf",
            &["usr_cert", "v3_req", "v3_ca", "v3_ca-root"][..],
            &[
                "the section [tsa] cannot be imported",
                "[usr_cert] has no keyUsage",
                "[policy_match]",
            ][..],
        ),
        (
            "/usr/share/easy-rsa/openssl-easyrsa.cnf",
            &["basic_exts", "easyrsa_ca", "easyrsa_ca-root"],
            &[
                "default_days is ${ENV::EASYRSA_CERT_EXPIRE}",
                "field name cannot be imported",
                "issuer:always",
            ],
        ),
    ] {
        if !fs::exists(path).expect("a look") {
            let required = std::env::var_os("C8Y_PKI_REQUIRE_TOOLS").is_some_and(|v| v == "1");
            assert!(!required, "{path} is missing, and C8Y_PKI_REQUIRE_TOOLS is 1");
            eprintln!("left out: {path} is not installed");
            continue;
        }
        let json =
            cli.run(&format!("profile import --openssl-conf {path} --out p --json")).expect(0);
        let lines = json.json_lines();
        let names: Vec<&str> = lines[0]["profiles"]
            .as_array()
            .expect("profiles")
            .iter()
            .map(|one| one["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(names, profiles, "{path}");
        let said = lines[0]["unmet"].to_string();
        for part in unmet {
            assert!(said.contains(part), "{path}: {part}: {said}");
        }
    }
}
