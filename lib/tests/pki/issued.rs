//! One device through `Pki::issue`: what a service does.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::clock::ClockError;
use c8y_pki_core::crl::Reason;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr::{self, CsrError};
use c8y_pki_core::failure::Failure as _;
use c8y_pki_core::issue::IssueError;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_engine::pki::{
    AuthorityError, CaKey, DeviceRequest, Issued, Pki, Replacing, RequestError,
};
use c8y_pki_engine::provision::Existing;
use c8y_pki_engine::registry::{Registry, RegistryError, Status};
use time::Duration;

use crate::folder::{Folder, now, on_server, password};
use crate::life::{factory, ids, issue, list};

const fn shared<T: Send + Sync>() {}
const _: () = {
    shared::<Pki>();
    shared::<Registry>();
    shared::<CaKey>();
    shared::<DeviceRequest<'static>>();
};

fn key() -> PrivateKey {
    PrivateKey::generate(KeyType::EcP256).unwrap()
}

fn request(key: &PrivateKey, subject: &str) -> Vec<u8> {
    csr::pem(&csr::make(&Name::parse(subject).unwrap(), key).unwrap()).into_bytes()
}

fn line_key(pki: &Pki) -> CaKey {
    pki.ca("line").unwrap().unlock(&password()).unwrap()
}

fn with_line() -> Folder {
    let mut folder = Folder::with_root();
    folder.add("line", "root", None).unwrap();
    folder
}

fn signed(pki: &Pki, id: &str, key: &PrivateKey) -> Result<Issued, RequestError> {
    let ca_key = line_key(pki);
    let csr = request(key, &format!("CN={id}"));
    pki.issue(&DeviceRequest::from_csr(&ca_key, &csr, now()).unwrap())
}

fn refused(pki: &Pki, id: &str, key: &PrivateKey) -> String {
    let error = signed(pki, id, key).unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert!(error.hint().is_some(), "{error}");
    error.to_string()
}

/// What is in the PKI directory besides the registry.
fn files(pki: &Pki) -> Vec<String> {
    fn walk(dir: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path.display().to_string()),
            }
        }
    }
    let mut found = Vec::new();
    walk(pki.dir().parent().unwrap(), &mut found);
    found.retain(|path| !path.contains("registry.sqlite"));
    found.sort();
    found
}

#[test]
fn a_request_becomes_a_recorded_certificate_and_no_file() {
    let folder = with_line();
    let (pki, key) = (&folder.pki, key());
    let before = files(pki);
    let issued = signed(pki, "gw-1", &key).unwrap();
    assert!(issued.is_new);
    assert_eq!(issued.id.as_str(), "gw-1");
    assert_eq!(issued.certificate.spki, key.public_key().spki());
    let names: Vec<_> = issued.chain.iter().map(|c| c.subject.to_string()).collect();
    assert_eq!(names, ["CN=gw-1", "CN=line", "CN=root"]);
    assert_eq!(files(pki), before);
    let live = pki.registry().live_device("gw-1").unwrap().unwrap();
    assert_eq!((live.der.as_slice(), live.has_key), (issued.certificate.der(), false));
    // An answer that was lost is given again.
    let again = signed(pki, "gw-1", &key).unwrap();
    assert!(!again.is_new);
    assert_eq!((again.certificate, again.chain), (issued.certificate, issued.chain));
    assert_eq!(pki.registry().history("gw-1").unwrap().len(), 1);
    assert_eq!(pki.registry().check().unwrap().findings, []);
}

