//! What a rollout says of what it leaves: at which host it works, what its page says of differences, and the commands that
//! would apply them, which are typed here as they are printed.

use std::process::{Command, Output};

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, PASSWORD, binary};
use serde_json::Value;

use super::demo::{FILE, edit, example};

/// Types a command as it is printed.
fn typed(cli: &Cli, command: &str) -> Output {
    let bin = binary().parent().expect("a directory").display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(cli.path("")).env("PATH", path);
    shell.env_remove("C8Y_PKI_DIR").output().expect("a shell")
}

fn typed_well(cli: &Cli, command: &str) {
    let output = typed(cli, command);
    assert!(output.status.success(), "{command}: {output:?}");
}

/// The command that the plan prints for a key and a name that contains some text.
fn command_of(cli: &Cli, key: &str, name: &str) -> String {
    let plan = cli.run("rollout demo/rollout.toml --plan --local --json").expect(0).json();
    let rows = plan["findings"].as_array().expect("rows");
    let is_it = |row: &&Value| {
        row["key"] == key && row["name"].as_str().is_some_and(|text| text.contains(name))
    };
    let mut commands = rows.iter().filter(is_it).filter_map(|row| row["command"].as_str());
    commands.next().unwrap_or_else(|| panic!("no command for {key}: {plan:#}")).to_owned()
}

#[test]
fn a_named_section_is_never_done_at_another_host() {
    let cli = example("");
    let at = AtTenant::new(cli);
    let url = at.sandbox.url();
    let sections = format!(
        "[tenant.production]\nhost = \"https://127.0.0.1:2\"\ncas = [\"line-7\"]\n[tenant.staging]\nhost = \
         \"{url}\"\ncas = [\"line-7\"]\n"
    );
    at.cli.write(FILE, at.cli.text(FILE) + &sections);
    for line in ["--tenant production --plan", "--tenant production"] {
        let refused = at.run(&format!("rollout {FILE} {line}")).expect(2);
        let words = format!(
            "[tenant.production] has the host https://127.0.0.1:2, but C8Y_HOST says {url}"
        );
        assert!(refused.error().contains(&words), "{refused:?}");
    }
    // A context is left over as easily.
    at.cli.ok(&format!("context add box --host {url} --user admin --cacert sandbox-ca.pem"));
    let password = [("C8Y_PASSWORD", PASSWORD)];
    let line = format!("rollout {FILE} --tenant production --plan --context box");
    let refused = at.cli.run_with(&line, &password, b"").expect(2);
    assert!(refused.error().contains("but the context says"), "{refused:?}");
    assert!(at.list("trusted_certificates").is_empty() && !at.cli.path("demo/pki").exists());

    // What the command line says is meant, and told; and the same host is no other.
    let told = at.run(&format!("rollout {FILE} --tenant production --plan --host {url}")).expect(0);
    assert!(
        told.stderr.contains("--host counts") && told.stdout.contains("+  tenant.cas"),
        "{told:?}"
    );
    at.ok(&format!("rollout {FILE} --tenant staging --plan"));

    // A rehearsal is not at the tenant of a variable, and the sandbox's own variables do not choose a section.
    let id = [("C8Y_TENANT", "t1001")];
    let several = at.cli.run_with(&format!("rollout {FILE} --sandbox"), &id, b"").expect(2);
    assert!(several.error().contains("has several tenants"), "{several:?}");
    let line = format!("rollout {FILE} --sandbox --tenant staging --connect=1");
    at.cli.run_with(&line, &id, b"").expect(0);
}

