//! A CA over the years, through the command line: policies, renewals, revocation, registry,
//! hand-over files, two processes at once. Verdicts are compared with OpenSSL's.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD, a_second_passes, binary};
use c8y_pki_tests::tool;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// A moment that has passed, in whole seconds.
fn ago(time: Duration) -> String {
    let at = OffsetDateTime::now_utc() - time;
    at.replace_nanosecond(0).expect("a time").format(&Rfc3339).expect("a time")
}

fn issue(ids: &str) -> String {
    format!("device issue {ids} --ca line --out out {CA_PW}")
}

fn certificate(cli: &Cli, file: &str) -> Certificate {
    Certificate::all_from_pem_or_der(&cli.read(file)).expect("a certificate").remove(0)
}

fn list(cli: &Cli, more: &str) -> Vec<Value> {
    cli.run(&format!("device list --json {more}")).expect(0).json_lines()
}

/// `sqlite3` on the registry, behind the program's back.
fn tamper(cli: &Cli, sql: &str) -> bool {
    let Some(sqlite) = tool("sqlite3") else { return false };
    sqlite.run(&[&cli.arg("pki/registry.sqlite"), sql]);
    true
}

/// OpenSSL's verdict on a device's certificate with `line`'s list: its output.
fn openssl_crl_check(cli: &Cli, leaf: &str) -> Option<String> {
    let openssl = tool("openssl")?;
    let [root, line, crl, leaf] =
        ["pki/ca/root/cert.pem", "pki/ca/line/cert.pem", "pki/ca/line/crl.pem", leaf]
            .map(|name| cli.arg(name));
    let args = ["verify", "-x509_strict", "-crl_check", "-CAfile", &root, "-untrusted", &line];
    let output = openssl.output(&[&args[..], &["-CRLfile", &crl, &leaf]].concat());
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn verify(device: &str, more: &str) -> String {
    format!("cert verify --trust pki/ca/root/cert.pem {more} out/{device}/chain.pem")
}

// ---- revocation

#[test]
fn revoked_and_superseded_devices_are_seen_as_such() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b c"));
    cli.ok(&format!("device renew b --out out --revoke {CA_PW}"));
    // Certificates begin an hour before they are made.
    let at = ago(Duration::minutes(20));
    let revoked = cli
        .run(&format!("device revoke a --reason keyCompromise --at {at} --json"))
        .expect(0)
        .json();
    assert_eq!((&revoked["id"], &revoked["reason"]), (&"a".into(), &"keyCompromise".into()));
    assert_eq!(revoked["revoked_at"], at);
    let made = cli.run(&format!("ca crl line {CA_PW} --json")).expect(0).json();
    assert_eq!(made["revoked"], 2);

    let crl = "--crl pki/ca/line/crl.pem";
    let refused = cli.run(&verify("a", crl)).expect(1).stdout;
    let sentence = format!(
        "refused: the 1st certificate (CN=a) was revoked at {at} (keyCompromise) (RFC 5280, 6.3)"
    );
    assert!(refused.starts_with(&sentence), "{refused}");
    let old = "cert verify --trust pki/ca/root/cert.pem --crl pki/ca/line/crl.pem \
               out/.replaced/b/1/chain.pem";
    assert!(cli.run(old).expect(1).stdout.contains("(superseded)"));
    let json = cli.run(&format!("{} --json", verify("a", crl))).expect(1).json();
    assert_eq!((&json["valid"], &json["refusal"]["rule"]), (&false.into(), &"revoked".into()));
    for good in ["b", "c"] {
        cli.ok(&verify(good, crl));
    }
    // Without a list nobody knows.
    cli.ok(&verify("a", ""));

    for (leaf, word) in [
        ("out/a/cert.pem", "certificate revoked"),
        ("out/.replaced/b/1/cert.pem", "certificate revoked"),
        ("out/b/cert.pem", ": OK"),
        ("out/c/cert.pem", ": OK"),
    ] {
        let Some(said) = openssl_crl_check(&cli, leaf) else { return };
        assert!(said.contains(word), "{leaf}: {said}");
    }
    let text = tool("openssl").expect("it was there").run(&[
        "crl",
        "-noout",
        "-text",
        "-in",
        &cli.arg("pki/ca/line/crl.pem"),
    ]);
    for words in ["Key Compromise", "Superseded", "X509v3 CRL Number", "Authority Key Identifier"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_list_of_another_ca_or_out_of_date_is_refused() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    cli.ok(&format!("ca crl root {CA_PW}"));
    let refused = cli.run(&verify("a", "--crl pki/ca/root/crl.pem")).expect(1).stdout;
    let sentence = "there is no valid revocation list of CN=Line,O=Example; the lists given are of \
                    CN=Root,O=Example";
    assert!(refused.contains(sentence), "{refused}");
    assert!(refused.contains("hint: give the issuer's present list"), "{refused}");
    cli.ok(&format!("ca crl line --days 1 {CA_PW}"));
    let later = time::OffsetDateTime::now_utc() + time::Duration::days(3);
    let later = later.replace_nanosecond(0).expect("a time");
    let later = later.format(&time::format_description::well_known::Rfc3339).expect("a time");
    let more = format!("--crl pki/ca/line/crl.pem --at {later}");
    let refused = cli.run(&verify("a", &more)).expect(1).stdout;
    assert!(refused.contains("was to be renewed by"), "{refused}");
    cli.write("no.crl", "no list");
    let said = cli.fails(2, &verify("a", "--crl no.crl"));
    assert!(said.contains("no.crl: there is no revocation list"), "{said}");
}

#[test]
fn revoking_says_what_it_cannot_do_and_then_changes_nothing() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b"));
    cli.ok("device revoke a --reason superseded");
    cli.write("b.csv", "id\nb\n");
    let audit = cli.ok("registry export --what audit");
    let again = cli.run("device revoke a").expect(0);
    assert!(again.stderr.starts_with("a is revoked already, since "), "{again:?}");
    for (line, words) in [
        ("device revoke b nobody", "of a device or with a serial number \"nobody\""),
        ("device revoke b --at 2999-01-01T00:00:00Z", "lies in the future"),
        (
            "device revoke b --at 2026-01-02T03:04:05Z",
            "as of 2026-01-02T03:04:05Z: it is valid from",
        ),
        ("device revoke --from b.csv --yes --at 2026-01-02T03:04:05Z", "it is valid from"),
        ("device revoke --from b.csv", "has to be confirmed, and there is no terminal to ask"),
        ("device revoke b --reason certificateHold", "also at the platform"),
    ] {
        let said = cli.run(line).expect(2).stderr;
        assert!(said.contains(words), "{line}: {said}");
    }
    let root = certificate(&cli, "pki/ca/root/cert.pem").serial;
    let said = cli.run(&format!("device revoke {root}")).expect(2).stderr;
    assert!(said.contains("is that of the CA CN=Root,O=Example, issued by"), "{said}");
    let said = cli.run("device revoke b --reason boredom").expect(2).stderr;
    assert!(said.contains("keyCompromise"), "{said}");
    assert_eq!(cli.ok("registry export --what audit"), audit);
    // By its serial number, in the form in which others print it.
    let serial = certificate(&cli, "out/b/cert.pem").serial.to_string().to_uppercase();
    cli.ok(&format!("device revoke {serial} --reason cessationOfOperation"));
    assert_eq!(list(&cli, "--status revoked").len(), 2);
}

