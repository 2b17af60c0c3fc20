//! `device issue --exec`: a tool of the firm's own for each device, and what of it is kept.

#![cfg(unix)]

use std::fs;
use std::path::Path;

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{arg, python_with, tool};
use serde_json::json;

const ISSUE: &str = "device issue --from list.csv --ca line --out out --ca-password-file pw";

/// A directory with CAs and an order of those devices.
fn with_order(ids: &[&str]) -> Cli {
    let cli = Cli::with_cas();
    cli.write("list.csv", format!("id\n{}\n", ids.join("\n")));
    cli.ok("order create acme-1 --from list.csv --ca line");
    cli
}

fn page() -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    fs::read_to_string(docs.join("how-to/run-your-own-tool.md")).expect("the page")
}

fn counts(cli: &Cli) -> serde_json::Value {
    let shown = cli.run("registry check --json").expect(0).json();
    assert_eq!(shown["findings"], json!([]), "{shown}");
    let shown = cli.run("order show acme-1 --json").expect(0).json_lines();
    let order = shown.iter().find(|line| line["name"] == "acme-1").expect("the order");
    json!({ "issued": order["issued"], "handed_over": order["handed_over"] })
}

#[test]
fn the_exit_code_decides_and_what_succeeded_is_not_done_again() {
    let cli = with_order(&["gw-1", "gw-2", "gw-3"]);
    // Refuses gw-2 until it is let in; notes each call.
    cli.write(
        "flash.sh",
        "echo \"$1 $# $2 $3\" >> calls\necho to-standard-output\ncat \"$2\" \"$3\" > flashed-$1\n\
         [ \"$1\" != gw-2 ] || [ -e let-in ] || exit 7\n",
    );
    let line = format!("{ISSUE} --exec 'sh flash.sh {{id}} {{key}} {{chain}}' --json");
    let first = cli.run(&line).expect(1);
    let results = first.json_lines();
    assert_eq!(results[0]["issued"], 3, "{first:?}");
    assert_eq!(results[1]["handed_over"], 2, "{first:?}");
    assert_eq!(
        results[1]["failed"],
        json!([{ "id": "gw-2", "reason": "sh ended with exit code 7" }])
    );
    assert!(!first.stdout.contains("to-standard-output"), "{first:?}");
    assert_eq!(counts(&cli), json!({ "issued": 3, "handed_over": 2 }));
    let wanted = "gw-1 3 out/gw-1/key.pem out/gw-1/chain.pem";
    assert_eq!(cli.text("calls").lines().next(), Some(wanted));
    let both = [cli.read("out/gw-3/key.pem"), cli.read("out/gw-3/chain.pem")].concat();
    assert_eq!(cli.read("flashed-gw-3"), both);
    // Again: only the one that failed.
    cli.write("calls", "");
    cli.write("let-in", "");
    let second = cli.run(&line).expect(0).json_lines();
    assert_eq!((&second[1]["handed_over"], &second[1]["before"]), (&json!(1), &json!(2)));
    assert_eq!(cli.text("calls"), "gw-2 3 out/gw-2/key.pem out/gw-2/chain.pem\n");
    cli.write("calls", "");
    cli.run(&line).expect(0);
    assert_eq!(cli.text("calls"), "");
    assert_eq!(counts(&cli), json!({ "issued": 3, "handed_over": 3 }));
    // A new certificate has still to be handed over.
    let again = format!("device issue gw-1 --ca line --out out {CA_PW} --existing replace");
    cli.ok(&again);
    assert_eq!(counts(&cli), json!({ "issued": 3, "handed_over": 2 }));
    cli.run(&line).expect(0);
    assert_eq!(cli.text("calls"), "gw-1 3 out/gw-1/key.pem out/gw-1/chain.pem\n");
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    let cli = with_order(&["gw-1", "gw-2", "gw-3"]);
    // The second call kills the command that has started it.
    cli.write(
        "flash.sh",
        "echo \"$1\" >> calls\n[ \"$1\" != gw-2 ] || [ -e once ] || { touch once; kill -9 $PPID; }\n",
    );
    let line = format!("{ISSUE} --exec 'sh flash.sh {{id}} {{dir}}'");
    let killed = cli.command(&line).output().expect("it starts");
    assert_eq!(killed.status.code(), None, "{killed:?}");
    cli.ok(&line);
    // What was not noted is done again; the first is not.
    assert_eq!(cli.text("calls"), "gw-1\ngw-2\ngw-2\ngw-3\n");
    assert_eq!(counts(&cli), json!({ "issued": 3, "handed_over": 3 }));
}

