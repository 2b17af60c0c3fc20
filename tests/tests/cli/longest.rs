//! The longest chain of the installation: kept by the PKI directory, and what obeys it.

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::tool;

/// A root, and so many CAs in a line below it: ca0, ca1, …
fn line_of_cas(cli: &Cli, options: &str, below: usize) {
    cli.ok(&format!("ca init ca0 --subject CN=ca0 --key-type ec-p256 {options} {CA_PW}"));
    for n in 1..=below {
        let parent = n - 1;
        cli.ok(&format!("ca add ca{n} --parent ca{parent} --subject CN=ca{n} --shorten {CA_PW}"));
    }
}

/// Writes another number into pki.toml.
fn set(cli: &Cli, longest: usize) {
    let text = cli.text("pki/pki.toml");
    let lines = text.lines().filter(|line| !line.starts_with("longest_chain"));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    cli.write("pki/pki.toml", format!("longest_chain = {longest}\n{lines}"));
}

#[test]
fn a_folder_keeps_the_number_and_its_cas_obey_it() {
    let cli = Cli::new();
    line_of_cas(&cli, "--longest-chain 3", 1);
    assert!(cli.text("pki/pki.toml").contains("\nlongest_chain = 3\n"));
    let length =
        |ca: &str| cli.run(&format!("ca show {ca} --json")).expect(0).json()["path_length"].clone();
    assert_eq!((length("ca0"), length("ca1")), (1.into(), 0.into()));
    // Without path lengths it is the number that refuses.
    let free = "--key-type ec-p256 --path-length none --ca-password-file pw";
    cli.ok(&format!("ca init free --subject CN=free {free}"));
    cli.ok(&format!("ca add below --parent free --subject CN=below {free}"));
    let said = cli.fails(2, &format!("ca add more --parent below --subject CN=more {free}"));
    let error =
        "error: a CA below CN=below would make chains of 4 certificates; the platform accepts 3\n";
    assert!(said.starts_with(error) && said.contains("longest_chain = N"), "{said}");
    cli.ok(&format!("device issue d --ca below --out out {CA_PW}"));

    // The directory says something else than the option.
    let said = cli.fails(2, &format!("ca init other --subject CN=O --longest-chain 12 {CA_PW}"));
    assert!(said.contains("chains of at most 3 certificates, but a longest chain of 12"), "{said}");
    assert!(said.contains("hint: write `longest_chain = 12` into pki/pki.toml"), "{said}");
    cli.ok(&format!("ca init same --subject CN=S --key-type ec-p256 --longest-chain 3 {CA_PW}"));
    // What the hint says works.
    set(&cli, 4);
    cli.ok(&format!("ca add more --parent below --subject CN=more {free}"));
}

#[test]
fn no_device_gets_a_chain_that_is_too_long() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    cli.ok("key new --type ec-p256 --plain --out own.key");
    let Some(openssl) = tool("openssl") else { return };
    let (key, csr) = (cli.arg("own.key"), cli.arg("own.csr"));
    openssl.run(&["req", "-new", "-key", &key, "-subj", "/CN=gw-2", "-out", &csr]);
    set(&cli, 2);
    let before = (cli.snapshot("out"), cli.ok("device list --json"));
    for command in [
        "device issue gw-3 --ca line --out out",
        "device sign own.csr --ca line --out out",
        "device renew gw-1 --out out",
    ] {
        let said = cli.fails(2, &format!("{command} {CA_PW}"));
        let error = "a device of the CA \"line\" would present 3 certificates; the platform takes at most 2";
        assert!(
            said.contains(error) && said.contains("hint: issue from a CA nearer"),
            "{command}: {said}"
        );
    }
    assert!(before == (cli.snapshot("out"), cli.ok("device list --json")));
    cli.ok(&format!("device issue gw-4 --ca root --out out {CA_PW}"));
    set(&cli, 3);
    cli.ok(&format!("device sign own.csr --ca line --out out {CA_PW}"));
}