#[test]
fn a_revoked_ca_is_shown_as_such_and_issues_no_more() {
    let cli = Cli::with_cas();
    let serial = certificate(&cli, "pki/ca/line/cert.pem").serial;
    cli.ok(&format!("device revoke {serial} --ca-certificate --reason cACompromise"));
    assert!(cli.ok("ca list").contains("revoked: cACompromise"));
    assert!(cli.ok("ca show line").starts_with("CA line (revoked: cACompromise)\n"));
    for line in [
        issue("a"),
        format!("ca renew line {CA_PW}"),
        format!("ca add x --parent line --subject CN=x --days 9 {CA_PW}"),
    ] {
        let said = cli.fails(2, &line);
        assert!(said.contains("was revoked on 20"), "{line}: {said}");
    }
    assert!(cli.names("out").is_empty());
    cli.ok(&format!("ca crl root {CA_PW}"));
    assert!(cli.ok("cert show pki/ca/root/crl.pem").contains("cACompromise"));
}

#[test]
fn the_platforms_revocation_files_are_written() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b"));
    let at = ago(Duration::minutes(20));
    cli.ok(&format!("device revoke a --at {at}"));
    let written = cli.run("registry revocations --out rev --json").expect(0).json();
    assert_eq!(written["revocations"], 1);
    assert_eq!(written["files"], serde_json::json!(["rev/revocations-1.csv"]));
    let serial = certificate(&cli, "out/a/cert.pem").serial;
    // A fresh one has no date: the platform takes the time of the upload.
    let expected = format!("SERIALNO,DATE\n{serial},\n");
    assert_eq!(cli.text("rev/revocations-1.csv"), expected);
    let none = cli.run("registry revocations --ca root --out none --json").expect(0).json();
    assert_eq!(none["revocations"], 0);
    assert!(cli.names("none").is_empty());
}

