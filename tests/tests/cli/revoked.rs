//! Devices, orders and CAs that were revoked on purpose: nothing brings them back unasked, and nothing calls them failed.

use c8y_pki_tests::cli::{CA_PW, Cli, a_second_passes};
use c8y_pki_tests::openssl::verified;
use c8y_pki_tests::tool;
use serde_json::Value;

/// The order `acme` with gw-1, gw-2 and gw-3, of which gw-2 was revoked.
fn with_one_revoked() -> Cli {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\ngw-2\ngw-3\n");
    cli.ok("order create acme --from list.csv --ca line");
    cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    cli.ok("device revoke gw-2 --reason keyCompromise");
    cli
}

fn numbers(value: &Value) -> [u64; 3] {
    ["issued", "replaced", "revoked"].map(|key| value[key].as_u64().expect(key))
}

/// Whether OpenSSL takes a device's certificate, by the present list of its CA.
fn is_good(cli: &Cli, id: &str) -> Option<bool> {
    cli.ok(&format!("ca crl line {CA_PW} --out line.crl"));
    let (is_good, said) = verified(cli, &["line.crl"], &format!("out/{id}/cert.pem"))?;
    assert!(is_good || said.contains("certificate revoked"), "{said}");
    Some(is_good)
}

#[test]
fn a_replacement_of_many_leaves_out_what_was_revoked() {
    let cli = with_one_revoked();
    for what in ["--order acme", "--from list.csv --ca line"] {
        let line = format!("device issue {what} --existing replace --out out");
        let planned = cli.run(&format!("{line} --plan --json")).expect(0);
        let done = cli.run(&format!("{line} {CA_PW} --json")).expect(0);
        for said in [&planned, &done] {
            assert_eq!(numbers(&said.json()), [2, 2, 1], "{line}: {said:?}");
            assert_eq!(said.json()["revoked_ids"], serde_json::json!(["gw-2"]), "{line}");
        }
        let text = cli.run(&format!("{line} --plan")).expect(0).stderr;
        let left_out = "1 device left out: revoked (gw-2). --issue-revoked issues them again";
        assert!(text.contains(left_out), "{text}");
        assert!(cli.run(&format!("{line} {CA_PW}")).expect(0).stderr.contains(left_out));
        assert_ne!(is_good(&cli, "gw-2"), Some(true), "{line}");
        assert_ne!(is_good(&cli, "gw-1"), Some(false), "{line}");
    }
    let line = "device issue --order acme --existing replace --issue-revoked --out out";
    assert_eq!(numbers(&cli.run(&format!("{line} --plan --json")).expect(0).json()), [3, 2, 0]);
    assert_eq!(numbers(&cli.run(&format!("{line} {CA_PW} --json")).expect(0).json()), [3, 2, 0]);
    assert_ne!(is_good(&cli, "gw-2"), Some(false));
    // It says nothing where nothing is replaced.
    let alone = cli.fails(2, "device issue --order acme --issue-revoked --out out --plan");
    assert!(alone.contains("--existing replace"), "{alone}");
}

#[test]
fn nothing_but_revoked_devices_is_no_success_in_a_plan_either() {
    let cli = with_one_revoked();
    cli.write("one.csv", "id\ngw-2\n");
    for (line, how) in [
        ("device issue --from one.csv --ca line --existing replace --out out", "--issue-revoked"),
        ("device issue --from one.csv --ca line --out out", "--existing replace"),
    ] {
        let planned = cli.run(&format!("{line} --plan")).expect(1);
        let done = cli.run(&format!("{line} {CA_PW}")).expect(1);
        assert_eq!(planned.error(), done.error(), "{line}");
        assert!(planned.error().contains("gw-2") && planned.stderr.contains(how), "{planned:?}");
    }
    // By its id it is meant.
    cli.ok(&format!("device issue gw-2 --existing replace --out out {CA_PW}"));
    assert_ne!(is_good(&cli, "gw-2"), Some(false));
}

#[test]
fn requests_of_revoked_devices_are_signed_one_by_one() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = with_one_revoked();
    std::fs::create_dir(cli.path("requests")).unwrap();
    for id in ["gw-1", "gw-2"] {
        let (key, request) =
            (cli.arg(&format!("{id}.key")), cli.arg(&format!("requests/{id}.csr")));
        let subject = format!("/CN={id}");
        openssl.run(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
    }
    let line = format!("--existing replace --ca line --out signed {CA_PW}");
    let many = cli.run(&format!("device sign requests {line} --json")).expect(1).json_lines();
    let actions: Vec<&str> = many.iter().filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(actions, ["signed", "refused"], "{many:?}");
    assert!(many[1]["hint"].as_str().unwrap().contains("--issue-revoked"), "{many:?}");
    cli.ok(&format!("device sign requests/gw-2.csr {line}"));
    cli.ok("device revoke gw-2");
    // Its key was certified: another one.
    cli.ok(&format!("device sign requests/gw-1.csr --id gw-1 {line}"));
}

