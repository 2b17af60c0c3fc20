//! Pages of docs/how-to whose commands are run as they stand there, one after the other.

#![cfg(unix)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, PASSWORD, binary};
use c8y_pki_tests::tool;

const CEREMONY: &str = include_str!("../../../docs/how-to/key-ceremony.md");
const BACKUP: &str = include_str!("../../../docs/how-to/backup.md");
const DISASTER: &str = include_str!("../../../docs/how-to/disaster.md");
const SERVE: &str = include_str!("../../../docs/how-to/serve.md");
const STATIONS: &str = include_str!("../../../docs/how-to/stations.md");

/// What a person answers with yes, and a script has to say.
const ASKS: [&str; 3] = ["ca sign-request", "registry restore", "registry repair"];

/// The commands of a page's blocks: the machine on which they are typed, and the line.
fn commands(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .flat_map(str::lines)
        .filter_map(|line| line.split_once("$ "))
        .filter(|(machine, _)| machine.chars().all(|c| c.is_ascii_lowercase()))
        .collect()
}

/// The part of a page below a heading.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
    rest.split("\n## ").next().unwrap_or_default()
}

/// Runs a line in a shell, in the directory of a machine.
fn typed(cli: &Cli, machine: &str, line: &str) -> Outcome {
    let line = line.replace("/media/usb", &cli.arg("usb"));
    let asks = ASKS.iter().any(|ask| line.contains(ask)) && !line.contains("--plan");
    let line = if asks { format!("{line} --yes") } else { line };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = binary().parent().map(PathBuf::from).into_iter();
    let path = std::env::join_paths(own.chain(std::env::split_paths(&path))).expect("a path");
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(cli.path(machine))
        .env("PATH", path)
        .env("C8Y_PKI_CA_PASSWORD", PASSWORD)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    Outcome::of(&line, &output)
}

/// Runs all commands; those of `ends` end with that code, the others with 0. What each said.
fn walk(cli: &Cli, page: &str, ends: &[(&str, i32)]) -> Vec<Outcome> {
    let commands = commands(page);
    assert!(!commands.is_empty(), "no command was found");
    let mut said = Vec::new();
    let mut left = commands.iter().enumerate();
    while let Some((at, (machine, line))) = left.next() {
        let code = ends.iter().find(|(what, _)| *what == format!("{at} {line}")).map_or(0, |e| e.1);
        // The next line waits for what goes on: only the shell that has started it knows it.
        let waits = if line.ends_with(" &") { left.next() } else { None };
        let line = waits.map_or((*line).to_owned(), |(_, (_, next))| format!("{line}\n{next}"));
        said.push(typed(cli, machine, &line).expect(code));
    }
    for (what, _) in ends {
        let (at, line) = what.split_once(' ').expect("a number");
        let at: usize = at.parse().expect("a number");
        assert_eq!(commands.get(at).map(|(_, own)| *own), Some(line), "the page has changed");
    }
    said
}

#[test]
fn the_key_ceremony_leads_to_a_device_that_openssl_verifies() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::new();
    for folder in ["root", "plant", "usb"] {
        std::fs::create_dir(cli.path(folder)).expect("a directory");
    }
    let said = walk(&cli, CEREMONY, &[]);
    assert!(said[3].stdout.contains("OK") && !said[3].stdout.contains("FAILED"), "{:?}", said[3]);
    for (number, file) in ["1-root", "2-request", "3-signed", "4-answer"].iter().enumerate() {
        let text = cli.text(&format!("usb/{file}.txt"));
        for part in ["PROTOCOL: ", "\nDate  ", "\nMachine  ", "\nProgram  ", "Signature  ____"] {
            assert!(text.contains(part), "{number}: {text}");
        }
        assert!(!text.contains(PASSWORD), "{text}");
    }
    // The digest that is read out at the plant is the one that the root shows.
    let asked = cli.text("usb/2-request.txt");
    let digest = asked.lines().find_map(|line| line.strip_prefix("SHA-256 of the request"));
    let digest = digest.expect("a digest").trim();
    assert!(cli.text("usb/3-signed.txt").contains(digest), "{digest}");
    let verified = Command::new(openssl.path())
        .args(["verify", "-x509_strict", "-CAfile", &cli.arg("usb/root.pem")])
        .args(["-untrusted", &cli.arg("plant/out/gw-0001/chain.pem")])
        .arg(cli.path("plant/out/gw-0001/cert.pem"))
        .output()
        .expect("openssl");
    assert!(verified.status.success(), "{verified:?}");
    // Renewed by the page's last part: the root has both, one of them superseded.
    let rows = cli.run("--pki root/pki registry export --format jsonl").expect(0).json_lines();
    let states: Vec<&str> = rows.iter().filter_map(|row| row["status"].as_str()).collect();
    assert_eq!(states, ["live", "superseded", "live"], "{rows:?}");
    cli.ok("--pki root/pki registry check");
    cli.ok("--pki plant/pki registry check");
}