// ---- renewal

#[test]
fn devices_are_renewed_with_a_new_key_or_the_same() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b c --org Acme"));
    let (old_a, old_b) = (certificate(&cli, "out/a/cert.pem"), certificate(&cli, "out/b/cert.pem"));
    cli.ok(&format!("device renew a --out out {CA_PW}"));
    cli.ok(&format!("device renew b --out out --reuse-key --days 700 {CA_PW}"));
    let (new_a, new_b) = (certificate(&cli, "out/a/cert.pem"), certificate(&cli, "out/b/cert.pem"));
    assert_eq!((&new_a.subject, &new_b.subject), (&old_a.subject, &old_b.subject));
    assert_ne!(new_a.spki, old_a.spki);
    assert_eq!(new_b.spki, old_b.spki);
    let states: BTreeSet<(String, String)> = list(&cli, "--status any")
        .iter()
        .map(|row| (row["id"].to_string(), row["status"].to_string()))
        .collect();
    assert_eq!(states.len(), 5, "{states:?}");
    let show = cli.ok("device show a");
    assert!(show.contains("superseded") && show.contains("live"), "{show}");

    let said = cli.run(&format!("device renew nobody --out out {CA_PW}")).expect(2).stderr;
    assert!(said.contains("device id \"nobody\" has no live certificate"), "{said}");
    let nothing = cli.run(&format!("device renew --expiring 30d --out out {CA_PW}")).expect(0);
    assert!(nothing.stderr.contains("Nothing to renew"), "{nothing:?}");
    assert_eq!(list(&cli, "--expiring 366d").len(), 2, "b has 700 days");
    cli.ok(&format!("device renew --expiring 366d --out out {CA_PW}"));
    assert_eq!(list(&cli, "--status superseded").len(), 4);
    cli.ok("registry check");
}

#[test]
fn an_encrypted_key_that_is_kept_stays_encrypted() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a --encrypt-keys --key-password-file pw"));
    let key = cli.read("out/a/key.pem");
    let said = cli.run(&format!("device renew a --out out --reuse-key {CA_PW}")).expect(2).stderr;
    assert!(
        said.contains("the key of \"a\": out/a/key.pem: the private key is encrypted"),
        "{said}"
    );
    cli.ok(&format!("device renew a --out out --reuse-key --key-password-file pw {CA_PW}"));
    assert_eq!(cli.read("out/a/key.pem"), key);
    // From a file elsewhere, which has to be the device's.
    cli.write("kept.pem", &key);
    cli.ok(&format!("device renew a --key kept.pem --out out --key-password-file pw {CA_PW}"));
    assert_eq!(cli.read("out/a/key.pem"), key);
    cli.ok(&issue("b"));
    let other = format!("device renew a --key out/b/key.pem --out out {CA_PW}");
    let said = cli.run(&other).expect(2).stderr;
    assert!(said.contains("the key in out/b/key.pem is not that of the live"), "{said}");
}

