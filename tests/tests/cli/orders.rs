//! Orders through the real binary: what they say counts, and what belongs to them.

use c8y_pki_tests::cli::{CA_PW, Cli};

const LIST: &str = "id,type,name,group,iccid\n\
                    gw-1,pump,Pump 1,Acme/Hall 1,8949020000000000001\n\
                    gw-2,pump,Pump 2,Acme/Hall 1,8949020000000000002\n\
                    gw-3,valve,Valve 3,Acme/Hall 2,\n";

const STORE: &str = "--ca-password-file pw --store-password-file pw --iterations 1";

fn ordered(options: &str) -> Cli {
    let cli = Cli::with_cas();
    cli.write("acme.csv", LIST);
    cli.ok(&format!("order create acme --from acme.csv --ca line {options}"));
    cli
}

#[test]
fn an_order_says_how_its_devices_are_made() {
    let cli = ordered(
        "--customer Acme --key-type ec-p384 --days 90 --bundle p12 --subject 'OU=Line 7,O=Acme'",
    );
    for (flag, more) in [
        ("--bundle", "--bundle pem"),
        ("--days", "--days 7"),
        ("--key-type", "--key-type ec-p256"),
        ("--profile", "--profile device"),
        ("a subject", "--org Other"),
        ("--ca", "--ca root"),
    ] {
        let said = cli.fails(2, &format!("device issue --order acme --out out {STORE} {more}"));
        let sentence = format!("{flag} is given, but the order acme says how its devices are made");
        assert!(said.contains(&sentence), "{more}: {said}");
    }
    // The list is not needed any more.
    std::fs::remove_file(cli.path("acme.csv")).unwrap();
    cli.ok(&format!("device issue --order ACME --out out --ca line {STORE}"));
    assert_eq!(cli.names("out/gw-1"), ["keystore.p12"]);
    let shown = cli.run("device show gw-1 --json").expect(0).json();
    let text = shown.to_string();
    for part in ["Pump 1", "Acme/Hall 1", "8949020000000000001"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    cli.ok(&format!("device manifest --order acme --out ho {CA_PW}"));
    let json = cli.text("ho/manifest.json");
    assert!(json.contains("\"batch\": \"order acme\""), "{json}");
    let store = "cert show out/gw-2/keystore.p12 --password-file pw";
    let seen = cli.ok(store);
    assert!(seen.contains("CN=gw-2,OU=Line 7,O=Acme") && seen.contains("P-384"), "{seen}");
}

#[test]
fn a_device_that_is_made_again_keeps_what_its_list_said_and_what_it_had() {
    let cli = ordered("--bundle p12 --key-type ec-p384");
    cli.ok(&format!("device issue --order acme --out out {STORE}"));
    let again =
        cli.run(&format!("device issue gw-1 --existing replace --out out {STORE}")).expect(0);
    assert!(again.stderr.contains("in the order acme: what is not given"), "{again:?}");
    let said = cli.run(&format!("device renew gw-2 --out out {CA_PW}")).expect(2);
    assert!(said.error().contains("password"), "a p12 device needs one: {said:?}");
    cli.ok(&format!("device renew gw-2 --out out {STORE}"));
    cli.ok(&format!("device renew gw-3 --bundle pem --out out {CA_PW}"));
    for (id, files) in [
        ("gw-1", &["keystore.p12"][..]),
        ("gw-2", &["keystore.p12"]),
        ("gw-3", &["cert.pem", "chain.pem", "key.pem"]),
    ] {
        assert_eq!(cli.names(&format!("out/{id}")), files, "{id}");
    }
    // Each what it had, in one run.
    cli.ok(&format!("device renew --order acme --out out {STORE}"));
    assert_eq!(cli.names("out/gw-1"), ["keystore.p12"]);
    assert_eq!(cli.names("out/gw-3"), ["cert.pem", "chain.pem", "key.pem"]);
    let seen = cli.ok("cert show out/gw-1/keystore.p12 --password-file pw");
    assert!(seen.contains("P-384"), "{seen}");
    let order = cli.ok("registration create --order acme --out -");
    assert_eq!(cli.ok("registration create --out -").lines().count(), 4);
    for row in order.lines() {
        assert!(cli.ok("registration create --out -").contains(row), "{row}");
    }
    let shown = cli.run("order show acme --json").expect(0).json();
    assert_eq!((&shown["issued"], &shown["reworked"]), (&3.into(), &3.into()), "{shown}");
    // A device that was revoked is not to be let in.
    cli.ok("device revoke gw-2 --yes");
    let made = cli.run("registration create --order acme --out reg.csv --json").expect(0);
    assert!(made.stderr.contains("1 of 3 devices has been revoked"), "{made:?}");
    let made = made.json();
    assert_eq!((&made["devices"], &made["left_out"]), (&2.into(), &1.into()), "{made}");
    let csv = cli.text("reg.csv");
    assert!(!csv.contains("gw-2") && csv.contains("gw-3"), "{csv}");
    cli.ok("registry check");
}

/// A CA that is revoked makes no order, and signs no manifest; status and the order say so.
#[test]
fn a_revoked_ca_is_told_wherever_it_is_used() {
    let cli = ordered("");
    cli.ok(&format!("device issue gw-1 --out out {CA_PW}"));
    let shown = cli.run("ca show line --json").expect(0).json();
    let serial = shown["certificate"]["serial"].as_str().expect("hex");
    cli.ok(&format!("device revoke {serial} --ca-certificate --reason keyCompromise --yes"));
    let words = "it must not sign";
    let manifest = format!("device manifest --order acme --partial --out ho {CA_PW}");
    for line in ["order create beta --from beta.csv --ca line", &manifest] {
        cli.write("beta.csv", "id\nb-1\n");
        let said = cli.fails(2, line);
        assert!(said.contains(words), "{line}: {said}");
    }
    assert!(!cli.path("ho").exists());
    let order = cli.run("order show acme").expect(0);
    assert!(order.stderr.contains(words), "{order:?}");
    let status = cli.run("status --json").expect(1).json();
    let overdue = |subject: &str, words: &str| {
        let items = status["items"].as_array().expect("items");
        items.iter().any(|item| {
            item["urgency"] == "overdue"
                && item["subject"] == subject
                && item["message"].as_str().is_some_and(|message| message.contains(words))
        })
    };
    assert!(
        overdue(
            "ca",
            "1 certificate of devices and servers that line has issued cannot be trusted"
        ),
        "{status}"
    );
    assert!(
        overdue("order", "its CA line issues none: it, or a CA above it, is revoked"),
        "{status}"
    );
}

#[test]
fn a_list_of_which_no_registration_can_be_made_is_told() {
    let cli = Cli::with_cas();
    for (name, list, words) in [
        (
            "a",
            "id,credentials\na-1,secret\n",
            "column \"credentials\" cannot be used with certificates",
        ),
        (
            "b",
            "id,enrollment_otp\nb-1,short\n",
            "the one-time password (ENROLLMENT_OTP) of \"b-1\"",
        ),
    ] {
        cli.write("list.csv", list);
        let made = cli.run(&format!("order create {name} --from list.csv --ca line")).expect(0);
        assert!(made.stderr.contains("no registration CSV can be made of this order"), "{made:?}");
        assert!(made.stderr.contains(words) && !made.stderr.contains("secret"), "{made:?}");
    }
    cli.write("list.csv", LIST);
    let made = cli.run("order create c --from list.csv --ca line").expect(0);
    assert!(!made.stderr.contains("registration CSV"), "{made:?}");
}

/// What is made of its devices after an order was taken back is not of the order.
#[test]
fn an_order_that_was_taken_back_stays_so() {
    let cli = ordered("");
    cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    cli.ok("order revoke acme --yes");
    cli.ok(&format!("device issue gw-1 --ca line --existing replace --out out {CA_PW}"));
    let shown = cli.run("order show acme --json").expect(0).json();
    assert_eq!((&shown["issued"], &shown["revoked"]), (&0.into(), &3.into()), "{shown}");
    for line in [
        "order labels acme --partial --out l.pdf".to_owned(),
        format!("device manifest --order acme --partial --out ho {CA_PW}"),
    ] {
        assert!(cli.fails(2, &line).contains("was taken back"), "{line}");
    }
    assert!(!cli.path("l.pdf").exists() && !cli.path("ho").exists());
}

/// Devices without an order keep it too, also those that a former version has recorded.
#[test]
fn a_device_without_an_order_keeps_it_too() {
    let cli = Cli::with_cas();
    cli.write("acme.csv", LIST);
    cli.ok(&format!("device issue --from acme.csv --ca line --out out --bundle pem,p12 {STORE}"));
    cli.ok(&format!("device issue gw-1 --existing replace --ca line --out out {STORE}"));
    cli.ok(&format!("device renew gw-2 --out out {STORE}"));
    for id in ["gw-1", "gw-2"] {
        let files = cli.names(&format!("out/{id}"));
        assert_eq!(files, ["cert.pem", "chain.pem", "key.pem", "keystore.p12"], "{id}");
    }
    let csv = cli.ok("registration create --out -");
    assert!(
        csv.contains("gw-1;CERTIFICATES;pump;Pump 1;8949020000000000001;Acme/Hall 1;true"),
        "{csv}"
    );
    let said = cli.run(&format!("device issue gw-9 --out out {CA_PW}")).expect(2);
    assert_eq!(said.error(), "the issuing CA is not named");
}

#[test]
fn what_failed_is_kept_with_its_reason_until_it_is_issued() {
    let cli = ordered("");
    // A directory is in the way of one device.
    cli.write("out/gw-2/note", "mine");
    let line = format!("device issue --order acme --out out --keep-going {CA_PW}");
    cli.run(&line).expect(1);
    let shown = cli.run("order show acme --json").expect(0).json();
    assert_eq!((&shown["issued"], &shown["failed"]), (&2.into(), &1.into()), "{shown}");
    let missing = &shown["missing"][0];
    assert_eq!((&missing["id"], &missing["state"]), (&"gw-2".into(), &"failed".into()));
    let reason = missing["reason"].as_str().expect("a reason");
    assert!(reason.contains("its directory out/gw-2 is there"), "{reason}");
    let said = cli.run("order show acme --complete").expect(1).stdout;
    assert!(said.contains("missing      gw-2 (line 3), failed: device id \"gw-2\""), "{said}");
    let said = cli.run(&format!("device manifest --order acme --out ho {CA_PW}")).expect(1);
    assert!(
        said.error().starts_with("order acme has 2 of 3 devices; 1 is missing: gw-2"),
        "{said:?}"
    );
    assert!(!cli.path("ho").exists());
    let part =
        cli.run(&format!("device manifest --order acme --partial --out ho {CA_PW}")).expect(0);
    assert!(part.stderr.contains("warning: order acme has 2 of 3 devices"), "{part:?}");
    std::fs::remove_dir_all(cli.path("out/gw-2")).unwrap();
    cli.ok(&line);
    let shown = cli.run("order show acme --json").expect(0).json();
    assert_eq!(
        (&shown["issued"], &shown["failed"], &shown["state"]),
        (&3.into(), &0.into(), &"issued".into())
    );
}

#[test]
fn a_list_is_revoked_after_a_question_and_what_cannot_be_is_named() {
    let cli = ordered("");
    cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    cli.ok("device revoke gw-3");
    cli.write("some.csv", "id\ngw-1\ngw-3\n");
    let plan = cli.run("device revoke --from some.csv --plan --json").expect(0).json_lines();
    let actions: Vec<_> = plan.iter().map(|p| (&p["id"], &p["action"])).collect();
    assert_eq!(
        actions,
        [(&"gw-1".into(), &"revoke".into()), (&"gw-3".into(), &"revoked already".into())]
    );
    let live = |cli: &Cli| cli.ok("device list --order acme --json").lines().count();
    assert_eq!(live(&cli), 2, "a plan has changed something");
    let said = cli.fails(2, "device revoke --from some.csv");
    assert!(said.contains("revoking 1 certificate of a list has to be confirmed"), "{said}");
    cli.write("bad.csv", "id\ngw-1\nnobody\n");
    let refused = cli.run("device revoke --from bad.csv --plan --json").expect(2).json_lines();
    let of = |p: &serde_json::Value| (p["id"].clone(), p["action"].clone());
    let rows: Vec<_> = refused.iter().filter(|p| p["action"].is_string()).map(of).collect();
    assert_eq!(
        rows,
        [("gw-1".into(), "revoke".into()), ("nobody".into(), "refuse".into())],
        "{refused:?}"
    );
    for line in ["device revoke --from bad.csv --plan", "device revoke --from bad.csv --yes"] {
        let said = cli.run(line).expect(2).stderr;
        let row = "error: line 3: device id \"nobody\" has no certificate";
        assert!(said.contains(row), "{said}");
    }
    assert_eq!(live(&cli), 2);
    cli.ok("device revoke --from some.csv --yes");
    assert_eq!(live(&cli), 1);
    // Revoked in the order, a device stays out of its next run.
    let again = cli.run(&format!("device issue --order acme --out out {CA_PW}")).expect(0);
    assert!(again.stderr.contains("2 devices left out: revoked"), "{again:?}");
}

#[test]
fn an_order_that_is_not_known_is_answered_by_those_that_are_alike() {
    let cli = ordered("");
    let said = cli.fails(2, "order show acne");
    assert!(said.contains("there is no order \"acne\"") && said.contains("known orders: acme"));
    assert!(said.contains("`c8y-pki order list`"), "{said}");
}

#[test]
fn an_order_keeps_the_profile_that_it_was_made_with() {
    let cli = Cli::with_cas();
    let profile =
        cli.ok("profile show device").replace("validity_days = 365", "validity_days = 77");
    assert!(profile.contains("77"), "{profile}");
    cli.write("my.toml", profile);
    cli.write("acme.csv", LIST);
    cli.ok("order create acme --from acme.csv --ca line --profile my.toml");
    cli.write("my.toml", "changed = true");
    cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    std::fs::remove_file(cli.path("my.toml")).unwrap();
    cli.ok(&format!("device issue gw-1 --existing replace --out out {CA_PW}"));
    cli.ok(&format!("device renew gw-2 --out out {CA_PW}"));
    for id in ["gw-1", "gw-2", "gw-3"] {
        let all = cli.run(&format!("device show {id} --json")).expect(0).json_lines();
        let shown = all.iter().find(|shown| shown["status"] == "live").expect("a live one");
        let days = |key: &str| shown[key].as_str().expect("a date")[..10].to_owned();
        let format = time::macros::format_description!("[year]-[month]-[day]");
        let day = |text: String| time::Date::parse(&text, format).expect("a date");
        assert_eq!((day(days("not_after")) - day(days("not_before"))).whole_days(), 77, "{shown}");
    }
}

#[test]
fn an_order_says_which_cas_have_issued_it() {
    let cli = Cli::with_cas();
    cli.ok("ca init other --subject CN=Other --ca-password-file pw");
    cli.ok(&format!("device issue gw-1 --ca other --out out {CA_PW}"));
    cli.write("acme.csv", LIST);
    cli.ok("order create acme --from acme.csv --ca line");
    cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    let shown = cli.ok("order show acme");
    let lines: Vec<&str> = shown.lines().filter(|line| line.contains("issued by")).collect();
    assert_eq!(lines, ["  issued by    2 of 3: line", "  issued by    1 of 3: other"], "{shown}");
    cli.ok(&format!("device issue gw-1 --existing replace --ca line --out out {CA_PW}"));
    assert!(!cli.ok("order show acme").contains("issued by"));
}

#[test]
fn a_manifest_does_not_take_the_place_of_another() {
    let cli = ordered("");
    cli.write("beta.csv", "id\nother-1\n");
    cli.ok("order create beta --from beta.csv --ca line");
    for order in ["acme", "beta"] {
        cli.ok(&format!("device issue --order {order} --out out {CA_PW}"));
    }
    cli.ok(&format!("device manifest --order acme --out ho {CA_PW}"));
    let before = cli.snapshot("ho");
    let said = cli.fails(2, &format!("device manifest --order beta --out ho {CA_PW}"));
    assert!(said.contains("ho has another manifest: that of order acme"), "{said}");
    assert!(before == cli.snapshot("ho"));
    cli.ok(&format!("device manifest --order acme --out ho {CA_PW}"));
}

#[test]
fn a_list_with_a_header_twice_is_refused() {
    let cli = Cli::with_cas();
    cli.write("twice.csv", "id,name,name\ngw-1,One,Two\n");
    let said = cli.fails(2, "order create acme --from twice.csv --ca line");
    assert!(
        said.contains("twice.csv: the header in line 1 has the column \"name\" twice"),
        "{said}"
    );
}

#[test]
fn an_order_follows_its_ca_to_another_name() {
    let cli = ordered("");
    cli.ok("ca rename line line-7");
    let shown = cli.run("order show acme --json").expect(0).json();
    assert_eq!(shown["ca"], "line-7", "{shown}");
    cli.ok(&format!("device issue --order acme --out out {CA_PW}"));
    cli.ok("ca rename line-7 line-8");
    let device = cli.run("device show gw-1 --json").expect(0).json();
    assert!(device.to_string().contains("line-8"), "{device}");
    let listed = cli.run("order list --json").expect(0).json();
    assert_eq!(listed["ca"], "line-8", "{listed}");
    cli.ok("registry check");
}

/// A list of ids is enough to make devices again: what it does not say is as their order or the registry has it.
#[test]
fn a_list_of_ids_makes_devices_again_as_they_were() {
    let cli = ordered("--bundle p12");
    cli.ok(&format!("device issue --order acme --out out {STORE}"));
    cli.write("own.csv", "id,type,name,iccid\nx-1,meter,Meter 1,8949020000000000009\n");
    cli.ok(&format!("device issue --from own.csv --ca line --out out --bundle pem,p12 {STORE}"));
    cli.write("rework.csv", "id\ngw-1\nx-1\n");
    let again = "device issue --from rework.csv --existing replace --ca line --out out";
    cli.ok(&format!("{again} {STORE}"));
    assert_eq!(cli.names("out/gw-1"), ["keystore.p12"]);
    assert_eq!(cli.names("out/x-1"), ["cert.pem", "chain.pem", "key.pem", "keystore.p12"]);
    let csv = cli.ok("registration create --out -");
    for (id, kind, name) in [("gw-1", "pump", "Pump 1"), ("x-1", "meter", "Meter 1")] {
        assert!(csv.contains(&format!("{id};CERTIFICATES;{kind};{name};8949020")), "{csv}");
    }
    // A column of the list counts, also where it is empty.
    cli.write("rework.csv", "id,Name\ngw-1,Other\nx-1,\n");
    cli.ok(&format!("{again} --bundle pem {STORE}"));
    assert_eq!(cli.names("out/gw-1"), ["cert.pem", "chain.pem", "key.pem"]);
    let shown = |id: &str| {
        let all = cli.run(&format!("device show {id} --json")).expect(0).json_lines();
        all.iter().find(|one| one["status"] == "live").expect("a live one").to_string()
    };
    let (gw, x) = (shown("gw-1"), shown("x-1"));
    assert!(gw.contains("pump") && gw.contains("Other") && !gw.contains("Pump 1"), "{gw}");
    assert!(x.contains("meter") && !x.contains("Meter 1"), "{x}");
    // Nor is anything lost if such a list is an order.
    cli.write("ids.csv", "id\nx-1\n");
    cli.ok("order create ids --from ids.csv --ca line");
    let order = "device issue --order ids --existing replace --out out";
    cli.ok(&format!("{order} {STORE}"));
    assert!(shown("x-1").contains("meter"), "{}", shown("x-1"));
}

/// A hint that many rows share is said once.
#[test]
fn one_mistake_in_a_list_gives_its_hint_once() {
    let cli = ordered("");
    let said = cli.run("order create again --from acme.csv --ca line").expect(2).stderr;
    assert_eq!(said.matches("is in the order \"acme\" already").count(), 3, "{said}");
    assert_eq!(said.matches("order revoke acme").count(), 1, "{said}");
    assert!(said.find("gw-3") < said.find("order revoke acme"), "after the rows: {said}");
}

/// What is typed as it is advised is done.
#[test]
fn what_an_order_advises_can_be_typed() {
    let cli = ordered("");
    let said = cli.fails(1, "order labels acme --out labels.pdf");
    assert!(said.contains("`c8y-pki device issue --order acme --out DIR`"), "{said}");
    let made = |name: &str, bundle: &str| {
        cli.write("more.csv", format!("id\n{name}-1\n"));
        let line = format!("order create {name} --from more.csv --ca line --bundle {bundle}");
        cli.run(&line).expect(0).stderr
    };
    let said = made("ts", "pem,truststore-p12");
    assert!(said.contains("--order ts --out DIR --server-cert FILE`"), "{said}");
    assert!(!made("plain", "pem,p12").contains("--server-cert"));
}
/// What no run could issue is no order.
#[test]
fn an_order_that_could_never_be_issued_is_not_kept() {
    let cli = Cli::with_cas();
    let named = "subject_alt_name = [\"DNS:{id}.example.com\"]\n".to_owned();
    cli.write("named.toml", named + &cli.ok("profile show device"));
    cli.write("good.csv", "id\ngw-1\n");
    cli.write("bad.csv", "id\ngw-1\ngw_2\n");
    for (list, options, words) in [
        ("good", "--profile server", "is not for devices"),
        ("good", "--days 9999", "9999"),
        ("good", "--bundle truststore-p12", "nothing would keep the devices' keys"),
        ("bad", "--profile named.toml", "gw_2"),
    ] {
        let line = format!("order create a --from {list}.csv --ca line {options}");
        let said = cli.run(&line).expect(2).stderr;
        assert!(said.contains(words), "{options}: {said}");
        assert!(!said.contains("--shorten"), "order create has no such option: {said}");
    }
    let toml = cli.text("pki/pki.toml");
    cli.write("pki/pki.toml", format!("{toml}\n[policy.line]\nids = [\"gw-*\"]\n"));
    let said = cli.run("order create a --from bad.csv --ca line").expect(2).stderr;
    assert!(said.contains("line 3") && said.contains("gw_2"), "{said}");
    assert_eq!(cli.ok("order list --json"), "");
    cli.ok("order create a --from good.csv --ca line");
}

#[test]
fn an_order_says_in_words_how_far_it_is_and_how_its_devices_are_made() {
    let cli = Cli::with_cas();
    cli.write("acme.csv", LIST);
    cli.ok(
        "order create acme --from acme.csv --ca line --key-type ec-p384 --days 90 --bundle pem,p12",
    );
    let shown = cli.ok("order show acme");
    for line in [
        "  profile      device\n",
        "  key type     ec-p384\n",
        "  days         90\n",
        "  bundle       pem, p12\n",
        "  not begun    3 of 3\n",
        "  missing      gw-1 (line 2), not begun\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let devices = cli.ok("order show acme --devices");
    assert_eq!(devices.matches("not begun").count(), 3, "{devices}");
    assert!(!devices.contains("open"), "{devices}");
    // What counts is what a device gets.
    cli.write("store.pw", "correct horse 7\n");
    cli.ok(&format!("device issue --order acme --out out --store-password-file store.pw {CA_PW}"));
    let made = cli.run("cert show out/gw-1/cert.pem --json").expect(0).json();
    assert_eq!(made["public_key"]["algorithm"], "EC P-384", "{made}");
}
