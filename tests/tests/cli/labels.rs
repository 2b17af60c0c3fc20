//! `order labels`: every QR code of every form is read by zbar, and says what it was to say. The PDF is drawn by
//! Poppler, the ZPL by an interpreter of that language, the SVG by Chromium.

use std::path::Path;
use std::process::Command;

use c8y_pki_engine::labels::SHEETS;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::labels::{codes, cut};
use c8y_pki_tests::{chromium, node_dir, node_with, tool};

/// An id that is markup, ends fields of ZPL, and is a path.
const HOSTILE: &str = "a^XZ~JR_b<&>";

/// An order of so many devices, all of them issued; the last is [`HOSTILE`].
fn order(devices: usize) -> (Cli, Vec<String>) {
    let cli = Cli::with_cas();
    let mut ids: Vec<String> = (1..devices).map(|n| format!("gw-{n:04}")).collect();
    ids.push(HOSTILE.to_owned());
    let rows: String = ids.iter().map(|id| format!("{id},<i>Söhne ^XZ</i>\n")).collect();
    cli.write("list.csv", format!("id,name\n{rows}"));
    cli.ok("order create acme --from list.csv --ca line --customer Acme");
    cli.ok(&format!("device issue --from list.csv --ca line --out out {CA_PW}"));
    (cli, ids)
}

#[test]
fn every_code_on_sheets_and_rolls_is_read() {
    let (cli, ids) = order(68);
    for (name, _, sheet) in SHEETS {
        let pdf = format!("{name}.pdf");
        let skip = 3;
        cli.ok(&format!(
            "order labels acme --template label-small.toml --sheet {name} --skip {skip} --out {pdf}"
        ));
        let Some(pictures) = cut(&cli, &pdf, sheet, 300, skip, ids.len()) else { return };
        let Some(read) = codes(&pictures) else { return };
        assert_eq!(read, ids, "{name}");
    }
    // The usual template on a roll, with fingerprints, and another text in the code.
    let said = cli.ok("order labels acme --sheet 100x50 --qr https://acme.example/d?id={id} --out roll.pdf --json");
    assert!(said.contains("\"labels\":68") && said.contains("\"pages\":68"), "{said}");
    let Some(pictures) =
        cut(&cli, "roll.pdf", "100x50".parse().expect("a roll"), 300, 0, ids.len())
    else {
        return;
    };
    let Some(read) = codes(&pictures) else { return };
    assert_eq!(
        read,
        ids.iter().map(|id| format!("https://acme.example/d?id={id}")).collect::<Vec<_>>()
    );
    let Some(text) = tool("pdftotext") else { return };
    let text = text.run(&["-layout", &cli.arg("roll.pdf"), "-"]);
    let shown = cli.run("cert show out/gw-0001/cert.pem --json").expect(0).json();
    let sha256 = shown["fingerprint_sha256"].as_str().unwrap_or_default();
    assert!(!sha256.is_empty(), "{shown}");
    let one: String = text.split('\u{c}').next().unwrap_or_default().split_whitespace().collect();
    assert!(one.contains("gw-0001") && one.contains(sha256) && one.contains("Söhne^XZ"), "{one}");
}

/// The labels that a script draws, and what their codes say.
fn drawn(cli: &Cli, args: &[&str], to: &str, chromium: Option<&Path>) -> Option<Vec<String>> {
    let node = node_with(if chromium.is_some() { "playwright-core" } else { "zpl-renderer-js" })?;
    std::fs::create_dir(cli.path(to)).expect("a directory");
    let mut command = Command::new(node.path());
    command.arg(node_dir().join("labels.mjs")).args(args).arg(cli.path(to));
    if let Some(chromium) = chromium {
        command.env("CHROMIUM", chromium);
    }
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut names = cli.names(to);
    names.sort();
    let pictures: Vec<_> = names.iter().map(|name| cli.path(&format!("{to}/{name}"))).collect();
    codes(&pictures)
}

#[test]
fn every_code_of_a_label_printer_is_read() {
    let (cli, ids) = order(40);
    for (dpi, dots) in [("203", "8"), ("300", "12")] {
        let file = format!("{dpi}.zpl");
        cli.ok(&format!("order labels acme --format zpl --sheet 57x32 --dpi {dpi} --out {file}"));
        let zpl = cli.text(&file);
        assert_eq!(
            (zpl.matches("^XA").count(), zpl.matches("^XZ").count()),
            (ids.len(), ids.len())
        );
        assert!(
            !zpl.contains("~JR") && zpl.contains("_5EXZ_7EJR"),
            "a command gets out of its field"
        );
        let args = ["zpl", &cli.arg(&file), "57", "32", dots];
        let Some(read) = drawn(&cli, &args, &format!("{dpi}.pictures"), None) else { return };
        assert_eq!(read, ids, "{dpi}");
    }
}

