//! `ca`: making, listing, path lengths, validities, imports, revocation lists.

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD, a_second_passes};
use c8y_pki_tests::{data_dir, tool};

fn certificate(cli: &Cli, file: &str) -> Certificate {
    Certificate::all_from_pem_or_der(&cli.read(file)).expect("a certificate").remove(0)
}

fn path_length(cli: &Cli, ca: &str) -> Option<u32> {
    let certificate = certificate(cli, &format!("pki/ca/{ca}/cert.pem"));
    certificate.basic_constraints.expect("basicConstraints").path_length
}

fn add(name: &str, parent: &str, more: &str) -> String {
    format!("ca add {name} --parent {parent} --subject CN={name} {CA_PW} {more}")
}

/// The helper's CAs are opened quickly; these are as `c8y-pki` has made them.
#[test]
fn openssl_opens_the_key_of_a_ca_after_600_000_iterations() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=Root --key-type ec-p256 {CA_PW}"));
    cli.ok(&format!("ca add line --parent root --subject CN=Line {CA_PW}"));
    for ca in ["root", "line"] {
        let key = cli.arg(&format!("pki/ca/{ca}/key.pem"));
        let structure = openssl.run(&["asn1parse", "-in", &key]);
        for part in ["PBKDF2", "INTEGER           :0927C0", "hmacWithSHA256", "aes-256-cbc"] {
            assert!(structure.contains(part), "{ca}: {structure}");
        }
        let pass = format!("pass:{PASSWORD}");
        let public = openssl.run(&["pkey", "-in", &key, "-passin", &pass, "-pubout"]);
        let cert = cli.arg(&format!("pki/ca/{ca}/cert.pem"));
        assert_eq!(public, openssl.run(&["x509", "-in", &cert, "-noout", "-pubkey"]), "{ca}");
    }
}

#[test]
fn cas_are_made_listed_and_shown() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a b --ca line --out out {CA_PW}"));
    let list = cli.ok("ca list");
    let columns = ["CA", "SUBJECT", "KEY", "VALID UNTIL", "PATH LENGTH", "DEVICES"];
    assert!(columns.iter().all(|c| list.lines().next().expect("a header").contains(c)), "{list}");
    assert!(list.contains("\n└─ line  CN=Line,O=Example"), "{list}");
    let json = cli.run("ca list --json").expect(0).json_lines();
    assert_eq!(json[0]["name"], "line");
    assert_eq!((&json[0]["parent"], &json[0]["devices"]), (&"root".into(), &2.into()));
    assert_eq!((&json[1]["parent"], &json[1]["devices"]), (&().into(), &0.into()));

    let show = cli.ok("ca show line");
    assert!(show.starts_with("CA line\n  parent        root\n  devices       2\n"), "{show}");
    let json = cli.run("ca show line --json").expect(0).json();
    assert_eq!(json["certificate"]["subject"], "CN=Line,O=Example", "{json}");
    assert_eq!(json["chain_length"], 2);
    let files = ["cert.pem", "chain.pem", "key.pem"];
    assert_eq!(cli.names("pki/ca/line"), files);
    let chain = Certificate::all_from_pem_or_der(&cli.read("pki/ca/line/chain.pem")).expect("PEM");
    let subjects: Vec<String> = chain.iter().map(|c| c.subject.to_string()).collect();
    assert_eq!(subjects, ["CN=Line,O=Example", "CN=Root,O=Example"]);
}

#[test]
fn an_unknown_ca_is_refused_with_those_that_exist() {
    let cli = Cli::with_cas();
    let said = cli.fails(2, "ca show lines");
    assert_eq!(said, "error: there is no CA named \"lines\" in pki\nhint: known CAs: line, root\n");
}

#[test]
fn a_folder_that_is_no_pki_is_refused() {
    let cli = Cli::new();
    for line in ["ca list", "ca show root", "device issue a --ca root --out out", "ca crl root"] {
        let said = cli.fails(2, line);
        assert!(said.contains("pki is not a PKI directory"), "{said}");
    }
    assert_eq!(cli.names(""), ["pw"]);
}

#[test]
fn a_name_in_use_or_unfit_is_refused() {
    let cli = Cli::with_cas();
    let before = cli.snapshot("pki/ca");
    let said = cli.fails(2, &format!("ca init --subject CN=Other {CA_PW}"));
    assert!(said.contains("a CA named \"root\" exists already"), "{said}");
    cli.fails(2, &add("line", "root", ""));
    for name in ["../up", "Line", "a/b", ".x", "'a b'", "-x"] {
        let code = cli.run(&add(name, "root", "")).code;
        assert_eq!(code, 2, "{name}");
    }
    assert_eq!(before, cli.snapshot("pki/ca"));
}

#[test]
fn a_ca_without_common_name_is_refused() {
    let cli = Cli::new();
    let said = cli.fails(2, &format!("ca init --org Example {CA_PW}"));
    assert!(said.contains("no common name"), "{said}");
    assert_eq!(cli.names(""), ["pw"]);
}

