//! The whole job: `rollout --sandbox` from a list to devices that connect, `--connect` at a tenant, and
//! the page that `--report` writes.

use std::process::Command;

use c8y_pki_sandbox::Faults;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;
#[cfg(unix)]
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::{arg, chromium, data_dir, node_dir, node_with};
use serde_json::{Value, json};

/// The embedded example in `demo` with a section for the tenant, and other devices.
fn example(tenant: &str, devices: &str) -> Cli {
    let cli = Cli::new();
    cli.write("demo/rollout.toml", cli.ok("profile show rollout.toml") + tenant);
    cli.write("demo/devices.csv", devices);
    cli
}

fn three() -> String {
    "id,name\ngw-1,One\ngw-2,Two\ngw-3,Three\n".to_owned()
}

#[test]
fn one_command_goes_from_nothing_to_connected_devices() {
    let cli = Cli::new();
    let first = cli.ok("rollout --example demo --sandbox");
    let words = first.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        "created ca line-7",
        "created devices demo/out/devices",
        "created trust line-7 trusted by t1001, without auto-registration",
        "created proof line-7",
        "created register t1001",
        "connected device gw-200-26470000",
        "connected device meter-7-26470021",
        "Tenant t1001: 4 registered, 0 there before, 0 refused.",
        "4 of 4 devices connect to localhost:",
    ] {
        assert!(words.contains(wanted), "{wanted} is missing:\n{first}");
    }
    // Another sandbox knows nothing; what is here stays as it is.
    let before = cli.snapshot("demo/out/devices");
    let again = cli.run("rollout demo/rollout.toml --sandbox --connect=2 --json").expect(0).json();
    assert_eq!(cli.snapshot("demo/out/devices"), before);
    assert_eq!(
        (&again["devices"]["issued"], &again["registered"]["created"]),
        (&json!(0), &json!(4))
    );
    let connected = &again["connected"];
    assert_eq!((&connected["devices"], &connected["connected"]), (&json!(2), &json!(2)));
    assert_eq!(connected["failed"], json!([]));
    let results = cli.text("demo/out/registration.rehearsal.csv");
    assert_eq!(results.lines().count(), 5, "{results}");
    assert!(cli.ok("rollout demo/rollout.toml").contains("everything is in place"));
}

#[test]
fn a_rehearsal_reaches_no_tenant() {
    let at = AtTenant::new(example(
        "\n[tenant]\ncas = [\"line-7\"]\nhost = \"acme.invalid\"\n",
        &three(),
    ));
    at.ok("rollout demo/rollout.toml --sandbox --plan");
    assert!(at.cli.names("demo/pki").is_empty(), "a plan makes nothing");
    at.ok("rollout demo/rollout.toml --sandbox");
    assert!(at.sandbox.connections_after(0).is_empty(), "the tenant was asked");
    assert!(at.list("devices").is_empty());
}

#[test]
fn an_order_of_a_thousand_devices_is_rehearsed() {
    let order = std::fs::read_to_string(data_dir().join("devices.csv")).expect("the order");
    let cli = example("", &order);
    let done = cli.run("rollout demo/rollout.toml --sandbox --json").expect(0).json();
    assert_eq!(done["connected"]["connected"], 1000, "{done}");
}

#[test]
fn what_is_wrong_shows_in_the_rehearsal() {
    let cli = example("\n[tenant]\ncas = [\"line-7\"]\nregister = false\n", &three());
    let refused = cli.run("rollout demo/rollout.toml --sandbox --json").expect(1);
    let failed = refused.json()["connected"]["failed"].as_array().expect("a list").clone();
    assert_eq!(failed.len(), 3);
    assert_eq!((&failed[0]["id"], &failed[0]["step"]), (&json!("gw-1"), &json!("connect")));
    // The tenant was asked.
    assert_eq!(
        (&failed[0]["cause"]["code"], &failed[0]["cause"]["certainty"]),
        (&json!("not-registered"), &json!("confirmed"))
    );
    assert!(refused.stderr.contains("3 devices did not connect"), "{}", refused.stderr);
    let text = cli.run("rollout demo/rollout.toml --sandbox").expect(1).stdout;
    let line = text.lines().find(|line| line.starts_with("failed ")).unwrap_or_default();
    assert!(line.contains("device gw-1 is not registered [not-registered]"), "{text}");
    // With auto-registration they need not be registered.
    let auto = "\n[tenant]\ncas = [\"line-7\"]\nregister = false\nauto_registration = true\n";
    cli.write("demo/rollout.toml", cli.ok("profile show rollout.toml") + auto);
    cli.ok("rollout demo/rollout.toml --sandbox");
}