#[test]
fn every_code_of_a_picture_is_read() {
    let (cli, ids) = order(12);
    cli.ok("order labels acme --format svg --sheet 70x30 --out svg");
    let names = cli.names("svg");
    assert_eq!(names.len(), ids.len());
    assert!(names.contains(&"a%5EXZ%7EJR_b%3C%26%3E.svg".to_owned()), "{names:?}");
    let Some(browser) = chromium() else { return };
    let args = ["svg", &cli.arg("svg")];
    let Some(mut read) = drawn(&cli, &args, "pictures", Some(browser.path())) else { return };
    let mut ids = ids;
    read.sort();
    ids.sort();
    assert_eq!(read, ids);
}

#[test]
fn a_table_has_what_the_labels_have() {
    let (cli, ids) = order(3);
    cli.ok("order labels acme --format csv --out labels.csv");
    let text = cli.text("labels.csv");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("id,qr,line_1,"), "{text}");
    let heads: Vec<String> =
        ids.iter().map(|id| format!("{id},{id},{id},<i>Söhne ^XZ</i>,acme,")).collect();
    assert!(lines[1..].iter().zip(&heads).all(|(line, head)| line.starts_with(head)), "{text}");
    assert_eq!(lines.len(), ids.len() + 1);
}

#[test]
fn labels_with_one_time_passwords_are_secrets() {
    let (cli, ids) = order(4);
    let list: String =
        ids.iter().enumerate().map(|(n, id)| format!("{id},p&ss-w{n}rd+{n}\n")).collect();
    cli.write("otp.csv", format!("id,ENROLLMENT_OTP\n{list}"));
    let line = "order labels acme --template label-registration.toml --one-time-passwords otp.csv";
    let refused = cli.run(&format!("{line} --out x.pdf")).expect(2);
    assert!(refused.stderr.contains("--domain"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("p&ss") && !cli.path("x.pdf").exists());
    cli.run(
        "order labels acme --template label-registration.toml --domain t.example.com --out x.pdf",
    )
    .expect(2);
    // As everywhere, the host of a tenant may come with a scheme; what is no host is none.
    let refused =
        cli.run(&format!("{line} --domain https://t.example.com/x --out x.pdf")).expect(2);
    assert!(refused.stderr.contains("only a host and a port are wanted"), "{}", refused.stderr);
    cli.ok(&format!("{line} --domain https://T.example.com/ --sheet 100x50 --out x.pdf"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(cli.path("x.pdf")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // A new file only: one that others may have open does not become a secret.
    cli.run(&format!("{line} --domain t.example.com --out x.pdf")).expect(2);
    let sheet = "100x50".parse().expect("a roll");
    let Some(pictures) = cut(&cli, "x.pdf", sheet, 300, 0, ids.len()) else { return };
    let Some(read) = codes(&pictures) else { return };
    let page = "https://t.example.com/apps/devicemanagement/index.html#/deviceregistration";
    assert_eq!(read[0], format!("{page}?externalId=gw-0001&one-time-password=p%26ss-w0rd%2B0"));
}

#[test]
fn a_label_does_not_lack_what_it_is_to_show() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.ok("order create acme --from list.csv --ca line");
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let refused = cli.run("order labels acme --out l.pdf").expect(1);
    assert!(
        refused.stderr.contains("1 of 2 devices") && refused.stderr.contains("gw-2"),
        "{}",
        refused.stderr
    );
    assert!(!cli.path("l.pdf").exists());
    let partial = cli.run("order labels acme --out l.pdf --partial --json").expect(0).json();
    assert_eq!((&partial["labels"], &partial["left_out"]), (&1.into(), &1.into()));
    // A label without anything of the certificate is there before it.
    let all = cli
        .run("order labels acme --template label-small.toml --out s.pdf --json")
        .expect(0)
        .json();
    assert_eq!(all["labels"], 2);
    for (options, words) in [
        ("--template my.toml", "my.toml"),
        ("--qr {nothing}", "{nothing} is no placeholder of labels"),
        ("--sheet l9999", "l9999"),
        ("--sheet 5x5", "mm to be read reliably, and the label has room for 2.21 mm"),
        ("--qr {id", "in the text \"{id\" of a label a } is missing"),
        ("--sheet 1e2x50", "each side has 5 to 1000"),
        ("--sheet 4x50", "each side has 5 to 1000"),
        ("--skip 21", "the sheet has 21 labels"),
        ("--sheet 100x50 --skip 1", "the sheet has 1 label: 1 of them"),
        ("--dpi 300", "--dpi is for labels with --format zpl"),
        ("--format zpl --skip 2", "--skip is for labels with --format pdf"),
        ("--template label-small.toml --qr 日本", "printable ASCII"),
    ] {
        let refused =
            cli.run(&format!("order labels acme --partial {options} --out n.pdf")).expect(2);
        assert!(refused.stderr.contains(words), "{options}: {}", refused.stderr);
        assert!(!cli.path("n.pdf").exists(), "{options}");
    }
}

#[test]
fn a_label_for_registration_says_which_of_its_two_parts_is_missing() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id,ENROLLMENT_OTP\ngw-1,Uk3-9nTq-77\n");
    cli.ok("order create acme --from list.csv --ca line");
    let labels = "order labels acme --template label-registration.toml --out l.pdf";
    let said = cli.fails(2, labels);
    assert!(said.contains("device \"gw-1\" has no one-time password for its label"), "{said}");
    assert!(said.contains("give --one-time-passwords FILE with a row for each device"), "{said}");
    let said = cli.fails(2, &format!("{labels} --one-time-passwords list.csv"));
    assert!(said.contains("has no domain of its tenant for its label"), "{said}");
    assert!(said.contains("give --domain DOMAIN") && !said.contains("with a row"), "{said}");
}

#[test]
fn labels_are_made_again_for_some_and_for_several_orders() {
    let cli = Cli::with_cas();
    cli.write("a.csv", "id,name\ngw-1,One\ngw-2,Two\ngw-3,Three\n");
    cli.write("b.csv", "id,name\nmeter-1,Of B\nmeter-2,Of B\n");
    cli.ok("order create acme --from a.csv --ca line --customer Acme");
    cli.ok("order create beta --from b.csv --ca line --customer Beta");
    cli.ok(&format!("device issue --from a.csv --ca line --out out {CA_PW}"));
    cli.ok(&format!("device issue meter-1 lone --ca line --out out {CA_PW}"));
    let template = "qr = \"{id}\"\n".to_owned()
        + &["{id}", "{name}", "{order}", "{customer}", "{serial}"]
            .map(|text| format!("[[line]]\ntext = \"{text}\"\npoints = 6\n"))
            .concat();
    cli.write("t.toml", template);
    let labels = |line: &str| -> Vec<Vec<String>> {
        cli.ok(&format!("order labels {line} --template t.toml --format csv --out l.csv"));
        let text = cli.text("l.csv");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows = reader.records().map(|row| row.expect("a row"));
        rows.map(|row| row.iter().skip(2).map(str::to_owned).collect()).collect()
    };
    let whole = labels("acme");
    assert_eq!(whole.len(), 3);
    // Some of an order, in its order.
    cli.write("spoiled.csv", "id\ngw-3\ngw-1\n");
    assert_eq!(labels("acme --from spoiled.csv"), [whole[0].clone(), whole[2].clone()]);
    // A box with devices of several orders, and of none; what the list says comes first.
    cli.write("box.csv", "id,name\nmeter-1,Changed\ngw-2,\nlone,Alone\n");
    let boxed = labels("--from box.csv");
    assert_eq!(boxed[0][..4], ["meter-1", "Changed", "beta", "Beta"]);
    assert_eq!(boxed[1], whole[1]);
    assert_eq!(boxed[2][..2], ["lone", "Alone"]);

    // Pictures of other devices in the directory would be printed too.
    cli.ok("order labels acme --format svg --out pictures");
    let said = cli.fails(2, "order labels acme --from spoiled.csv --format svg --out pictures");
    assert!(said.contains("pictures has labels of other devices: gw-2.svg"), "{said}");

    // Nothing is made of what is not known, of another order's, or without a certificate.
    cli.write("wrong.csv", "id\ngw-1\nmeter-1\nGW-2\n");
    let said = cli.fails(2, "order labels acme --from wrong.csv --out n.pdf");
    assert!(said.contains("not in the order \"acme\": GW-2, meter-1"), "{said}");
    cli.write("unknown.csv", "id\ngw-1\nGW-2\nnobody\n");
    let said = cli.fails(2, "order labels --from unknown.csv --out n.pdf");
    assert!(said.contains("no certificate and no order of GW-2, nobody"), "{said}");
    let said = cli.run("order labels --from b.csv --out n.pdf").expect(1);
    assert!(
        said.error().contains("1 of 2 devices") && said.error().contains("meter-2"),
        "{said:?}"
    );
    let said = cli.fails(2, "order labels --out n.pdf");
    assert!(
        said.contains("name an order") && said.contains("give a list with --from FILE"),
        "{said}"
    );
    assert!(!cli.path("n.pdf").exists());
}

#[test]
fn a_column_of_the_table_holds_the_same_of_all_devices() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id,name,group\ngw-1,One,\ngw-2,,Hall\n");
    cli.ok("order create acme --from list.csv --ca line");
    let lines = ["{id}", "{name}", "{group}", "{order}"]
        .map(|text| format!("[[line]]\ntext = \"{text}\"\npoints = 6\n"))
        .concat();
    cli.write("t.toml", lines);
    cli.ok("order labels acme --template t.toml --format csv --out l.csv");
    let expected =
        "id,qr,line_1,line_2,line_3,line_4\ngw-1,,gw-1,One,,acme\ngw-2,,gw-2,,Hall,acme\n";
    assert_eq!(cli.text("l.csv"), expected);
    // Elsewhere no gap is left.
    cli.ok("order labels acme --template t.toml --format svg --sheet 70x30 --out svg");
    assert_eq!(cli.text("svg/gw-1.svg").matches("<text").count(), 3);
}

#[test]
fn a_store_password_of_a_former_keystore_is_told_as_such() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.write("store.pw", "correct horse 7\n");
    cli.ok("order create acme --from list.csv --ca line --bundle p12");
    cli.ok(&format!("device issue --order acme --out out --secrets first.csv {CA_PW}"));
    cli.ok(&format!(
        "device issue gw-1 --existing replace --ca line --bundle p12 --out out --secrets again.csv {CA_PW}"
    ));
    cli.write("t.toml", "qr = \"{id}\"\n[[line]]\ntext = \"{store_password}\"\npoints = 6\n");
    let labels = "order labels acme --template t.toml --format csv";
    let said = cli.fails(2, &format!("{labels} --secrets first.csv --out l.csv"));
    let shown = cli.run("device show gw-1 --json").expect(0).json_lines();
    let serial = shown[1]["serial"].as_str().expect("a serial number");
    assert!(
        said.contains("1 of 2 devices has only the store password of another certificate"),
        "{said}"
    );
    assert!(said.contains(&format!(", it has {serial} now)")), "{said}");
    assert!(said.contains("add it with another --secrets FILE"), "{said}");
    cli.ok(&format!("{labels} --secrets first.csv --secrets again.csv --out l.csv"));
    // OpenSSL opens the keystores with what the labels say.
    let Some(openssl) = tool("openssl") else { return };
    let text = cli.text("l.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for row in reader.records() {
        let row = row.expect("a row");
        let (store, word) =
            (cli.arg(&format!("out/{}/keystore.p12", &row[0])), format!("pass:{}", &row[2]));
        openssl.run(&["pkcs12", "-in", &store, "-passin", &word, "-nokeys", "-noout"]);
    }
}

