//! The key pool: each key for one device, once, also when a run was stopped at any point.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::folder::{Folder, ec, now, password, pem_only};
use c8y_pki_core::crypto::{KeyPolicy, KeyType};
use c8y_pki_core::failure::{Failure, Hint, Task};
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::name::Name;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::pki::policy::SigningPolicy;
use c8y_pki_engine::pki::{AuthorityError, KeyPool, Pki};
use c8y_pki_engine::provision::{
    Context, Existing, Job, Keep, Out, ProvisionError, RevokedDevices, Summary, run,
};

fn pool_password() -> Password {
    Password::new("Pool-Secret-1")
}

fn fill(pki: &Pki, count: usize) -> KeyPool {
    let pool = pki.key_pool(KeyType::EcP256);
    let missing = count - pool.len().unwrap();
    let made =
        pool.fill(pki.registry(), count, &pool_password(), 2, &AtomicBool::new(false), &|_, _| {});
    assert_eq!(made.unwrap(), missing);
    pool
}

fn issue(
    pki: &mut Pki,
    out: &Path,
    ids: std::ops::Range<usize>,
    pool: &Password,
) -> Result<Summary, ProvisionError> {
    let ca = pki.ca("root").unwrap();
    let key = ca.unlock(&password()).unwrap();
    fs::create_dir_all(out).unwrap();
    let job = Job {
        ca: &ca,
        key: &key,
        profile: &ec("device"),
        subject: &Name::builder(),
        days: None,
        beyond_issuer: BeyondIssuer::Refuse,
        out: Out::Folders(out),
        bundle: pem_only(),
        existing: Existing::Skip,
        revoked: RevokedDevices::Issue,
        keep: Keep::default(),
        order: None,
        secrets: None,
        key_pool: Some(pool),
        keep_going: false,
        policy: &SigningPolicy::default(),
        keys: KeyPolicy::default(),
        threads: 2,
    };
    let ids: Vec<String> = ids.map(|n| format!("device-{n}")).collect();
    let list = DeviceList::from_ids(ids.iter().map(String::as_str));
    run(pki, &job, list, &Context::at(now()))
}

/// The public keys of all live devices; no two are the same.
fn public_keys(pki: &Pki) -> HashSet<Vec<u8>> {
    let records = pki.registry().live_devices(None).unwrap();
    let keys: HashSet<Vec<u8>> = records.iter().map(|r| r.certificate().unwrap().spki).collect();
    assert_eq!(keys.len(), records.len(), "two devices have one key");
    keys
}

#[test]
fn each_key_is_taken_once() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let pool = fill(&folder.pki, 30);
    assert_eq!(issue(&mut folder.pki, &out, 0..20, &pool_password()).unwrap().issued, 20);
    assert_eq!(pool.len().unwrap(), 10);
    let error = issue(&mut folder.pki, &out, 0..31, &pool_password()).unwrap_err();
    assert_eq!(error.to_string(), "11 keys of type ec-p256 are needed, and the key pool has 10");
    let fill_up = Task::FillPool { key_type: "ec-p256".to_owned(), count: 11 };
    assert_eq!(error.hint(), Some(Hint::run("make them first", fill_up)));
    assert_eq!(pool.len().unwrap(), 10, "keys are lost by a run that was refused");
    fill(&folder.pki, 15);
    assert_eq!(issue(&mut folder.pki, &out, 0..35, &pool_password()).unwrap().issued, 15);
    assert!(pool.is_empty().unwrap());
    assert_eq!(public_keys(&folder.pki).len(), 35);
    assert!(!pool.dir().join(".drawn").read_dir().is_ok_and(|mut dir| dir.next().is_some()));
}

#[test]
fn what_a_stopped_run_has_drawn_is_settled() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let pool = fill(&folder.pki, 4);
    let files: Vec<_> = fs::read_dir(pool.dir()).unwrap().map(|e| e.unwrap().path()).collect();
    let copies: Vec<_> =
        files.iter().map(|f| (f.file_name().unwrap().to_owned(), fs::read(f).unwrap())).collect();
    let batch = issue(&mut folder.pki, &out, 0..3, &pool_password()).unwrap().batch.unwrap();
    assert_eq!(pool.len().unwrap(), 1);
    let waiting: Vec<_> = fs::read_dir(pool.dir())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    // As if the power had gone before the drawn keys were removed, and before the last was certified.
    let drawn = pool.dir().join(".drawn").join(&batch);
    let power_cut = || {
        fs::create_dir_all(&drawn).unwrap();
        fs::write(drawn.join("lock"), "").unwrap();
        for (name, bytes) in &copies {
            fs::write(drawn.join(name), bytes).unwrap();
        }
        fs::remove_file(&waiting[0]).unwrap();
    };
    power_cut();
    // Also by a run that finds nothing to do.
    assert_eq!(issue(&mut folder.pki, &out, 0..3, &pool_password()).unwrap().issued, 0);
    assert!(!drawn.exists() && waiting[0].exists());
    power_cut();
    let error = issue(&mut folder.pki, &out, 0..10, &pool_password()).unwrap_err();
    assert!(error.to_string().starts_with("7 keys"), "{error}");
    assert_eq!(pool.len().unwrap(), 1, "a certified key waits again, or the other one is lost");
    assert!(waiting[0].exists());
    assert!(!drawn.exists());
    assert_eq!(issue(&mut folder.pki, &out, 0..4, &pool_password()).unwrap().issued, 1);
    assert_eq!(public_keys(&folder.pki).len(), 4);
}

/// The pool as it was before a run, put back from a backup after it.
#[test]
fn a_key_that_was_certified_and_came_back_is_not_taken_again() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let pool = fill(&folder.pki, 1);
    let file = fs::read_dir(pool.dir()).unwrap().map(|e| e.unwrap().path()).next().unwrap();
    let backup = fs::read(&file).unwrap();
    assert_eq!(issue(&mut folder.pki, &out, 0..1, &pool_password()).unwrap().issued, 1);
    fs::write(&file, backup).unwrap();
    let error = issue(&mut folder.pki, &out, 1..2, &pool_password()).unwrap_err();
    let told = format!("{}: a certificate was issued for this key before", file.display());
    assert_eq!(error.to_string(), told);
    assert!(error.hint().unwrap().to_string().contains("remove this file"), "{error}");
    assert_eq!(public_keys(&folder.pki).len(), 1);
    fs::remove_file(&file).unwrap();
    fill(&folder.pki, 1);
    assert_eq!(issue(&mut folder.pki, &out, 1..2, &pool_password()).unwrap().issued, 1);
}

#[test]
fn a_wrong_password_takes_nothing() {
    let mut folder = Folder::with_root();
    let out = folder.path().join("out");
    let pool = fill(&folder.pki, 2);
    let wrong = Password::new("another");
    let error = issue(&mut folder.pki, &out, 0..2, &wrong).unwrap_err();
    assert!(error.to_string().contains("the password does not open the private key"), "{error}");
    let filled =
        pool.fill(folder.pki.registry(), 4, &wrong, 1, &AtomicBool::new(false), &|_, _| {});
    assert!(matches!(filled, Err(AuthorityError::Key { .. })), "{filled:?}");
    assert_eq!(pool.len().unwrap(), 2);
    assert_eq!(public_keys(&folder.pki).len(), 0);
}
