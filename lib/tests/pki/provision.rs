//! Issuing devices: whole or not at all, once and only once, also after a stop.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::folder::{Folder, ec, now, password};
use c8y_pki_core::cert::{Certificate, LongestChain};
use c8y_pki_core::chain::{Options, check_device, verify};
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, EntryKind, Pkcs12Options};
use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::pki::policy::SigningPolicy;
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::provision::inspect::check_keys;
use c8y_pki_engine::provision::{
    Context, Existing, Job, Keep, Out, Progress, ProvisionError, RevokedDevices, Summary, run,
};

/// Few iterations: these tests are about files, not about guessing passwords.
const QUICK: Pkcs12Options = Pkcs12Options {
    compat: store::Compat::Modern,
    encryption_iterations: 10,
    mac_iterations: 10,
    plain_certificates: false,
    pbmac1: false,
};

struct Run<'a> {
    kinds: &'a [Bundle],
    trusted: &'a [Certificate],
    store_password: Option<&'a Password>,
    existing: Existing,
    stop_after: Option<usize>,
}

const PEM: Run<'static> = Run {
    kinds: &[Bundle::Pem],
    trusted: &[],
    store_password: None,
    existing: Existing::Skip,
    stop_after: None,
};

fn issue(
    pki: &mut Pki,
    out: &Path,
    ids: &[String],
    how: &Run<'_>,
) -> Result<Summary, ProvisionError> {
    issue_telling(pki, out, ids, how, &|_| {})
}

/// The same, and tells which devices are issued.
fn issue_telling(
    pki: &mut Pki,
    out: &Path,
    ids: &[String],
    how: &Run<'_>,
    issued: &(dyn Fn(&[DeviceId]) + Sync),
) -> Result<Summary, ProvisionError> {
    let ca = pki.ca("root").unwrap();
    let key = ca.unlock(&password()).unwrap();
    let job = Job {
        ca: &ca,
        key: &key,
        profile: &ec("device"),
        subject: &Name::builder().with("O", "Example").unwrap(),
        days: None,
        beyond_issuer: BeyondIssuer::Refuse,
        out: Out::Folders(out),
        bundle: BundleSettings {
            kinds: how.kinds,
            store_password: how.store_password,
            key_password: None,
            key_iterations: 1,
            pkcs12: QUICK,
            trusted: how.trusted,
        },
        existing: how.existing,
        revoked: RevokedDevices::Issue,
        keep: Keep::default(),
        order: None,
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &SigningPolicy::default(),
        keys: KeyPolicy::default(),
        threads: 2,
    };
    fs::create_dir_all(out).unwrap();
    let stop = AtomicBool::new(false);
    let list = DeviceList::from_ids(ids.iter().map(String::as_str));
    let seen = AtomicUsize::new(0);
    let progress = |progress: Progress| {
        seen.store(progress.done, Ordering::Relaxed);
        if how.stop_after.is_some_and(|n| progress.done >= n) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let context = Context { stop: &stop, progress: &progress, issued, ..Context::at(now()) };
    run(pki, &job, list, &context)
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("device-{n:04}")).collect()
}

/// Every device has a directory with a key that fits its certificate, and the registry agrees.
fn check(folder: &Folder, out: &Path, count: usize) {
    let records = folder.pki.registry().live_devices(None).unwrap();
    assert_eq!(records.len(), count);
    for record in &records {
        let id = record.holder.device().unwrap();
        let dir = out.join(id.file_name());
        let key = PrivateKey::read(&fs::read(dir.join("key.pem")).unwrap(), None).unwrap();
        let chain =
            Certificate::all_from_pem_or_der(&fs::read(dir.join("chain.pem")).unwrap()).unwrap();
        assert_eq!(chain[0].der(), record.der, "{id}");
        assert_eq!(chain[0].spki, key.public_key().spki(), "{id}");
        assert_eq!(chain[0].subject.common_name(), Some(id.as_str()));
    }
    let entries = fs::read_dir(out).unwrap().count();
    assert_eq!(entries, count, "staging or another directory is left");
}

#[test]
fn devices_are_issued_once() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let summary = issue(&mut folder.pki, &out, &ids(600), &PEM).unwrap();
    assert_eq!((summary.issued, summary.skipped), (600, 0));
    check(&folder, &out, 600);
    let summary = issue(&mut folder.pki, &out, &ids(610), &PEM).unwrap();
    assert_eq!((summary.issued, summary.skipped, summary.incomplete), (10, 600, 0));
    check(&folder, &out, 610);
    fs::rename(out.join("device-0001"), folder.path().join("moved")).unwrap();
    let summary = issue(&mut folder.pki, &out, &ids(610), &PEM).unwrap();
    assert_eq!((summary.skipped, summary.incomplete), (610, 1), "a lost directory goes unnoticed");
}

