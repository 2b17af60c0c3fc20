//! Devices that are issued again, renewed, or taken back while they are being made: what they had stays, and what was
//! ended stays ended.

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::openssl::verified;
use c8y_pki_tests::running::Running;
use c8y_pki_tests::{arg, tool};

/// What OpenSSL says of a device's key and subject.
fn of(cli: &Cli, id: &str) -> (String, String) {
    let openssl = tool("openssl").expect("openssl");
    let path = cli.path(&format!("out/{id}/cert.pem"));
    let text = openssl.run(&["x509", "-in", arg(&path), "-noout", "-text", "-nameopt", "RFC2253"]);
    let line = |begin: &str| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(begin));
        found.unwrap_or_else(|| panic!("no {begin} in {text}")).trim().to_owned()
    };
    (line("Public Key Algorithm: "), line("Subject: "))
}

const RSA: &str = "rsaEncryption";

/// Three devices of two orders, and one of none, with keys of three types.
fn mixed(order: &str) -> Option<Cli> {
    tool("openssl")?;
    let cli = Cli::with_cas();
    for (name, options) in [("a", "--key-type rsa-2048"), ("b", "")] {
        cli.write(&format!("{name}.csv"), format!("id\n{name}-1\n"));
        cli.ok(&format!("order create {name} --from {name}.csv --ca line {options} {order}"));
        cli.ok(&format!("device issue --order {name} --out out {CA_PW}"));
    }
    let solo = "device issue solo --ca line --out out --key-type rsa-2048 --org Firm";
    cli.ok(&format!("{solo} {CA_PW}"));
    cli.write("mix.csv", "id\na-1\nb-1\nsolo\n");
    Some(cli)
}

#[test]
fn key_type_and_subject_stay_when_devices_are_issued_again() {
    let Some(cli) = mixed("") else { return };
    let before: Vec<_> = ["a-1", "b-1", "solo"].map(|id| of(&cli, id)).to_vec();
    assert_eq!((before[0].0.as_str(), before[2].0.as_str()), (RSA, RSA));
    assert_ne!(before[1].0, RSA);
    assert_eq!(before[2].1, "CN=solo,O=Firm");
    for again in [
        "device renew --from mix.csv",
        "device renew --expiring 4000d",
        "device issue --from mix.csv --existing replace --ca line",
        "device issue a-1 b-1 solo --existing replace --ca line",
        "device renew solo",
    ] {
        let keys = ["a-1", "b-1", "solo"].map(|id| cli.read(&format!("out/{id}/key.pem")));
        cli.ok(&format!("{again} --out out {CA_PW}"));
        let after: Vec<_> = ["a-1", "b-1", "solo"].map(|id| of(&cli, id)).to_vec();
        assert_eq!(after, before, "{again}");
        assert_ne!(cli.read("out/solo/key.pem"), keys[2], "{again}");
    }
    // What is asked for counts.
    cli.ok(&format!("device renew --from mix.csv --key-type ec-p384 --out out {CA_PW}"));
    assert!(["a-1", "b-1", "solo"].iter().all(|id| of(&cli, id).0 == "id-ecPublicKey"));
}

#[test]
fn what_orders_say_otherwise_is_not_lost() {
    let Some(cli) = mixed("--days 20") else { return };
    for again in
        ["device renew --from mix.csv", "device issue a-1 solo --existing replace --ca line"]
    {
        let said = cli.run(&format!("{again} --out out {CA_PW}")).expect(2).stderr;
        assert!(said.contains(" says how many days its devices are valid"), "{said}");
        assert!(said.contains("(--order ") && said.contains("--days N"), "{said}");
    }
    cli.ok(&format!("device renew --from mix.csv --days 15 --out out {CA_PW}"));
    // Two orders that say the same are two all the same.
    let two = cli.run("device renew a-1 b-1 --out out --plan").expect(2).stderr;
    assert!(two.contains("(--order b)"), "{two}");
    let days = cli.run("device renew a-1 --out out --plan --json").expect(0).json();
    let end = time::OffsetDateTime::now_utc().date() + time::Duration::days(20);
    assert!(days["not_after"].as_str().unwrap().starts_with(&end.to_string()), "{days}");
    // Of one order those that end.
    let some = cli.ok("device renew --order a --expiring 16d --out out --plan");
    assert!(some.starts_with("1 device would be issued by line"), "{some}");
    let none = cli.run("device renew --order a --expiring 10d --out out --plan").expect(0);
    assert!(none.stderr.contains("Nothing to renew"), "{none:?}");
}

