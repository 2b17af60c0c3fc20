//! A plan looks at what makes a certificate worth nothing (its end, a revoked CA), at the names beside its subject, and into
//! the files of each device.

use std::sync::atomic::AtomicBool;

use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::rollout::spec::Spec;
use c8y_pki_engine::rollout::{self, Passwords, Remote, Run};
use c8y_pki_tests::cli::Cli;
use time::{Duration, OffsetDateTime};

const PLAN: &str = "rollout demo/rollout.toml --plan --exit-code";

/// The embedded example without a tenant, in `demo`, with some of its text changed.
fn example(changes: &[(&str, &str)]) -> Cli {
    let cli = Cli::new();
    let text = cli.ok("profile show rollout.toml");
    let (file, _) = text.split_once("# [tenant]").expect("a tenant in the example");
    cli.write("demo/rollout.toml", file);
    cli.write("demo/devices.csv", "id,name\ngw-0,Zero\ngw-1,One\ngw-2,Two\n");
    changes.iter().for_each(|(from, to)| edit(&cli, from, to));
    cli
}

fn edit(cli: &Cli, from: &str, to: &str) {
    let text = cli.text("demo/rollout.toml");
    assert!(text.contains(from), "no {from:?} in {text}");
    cli.write("demo/rollout.toml", text.replace(from, to));
}

/// What a plan says that finds differences, and nothing that begins with another sign than `~`, `=` and `?`.
fn differs(cli: &Cli) -> String {
    let said = cli.run(PLAN).expect(4).stdout;
    assert!(!said.contains("Everything is in place"), "{said}");
    said
}

fn in_place(cli: &Cli) {
    let said = cli.run(PLAN).expect(0).stdout;
    assert!(said.contains("Everything is in place."), "{said}");
}

/// Rows of a plan with these words.
fn rows<'a>(said: &'a str, words: &str) -> Vec<&'a str> {
    said.lines().filter(|line| line.contains(words)).collect()
}

/// Does the rollout as it would have been done at another time.
fn rolled_out_at(cli: &Cli, now: OffsetDateTime) {
    let spec = Spec::read(&cli.path("demo/rollout.toml")).expect("a rollout");
    let remote = Remote::default();
    let plan = rollout::plan(&spec, &remote, now).expect("a plan");
    let passwords = Passwords::read_or_create(&spec).expect("passwords");
    let stop = AtomicBool::new(false);
    let run = Run { now, threads: 1, stop: &stop, progress: &|_, _| {} };
    let done = rollout::apply(&spec, plan, &passwords, &remote, &run).expect("a rollout");
    assert_eq!(done.devices.issued, 3);
}

#[test]
fn what_has_expired_is_not_in_place() {
    let line = "CN=Example Line 7,O=Example GmbH,C=DE\"";
    let cli = example(&[
        (line, &format!("{line}\ndays = 10")),
        ("profile = \"device\"", "profile = \"device\"\ndays = 3"),
    ]);
    let then = OffsetDateTime::now_utc() - Duration::days(20);
    rolled_out_at(&cli, then);
    let ends = |days| (then + Duration::days(days)).date();
    let said = differs(&cli);
    let [devices] = rows(&said, "~  devices.from")[..] else { panic!("{said}") };
    let words = format!("their certificates have expired, the first on {}; 3 devices", ends(3));
    assert!(devices.contains(&words) && devices.contains("--replace-differing`"), "{devices}");
    let [ca] = rows(&said, "~  ca.name")[..] else { panic!("{said}") };
    assert!(ca.contains(&format!("its certificate expired on {}; to apply", ends(10))), "{ca}");
    assert!(ca.contains("c8y-pki --pki demo/pki ca renew line-7 --days 10"), "{ca}");
    assert!(rows(&said, "=  ca.name").iter().all(|row| !row.contains("line-7")), "{said}");
    let secret = "demo/secrets/ca-password";
    cli.ok(&format!(
        "--clock-is-right --pki demo/pki ca renew line-7 --days 10 --parent-password-file {secret}"
    ));
    let left = cli.ok("rollout demo/rollout.toml");
    assert!(left.contains("have expired") && !left.contains("everything is in place"), "{left}");
    let done = cli.ok("rollout demo/rollout.toml --replace-differing");
    assert!(done.contains("3 devices issued"), "{done}");
    in_place(&cli);
}

