//! What a rollout does only when it is asked for: a second CA, devices issued again, devices revoked that are no longer in
//! the list; several tenants in one file; two rollouts at once.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, PASSWORD};
use serde_json::Value;

/// The embedded example with a section for the tenant, in `demo`.
fn example(section: &str) -> Cli {
    let cli = Cli::new();
    let text = cli.ok("profile show rollout.toml");
    let (file, _) = text.split_once("# [tenant]").expect("a tenant in the example");
    cli.write("demo/rollout.toml", format!("{file}{section}"));
    cli.write("demo/devices.csv", "id,name\ngw-0,Zero\ngw-1,One\ngw-2,Two\n");
    cli
}

const TENANT: &str = "[tenant]\ncas = [\"line-7\"]\n";

fn edit(cli: &Cli, from: &str, to: &str) {
    let text = cli.text("demo/rollout.toml");
    assert!(text.contains(from), "no {from:?} in {text}");
    cli.write("demo/rollout.toml", text.replace(from, to));
}

/// What OpenSSL says; none without it.
fn openssl(cli: &Cli, line: &str) -> Option<(bool, String)> {
    let output =
        Command::new("openssl").args(line.split(' ')).current_dir(cli.path("")).output().ok()?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some((output.status.success(), said))
}

#[cfg(unix)]
#[test]
fn what_is_wrong_with_files_is_in_the_plan() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    let clean = cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    let own = cli.text("demo/out/devices/gw-0/cert.pem");
    cli.write("demo/out/devices/gw-0/cert.pem", own + &cli.text("demo/pki/ca/edge/cert.pem"));
    for path in ["secrets/ca-password", "pki/ca/line-7/key.pem", "out/devices/gw-1/key.pem"] {
        fs::set_permissions(cli.path("demo").join(path), Permissions::from_mode(0o644)).unwrap();
    }
    fs::create_dir(cli.path("demo/out/devices/nobody")).unwrap();
    let plan = cli.run("rollout demo/rollout.toml --plan --exit-code").expect(4).stdout;
    for words in [
        "cert.pem has more than their own certificate; 1 device as before (gw-0)",
        "~  passwords.ca",
        "other users can read it; to apply: `chmod -R go= demo/secrets/ca-password`",
        "to apply: `chmod -R go= demo/pki/ca/line-7/key.pem`",
        "other users can read key.pem; 1 device as before (gw-1); to apply: `chmod -R go= demo/out/devices`",
        "1 directory is of no device of the list or the registry: nobody; nothing to do",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    for path in ["secrets/ca-password", "pki/ca/line-7/key.pem", "out/devices"] {
        let mut chmod = Command::new("chmod");
        chmod.args(["-R", "go=", path]).current_dir(cli.path("demo"));
        assert!(chmod.status().unwrap().success());
    }
    cli.ok("rollout demo/rollout.toml --replace-differing");
    fs::remove_dir(cli.path("demo/out/devices/nobody")).unwrap();
    let again = cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    assert_eq!(again.stdout, clean.stdout);

    // A CA without its key signs nothing, and the plan promises nothing under it.
    fs::rename(cli.path("demo/pki/ca/root/key.pem"), cli.path("root.key")).unwrap();
    edit(
        &cli,
        "[devices]",
        "[[ca]]\nname = \"line-8\"\nparent = \"root\"\nprofile = \"intermediate\"\nsubject = \"CN=Eight\"\n\n[devices]",
    );
    let plan = cli.run("rollout demo/rollout.toml --plan --exit-code").expect(4).stdout;
    assert!(plan.contains("there is no key: demo/pki/ca/root/key.pem"), "{plan}");
    assert!(plan.contains("CN=Eight under root, but root cannot sign as it is"), "{plan}");
}