#[test]
fn an_order_that_is_taken_back_stops_the_run_that_makes_it() {
    let cli = Cli::with_cas();
    let list: String = (1..=200).map(|n| format!("gw-{n}\n")).collect();
    cli.write("list.csv", format!("id\n{list}"));
    cli.ok("order create acme --from list.csv --ca line --key-type rsa-3072");
    let run =
        Running::start(&cli, &format!("device issue --order acme --out out --threads 1 {CA_PW}"));
    while issued(&cli) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    cli.ok("order revoke acme --yes");
    let ended = run.finish().expect(2);
    assert!(ended.stderr.contains("the order \"acme\" was taken back meanwhile"), "{ended:?}");
    let live = cli.ok("device list --json");
    assert_eq!(live, "", "nothing of it is live");
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.run("status").expect(0);
}

fn issued(cli: &Cli) -> u64 {
    let shown = cli.run("order show acme --json").expect(0).json();
    shown["issued"].as_u64().expect("a number")
}

#[test]
fn a_ca_that_is_revoked_stops_the_run_that_it_signs_for() {
    let cli = Cli::with_cas();
    let list: String = (1..=200).map(|n| format!("gw-{n}\n")).collect();
    cli.write("list.csv", format!("id\n{list}"));
    cli.ok("order create acme --from list.csv --ca line --key-type rsa-3072");
    let serial = cli.run("ca show line --json").expect(0).json()["certificate"]["serial"].clone();
    let run =
        Running::start(&cli, &format!("device issue --order acme --out out --threads 1 {CA_PW}"));
    while issued(&cli) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let serial = serial.as_str().expect("a serial number");
    cli.ok(&format!("device revoke {serial} --ca-certificate"));
    let so_far = issued(&cli);
    let ended = run.finish().expect(2);
    assert!(ended.stderr.contains("was revoked meanwhile"), "{ended:?}");
    assert_eq!(issued(&cli), so_far);
}

#[test]
fn hints_name_the_directory_and_what_was_revoked_stays_so() {
    let cli = Cli::with_cas();
    std::fs::rename(cli.path("pki"), cli.path("my pki")).unwrap();
    let pki = "--pki 'my pki'";
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.ok(&format!("{pki} order create acme --from list.csv --ca line"));
    cli.ok(&format!("{pki} device issue --order acme --out out {CA_PW}"));
    let said = cli.run(&format!("{pki} device revoke gw-1")).expect(0).stderr;
    assert!(said.contains("`c8y-pki --pki 'my pki' ca crl line`"), "{said}");
    let late = cli.run(&format!("{pki} status")).expect(1).stdout;
    assert!(late.contains("`c8y-pki --pki 'my pki' ca crl line`"), "{late}");
    cli.ok(&format!("{pki} ca crl line {CA_PW}"));
    let typed = "`c8y-pki --pki 'my pki' device issue ID --existing replace --out DIR`";
    for (line, code, hint) in [
        ("device revoke zz", 2, "`c8y-pki --pki 'my pki' device list --status any`"),
        ("device manifest --order acme --out m", 1, typed),
        ("registration create --order acme", 0, typed),
        ("device list --batch zz", 2, "`c8y-pki --pki 'my pki' device list --json`"),
    ] {
        let said = cli.run(&format!("{pki} {line}")).expect(code).stderr;
        assert!(said.contains(hint), "{line}: {said}");
    }
    // Revoked on purpose: nothing is due, and a renewal of the others does not call it failed.
    let renew = format!("{pki} device renew --order acme --keep-going --out out {CA_PW}");
    let renewed = cli.run(&renew).expect(0).stderr;
    assert!(renewed.contains("1 device left out: revoked (gw-1). Issue one again"), "{renewed}");
    let shown = cli.run(&format!("{pki} order show acme --json")).expect(0).json();
    assert_eq!((&shown["failed"], &shown["revoked"]), (&0.into(), &1.into()), "{shown}");
    assert_eq!(shown["state"], "issued", "{shown}");
    let calm = cli.run(&format!("{pki} status")).expect(0).stdout;
    assert!(calm.starts_with("Nothing is overdue, and nothing is due soon."), "{calm}");
    // Asked for by its id, it is no success that nothing is done.
    let left = format!("{pki} device issue gw-1 --ca line --out out {CA_PW}");
    assert!(cli.run(&left).expect(1).stderr.contains("--existing replace"));
    cli.write("more.csv", "id\ngw-2\nnobody\n");
    let listed = cli.run(&format!("{pki} device list --from more.csv")).expect(0);
    assert!(listed.stderr.contains("1 of 2 devices has no certificate"), "{listed:?}");
    assert!(listed.stderr.contains("nobody"), "{listed:?}");
}