#[test]
fn a_revoked_device_is_not_a_failed_hand_over() {
    let cli = with_one_revoked();
    for (handed_over, before) in [(2, 0), (0, 2)] {
        let line =
            format!("device issue --order acme --out out --exec 'echo {{id}}' {CA_PW} --json");
        let said = cli.run(&line).expect(0).json_lines();
        let told = said.last().expect("a line");
        assert_eq!(
            (&told["handed_over"], &told["before"], &told["revoked"], &told["left"]),
            (&handed_over.into(), &before.into(), &1.into(), &0.into()),
            "{told}"
        );
        assert_eq!(told["failed"], serde_json::json!([]), "{told}");
    }
}

#[test]
fn what_comes_after_an_order_was_taken_back_is_not_of_it() {
    let cli = with_one_revoked();
    cli.ok("order revoke acme --yes");
    a_second_passes();
    let before = cli.run("order show acme --json").expect(0).json();
    cli.ok(&format!("device issue gw-1 --existing replace --ca line --out out {CA_PW}"));
    cli.ok(&format!("device issue gw-3 --existing replace --ca line --out out {CA_PW}"));
    cli.ok("device revoke gw-3");
    let after = cli.run("order show acme --json").expect(0).json();
    assert_eq!(before, after);
    assert_eq!((&after["issued"], &after["revoked"]), (&0.into(), &3.into()), "{after}");
    assert_eq!(after["runs"].as_array().map(Vec::len), Some(1), "{after}");
    // Nothing is renewed for it, and it is not passed over in silence.
    for line in [
        "device renew --order acme --out out",
        "device renew --order acme --expiring 4000d --out out",
    ] {
        let refused = cli.run(&format!("{line} --plan")).expect(2);
        assert!(refused.error().contains("\"acme\" was taken back on "), "{refused:?}");
        assert_eq!(refused.error(), cli.run(&format!("{line} {CA_PW}")).expect(2).error());
    }
    let listed = cli.run("device list --order acme").expect(0);
    assert!(listed.stderr.contains("the order acme was taken back on "), "{listed:?}");
    cli.ok(&format!("ca crl line {CA_PW}"));
    let status = cli.run("status --json").expect(0).json();
    assert_eq!(status["taken_back"], 1, "{status}");
    assert!(cli.ok("status").contains("0 orders\n  1 order beside these: taken back\n"));
}

#[test]
fn certificates_below_a_revoked_root_are_not_called_good() {
    if tool("openssl").is_none() {
        return;
    }
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 gw-2 --ca line --out out {CA_PW}"));
    let san = "--san DNS:broker.example.com";
    cli.ok(&format!("server issue broker --ca line {san} --out servers {CA_PW}"));
    let shown = cli.run("ca show line --json").expect(0).json();
    let serial = shown["certificate"]["serial"].as_str().unwrap().to_owned();
    assert_eq!(cli.run("device list --json").expect(0).json_lines()[0]["ca_revoked"], false);
    cli.ok(&format!("ca crl line {CA_PW} --out line.crl"));
    cli.ok(&format!("device revoke {serial} --ca-certificate"));
    cli.ok(&format!("ca crl root {CA_PW} --out root.crl"));
    let verified = verified(&cli, &["root.crl", "line.crl"], "out/gw-1/cert.pem");
    let (is_good, said) = verified.expect("OpenSSL is there");
    assert!(!is_good && said.contains("certificate revoked"), "{said}");
    for row in cli.run("device list --json").expect(0).json_lines() {
        assert_eq!((&row["status"], &row["ca_revoked"]), (&"live".into(), &true.into()), "{row}");
    }
    for table in ["device list", "server list", "device show gw-1"] {
        assert!(cli.ok(table).contains("live, CA revoked"), "{table}");
    }
    let root = cli.run("ca show root --json").expect(0).json()["certificate"]["serial"].clone();
    cli.ok(&format!("device revoke {} --ca-certificate", root.as_str().unwrap()));
    let status = cli.run("status").expect(1).stdout;
    assert!(
        status.contains(
            "3 certificates of devices and servers that line has issued cannot be trusted"
        ),
        "{status}"
    );
    assert!(status.contains("the CAs below root cannot be trusted"), "{status}");
    assert!(!status.contains(" 0 certificates"), "{status}");
    assert!(
        status.contains("3 certificates of these: of CAs that are revoked, or below such a CA"),
        "{status}"
    );
}