#[test]
fn a_request_for_the_same_key_renews_and_another_does_not() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    let [key, csr, other, other_csr] =
        ["out/a/key.pem", "a.csr", "other.pem", "other.csr"].map(|name| cli.arg(name));
    openssl.run(&["req", "-new", "-key", &key, "-subj", "/CN=a", "-out", &csr]);
    openssl.run(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        &other,
        "-subj",
        "/CN=a",
        "-out",
        &other_csr,
    ]);
    let old = certificate(&cli, "out/a/cert.pem");
    cli.ok(&format!("device renew a --csr a.csr --out out {CA_PW}"));
    let new = certificate(&cli, "out/a/cert.pem");
    assert!(new.spki == old.spki && new.serial != old.serial);
    assert_eq!(cli.names("out/a"), ["cert.pem", "chain.pem"], "the device keeps its key");
    let outcome = cli.run(&format!("device renew a --csr other.csr --out out {CA_PW}")).expect(2);
    let sentence = "error: the request has another key than the certificate of \"a\"";
    assert!(outcome.stderr.starts_with(sentence), "{outcome:?}");
}

#[test]
fn cas_are_renewed_and_devices_stay_valid() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    let old = certificate(&cli, "pki/ca/line/cert.pem");
    a_second_passes();
    cli.ok(&format!("ca renew line --days 4000 {CA_PW}"));
    let new = certificate(&cli, "pki/ca/line/cert.pem");
    assert!(new.spki == old.spki && new.not_after > old.not_after);
    cli.ok(&format!("ca renew root {CA_PW}"));
    // The device's own chain has the former CAs; under the new ones it is as good.
    cli.ok("cert verify --trust pki/ca/root/cert.pem out/a/chain.pem");
    cli.ok("cert verify --trust pki/ca/line/cert.pem out/a/cert.pem");
    cli.ok(&issue("b"));
    cli.ok("cert verify --trust pki/ca/root/cert.pem --as-device b out/b/chain.pem");
    let said = cli.fails(2, &format!("ca renew line --days 36000 {CA_PW}"));
    assert!(said.contains("after its issuer CN=Root,O=Example"), "{said}");
    cli.ok("registry check");
    if let Some(openssl) = tool("openssl") {
        let [root, line] = ["root", "line"].map(|ca| cli.arg(&format!("pki/ca/{ca}/cert.pem")));
        for device in ["a", "b"] {
            let leaf = cli.arg(&format!("out/{device}/cert.pem"));
            openssl.run(&["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &line, &leaf]);
        }
    }
}

#[test]
fn a_ca_with_a_new_key_overlaps_with_the_former() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b"));
    cli.ok(&format!("ca renew line --new-key line-2 {CA_PW}"));
    let (old, new) =
        (certificate(&cli, "pki/ca/line/cert.pem"), certificate(&cli, "pki/ca/line-2/cert.pem"));
    assert_eq!(new.subject, old.subject);
    assert_ne!(new.spki, old.spki);
    cli.ok(&format!("device renew a --ca line-2 --out out {CA_PW}"));
    cli.ok("cert verify --trust pki/ca/root/cert.pem --as-device a out/a/chain.pem");
    cli.ok("cert verify --trust pki/ca/root/cert.pem --as-device b out/b/chain.pem");
    // Each has a list of its own, told apart by the key.
    cli.ok("device revoke a");
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.ok(&format!("ca crl line-2 {CA_PW}"));
    let lists = "--crl pki/ca/line/crl.pem --crl pki/ca/line-2/crl.pem";
    cli.run(&verify("a", lists)).expect(1);
    let others = "--other-ca pki/ca/line/cert.pem --other-ca pki/ca/line-2/cert.pem";
    cli.run(&verify("a", &format!("{lists} {others}"))).expect(1);
    cli.ok(&verify("b", &format!("{lists} {others}")));
    // A list of that name whose key is not known could be a damaged one of the issuer.
    cli.run(&verify("b", lists)).expect(1);
    cli.run(&verify("b", "--crl pki/ca/line-2/crl.pem")).expect(1);
    cli.ok("registry check");
}

