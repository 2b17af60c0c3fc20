//! The registry in PostgreSQL. With `C8Y_PKI_TEST_REGISTRY=postgres` all tests of this program run on it: each directory has
//! a database of its own. What only a server can do is tested here in any case.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests are told by the environment what to run, and say what they leave out"
)]

#[path = "../../../tests/src/postgres.rs"]
#[allow(dead_code, unreachable_pub, reason = "others use more of it")]
mod postgres;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crl::Reason;
use c8y_pki_core::failure::{Failure as _, Fault};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{
    Address, NewOrder, NewRecord, Ordered, ROLES, Registry, RegistryError, Surroundings,
};

use self::postgres::Cluster;
use crate::folder::{Folder, now, password};
use crate::registry::device_by;

static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();

/// The address of a new, empty database, if the tests are to run on PostgreSQL.
pub(crate) fn address() -> Option<String> {
    if !is_wanted() {
        return None;
    }
    let cluster = CLUSTER.get_or_init(Cluster::start).as_ref().expect("PostgreSQL is installed");
    Some(cluster.address(&cluster.database()))
}

/// Whether the tests are to run on PostgreSQL.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("C8Y_PKI_TEST_REGISTRY").is_some_and(|wanted| wanted == "postgres")
}

/// Writes a registry into a file with pg_dump.
pub(crate) fn dump(address: &Path, file: &Path) {
    cluster().dump(&database(address), file);
}

/// Puts what pg_dump has written in a registry's place.
pub(crate) fn restore(address: &Path, file: &Path) {
    let database = database(address);
    cluster().psql_as("owner", &database, "DROP SCHEMA c8y_pki CASCADE").expect("a change");
    let text = std::fs::read_to_string(file).expect("a dump");
    cluster().psql_file(&database, &text);
}

fn cluster() -> &'static Cluster {
    CLUSTER.get().and_then(Option::as_ref).expect("a cluster")
}

fn database(address: &Path) -> String {
    let address = address.display().to_string();
    address.split(['/', '?']).nth(3).expect("a database").to_owned()
}

/// Changes the tables of a registry with psql, as somebody does who has the right.
pub(crate) fn change(address: &Path, sql: &str) {
    // PostgreSQL writes bytes in another way.
    let head = "SET search_path = c8y_pki; SET session_replication_role = replica";
    let sql = format!("{head}; {}", sql.replace(" x'", " '\\x"));
    cluster().psql_as("owner", &database(address), &sql).expect("a change");
}

/// A cluster for tests that need one in any case; none if PostgreSQL is not installed.
fn shared() -> Option<&'static Cluster> {
    CLUSTER.get_or_init(Cluster::start).as_ref()
}

fn open(address: &str) -> Registry {
    Registry::open_or_create_server(&of(address)).unwrap()
}

fn of(address: &str) -> Address {
    Address::parse_in(address, &Surroundings::default()).unwrap()
}

/// A CA whose registry is in a database, and records of devices that it has signed.
fn records(address: &str, names: impl Iterator<Item = String>) -> (Folder, Vec<NewRecord>) {
    let mut folder = Folder::on(address);
    folder.root("root", None).unwrap();
    let key = folder.pki.ca("root").unwrap().unlock(&password()).unwrap();
    let records = names.map(|name| device_by(&folder, &key, &name, None)).collect();
    (folder, records)
}

#[test]
fn stations_write_side_by_side_each_device_once_and_one_chain() {
    let Some(cluster) = shared() else { return };
    let address = cluster.address(&cluster.database());
    // Each id twice, as two stations that got the same list.
    let names = (0..2).flat_map(|_| (0..200).map(|n| format!("gw-{n}")));
    let (_folder, records) = records(&address, names);
    let (done, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for (station, half) in records.chunks(200).enumerate() {
            for (part, quarter) in half.chunks(100).enumerate() {
                let (done, refused, address) = (&done, &refused, &address);
                scope.spawn(move || {
                    let mut registry = open(address);
                    for chunk in quarter.chunks(10) {
                        match registry.record(&format!("s{station}-{part}"), now(), chunk) {
                            Ok(()) => done.fetch_add(chunk.len(), Ordering::Relaxed),
                            Err(RegistryError::Conflict) => {
                                refused.fetch_add(chunk.len(), Ordering::Relaxed)
                            }
                            Err(e) => panic!("{e}"),
                        };
                    }
                });
            }
        }
    });
    assert_eq!((done.into_inner(), refused.into_inner()), (200, 200));
    let registry = open(&address);
    let checked = registry.check().unwrap();
    assert_eq!((checked.findings, checked.certificates), (vec![], 201));
    assert_eq!(registry.live_devices(None).unwrap().len(), 200);
}