#[test]
fn what_was_revoked_before_an_order_is_to_be_issued_for_it() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id,type,name\ngw-1,t,One\ngw-2,t,Two\n");
    for order in ["wrong", "right"] {
        cli.ok(&format!("order create {order} --from list.csv --ca line"));
        if order == "wrong" {
            cli.ok(&format!("device issue --order wrong --out out {CA_PW}"));
            cli.ok("order revoke wrong --yes");
            cli.ok(&format!("ca crl line {CA_PW}"));
        }
    }
    let shown = cli.run("order show right --json").expect(0).json();
    assert_eq!((&shown["state"], &shown["open"]), (&"unfinished".into(), &2.into()), "{shown}");
    assert!(cli.ok("status").contains("2 of 2 devices have no certificate"));
    let sheet = cli.ok("registration create --order right");
    assert!(sheet.contains("gw-1") && sheet.contains("gw-2"), "{sheet}");
    cli.ok(&format!("device issue --order right --out out {CA_PW}"));
    assert_eq!(cli.run("order show right --json").expect(0).json()["state"], "issued");
    // A renewal that finds none of them is no success.
    cli.ok("device revoke gw-1");
    let none = cli.run(&format!("device renew gw-1 --keep-going --out out {CA_PW}")).expect(2);
    assert!(none.stderr.contains("gw-1"), "{none:?}");
}

/// What the platform would be told of a device: its name.
fn registered(cli: &Cli) -> String {
    let sheet = cli.ok("registration create --order names");
    let row = sheet.lines().nth(1).expect("a row");
    row.split(';').nth(3).expect("a name").to_owned()
}

/// What the registry has of a device, the last certificate.
fn shown(cli: &Cli) -> String {
    let all = cli.run("device show gw-1 --json").expect(0).json_lines();
    all.last().expect("a certificate")["details"]["name"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_was_said_last_of_a_device_is_said_everywhere() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id,type,name\ngw-1,t,Old\n");
    cli.ok("order create names --from list.csv --ca line");
    assert_eq!(registered(&cli), "Old");
    cli.ok(&format!("device issue --order names --out out {CA_PW}"));
    cli.write("list.csv", "id,name\ngw-1,New\n");
    let label = |cli: &Cli| {
        cli.ok("order labels names --format csv --out labels.csv");
        cli.text("labels.csv")
    };
    for again in [
        "device issue --from list.csv --existing replace --ca line",
        // None of these says a name.
        "device issue gw-1 --existing replace",
        "device renew gw-1",
        "device issue --order names --existing replace",
    ] {
        cli.ok(&format!("{again} --out out {CA_PW}"));
        assert_eq!(
            (shown(&cli), registered(&cli)),
            ("New".to_owned(), "New".to_owned()),
            "{again}"
        );
        assert!(label(&cli).contains("New") && !label(&cli).contains("Old"), "{again}");
    }
    // A new order is what was said last.
    cli.ok("order revoke names --yes");
    cli.write("list.csv", "id,type,name\ngw-1,t,Newest\n");
    cli.ok("order create newer --from list.csv --ca line");
    let sheet = cli.ok("registration create --order newer");
    assert!(sheet.contains("Newest"), "{sheet}");
    cli.ok(&format!("device issue --order newer --out out {CA_PW}"));
    assert_eq!(shown(&cli), "Newest");
}

#[test]
fn an_id_is_the_same_to_the_letter_and_once() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\n");
    cli.ok("order create acme --from list.csv --ca line");
    let other = cli.fails(2, "device issue GW-1 --ca line --out out --plan");
    assert!(other.contains("\"GW-1\" is not in the order \"acme\", which has \"gw-1\""), "{other}");
    cli.write("list.csv", "id\nGW-1\n");
    let already = cli.run("order create more --from list.csv --ca line").expect(2).stderr;
    assert!(already.contains("is in the order \"acme\" already, written \"gw-1\""), "{already}");
    // Named twice, another one may have been meant.
    cli.ok(&format!("device issue gw-1 --out out {CA_PW}"));
    let twice = cli.run(&format!("device renew gw-1 gw-1 --out out {CA_PW}")).expect(2).stderr;
    assert!(twice.contains("device id \"gw-1\" (command line) is named twice"), "{twice}");
    // In another case it is another one, and both cannot be.
    cli.run("device issue x-1 X-1 --ca line --out out --plan").expect(2);
}

