//! `device issue`: lists with faults, devices that are there already, what lands where.

use std::collections::BTreeSet;
use std::fs;

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli, a_second_passes};
use c8y_pki_tests::{arg, data_dir};
use serde_json::Value;

/// The faults of `devices-bad.csv`: line and reason.
const FAULTS: [(u64, &str); 21] = [
    (3, "contains ':', which"),
    (4, "is empty"),
    (5, "is there already in line 2"),
    (6, "contains '/', which"),
    (7, "contains '/', which"),
    (8, "contains the invisible character U+0000"),
    (9, "contains the invisible character U+000A"),
    (11, "has white space at its start or end"),
    (12, "has 65 characters; a common name holds at most 64"),
    (15, "has white space at its start or end"),
    (16, "differs from \"ok-1\" in line 2 only in case"),
    (17, "contains '+', which"),
    (18, "contains '#', which"),
    (19, "contains ':', which"),
    (21, "contains '\"', which"),
    (22, "contains ';', which"),
    (23, "contains the invisible character U+0009"),
    (24, "consists of dots only"),
    (25, "consists of dots only"),
    (26, "starts with '-', which"),
    (28, "starts with '=', which"),
];

/// Its other ids with the directories that they get.
const GOOD: [(&str, &str); 3] =
    [("ok-1", "ok-1"), ("CON", "%43ON"), ("ünïcödé-7", "%C3%BCn%C3%AFc%C3%B6d%C3%A9-7")];

fn issue(more: &str) -> String {
    format!("device issue {more} --ca line --out out {CA_PW}")
}

fn certificate(cli: &Cli, folder: &str) -> Certificate {
    let bytes = cli.read(&format!("out/{folder}/cert.pem"));
    Certificate::all_from_pem_or_der(&bytes).expect("a certificate").remove(0)
}

/// How many certificates the registry has, CAs and devices.
fn devices_of_line(cli: &Cli) -> Value {
    let list = cli.run("ca list --json").expect(0).json_lines();
    let line = list.iter().find(|ca| ca["name"] == "line");
    line.expect("the CA")["devices"].clone()
}

#[test]
fn all_faults_of_a_list_come_at_once_with_line_and_reason() {
    let cli = Cli::with_cas();
    let bad = data_dir().join("devices-bad.csv");
    let outcome = cli.run(&issue(&format!("--from {} --json", arg(&bad)))).expect(2);
    assert_eq!(outcome.stdout, "");
    let said: Value = serde_json::from_str(&outcome.stderr).expect("one line of JSON");
    let found: Vec<(u64, &str)> = said["faults"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|f| (f["line"].as_u64().expect("a line"), f["message"].as_str().expect("text")))
        .collect();
    assert_eq!(
        found.iter().map(|f| f.0).collect::<Vec<_>>(),
        FAULTS.iter().map(|f| f.0).collect::<Vec<_>>(),
        "{found:#?}"
    );
    for ((line, reason), (_, message)) in FAULTS.iter().zip(&found) {
        assert!(message.contains(reason), "wanted {reason:?}: {message}");
        assert!(message.contains(&format!("devices-bad.csv line {line})")), "{message}");
    }
    assert_eq!(said["error"], "21 of 26 devices cannot be issued; nothing was made");
    assert!(cli.names("out").is_empty());
    assert_eq!(devices_of_line(&cli), 0);
}

#[test]
fn a_list_with_faults_is_refused_as_text_too() {
    let cli = Cli::with_cas();
    let bad = data_dir().join("devices-bad.csv");
    let said = cli.run(&issue(&format!("--from {}", arg(&bad)))).expect(2).stderr;
    let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, FAULTS.len() + 1, "{said}");
    assert!(!said.contains('\0'), "control characters are escaped: {said:?}");
    assert!(said.lines().all(|l| l.starts_with("error: ") || l.starts_with("hint: ")), "{said}");
}

