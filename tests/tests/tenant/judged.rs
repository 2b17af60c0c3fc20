//! `rollout` and the platform's verdict on the first device; validity that gives way to the issuer's end.

use c8y_pki_core::cert::LongestChain;
use c8y_pki_sandbox::{Profile, Settings};
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Cli;
use serde_json::Value;

const TENANT: &str = "\n[tenant]\ncas = [\"line-7\"]\n";
const RUN: &str = "rollout demo/rollout.toml";

fn folder(devices: usize, section: &str) -> Cli {
    let cli = Cli::new();
    cli.write("demo/rollout.toml", cli.ok("profile show rollout.toml") + section);
    list(&cli, devices);
    cli
}

fn list(cli: &Cli, devices: usize) {
    let rows: String = (0..devices).map(|n| format!("gw-{n},Gateway {n}\n")).collect();
    cli.write("demo/devices.csv", format!("id,name\n{rows}"));
}

/// An installation that takes no chain of three.
fn strict(profile: Profile) -> Settings {
    let longest_chain = LongestChain::new(2).expect("a length");
    Settings { longest_chain, profile, ..Settings::default() }
}

fn made(cli: &Cli) -> Vec<String> {
    match cli.path("demo/out/devices").exists() {
        true => cli.names("demo/out/devices"),
        false => Vec::new(),
    }
}

/// The step of the verdict.
fn step(report: &Value) -> Value {
    let steps = report["steps"].as_array().or(report["plan"].as_array()).expect("steps");
    let found = steps.iter().find(|step| step["kind"] == "verdict");
    found.unwrap_or_else(|| panic!("no verdict in {report}")).clone()
}

#[test]
fn a_no_stops_it_after_one_device_and_nothing_is_lost() {
    for profile in [Profile::Field, Profile::Documented] {
        stops(profile);
    }
}

fn stops(profile: Profile) {
    let at = AtTenant::with(folder(5, TENANT), strict(profile));
    let plan = at.run(&format!("{RUN} --plan --json")).expect(0).json();
    assert_eq!(step(&plan)["action"], "judge", "{plan}");
    let no = at.run(&format!("{RUN} --report page.html")).expect(1);
    let error = no.error();
    assert!(error.starts_with("the platform does not accept the chain of gw-0, "), "{error}");
    assert!(
        error.contains("refused: Invalid certificate chain!; our own check says good: "),
        "{error}"
    );
    assert!(no.stderr.contains("hint: no other device was made"), "{no:?}");
    assert!(no.stdout.contains("not accepted  verdict"), "{no:?}");
    assert!(no.stdout.contains("not done      devices"), "{no:?}");
    assert!(no.stdout.contains("1 device issued"), "{no:?}");
    assert_eq!(made(&at.cli), ["gw-0"]);
    assert!(at.list("devices").is_empty(), "nothing is registered");
    let page = at.cli.text("page.html");
    assert!(
        page.contains("The run stopped before its end: ") && page.contains("not accepted"),
        "{page}"
    );
    assert!(page.contains("the platform does not accept the chain of gw-0"), "{page}");

    // Once more: the same certificate is judged, and no other one is made.
    let first = at.cli.read("demo/out/devices/gw-0/cert.pem");
    let json = at.run(&format!("{RUN} --json")).expect(1).json();
    assert_eq!(json["devices"]["issued"], 0, "{json}");
    let verdict = &json["verdict"];
    assert_eq!((&verdict["ca"], &verdict["device"]), (&"line-7".into(), &"gw-0".into()), "{json}");
    assert_eq!(verdict["platform"]["verdict"], "refused", "{json}");
    assert_eq!((&verdict["ours"]["accepted"], &verdict["agree"]), (&true.into(), &false.into()));
    assert_eq!(step(&json)["done"], false, "{json}");
    assert_eq!(made(&at.cli), ["gw-0"]);

    // Put right, it goes on, and the certificate that was judged is used.
    let AtTenant { cli, .. } = at;
    let at = AtTenant::with(cli, Settings { profile, ..Settings::default() });
    let rest = at.ok(RUN);
    assert!(rest.contains("4 devices issued"), "{rest}");
    assert!(rest.contains("accepted  verdict       line-7"), "{rest}");
    assert_eq!(at.cli.read("demo/out/devices/gw-0/cert.pem"), first);
    assert_eq!((made(&at.cli).len(), at.list("devices").len()), (5, 5));
    // Nothing is left to be made: nobody is asked.
    let again = at.run(&format!("{RUN} --json")).expect(0).json();
    assert_eq!(again["verdict"], Value::Null, "{again}");
}

#[test]
fn a_yes_makes_the_others() {
    let at = AtTenant::new(folder(3, TENANT));
    at.faults(0.2, 5);
    let json = at.run(&format!("{RUN} --json")).expect(0).json();
    assert_eq!(json["devices"]["issued"], 3, "{json}");
    assert_eq!(json["devices"]["skipped"], 0, "{json}");
    assert_eq!(json["verdict"]["agree"], true, "{json}");
    assert_eq!(step(&json)["done"], true, "{json}");
    let numbers = at.cli.ok("--pki demo/pki device list --json");
    assert_eq!(numbers.lines().count(), 3, "one certificate each: {numbers}");
    // A device more: one that is there is judged for it.
    list(&at.cli, 4);
    let more = at.run(&format!("{RUN} --json")).expect(0).json();
    assert_eq!(
        (&more["devices"]["issued"], &more["verdict"]["device"]),
        (&1.into(), &"gw-0".into())
    );
}