#[test]
fn a_station_adds_and_ends_and_an_auditor_reads_and_neither_changes_what_is_there() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database();
    let address = cluster.address(&database);
    let (_folder, records) = records(&address, ["a", "b"].map(str::to_owned).into_iter());
    cluster.psql_as("owner", &database, ROLES).expect("roles");
    let users = format!(
        "CREATE ROLE station_{database} LOGIN IN ROLE c8y_pki_station;
         CREATE ROLE auditor_{database} LOGIN IN ROLE c8y_pki_auditor"
    );
    cluster.psql_as("owner", &database, &users).expect("users");
    let (station, auditor) = (format!("station_{database}"), format!("auditor_{database}"));

    // A station's work.
    let mut registry = open(&cluster.address_as(&station, &database));
    registry.record("run", now(), &records).unwrap();
    let live = registry.live_device("a").unwrap().unwrap();
    registry.revoke(&[live], Reason::Superseded, now(), now()).unwrap();
    assert_eq!(registry.next_crl_number("root", &[], 1, now()).unwrap(), 1);
    assert_eq!(registry.check().unwrap().findings, []);

    // Each row of the log says who it was, whatever he says himself.
    let users = "SELECT DISTINCT (detail::json ->> 'db_user') || ' ' || (action = 'issue')::text
         FROM c8y_pki.audit ORDER BY 1";
    let users = cluster.psql_as("owner", &database, users).expect("an answer");
    assert_eq!(users, format!("owner true\n{station} false\n{station} true"));

    // And what it may not do; an auditor even less.
    let forbidden = [
        "UPDATE certificate_row SET der = ''",
        "UPDATE certificate_row SET status = 'live'",
        "UPDATE certificate SET status = 'live'",
        "DELETE FROM certificate_row",
        "TRUNCATE certificate_row",
        "INSERT INTO audit (sequence, at, action, detail, hash, previous) VALUES (99, 1, 'x', '{}', '', '')",
        "UPDATE audit SET detail = '{}'",
        "SELECT append(1, 'move', '{\"to\":\"elsewhere\"}', NULL)",
        "LOCK TABLE chunk IN SHARE ROW EXCLUSIVE MODE",
        "DELETE FROM audit",
        "UPDATE head SET sequence = 0",
        "DELETE FROM chunk",
        "DELETE FROM unknown_revocation",
        "UPDATE ca SET chain = ''",
        "UPDATE ca SET policy = ''",
        "UPDATE ca SET list = '', list_number = 99",
        "INSERT INTO ca (name, chain, list_number) VALUES ('x', '', 99)",
        "DELETE FROM ca",
        "SELECT setval('certificate_row_id_seq', 1)",
        "ALTER TABLE certificate_row ADD x text",
        "ALTER TABLE certificate_row DISABLE TRIGGER ALL",
        "DROP TABLE certificate_row CASCADE",
        "CREATE TABLE c8y_pki.x (x text)",
    ];
    for user in [&station, &auditor] {
        for sql in forbidden {
            let sql = format!("SET search_path = c8y_pki; {sql}");
            let refused = cluster.psql_as(user, &database, &sql).expect_err(&sql);
            assert!(
                refused.contains("permission denied") || refused.contains("must be owner"),
                "{user}: {sql}: {refused}"
            );
        }
    }
    let mut registry = open(&cluster.address_as(&auditor, &database));
    assert_eq!(registry.live_devices(None).unwrap().len(), 1);
    let error = registry.next_crl_number("root", &[], 1, now()).unwrap_err();
    assert!(matches!(error, RegistryError::NotAllowed { .. }), "{error}");
}