#[test]
fn path_lengths_are_computed_or_as_given() {
    let cli = Cli::with_cas();
    // 10 certificates: the root, 8 CAs under it, the device.
    assert_eq!((path_length(&cli, "root"), path_length(&cli, "line")), (Some(8), Some(7)));
    cli.ok(&add("three", "root", "--path-length 3"));
    cli.ok(&add("below", "three", "--shorten"));
    assert_eq!((path_length(&cli, "three"), path_length(&cli, "below")), (Some(3), Some(2)));
    let unlimited = format!("ca init free --subject CN=F --path-length none {CA_PW}");
    cli.ok(&unlimited);
    assert_eq!(path_length(&cli, "free"), None);
    let said = cli.run(&add("x", "root", "--path-length many")).expect(2).stderr;
    assert!(said.contains("none or computed"), "{said}");
}

#[test]
fn no_ca_stands_under_a_path_length_of_zero() {
    let cli = Cli::with_cas();
    cli.ok(&add("last", "root", "--path-length 0"));
    let said = cli.fails(2, "ca add more --parent last --subject CN=more");
    let error = "error: no CA may be below CN=last: the path length of CN=last is 0\n";
    assert!(said.starts_with(error), "before any password is asked for: {said}");
    assert_eq!(cli.names("pki/ca"), ["last", "line", "root"]);
}