#[test]
fn a_public_key_is_certified_for_the_id_that_is_said() {
    let folder = with_line();
    let (ca_key, key) = (line_key(&folder.pki), key());
    let id = DeviceId::parse("gw-2").unwrap();
    let request = DeviceRequest::from_key(&ca_key, id, key.public_key().clone(), now());
    let fields = Name::builder().with("O", "Example GmbH").unwrap();
    let request = request.days(30).subject(fields).detail("NAME", "Gateway 2");
    let issued = folder.pki.issue(&request).unwrap();
    assert_eq!(issued.certificate.subject.to_string(), "CN=gw-2,O=Example GmbH");
    assert_eq!(issued.certificate.not_after, now() + Duration::days(30));
    let live = folder.pki.registry().live_device("gw-2").unwrap().unwrap();
    assert_eq!(live.details["NAME"], "Gateway 2");
    // The id that the service knows counts, not what the device says of itself.
    let other = PrivateKey::generate(KeyType::EcP384).unwrap();
    let csr = self::request(&other, "CN=gw-2");
    let request = DeviceRequest::from_csr(&ca_key, &csr, now()).unwrap();
    let issued = folder.pki.issue(&request.id(DeviceId::parse("gw-3").unwrap())).unwrap();
    assert_eq!(issued.certificate.subject.common_name(), Some("gw-3"));
}

#[test]
fn requests_are_refused_as_device_sign_refuses_them() {
    let (mut folder, _) = factory();
    let (ca_key, good) = (line_key(&folder.pki), key());
    let pki = &folder.pki;
    let from = |bytes: &[u8]| DeviceRequest::from_csr(&ca_key, bytes, now());
    // The signature is not that of the key.
    let mut broken = csr::make(&Name::parse("CN=gw-1").unwrap(), &good).unwrap();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let error = pki.issue(&from(&broken).unwrap()).unwrap_err();
    assert!(matches!(error, RequestError::Csr(CsrError::NotPossessed { .. })), "{error}");
    let none = pki.issue(&from(&request(&good, "O=Example")).unwrap()).unwrap_err();
    assert!(matches!(none, RequestError::NoCommonName), "{none}");
    let both = [request(&good, "CN=a1"), request(&good, "CN=b1")].concat();
    assert!(matches!(from(&both).unwrap_err(), RequestError::Several(2)));
    assert!(matches!(from(b"hello").unwrap_err(), RequestError::Read(_) | RequestError::Csr(_)));
    let colon = pki.issue(&from(&request(&good, "CN=a:b")).unwrap()).unwrap_err();
    assert!(matches!(colon, RequestError::CommonName(_)), "{colon}");
    let space = refused(pki, "gw 1", &good);
    assert!(space.contains("gw 1"), "{space}");
    // Ids and keys that others have: `a` was issued by the run.
    assert!(refused(pki, "a", &good).contains("has a live certificate already"));
    assert!(refused(pki, "A", &good).contains("only the case of its letters is different"));
    signed(pki, "gw-1", &good).unwrap();
    assert_eq!(
        refused(pki, "gw-9", &good),
        "the key of device id \"gw-9\" is that of the device \"gw-1\" too"
    );
    let live = pki.registry().live_device("gw-1").unwrap().unwrap();
    folder.pki.registry_mut().revoke(&[live], Reason::CessationOfOperation, now(), now()).unwrap();
    let pki = &folder.pki;
    assert!(refused(pki, "gw-1", &key()).contains("was revoked on"));
    assert!(refused(pki, "gw-9", &good).contains("belongs to a revoked certificate"));
    signed(pki, "Caf\u{e9}", &key()).unwrap();
    assert!(refused(pki, "Cafe\u{301}", &key()).contains("looks like that of a device"));
    let id = DeviceId::parse("ca-key").unwrap();
    let own = DeviceRequest::from_key(
        &ca_key,
        id,
        pki.ca("line").unwrap().certificate().public_key.clone().unwrap(),
        now(),
    );
    let error = pki.issue(&own).unwrap_err().to_string();
    assert!(error.ends_with("is that of the CA line too"), "{error}");
}