/// The devices of the first chunk, 512 at most, are handed over while the others of the order are not there yet.
#[test]
fn devices_are_handed_over_chunk_by_chunk() {
    let ids: Vec<String> = (0..600).map(|n| format!("gw-{n}")).collect();
    let cli = with_order(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    cli.write("flash.sh", "[ \"$1\" != gw-2 ] || kill -9 $PPID\n");
    let killed = cli.command(&format!("{ISSUE} --exec 'sh flash.sh {{id}}'")).output();
    assert_eq!(killed.expect("it starts").status.code(), None);
    let counts = counts(&cli);
    assert_eq!(counts["handed_over"], 2, "{counts}");
    assert!((3..=512).contains(&counts["issued"].as_u64().unwrap_or_default()), "{counts}");
}

/// What was handed over is told, also if the run that issues fails afterwards: here since the tool has removed what the
/// run is writing.
#[test]
fn what_was_handed_over_is_told_although_issuing_fails() {
    let ids: Vec<String> = (0..600).map(|n| format!("gw-{n}")).collect();
    let cli = with_order(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let breaks = "[ \"$1\" != gw-0 ] || rm -rf out/.c8y-pki-staging\n[ \"$1\" != gw-1 ]\n";
    cli.write("flash.sh", breaks);
    let failed = cli.run(&format!("{ISSUE} --exec 'sh flash.sh {{id}}' --json"));
    assert!(failed.stderr.contains("c8y-pki-staging"), "{failed:?}");
    let told = failed.json_lines().pop().expect("the result of handing over");
    let number = |name: &str| told[name].as_u64().unwrap_or_default();
    let shown = cli.run("order show acme-1 --json").expect(0).json_lines();
    assert!(shown.iter().any(|line| line["handed_over"] == told["handed_over"]), "{told}");
    assert!(number("handed_over") > 0 && number("left") > 0, "{told}");
    assert_eq!(number("handed_over") + number("left"), 599, "{told}");
    assert_eq!(told["failed"][0]["id"], "gw-1", "{told}");
}

/// The devices are made nevertheless, and what was not handed over is counted.
#[test]
fn a_tool_that_cannot_be_started_is_told_at_once() {
    use std::os::unix::fs::PermissionsExt;
    let cli = with_order(&["gw-1", "gw-2"]);
    cli.write("flash.sh", "#!/no/such/shell\n");
    fs::set_permissions(cli.path("flash.sh"), fs::Permissions::from_mode(0o755)).expect("set");
    let line = format!("{ISSUE} --exec './flash.sh {{id}}' --json");
    let failed = cli.run(&line).expect(2);
    let told = failed.json_lines();
    assert_eq!(told[0]["issued"], 2, "{failed:?}");
    assert_eq!((&told[1]["handed_over"], &told[1]["left"]), (&json!(0), &json!(2)), "{failed:?}");
    let warned = failed.stderr.find("flash.sh of --exec cannot be started").expect("a warning");
    let named = failed.stderr.find("the devices are made all the same").expect("what comes next");
    assert!(warned < named, "{failed:?}");
    assert_eq!(counts(&cli), json!({ "issued": 2, "handed_over": 0 }));
}

#[test]
fn what_cannot_be_handed_over_is_refused_before_a_key_is_made() {
    let cli = with_order(&["gw-1"]);
    cli.write("other.csv", "id\nother\n");
    for (line, said) in [
        (format!("{ISSUE} --exec 'sh x {{serial}}'"), "{serial} that is not known"),
        (format!("{ISSUE} --exec 'sh x {{p12}}'"), "the devices get no keystore.p12"),
        (
            format!("{ISSUE} --exec 'no-such-tool {{id}}'"),
            "\"no-such-tool\" of --exec is not there",
        ),
        (format!("{ISSUE} --exec 'sh x {{dir}}' --into tar"), "--into tar makes none"),
        (
            ISSUE.replace("list.csv", "other.csv") + " --exec 'sh x {dir}'",
            "other belongs to no order",
        ),
    ] {
        let refused = cli.run(&line).expect(2);
        assert!(refused.error().contains(said), "{line}: {refused:?}");
        assert!(cli.names("out").is_empty(), "{line}");
    }
}

#[test]
fn the_tool_gets_no_secret_from_the_environment() {
    let cli = with_order(&["gw-1"]);
    let line = format!("{ISSUE} --exec 'sh -c \"env > env.txt\" x {{dir}}'");
    let secrets =
        [("C8Y_PKI_CA_PASSWORD", "hush-1"), ("C8Y_TOKEN", "hush-2"), ("C8Y_HOST", "seen")];
    cli.run_with(&line, &secrets, b"").expect(0);
    let seen = cli.text("env.txt");
    assert!(seen.contains("C8Y_HOST=seen") && !seen.contains("hush"), "{seen}");
}

#[test]
fn files_that_are_not_there_any_more_are_not_handed_over() {
    let cli = with_order(&["gw-1", "gw-2"]);
    cli.ok(ISSUE);
    fs::remove_file(cli.path("out/gw-1/key.pem")).expect("it is there");
    cli.ok(&format!("device issue gw-2 --ca line --out elsewhere {CA_PW} --existing replace"));
    let line = format!("{ISSUE} --exec 'sh -c exit x {{key}}' --json");
    let told = cli.run(&line).expect(1).json_lines();
    let reason =
        |index: usize| told[1]["failed"][index]["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(reason(0), "out/gw-1/key.pem is not there", "{told:?}");
    assert!(reason(1).contains("went to") && reason(1).ends_with("elsewhere/gw-2"), "{told:?}");
}

/// The script of the page, as it stands there, and Espressif's own tool.
#[test]
fn the_page_makes_an_image_for_an_esp32() {
    let Some(python) = python_with("esp_idf_nvs_partition_gen") else { return };
    let page = page();
    let (_, script) = page.split_once("```sh\n#!/bin/sh\n").expect("the script");
    let script = script.split("```").next().unwrap_or_default();
    let cli = with_order(&["gw-1", "gw-2"]);
    cli.write("nvs.sh", script.replace("python3 ", &format!("{} ", arg(python.path()))));
    let (_, command) = page.split_once("--exec 'sh nvs.sh").expect("the command");
    let arguments = command.split('\'').next().unwrap_or_default();
    cli.ok(&format!("{ISSUE} --exec 'sh nvs.sh{arguments}'"));
    for id in ["gw-1", "gw-2"] {
        let image = cli.read(&format!("out/{id}/nvs.bin"));
        assert_eq!(image.len(), 0x6000);
        for file in ["key.pem", "chain.pem"] {
            let bytes = cli.read(&format!("out/{id}/{file}"));
            // An image is written in entries of 32 bytes; a string of several lies in one piece.
            let found = image.windows(bytes.len()).any(|window| window == bytes);
            assert!(found, "{file} of {id} is not in its image");
        }
        assert!(!cli.path(&format!("out/{id}/nvs.csv")).exists());
    }
}

#[test]
fn the_page_copies_directories() {
    let Some(_) = tool("cp") else { return };
    let page = page();
    assert!(page.contains("--exec 'cp -R {dir} station/'"));
    let cli = with_order(&["gw-1"]);
    fs::create_dir(cli.path("station")).expect("a directory");
    cli.ok(&format!("{ISSUE} --exec 'cp -R {{dir}} station/'"));
    assert_eq!(cli.read("station/gw-1/key.pem"), cli.read("out/gw-1/key.pem"));
}