#[test]
fn a_renamed_ca_is_no_second_one() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    cli.write(
        "demo/pki/pki.toml",
        cli.text("demo/pki/pki.toml") + "[policy.line-7] # ours\nC = \"match\"\n",
    );
    cli.ok("--pki demo/pki ca crl line-7 --ca-password-file demo/secrets/ca-password");
    edit(&cli, "\"line-7\"", "\"line-8\"");
    let before = cli.snapshot("demo");
    let said = cli.fails(2, "rollout demo/rollout.toml");
    assert!(
        said.contains("`c8y-pki --pki demo/pki ca rename line-7 line-8`")
            && said.contains("--new-ca"),
        "{said}"
    );
    assert!(before == cli.snapshot("demo"));

    let renamed = cli.run("--pki demo/pki ca rename line-7 line-8 --json").expect(0).json();
    assert_eq!((&renamed["name"], &renamed["former_name"]), (&"line-8".into(), &"line-7".into()));
    assert_eq!((&renamed["parent"], &renamed["devices"]), (&"root".into(), &3.into()));
    assert!(cli.text("demo/pki/pki.toml").contains("[policy.line-8] # ours"));
    let plan = cli.ok("rollout demo/rollout.toml --plan");
    assert!(plan.contains("Everything is in place."), "{plan}");
    let again = cli.ok("rollout demo/rollout.toml");
    assert!(again.contains("Nothing to do: everything is in place."), "{again}");
    cli.ok("--pki demo/pki registry check");
    let audit = cli.run("--pki demo/pki registry export --what audit --format jsonl").expect(0);
    let is_it = |row: &Value| row["action"] == "rename" && row["detail"]["to"] == "line-8";
    assert!(audit.json_lines().iter().any(is_it), "{audit:?}");
    // Its lists go on with their numbers, and its devices verify as before.
    cli.ok(
        "--pki demo/pki ca crl line-8 --out line.crl --ca-password-file demo/secrets/ca-password",
    );
    if let Some((_, said)) = openssl(&cli, "crl -in line.crl -noout -crlnumber") {
        assert!(said.contains("0x02") || said.contains("=02"), "{said}");
    }
    let line = "verify -CAfile demo/pki/ca/root/cert.pem -untrusted demo/out/devices/gw-0/chain.pem \
                demo/out/devices/gw-0/cert.pem";
    if let Some((good, said)) = openssl(&cli, line) {
        assert!(good, "{said}");
    }
    // A name that is taken, and one that is none.
    cli.fails(2, "--pki demo/pki ca rename line-8 root");
    cli.fails(2, "--pki demo/pki ca rename line-8 Line!");
    // The former name is free for another CA, whose rows are told apart.
    cli.ok("--pki demo/pki ca add line-7 --parent root --subject CN=New,C=DE --ca-password-file demo/secrets/ca-password");
    cli.ok("--pki demo/pki registry check");
}

#[test]
fn a_second_ca_of_a_subject_has_to_be_asked_for() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    edit(&cli, "\"line-7\"", "\"line-8\"");
    let plan = cli.ok("rollout demo/rollout.toml --plan --new-ca");
    assert!(plan.contains("+  ca.name") && plan.contains("issued by: line-7 -> line-8"), "{plan}");
    let done = cli.ok("rollout demo/rollout.toml --new-ca");
    assert!(
        done.contains("created   ca") && done.contains("issued by: line-7 -> line-8"),
        "{done}"
    );
    cli.ok("--pki demo/pki ca show line-8");
    let done = cli.ok("rollout demo/rollout.toml --replace-differing");
    assert!(done.contains("3 devices issued"), "{done}");
    let chain =
        "verify -CAfile demo/pki/ca/line-8/cert.pem -partial_chain demo/out/devices/gw-1/cert.pem";
    if let Some((good, said)) = openssl(&cli, chain) {
        assert!(good, "{said}");
    }
}

#[test]
fn devices_that_differ_are_issued_again_when_asked() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    edit(&cli, "profile = \"device\"", "profile = \"device\"\ndays = 100");
    let before = cli.snapshot("demo/out");
    let left = cli.ok("rollout demo/rollout.toml");
    assert!(left.contains("Nothing was done.") && left.contains("365 days -> 100 days"), "{left}");
    assert!(!left.contains("everything is in place"), "{left}");
    assert!(before == cli.snapshot("demo/out"));
    let json = cli.run("rollout demo/rollout.toml --json").expect(0).json();
    assert_eq!(json["left"][0]["key"], "devices.days", "{json}");

    let done = cli.run("rollout demo/rollout.toml --replace-differing --json").expect(0).json();
    assert_eq!(
        (&done["devices"]["issued"], &done["devices"]["replaced"]),
        (&3.into(), &3.into()),
        "{done}"
    );
    cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    cli.ok("--pki demo/pki registry check");
    let soon = "x509 -in demo/out/devices/gw-2/cert.pem -noout -checkend 8726400";
    if let Some((lives_longer, said)) = openssl(&cli, soon) {
        assert!(!lives_longer, "it is valid for more than 101 days: {said}");
    }
}