#[test]
fn faults_are_told_before_a_password_is_asked_for() {
    let cli = Cli::with_cas();
    let bad = data_dir().join("devices-bad.csv");
    let line = format!("device issue --from {} --ca line --out out", arg(&bad));
    let said = cli.run(&line).expect(2).stderr;
    assert!(said.contains("21 of 26") && !said.contains("password"), "{said}");
}

#[test]
fn odd_but_good_ids_stay_in_their_folders() {
    let cli = Cli::with_cas();
    let long = "é".repeat(40);
    let ids: BTreeSet<&str> = GOOD.iter().map(|(id, _)| *id).chain([long.as_str()]).collect();
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    cli.ok(&issue(&quoted.join(" ")));
    let mut found = BTreeSet::new();
    for folder in cli.names("out") {
        let names = cli.names(&format!("out/{folder}"));
        assert_eq!(names, ["cert.pem", "chain.pem", "key.pem"], "{folder}");
        assert!(folder.len() <= 200, "{folder}");
        found.insert(certificate(&cli, &folder).subject.common_name().expect("CN").to_owned());
    }
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    for (id, folder) in GOOD {
        assert_eq!(certificate(&cli, folder).subject.common_name(), Some(id));
    }
    assert_eq!(cli.names(""), ["out", "pki", "pw"], "something outside --out");
}

#[test]
fn ids_that_the_platform_refuses_for_new_devices_are_refused() {
    let cli = Cli::with_cas();
    for (id, found, instead) in
        [("'two words'", "' '", "two_words"), ("a$b", "'$'", "a_b"), (r"a\b", r"'\\'", "a_b")]
    {
        let said = cli.run(&issue(id)).expect(2).stderr;
        let words =
            format!("contains {found}, which the platform refuses in the ids of new devices");
        assert!(said.contains(&words), "{said}");
        assert!(
            said.contains(&format!("hint: use another character, for example \"{instead}\"")),
            "{said}"
        );
    }
    cli.write("list.csv", "id,name\nok-1,x\ntwo words,y\n");
    let said = cli.run(&issue("--from list.csv")).expect(2).stderr;
    assert!(said.contains("line 3") && said.contains("nothing was made"), "{said}");
    let said = cli.run("registration create --from list.csv").expect(2).stderr;
    assert!(said.contains("contains ' '"), "{said}");
    cli.write("r.csv", "ID;AUTH_TYPE;com_cumulocity_model_Agent.active\na$b;CERTIFICATES;true\n");
    let said = cli.run("registration check r.csv").expect(1).stdout;
    assert!(said.contains("error: r.csv line 2: device id \"a$b\" contains '$'"), "{said}");
    assert_eq!(devices_of_line(&cli), 0);
}

#[test]
fn a_second_run_skips_what_is_there() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b"));
    let before = cli.snapshot("out");
    let said = cli.ok(&issue("a b"));
    assert!(said.contains("0 devices issued") && said.contains("2 skipped"), "{said}");
    assert_eq!(before, cli.snapshot("out"));
    let json = cli.run(&issue("b c --json")).expect(0).json();
    assert_eq!((&json["issued"], &json["skipped"]), (&1.into(), &1.into()), "{json}");
    assert_eq!(devices_of_line(&cli), 3);
}

#[test]
fn existing_fail_refuses_the_whole_run() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    let before = cli.snapshot("out");
    let said = cli.run(&issue("a b --existing fail")).expect(2).stderr;
    assert!(said.contains("\"a\"") && said.contains("1 of 2 devices cannot be issued"), "{said}");
    assert_eq!(before, cli.snapshot("out"));
    assert_eq!(devices_of_line(&cli), 1);
}

#[test]
fn an_id_that_differs_only_in_case_from_an_issued_one_is_not_issued() {
    let cli = Cli::with_cas();
    cli.ok(&issue("gw-a"));
    let outcome = cli.run(&issue("GW-A"));
    assert_eq!(cli.names("out"), ["gw-a"], "{outcome:?}");
    assert_eq!(devices_of_line(&cli), 1);
}