/// An order in a registry with roles, and a login for each of them.
fn with_order(cluster: &Cluster, devices: usize) -> (Folder, String, [String; 2]) {
    let database = cluster.database();
    let (mut folder, _) = records(&cluster.address(&database), std::iter::empty());
    let options = serde_json::json!({});
    let (name, ca, list) = ("acme", "root", "list.csv");
    let order = NewOrder { name, customer: None, ca, options: &options, list };
    let device = |n| {
        let id = DeviceId::parse(&format!("gw-{n}")).unwrap();
        Ordered { id, line: None, details: std::collections::BTreeMap::new() }
    };
    let add = |add: &mut dyn FnMut(&Ordered) -> Result<(), RegistryError>| {
        (0..devices).try_for_each(|n| add(&device(n)))
    };
    folder.pki.registry_mut().create_order(&order, add, now()).unwrap();
    cluster.psql_as("owner", &database, ROLES).expect("roles");
    let users = format!(
        "CREATE ROLE station_{database} LOGIN IN ROLE c8y_pki_station;
         CREATE ROLE auditor_{database} LOGIN IN ROLE c8y_pki_auditor"
    );
    cluster.psql_as("owner", &database, &users).expect("users");
    let users = [format!("station_{database}"), format!("auditor_{database}")];
    (folder, database, users)
}

#[test]
fn a_range_of_a_list_is_a_runs_alone_until_its_time_is_over() {
    let Some(cluster) = shared() else { return };
    let (_folder, database, [station, auditor]) = with_order(cluster, 100);
    let ask = |sql: &str| {
        let sql = format!("SET search_path = c8y_pki; {sql}");
        cluster.psql_as(&station, &database, &sql).expect("an answer")
    };
    ask("SELECT share_order(1)");
    ask("SELECT share_order(1)");
    let mut taken = std::collections::BTreeSet::new();
    for n in 0..25 {
        taken.insert(ask(&format!("SELECT * FROM take_range(1, 'run-{}', 'line')", n % 2)));
    }
    let whole: std::collections::BTreeSet<String> =
        (0..25).map(|n| format!("{}|{}|1", n * 4, n * 4 + 4)).collect();
    assert_eq!(taken, whole);
    assert_eq!(ask("SELECT * FROM take_range(1, 'run-0', 'line')"), "||");

    // Its time is over: another one takes it, and the former has it no more.
    let end =
        "UPDATE c8y_pki.order_range SET lease_until = now() - interval '1 second' WHERE first = 4";
    cluster.psql_as("owner", &database, end).expect("a change");
    assert_eq!(ask("SELECT hold_range(1, 4, 'run-1', 1, false)"), "t");
    assert_eq!(ask("SELECT * FROM take_range(1, 'run-2', 'line')"), "||");
    cluster.psql_as("owner", &database, end).expect("a change");
    assert_eq!(ask("SELECT * FROM take_range(1, 'run-1', 'line')"), "4|8|2");
    assert_eq!(ask("SELECT hold_range(1, 4, 'run-1', 1, true)"), "f");
    assert_eq!(ask("SELECT hold_range(1, 4, 'run-1', 2, true)"), "t");

    // What is done stays done, unless a device of it has no certificate when the next run begins.
    ask("SELECT leave_ranges(1, 'run-1')");
    assert_eq!(ask("SELECT count(*) FROM order_range WHERE run = 'run-1'"), "1");
    ask("SELECT share_order(1)");
    assert_eq!(ask("SELECT count(*) FROM order_range WHERE done"), "0");

    let forbidden = ["UPDATE order_range SET done = true", "DELETE FROM order_range"];
    let functions = [
        "SELECT share_order(1)",
        "SELECT take_range(1, 'x', 'x')",
        "SELECT hold_range(1, 0, 'run-0', 1, true)",
        "SELECT leave_ranges(1, 'run-0')",
    ];
    let of_station = forbidden.iter().map(|sql| (&station, sql));
    let of_auditor = forbidden.iter().chain(&functions).map(|sql| (&auditor, sql));
    for (user, sql) in of_station.chain(of_auditor) {
        let sql = format!("SET search_path = c8y_pki; {sql}");
        let refused = cluster.psql_as(user, &database, &sql).expect_err(&sql);
        assert!(refused.contains("permission denied"), "{user}: {sql}: {refused}");
    }
    let seen = cluster.psql_as(&auditor, &database, "SELECT count(*) FROM c8y_pki.order_range");
    assert_eq!(seen.expect("an answer"), "25");
}

