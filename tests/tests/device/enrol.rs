//! `device enrol` with the platform's own CA: a device that waits to be registered, and shows where.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, PASSWORD};
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::{arg, tool};
use serde_json::json;

/// The message of the platform to a device that is not registered.
const NOT_FOUND: &str = "No newDeviceRequest found for this ID";

pub(crate) fn with_authority() -> AtTenant {
    let at = AtTenant::new(Cli::new());
    at.ok("tenant authority create");
    at
}

/// Starts a device that waits; the address that it shows.
fn waits(at: &AtTenant) -> (Talking, String) {
    let line = format!("device enrol gw-1 --out out --wait 5m --host {}", at.sandbox.url());
    let mut device = Talking::start(&at.cli, &line, &[("C8Y_PKI_CACERT", "sandbox-ca.pem")]);
    let address = device.told("#/deviceregistration?").trim().to_owned();
    (device, address)
}

/// The address that a device shows.
fn address(said: &str) -> Option<String> {
    let line = said.lines().find(|line| line.contains("#/deviceregistration?"))?;
    line.ends_with(|c: char| c.is_ascii_alphanumeric()).then(|| line.trim().to_owned())
}

/// A parameter of the address. Ids and one-time passwords of these tests need no escapes.
fn parameter(address: &str, name: &str) -> String {
    let all = address.split_once('?').expect("parameters").1;
    let found = all.split('&').filter_map(|p| p.split_once('=')).find(|(n, _)| *n == name);
    found.expect(name).1.to_owned()
}

/// Registers a device with the request of the vendor's description: by curl where it is, else by ourselves.
fn register(at: &AtTenant, id: &str, one_time: &str) {
    let Some(curl) = tool("curl") else {
        at.cli.write("otp", one_time);
        at.ok(&format!("registration add {id} --otp-file otp"));
        return;
    };
    let (cacert, body) =
        (at.cli.arg("sandbox-ca.pem"), json!({ "id": id, "enrollmentToken": one_time }));
    let kind = "application/vnd.com.nsn.cumulocity.newdevicerequest+json";
    let made = curl.run(&[
        "--silent",
        "--fail",
        "--cacert",
        &cacert,
        "--user",
        &format!("admin:{PASSWORD}"),
        "--header",
        &format!("Content-Type: {kind}"),
        "--header",
        &format!("Accept: {kind}"),
        "--data",
        &body.to_string(),
        &format!("{}/devicecontrol/newDeviceRequests", at.sandbox.url()),
    ]);
    assert!(made.contains("\"ACCEPTED\""), "{made}");
}

#[test]
fn a_device_that_waits_is_let_in_when_it_is_registered() {
    let at = with_authority();
    let (mut device, address) = waits(&at);
    device.told(NOT_FOUND);
    assert_eq!(parameter(&address, "externalId"), "gw-1");
    // What the administrator's page would do with the address.
    let one_time = parameter(&address, "one-time-password");
    register(&at, "gw-1", &one_time);
    let (code, stdout, stderr) = device.finish();
    assert!(code == 0 && stdout.starts_with("gw-1: enrolled, by "), "{stdout}{stderr}");
    // Our list has what curl has made, as long as the device does not come.
    register(&at, "gw-2", &one_time);
    let listed = at.ok("registration list");
    assert!(listed.contains("gw-2") && listed.contains("ACCEPTED"), "{listed}");
    assert_eq!(at.cli.names("out/gw-1"), ["cert.pem", "chain.pem", "key.pem"]);
    assert_eq!(at.cli.read("out/gw-1/cert.pem"), at.cli.read("out/gw-1/chain.pem"));
    let again = at.run("device enrol gw-1 --out out --wait 5m").expect(0);
    assert!(again.stdout.starts_with("gw-1: already enrolled"), "{again:?}");
}

#[test]
fn a_device_that_was_killed_shows_the_same_password_again() {
    let at = with_authority();
    let (first, before) = waits(&at);
    first.kill();
    let (second, after) = waits(&at);
    assert_eq!(before, after);
    second.kill();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let kept =
            std::fs::metadata(at.cli.path("out/gw-1/one-time-password")).expect("it is kept");
        assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn refusals_are_told_in_the_platforms_words_and_only_one_is_waited_for() {
    let at = with_authority();
    let late = at.run("device enrol gw-1 --out out --wait 3s").expect(1);
    assert!(
        late.error().contains(NOT_FOUND) && late.error().contains("not registered in time"),
        "{late:?}"
    );
    // Registered with another password: each further question would help to block it.
    at.cli.write("other", "another-password");
    at.ok("registration add gw-1 --otp-file other");
    let wrong = at.run("device enrol gw-1 --out out --wait 5m").expect(2);
    assert!(
        !wrong.stderr.contains("trying again") && !wrong.error().contains(NOT_FOUND),
        "{wrong:?}"
    );
    // No CA.
    let bare = AtTenant::new(Cli::new());
    bare.cli.write("otp", "a-one-time-password");
    bare.ok("registration add gw-1 --otp-file otp");
    let none = bare.run("device enrol gw-1 --out out --otp-file otp --wait 5m").expect(1);
    assert!(none.error().contains("Failed to retrieve tenant keypair"), "{none:?}");
}

#[test]
fn the_address_is_told_as_json_too() {
    let at = with_authority();
    let said = at.run("device enrol gw-1 --out out --wait 1s --json").expect(1);
    let told = said.stderr.lines().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["registration"]["address"].as_str().map(str::to_owned)
    });
    assert_eq!(parameter(&told.expect("an address"), "externalId"), "gw-1");
    assert!(!said.stderr.contains('█'), "{said:?}");
}

/// A picture (PGM) of what a terminal shows: a module is 4 points wide and high.
fn picture(lines: &[&str], is_dark_terminal: bool) -> Vec<u8> {
    const POINTS: usize = 4;
    let width = lines[0].chars().count();
    let mut points = Vec::new();
    for line in lines {
        for half in 0..2 {
            let row: Vec<u8> = line
                .chars()
                .flat_map(|c| {
                    let drawn = matches!((c, half), ('█', _) | ('▀', 0) | ('▄', 1));
                    [if drawn == is_dark_terminal { 255 } else { 0 }; POINTS]
                })
                .collect();
            (0..POINTS).for_each(|_| points.extend_from_slice(&row));
        }
    }
    let mut file = format!("P5 {} {} 255\n", width * POINTS, lines.len() * 2 * POINTS).into_bytes();
    file.extend(points);
    file
}

#[test]
fn zbar_reads_the_address_from_the_qr_code() {
    let Some(zbar) = tool("zbarimg") else { return };
    for (background, is_dark) in [("dark", true), ("light", false)] {
        let at = with_authority();
        let line = format!("device enrol gw-0001 --out out --wait 1s --qr {background}");
        let said = at.run(&line).expect(1).stderr;
        let is_code = |line: &&str| line.len() > 60 && line.chars().all(|c| "█▀▄ ".contains(c));
        let lines: Vec<&str> = said.lines().filter(is_code).collect();
        assert!(lines.len() > 15, "{said}");
        at.cli.write("code.pgm", picture(&lines, is_dark));
        let picture = at.cli.path("code.pgm");
        let read = zbar.run(&["--quiet", "--raw", "--nodbus", arg(&picture)]);
        assert_eq!(Some(read.trim().to_owned()), address(&said));
    }
    let none = with_authority().run("device enrol gw-1 --out out --wait 1s --qr none").expect(1);
    assert!(!none.stderr.contains('█'), "{none:?}");
}