/// An order that was made between a certificate and its revocation does not ask for another one.
#[test]
fn an_order_does_not_bring_back_what_was_revoked_after_it() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\ngw-2\ngw-3\n");
    cli.ok(&format!("device issue gw-1 gw-2 --ca line --out out {CA_PW}"));
    cli.ok("order create acme --from list.csv --ca line");
    cli.ok("device revoke gw-2 --reason keyCompromise");
    let shown = cli.run("order show acme --json").expect(0).json();
    assert_eq!((&shown["revoked"], &shown["open"]), (&1.into(), &1.into()), "{shown}");
    let line = "device issue --order acme --out out";
    for said in
        [cli.run(&format!("{line} --plan --json")), cli.run(&format!("{line} {CA_PW} --json"))]
    {
        let said = said.expect(0);
        assert_eq!(numbers(&said.json()), [1, 0, 1], "{said:?}");
        assert_eq!(said.json()["revoked_ids"], serde_json::json!(["gw-2"]));
    }
    assert_ne!(is_good(&cli, "gw-2"), Some(true));
    // One that is made after it does.
    cli.ok("order revoke acme --yes");
    cli.ok("order create again --from list.csv --ca line");
    let made = cli.run(&format!("device issue --order again --out out2 {CA_PW} --json")).expect(0);
    assert_eq!(numbers(&made.json()), [2, 0, 0], "{made:?}");
}

#[test]
fn a_refused_run_calls_no_device_failed_that_has_or_had_a_certificate() {
    let cli = with_one_revoked();
    let shown = |order: &str| cli.run(&format!("order show {order} --json")).expect(0).json();
    let states = |order: &str| {
        let shown = shown(order);
        ["issued", "failed", "revoked", "open"].map(|key| shown[key].as_u64().expect(key))
    };
    assert_eq!(states("acme"), [2, 0, 1, 0]);
    let before = cli.ok("order list");
    let line = format!("device issue --order acme --existing fail --out other {CA_PW}");
    assert!(
        cli.run(&line)
            .expect(2)
            .stderr
            .contains("3 of 3 devices cannot be issued; nothing was made")
    );
    assert_eq!(states("acme"), [2, 0, 1, 0]);
    assert_eq!(cli.ok("order list"), before);
    // Nor does a run that goes on: what was revoked is not issued for another reason.
    cli.run(&format!("{line} --keep-going")).expect(1);
    assert_eq!(states("acme"), [2, 0, 1, 0]);
    // It was refused as it had a certificate, and later that was revoked.
    cli.write("late.csv", "id\ngw-9\n");
    cli.ok(&format!("device issue gw-9 --ca line --out out {CA_PW}"));
    cli.ok("order create late --from late.csv --ca line");
    let line = format!("device issue --order late --existing fail --out other {CA_PW}");
    assert!(cli.run(&line).expect(2).stderr.contains("nothing was made"));
    cli.ok("device revoke gw-9");
    assert_eq!(states("late"), [0, 0, 1, 0], "{}", shown("late"));
}

#[test]
fn a_renewal_leaves_out_what_was_revoked_and_says_so() {
    let cli = with_one_revoked();
    let left_out = "1 device left out: revoked (gw-2). Issue one again by its id";
    for what in ["--order acme", "--from list.csv"] {
        let line = format!("device renew {what} --out out");
        let planned = cli.run(&format!("{line} --plan --json")).expect(0);
        let done = cli.run(&format!("{line} {CA_PW} --json")).expect(0);
        for said in [&planned, &done] {
            assert_eq!(numbers(&said.json()), [2, 2, 1], "{line}: {said:?}");
            assert_eq!(said.json()["revoked_ids"], serde_json::json!(["gw-2"]), "{line}");
            assert!(said.stderr.contains(left_out), "{said:?}");
        }
        assert_ne!(is_good(&cli, "gw-1"), Some(false), "{line}");
        assert_ne!(is_good(&cli, "gw-2"), Some(true), "{line}");
    }
    // Nothing but revoked ones is no success.
    cli.write("one.csv", "id\ngw-2\n");
    let line = "device renew --from one.csv --out out";
    let planned = cli.run(&format!("{line} --plan")).expect(1);
    let done = cli.run(&format!("{line} {CA_PW}")).expect(1);
    assert_eq!(planned.error(), done.error());
    assert!(planned.error().contains("1 device is revoked"), "{planned:?}");
    // By its id it is meant, and the way that is named works.
    let refused = cli.run("device renew gw-1 gw-2 --out out --plan").expect(2).stderr;
    assert!(refused.contains("device id \"gw-2\" was revoked on "), "{refused}");
    assert!(refused.contains("device issue gw-2 --existing replace"), "{refused}");
    cli.ok(&format!("device issue gw-2 --existing replace --out out {CA_PW}"));
    assert_ne!(is_good(&cli, "gw-2"), Some(false));
}