/// A registry of an older version gets what it lacks when its owner opens it, and those with roles may use that at once.
#[test]
fn the_owner_brings_a_registry_up_to_the_present_version_and_nobody_else() {
    let Some(cluster) = shared() else { return };
    let version_8 = "DROP TABLE ca; DROP FUNCTION put_list;";
    let version_7 =
        "DROP TABLE order_range; DROP FUNCTION share_order, take_range, hold_range, leave_ranges;";
    for (version, former) in [(7, [version_8, version_7].concat()), (8, version_8.to_owned())] {
        let (folder, database, [station, auditor]) = with_order(cluster, 4);
        let former =
            format!("SET search_path = c8y_pki; {former} UPDATE registry SET version = {version}");
        cluster.psql_as("owner", &database, &former).expect("a former version");
        let as_user = |user: &str| Registry::open_server(&of(&cluster.address_as(user, &database)));
        for user in [&station, &auditor] {
            let error = as_user(user).expect_err("it is not the owner's");
            let RegistryError::OwnerFirst { found, known: 9, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!((*found, error.fault()), (version, Fault::Input));
        }
        let registry = as_user("owner").unwrap();
        assert_eq!(registry.check().unwrap().findings, []);
        let log = "SELECT detail FROM c8y_pki.audit WHERE action = 'migrate'";
        let detail = cluster.psql_as("owner", &database, log).expect("an answer");
        assert_eq!(detail, format!(r#"{{"from":{version},"to":9,"db_user":"owner"}}"#));
        as_user(&station).unwrap();
        let take = "SET search_path = c8y_pki; SELECT share_order(1); SELECT * FROM take_range(1, 'r', 's')";
        assert!(cluster.psql_as(&station, &database, take).expect("an answer").ends_with("0|1|1"));
        as_user(&auditor).unwrap();
        assert!(cluster.psql_as(&auditor, &database, take).is_err());

        // What stations need of the CAs goes there with the next command that writes.
        let count = "SELECT count(*) FROM c8y_pki.ca";
        assert_eq!(cluster.psql_as(&auditor, &database, count).expect("an answer"), "0");
        let dir = folder.pki.dir().to_owned();
        let pki = Pki::open(&dir, now()).unwrap();
        assert_eq!(cluster.psql_as(&station, &database, count).expect("an answer"), "1");
        assert_eq!((pki.registry().check().unwrap().findings, pki.news()), (vec![], &[][..]));
    }
}

/// What a relay does with the first message that it is to lose.
#[derive(Clone, Copy, PartialEq)]
enum Lost {
    /// It does not arrive.
    Request,
    /// Its answer does not arrive.
    Answer,
}

const COMMIT: &str = "COMMIT;";

/// A socket before the server's that loses the first message with these words; how many of them it has seen.
fn relay(server: &Path, dir: &Path, words: &'static str, lost: Lost) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let listener = UnixListener::bind(dir.join(".s.PGSQL.5432")).unwrap();
    let (server, seen) = (server.join(".s.PGSQL.5432"), Arc::clone(&count));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), UnixStream::connect(&server).unwrap());
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || {
                let (mut client, mut server, mut bytes) = (client, server, [0; 65_536]);
                while let Ok(length @ 1..) = client.read(&mut bytes) {
                    let mut parts = bytes[..length].windows(words.len());
                    let is_it = parts.any(|text| text == words.as_bytes());
                    if is_it && seen.fetch_add(1, Ordering::SeqCst) == 0 {
                        client.shutdown(std::net::Shutdown::Both).unwrap();
                        if lost == Lost::Answer {
                            server.write_all(&bytes[..length]).unwrap();
                            std::thread::sleep(Duration::from_millis(200));
                        }
                        let _ = server.shutdown(std::net::Shutdown::Both);
                        return;
                    }
                    server.write_all(&bytes[..length]).unwrap();
                }
            });
        }
    });
    count
}

