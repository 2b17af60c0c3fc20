//! An operator's day: an order of 2,000 devices from a workbook, with all that goes wrong on such a day.

use std::time::Duration;

use c8y_pki_engine::labels::Sheet;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::disk::Disk;
use c8y_pki_tests::labels::{codes, cut};
use c8y_pki_tests::moment::Lot;
use c8y_pki_tests::running::Running;
use c8y_pki_tests::{python_with, tool};
use serde_json::Value;

const DEVICES: usize = 2000;

/// The options of each run; the order says the rest.
const HOW: &str = "--ca-password-file pw --store-password-file pw --iterations 1";

/// A list as Excel makes it; without the Python module that does, as a CSV that Excel would write.
fn list(cli: &Cli, name: &str, ids: std::ops::Range<usize>) -> String {
    let script = "\
import sys, openpyxl
book = openpyxl.Workbook()
sheet = book.active
sheet.append(['Serial', 'Type', 'Name', 'Group', 'ICCID', None])
for n in range(int(sys.argv[2]), int(sys.argv[3])):
    sheet.append([f'gw-{n:05}', 'acme_gw', f'Gateway \u{fc} {n}', f'Acme/Hall {n % 7}', f'8949020000{n:09}', None])
sheet.append([None] * 6)
book.save(sys.argv[1])
";
    if let Some(python) = python_with("openpyxl") {
        let file = format!("{name}.xlsx");
        let (from, to) = (ids.start.to_string(), ids.end.to_string());
        python.run(&["-c", script, &cli.arg(&file), &from, &to]);
        return file;
    }
    let row = |n| {
        format!("gw-{n:05};acme_gw;Gateway \u{fc} {n};Acme/Hall {};8949020000{n:09};\r\n", n % 7)
    };
    let rows: String = ids.map(row).collect();
    let file = format!("{name}.csv");
    cli.write(&file, format!("sep=;\r\nSerial;Type;Name;Group;ICCID;\r\n{rows};;;;;\r\n"));
    file
}

fn shown(cli: &Cli, order: &str) -> Value {
    cli.run(&format!("order show {order} --json")).expect(0).json()
}

fn number(shown: &Value, what: &str) -> usize {
    shown[what].as_u64().and_then(|n| n.try_into().ok()).unwrap_or(usize::MAX)
}

/// The wrong list is used once, and taken back.
fn wrong_list(cli: &Cli) {
    let overlap = list(cli, "overlap", 1990..2030);
    let refused = cli.run(&format!("order create wrong --from {overlap} --ca line")).expect(2);
    assert!(refused.stderr.contains("in the order \"acme-11\" already"), "{refused:?}");
    let wrong = list(cli, "wrong", 3000..3040);
    cli.ok(&format!("order create wrong --from {wrong} --ca line"));
    cli.ok(&format!("device issue --order wrong --out out {CA_PW}"));
    let refused = cli.run("order revoke wrong").expect(2);
    assert!(
        refused.error().contains("has to be confirmed, and there is no terminal"),
        "{refused:?}"
    );
    let plan = cli.run("order revoke wrong --plan --json").expect(0).json();
    assert_eq!(plan["revoked"].as_array().map(Vec::len), Some(40), "{plan}");
    assert_eq!(number(&shown(cli, "wrong"), "issued"), 40, "a plan has changed something");
    cli.ok("order revoke wrong --yes");
    let after = shown(cli, "wrong");
    assert_eq!((number(&after, "issued"), number(&after, "revoked")), (0, 40), "{after}");
    let again = cli.run(&format!("device issue --order wrong --out out {CA_PW}")).expect(2);
    assert!(again.error().contains("was taken back"), "{again:?}");
}