#[test]
fn names_beside_the_subject_are_compared() {
    let cli = example(&[("profile = \"device\"", "profile = \"device.toml\"")]);
    let plain = cli.ok("profile show device");
    let named = |uri: &str| format!("{plain}subject_alt_name = [\"URI:{uri}\"]\n");
    cli.write("demo/device.toml", &plain);
    cli.ok("rollout demo/rollout.toml");
    cli.write("demo/device.toml", named("https://d.example.com/{id}"));
    let one_row = |words: &str| {
        let said = differs(&cli);
        let [row] = rows(&said, "~  ")[..] else { panic!("{said}") };
        assert!(row.contains("devices.profile") && row.contains("3 devices as before"), "{row}");
        assert!(row.contains(words), "{row}");
    };
    one_row("subjectAltName: nothing -> URI:https://d.example.com/{id};");
    let done = cli.ok("rollout demo/rollout.toml --replace-differing");
    assert!(done.contains("3 devices issued"), "{done}");
    // They are as they are to be: nothing is issued a second time.
    in_place(&cli);
    cli.write("demo/device.toml", named("urn:x:{id}"));
    one_row("subjectAltName: URI:https://d.example.com/{id} -> URI:urn:x:{id};");
    cli.write("demo/device.toml", &plain);
    one_row("subjectAltName: URI:https://d.example.com/{id} -> nothing;");
    // Of a validity that begins earlier the days are not said to be others.
    let earlier = plain.replace("backdate_minutes = 60", "backdate_minutes = 120");
    cli.write(
        "demo/device.toml",
        earlier + "subject_alt_name = [\"URI:https://d.example.com/{id}\"]\n",
    );
    one_row("validity: 365 days and 60 minutes -> 365 days and 120 minutes;");
    let shorter = named("https://d.example.com/{id}").replace("= 365", "= 364");
    cli.write("demo/device.toml", shorter);
    one_row("validity: 365 days -> 364 days;");
}

#[test]
fn the_files_of_each_device_are_opened() {
    let cli = example(&[("[\"pem\", \"p12\", ", "[\"pem\", \"thin-edge\", \"jks\", ")]);
    cli.ok("rollout demo/rollout.toml");
    let said = cli.run(PLAN).expect(0).stdout;
    let looked = "and their files: certificates, chains and keys as PEM, truststores, keystores";
    assert!(said.contains(looked), "{said}");
    let at = |name: &str| format!("demo/out/devices/gw-0/{name}");
    let of_another = |name: &str| cli.read(&format!("demo/out/devices/gw-1/{name}"));
    let empty = Vec::new;
    for (file, bytes, words) in [
        ("cert.pem", of_another("cert.pem"), "hold another certificate than their live one"),
        ("cert.pem", empty(), "cert.pem: "),
        ("key.pem", of_another("key.pem"), "the key in key.pem is not that of their live"),
        ("key.pem", empty(), "key.pem: "),
        ("tedge-private-key.pem", of_another("key.pem"), "the key in tedge-private-key.pem is not"),
        ("tedge-certificate.pem", of_another("chain.pem"), "hold another certificate"),
        ("keystore.jks", of_another("keystore.jks"), "hold another certificate"),
    ] {
        let before = cli.read(&at(file));
        cli.write(&at(file), bytes);
        let said = differs(&cli);
        let [row] = rows(&said, "~  ")[..] else { panic!("{file}: {said}") };
        assert!(row.contains("devices.bundle") && row.contains(words), "{file}: {row}");
        assert!(row.contains("1 device as before (gw-0)"), "{file}: {row}");
        assert!(row.contains("--replace-differing`"), "{file}: {row}");
        cli.write(&at(file), before);
    }
    cli.write(&at("key.pem"), of_another("key.pem"));
    let done = cli.ok("rollout demo/rollout.toml --replace-differing");
    assert!(done.contains("1 device issued"), "{done}");
    in_place(&cli);
    // A key that nobody can open here is not said to be right.
    let key = PrivateKey::read(&cli.read(&at("key.pem")), None).expect("a key");
    let sealed = key.to_encrypted_pem(&Password::new("another-Secret-1"), 1000).expect("a key");
    cli.write(&at("key.pem"), sealed.expose());
    let said = cli.run(PLAN).expect(0).stdout;
    let [row] = rows(&said, "?  ")[..] else { panic!("{said}") };
    assert!(row.contains("key.pem was not looked at: it is encrypted; 1 device (gw-0)"), "{row}");
    assert!(said.contains("Everything that was looked at is in place"), "{said}");
}