/// A root with the CA line-7 below it, two devices, a list, and two backups, as the pages have them.
fn scene() -> Cli {
    let cli = Cli::with_cas();
    cli.ok("ca rename line line-7");
    cli.ok(&format!("device issue gw-0001 gw-0002 --ca line-7 --out out {CA_PW}"));
    std::fs::create_dir(cli.path("backup")).expect("a directory");
    cli
}

fn backed_up() -> Cli {
    let cli = scene();
    walk(&cli, section(BACKUP, "Make a backup"), &[]);
    cli
}

#[test]
fn the_page_about_backups_leads_back_to_a_registry_that_knows_all() {
    let cli = backed_up();
    walk(&cli, section(BACKUP, "Restore into an empty place"), &[]);
    // What happens after the backup: a device more, one revoked, a list of it.
    cli.ok(&format!("device issue gw-0003 --ca line-7 --out out {CA_PW}"));
    cli.ok("device revoke gw-0001 --reason keyCompromise");
    cli.ok(&format!("ca crl line-7 {CA_PW}"));
    let said = walk(&cli, section(BACKUP, "Restore the registry of a PKI directory"), &[]);
    let told = &said[0];
    assert!(told.stderr.contains("warning: the registry is older"), "{told:?}");
    // Until it is settled nothing is signed, by a registry that does not know what it has revoked.
    let refused = cli.fails(1, &format!("device issue gw-0004 --ca line-7 --out out {CA_PW}"));
    assert!(refused.contains("is older than what was made from it"), "{refused}");
    let part = section(BACKUP, "Is the restored registry too old?");
    walk(&cli, part, &[("0 c8y-pki registry check", 1)]);
    let standing = cli.run("device list --status any --json").expect(0).json_lines();
    let of = |id: &str| {
        let row = standing.iter().find(|row| row["id"] == id);
        row.and_then(|row| row["status"].as_str()).map(str::to_owned)
    };
    assert_eq!(of("gw-0001").as_deref(), Some("revoked"), "{standing:?}");
    assert_eq!(of("gw-0003").as_deref(), Some("live"), "{standing:?}");
    let log = cli.ok("registry export --what audit");
    assert!(log.contains(",restore,"), "{log}");
}

#[test]
fn a_root_key_that_is_lost_comes_from_the_backup_or_a_new_root_takes_its_place() {
    let cli = backed_up();
    std::fs::remove_file(cli.path("pki/ca/root/key.pem")).expect("the key is lost");
    let lost = cli.run("registry check").expect(1);
    assert!(lost.stdout.contains("the CA root"), "{lost:?}");
    walk(&cli, section(DISASTER, "The key of the root is lost"), &[]);
    cli.ok(&format!("ca add below --parent root --subject CN=Below {CA_PW}"));
}