#[test]
fn chains_are_judged_by_the_number_of_the_folder_or_of_the_option() {
    let cli = Cli::new();
    line_of_cas(&cli, "--longest-chain 12", 10);
    cli.fails(2, &format!("ca add ca11 --parent ca10 --subject CN=ca11 {CA_PW}"));
    cli.ok(&format!("device issue d --ca ca10 --out out {CA_PW}"));
    let chain = Certificate::all_from_pem_or_der(&cli.read("out/d/chain.pem")).expect("PEM");
    assert_eq!(chain.len(), 12);
    if let Some(openssl) = tool("openssl") {
        let (root, all) = (cli.arg("pki/ca/ca0/cert.pem"), cli.arg("out/d/chain.pem"));
        openssl.run(&["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &all, &all]);
    }
    let verify = "cert verify --trust pki/ca/ca0/cert.pem --as-device d out/d/chain.pem";
    cli.ok(verify);
    cli.ok(&format!("--pki elsewhere {verify} --longest-chain 12"));
    let elsewhere = cli.run(&format!("--pki elsewhere {verify}")).expect(1).stdout;
    let refused = "refused: the chain has 12 certificates; the platform takes at most 10\n";
    assert!(elsewhere.contains(refused), "{elsewhere}");
    // The option counts, not the directory.
    cli.run(&format!("{verify} --longest-chain 11")).expect(1);
    cli.run(&format!("{verify} --longest-chain 101")).expect(2);
    cli.run(&format!("{verify} --longest-chain 1")).expect(2);
    // Of a chain that is only put in order, it is a warning.
    let order = "cert chain out/d/chain.pem --out ordered.pem";
    let warned = |line: &str| cli.run(line).expect(0).stderr.contains("the platform takes at most");
    assert!(!warned(order) && warned(&format!("{order} --longest-chain 11")));
    assert!(warned(&format!("--pki elsewhere {order}")));
    // So it is where the device's own files are looked at: nothing is connected to for that.
    let check = "device check --bundle out/d --host localhost --port 1 --timeout 1 --json";
    let step = |line: &str| cli.run(line).json()["causes"][0]["code"].clone();
    assert_ne!(step(check), "too-many");
    assert_eq!(step(&format!("{check} --longest-chain 11")), "too-many");
    assert_eq!(step(&format!("--pki elsewhere {check}")), "too-many");
}

#[test]
fn a_ca_from_elsewhere_is_held_to_it() {
    let cli = Cli::new();
    line_of_cas(&cli, "", 2);
    cli.ok("key new --type ec-p256 --plain --out other.key");
    let import = |pki: &str| {
        let chain = "pki/ca/ca2/chain.pem --key pki/ca/ca2/key.pem --key-password-file pw";
        format!("--pki {pki} ca add ca2 --import {chain} --ca-password-file pw")
    };
    cli.ok(&format!("--pki three ca init --subject CN=R --longest-chain 3 {CA_PW}"));
    let said = cli.fails(2, &import("three"));
    let error =
        "make a chain of 3 certificates without a device; the platform takes at most 3 with it";
    assert!(said.contains(error), "{said}");
    cli.ok(&format!("--pki four ca init --subject CN=R --longest-chain 4 {CA_PW}"));
    cli.ok(&import("four"));
}

#[test]
fn a_number_that_is_none_is_refused_with_its_line() {
    let cli = Cli::with_cas();
    for bad in ["1", "101", "-3", "\"ten\""] {
        let text = cli.text("pki/pki.toml");
        cli.write("pki/pki.toml", format!("longest_chain = {bad}\n{text}"));
        let said = cli.fails(2, "ca list");
        assert!(said.contains("pki.toml: line 1: "), "{said}");
        cli.write("pki/pki.toml", text);
    }
}

#[test]
fn a_rollout_says_it_and_makes_nothing_that_is_too_deep() {
    let cli = Cli::new();
    let with = |number: &str| {
        let text = cli.ok("profile show rollout.toml");
        let text = text.replacen("pki = \"pki\"", &format!("pki = \"pki\"\n{number}"), 1);
        cli.write("demo/rollout.toml", text);
    };
    cli.write("demo/devices.csv", cli.ok("profile show devices.csv"));
    with("longest_chain = 2");
    for line in ["rollout demo/rollout.toml --plan", "rollout demo/rollout.toml"] {
        let said = cli.fails(2, line);
        let error = "a device of the CA \"line-7\" would present 3 certificates; the platform takes at most 2";
        assert!(said.contains(error) && said.contains("`longest_chain = N`"), "{said}");
    }
    assert_eq!(cli.names("demo"), ["devices.csv", "rollout.toml"]);
    with("longest_chain = 3");
    cli.ok("rollout demo/rollout.toml");
    assert!(cli.text("demo/pki/pki.toml").contains("\nlongest_chain = 3\n"));
    // Without a word the directory's counts; another word than the directory's is refused.
    with("");
    cli.ok("rollout demo/rollout.toml");
    with("longest_chain = 4");
    let said = cli.fails(2, "rollout demo/rollout.toml --plan");
    assert!(said.contains("at most 3 certificates, but a longest chain of 4"), "{said}");
    with("longest_chain = 200");
    let said = cli.fails(2, "rollout demo/rollout.toml --plan");
    assert!(
        said.contains("rollout.toml line 10: `longest_chain`: \"200\" is not a length for chains"),
        "{said}"
    );
}
