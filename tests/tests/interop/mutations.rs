//! Every reader of files, with inputs that are nearly right: good ones, in every form, with a few bytes changed.
//! Nothing may panic, hang, or take much memory.
//!
//! The inputs come from their numbers alone, so that one that fails can be made again. `C8Y_PKI_MUTATIONS` says
//! how many there are in all, and `C8Y_PKI_THOROUGH=1` takes twenty times as many as usual; docs/performance.md has the
//! figures of a long run.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::read;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, OpenOptions, pkcs7};
use c8y_pki_engine::inspect::{Passwords, inspect};
use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::manifest::Listing;
use c8y_pki_engine::platform::pop::{VerificationCode, signature};
use c8y_pki_engine::registration;
use c8y_pki_tests::cli::PASSWORD;
use c8y_pki_tests::{data_dir, forms, python_with, rounds};

/// Inputs in all, unless `C8Y_PKI_MUTATIONS` says otherwise: some seconds.
const FEW: usize = 20_000;

/// A reader that has not come back after that is taken to hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// The most memory that all of it together may take, in KiB. scrypt may have 128 MiB of it.
const MOST_MEMORY: u64 = 1 << 20;

/// A reader, and good inputs for it. It tells whether it took the input.
struct Target {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    read: fn(&[u8]) -> bool,
}

/// xorshift64*, of Vigna: deterministic, and good enough to choose bytes.
struct Random(u64);