#[test]
fn rows_say_what_they_are_about_once() {
    let cli = example(&[]);
    cli.ok("rollout demo/rollout.toml");
    let secret = "demo/secrets/ca-password";
    cli.ok(&format!("--pki demo/pki ca renew line-7 --parent-password-file {secret}"));
    let said = differs(&cli);
    let [row] = rows(&said, "is not the present one of their CA")[..] else { panic!("{said}") };
    assert!(row.contains("3 devices as before (gw-0, gw-1, gw-2)"), "{row}");

    // Two CAs of one subject are told apart.
    edit(&cli, "\"edge\"", "\"rim\"");
    cli.ok("rollout demo/rollout.toml --new-ca");
    let said = cli.ok("rollout demo/rollout.toml --plan --new-ca");
    for ca in ["edge", "rim"] {
        let shown = cli.run(&format!("--pki demo/pki ca show {ca} --json")).expect(0).json();
        let print = shown["certificate"]["fingerprint_sha256"].as_str().expect("hex");
        let words = format!("C=DE (SHA-256 {}…)", &print[..16]);
        assert_eq!(rows(&said, &words).len(), 1, "{words}: {said}");
    }
    edit(&cli, "secrets/store-password", "secrets/other");
    let said = cli.ok("rollout demo/rollout.toml --plan --new-ca");
    let words = "it does not open the stores (truststore.p12: there is no password yet); 3 devices";
    assert_eq!(rows(&said, words).len(), 1, "{said}");

    // A CA that is revoked signs nothing, and what it has signed is not valid.
    let show = cli.run("--pki demo/pki ca show line-7 --json").expect(0).json();
    let serial = show["certificate"]["serial"].as_str().expect("hex");
    let reason = "--ca-certificate --reason keyCompromise --yes";
    cli.ok(&format!("--pki demo/pki device revoke {serial} {reason}"));
    let said = cli.run(&format!("{PLAN} --new-ca")).expect(4).stdout;
    let [row] = rows(&said, "~  ca.name")[..] else { panic!("{said}") };
    let today = OffsetDateTime::now_utc().date();
    assert!(row.contains(&format!("its certificate was revoked on {today} (key")), "{row}");
    assert!(row.contains("it must not sign; a CA cannot be changed"), "{row}");
    assert!(rows(&said, "=  ca.name").iter().all(|row| !row.contains("line-7")), "{said}");
    // The file that people copy is not another one's.
    cli.write("demo/pki/ca/root/cert.pem", cli.text("demo/pki/ca/line-7/cert.pem"));
    let said = cli.run(&format!("{PLAN} --new-ca")).expect(4).stdout;
    let words =
        "cert.pem of the CA root is not the first certificate of its chain.pem, which counts";
    assert_eq!(rows(&said, words).len(), 1, "{said}");
    // So what it would have to sign is not said to be done by a run.
    cli.write("demo/devices.csv", cli.text("demo/devices.csv") + "gw-late,Late\n");
    let said = cli.run(&format!("{PLAN} --new-ca")).expect(4).stdout;
    let [row] = rows(&said, "to be issued by")[..] else { panic!("{said}") };
    assert!(row.contains("but line-7 cannot sign as it is; 1 device (gw-late)"), "{row}");
    let plan = cli.run("rollout demo/rollout.toml --plan --new-ca --json").expect(0).json();
    let rows = plan["findings"].as_array().expect("rows");
    let late = rows.iter().find(|row| row["sign"] == "missing" && row["key"] == "devices.from");
    assert_eq!(late.map(|row| &row["remedy"]), Some(&serde_json::Value::Null), "{plan:#}");
}