#[test]
fn what_is_issued_passes_the_platforms_rules() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    issue(&mut folder.pki, &out, &["gw-1".to_owned()], &PEM).unwrap();
    let pem = fs::read(out.join("gw-1").join("chain.pem")).unwrap();
    let chain = Certificate::all_from_pem_or_der(&pem).unwrap();
    verify(&chain[0], &chain[1..], &chain[1..], &Options::new(now())).unwrap();
    let id = DeviceId::parse("gw-1").unwrap();
    assert_eq!(check_device(&chain, &chain[1..], &id, LongestChain::CLOUD), []);
}

#[cfg(unix)]
#[test]
fn keys_are_private_and_folders_too() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let store_password = Some(&password());
    let root = folder.pki.ca("root").unwrap();
    let kinds: Vec<Bundle> = Bundle::ALL.iter().map(|(kind, _)| *kind).collect();
    let how = Run { kinds: &kinds, trusted: &root.chain, store_password, ..PEM };
    issue(&mut folder.pki, &out, &["gw-1".to_owned()], &how).unwrap();
    let dir = out.join("gw-1");
    assert_eq!(mode(&dir), 0o700);
    for file in ["key.pem", "keystore.p12", "keystore.jks", "truststore.p12", "truststore.jks"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(root.key_place().path()), 0o600);
}

#[test]
fn stores_hold_key_and_chain() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let kinds = [Bundle::P12, Bundle::Jks];
    let how = Run { kinds: &kinds, store_password: Some(&password()), ..PEM };
    issue(&mut folder.pki, &out, &["gw-1".to_owned()], &how).unwrap();
    for file in ["keystore.p12", "keystore.jks"] {
        let bytes = fs::read(out.join("gw-1").join(file)).unwrap();
        let store = store::open(&bytes, Some(&password()), None).unwrap();
        let entry = store.entry(store::DEVICE_KEY_ALIAS).unwrap();
        let EntryKind::Key { chain, .. } = entry.kind() else { panic!("{file}: {entry:?}") };
        assert_eq!(chain.len(), 2, "{file}");
    }
}

#[test]
fn nothing_is_made_when_anything_is_wrong() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    issue(&mut folder.pki, &out, &ids(1), &PEM).unwrap();
    fs::create_dir(out.join("stranger")).unwrap();
    let mut wanted = ids(2);
    wanted.extend(["a:b".to_owned(), "stranger".to_owned(), "DEVICE-0001".to_owned()]);
    let how = Run { existing: Existing::Fail, ..PEM };
    let error = issue(&mut folder.pki, &out, &wanted, &how).unwrap_err();
    let ProvisionError::Faults { faults, total } = error else { panic!("{error}") };
    assert_eq!(total, 5);
    let messages: Vec<&str> = faults.first.iter().map(|f| f.message.as_str()).collect();
    for expected in ["contains ':'", "only in case", "live certificate already", "its directory"] {
        assert!(messages.iter().any(|m| m.contains(expected)), "{expected}: {messages:?}");
    }
    assert!(!out.join("device-0001").exists());
    fs::remove_dir(out.join("stranger")).unwrap();
    check(&folder, &out, 1);
}

#[test]
fn bundles_need_what_they_need() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let mut refused = |kinds: &[Bundle], store_password| {
        let how = Run { kinds, store_password, ..PEM };
        issue(&mut folder.pki, &out, &ids(1), &how).unwrap_err()
    };
    let given = password();
    assert!(matches!(refused(&[Bundle::P12], None), ProvisionError::NoStorePassword));
    let only_trust = refused(&[Bundle::TruststoreP12], Some(&given));
    assert!(matches!(only_trust, ProvisionError::NoKeyInBundle));
    let no_server = refused(&[Bundle::Pem, Bundle::TruststoreP12], Some(&given));
    assert!(matches!(no_server, ProvisionError::NoTrustedCertificate));
}

/// What somebody else does with devices that are issued is no time of the run.
#[test]
fn the_time_of_handing_over_is_not_counted() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let slept = std::time::Duration::from_millis(200);
    let hand_over = |_: &[DeviceId]| std::thread::sleep(slept);
    let begun = std::time::Instant::now();
    let summary = issue_telling(&mut folder.pki, &out, &ids(1), &PEM, &hand_over).unwrap();
    let all = begun.elapsed();
    assert_eq!(summary.issued, 1);
    assert!(summary.seconds <= (all - slept).as_secs_f64(), "{summary:?} of {all:?}");
}

