//! The same for one archive, with passwords of their own and keys from the pool: `device issue` is
//! killed again and again, and in the end each device is in the archive once, with its own key of the
//! pool, and its password in the list.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::disk::Disk;
use c8y_pki_tests::moment::Lot;
use c8y_pki_tests::running::Running;
use c8y_pki_tests::{arg, tool};

/// More than four chunks of an archive.
const DEVICES: usize = 9000;

/// More than are needed.
const KEYS: usize = DEVICES + 10;

const LINE: &str = "device issue --pki disk/pki --from list.csv --ca root --output tar --out \
                    disk/d.tar --bundle pem,p12 --iterations 1 --secrets disk/secrets.csv \
                    --key-pool --pool-password-file pw";

/// A CA, a list, and a pool of keys, on a disk in memory where that may be mounted.
fn ready() -> (Cli, Option<Disk>) {
    let cli = Cli::new();
    let disk = Disk::new(&cli, "512m");
    let pki = "--pki disk/pki";
    cli.ok(&format!("ca init {pki} --subject 'CN=Root,O=Example' --key-type ec-p256 {CA_PW}"));
    let rows: String = (0..DEVICES).map(|n| format!("dev-{n:04}\n")).collect();
    cli.write("list.csv", format!("id\n{rows}"));
    cli.ok(&format!("key pool fill {pki} --type ec-p256 --count {KEYS} --pool-password-file pw"));
    (cli, disk)
}

/// What is in the unpacked archive: the serial number of each device's certificate.
fn unpacked(cli: &Cli) -> BTreeMap<String, String> {
    let secrets = cli.text("disk/secrets.csv");
    let mut passwords = HashMap::new();
    for row in secrets.lines().skip(1) {
        let [id, serial, password] = row.split(',').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let twice = passwords.insert(id.to_owned(), (serial.to_owned(), password.to_owned()));
        assert!(twice.is_none(), "{id} is in the list of passwords twice");
    }
    let mut serials = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for name in cli.names("un") {
        let read = |file: &str| cli.read(&format!("un/{name}/{file}"));
        let chain = Certificate::all_from_pem_or_der(&read("chain.pem")).unwrap();
        let key = PrivateKey::read(&read("key.pem"), None).unwrap();
        assert_eq!(chain[0].spki, key.public_key().spki(), "{name}");
        assert!(keys.insert(chain[0].spki.clone()), "{name} has a key that another one has");
        let (serial, password) = &passwords[&name];
        assert_eq!(*serial, chain[0].serial.to_string(), "{name}");
        store::open(&read("keystore.p12"), Some(&Password::new(password.as_str())), None)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        serials.insert(name, serial.clone());
    }
    assert_eq!(passwords.len(), serials.len());
    serials
}

#[test]
fn kills_lose_nothing_of_an_archive_of_passwords_and_of_keys() {
    let Some(tar) = tool("tar") else { return };
    let mut lot = Lot::from_seed();
    let (cli, _disk) = ready();
    let line = format!("{LINE} {CA_PW}");
    let part = cli.path("disk/d.tar.part");
    let length = || fs::metadata(&part).map_or(0, |metadata| metadata.len());
    let mut kills = 0;
    let mut done = false;
    for _ in 0..200 {
        // A run that goes on where the file was left; some time after it has grown, or early.
        let before = length();
        let mut process = Running::start(&cli, &line);
        let early = lot.below(4) == 0;
        let age = lot.part(Duration::from_millis(400));
        process.wait_until(|process| match early {
            true => process.age() >= age,
            false => length() > before,
        });
        // Most of the time before the chunk is recorded, so that there are many kills.
        let most = if lot.below(5) == 0 { 400 } else { 15 };
        sleep(lot.part(Duration::from_millis(most)));
        match process.kill() {
            None => kills += 1,
            Some(outcome) => {
                outcome.expect(0);
                done = true;
                break;
            }
        }
    }
    eprintln!("{kills} kills");
    if !done {
        cli.ok(&line);
    }
    assert!(kills >= 3, "{kills} kills only");
    fs::create_dir(cli.path("un")).unwrap();
    tar.run(&["-xf", arg(&cli.path("disk/d.tar")), "-C", arg(&cli.path("un"))]);
    let listed = tar.run(&["-tf", arg(&cli.path("disk/d.tar"))]);
    assert_eq!(listed.matches("key.pem").count(), DEVICES, "a device is there twice");
    let serials = unpacked(&cli);
    assert_eq!(serials.len(), DEVICES);
    for device in cli.run("device list --pki disk/pki --json").expect(0).json_lines() {
        let id = device["id"].as_str().unwrap();
        assert_eq!(device["serial"], serials[id].as_str(), "{id}");
    }
    let report = cli.run("registry check --pki disk/pki --json").expect(0).json();
    assert_eq!(report["keys"]["good"], DEVICES, "{report}");
    // What the last run has drawn and not used waits again.
    let pool = cli.names("disk/pki/key-pool/ec-p256");
    let waiting = pool.iter().filter(|name| name.ends_with(".pem")).count();
    assert_eq!(waiting, KEYS - DEVICES, "{pool:?}");
    assert!(cli.names("disk/pki/key-pool/ec-p256/.drawn").is_empty());
    assert_eq!(cli.names("disk"), ["d.tar", "pki", "secrets.csv"]);
}