#[test]
fn a_commit_whose_answer_is_lost_is_done_once_and_one_that_is_lost_is_done_again() {
    let Some(cluster) = shared() else { return };
    for (lost, commits) in [(Lost::Answer, 1), (Lost::Request, 2)] {
        let database = cluster.database();
        let (_folder, records) =
            records(&cluster.address(&database), (0..3).map(|n| format!("gw-{n}")));
        let dir = tempfile::tempdir().unwrap();
        let seen = relay(cluster.socket_dir(), dir.path(), COMMIT, lost);
        let through = format!("postgres:///{database}?host={}&user=owner", dir.path().display());
        let mut registry = open(&through);
        let before = registry.last_sequence().unwrap();
        registry.record("run", now(), &records).unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), commits);
        assert_eq!(registry.last_sequence().unwrap(), before + 1);
        let checked = registry.check().unwrap();
        assert_eq!((checked.findings, checked.certificates), (vec![], 4));
    }
    // What is not done again by itself says that nothing was changed.
    let database = cluster.database();
    drop(open(&cluster.address(&database)));
    let dir = tempfile::tempdir().unwrap();
    relay(cluster.socket_dir(), dir.path(), COMMIT, Lost::Request);
    let mut registry =
        open(&format!("postgres:///{database}?host={}&user=owner", dir.path().display()));
    let error = registry.next_crl_number("root", &[], 1, now()).unwrap_err();
    assert!(matches!(error, RegistryError::NotDone { .. }), "{error}");
    assert_eq!(registry.next_crl_number("root", &[], 1, now()).unwrap(), 1);
}

#[test]
fn a_server_that_falls_and_comes_back_is_waited_for_and_loses_and_doubles_nothing() {
    let Some(mut cluster) = Cluster::start() else { return };
    let address = cluster.address(&cluster.database());
    let (_folder, records) = records(&address, (0..300).map(|n| format!("gw-{n}")));
    let recorded = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (recorded, address) = (&recorded, &address);
        let writer = scope.spawn(move || {
            let mut registry = open(address);
            for chunk in records.chunks(5) {
                registry.record("run", now(), chunk).unwrap();
                recorded.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        });
        while recorded.load(Ordering::SeqCst) < 50 {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Immediate: as when the machine's power is cut, but for what the disk holds.
        cluster.kill();
        std::thread::sleep(Duration::from_millis(300));
        cluster.run(&[]);
        writer.join().unwrap();
    });
    let registry = open(&address);
    let checked = registry.check().unwrap();
    assert_eq!((checked.findings, checked.certificates), (vec![], 301));
    assert_eq!(registry.live_devices(None).unwrap().len(), 300);
}

#[test]
fn a_change_in_a_transaction_that_has_failed_is_not_taken_for_done() {
    let Some(cluster) = shared() else { return };
    let address = cluster.address(&cluster.database());
    let (_folder, records) = records(&address, ["a", "a"].map(str::to_owned).into_iter());
    let mut registry = open(&address);
    let before = registry.last_sequence().unwrap();
    let error = registry.record("run", now(), &records).unwrap_err();
    assert!(matches!(error, RegistryError::Conflict), "{error}");
    assert_eq!(registry.last_sequence().unwrap(), before);
    registry.record("run", now(), &records[..1]).unwrap();
    assert_eq!(registry.live_devices(None).unwrap().len(), 1);
}

/// A directory with a root, whose registry is in a file or in a database; and devices that the root has signed.
fn folder(registry: Option<&str>, devices: usize) -> (Folder, Vec<NewRecord>) {
    let mut folder = registry.map_or_else(Folder::new, Folder::on);
    folder.root("root", None).unwrap();
    let key = folder.pki.ca("root").unwrap().unlock(&password()).unwrap();
    let records = (0..devices).map(|n| device_by(&folder, &key, &format!("gw-{n}"), None));
    let records = records.collect();
    (folder, records)
}