#[test]
fn what_runs_out_is_listed() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a --days 20"));
    cli.ok(&issue("b"));
    let ids: Vec<Value> =
        list(&cli, "--expiring 30d").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, ["a"]);
    assert_eq!(list(&cli, "--expiring 60w").len(), 2);
    let cas = cli.run("ca list --expiring 3651d --json").expect(0).json_lines();
    assert_eq!(cas.len(), 1);
    assert_eq!(cas[0]["name"], "line");
    let none = cli.run("ca list --expiring 30d").expect(0);
    assert_eq!(none.stdout, "");
    let said = cli.run("device list --expiring soon").expect(2).stderr;
    assert!(said.contains("not a span such as 30d or 8w"), "{said}");
}

// ---- rework and policy

#[test]
fn rework_replaces_and_keeps_the_history() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b"));
    let before = cli.read("out/a/key.pem");
    let json = cli.run(&format!("{} --json", issue("a c --existing replace"))).expect(0).json();
    assert_eq!((&json["issued"], &json["replaced"]), (&2.into(), &1.into()));
    assert_ne!(cli.read("out/a/key.pem"), before);
    assert_eq!(cli.read("out/.replaced/a/1/key.pem"), before);
    let show = cli.run("device show a --json").expect(0).json_lines();
    let states: Vec<&Value> = show.iter().map(|row| &row["status"]).collect();
    assert_eq!(states, ["superseded", "live"]);
    cli.ok("device revoke b");
    let left = cli.run(&issue("b")).expect(1);
    assert!(left.error().starts_with("1 device is revoked, and no other"), "{left:?}");
    cli.ok(&issue("b --existing replace"));
    let said = cli.fails(2, &issue("b --revoke"));
    assert!(said.contains("nothing is to be replaced"), "{said}");
    cli.ok("registry check");
}

#[test]
fn a_policy_names_the_field_or_the_id() {
    let cli = Cli::new();
    let subject = "--subject 'CN=Line,O=Example,C=DE' --key-type ec-p256";
    cli.ok(&format!("ca init line {subject} {CA_PW}"));
    let config = cli.text("pki/pki.toml");
    let policy = "[policy.line]\nC = \"match\"\nO = \"supplied\"\nids = [\"GW-*\"]\n\
                  ids_from = \"more.ids\"\n";
    cli.write("pki/more.ids", "special\n");
    cli.write("pki/pki.toml", format!("{config}\n{policy}"));
    let said = cli.run(&issue("GW-1 SN-1 --org X -C FR")).expect(2).stderr;
    let differs = "the policy of the CA line wants C \"DE\" as in its own subject, not \"FR\"";
    assert!(said.contains(differs), "{said}");
    let id = "the policy of the CA line does not let it sign the device id \"SN-1\": it signs \
              GW-*, the 1 id(s) of its list";
    assert!(said.contains(id), "{said}");
    assert!(
        said.contains("hint: give the subject that C: --country; or change [policy.line]"),
        "{said}"
    );
    assert!(cli.names("out").is_empty());
    let said = cli.run(&issue("GW-1 -C DE")).expect(2).stderr;
    assert!(said.contains("wants O in the subject, and CN=GW-1,C=DE has none"), "{said}");
    cli.ok(&issue("GW-1 special --org X -C DE"));
    let below = format!("ca add x --parent line --subject CN=x --days 10 {CA_PW}");
    let said = cli.fails(2, &below);
    assert!(said.contains("wants C in the subject, and CN=x has none"), "{said}");
    cli.write("pki/pki.toml", format!("{config}\n[policy.lines]\nC = \"match\"\n"));
    let said = cli.fails(2, "ca list");
    assert!(said.contains("pki.toml: [policy.lines]: there is no CA named \"lines\""), "{said}");
}