#[test]
fn a_certificate_of_another_ca_is_not_given_again() {
    let mut folder = with_line();
    let key = key();
    signed(&folder.pki, "gw-1", &key).unwrap();
    folder.add("other", "root", None).unwrap();
    let other = folder.pki.ca("other").unwrap().unlock(&password()).unwrap();
    let csr = request(&key, "CN=gw-1");
    let asked = || DeviceRequest::from_csr(&other, &csr, now()).unwrap();
    let error = folder.pki.issue(&asked()).unwrap_err();
    assert!(matches!(error, RequestError::AlreadyIssued { .. }), "{error}");
    let made = folder.pki.issue(&asked().replace(Replacing::Supersede)).unwrap();
    assert_eq!(made.chain[1].subject.to_string(), "CN=other");
    assert!(!folder.pki.issue(&asked()).unwrap().is_new);
}

#[test]
fn a_replacement_has_to_be_asked_for() {
    let folder = with_line();
    let (pki, ca_key) = (&folder.pki, line_key(&folder.pki));
    let first = signed(pki, "gw-1", &key()).unwrap();
    for (replacing, status) in
        [(Replacing::Supersede, Status::Superseded), (Replacing::Revoke, Status::Revoked)]
    {
        let csr = request(&key(), "CN=gw-1");
        let asked = DeviceRequest::from_csr(&ca_key, &csr, now()).unwrap().replace(replacing);
        assert!(pki.issue(&asked).unwrap().is_new);
        let last = pki.registry().history("gw-1").unwrap();
        assert_eq!(last[last.len() - 2].status, status);
    }
    let all = pki.registry().history("gw-1").unwrap();
    assert_eq!((all.len(), &all[0].serial), (3, &first.certificate.serial));
}

#[test]
fn the_policy_of_today_counts_and_not_that_of_the_start() {
    let folder = with_line();
    let pki = &folder.pki;
    signed(pki, "SN-1", &key()).unwrap();
    let path = pki.dir().join("pki.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n[policy.line]\nids = [\"GW-*\"]\nO = \"supplied\"\n"))
        .unwrap();
    // In a database those count that were put there.
    Pki::open(pki.dir(), now()).unwrap().publish_policies(None, now()).unwrap();
    let error = refused(pki, "SN-2", &key());
    assert!(error.contains("does not let it sign the device id \"SN-2\""), "{error}");
    let error = refused(pki, "GW-2", &key());
    assert!(error.contains("wants O in the subject"), "{error}");
}

#[test]
fn a_ca_or_a_clock_that_must_not_sign_does_not() {
    let mut folder = with_line();
    let ca_key = line_key(&folder.pki);
    let csr = request(&key(), "CN=gw-1");
    let at = |time| DeviceRequest::from_csr(&ca_key, &csr, time).unwrap();
    let pki = &folder.pki;
    let behind = pki.issue(&at(now() - Duration::hours(1))).unwrap_err();
    assert!(matches!(behind, RequestError::Clock(ClockError::Behind { .. })), "{behind}");
    assert!(!behind.is_refusal());
    let long = pki.issue(&at(now()).days(36_500)).unwrap_err();
    assert!(matches!(long, RequestError::Issue(IssueError::Outlives { .. })), "{long}");
    let issued = pki.issue(&at(now()).days(36_500).shorten()).unwrap();
    assert_eq!(issued.certificate.not_after, issued.chain[1].not_after);
    let own = pki.ca("line").unwrap().certificate().clone();
    let record = pki.registry().with_key(&own.spki).unwrap();
    folder.pki.registry_mut().revoke(&record, Reason::CaCompromise, now(), now()).unwrap();
    let error = signed(&folder.pki, "gw-2", &key()).unwrap_err();
    let revoked = RequestError::from(AuthorityError::Revoked {
        subject: "CN=line".to_owned(),
        since: now().date().to_string(),
        reason: Reason::CaCompromise.name(),
    });
    assert_eq!(error.to_string(), revoked.to_string());
}