/// From where to where a registry can be taken, each with new databases.
fn ways(cluster: &Cluster) -> [(Option<String>, String); 3] {
    let database = || cluster.address(&cluster.database());
    let file = "registry-2.sqlite".to_owned();
    [(None, database()), (Some(database()), database()), (Some(database()), file)]
}

#[test]
fn a_registry_that_was_taken_away_is_closed_for_who_has_it_open() {
    let Some(cluster) = shared() else { return };
    for (from, to) in ways(cluster) {
        let (mut folder, records) = folder(from.as_deref(), 2);
        let mut open_before = Pki::open(folder.pki.dir(), now()).unwrap();
        open_before.registry_mut().record("run", now(), &records[..1]).unwrap();
        folder.pki.move_registry(&to, now()).unwrap();
        let place = match to.starts_with("postgres") {
            true => to,
            false => std::path::absolute(folder.pki.dir().join(to)).unwrap().display().to_string(),
        };
        let former = open_before.registry_mut();
        let last = former.last_sequence().unwrap();
        let mark = c8y_pki_engine::files::Mark { path: "/a".into(), length: 1, tail: [0; 32] };
        let refused = [
            former.record("run", now(), &records[1..]),
            former.next_crl_number("root", &[], 1, now()).map(|_| ()),
            former.remember_mark(&mark),
            former.forget_mark(&mark.path),
        ];
        for refused in refused {
            let Err(error @ RegistryError::Moved { .. }) = refused else { panic!("{refused:?}") };
            assert!(error.to_string().contains(&place), "{error}");
            let hint = error.hint().unwrap().to_string();
            assert!(hint.contains(&format!("registry = \"{place}\"")), "{hint}");
        }
        assert_eq!(former.last_sequence().unwrap(), last);
        if let Some(from) = from {
            let there =
                "SELECT count(*), (SELECT action FROM c8y_pki.audit ORDER BY sequence DESC LIMIT 1)
                FROM c8y_pki.certificate";
            let name = database(Path::new(&from));
            assert_eq!(cluster.psql(&name, there).as_deref(), Some("2|move"));
        }
        assert_eq!(folder.pki.registry().live_devices(None).unwrap().len(), 1);
        folder.pki.registry_mut().record("run", now(), &records[1..]).unwrap();
    }
}

#[test]
fn what_is_recorded_while_a_registry_is_taken_away_is_in_the_new_one_or_refused() {
    let Some(cluster) = shared() else { return };
    for (from, to) in ways(cluster) {
        let (mut folder, records) = folder(from.as_deref(), 600);
        let recorded = AtomicUsize::new(0);
        let dir = folder.pki.dir().to_owned();
        std::thread::scope(|scope| {
            let writers: Vec<_> = records
                .chunks(300)
                .map(|half| {
                    let (recorded, mut pki) = (&recorded, Pki::open(&dir, now()).unwrap());
                    scope.spawn(move || {
                        for record in half {
                            match pki.registry_mut().record(
                                "run",
                                now(),
                                std::slice::from_ref(record),
                            ) {
                                Ok(()) => recorded.fetch_add(1, Ordering::SeqCst),
                                Err(RegistryError::Moved { .. }) => return true,
                                Err(e) => panic!("{e}"),
                            };
                            // SQLite's lock is not fair: who waits for it needs a pause.
                            std::thread::sleep(Duration::from_millis(5));
                        }
                        false
                    })
                })
                .collect();
            while recorded.load(Ordering::SeqCst) < 20 {
                std::thread::sleep(Duration::from_millis(1));
            }
            folder.pki.move_registry(&to, now()).unwrap();
            for writer in writers {
                assert!(writer.join().unwrap(), "a writer was not refused");
            }
        });
        let live = folder.pki.registry().live_devices(None).unwrap().len();
        assert_eq!(live, recorded.into_inner());
        assert_eq!(folder.pki.registry().check().unwrap().findings, []);
    }
}