// ---- registry

#[test]
fn the_registry_is_checked_and_each_fault_named() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b c"));
    cli.ok("device revoke b --reason keyCompromise");
    let good = cli.run("registry check --json").expect(0).json();
    assert_eq!((&good["good"], &good["certificates"]), (&true.into(), &5.into()));
    assert_eq!(good["keys"]["good"], 2);
    let head = good["head"].as_str().expect("a hash").to_owned();
    cli.ok(&format!("registry check --head {head}"));

    std::fs::remove_file(cli.path("out/a/key.pem")).expect("it was there");
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("key: the key of \"a\" is not in "), "{said}");
    if !tamper(&cli, "UPDATE certificate SET status = 'live' WHERE client_id = 'b'") {
        return;
    }
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("(b) is live, but revoked by the audit log"), "{said}");
    tamper(&cli, "DELETE FROM certificate WHERE client_id = 'c'");
    let json = cli.run("registry check --json").expect(1).json();
    let messages = json["findings"].to_string();
    assert!(messages.contains("recorded 3 certificate(s), and 2 are there"), "{messages}");
    tamper(&cli, "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)");
    let said = cli.run(&format!("registry check --head {head}")).expect(1).stdout;
    assert!(said.contains("its end was cut off"), "{said}");
}

#[test]
fn a_truncated_registry_gets_one_sentence() {
    let cli = Cli::with_cas();
    let many: Vec<String> = (0..200).map(|n| format!("d{n}")).collect();
    cli.ok(&issue(&many.join(" ")));
    if !tamper(&cli, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE") {
        return;
    }
    let whole = cli.read("pki/registry.sqlite");
    cli.write("pki/registry.sqlite", &whole[..whole.len() / 2]);
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("database: "), "{said}");
    let said = cli.fails(2, "device list");
    assert!(said.contains("registry.sqlite is damaged"), "{said}");
    let said = cli.fails(2, &issue("new"));
    assert!(said.contains("registry.sqlite is damaged"), "{said}");
    assert!(cli.names("out").iter().all(|name| name != "new"));
    cli.write("pki/registry.sqlite", b"no database at all".repeat(100));
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("is not a c8y-pki registry"), "{said}");
}

#[test]
fn a_lost_registry_is_not_made_anew() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    for file in ["registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"] {
        let _ = std::fs::remove_file(cli.path("pki").join(file));
    }
    let said = cli.fails(2, &issue("a"));
    assert!(said.contains("registry.sqlite must not be used: it is missing or empty"), "{said}");
    assert!(said.contains("hint: restore a backup of it"), "{said}");
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("it is missing or empty"), "{said}");
    let said = cli.fails(2, "registry check --head 5f3a");
    assert!(said.contains("it has 64 hex digits"), "{said}");
}

#[test]
fn a_compromised_key_takes_all_its_certificates_with_it() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a b"));
    cli.ok(&format!("device renew a b --reuse-key --out out {CA_PW}"));
    cli.ok("device revoke a --reason keyCompromise");
    cli.ok("device revoke b --reason cessationOfOperation");
    let revoked = list(&cli, "--status revoked");
    let ids: Vec<&Value> = revoked.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, ["a", "a", "b"]);
}

#[test]
fn the_registry_is_exported() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    let csv = cli.ok("registry export");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("ca,role,id,serial,status,subject,issuer,not_before,"), "{csv}");
    assert!(lines[3].starts_with("line,device,a,"), "{csv}");
    let rows = cli.run("registry export --json").expect(0).json_lines();
    assert_eq!(rows.len(), 3);
    let cert = certificate(&cli, "out/a/cert.pem");
    assert_eq!(rows[2]["fingerprint_sha256"], cert.fingerprint_sha256());
    cli.ok("registry export --what audit --format jsonl --out audit.jsonl");
    let audit = cli.text("audit.jsonl");
    let last: Value = serde_json::from_str(audit.lines().last().expect("a row")).expect("JSON");
    assert_eq!((&last["action"], &last["detail"]["certificates"]), (&"issue".into(), &1.into()));
}