#[test]
fn devices_connect_to_a_tenant_with_their_own_truststores() {
    let at = AtTenant::new(example("\n[tenant]\ncas = [\"line-7\"]\n", &three()));
    let text = at.cli.text("demo/rollout.toml");
    let trust = text.replace("cas = [\"edge\"]", "certificates = [\"../sandbox-ca.pem\"]");
    at.cli.write("demo/rollout.toml", trust);
    let port = at.sandbox.mqtt_port();
    let line = format!("rollout demo/rollout.toml --connect --mqtt-port {port}");
    let first = at.ok(&line);
    assert!(first.contains(&format!("3 of 3 devices connect to localhost:{port}.")), "{first}");
    at.ok("tenant trust update 'Example Line 7' --disable");
    let again = at.ok(&line);
    assert!(again.contains("updated ") && again.contains("3 of 3 devices connect"), "{again}");
    // Devices whose truststore is for another server do not talk to this one.
    at.cli.write("demo/rollout.toml", text);
    at.cli.write("demo/devices.csv", three() + "gw-4,Four\n");
    let other = at.run(&format!("{line} --json")).expect(1).json();
    let failed = &other["connected"]["failed"];
    assert_eq!((&failed[0]["id"], &failed[0]["step"]), (&json!("gw-4"), &json!("tls")), "{other}");
    assert_eq!(failed[0]["cause"]["code"], "server-ca-missing");
}

#[test]
fn a_device_is_looked_up_by_the_type_that_its_row_registers() {
    let list = "id,name,type,idtype\ngw-1,One,t,c8y_Imei\n";
    let at = AtTenant::new(example("\n[tenant]\ncas = [\"line-7\"]\n", list));
    let text = at.cli.text("demo/rollout.toml");
    let trust = text.replace("cas = [\"edge\"]", "certificates = [\"../sandbox-ca.pem\"]");
    at.cli.write("demo/rollout.toml", trust);
    at.sandbox.set_faults("connack5=1".parse::<Faults>().expect("faults"));
    let port = at.sandbox.mqtt_port();
    let line = format!("rollout demo/rollout.toml --connect --mqtt-port {port} --json");
    let done = at.run(&line).expect(1).json();
    // It is registered, and nothing is wrong with it but the platform.
    let cause = &done["connected"]["failed"][0]["cause"];
    assert_eq!(
        (&cause["code"], &cause["certainty"]),
        (&json!("registered-basic"), &json!("likely"))
    );
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let cli = example("", &three());
    cli.write("notes.html", "<p>Mine.</p>");
    for (line, said) in [
        ("rollout demo/rollout.toml --connect", "--connect needs a tenant to connect to"),
        (
            "rollout demo/rollout.toml --report notes.html",
            "exists and is not the page of a rollout",
        ),
        ("rollout demo/rollout.toml --sandbox --local", "cannot be used with"),
        ("rollout demo/rollout.toml --sandbox --connect=0", "give a number from 1, or all"),
        ("rollout demo/rollout.toml --stay", "--sandbox"),
        ("rollout demo/rollout.toml --sandbox --mqtt-port 18883", "cannot be used with"),
        ("rollout demo/rollout.toml --threads 0", "--threads"),
    ] {
        let error = cli.fails(2, line);
        assert!(error.contains(said), "{line}: {error}");
    }
    assert_eq!(cli.text("notes.html"), "<p>Mine.</p>");
    assert!(cli.names("demo/pki").is_empty());
}

#[cfg(unix)]
#[test]
fn a_sandbox_that_stays_serves_other_commands() {
    let cli = example("", &three());
    let mut stays = Talking::start(&cli, "rollout demo/rollout.toml --sandbox --stay", &[]);
    let mut variables: Vec<(String, String)> = Vec::new();
    while variables.len() < 5 {
        let line = stays.hear();
        let Some((name, value)) = line.strip_prefix("export ").and_then(|v| v.split_once('='))
        else {
            continue;
        };
        variables.push((name.to_owned(), value.to_owned()));
    }
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let status = cli.run_with("tenant trust list --json", &variables, b"").expect(0);
    assert!(status.stdout.contains("Example Line 7"), "{status:?}");
    stays.told("trusted-certificates");
    stays.interrupt();
    assert_eq!(stays.finish().0, 0);
}

#[cfg(unix)]
#[test]
fn a_run_that_was_stopped_says_so_and_registers_nobody() {
    let rows: String = (0..20_000).map(|n| format!("gw-{n:05}\n")).collect();
    let cli = example("", &format!("id\n{rows}"));
    let line = "rollout demo/rollout.toml --sandbox --report r.html";
    let mut run = Talking::start(&cli, line, &[]);
    let is_begun = || cli.names("demo/out/devices").iter().any(|name| !name.starts_with('.'));
    run.until("that a device is in place", is_begun);
    run.interrupt();
    let (code, said, _) = run.finish();
    assert_eq!(code, 3, "{said}");
    assert!(!cli.path("demo/out/registration.csv").exists());
    assert!(cli.text("r.html").contains("not done"));
    // What the registry has is what is said to be made.
    let made = cli.ok("--pki demo/pki device list --json").lines().count();
    let left = 20_000 - made;
    let parts = format!("{made} made, {left} not made; planned: 20000 new");
    assert!(made > 0 && said.contains(&parts), "{made}: {said}");
    assert!(cli.text("r.html").contains(&parts), "{made}");
    assert!(
        said.contains(&format!("{made} device")) && said.contains(&format!(", {left} not issued.")),
        "{said}"
    );
    let plan = cli.run("rollout demo/rollout.toml --plan --json").expect(0).json();
    assert_eq!(plan["plan"][5]["action"], "create", "{plan}");
}