#[test]
fn devices_that_are_no_longer_listed_are_revoked_when_asked() {
    let at = AtTenant::new(example(TENANT));
    at.ok("rollout demo/rollout.toml");
    at.ok("tenant crl enable");
    at.cli.write("demo/devices.csv", "id,name\ngw-0,Zero\n");
    let plan = at.run("rollout demo/rollout.toml --plan --exit-code").expect(4);
    assert!(
        plan.stdout.contains("-  devices.from") && plan.stdout.contains("(gw-1, gw-2)"),
        "{plan:?}"
    );
    // Without being asked for it, nothing is revoked.
    let left = at.ok("rollout demo/rollout.toml");
    assert!(left.contains("no longer in the list") && left.contains("--prune`"), "{left}");
    let refused = at.run("rollout demo/rollout.toml --prune").expect(2);
    assert!(refused.error().contains("revoking 2 devices has to be confirmed"), "{refused:?}");
    assert!(at.cli.ok("--pki demo/pki device list --status revoked --json").is_empty());

    let done = at.ok("rollout demo/rollout.toml --prune --yes");
    assert!(done.contains("2 devices revoked; 2 revocations sent to the tenant."), "{done}");
    // What a prune does not do is said before it and after it.
    assert!(plan.stdout.contains("revoking them leaves their registration"), "{plan:?}");
    assert!(done.contains("the tenant keeps their registration"), "{done}");
    assert!(done.contains("The tenant keeps the devices and their registration"), "{done}");
    assert!(done.contains("It checks revocations"), "{done}");
    assert!(!at.cli.text("demo/out/registration.csv").contains("gw-1"));
    let clean = at.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    assert!(!clean.stdout.contains("-  devices.from"), "{clean:?}");
    let serials: Vec<String> = at
        .cli
        .run("--pki demo/pki device list --status revoked --json")
        .expect(0)
        .json_lines()
        .iter()
        .map(|row| row["serial"].as_str().expect("a number").to_lowercase())
        .collect();
    assert_eq!(serials.len(), 2);
    at.ok("tenant crl download --out there.crl");
    if let Some((_, said)) = openssl(&at.cli, "crl -in there.crl -noout -text") {
        let said = said.to_lowercase();
        assert!(
            serials.iter().all(|serial| said.contains(serial.trim_start_matches('0'))),
            "{said}"
        );
    }
    // A platform that has lost them, or a run that was stopped: they are sent again.
    let other = AtTenant::new(at.cli);
    let lost = other.ok("rollout demo/rollout.toml --plan");
    assert!(lost.contains("the tenant's list does not have them"), "{lost}");
    let sent = other.ok("rollout demo/rollout.toml --prune --yes");
    assert!(sent.contains("0 devices revoked; 2 revocations sent to the tenant."), "{sent}");
}

#[test]
fn a_plan_in_json_names_each_key_and_the_command() {
    let cli = example("");
    let plan = cli.run("rollout demo/rollout.toml --plan --exit-code --json").expect(4).json();
    assert_eq!(plan["changes"], true);
    cli.ok("rollout demo/rollout.toml");
    cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    edit(&cli, "O=Example GmbH,C=DE\"\n# One directory", "O=Other,C=DE\"\n# One directory");
    let plan = cli.run("rollout demo/rollout.toml --plan --exit-code --json").expect(4).json();
    let is_it = |row: &&Value| row["key"] == "devices.subject";
    let row = plan["findings"].as_array().expect("rows").iter().find(is_it).expect("the subject");
    assert_eq!((&row["sign"], &row["devices"]), (&"differs".into(), &3.into()), "{row}");
    assert_eq!((&row["old"], &row["new"]), (&"O=Example GmbH,C=DE".into(), &"O=Other,C=DE".into()));
    assert_eq!(row["ids"], serde_json::json!(["gw-0", "gw-1", "gw-2"]));
    assert_eq!(row["command"], "c8y-pki rollout demo/rollout.toml --replace-differing");
    cli.fails(2, "rollout demo/rollout.toml --exit-code");
}

#[test]
fn a_tenant_without_credentials_is_not_called_in_place() {
    let at = AtTenant::new(example(TENANT));
    at.ok("rollout demo/rollout.toml");
    let plan = at.cli.ok("rollout demo/rollout.toml --plan");
    assert!(plan.contains("?  tenant") && plan.contains("the tenant was not asked"), "{plan}");
    assert!(!plan.contains("Everything is in place"), "{plan}");
    // With an exit code there is no guess.
    let refused = at.cli.run("rollout demo/rollout.toml --plan --exit-code").expect(2);
    assert!(refused.error().contains("host of the tenant is not given"), "{refused:?}");
}