#[test]
fn a_chain_of_ten_is_good_and_an_eleventh_certificate_refused() {
    let cli = Cli::new();
    cli.ok(&format!("ca init ca0 --subject CN=ca0 --key-type ec-p256 {CA_PW}"));
    for n in 1..=8 {
        cli.ok(&add(&format!("ca{n}"), &format!("ca{}", n - 1), "--shorten"));
    }
    let said = cli.fails(2, &add("ca9", "ca8", ""));
    assert!(said.contains("no CA may be below CN=ca8"), "{said}");
    cli.ok(&format!("device issue d --ca ca8 --out out {CA_PW}"));
    let chain = Certificate::all_from_pem_or_der(&cli.read("out/d/chain.pem")).expect("PEM");
    assert_eq!(chain.len(), 10);
    cli.ok("cert verify --trust pki/ca/ca0/cert.pem --as-device d out/d/chain.pem");
    let Some(openssl) = tool("openssl") else { return };
    let (root, heap, leaf) =
        (cli.arg("pki/ca/ca0/cert.pem"), cli.arg("out/d/chain.pem"), cli.arg("out/d/cert.pem"));
    openssl.run(&["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &heap, &leaf]);
}

#[test]
fn a_chain_of_eleven_is_refused_without_path_lengths_too() {
    let cli = Cli::new();
    let root = "ca init ca0 --subject CN=ca0 --key-type ec-p256 --path-length none";
    cli.ok(&format!("{root} {CA_PW}"));
    for n in 1..=8 {
        cli.ok(&add(&format!("ca{n}"), &format!("ca{}", n - 1), "--shorten --path-length none"));
    }
    let said = cli.fails(2, &add("ca9", "ca8", "--path-length none"));
    let error = "a CA below CN=ca8 would make chains of 11 certificates; the platform accepts 10\nhint: put it below";
    assert!(said.contains(error), "{said}");
}

#[test]
fn a_ca_must_not_outlive_its_parent() {
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=Root --key-type ec-p256 --days 100 {CA_PW}"));
    a_second_passes();
    let said = cli.fails(2, &add("line", "root", "--days 3650"));
    assert!(said.contains("a validity of 3650 days ends on"), "{said}");
    assert!(
        said.contains(
            "hint: ask for at most 99 days; or have it shortened to its issuer's end: --shorten"
        ),
        "{said}"
    );
    cli.ok(&add("most", "root", "--days 99"));
    cli.ok(&add("line", "root", "--days 3650 --shorten"));
    cli.ok(&add("usual", "root", ""));
    let end = |ca: &str| certificate(&cli, &format!("pki/ca/{ca}/cert.pem")).not_after;
    assert_eq!((end("line"), end("usual")), (end("root"), end("root")));
}

#[test]
fn revocation_lists_are_good_and_count_up() {
    let cli = Cli::with_cas();
    let first = cli.run(&format!("ca crl line {CA_PW} --json")).expect(0).json();
    let line = format!("ca crl line {CA_PW} --days 7 --der --out line.crl --json");
    let second = cli.run(&line).expect(0).json();
    let number = |json: &serde_json::Value| {
        json["number"].as_str().and_then(|n| n.parse::<u64>().ok()).expect("a decimal number")
    };
    assert!(number(&second) > number(&first), "{first} {second}");
    assert_eq!(second["revoked"], 0);
    assert_eq!(second["files"], serde_json::json!(["pki/ca/line/crl.pem", "line.crl"]));
    let show = cli.run("cert show line.crl --json").expect(0).json();
    assert_eq!((&show["type"], &show["number"]), (&"crl".into(), &second["number"]));
    let Some(openssl) = tool("openssl") else { return };
    let (ca, pem, der) =
        (cli.arg("pki/ca/line/cert.pem"), cli.arg("pki/ca/line/crl.pem"), cli.arg("line.crl"));
    for more in [["-in", &pem, "-inform", "PEM"], ["-in", &der, "-inform", "DER"]] {
        let args = ["crl", "-noout", "-crlnumber", "-nextupdate", "-verify", "-CAfile", &ca];
        let said = openssl.run(&[&args[..], &more[..]].concat());
        assert!(said.contains("verify OK"), "{said}");
    }
    let (root, leaf) = (cli.arg("pki/ca/root/cert.pem"), cli.arg("out/d/cert.pem"));
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    cli.ok(&format!("ca crl root {CA_PW}"));
    let root_crl = cli.arg("pki/ca/root/crl.pem");
    let args = ["verify", "-x509_strict", "-crl_check_all", "-CAfile", &root, "-untrusted", &ca];
    openssl.run(&[&args[..], &["-CRLfile", &pem, "-CRLfile", &root_crl, &leaf]].concat());
}

/// A password of the recipe, by the file that it opens.
fn recipe_password(file: &str) -> String {
    let text = std::fs::read_to_string(data_dir().join("openssl-recipe/PASSWORDS.txt"));
    let text = text.expect("the passwords");
    let line = text.lines().find_map(|l| l.strip_prefix(file)).expect("a line");
    line.trim().to_owned()
}

fn import(name: &str, cert: &str, key: &str, password: &str) -> String {
    let dir = data_dir().join("openssl-recipe/caCertificate");
    let [cert, key] = [cert, key].map(|file| dir.join(file).display().to_string());
    format!("ca add {name} --import '{cert}' --key '{key}' --key-password-file {password} {CA_PW}")
}

const INTERMEDIATE: &str = "intermediateCertificate/intermediateCert.pem";
const INTERMEDIATE_KEY: &str = "intermediateCertificate/intermediateKey.pem";

fn with_recipe_passwords() -> Cli {
    let cli = Cli::new();
    cli.write("root.pw", recipe_password("caKey.pem"));
    cli.write("inter.pw", recipe_password("intermediateKey.pem"));
    cli
}

#[test]
fn cas_of_the_openssl_recipe_are_taken_in_and_go_on() {
    let cli = with_recipe_passwords();
    cli.ok(&import("old-root", "caCert.pem", "caKey.pem", "root.pw"));
    cli.ok(&import("old-line", INTERMEDIATE, INTERMEDIATE_KEY, "inter.pw"));
    let json = cli.run("ca show old-line --json").expect(0).json();
    assert_eq!((&json["parent"], &json["chain_length"]), (&"old-root".into(), &2.into()), "{json}");
    cli.ok(&format!("device issue d --ca old-line --out out {CA_PW}"));
    cli.ok(&format!("ca crl old-line {CA_PW}"));
    let verify = "cert verify --trust pki/ca/old-root/cert.pem --as-device d out/d/chain.pem";
    cli.ok(verify);
    let Some(openssl) = tool("openssl") else { return };
    let root = cli.arg("pki/ca/old-root/cert.pem");
    let (chain, leaf) = (cli.arg("out/d/chain.pem"), cli.arg("out/d/cert.pem"));
    openssl.run(&["verify", "-CAfile", &root, "-untrusted", &chain, &leaf]);
}

#[test]
fn an_intermediate_without_its_root_is_taken_in_with_a_warning() {
    let cli = with_recipe_passwords();
    let outcome = cli.run(&import("line", INTERMEDIATE, INTERMEDIATE_KEY, "inter.pw")).expect(0);
    assert!(outcome.stderr.contains("warning: the chain of line ends at"), "{outcome:?}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let cli = with_recipe_passwords();
    let said = cli.fails(2, &import("x", INTERMEDIATE, "caKey.pem", "root.pw"));
    assert!(said.contains("the private key belongs to none of the certificates"), "{said}");
    assert!(cli.names("pki/ca").is_empty());
}

#[test]
fn a_wrong_password_of_the_key_is_refused() {
    let cli = with_recipe_passwords();
    let said = cli.fails(2, &import("x", "caCert.pem", "caKey.pem", "inter.pw"));
    assert!(said.contains("caKey.pem") && said.contains("password"), "{said}");
    assert!(cli.names("pki/ca").is_empty());
}

#[test]
fn a_device_certificate_is_no_ca() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue d --ca line --out out {CA_PW}"));
    let line = format!("ca add x --import out/d/chain.pem --key out/d/key.pem {CA_PW}");
    let said = cli.fails(2, &line);
    assert!(said.contains("CN=d cannot issue certificates"), "{said}");
}