// ---- hand-over

#[test]
fn a_batch_is_handed_over_and_openssl_checks_it() {
    for (key, hash) in [("ec-p256", "sha256"), ("ec-p384", "sha384"), ("rsa-2048", "sha256")] {
        let cli = Cli::new();
        cli.ok(&format!("ca init line --subject CN=Line --key-type {key} {CA_PW}"));
        cli.ok(&issue("a b"));
        let made = cli.run(&format!("device manifest --out ho {CA_PW} --json")).expect(0).json();
        assert_eq!((&made["devices"], &made["hash"]), (&2.into(), &hash.into()));
        let check = "cert verify --manifest ho/manifest.csv --trust pki/ca/line/cert.pem";
        let said = cli.ok(check);
        assert!(said.starts_with("valid: signed by CN=Line\n"), "{said}");
        // What was not looked at is not called good.
        assert!(said.contains("whether the CA is revoked was not looked at; --crl FILE"), "{said}");
        cli.ok(&format!("ca crl line {CA_PW}"));
        let listed = cli.ok(&format!("{check} --crl pki/ca/line/crl.pem"));
        assert!(!listed.contains("not looked at"), "{listed}");
        let first =
            "#c8y-pki manifest 2; purpose: hand-over of devices; issuer: CN=Line; issuer SHA-256: ";
        assert!(cli.text("ho/manifest.csv").starts_with(first));
        let json = format!("{{ \"mark\": \"{first}");
        assert!(cli.text("ho/manifest.json").starts_with(&json));
        if let Some(openssl) = tool("openssl") {
            let [cert, public] = ["pki/ca/line/cert.pem", "ca.pub"].map(|name| cli.arg(name));
            openssl.run(&["x509", "-in", &cert, "-pubkey", "-noout", "-out", &public]);
            for file in ["ho/manifest.csv", "ho/manifest.json"] {
                let [file, signature] = [cli.arg(file), cli.arg(&format!("{file}.sig"))];
                let hash = format!("-{hash}");
                let args = ["dgst", &hash, "-verify", &public, "-signature", &signature, &file];
                assert!(openssl.run(&args).contains("Verified OK"));
            }
        }
        let text = cli.text("ho/manifest.csv").replace("\nb,", "\nB,");
        cli.write("ho/manifest.csv", text);
        let said = cli.run(check).expect(1).stdout;
        assert!(said.starts_with("refused: the signature was not made over this file"), "{said}");
    }
}

#[test]
fn a_manifest_of_an_intermediate_needs_its_chain() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    let batch = list(&cli, "")[0]["batch"].as_str().expect("a name").to_owned();
    cli.ok(&format!("device manifest --batch {batch} --out ho {CA_PW}"));
    let trust = "cert verify --manifest ho/manifest.json --trust pki/ca/root/cert.pem";
    assert!(cli.run(trust).expect(1).stdout.contains("with the key of CN=Root,O=Example"));
    cli.ok(&format!("{trust} ho/chain.pem"));
    let said = cli.fails(2, &format!("device manifest --batch none --out ho {CA_PW}"));
    assert!(said.contains("there is no batch \"none\""), "{said}");
    assert_eq!(cli.fails(2, "device list --batch none"), said);
}

/// A key for OpenSSL: no other program of ours signs what is no manifest.
fn plain_key(cli: &Cli, ca: &str) -> String {
    let out = format!("{ca}.key");
    let key = format!("pki/ca/{ca}/key.pem");
    cli.ok(&format!("key passwd {key} --password-file pw --plain --out {out}"));
    cli.arg(&out)
}