impl Random {
    fn new(number: u64) -> Self {
        Self(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap_or_default() % limit.max(1)
    }
}

/// Bytes that decide something in DER, PEM, CSV or JKS.
const TELLING: &[u8] = b"\x00\x01\x02\x03\x04\x05\x06\x0c\x13\x1e\x24\x30\x31\x7f\x80\x81\x84\x88\xa0\xa1\xfe\xff-=\n\r;,\"\\: MA/9";

/// The input of a number: a seed with up to four changes.
fn mutated(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let length = 1 + random.below(8);
        let end = (at + length).min(bytes.len());
        match random.below(9) {
            _ if bytes.is_empty() => bytes.push(TELLING[random.below(TELLING.len())]),
            0 => bytes[at] ^= 1 << random.below(8),
            1 | 2 => bytes[at] = TELLING[random.below(TELLING.len())],
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => bytes.insert(at, TELLING[random.below(TELLING.len())]),
            6 => bytes.truncate(at),
            7 => bytes[at] = bytes[at].wrapping_add(1),
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let piece = &other[from..(from + 64).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
    bytes
}

fn keys_dir_file(name: &str) -> Vec<u8> {
    fs::read(data_dir().join("keys").join(name)).expect(name)
}

fn all_of(forms: Vec<forms::Form>) -> Vec<Vec<u8>> {
    forms.into_iter().map(|(_, bytes)| bytes).collect()
}

fn open_store(bytes: &[u8]) -> bool {
    let password = Password::new(PASSWORD);
    let options =
        |store_password| OpenOptions { store_password, key_password: None, allow_unverified: true };
    let without = store::open_with(bytes, options(None)).is_ok();
    store::open_with(bytes, options(Some(&password))).is_ok() || without
}

fn read_key(bytes: &[u8]) -> bool {
    let password = Password::new(PASSWORD);
    let without = read::key(bytes, None).is_ok();
    read::key(bytes, Some(&password)).is_ok() || without
}

fn read_certificates(bytes: &[u8]) -> bool {
    let password = Password::new(PASSWORD);
    read::certificates(bytes, Some(&password)).is_ok()
}

fn describe_it(bytes: &[u8]) -> bool {
    let password = Password::new(PASSWORD);
    let passwords = Passwords { password: Some(&password), key: None };
    let described = inspect(bytes, passwords);
    // What is shown is made of it, too.
    described.is_ok_and(|items| serde_json::to_string(&items).is_ok())
}

fn read_small_texts(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let name = Name::parse(&text).is_ok();
    let uri = text.parse::<c8y_pki_core::key::pkcs11::KeyUri>().is_ok();
    let code = VerificationCode::parse(&text).is_ok();
    let password = Password::from_file(bytes).is_ok();
    !signature(bytes).is_empty() && (name || uri || code || password)
}

/// A workbook of Python, where it is there.
fn workbook() -> Option<Vec<u8>> {
    let python = python_with("openpyxl")?;
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let path = dir.path().join("list.xlsx");
    let script = "import sys, openpyxl\nbook = openpyxl.Workbook()\nsheet = book.active\n\
                  sheet.append(['id', 'ICCID'])\nsheet.append(['gw-1', '8949020000000000001'])\n\
                  sheet.append(['gw-2', 42])\nbook.save(sys.argv[1])";
    python.run(&["-c", script, path.to_str().expect("Unicode")]);
    fs::read(path).ok()
}

fn lists() -> Vec<Vec<u8>> {
    let csv =
        "id;name;ICCID\r\n000123;Pump 7;\"8949020000000000001\"\r\n=\"000124\";\"a;b\";\r\n;;\r\n";
    let mut all = vec![
        csv.as_bytes().to_vec(),
        format!("sep=;\r\n{csv}").into_bytes(),
        csv.replace(';', ",").into_bytes(),
        csv.replace(';', "\t").into_bytes(),
        [&b"\xff\xfe"[..], &csv.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
            .concat(),
        b"Serial number;Ort\nGW-1;K\xf6ln\n".to_vec(),
        b"ID;AUTH_TYPE;ENROLLMENT_OTP;NAME;TYPE\ngw-1;CERTIFICATES;;gw 1;t\n".to_vec(),
    ];
    all.extend(workbook());
    all
}

/// Every reader.
fn targets() -> Vec<Target> {
    let certificates =
        |name: &str| Certificate::all_from_pem_or_der(&keys_dir_file(name)).expect("certificates");
    let chain = ["rsa-2048", "intermediate", "root"]
        .map(|name| certificates(&format!("{name}.cert.pem")))
        .concat();
    let one = certificates("ec-p256.cert.pem");
    let key = |name: &str| PrivateKey::read(&keys_dir_file(name), None).expect("a key");
    let mut of_certificates = all_of(forms::of_certificates(&one));
    of_certificates.extend(all_of(forms::of_certificates(&chain)));
    let mut of_keys = all_of(forms::of_key(&key("rsa-2048.key.pem"), &chain));
    of_keys
        .extend(["ec-p256", "ec-p384", "ed25519"].map(|n| keys_dir_file(&format!("{n}.key.pem"))));
    let mut stores: Vec<Vec<u8>> = of_keys.iter().chain(&of_certificates).cloned().collect();
    // Made by OpenSSL and Java, with few iterations.
    let made =
        ["openssl-legacy.p12", "openssl-empty-password.p12", "openssl-no-mac.p12", "keytool.jceks"];
    stores.extend(made.map(|name| fs::read(data_dir().join("stores").join(name)).expect(name)));
    let request = keys_dir_file("ec-p256.csr.pem");
    let list = keys_dir_file("revoked.crl.pem");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("PEM");
    let der = |bytes: &[u8]| forms::der_of(&text(bytes));
    let mut of_requests = all_of(forms::of_pem(&text(&request)));
    of_requests.extend(all_of(forms::of_der(&der(&request))));
    let mut of_lists = all_of(forms::of_pem(&text(&list)));
    of_lists.extend(all_of(forms::of_der(&der(&list))));
    let everything: Vec<Vec<u8>> =
        stores.iter().chain(&of_requests).chain(&of_lists).cloned().collect();
    let target = |name, seeds: &[Vec<u8>], read| Target { name, seeds: seeds.to_vec(), read };
    vec![
        target("certificates", &of_certificates, read_certificates),
        target("keys", &of_keys, read_key),
        target("requests", &of_requests, |b| {
            // A request that is read is looked at, too.
            read::requests(b).is_ok_and(|all| {
                all.iter()
                    .flatten()
                    .filter(|r| r.check_to_certify(Default::default()).is_ok())
                    .count()
                    > 0
            })
        }),
        target("revocation lists", &of_lists, |b| read::lists(b).is_ok()),
        target("stores", &stores, open_store),
        target("PKCS#7", &all_of(forms::of_pkcs7(&pkcs7::write(&chain))), |b| {
            pkcs7::contents(b).is_ok()
        }),
        target("what `cert show` shows", &everything, describe_it),
        target("device lists", &lists(), |b| DeviceList::from_csv("list", b).is_ok()),
        target("registration lists", &lists(), |b| registration::check("list", b).is_good()),
        target(
            "manifests",
            &[
                manifest(
                    "#c8y-pki manifest 2; purpose: hand-over of devices; issuer: CN=Line; issuer SHA-256: ",
                ),
                manifest(""),
            ],
            |b| Listing::read(b).is_ok(),
        ),
        target("profiles", &profiles(), |b| {
            Profile::parse("p", &String::from_utf8_lossy(b)).is_ok()
        }),
        target(
            "names, URIs, codes, passwords, signatures",
            &[
                b"CN=gw-0001,OU=Line 7+SERIALNUMBER=12,O=Example \\C3\\A4,C=DE".to_vec(),
                b"pkcs11:token=Factory;object=line%207;id=%51%52?module-path=/usr/lib/a.so"
                    .to_vec(),
                b"a1b2c3d4-code".to_vec(),
                b"SHA2-256(code.txt)= 41aabd385b17defa0f539ec0e3c96f929f238bd78a54fe3c".to_vec(),
                [
                    &b"\xff\xfe"[..],
                    &"QUJD\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
                ]
                .concat(),
            ],
            read_small_texts,
        ),
    ]
}

/// A manifest of one device with its first line, or one of an old version without.
fn manifest(mark: &str) -> Vec<u8> {
    let issuer = "5a".repeat(32);
    let first = if mark.is_empty() { String::new() } else { format!("{mark}{issuer}\n") };
    let columns = "device_id,serial,fingerprint_sha256,public_key_sha256,not_before,not_after,status,\
                   issuer_fingerprint_sha256";
    format!("{first}{columns}\ngw-1,1,1,1,1,1,1,{issuer}\n").into_bytes()
}

fn profiles() -> Vec<Vec<u8>> {
    c8y_pki_core::profile::BUILT_IN.iter().map(|(_, text)| text.as_bytes().to_vec()).collect()
}

/// The most memory that this process has had, in KiB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}

/// Ends the process, with the number of the input, if the numbers stop.
fn watch(number: &AtomicU64, is_done: &AtomicBool) {
    let (mut last, mut since) = (u64::MAX, Instant::now());
    while !is_done.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(50));
        let now = number.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            eprintln!("input {now} does not come to an end");
            std::process::abort();
        }
    }
}

#[test]
fn no_reader_panics_or_hangs() {
    let wanted = std::env::var("C8Y_PKI_MUTATIONS").ok();
    let usual = || rounds(FEW, 20 * FEW) as u64;
    let wanted: u64 = wanted.map_or_else(usual, |text| text.parse().expect("a number"));
    let targets = targets();
    let each = wanted.div_ceil(targets.len() as u64);
    let (number, is_done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| watch(&number, &is_done));
        for target in &targets {
            for seed in &target.seeds {
                // Some seeds are of another kind than this reader's, as a key is beside certificates.
                let _ = (target.read)(seed);
            }
            let (begun, mut taken, mut slowest) = (Instant::now(), 0_u64, Duration::ZERO);
            for index in 0..each {
                number.store(index, Ordering::Relaxed);
                let bytes = mutated(&target.seeds, index);
                let one = Instant::now();
                let read = panic::catch_unwind(AssertUnwindSafe(|| (target.read)(&bytes)));
                slowest = slowest.max(one.elapsed());
                let Ok(was_taken) = read else {
                    is_done.store(true, Ordering::Relaxed);
                    panic!("{} panics at input {index}", target.name);
                };
                taken += u64::from(was_taken);
            }
            eprintln!(
                "{}: {each} inputs, {taken} taken, slowest {slowest:.0?}, {:.0?} in all",
                target.name,
                begun.elapsed()
            );
            // Inputs that are all refused at their first byte would show little.
            assert!(taken > 0 && taken < each, "{}: {taken} of {each} are taken", target.name);
        }
        is_done.store(true, Ordering::Relaxed);
    });
    eprintln!("{} inputs, most memory {} KiB", each * targets.len() as u64, peak());
    assert!(peak() < MOST_MEMORY, "{} KiB", peak());
}