#[test]
fn a_server_that_is_away_is_waited_for_in_each_thread_and_when_a_directory_is_opened() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let Some(mut cluster) = Cluster::start() else { return };
    let address = cluster.address(&cluster.database());
    let (folder, records) = records(&address, (0..3).map(|n| format!("gw-{n}")));
    let around = Surroundings {
        waiting: Some(|_, _| {
            TOLD.fetch_add(1, Ordering::SeqCst);
        }),
        ..Surroundings::default()
    };
    let address = Address::parse_in(&address, &around).unwrap();
    let mut registry = Registry::open_or_create_server(&address).unwrap();
    registry.record("run", now(), &records).unwrap();
    let dir = folder.close();
    let pki = dir.path().join("pki");
    cluster.kill();
    std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| registry.live_devices(None).unwrap().len()));
        let open = scope.spawn(|| Pki::open(&pki, now()).map(|_| ()));
        let read = scope.spawn(|| Pki::open_to_read(&pki, now()).map(|_| ()));
        std::thread::sleep(Duration::from_millis(500));
        cluster.run(&[]);
        assert_eq!(threads.map(|thread| thread.join().unwrap()), [3; 4]);
        open.join().unwrap().unwrap();
        read.join().unwrap().unwrap();
    });
    assert_eq!(TOLD.load(Ordering::SeqCst), 1);
}

#[test]
fn what_is_read_is_read_again_if_the_connection_is_lost() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database();
    let (_folder, records) = records(&cluster.address(&database), ["a".to_owned()].into_iter());
    open(&cluster.address(&database)).record("run", now(), &records).unwrap();
    let lost = |words, read: &dyn Fn(&Registry)| {
        let dir = tempfile::tempdir().unwrap();
        let seen = relay(cluster.socket_dir(), dir.path(), words, Lost::Answer);
        let registry =
            open(&format!("postgres:///{database}?host={}&user=owner", dir.path().display()));
        read(&registry);
        assert!(seen.load(Ordering::SeqCst) > 1, "{words} was not lost");
    };
    let check = |registry: &Registry| {
        let checked = registry.check().unwrap();
        assert_eq!((checked.findings, checked.certificates), (vec![], 2));
    };
    let visit = |registry: &Registry| {
        let (mut seen, last) = (0, registry.last_sequence().unwrap());
        let one = |_| -> Result<(), RegistryError> {
            seen += 1;
            Ok(())
        };
        registry.each_audit(0, one).unwrap();
        assert_eq!(seen, last);
    };
    lost("FETCH FORWARD", &check);
    lost("DECLARE", &visit);
    lost("FETCH FORWARD", &visit);
}

/// What a server says is told in words that fit a server, and not a file of this machine.
#[test]
fn what_hinders_a_server_is_told_of_the_server() {
    let Some(cluster) = shared() else { return };
    let database = cluster.database();
    let mut registry = open(&cluster.address(&database));
    let raise = "SET search_path = c8y_pki;
        CREATE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'hindered' USING ERRCODE = current_setting('c8y.code'); END $$;
        CREATE TRIGGER hinder BEFORE INSERT ON chunk EXECUTE FUNCTION hinder()";
    cluster.psql_as("owner", &database, raise).expect("a trigger");
    for (code, words) in [
        ("53100", "no space is left on the disk of its server"),
        ("25006", "its server takes no changes"),
        ("55P03", "another process has been changing it for too long"),
    ] {
        let set = format!("ALTER DATABASE {database} SET c8y.code = '{code}'");
        cluster.psql_as("owner", &database, &set).expect("a setting");
        let mut anew = open(&cluster.address(&database));
        let error = anew.next_crl_number("root", &[], 1, now()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        let hint = error.hint().unwrap().to_string();
        assert!(!hint.contains("mounted") && !hint.contains("file"), "{hint}");
        assert_eq!(error.fault(), Fault::Environment);
    }
    // One that really takes none.
    cluster.psql_as("owner", &database, "DROP FUNCTION c8y_pki.hinder CASCADE").expect("none");
    let set = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    cluster.psql_as("owner", &database, &set).expect("a setting");
    let mut anew = open(&cluster.address(&database));
    let error = anew.next_crl_number("root", &[], 1, now()).unwrap_err();
    assert!(matches!(error, RegistryError::ReadOnlyThere(_)), "{error}");
    assert_eq!(registry.next_crl_number("root", &[], 1, now()).unwrap(), 1);
}