#[test]
fn a_manifest_that_its_issuer_has_not_signed_is_not_valid() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    cli.ok(&format!("ca add other --parent root --subject 'CN=Other,O=Example' {CA_PW}"));
    cli.ok(&issue("a"));
    cli.ok(&format!("device manifest --out ho {CA_PW}"));
    let old: String = cli.text("ho/manifest.csv").split_inclusive('\n').skip(1).collect();
    cli.write("old.csv", &old);
    let keys = ["line", "other", "root"].map(|ca| (ca, plain_key(&cli, ca)));
    // The sibling stands in the chain too.
    cli.write("chain.pem", cli.text("ho/chain.pem") + &cli.text("pki/ca/other/cert.pem"));
    let trust = "--trust pki/ca/root/cert.pem";
    for file in ["ho/manifest.csv", "ho/manifest.json", "old.csv"] {
        for (ca, key) in &keys {
            let (path, out) = (cli.arg(file), cli.arg(&format!("{file}.sig")));
            openssl.run(&["dgst", "-sha256", "-sign", key, "-out", &out, &path]);
            let line = format!("cert verify --manifest {file} {trust} chain.pem");
            let seen = cli.run(&format!("{line} --json"));
            if *ca == "line" {
                let json = seen.expect(0).json();
                let is_old = file == "old.csv";
                assert_eq!((&json["valid"], &json["old"]), (&true.into(), &is_old.into()));
                assert_eq!(cli.ok(&line).contains("note: this is an old manifest"), is_old);
                continue;
            }
            let json = seen.expect(1).json();
            assert_eq!(json["valid"], false);
            let name = if *ca == "root" { "CN=Root,O=Example" } else { "CN=Other,O=Example" };
            let error = json["error"].as_str().expect("a reason");
            assert!(error.contains("the rows name the issuer CN=Line,O=Example"), "{error}");
            assert!(error.contains(&format!("but {name} (SHA-256 ")), "{error}");
        }
    }
    // What is no manifest is none, even if the right key has signed it.
    cli.write("old.csv", "device_id,serial\na,01\n");
    let (path, out) = (cli.arg("old.csv"), cli.arg("old.csv.sig"));
    openssl.run(&["dgst", "-sha256", "-sign", &keys[0].1, "-out", &out, &path]);
    let said = cli.fails(2, &format!("cert verify --manifest old.csv {trust} chain.pem"));
    assert!(said.contains("old.csv: it is no manifest that can be read: the column"), "{said}");
}

#[test]
fn a_manifest_from_before_a_renewal_needs_the_certificate_of_that_time() {
    let cli = Cli::with_cas();
    cli.ok(&issue("a"));
    cli.ok(&format!("device manifest --out ho {CA_PW}"));
    cli.write("former.pem", cli.text("pki/ca/line/cert.pem"));
    cli.ok(&format!("ca renew line {CA_PW} --shorten"));
    let check = "cert verify --manifest ho/manifest.csv --trust pki/ca/root/cert.pem";
    let said = cli.run(&format!("{check} pki/ca/line/cert.pem")).expect(1).stdout;
    assert!(said.contains("the issuer whose certificate is not given"), "{said}");
    assert!(said.contains("hint: ") && said.contains("renewed"), "{said}");
    cli.ok(&format!("{check} former.pem"));
}

// ---- two processes

#[test]
fn two_processes_issue_a_thousand_devices_each_into_one_folder() {
    let cli = Cli::with_cas();
    let start = |name: &str| {
        let rows: String = (0..1000).map(|n| format!("{name}-{n:04}\n")).collect();
        cli.write(&format!("{name}.csv"), format!("id\n{rows}"));
        Command::new(binary())
            .args(["device", "issue", "--ca", "line", "--out", "out", "--from"])
            .arg(format!("{name}.csv"))
            .current_dir(cli.path(""))
            .env("C8Y_PKI_CA_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts")
    };
    let both = [start("east"), start("west")];
    for mut child in both {
        assert!(child.wait().expect("it ends").success());
    }
    let rows = list(&cli, "--ca line");
    let distinct = |key: &str| rows.iter().map(|r| r[key].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(rows.len(), 2000);
    assert_eq!((distinct("id").len(), distinct("serial").len()), (2000, 2000));
    assert_eq!(cli.names("out").len(), 2000);
    let report = cli.run("registry check --json").expect(0).json();
    assert_eq!(report["keys"]["good"], 2000);
}