#[test]
fn a_list_that_changes_meanwhile_is_compared_anew() {
    // A copy of the directory has the same database.
    if on_server() {
        return;
    }
    let (mut folder, _) = factory();
    list(&mut folder.pki, "line", now());
    let pki = &folder.pki;
    let _ = signed(pki, "gw-1", &key()).unwrap();
    let _ = signed(pki, "gw-2", &key()).unwrap();
    // The directory's former self, in which somebody has revoked a device.
    let copy = folder.path().join("copy");
    copy_tree(pki.dir(), &copy);
    let mut beside = Pki::open(&copy, now()).unwrap();
    let a = beside.registry().live_device("a").unwrap().unwrap();
    beside.registry_mut().revoke(&[a], Reason::KeyCompromise, now(), now()).unwrap();
    list(&mut beside, "line", now());
    let names = ["crl.pem", "last-list.json"];
    let of = |dir: &Path, name: &str| dir.join("ca/line").join(name);
    let own = names.map(|name| std::fs::read(of(pki.dir(), name)).unwrap());
    for name in names {
        std::fs::copy(of(&copy, name), of(pki.dir(), name)).unwrap();
    }
    let error = signed(pki, "gw-3", &key()).unwrap_err();
    let is_of_line =
        |e: &AuthorityError| matches!(e, AuthorityError::RolledBack { ca, .. } if ca == "line");
    let is_older = matches!(&error, RequestError::Authority(e) if is_of_line(e));
    assert!(is_older, "{error}");
    for (name, bytes) in names.iter().zip(own) {
        std::fs::write(of(pki.dir(), name), bytes).unwrap();
    }
    assert!(signed(pki, "gw-3", &key()).unwrap().is_new);
    // And a list from the future speaks against the clock.
    list(&mut folder.pki, "line", now() + Duration::hours(1));
    let error = signed(&folder.pki, "gw-4", &key()).unwrap_err();
    assert!(matches!(error, RequestError::Clock(ClockError::Behind { .. })), "{error}");
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_tree(&path, &target),
            false => drop(std::fs::copy(&path, &target).unwrap()),
        }
    }
}

#[test]
fn nothing_is_signed_into_a_registry_that_was_moved_away() {
    // About the file.
    if on_server() {
        return;
    }
    let folder = with_line();
    let path = folder.pki.registry().path().to_owned();
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    let error = signed(&folder.pki, "gw-1", &key()).unwrap_err();
    let moved =
        |e: &AuthorityError| matches!(e, AuthorityError::Registry(RegistryError::Exchanged(_)));
    let moved = matches!(&error, RequestError::Authority(e) if moved(e));
    assert!(moved, "{error}");
    std::fs::rename(path.with_extension("old"), &path).unwrap();
    assert!(folder.pki.registry().live_device("gw-1").unwrap().is_none());
}

#[test]
fn eight_threads_issue_four_hundred_devices_each_once() {
    let folder = with_line();
    let ca_key = Arc::new(line_key_of(&folder));
    let pki = Arc::new(folder.pki);
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let (pki, ca_key) = (Arc::clone(&pki), Arc::clone(&ca_key));
            thread::spawn(move || {
                let one = |number| {
                    let csr = request(&key(), &format!("CN=gw-{thread}-{number}"));
                    let asked = DeviceRequest::from_csr(&ca_key, &csr, now()).unwrap();
                    pki.issue(&asked).unwrap()
                };
                (0..50).map(one).collect::<Vec<_>>()
            })
        })
        .collect();
    let all: Vec<Issued> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    assert!(all.iter().all(|issued| issued.is_new));
    let serials: HashSet<String> =
        all.iter().map(|issued| issued.certificate.serial.to_string()).collect();
    assert_eq!(serials.len(), 400);
    assert_eq!(pki.registry().device_counts().unwrap()["line"], 400);
    for issued in &all {
        let live = pki.registry().live_device(issued.id.as_str()).unwrap().unwrap();
        assert_eq!(live.der, issued.certificate.der());
    }
    assert_eq!(pki.registry().check().unwrap().findings, []);
}