#[test]
fn labels_of_revoked_devices_are_told_of() {
    let (cli, _) = order(3);
    cli.ok("device revoke gw-0001 --yes");
    let small = "order labels acme --template label-small.toml --out s.pdf";
    let said = cli.run(small).expect(0).stderr;
    assert!(said.contains("1 of 3 devices is revoked, and it gets a label: gw-0001"), "{said}");
    cli.write("box.csv", "id\ngw-0001\ngw-0002\n");
    let said = cli
        .run("order labels --from box.csv --template label-small.toml --out b.pdf")
        .expect(0)
        .stderr;
    assert!(said.contains("1 of 2 devices is revoked, and it gets a label: gw-0001"), "{said}");
}

#[test]
fn a_fault_of_a_template_is_said_in_words() {
    let (cli, _) = order(1);
    for (text, words) in [
        ("\nqr = 7\n", "t.toml: line 2: `qr` is 7, but must be a text in quotes"),
        ("qr = \"{id}\"\nqr = \"{id}\"\n", "t.toml: line 2: the key qr is there twice"),
    ] {
        cli.write("t.toml", text);
        let said = cli.fails(2, "order labels acme --template t.toml --out n.pdf");
        assert!(said.contains(words) && !said.contains("\\n") && !said.contains('|'), "{said}");
    }
}