#[test]
fn the_page_lists_what_was_left_and_does_not_call_it_good() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml --report good.html");
    assert!(cli.text("good.html").contains("<strong>Good: all 3 devices"));
    edit(&cli, "O=Example GmbH,C=DE\"\n# One directory", "O=Other,C=DE\"\n# One directory");
    edit(&cli, "profile = \"intermediate\"", "profile = \"classic-intermediate\"");
    cli.ok("rollout demo/rollout.toml --report diff.html");
    let page = cli.text("diff.html");
    for wanted in [
        "<code>devices.subject</code>",
        "O=Example GmbH,C=DE → O=Other,C=DE",
        "3 devices",
        "<code>c8y-pki rollout demo/rollout.toml --replace-differing</code>",
        "<code>ca.profile</code>",
        "a CA cannot be changed",
        "Not as the file wants it: ",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing: {page}");
    }
    assert!(!page.contains("Good"), "{page}");
}

#[test]
fn one_cause_is_one_block_for_all_devices() {
    let at = AtTenant::new(example("[tenant]\ncas = [\"line-7\"]\n"));
    let port = at.sandbox.mqtt_port();
    let line = format!("rollout {FILE} --connect --mqtt-port {port} --report page.html");
    let failed = at.run(&line).expect(1);
    assert!(failed.stdout.contains("0 of 3 devices connect"), "{failed:?}");
    let page = at.cli.text("page.html");
    assert_eq!(page.matches(" failed at the step ").count(), 1, "{page}");
    assert!(page.contains("<h3>3 devices failed at the step"), "{page}");
    assert!(page.contains("demo/out/devices/…/truststore.p12"), "{page}");
    assert!(page.contains("stands for the id of each device"), "{page}");
}

#[test]
fn directories_are_moved_as_printed_whatever_is_there_already() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    let keys = cli.snapshot("demo/out/devices");
    edit(&cli, "out = \"out/devices\"", "out = \"out/the other\"");
    cli.ok("rollout demo/rollout.toml");
    assert!(!cli.path("demo/out/the other").exists(), "a directory for nothing");
    typed_well(&cli, &command_of(&cli, "devices.out", ""));
    cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    assert_eq!(cli.snapshot("demo/out/the other").len(), keys.len());

    // Another device was made there in the meantime, and the command of before is typed.
    edit(&cli, "out = \"out/the other\"", "out = \"out/third\"");
    let command = command_of(&cli, "devices.out", "");
    cli.write("demo/devices.csv", "id,name\ngw-0,Zero\ngw-1,One\ngw-2,Two\ngw-3,Three\n");
    cli.ok("rollout demo/rollout.toml");
    assert_eq!(cli.names("demo/out/third"), ["gw-3"]);
    typed_well(&cli, &command);
    assert_eq!(cli.names("demo/out/third"), ["gw-0", "gw-1", "gw-2", "gw-3"]);
    cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
    // A second time nothing is there to be moved, and nothing is lost.
    typed(&cli, &command);
    cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
}

#[test]
fn commands_are_typed_as_they_are_printed() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    for subject in [
        "CN=Example Line 7,O=Example GmbH,C=DE\"",
        "CN=Example Edge Server CA,O=Example GmbH,C=DE\"",
    ] {
        edit(&cli, subject, &format!("{subject}\ndays = 100"));
    }
    for ca in ["line-7", "edge"] {
        typed_well(&cli, &command_of(&cli, "ca.days", ca));
    }
    let plan = cli.ok("rollout demo/rollout.toml --plan");
    assert!(!plan.contains("~  ca.days"), "{plan}");
    typed_well(&cli, &command_of(&cli, "devices.ca", ""));
    let plan = cli.ok("rollout demo/rollout.toml --plan");
    assert!(!plan.contains("~  devices.ca"), "{plan}");

    edit(&cli, "\"edge\"", "\"edgy\"");
    let said = cli.fails(2, "rollout demo/rollout.toml");
    let command = said.split('`').find(|words| words.starts_with("c8y-pki ")).expect("a command");
    typed_well(&cli, command);
    cli.ok("rollout demo/rollout.toml --plan");

    // The key that leads to another directory is named, and no option that a rollout does not have.
    edit(&cli, "pki = \"pki\"", "pki = \"other\"");
    let said = cli.run("rollout demo/rollout.toml --plan").expect(2).stderr;
    assert!(said.contains("`pki` in demo/rollout.toml (demo/other)"), "{said}");
    assert!(!said.contains("--out"), "{said}");
}