#[test]
fn a_stopped_run_is_finished_by_the_next() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let how = Run { stop_after: Some(1), ..PEM };
    let summary = issue(&mut folder.pki, &out, &ids(3000), &how).unwrap();
    assert!(summary.stopped && summary.issued < 3000, "{summary:?}");
    check(&folder, &out, summary.issued);
    issue(&mut folder.pki, &out, &ids(3000), &PEM).unwrap();
    check(&folder, &out, 3000);
}

/// What a power cut leaves after the registry's transaction: devices in staging, not in place.
#[test]
fn a_device_may_be_called_as_our_own_files_are() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let names = ["journal", "lock", "registry", "0"].map(str::to_owned);
    assert_eq!(issue(&mut folder.pki, &out, &names, &PEM).unwrap().issued, 4);
    check(&folder, &out, 4);
}

#[test]
fn recorded_devices_come_out_of_staging_and_others_go() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    issue(&mut folder.pki, &out, &ids(2), &PEM).unwrap();
    let chunk = out.join(".c8y-pki-staging").join("stopped").join("0");
    fs::create_dir_all(&chunk).unwrap();
    fs::rename(out.join("device-0000"), chunk.join("device-0000")).unwrap();
    // One that was never recorded, and one whose journal line names another certificate.
    fs::create_dir(chunk.join("device-0009")).unwrap();
    fs::create_dir(chunk.join("device-0001")).unwrap();
    let live = folder.pki.registry().live_device("device-0000").unwrap().unwrap();
    let serial = Certificate::from_der(&live.der).unwrap().serial;
    let journal = format!(
        "{serial}\tdevice-0000\tdevice-0000\n00ff\tdevice-0001\tdevice-0001\n\
         00fe\tdevice-0009\tdevice-0009\n"
    );
    fs::write(chunk.join(".journal"), journal).unwrap();
    // A chunk without a journal was not durable, so the registry cannot have it.
    fs::create_dir_all(chunk.with_file_name("1").join("device-0042")).unwrap();
    let summary = issue(&mut folder.pki, &out, &ids(2), &PEM).unwrap();
    assert_eq!((summary.issued, summary.skipped, summary.recovered), (0, 2, 1));
    check(&folder, &out, 2);
}

/// A power cut between the two renames that replace a device's directory, and just before the first.
#[test]
fn a_replacement_that_was_stopped_is_finished() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let how = Run { existing: Existing::Replace { revoke: false }, ..PEM };
    for former_is_in_the_way in [true, false] {
        issue(&mut folder.pki, &out, &ids(1), &how).unwrap();
        let chunk = out.join(".c8y-pki-staging").join("stopped").join("0");
        fs::create_dir_all(&chunk).unwrap();
        fs::rename(out.join("device-0000"), chunk.join("device-0000")).unwrap();
        if former_is_in_the_way {
            fs::create_dir(out.join("device-0000")).unwrap();
            fs::write(out.join("device-0000").join("key.pem"), "the former key").unwrap();
        }
        let live = folder.pki.registry().live_device("device-0000").unwrap().unwrap();
        let journal = format!("{}\tdevice-0000\tdevice-0000\n", live.serial);
        fs::write(chunk.join(".journal"), journal).unwrap();
        let summary = issue(&mut folder.pki, &out, &ids(1), &PEM).unwrap();
        assert_eq!((summary.recovered, summary.skipped, summary.incomplete), (1, 1, 0));
        let replaced = out.join(".replaced").join("device-0000");
        if former_is_in_the_way {
            let kept = fs::read_to_string(replaced.join("1").join("key.pem")).unwrap();
            assert_eq!(kept, "the former key");
        }
        let mut checked = folder.pki.registry().check().unwrap();
        check_keys(folder.pki.registry(), &mut checked).unwrap();
        assert_eq!(checked.findings, []);
    }
}

#[test]
fn two_stations_share_a_folder() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let dir = folder.pki.dir().to_owned();
    let wanted = ids(1500);
    let summaries: Vec<Summary> = std::thread::scope(|scope| {
        let station = || {
            let mut pki = Pki::open(&dir, now()).unwrap();
            issue(&mut pki, &out, &wanted, &PEM).unwrap()
        };
        let others: Vec<_> = (0..2).map(|_| scope.spawn(station)).collect();
        others.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    assert_eq!(summaries.iter().map(|s| s.issued).sum::<usize>(), 1500, "{summaries:?}");
    check(&folder, &out, 1500);
    let records = folder.pki.registry().live_devices(Some("root")).unwrap();
    let serials: std::collections::HashSet<_> =
        records.iter().map(|r| Certificate::from_der(&r.der).unwrap().serial).collect();
    assert_eq!(serials.len(), 1500, "a serial number repeats");
    let summary = issue(&mut folder.pki, &out, &wanted, &PEM).unwrap();
    assert_eq!(summary.skipped, 1500);
}