#[test]
fn of_many_that_want_one_id_or_one_key_one_gets_it() {
    let folder = with_line();
    let ca_key = line_key_of(&folder);
    let (pki, together) = (&folder.pki, &Barrier::new(8));
    let one_key = &key();
    for round in 0..6 {
        let results: Vec<Result<Issued, RequestError>> = thread::scope(|scope| {
            let ca_key = &ca_key;
            let ask = |thread: usize| {
                scope.spawn(move || {
                    // Even rounds: one id and many keys; odd ones: one key and many ids.
                    let (id, key) = match round % 2 {
                        0 => (format!("gw-{round}"), &key()),
                        _ => (format!("gw-{round}-{thread}"), one_key),
                    };
                    let csr = request(key, &format!("CN={id}"));
                    let asked = DeviceRequest::from_csr(ca_key, &csr, now()).unwrap();
                    together.wait();
                    pki.issue(&asked)
                })
            };
            let all: Vec<_> = (0..8).map(ask).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let made = results.iter().filter(|result| result.is_ok()).count();
        // The key of the first odd round is somebody's in the later ones.
        assert_eq!(made, usize::from(round % 2 == 0 || round == 1), "{round}: {results:?}");
        for error in results.into_iter().filter_map(Result::err) {
            match round % 2 {
                0 => assert!(matches!(error, RequestError::AlreadyIssued { .. }), "{error}"),
                _ => assert!(matches!(error, RequestError::SharedKey { .. }), "{error}"),
            }
        }
    }
    assert_eq!(pki.registry().check().unwrap().findings, []);
}

#[test]
fn the_same_request_from_many_threads_gets_one_certificate() {
    let folder = with_line();
    let (pki, together, own) = (&folder.pki, &Barrier::new(8), &key());
    let ca_key = &line_key_of(&folder);
    let serials: HashSet<String> = thread::scope(|scope| {
        let ask = |_| {
            scope.spawn(move || {
                let csr = request(own, "CN=gw-1");
                let asked = DeviceRequest::from_csr(ca_key, &csr, now()).unwrap();
                together.wait();
                pki.issue(&asked).unwrap().certificate.serial.to_string()
            })
        };
        let all: Vec<_> = (0..8).map(ask).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(serials.len(), 1);
    assert_eq!(pki.registry().history("gw-1").unwrap().len(), 1);
}

#[test]
fn a_run_of_another_process_beside_it_is_seen() {
    let (folder, out) = factory();
    let shared_key = key();
    signed(&folder.pki, "gw-1", &shared_key).unwrap();
    // As another process has the directory open.
    let mut beside = Pki::open(folder.pki.dir(), now()).unwrap();
    issue(&mut beside, "line", &out, ids(&["d", "gw-1", "e"]), Existing::Skip, now()).unwrap();
    let live = |id: &str| folder.pki.registry().live_device(id).unwrap().unwrap();
    assert!(refused(&folder.pki, "d", &key()).contains(&live("d").serial.to_string()));
    assert!(!signed(&folder.pki, "gw-1", &shared_key).unwrap().is_new);
    // A key that was certified over there is somebody's here.
    let theirs = live("e").certificate().unwrap().public_key.unwrap();
    let ca_key = line_key_of(&folder);
    let id = DeviceId::parse("f").unwrap();
    let error = folder.pki.issue(&DeviceRequest::from_key(&ca_key, id, theirs, now()));
    assert_eq!(
        error.unwrap_err().to_string(),
        "the key of device id \"f\" is that of the device \"e\" too"
    );
}

fn line_key_of(folder: &Folder) -> CaKey {
    let ca = Pki::open(&folder.path().join("pki"), now()).unwrap().ca("line").unwrap();
    ca.unlock(&password()).unwrap()
}