/// The order is issued, through a kill at any moment and a full disk.
fn issue(cli: &Cli, disk: Option<&Disk>, lot: &mut Lot) {
    let line = format!("device issue --order acme-11 --out disk/out {HOW}");
    killed(cli, &line, lot.part(Duration::from_millis(1500)));
    let now = shown(cli, "acme-11");
    if number(&now, "issued") < DEVICES {
        let said = cli.run("order show acme-11 --complete").expect(1);
        assert!(said.stdout.contains("Order acme-11 for Acme & Söhne: unfinished"), "{said:?}");
        let said = cli.run(&format!("device manifest --order acme-11 --out ho {CA_PW}")).expect(1);
        assert!(said.error().contains(" of 2000 devices; "), "{said:?}");
        assert!(!cli.path("ho").exists());
    }
    if let Some(disk) = disk {
        let said = cli.run(&line).expect(3);
        assert!(said.error().contains("no space is left on the device"), "{said:?}");
        assert!(number(&shown(cli, "acme-11"), "issued") < DEVICES);
        disk.grow("512m");
    }
    cli.ok(&line);
    let now = shown(cli, "acme-11");
    assert_eq!((number(&now, "issued"), number(&now, "failed")), (DEVICES, 0), "{now}");
    let runs = now["runs"].as_array().expect("runs");
    let made: usize = runs.iter().map(|run| number(run, "certificates")).sum();
    assert_eq!(made, DEVICES, "{runs:?}");
}

/// A run is killed at this moment; if a full disk has ended it before, the next one is killed sooner.
fn killed(cli: &Cli, line: &str, mut moment: Duration) {
    loop {
        let mut running = Running::start(cli, line);
        running.wait_until(|process| process.age() >= moment);
        if running.kill().is_none() {
            return;
        }
        moment /= 2;
    }
}

/// Five devices are made again, by their ids: what the list said of them stays, and the files that they had.
fn rework(cli: &Cli) {
    let ids = "gw-00003 gw-00500 gw-01000 gw-01500 gw-01995";
    cli.ok(&format!("device issue {ids} --existing replace --out disk/out {HOW}"));
    let now = shown(cli, "acme-11");
    assert_eq!((number(&now, "issued"), number(&now, "reworked")), (DEVICES, 5), "{now}");
    for id in ids.split(' ') {
        assert_eq!(
            cli.names(&format!("disk/out/{id}")),
            ["cert.pem", "chain.pem", "key.pem", "keystore.p12"]
        );
    }
    // The last run alone is not the order.
    let said = cli.run(&format!("device manifest --out ho {CA_PW}")).expect(1);
    assert!(said.error().contains("has 5 of 2000 devices; 1995 are missing: "), "{said:?}");
}

/// A label for each device, from the printer's file: the code of each is read, and says its id.
fn labels(cli: &Cli) {
    let sheet: Sheet = "avery-l7651".parse().expect("a sheet");
    let made = cli
        .run("order labels acme-11 --template label-small.toml --sheet avery-l7651 --out l.pdf --json")
        .expect(0)
        .json();
    let pages = DEVICES.div_ceil(sheet.labels());
    assert_eq!((number(&made, "labels"), number(&made, "pages")), (DEVICES, pages), "{made}");
    let Some(pictures) = cut(cli, "l.pdf", sheet, 150, 0, DEVICES) else { return };
    let Some(read) = codes(&pictures) else { return };
    let wanted: Vec<String> = (0..DEVICES).map(|n| format!("gw-{n:05}")).collect();
    assert_eq!(read, wanted);
    std::fs::remove_dir_all(cli.path("l.pdf.cut")).expect("it is removed");
}

/// What `status` says of the directory and of the tenant: how many things are overdue, and about what.
fn overdue(at: &AtTenant, code: i32) -> Vec<String> {
    let said = at.run("status --ask-devices 2000 --json").expect(code).json();
    let asked = &said["tenant"]["registered"]["asked"];
    assert_eq!(asked, &serde_json::json!(DEVICES), "{said}");
    let items = said["items"].as_array().expect("items");
    let items = items.iter().filter(|item| item["urgency"] == "overdue");
    items.map(|item| item["subject"].as_str().unwrap_or_default().to_owned()).collect()
}