#[test]
fn duplicates_among_arguments_are_refused() {
    let cli = Cli::with_cas();
    let said = cli.run(&issue("a b a")).expect(2).stderr;
    assert!(said.contains("device id \"a\" (command line) is named twice"), "{said}");
    assert!(cli.names("out").is_empty());
}

#[test]
fn a_folder_that_is_there_already_is_not_written_into() {
    let cli = Cli::with_cas();
    cli.write("out/a/mine.txt", "mine");
    let said = cli.run(&issue("a")).expect(2).stderr;
    assert!(said.contains("out/a"), "{said}");
    assert_eq!(cli.names("out/a"), ["mine.txt"]);
    assert_eq!(devices_of_line(&cli), 0);
}

#[test]
fn a_list_comes_from_standard_input() {
    let cli = Cli::with_cas();
    let list = "\u{feff}id;name\r\nin-1;One\r\nin-2;Two\r\n";
    cli.run_with(&issue("--from -"), &[], list.as_bytes()).expect(0);
    assert_eq!(cli.names("out"), ["in-1", "in-2"]);
    let outcome = cli.run_with(&issue("--from -"), &[], b"id\na:b\n").expect(2);
    assert!(outcome.stderr.contains("(standard input line 2)"), "{outcome:?}");
}

#[test]
fn a_list_without_a_column_of_ids_is_refused() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "name,type\na,b\n");
    let said = cli.fails(2, &issue("--from list.csv"));
    assert!(said.contains("list.csv: the header in line 1 has no column named id"), "{said}");
}

#[test]
fn validity_and_subject_come_from_flags() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a --days 30 --org Acme --org-unit X --org-unit Y --country DE"));
    let cert = certificate(&cli, "a");
    assert_eq!((cert.not_after - cert.not_before).whole_days(), 30);
    assert_eq!(cert.subject.to_string(), "CN=a,OU=Y,OU=X,O=Acme,C=DE");
    let said = cli.fails(2, &issue("b --subject CN=x"));
    assert!(said.contains("common name is its id"), "{said}");
}

#[test]
fn a_device_must_not_outlive_its_ca() {
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=R --key-type ec-p256 --days 20 {CA_PW}"));
    a_second_passes();
    let said = cli.fails(2, &format!("device issue a --ca root --out out {CA_PW} --days 30"));
    assert!(
        said.contains(
            "ask for at most 19 days; or have it shortened to its issuer's end: --shorten"
        ),
        "{said}"
    );
    assert!(cli.names("out").is_empty());
    cli.ok(&format!("device issue a --ca root --out out {CA_PW} --days 19"));
    cli.ok(&format!("device issue b --ca root --out out {CA_PW} --days 30 --shorten"));
    let root = cli.read("pki/ca/root/cert.pem");
    let root = Certificate::all_from_pem_or_der(&root).expect("a certificate").remove(0);
    assert_eq!(certificate(&cli, "b").not_after, root.not_after);
}

#[test]
fn a_bundle_needs_a_key_and_a_server_certificate() {
    let cli = Cli::with_cas();
    let store = "--store-password-file pw";
    let said = cli.fails(2, &issue(&format!("a --bundle truststore-p12 {store}")));
    assert!(said.contains("the bundle is empty"), "{said}");
    let said = cli.fails(2, &issue(&format!("a --bundle pem,truststore-jks {store}")));
    assert!(said.contains("--server-cert"), "{said}");
    let said = cli.run(&issue("a --bundle pem,zip")).expect(2).stderr;
    assert!(said.contains("truststore-jks"), "{said}");
    assert_eq!(devices_of_line(&cli), 0);
}

#[test]
fn keys_are_encrypted_when_asked_for() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a --encrypt-keys --key-password-file pw"));
    let key = cli.text("out/a/key.pem");
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    cli.ok("key show out/a/key.pem --password-file pw");
    assert!(fs::metadata(cli.path("out/a/cert.pem")).is_ok());
}