#[test]
fn one_of_several_tenants_is_named() {
    let sections = "[tenant.staging]\ncas = [\"line-7\"]\n[tenant.production]\ncas = [\"root\"]\nprove = false\n";
    let at = AtTenant::new(example(sections));
    let said = at.run("rollout demo/rollout.toml --plan").expect(2);
    assert!(said.stderr.contains("[tenant.production], [tenant.staging]"), "{said:?}");
    assert!(said.stderr.contains("--tenant NAME"), "{said:?}");
    let said = at.run("rollout demo/rollout.toml --plan --tenant stagin").expect(2);
    assert!(said.stderr.contains("has no [tenant.stagin]"), "{said:?}");
    at.ok("rollout demo/rollout.toml --tenant staging");
    let names = |at: &AtTenant| -> Vec<Value> {
        at.list("trusted_certificates").iter().map(|cert| cert["name"].clone()).collect()
    };
    assert_eq!(names(&at), ["Example Line 7"]);
    assert!(at.cli.path("demo/out/registration.staging.result.csv").exists());
    let plan = at.ok("rollout demo/rollout.toml --plan --tenant production");
    assert!(plan.contains("+  tenant.cas"), "{plan}");
    at.ok("rollout demo/rollout.toml --tenant production");
    assert_eq!(names(&at).len(), 2);
    // Without the tenant none has to be named.
    let local = at.cli.ok("rollout demo/rollout.toml --plan --local");
    assert!(local.contains("none of these tenants was asked"), "{local}");
}

#[test]
fn passwords_come_from_variables_where_there_are_no_files() {
    let cli = example("");
    let secrets =
        [("C8Y_PKI_CA_PASSWORD", PASSWORD), ("C8Y_PKI_STORE_PASSWORD", "store-Secret-77")];
    let line = "rollout demo/rollout.toml --weak-password";
    cli.run_with(line, &secrets, b"").expect(0);
    assert!(cli.names("demo/secrets").is_empty(), "a password was written");
    let plan =
        cli.run_with("rollout demo/rollout.toml --plan --exit-code", &secrets, b"").expect(0);
    assert!(plan.stdout.contains("given by the caller; it opens the key of line-7"), "{plan:?}");
    let store = "store show demo/out/devices/gw-0/keystore.p12";
    cli.run_with(store, &secrets, b"").expect(0);
    // A new password would open nothing.
    let lost = cli.fails(2, "rollout demo/rollout.toml --plan");
    assert!(lost.contains("a new one would not open it"), "{lost}");
    let wrong = [("C8Y_PKI_CA_PASSWORD", "wrong-Secret-1")];
    cli.run_with("rollout demo/rollout.toml --plan", &wrong, b"").expect(2);
}

#[test]
fn a_second_rollout_waits_for_the_first() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    cli.write("demo/devices.csv", "id,name\ngw-0,Zero\ngw-1,One\ngw-2,Two\ngw-3,Three\n");
    let first = File::create(cli.path("demo/pki/rollout.lock")).expect("the lock");
    first.lock().expect("nobody holds it");
    let mut second = cli.command("rollout demo/rollout.toml");
    let mut second =
        second.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the second one");
    let mut said = second.stderr.take().expect("its words");
    let mut begin = [0; 34];
    said.read_exact(&mut begin).expect("it says that it waits");
    assert_eq!(String::from_utf8_lossy(&begin), "another rollout is working in this");
    std::thread::sleep(Duration::from_millis(300));
    assert!(second.try_wait().expect("its state").is_none(), "it did not wait");
    assert_eq!(cli.names("demo/out/devices").len(), 3);
    drop(first);
    let ended = second.wait_with_output().expect("its end");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(cli.names("demo/out/devices").len(), 4);
    assert!(!cli.path("demo/pki/rollout.lock").exists());
    // Four at once: one job is done once.
    cli.write(
        "demo/devices.csv",
        (0..40).fold("id,name\n".to_owned(), |t, n| format!("{t}gw-{n},N\n")),
    );
    let all: Vec<_> = (0..4)
        .map(|_| {
            cli.command("rollout demo/rollout.toml --json")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .collect();
    let issued: Vec<u64> = all
        .into_iter()
        .map(|child| {
            let output = child.expect("a rollout").wait_with_output().expect("its end");
            assert!(output.status.success(), "{output:?}");
            let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            json["devices"]["issued"].as_u64().expect("a number")
        })
        .collect();
    assert_eq!(issued.iter().sum::<u64>(), 36, "{issued:?}");
    assert_eq!(issued.iter().filter(|n| **n > 0).count(), 1, "{issued:?}");
}