#[test]
fn a_ca_whose_key_leaked_signs_nothing_more_and_its_devices_move() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = backed_up();
    let part = section(DISASTER, "The key of a CA leaked");
    let refused = "3 c8y-pki device issue gw-0009 --ca line-7 --out out";
    let said = walk(&cli, part, &[(refused, 2)]);
    assert!(said[3].error().contains("was revoked"), "{:?}", said[3]);
    let list = Command::new(openssl.path())
        .args(["crl", "-noout", "-text", "-in", &cli.arg("root.crl")])
        .output()
        .expect("openssl");
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    let serial = cli.text("serial.txt").trim().to_uppercase();
    assert!(text.contains(&serial) && text.contains("CA Compromise"), "{text}");
}

#[test]
fn a_lost_registry_comes_back_with_what_was_issued_after_the_backup() {
    let cli = backed_up();
    cli.ok(&format!("device issue gw-0003 --ca line-7 --out out {CA_PW}"));
    let part = section(DISASTER, "The registry is lost");
    walk(&cli, part, &[("1 c8y-pki ca list", 2)]);
    let devices = cli.run("device list --json").expect(0).json_lines();
    assert_eq!(devices.len(), 3, "{devices:?}");
}

#[test]
fn after_a_wrong_clock_devices_and_lists_are_made_anew() {
    let cli = scene();
    walk(&cli, section(DISASTER, "The clock was wrong"), &[]);
}

/// Ends the service of the page, also when a test fails before the page does.
struct Served<'c>(&'c Cli);

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let line = "kill \"$(cat est.ready)\" 2>/dev/null";
        let _ = Command::new("sh").args(["-c", line]).current_dir(self.0.path("")).status();
    }
}

#[test]
fn the_page_about_est_leads_to_devices_that_openssl_verifies() {
    if [tool("openssl"), tool("curl")].iter().any(Option::is_none) {
        return;
    }
    let cli = Cli::with_cas();
    cli.ok("ca rename line line-7");
    let port = c8y_pki_tests::ports::free_port().to_string();
    let _served = Served(&cli);
    // The other page asks the same service, before it is stopped.
    let page = SERVE.replacen("## Stop it", &format!("{STATIONS}\n## Stop it"), 1);
    let said = walk(&cli, &page.replace("8443", &port), &[]);
    assert!(said.iter().any(|said| said.stdout == "gw-0011.pem: OK\n"), "{said:?}");
    let rows = cli.run("registry export --format jsonl").expect(0).json_lines();
    let of_device = rows.iter().filter(|row| row["id"] == "gw-0011");
    let states: Vec<&str> = of_device.filter_map(|row| row["status"].as_str()).collect();
    assert_eq!(states, ["superseded", "live"], "{rows:?}");
    let log = cli.text("access.log");
    assert!(!log.contains("Uk3-9nTq-77") && log.lines().count() == 15, "{log}");
    assert!(!log.contains(cli.text("station-3.token").trim()), "{log}");
    let of_station = rows.iter().filter(|row| row["id"] == "gw-0012");
    let states: Vec<&str> = of_station.filter_map(|row| row["status"].as_str()).collect();
    assert_eq!(states, ["revoked"], "{rows:?}");
    let of_bundle = rows.iter().filter(|row| row["id"] == "gw-0013");
    let states: Vec<&str> = of_bundle.filter_map(|row| row["status"].as_str()).collect();
    assert_eq!(states, ["superseded", "live"], "{rows:?}");
    assert!(!log.contains(cli.text("gw-0013.pw").trim()), "{log}");
}

/// What is waited for may never come: a loop looks whether the program still runs.
#[test]
fn no_page_waits_for_ever() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut loops = 0;
    c8y_pki_tests::cli::walk(&docs, &mut |page| {
        if page.extension().is_none_or(|end| end != "md") {
            return;
        }
        let text = std::fs::read_to_string(page).expect("a page");
        for line in text
            .lines()
            .filter(|line| line.trim_start_matches("$ ").trim_start().starts_with("until ["))
        {
            loops += 1;
            assert!(line.contains("kill -0"), "{}: {line}", page.display());
        }
    });
    assert!(loops > 2, "only {loops} loops were found");
}