/// At the end of the day `status` names what is still to be done; when it is done, it is clean.
fn clean(at: &AtTenant) {
    at.faults(0.0, 11);
    assert_eq!(overdue(at, 1), ["list", "trust", "revocation", "revocation"]);
    at.ok("ca crl line --ca-password-file pw");
    at.ok("tenant trust add --ca root --prove --ca-password-file pw");
    at.ok("tenant crl enable");
    at.ok("tenant crl upload");
    assert_eq!(overdue(at, 0), [""; 0]);
    let text = at.ok("status --ask-devices 2000");
    assert!(text.starts_with("Nothing is overdue, and nothing is due soon.\n"), "{text}");
}

/// The registration at a tenant that answers one call in five with a fault.
fn register(at: &AtTenant) {
    at.ok("registration create --order acme-11 --out reg.csv");
    let csv = at.cli.text("reg.csv");
    assert_eq!(csv.lines().count(), DEVICES + 1);
    let row = "gw-00500;CERTIFICATES;acme_gw;Gateway ü 500;8949020000000000500;Acme/Hall 3;true";
    assert!(csv.lines().any(|line| line == row), "{}", csv.lines().nth(501).unwrap_or_default());
    at.ok("registration create --out all.csv");
    let sorted = |file: &str| {
        let text = at.cli.text(file);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted("reg.csv"), sorted("all.csv"), "rework has lost what the list said");
    at.faults(0.2, 11);
    let done = at.run("registration upload reg.csv --chunk 200 --json").expect(0).json();
    assert_eq!((number(&done, "rows"), number(&done, "failed")), (DEVICES, 0), "{done}");
    assert_eq!(at.list("devices").len(), DEVICES);
}

/// The whole order is handed over, and OpenSSL believes its signature.
fn hand_over(cli: &Cli) {
    cli.ok(&format!("device manifest --order acme-11 --out ho --handed-over {CA_PW}"));
    let text = cli.text("ho/manifest.csv");
    // The mark, the header, and a row for each device, each live.
    assert_eq!(text.lines().count(), DEVICES + 2);
    assert_eq!(text.lines().filter(|line| line.contains(",live,")).count(), DEVICES);
    let now = shown(cli, "acme-11");
    assert_eq!((number(&now, "handed_over"), &now["state"]), (DEVICES, &"handed over".into()));
    if let Some(openssl) = tool("openssl") {
        let key = openssl.run(&["x509", "-in", &cli.arg("ho/chain.pem"), "-pubkey", "-noout"]);
        cli.write("ca.pub", key);
        let (csv, signature) = (cli.arg("ho/manifest.csv"), cli.arg("ho/manifest.csv.sig"));
        let key = cli.arg("ca.pub");
        openssl.run(&["dgst", "-sha256", "-verify", &key, "-signature", &signature, &csv]);
    }
}

#[test]
fn an_order_of_2000_survives_an_operators_day() {
    let cli = Cli::with_cas();
    let mut lot = Lot::from_seed();
    // Some of the devices: the others do not fit.
    let disk = Disk::new(&cli, "12m");
    let right = list(&cli, "acme", 0..DEVICES);
    cli.ok(&format!(
        "order create acme-11 --from {right} --id-column Serial --ca line --customer 'Acme & Söhne' \
         --bundle pem,p12"
    ));
    issue(&cli, disk.as_ref(), &mut lot);
    wrong_list(&cli);
    rework(&cli);
    labels(&cli);
    let at = AtTenant::new(cli);
    register(&at);
    hand_over(&at.cli);
    clean(&at);
    let checked = at.cli.run("registry check --json").expect(0).json();
    assert_eq!(number(&checked, "certificates"), 2 + DEVICES + 5 + 40, "{checked}");
    at.ok("order show acme-11 --complete");
    let listed = at.cli.run("order list --unfinished --json").expect(0);
    assert_eq!(listed.stdout, "", "{listed:?}");
}