/// What a person sees of a page, in a Chromium without a screen; none without Chromium.
fn seen(cli: &Cli, page: &str) -> Option<Value> {
    let (node, browser) = (node_with("playwright-core")?, chromium()?);
    let picture = format!("{page}.png");
    let script = node_dir().join("report.mjs");
    let output = Command::new(node.path())
        .args([arg(&script), &cli.arg(page), &cli.arg(&picture)])
        .env("CHROMIUM", browser.path())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    if let Some(folder) = std::env::var_os("C8Y_PKI_SCREENSHOTS") {
        let name = picture.rsplit('/').next().unwrap_or(&picture);
        std::fs::copy(cli.path(&picture), std::path::Path::new(&folder).join(name))
            .expect("a directory for pictures");
    }
    Some(serde_json::from_str(&said).expect("JSON"))
}

#[test]
fn the_page_shows_what_is_there_and_what_failed() {
    let cli = example("\n[tenant]\ncas = [\"line-7\"]\nprove = false\n", &three());
    cli.ok("rollout demo/rollout.toml --sandbox --report good.html");
    // A device that has lost its key, and one that nobody has issued yet.
    std::fs::remove_file(cli.path("demo/out/devices/gw-2/key.pem")).expect("a key");
    std::fs::remove_file(cli.path("demo/out/devices/gw-2/keystore.p12")).expect("a keystore");
    cli.write("demo/devices.csv", three() + "gw-4,Four\n");
    cli.run("rollout demo/rollout.toml --sandbox --report good.html").expect(1);

    let Some(page) = seen(&cli, "good.html") else { return };
    let cards = [
        ["4 of 4", "devices have a certificate"],
        ["4 of 4", "devices are registered at the tenant"],
        ["3 of 4", "tried connect"],
        ["3", "CAs"],
    ];
    assert_eq!(page["cards"].as_array().map(|c| &c[..4]), Some(&cards.map(|c| json!(c))[..]));
    let verdict = page["verdict"].as_str().expect("a verdict");
    assert!(verdict.starts_with("Not good: 3 of 4 devices that tried connect."), "{verdict}");
    let facts = page["facts"].as_array().expect("facts");
    let fact = |name: &str| {
        facts.iter().find(|f| f[0] == name).map(|f| f[1].to_string()).unwrap_or_default()
    };
    assert!(fact("Tenant").contains("a rehearsal"), "{facts:?}");
    assert!(fact("Took").ends_with(" s\""), "{facts:?}");
    assert!(fact("Made by").contains(env!("CARGO_PKG_VERSION")), "{facts:?}");
    let tables = &page["tables"];
    let failed = &page["failures"][0];
    assert_eq!(failed["head"], "1 device failed at the step files");
    assert_eq!(failed["ids"], json!(["gw-2"]));
    assert!(
        failed["text"].as_str().is_some_and(|t| t.contains("holds neither key.pem")),
        "{failed}"
    );
    let names: Vec<&str> =
        tables["CAs"].as_array().expect("rows").iter().filter_map(|r| r[0].as_str()).collect();
    assert_eq!(names, ["edge", "root", "└ line-7"]);
    assert_eq!((&tables["CAs"][2][5], &tables["CAs"][2][6]), (&json!("4"), &json!("trusted")));
    assert_eq!(tables["Devices"][0][0], "gw-2", "failures come first");
    assert_eq!(tables["Devices"][0][5], "no");
    assert_eq!(tables["Devices"].as_array().map(Vec::len), Some(4));
    // All of them expire on one day: a line says so.
    let line = page["line"].as_array().expect("a line");
    assert!(
        line.iter()
            .any(|l| l.as_str().is_some_and(|l| l.starts_with("all 4 certificates expire by "))),
        "{line:?}"
    );
}

#[test]
fn the_page_tells_why_nothing_was_made() {
    let bad = std::fs::read_to_string(data_dir().join("devices-bad.csv")).expect("a list");
    let cli = example("", &bad);
    cli.run("rollout demo/rollout.toml --sandbox --report bad.html").expect(2);
    let Some(page) = seen(&cli, "bad.html") else { return };
    let alert = page["alert"].as_str().expect("an alert");
    assert!(
        alert.contains("The run stopped before its end: ") && alert.contains("nothing was made"),
        "{alert}"
    );
    let verdict = page["verdict"].as_str().expect("a verdict");
    assert!(verdict.starts_with("Not finished: the run stopped before its end."), "{verdict}");
    let failures = page["failures"].as_array().expect("failures");
    assert!(failures.iter().any(|one| one["ids"] == json!(["AA:BB:CC:00:11:22"])), "{failures:?}");
    assert!(
        failures[0]["text"].as_str().is_some_and(|t| t.contains("What to do: ")),
        "{failures:?}"
    );
}