#[test]
fn what_was_not_asked_is_said_and_stops_nothing() {
    // 404: a release without the call.
    let at = AtTenant::with(folder(2, TENANT), Settings { verdicts: false, ..Settings::default() });
    let told = at.run(RUN).expect(0);
    assert!(told.stdout.contains("not asked  verdict"), "{told:?}");
    assert!(told.stdout.contains("not asked: the platform answers 404"), "{told:?}");
    let warning =
        "warning: it is not known whether the platform accepts the chain of gw-0 (not asked: ";
    assert!(told.stderr.contains(warning), "{told:?}");
    assert_eq!(made(&at.cli).len(), 2);
    // 403: a user without the right.
    let at = AtTenant::new(folder(2, &format!("{TENANT}register = false\n")));
    let told = at.run_as("trust", RUN).expect(0);
    assert!(
        told.stderr.contains(warning) && told.stderr.contains("ROLE_TENANT_MANAGEMENT_READ"),
        "{told:?}"
    );
    assert_eq!(made(&at.cli).len(), 2);
}

#[test]
fn another_tenant_of_the_ca_is_a_no() {
    let at = AtTenant::new(folder(1, TENANT));
    at.ok(&format!("{RUN} --local"));
    // Neither has proven it yet; this tenant's rollout does not want to.
    let section = format!("{TENANT}prove = false\n");
    at.cli.write("demo/rollout.toml", at.cli.ok("profile show rollout.toml") + &section);
    list(&at.cli, 3);
    let (pem, key) = ("demo/pki/ca/line-7/cert.pem", "demo/pki/ca/line-7/key.pem");
    let add = format!("tenant trust add {pem}");
    at.run_as("t1002/admin", &add).expect(0);
    at.ok(&add);
    let password = "--key-password-file demo/secrets/ca-password";
    at.run_as("t1002/admin", &format!("pop prove --cert {pem} --key {key} {password}")).expect(0);
    let no = at.run(RUN).expect(1);
    assert!(no.error().contains("the CA is held by another tenant than t1001"), "{no:?}");
    assert_eq!(made(&at.cli), ["gw-0"], "no other device was made");
}

#[test]
fn a_tenant_that_is_not_reached_stops_it_before_the_devices() {
    let at = AtTenant::new(folder(2, TENANT));
    let host = format!("https://localhost:{}", c8y_pki_tests::ports::free_port());
    at.run_with(RUN, &[("C8Y_HOST", host.as_str())]).expect(3);
    assert!(made(&at.cli).is_empty());
    at.ok(RUN);
    assert_eq!(made(&at.cli).len(), 2);
}

#[test]
fn a_validity_that_is_shortened_is_said() {
    let cli = folder(1, "");
    let file = cli.text("demo/rollout.toml");
    // The root ends before the CA below it and its devices would.
    let file = file.replacen("profile = \"root\"\n", "profile = \"root\"\ndays = 100\n", 1);
    cli.write("demo/rollout.toml", file);
    let told = cli.ok(&format!("{RUN} --report page.html"));
    let ca = "shortened     the CA line-7: the usual validity of 3650 days is shortened: its issuer \
              CN=Example Root CA,O=Example GmbH,C=DE ends on ";
    assert!(told.contains(ca), "{told}");
    assert!(told.contains("shortened     the devices of line-7: the usual validity of "), "{told}");
    let page = cli.text("page.html");
    assert!(page.contains("Shortened: the devices of line-7: the usual validity of "), "{page}");
    let again = cli.run(&format!("{RUN} --json")).expect(0).json();
    assert_eq!(again["shortened"], serde_json::json!([]), "nothing was made: {again}");
    list(&cli, 2);
    let more = cli.run(&format!("{RUN} --json")).expect(0).json();
    assert_eq!(more["shortened"][0]["kind"], "devices", "{more}");
    assert_eq!(more["shortened"][0]["name"], "line-7", "{more}");
    assert!(more["shortened"][0]["until"].is_string(), "{more}");
    // What was asked for is refused, not shortened.
    let file = cli.text("demo/rollout.toml").replacen(
        "profile = \"device\"\n",
        "profile = \"device\"\ndays = 365\n",
        1,
    );
    cli.write("demo/rollout.toml", file);
    list(&cli, 3);
    let refused = cli.run(RUN).expect(2);
    let words = "`days` under [devices] is 365, but the CA line-7 ends on ";
    assert!(refused.error().contains(words), "{refused:?}");
}

#[test]
fn no_more_is_called_in_place_than_was_looked_at() {
    let at = AtTenant::new(folder(2, TENANT));
    at.ok(RUN);
    for (line, end) in [
        (format!("{RUN} --local"), "verything here is in place; the tenant was not asked."),
        (format!("{RUN} --local --plan"), "that was looked at is in place; 1 not looked at (?)."),
    ] {
        let told = at.ok(&line);
        assert!(told.contains(end), "{told}");
    }
    std::fs::remove_file(at.cli.path("demo/out/devices/gw-1/key.pem")).expect("a file");
    for line in [RUN.to_owned(), format!("{RUN} --plan")] {
        let told = at.ok(&line);
        assert!(!told.contains("verything"), "{told}");
        assert!(told.contains("without key.pem") && told.contains("(gw-1)"), "{told}");
    }
}