#[test]
fn a_renewal_says_where_the_former_files_are() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue z1 z2 --ca line --out z {CA_PW}"));
    let renew = |rest: &str| cli.run(&format!("device renew {rest} {CA_PW}")).expect(0).stderr;
    let (first, moved) = (cli.path("z"), "the former files are in ");
    let stayed =
        format!("the former files were written to {}, and were not moved", first.display());
    let said = renew("z2 --out zz9");
    assert!(said.contains(&stayed) && !said.contains(moved), "{said}");
    assert!(cli.path("z/z2/key.pem").exists() && !cli.path("zz9/.replaced").exists());
    let said = renew("z1 --out z");
    assert!(said.contains(&format!("{moved}z/.replaced")) && !said.contains("not moved"), "{said}");
    assert!(cli.path("z/.replaced/z1/1/key.pem").exists());
    let said = renew("z1 z2 --out zz9");
    assert!(said.contains(&format!("{moved}zz9/.replaced")), "{said}");
    assert!(said.contains(&stayed.replace("files", "files of 1 device")), "{said}");
    assert!(cli.path("zz9/.replaced/z2/1/key.pem").exists());
    assert!(cli.path("z/z1/key.pem").exists());
}

#[test]
fn a_renewal_that_revokes_says_so_and_how_it_takes_effect() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue z1 z2 --ca line --out z {CA_PW}"));
    let former = cli.read("z/z1/cert.pem");
    cli.write("former.pem", former);
    let said = cli.run(&format!("device renew z2 --out z {CA_PW}")).expect(0).stderr;
    assert!(!said.contains("revoked"), "{said}");
    for line in ["device renew z1", "device issue z1 --existing replace --ca line"] {
        let said = cli.run(&format!("{line} --revoke --out z {CA_PW}")).expect(0).stderr;
        assert!(
            said.contains("1 former certificate revoked, with the reason superseded"),
            "{said}"
        );
        for next in ["`c8y-pki ca crl line`", "`c8y-pki tenant crl upload"] {
            assert!(said.contains(next), "{said}");
        }
    }
    cli.ok(&format!("ca crl line {CA_PW} --out line.crl"));
    for (file, is_good) in [("former.pem", false), ("z/z1/cert.pem", true), ("z/z2/cert.pem", true)]
    {
        let Some((taken, said)) = verified(&cli, &["line.crl"], file) else { return };
        assert_eq!(taken, is_good, "{file}: {said}");
    }
}

#[test]
fn a_device_that_keeps_its_key_elsewhere_gets_certificates_only() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let (key, csr) = (cli.arg("k.key"), cli.arg("k.csr"));
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=k"];
    openssl.run(&[&["req", "-new", "-keyout", &key, "-out", &csr], &new[..]].concat());
    cli.ok(&format!("device sign k.csr --ca line --out out {CA_PW}"));
    for more in ["--plan", CA_PW] {
        for kinds in ["pem,p12", "jks", "thin-edge", "truststore-p12"] {
            let line = format!("device renew k --csr k.csr --bundle {kinds} --out out {more}");
            let said = cli.fails(2, &line);
            assert!(said.contains("the device \"k\" keeps its key"), "{line}: {said}");
            assert!(said.contains(kinds.trim_start_matches("pem,")), "{line}: {said}");
        }
    }
    assert_eq!(cli.names("out/k"), ["cert.pem", "chain.pem"]);
    cli.ok(&format!("device renew k --csr k.csr --bundle pem --out out {CA_PW}"));
    assert_eq!(cli.names("out/k"), ["cert.pem", "chain.pem"]);
}
