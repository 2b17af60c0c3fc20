//! An order that several stations make, each a part of it, on one PostgreSQL; psql and Python are the judges.

use std::process::Command;
use std::time::{Duration, Instant};

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::network::Network;
use c8y_pki_tests::postgres::Cluster;
use c8y_pki_tests::running::Running;
use c8y_pki_tests::{Tool, python_with, rounds};

const CA: &str = "--key-type ec-p256 --ca-password-file pw";

/// An order of so many devices in a database, and a PKI directory for each station.
struct Shop {
    cli: Cli,
    cluster: Cluster,
    database: String,
    devices: usize,
}

impl Shop {
    fn new(cluster: Cluster, devices: usize, key_type: &str) -> Self {
        let cli = Cli::new();
        let database = cluster.database();
        let address = cluster.address(&database);
        cli.ok(&format!("ca init root --subject CN=Root --registry {address} {CA}"));
        cli.ok(&format!("ca add line --parent root --subject CN=Line {CA}"));
        let rows: String = (0..devices).map(|n| format!("gw-{n:05}\n")).collect();
        cli.write("list.csv", format!("id\n{rows}"));
        cli.ok(&format!("order create acme --from list.csv --ca line --key-type {key_type}"));
        Self { cli, cluster, database, devices }
    }

    /// The PKI directory of a station.
    fn station(&self, number: usize) {
        let (from, to) = (self.cli.path("pki"), self.cli.path(&format!("pki-{number}")));
        let copied = Command::new("cp").arg("-r").args([from, to]).status();
        assert!(copied.expect("cp").success());
    }

    fn psql(&self, sql: &str) -> String {
        self.cluster.psql_as("owner", &self.database, sql).expect("an answer of psql")
    }

    fn count(&self, sql: &str) -> usize {
        self.psql(sql).parse().expect("a number")
    }

    fn made(&self) -> usize {
        self.count("SELECT count(*) FROM c8y_pki.certificate_row WHERE role = 'device'")
    }