/// What the command line says besides, and the host that only the file has, are in the commands.
#[test]
fn commands_lead_to_the_same_tenant_and_place() {
    let at = AtTenant::new(example(""));
    let host = at.sandbox.url();
    let section = format!("[tenant]\nhost = \"{host}\"\ncas = [\"line-7\", \"edge\"]\n");
    at.cli.write(FILE, at.cli.text(FILE) + &section);
    at.cli.write("jo pw", format!("{PASSWORD}\n"));
    let login = "--user admin --tenant-password-file 'jo pw' --cacert sandbox-ca.pem";
    let run = |more: &str| at.cli.run_with(&format!("rollout {FILE} {more}"), &[], b"");
    run(login).expect(0);
    assert_eq!(at.list("trusted_certificates").len(), 2);

    edit(&at.cli, "cas = [\"line-7\", \"edge\"]\n", "cas = [\"line-7\"]\n");
    edit(&at.cli, "O=Example GmbH,C=DE\"\n# One directory", "O=Other,C=DE\"\n# One directory");
    let commands = |more: &str| -> Vec<String> {
        let plan = run(&format!("{more} --plan --json")).expect(0).json();
        let rows = plan["findings"].as_array().expect("rows").clone();
        rows.iter().filter_map(|row| row["command"].as_str()).map(str::to_owned).collect()
    };
    let ends = |more: &str, wanted: &str| {
        let all = commands(more);
        assert!(all.iter().any(|command| command.ends_with(wanted)), "{wanted}: {all:?}");
    };
    ends("--local", &format!("rollout {FILE} --local --replace-differing"));
    ends("--sandbox", &format!("rollout {FILE} --sandbox --replace-differing"));
    ends(login, &format!("rollout {FILE} {login} --replace-differing"));
    // A context is named again, and has the host.
    let password = "--tenant-password-file pw";
    at.cli.ok(&format!(
        "context add box --host {host} --user admin --cacert sandbox-ca.pem {password}"
    ));
    ends("--context box", &format!("rollout {FILE} --context box --replace-differing"));
    ends("--context box", "cert.pem --context box");

    let removing = commands(login).into_iter().find(|command| command.contains("trust remove"));
    typed_well(&at.cli, &format!("{} --yes", removing.expect("a command")));
    assert_eq!(at.list("trusted_certificates").len(), 1);
}

/// A result file tells of former runs. The tenant at its address may have been emptied since.
#[test]
fn a_result_file_is_not_believed_alone() {
    const RESULT: &str = "demo/out/registration.result.csv";
    let before = AtTenant::new(example("[tenant]\ncas = [\"line-7\"]\n"));
    before.ok("rollout demo/rollout.toml");
    let plan = before.run("rollout demo/rollout.toml --plan --exit-code").expect(0).stdout;
    assert!(
        plan.contains("3 registered before by the result file (the tenant knows them)"),
        "{plan}"
    );
    let place = |at: &AtTenant| at.sandbox.url().trim_start_matches("https://").to_owned();
    let former = place(&before);
    let empty = AtTenant::new(before.cli);
    empty.cli.write(RESULT, empty.cli.text(RESULT).replace(&former, &place(&empty)));
    let plan = empty.run("rollout demo/rollout.toml --plan --exit-code").expect(4).stdout;
    assert!(plan.contains("calls devices registered that the tenant does not know"), "{plan}");
    assert!(!plan.contains("=  tenant.register"), "{plan}");
    let done = empty.ok("rollout demo/rollout.toml --report page.html");
    assert!(done.contains("1 difference from the file, not changed"), "{done}");
    assert!(!empty.cli.text("page.html").contains("<strong>Good"), "{done}");
    // What is advised helps.
    std::fs::remove_file(empty.cli.path(RESULT)).expect("it goes away");
    empty.ok("rollout demo/rollout.toml");
    assert_eq!(empty.list("devices").len(), 3);
    empty.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
}