    /// Waits for something that the database says.
    fn wait_for(&self, sql: &str, wanted: impl Fn(usize) -> bool) {
        let given_up = Instant::now() + Duration::from_secs(100);
        while !wanted(self.count(sql)) {
            let ranges = "SELECT station, done, count(*) FROM c8y_pki.order_range GROUP BY 1, 2";
            assert!(Instant::now() < given_up, "{sql}\n{}", self.psql(ranges));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Each device was made once, by one of the stations: what the database has is what stands in the directories.
    fn is_complete(&self, python: &Tool, outs: &[&str]) {
        let rows = "SELECT string_agg(client_id || ' ' || ltrim(encode(serial, 'hex'), '0'), E'\\n' ORDER BY client_id)
             FROM c8y_pki.certificate_row WHERE role = 'device' AND status = 'live'";
        let rows = self.psql(rows);
        assert_eq!(rows.lines().count(), self.devices);
        assert_eq!(self.made(), self.devices, "a device was made twice");
        let open = "SELECT count(*) FROM c8y_pki.order_range WHERE NOT done";
        assert_eq!(self.count(open), 0);
        let missing = "SELECT count(*) FROM c8y_pki.order_device AS d WHERE NOT EXISTS (
             SELECT 1 FROM c8y_pki.certificate_row AS c WHERE c.folded_id = d.folded_id AND c.status = 'live')";
        assert_eq!(self.count(missing), 0);
        assert_eq!(self.cli.run("registry check --json").expect(0).json()["good"], true);

        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/pairs.py").to_owned();
        let mut words = vec![script];
        words.extend(outs.iter().map(|out| self.cli.arg(out)));
        let said = python.output(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let found = String::from_utf8_lossy(&said.stdout).into_owned();
        let mut found: Vec<&str> = found.lines().collect();
        found.sort_unstable();
        assert_eq!(found.join("\n"), rows);
    }
}

/// The command of a station.
fn issue(number: usize) -> String {
    format!(
        "--pki pki-{number} device issue --order acme --share --station line-{number} --out out-{number} --threads 1 \
         --ca-password-file pw"
    )
}

#[test]
fn two_stations_make_each_device_once() {
    let (Some(cluster), Some(python)) = (Cluster::start(), python_with("cryptography")) else {
        return;
    };
    let shop = Shop::new(cluster, 300, "ec-p256");
    (1..=2).for_each(|number| shop.station(number));
    let [one, two] = [1, 2].map(|number| Running::start(&shop.cli, &issue(number)));
    for ended in [one.finish(), two.finish()] {
        ended.expect(0);
    }
    shop.is_complete(&python, &["out-1", "out-2"]);
    shop.cli.run("order show acme --complete").expect(0);
}

/// One is killed, the server falls, and the network of one is cut for longer than it has its devices.
#[test]
fn three_stations_make_an_order_while_one_dies_and_the_server_and_the_network_of_another_fail() {
    let (Some(mut cluster), Some(python)) = (Cluster::start(), python_with("cryptography")) else {
        return;
    };
    let network = Network::new();
    let port = cluster.run_at(network.host());
    // Keys that take their time, so that something can happen meanwhile; or very many.
    let devices = rounds(600, 30_000);
    let key_type = if devices > 10_000 { "ec-p256" } else { "rsa-2048" };
    let mut shop = Shop::new(cluster, devices, key_type);
    (1..=3).for_each(|number| shop.station(number));
    let address = shop.cluster.address(&shop.database);
    let there = network.port(port);
    let far =
        format!("postgres://owner@{}:{there}/{}?sslmode=disable", network.host(), shop.database);
    let toml = shop.cli.text("pki/pki.toml");
    assert!(toml.contains(&address), "{toml}");
    shop.cli.write("pki-3/pki.toml", toml.replace(&address, &far));

    let mut one = Running::start(&shop.cli, &issue(1));
    let two = Running::start(&shop.cli, &issue(2));
    let mut three = Running::start_behind(&network.words(), &shop.cli, &issue(3));
    let taken = |station: &str| {
        format!("SELECT count(*) FROM c8y_pki.order_range WHERE station = '{station}' AND NOT done")
    };
    // Each has done something and is at the next.
    for station in ["line-1", "line-2", "line-3"] {
        let done = format!(
            "SELECT count(*) FROM c8y_pki.order_range WHERE station = '{station}' AND done"
        );
        shop.wait_for(&done, |done| done > 0);
    }
    shop.wait_for(&taken("line-3"), |open| open > 0);
    network.cut();
    shop.wait_for(&taken("line-1"), |open| open > 0);
    assert!(!one.is_over() && !three.is_over());
    assert!(one.kill().is_none(), "it had ended");
    assert!(shop.made() < shop.devices);
    shop.cluster.run_at(network.host());

    // The second one waits for what the others have, and makes it.
    two.finish().expect(0);
    assert_eq!(shop.made(), shop.devices);
    network.join();
    let ended = three.finish();
    assert!([0, 3].contains(&ended.code), "{ended:?}");
    for number in [1, 3] {
        shop.cli.run(&issue(number)).expect(0);
    }
    shop.is_complete(&python, &["out-1", "out-2", "out-3"]);
}

/// Only the station that has a part of the list now counts: what another one records for it afterwards does not, also if
/// nobody has made the devices meanwhile.
#[test]
fn what_comes_after_another_one_has_taken_the_part_is_not_recorded() {
    let (Some(cluster), Some(python)) = (Cluster::start(), python_with("cryptography")) else {
        return;
    };
    let shop = Shop::new(cluster, 200, "rsa-2048");
    shop.station(1);
    let station = Running::start(&shop.cli, &issue(1));
    let steal =
        "WITH open AS (SELECT first FROM c8y_pki.order_range WHERE run IS NOT NULL AND NOT done
             FOR UPDATE SKIP LOCKED)
         UPDATE c8y_pki.order_range AS r SET run = 'thief', station = 'thief', epoch = epoch + 1,
             lease_until = now() + interval '1 hour'
         FROM open WHERE r.first = open.first";
    let stolen = "SELECT count(*) FROM c8y_pki.order_range WHERE run = 'thief'";
    shop.wait_for("SELECT count(*) FROM c8y_pki.order_range WHERE done", |done| done > 0);
    let given_up = Instant::now() + Duration::from_secs(60);
    while shop.count(stolen) == 0 {
        assert!(Instant::now() < given_up, "it always records something");
        station.signal("STOP");
        shop.psql(steal);
        if shop.count(stolen) == 0 {
            station.signal("CONT");
        }
    }
    let made = "SELECT count(*) FROM c8y_pki.order_range AS r
         JOIN c8y_pki.order_device AS d ON d.position >= r.first AND d.position < r.past
         JOIN c8y_pki.certificate_row AS c ON c.folded_id = d.folded_id WHERE r.run = 'thief'";
    let before = shop.count(made);
    station.signal("CONT");
    let open =
        "SELECT count(*) FROM c8y_pki.order_range WHERE NOT done AND run IS DISTINCT FROM 'thief'";
    shop.wait_for(open, |open| open == 0);
    assert_eq!(shop.count(made), before);
    assert!(shop.made() < shop.devices);
    let shown = shop.cli.ok("order show acme");
    assert!(shown.contains("  in work      thief has "), "{shown}");

    // The other one never answers.
    shop.psql("UPDATE c8y_pki.order_range SET lease_until = now() WHERE run = 'thief'");
    let said = station.finish().expect(0);
    assert!(said.stderr.contains("device") && said.stderr.contains(" at thief. "), "{said:?}");
    shop.is_complete(&python, &["out-1"]);
}

/// A file is one computer's; and a share is directories of devices that have no certificate yet.
#[test]
fn a_list_in_a_file_is_not_shared_out() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id\ngw-1\n");
    cli.ok("order create acme --from list.csv --ca line");
    let issue = format!("device issue --order acme --share --out out {CA_PW}");
    let said = cli.fails(2, &issue);
    assert!(said.contains("is a file on one computer"), "{said}");
    assert!(said.contains("registry migrate --to postgresql://"), "{said}");
    assert!(said.contains("--share"), "{said}");
    assert!(cli.fails(2, &format!("{issue} --into tar")).contains("leave --into out"));
    assert!(cli.fails(2, &format!("{issue} --existing fail")).contains("leave --existing out"));
    let said = cli.fails(2, &format!("device issue gw-1 --share --out out {CA_PW}"));
    assert!(said.contains("--share") && said.contains("cannot be used with"), "{said}");
    // A usage line would show the very line that is refused.
    assert!(!said.contains("Usage:"), "{said}");
    assert_eq!(cli.run("device list --json").expect(0).stdout, "");
}