/// A CA whose directory is lost is not made a second time, whatever it is called in the file.
#[test]
fn a_ca_that_is_lost_is_not_made_again() {
    let cli = example("");
    cli.ok("rollout demo/rollout.toml");
    std::fs::rename(cli.path("demo/pki/ca/line-7"), cli.path("kept")).expect("a directory");
    let before = cli.snapshot("demo/pki");
    let refused = |lost: &str| {
        for more in ["", "--plan"] {
            let said = cli.fails(2, &format!("rollout demo/rollout.toml {more}"));
            assert!(said.contains("the registry has issued it") && said.contains(lost), "{said}");
            assert!(said.contains("--pki demo/pki registry check"), "{said}");
        }
    };
    refused("\"line-7\"");
    edit(&cli, "\"line-7\"", "\"line-9\"");
    refused("\"line-9\"");
    assert_eq!(cli.snapshot("demo/pki"), before);
    let status = cli.run("--pki demo/pki status").expect(1).stdout;
    assert!(
        status.contains("CN=Example Line 7") && status.contains("its directory is gone"),
        "{status}"
    );
    edit(&cli, "\"line-9\"", "\"line-7\"");
    std::fs::rename(cli.path("kept"), cli.path("demo/pki/ca/line-7")).expect("a directory");
    cli.run("rollout demo/rollout.toml --plan --exit-code").expect(0);
}

#[test]
fn what_is_no_longer_in_the_file_is_told_and_stays() {
    let at = AtTenant::new(example("[tenant]\ncas = [\"line-7\"]\n"));
    at.ok("rollout demo/rollout.toml");
    let text = at.cli.text(FILE);
    let plan = |what: &str| {
        let plan = at.run("rollout demo/rollout.toml --plan --exit-code").expect(0).stdout;
        assert!(
            plan.contains("Everything in the file") && plan.contains("left alone"),
            "{what}: {plan}"
        );
        let done = at.ok("rollout demo/rollout.toml");
        assert!(done.contains("Not in the file, and left alone:"), "{what}: {done}");
        assert!(!done.contains("everything is in place"), "{what}: {done}");
        plan
    };
    let (before, rest) = text.split_once("[registration]").expect("a section");
    let (registration, tenant) = rest.split_once("[tenant]").expect("a section");
    at.cli.write(FILE, format!("{before}[tenant]{tenant}"));
    let without = plan("registration");
    assert!(without.contains("-  registration.file"), "{without}");
    assert!(
        without.contains("demo/out/registration.csv") && without.contains("3 devices"),
        "{without}"
    );

    at.cli.write(FILE, format!("{before}[registration]{registration}"));
    let without = plan("tenant");
    let place = format!("t1001@{}", at.sandbox.url().trim_start_matches("https://"));
    assert!(without.contains("-  tenant ") && without.contains(&place), "{without}");
    assert!(without.contains("registered there by demo/out/registration.result.csv"), "{without}");
    assert_eq!(at.list("trusted_certificates").len(), 1);

    at.cli.write(FILE, &text);
    at.cli.ok("--pki demo/pki ca init other --subject CN=Other --ca-password-file demo/secrets/ca-password");
    at.ok("tenant trust add demo/pki/ca/other/cert.pem");
    let with = plan("CA");
    assert!(with.contains("-  ca.name") && with.contains("other"), "{with}");
    assert!(with.contains("trusted by t1001, and a CA that is not in this file"), "{with}");

    // Another way to write the same directory leads to no other file.
    at.cli.write(FILE, text.replace("out = \"out/devices\"", "out = \"../demo/out/devices\""));
    let same = plan("directory");
    assert!(!same.contains("registered there by"), "{same}");
}
