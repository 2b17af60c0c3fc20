//! A CA over the years: policies, renewals, revocation lists, manifests.

use std::fs;
use std::path::Path;

use crate::folder::{Folder, change, chosen, ec, now, on_server, password, pem_only};
use c8y_pki_core::cert::Certificate;
use c8y_pki_core::chain::{self, Lists, Options, Refusal, VerifiedChain, verify};
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crl::{self, Crl, Reason, Revoked};
use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_core::failure::{Means, Setting};
use c8y_pki_core::issue::{BeyondIssuer, Issuer, Validity};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::manifest;
use c8y_pki_engine::pki::{AuthorityError, Ca, Pki};
use c8y_pki_engine::platform::pop::{CodeError, VerificationCode};
use c8y_pki_engine::provision::inspect::check_keys;
use c8y_pki_engine::provision::renew::{self, RenewedKey};
use c8y_pki_engine::provision::{
    Context, Existing, Job, Keep, Out, ProvisionError, RevokedDevices, Summary, run,
};
use c8y_pki_engine::registry::{Filter, Record, Status};
use time::{Duration, OffsetDateTime};

pub(crate) fn issue(
    pki: &mut Pki,
    ca: &str,
    out: &Path,
    list: DeviceList,
    existing: Existing,
    at: OffsetDateTime,
) -> Result<Summary, ProvisionError> {
    let ca = pki.ca(ca).unwrap();
    let key = ca.unlock(&password()).unwrap();
    let job = Job {
        ca: &ca,
        key: &key,
        profile: &ec("device"),
        subject: &Name::builder().with("O", "Example").unwrap(),
        days: None,
        beyond_issuer: BeyondIssuer::Refuse,
        out: Out::Folders(out),
        bundle: pem_only(),
        existing,
        revoked: RevokedDevices::Issue,
        keep: Keep::default(),
        order: None,
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &pki.policy(&ca.name),
        keys: KeyPolicy::default(),
        threads: 2,
    };
    run(pki, &job, list, &Context::at(at))
}

pub(crate) fn ids(ids: &[&str]) -> DeviceList {
    DeviceList::from_ids(ids.iter().copied())
}

const REPLACE: Existing = Existing::Replace { revoke: false };

/// A root, a line under it, and the devices `a`, `b`, `c` of the line.
pub(crate) fn factory() -> (Folder, std::path::PathBuf) {
    let mut folder = Folder::with_root();
    folder.add("line", "root", None).unwrap();
    let out = folder.path().join("out");
    issue(&mut folder.pki, "line", &out, ids(&["a", "b", "c"]), Existing::Skip, now()).unwrap();
    (folder, out)
}

fn chain_of(out: &Path, id: &str) -> Vec<Certificate> {
    let pem = fs::read(out.join(id).join("chain.pem")).unwrap();
    Certificate::all_from_pem_or_der(&pem).unwrap()
}

pub(crate) fn list(pki: &mut Pki, ca: &str, at: OffsetDateTime) -> Crl {
    let ca = pki.ca(ca).unwrap();
    let key = ca.unlock(&password()).unwrap();
    pki.make_crl(&ca, &key, 30, at).unwrap()
}

/// A lookup for which no certificates but those of the path are at hand.
fn check_revocation(
    path: &VerifiedChain,
    all: &[Crl],
    known: &[Certificate],
    at: OffsetDateTime,
) -> Result<Vec<Refusal>, Refusal> {
    let found = chain::check_revocation(path, &Lists { all, known, signers: &[] }, at);
    found.refusal.map_or(Ok(found.warnings), Err)
}

/// The issuers of the lists that were not used, and why.
fn unused(path: &VerifiedChain, all: &[Crl], known: &[Certificate]) -> Vec<(String, String)> {
    let found = chain::check_revocation(path, &Lists { all, known, signers: &[] }, now());
    found.unused().map(|(list, why)| (list.issuer.to_string(), why.to_owned())).collect()
}

/// What a chain is found to be, with lists: `ok` or the code of the rule.
fn look_up(chain: &[Certificate], lists: &[Crl], at: OffsetDateTime) -> &'static str {
    let path =
        verify(&chain[0], &chain[1..], &chain[chain.len() - 1..], &Options::new(at)).unwrap();
    match check_revocation(&path, lists, &[], at) {
        Ok(_) => "ok",
        Err(refusal) => refusal.rule.code(),
    }
}

// ---- revocation

#[test]
fn revoked_devices_are_in_the_list_and_others_are_not() {
    let (mut folder, out) = factory();
    let empty = list(&mut folder.pki, "line", now());
    assert_eq!(empty.revoked, []);
    let b = folder.pki.registry().live_device("b").unwrap().unwrap();
    let since = now() - Duration::minutes(30);
    let registry = folder.pki.registry_mut();
    registry.revoke(std::slice::from_ref(&b), Reason::CessationOfOperation, since, now()).unwrap();
    let crl = list(&mut folder.pki, "line", now());
    assert_eq!(crl.revoked.len(), 1);
    assert_eq!(crl.revoked[0].serial, b.serial);
    assert_eq!(crl.revoked[0].reason, Reason::CessationOfOperation);
    assert_eq!(crl.revoked[0].at, since);
    let later = list(&mut folder.pki, "line", now());
    assert!(later.number > crl.number && crl.number > empty.number);
    let lists = std::slice::from_ref(&crl);
    assert_eq!(look_up(&chain_of(&out, "a"), lists, now()), "ok");
    assert_eq!(look_up(&chain_of(&out, "b"), lists, now()), "revoked");
    assert_eq!(look_up(&chain_of(&out, "b"), &[empty], now()), "ok", "it did not know yet");
}

#[test]
fn a_revoked_ca_is_found_in_its_issuers_list() {
    let (mut folder, out) = factory();
    let serial = folder.pki.ca("line").unwrap().certificate().serial.clone();
    let filter = Filter { serial: Some(&serial), ..Filter::default() };
    let line = folder.pki.registry().find(&filter).unwrap();
    let registry = folder.pki.registry_mut();
    registry.revoke(&line, Reason::CaCompromise, now(), now()).unwrap();
    let (root, own) = (list(&mut folder.pki, "root", now()), list(&mut folder.pki, "line", now()));
    let chain = chain_of(&out, "a");
    assert_eq!(
        look_up(&chain, std::slice::from_ref(&own), now()),
        "ok",
        "the root's list was not given"
    );
    let path = verify(&chain[0], &chain[1..], &chain[2..], &Options::new(now())).unwrap();
    let refusal = check_revocation(&path, &[own, root], &[], now()).unwrap_err();
    assert_eq!((refusal.position, refusal.rule.code()), (1, "revoked"), "{refusal}");
}

#[test]
fn a_list_that_does_not_count_is_named() {
    let (mut folder, out) = factory();
    let chain = chain_of(&out, "a");
    let own = list(&mut folder.pki, "line", now());
    let root = list(&mut folder.pki, "root", now());
    let problem = |lists: &[Crl], at| {
        let options = Options::new(at);
        let path = verify(&chain[0], &chain[1..], &chain[2..], &options).unwrap();
        let refusal = check_revocation(&path, lists, &[], at).unwrap_err();
        assert_eq!((refusal.position, refusal.rule.code()), (0, "revocation-unknown"));
        refusal.to_string()
    };
    let said = problem(&[root], now());
    assert!(
        said.contains("no valid revocation list of CN=line; the lists given are of CN=root"),
        "{said}"
    );
    let said = problem(std::slice::from_ref(&own), now() + Duration::days(31));
    assert!(said.contains("was to be renewed by 2026-"), "{said}");
    // A CA of the same name made elsewhere: what it says of its key proves nothing.
    let mut stranger = Folder::with_root();
    stranger.add("line", "root", None).unwrap();
    let foreign = list(&mut stranger.pki, "line", now());
    let said = problem(&[foreign], now());
    assert!(said.contains("the signature of its list 1 does not match its key"), "{said}");
    // Changed by one byte, in the signature.
    let mut der = own.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let said = problem(&[Crl::from_der(&der).unwrap()], now());
    assert!(said.contains("the signature of its list 1 does not match its key"), "{said}");
    // The damaged one may have been the one that knows more: a good one beside it does not help.
    let damaged = Crl::from_der(&der).unwrap();
    assert_eq!(look_up(&chain, &[damaged, own.clone()], now()), "revocation-unknown");
    // One that is made later than the time in question.
    let late = list(&mut folder.pki, "line", now() + Duration::days(2));
    let both = [own.clone(), late.clone()];
    assert_eq!(look_up(&chain, &both, now()), "revocation-unknown");
    // One that has run out has been replaced by the later one.
    let later = now() + Duration::days(31);
    assert_eq!(look_up(&chain, &both, later), "ok");
    assert_eq!(look_up(&chain, &[own], later), "revocation-unknown");
}

#[test]
fn what_a_former_list_revokes_stays_revoked() {
    let (mut folder, out) = factory();
    let a = folder.pki.registry().live_device("a").unwrap().unwrap();
    folder.pki.registry_mut().revoke(&[a], Reason::KeyCompromise, now(), now()).unwrap();
    let former = list(&mut folder.pki, "line", now());
    let ca = folder.pki.ca("line").unwrap();
    let key = ca.unlock(&password()).unwrap();
    let later = now() + Duration::days(1);
    let issuer = Issuer::new(ca.certificate(), &key, later).unwrap();
    // As an older registry would make it.
    let forgetful = crl::make(&issuer, &[], 2, later, later + Duration::days(30)).unwrap();
    let chain = chain_of(&out, "a");
    assert_eq!(
        look_up(&chain, std::slice::from_ref(&forgetful), later),
        "ok",
        "it knows no better"
    );
    assert_eq!(look_up(&chain, &[forgetful, former], later), "revoked");
}

#[test]
fn a_certificate_on_hold_can_come_back() {
    let (folder, out) = factory();
    let a = folder.pki.registry().live_device("a").unwrap().unwrap();
    let ca = folder.pki.ca("line").unwrap();
    let key = ca.unlock(&password()).unwrap();
    let issuer = Issuer::new(ca.certificate(), &key, now()).unwrap();
    let held = Revoked { serial: a.serial, at: now(), reason: Reason::CertificateHold };
    let make = |revoked: &[Revoked], number, from: OffsetDateTime| {
        crl::make(&issuer, revoked, number, from, from + Duration::days(30)).unwrap()
    };
    let (first, second) = (make(&[held], 1, now()), make(&[], 2, now() + Duration::days(1)));
    let (chain, later) = (chain_of(&out, "a"), now() + Duration::days(2));
    assert_eq!(look_up(&chain, std::slice::from_ref(&first), now()), "revoked");
    assert_eq!(look_up(&chain, &[first, second], later), "ok");
}

#[test]
fn lists_of_others_are_told_apart() {
    let (mut folder, out) = factory();
    let (own, root) = (list(&mut folder.pki, "line", now()), list(&mut folder.pki, "root", now()));
    let chain = chain_of(&out, "a");
    let path = verify(&chain[0], &chain[1..], &chain[2..], &Options::new(now())).unwrap();
    let mut stranger = Folder::with_root();
    stranger.root_named("other", &Name::parse("CN=other").unwrap()).unwrap();
    let foreign = list(&mut stranger.pki, "other", now());
    let lists = [own, foreign, root];
    check_revocation(&path, &lists, &[], now()).unwrap();
    let not_used = unused(&path, &lists, &[]);
    let why = "no issuer in the path has made it".to_owned();
    assert_eq!(not_used, [("CN=other".to_owned(), why)]);
}

#[test]
fn a_list_of_another_ca_of_the_same_name_counts_as_such_only_if_that_ca_is_known() {
    let (mut folder, out) = factory();
    let own = list(&mut folder.pki, "line", now());
    let chain = chain_of(&out, "a");
    let path = verify(&chain[0], &chain[1..], &chain[2..], &Options::new(now())).unwrap();
    let mut stranger = Folder::with_root();
    stranger.root_named("other", &chain[1].subject).unwrap();
    let lists = [own, list(&mut stranger.pki, "other", now())];
    let refusal = check_revocation(&path, &lists, &[], now()).unwrap_err();
    assert!(refusal.to_string().contains("does not match its key"), "{refusal}");
    let known = stranger.pki.ca("other").unwrap().chain;
    check_revocation(&path, &lists, &known, now()).unwrap();
    let why = "another CA of that name has made it".to_owned();
    assert_eq!(unused(&path, &lists, &known), [("CN=line".to_owned(), why)]);
}

#[test]
fn a_revocation_is_not_older_than_its_certificate_nor_of_tomorrow() {
    let (mut folder, _) = factory();
    let a = [folder.pki.registry().live_device("a").unwrap().unwrap()];
    let registry = folder.pki.registry_mut();
    let mut refused = |at: OffsetDateTime, now: OffsetDateTime| {
        registry.revoke(&a, Reason::Unspecified, at, now).unwrap_err().to_string()
    };
    let said = refused(a[0].not_before - Duration::seconds(1), now());
    assert!(
        said.contains("cannot be revoked as of") && said.contains("it is valid from"),
        "{said}"
    );
    let said = refused(now() + Duration::seconds(1), now());
    assert!(said.ends_with("that lies in the future"), "{said}");
    // A certificate that a clock that ran ahead has made: now is the earliest moment that there is.
    let before = a[0].not_before - Duration::days(300);
    registry.revoke(&a, Reason::Unspecified, before, before).unwrap();
}

// ---- renewal of devices

#[test]
fn a_replaced_device_keeps_its_history_and_its_former_files() {
    let (mut folder, out) = factory();
    let before = fs::read(out.join("a").join("key.pem")).unwrap();
    let summary = issue(&mut folder.pki, "line", &out, ids(&["a", "d"]), REPLACE, now()).unwrap();
    assert_eq!((summary.issued, summary.replaced), (2, 1));
    let after = fs::read(out.join("a").join("key.pem")).unwrap();
    assert_ne!(before, after);
    assert_eq!(
        fs::read(out.join(".replaced").join("a").join("1").join("key.pem")).unwrap(),
        before
    );
    issue(&mut folder.pki, "line", &out, ids(&["a"]), REPLACE, now()).unwrap();
    assert_eq!(fs::read(out.join(".replaced").join("a").join("2").join("key.pem")).unwrap(), after);
    let states: Vec<Status> =
        folder.pki.registry().history("a").unwrap().iter().map(|r| r.status).collect();
    assert_eq!(states, [Status::Superseded, Status::Superseded, Status::Live]);
    let mut checked = folder.pki.registry().check().unwrap();
    let keys = check_keys(folder.pki.registry(), &mut checked).unwrap();
    assert_eq!((checked.findings, keys.good), (vec![], 4));
}

/// Whether it was stopped by a person, a full disk or a power cut: its beginning stands in the directory.
#[test]
fn a_replacing_run_is_finished_without_replacing_its_own_work() {
    let (mut folder, out) = factory();
    let start = now() + Duration::seconds(10);
    issue(&mut folder.pki, "line", &out, ids(&["a"]), REPLACE, start).unwrap();
    let marker = out.join(".c8y-pki-replacing");
    assert!(!marker.exists(), "it was finished");
    // As if it had been stopped after `a`.
    fs::write(&marker, format!("{}\n", start.unix_timestamp())).unwrap();
    let later = start + Duration::seconds(5);
    let summary =
        issue(&mut folder.pki, "line", &out, ids(&["a", "b", "c"]), REPLACE, later).unwrap();
    assert_eq!((summary.issued, summary.replaced, summary.skipped), (2, 2, 1));
    assert_eq!(summary.since, Some(start));
    assert_eq!(folder.pki.registry().history("a").unwrap().len(), 2);
    let again = issue(&mut folder.pki, "line", &out, ids(&["a"]), REPLACE, later).unwrap();
    assert_eq!((again.replaced, again.since), (1, None));
}

#[test]
fn replaced_and_revoked_in_one_go() {
    let (mut folder, out) = factory();
    let old = chain_of(&out, "a");
    let existing = Existing::Replace { revoke: true };
    issue(&mut folder.pki, "line", &out, ids(&["a"]), existing, now()).unwrap();
    let crl = list(&mut folder.pki, "line", now());
    assert_eq!(crl.revoked[0].reason, Reason::Superseded);
    assert_eq!(look_up(&old, std::slice::from_ref(&crl), now()), "revoked");
    assert_eq!(look_up(&chain_of(&out, "a"), &[crl], now()), "ok");
    assert_eq!(folder.pki.registry().check().unwrap().findings, []);
}

#[test]
fn a_revoked_device_is_issued_again_only_when_asked() {
    let (mut folder, out) = factory();
    let a = folder.pki.registry().live_device("a").unwrap().unwrap();
    folder.pki.registry_mut().revoke(&[a], Reason::KeyCompromise, now(), now()).unwrap();
    for elsewhere in [out.clone(), folder.path().join("fresh")] {
        fs::create_dir_all(&elsewhere).unwrap();
        let wanted = ids(&["a", "b"]);
        let summary =
            issue(&mut folder.pki, "line", &elsewhere, wanted, Existing::Skip, now()).unwrap();
        assert_eq!((summary.issued, summary.skipped, summary.revoked), (0, 1, 1));
    }
    let error =
        issue(&mut folder.pki, "line", &out, ids(&["a"]), Existing::Fail, now()).unwrap_err();
    let ProvisionError::Faults { faults, .. } = error else { panic!("{error}") };
    assert!(faults.first[0].message.contains("\"a\" was revoked on 2026-"), "{faults:?}");
    let hint = faults.first[0].hint.as_ref().unwrap();
    assert_eq!(hint.means(), [&Means::Give(Setting::Replace)], "{faults:?}");
    let summary = issue(&mut folder.pki, "line", &out, ids(&["a"]), REPLACE, now()).unwrap();
    assert_eq!((summary.issued, summary.replaced), (1, 0));
    assert!(out.join(".replaced").join("a").join("1").exists());
}

fn records(folder: &Folder, wanted: &[&str]) -> Vec<Record> {
    let found = renew::live_of(folder.pki.registry(), ids(wanted)).unwrap();
    assert_eq!((found.faults, found.revoked), (vec![], vec![]));
    found.records
}

#[test]
fn renewal_keeps_subject_and_details_and_the_key_if_asked() {
    let (mut folder, out) = factory();
    let old = chain_of(&out, "a").remove(0);
    let key = fs::read(out.join("a").join("key.pem")).unwrap();
    let kept = RenewedKey::Same(None);
    let a = records(&folder, &["a"]);
    let wanted = renew::list(folder.pki.registry(), a, kept, KeyPolicy::default(), &out).unwrap();
    assert_eq!(wanted.faults, []);
    let later = now() + Duration::days(100);
    issue(&mut folder.pki, "line", &out, wanted, REPLACE, later).unwrap();
    let new = chain_of(&out, "a").remove(0);
    assert_eq!((&new.subject, &new.spki), (&old.subject, &old.spki));
    assert_eq!(new.not_after - old.not_after, Duration::days(100));
    assert_ne!(new.serial, old.serial);
    assert_eq!(fs::read(out.join("a").join("key.pem")).unwrap(), key);

    let (b, keys) = (records(&folder, &["b"]), KeyPolicy::default());
    let wanted = renew::list(folder.pki.registry(), b, RenewedKey::New, keys, &out).unwrap();
    let old = chain_of(&out, "b").remove(0);
    issue(&mut folder.pki, "line", &out, wanted, REPLACE, later).unwrap();
    let new = chain_of(&out, "b").remove(0);
    assert_eq!(new.subject, old.subject);
    assert_ne!(new.spki, old.spki);
}

/// An id whose character counts as invisible only since a later version.
#[test]
fn an_id_that_a_younger_rule_refuses_is_read_and_renewed() {
    const OLD: &str = "gw\u{1d173}1";
    assert!(DeviceId::parse(OLD).is_err());
    let (mut folder, out) = factory();
    let sql = format!(
        "UPDATE certificate SET client_id = '{OLD}', folded_id = '{OLD}' WHERE client_id = 'a'"
    );
    let path = folder.pki.registry().path().to_owned();
    change(&path, &sql);
    let live = folder.pki.registry().live_device(OLD).unwrap().unwrap();
    assert_eq!(live.holder.device().unwrap().as_str(), OLD);
    assert_eq!(live.whose(), format!("the device {OLD:?}"));
    let all = folder.pki.registry().live_devices(None).unwrap();
    assert_eq!(all.len(), 3);
    let keys = KeyPolicy::default();
    let wanted = renew::list(folder.pki.registry(), all, RenewedKey::New, keys, &out).unwrap();
    assert_eq!((wanted.devices.len(), wanted.faults), (3, Vec::new()));
    let wanted = DeviceList { devices: wanted.devices, ..DeviceList::default() };
    let done =
        issue(&mut folder.pki, "line", &out, wanted, REPLACE, now() + Duration::days(1)).unwrap();
    assert_eq!((done.issued, done.replaced), (3, 3));
    let history = folder.pki.registry().history(OLD).unwrap();
    assert_eq!(
        history.iter().map(|r| r.status).collect::<Vec<_>>(),
        [Status::Superseded, Status::Live]
    );
    assert!(history.iter().all(|r| r.holder.device().is_some_and(|id| id.as_str() == OLD)));
    assert!(out.join("gw%F0%9D%85%B31/key.pem").exists());
}

#[test]
fn a_key_that_is_lost_or_anothers_is_a_fault() {
    let (folder, out) = factory();
    fs::remove_file(out.join("a").join("key.pem")).unwrap();
    fs::copy(out.join("c").join("key.pem"), out.join("b").join("key.pem")).unwrap();
    let wanted = renew::list(
        folder.pki.registry(),
        records(&folder, &["a", "b", "c"]),
        RenewedKey::Same(None),
        KeyPolicy::default(),
        &out,
    )
    .unwrap();
    assert_eq!(wanted.devices.len(), 1);
    let messages: Vec<&str> = wanted.faults.iter().map(|f| f.message.as_str()).collect();
    assert!(messages[0].contains("the key of \"a\": cannot read"), "{messages:?}");
    assert!(messages[1].contains("is not that of the live certificate of \"b\""), "{messages:?}");
    let mut checked = folder.pki.registry().check().unwrap();
    check_keys(folder.pki.registry(), &mut checked).unwrap();
    let found: Vec<&str> = checked.findings.iter().map(|f| f.message.as_str()).collect();
    assert!(found[0].contains("the key of \"a\" is not in"), "{found:?}");
    assert!(found[1].contains("is not that of the live certificate of \"b\""), "{found:?}");
}

// ---- renewal of CAs

pub(crate) fn renewed(
    folder: &mut Folder,
    name: &str,
    days: i64,
    at: OffsetDateTime,
) -> Result<Ca, AuthorityError> {
    let ca = folder.pki.ca(name).unwrap();
    let signer = folder.pki.issuer_of(&ca).unwrap().unwrap_or(ca);
    let key = signer.unlock(&password()).unwrap();
    let validity =
        Validity { not_before: at, not_after: at + Duration::days(days), counted_from: at };
    folder.pki.renew_ca(name, &key, validity, BeyondIssuer::Refuse, false, at)
}

#[test]
fn what_a_renewed_ca_has_signed_stays_valid() {
    let (mut folder, out) = factory();
    let old = folder.pki.ca("line").unwrap();
    let later = now() + Duration::days(10);
    let new = renewed(&mut folder, "line", 4000, later).unwrap();
    let (old, cert) = (old.certificate(), new.certificate());
    assert_eq!((&cert.subject, &cert.spki), (&old.subject, &old.spki));
    assert_eq!(cert.extensions, old.extensions, "byte for byte");
    assert_ne!(cert.serial, old.serial);
    assert_eq!(cert.not_after, later + Duration::days(4000));
    let root = folder.pki.ca("root").unwrap();
    let device = chain_of(&out, "a").remove(0);
    verify(&device, std::slice::from_ref(cert), &root.chain, &Options::new(later)).unwrap();
    // It goes on issuing, and its history is kept.
    issue(&mut folder.pki, "line", &out, ids(&["d"]), Existing::Skip, later).unwrap();
    assert_eq!(chain_of(&out, "d")[1], *cert);
    let filter = Filter { serial: Some(&old.serial), ..Filter::default() };
    assert_eq!(folder.pki.registry().find(&filter).unwrap()[0].status, Status::Superseded);
    assert_eq!(folder.pki.registry().check().unwrap().findings, []);
}

#[test]
fn a_renewed_root_is_in_the_chains_below_it() {
    let (mut folder, out) = factory();
    let later = now() + Duration::days(10);
    let root = renewed(&mut folder, "root", 9000, later).unwrap();
    let line = folder.pki.ca("line").unwrap();
    assert_eq!(line.chain[1], *root.certificate());
    assert_eq!(line.parent.as_deref(), Some("root"));
    issue(&mut folder.pki, "line", &out, ids(&["d"]), Existing::Skip, later).unwrap();
    let chain = chain_of(&out, "d");
    verify(&chain[0], &chain[1..], &root.chain, &Options::new(later)).unwrap();
}

#[test]
fn a_ca_is_not_renewed_beyond_its_issuer_or_with_another_key() {
    let (mut folder, _) = factory();
    let error = renewed(&mut folder, "line", 7301, now()).unwrap_err();
    assert!(error.to_string().contains("after its issuer CN=root"), "{error}");
    let line = folder.pki.ca("line").unwrap();
    let key = line.unlock(&password()).unwrap();
    let validity =
        Validity { not_before: now(), not_after: now() + Duration::days(10), counted_from: now() };
    let error = folder
        .pki
        .renew_ca("line", &key, validity, BeyondIssuer::Refuse, false, now())
        .unwrap_err();
    assert!(error.to_string().contains("does not belong to the certificate of CN=root"), "{error}");
    assert_eq!(folder.pki.ca("line").unwrap().chain, line.chain);
    assert_eq!(folder.pki.registry().check().unwrap().findings, []);
}

/// What a power cut leaves of a renewal, before and after the registry's transaction.
#[test]
fn a_stopped_renewal_is_forgotten_or_finished() {
    let (mut folder, _) = factory();
    let path = folder.pki.dir().join("ca").join("line").join("renewed.pem");
    let before = folder.pki.ca("line").unwrap();
    // Before: the registry knows nothing of the new certificate.
    let mut stranger = Folder::with_root();
    let unknown = stranger.add("line", "root", None).unwrap();
    fs::write(&path, unknown.chain_pem()).unwrap();
    let pki = Pki::open(folder.pki.dir(), now()).unwrap();
    assert!(!path.exists());
    assert_eq!(pki.ca("line").unwrap().chain, before.chain);
    // After: recorded, but the files are the former ones.
    let new = renewed(&mut folder, "line", 3000, now()).unwrap();
    let dir = folder.pki.dir().join("ca").join("line");
    fs::write(dir.join("chain.pem"), before.chain_pem()).unwrap();
    fs::write(dir.join("cert.pem"), before.certificate().pem()).unwrap();
    fs::write(&path, new.chain_pem()).unwrap();
    let pki = Pki::open(folder.pki.dir(), now()).unwrap();
    assert!(!path.exists());
    assert_eq!(pki.ca("line").unwrap().chain, new.chain);
    assert_eq!(fs::read_to_string(dir.join("cert.pem")).unwrap(), new.certificate().pem());
    assert_eq!(pki.registry().check().unwrap().findings, []);
}

#[test]
fn a_revoked_ca_signs_nothing_any_more() {
    let (mut folder, out) = factory();
    let line = folder.pki.ca("line").unwrap();
    let serial = line.certificate().serial.clone();
    let record = folder.pki.registry().find(&Filter { serial: Some(&serial), ..Filter::default() });
    let registry = folder.pki.registry_mut();
    registry.revoke(&record.unwrap(), Reason::CaCompromise, now(), now()).unwrap();
    let sentence = "the certificate of CN=line was revoked on 2026-11-18 (cACompromise)";
    let error =
        issue(&mut folder.pki, "line", &out, ids(&["d"]), Existing::Skip, now()).unwrap_err();
    assert!(error.to_string().starts_with(sentence), "{error}");
    let error = folder.add_for("below", "line", 10, BeyondIssuer::Refuse).unwrap_err();
    assert!(error.to_string().starts_with(sentence), "{error}");
    let error = renewed(&mut folder, "line", 10, now()).unwrap_err();
    assert!(error.to_string().starts_with(sentence), "{error}");
    // What it has signed can still be revoked.
    list(&mut folder.pki, "line", now());
    // An ended root renews itself.
    let late = now() + Duration::days(9000);
    renewed(&mut folder, "root", 100, late).unwrap();
}

#[test]
fn numbers_of_lists_never_go_back() {
    let (mut folder, _) = factory();
    let first = list(&mut folder.pki, "line", now());
    let second = list(&mut folder.pki, "line", now());
    change(folder.pki.registry().path(), "UPDATE crl_number SET number = 0");
    let findings = folder.pki.registry().check().unwrap().findings;
    let said = &findings[0].message;
    assert_eq!(said, "the last CRL number of line is 0, but 2 by the audit log");
    // The list that is out knows better.
    let ca = folder.pki.ca("line").unwrap();
    folder.pki.accept_rollback(&ca, now()).unwrap();
    let third = list(&mut folder.pki, "line", now());
    assert!(third.number > second.number && second.number > first.number);
}

#[test]
fn a_folder_without_its_registry_is_not_used() {
    // About the file.
    if on_server() {
        return;
    }
    let (mut folder, _) = factory();
    list(&mut folder.pki, "line", now());
    let dir = folder.pki.dir().to_owned();
    let path = dir.join("registry.sqlite");
    let kept = folder.close();
    for file in ["registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"] {
        let _ = fs::remove_file(dir.join(file));
    }
    let error = Pki::open(&dir, now()).unwrap_err();
    assert!(error.to_string().ends_with("must not be used: it is missing or empty"), "{error}");
    assert!(!path.exists(), "a new one was made");
    // One that is empty inside.
    c8y_pki_engine::registry::Registry::open(&path, now()).unwrap();
    let error = Pki::open(&dir, now()).unwrap_err();
    assert!(error.to_string().contains("it does not know the CAs of this directory"), "{error}");
    drop(kept);
}

#[test]
fn folders_of_cas_are_checked() {
    let (folder, _) = factory();
    let dir = folder.pki.dir().join("ca");
    let find = || {
        let mut checked = folder.pki.registry().check().unwrap();
        folder.pki.check_cas(&mut checked).unwrap();
        checked.findings.iter().map(|f| f.message.clone()).collect::<Vec<_>>()
    };
    assert!(find().is_empty());
    fs::copy(dir.join("root").join("cert.pem"), dir.join("line").join("cert.pem")).unwrap();
    fs::remove_file(dir.join("root").join("key.pem")).unwrap();
    let found = find();
    assert!(
        found[0].contains("cert.pem of the CA line is not the first certificate of its chain.pem"),
        "{found:?}"
    );
    if on_server() {
        // A station has the keys that it may use.
        assert_eq!(found.len(), 1, "{found:?}");
        fs::remove_dir_all(dir.join("line")).unwrap();
        return assert_eq!(find(), [""; 0]);
    }
    assert!(found[1].contains("the CA root: there is no key"), "{found:?}");
    fs::remove_dir_all(dir.join("line")).unwrap();
    assert!(find()[1].contains("the CA CN=line is recorded, and not in the directory"));
}

// ---- policy

fn with_policy(folder: Folder, policy: &str) -> (tempfile::TempDir, Result<Pki, AuthorityError>) {
    let dir = folder.pki.dir().to_owned();
    let path = dir.join("pki.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{policy}")).unwrap();
    let kept = folder.close();
    let pki = Pki::open(&dir, now()).and_then(|mut pki| {
        // In a database those count that were put there.
        pki.publish_policies(None, now())?;
        Ok(pki)
    });
    (kept, pki)
}

#[test]
fn a_policy_is_held_against_devices_before_any_key() {
    let mut folder = Folder::with_root();
    let subject = Name::parse("CN=Line,O=Example,C=DE").unwrap();
    folder.root_named("line", &subject).unwrap();
    let policy = "[policy.line]\nC = 'match'\nids = ['GW-*']\n";
    let (kept, pki) = with_policy(folder, policy);
    let mut pki = pki.unwrap();
    let out = kept.path().join("out");
    let wanted = ids(&["GW-1", "SN-1"]);
    let error = issue(&mut pki, "line", &out, wanted, Existing::Skip, now()).unwrap_err();
    let ProvisionError::Faults { faults, .. } = error else { panic!("{error}") };
    let messages: Vec<&str> = faults.first.iter().map(|f| f.message.as_str()).collect();
    assert!(messages[0].contains("wants C in the subject"), "{messages:?}");
    assert!(messages[1].contains("does not let it sign the device id \"SN-1\""), "{messages:?}");
    assert!(faults.first[1].hint.as_ref().unwrap().to_string().contains("[policy.line]"));
    assert!(!out.exists(), "something was made");
    // The root has no policy.
    fs::create_dir(&out).unwrap();
    issue(&mut pki, "root", &out, ids(&["SN-1"]), Existing::Skip, now()).unwrap();
}

#[test]
fn a_policy_is_held_against_intermediates() {
    let folder = Folder::with_root();
    let (_kept, pki) = with_policy(folder, "[policy.root]\nO = 'supplied'\n");
    let mut pki = pki.unwrap();
    let root = pki.ca("root").unwrap();
    let key = root.unlock(&password()).unwrap();
    let settings = |subject| c8y_pki_engine::pki::CaSettings {
        profile: Box::leak(Box::new(ec("intermediate"))),
        subject,
        days: Some(10),
        path_length: None,
        beyond_issuer: BeyondIssuer::Refuse,
        key: c8y_pki_engine::pki::NewKey::File(Box::leak(Box::new(chosen()))),
    };
    let (bad, good) = (Name::parse("CN=x").unwrap(), Name::parse("CN=x,O=y").unwrap());
    let error = pki.add_intermediate("x", &root, &key, &settings(&bad), now()).unwrap_err();
    assert!(matches!(error, AuthorityError::Policy(_)), "{error}");
    assert_eq!(pki.cas().unwrap().len(), 1);
    pki.add_intermediate("x", &root, &key, &settings(&good), now()).unwrap();
}

#[test]
fn a_faulty_policy_is_refused_with_its_place() {
    for (policy, expected) in [
        ("[policy.other]\nC = 'match'\n", "there is no CA named \"other\""),
        ("[policy.root]\nX = 'match'\n", "has \"X\", which is no field"),
        ("[policy.root]\nC = 'sometimes'\n", "line "),
        ("[policy.root]\nids_from = 'missing.ids'\n", "missing.ids"),
    ] {
        let (_kept, pki) = with_policy(Folder::with_root(), policy);
        let said = pki.unwrap_err().to_string();
        assert!(said.contains(expected), "{policy}: {said}");
    }
}

#[test]
fn a_policys_ids_hold_below_and_for_a_ca_of_the_same_name() {
    let mut folder = Folder::with_root();
    folder.add("line", "root", None).unwrap();

    let line = folder.pki.ca("line").unwrap();
    let root = folder.pki.ca("root").unwrap();
    let key = root.unlock(&password()).unwrap();
    let settings = c8y_pki_engine::pki::CaSettings {
        profile: &ec("intermediate"),
        subject: &line.certificate().subject.clone(),
        days: Some(100),
        path_length: None,
        beyond_issuer: BeyondIssuer::Refuse,
        key: c8y_pki_engine::pki::NewKey::File(&chosen()),
    };
    folder.pki.add_intermediate("line-b", &root, &key, &settings, now()).unwrap();
    folder.add_for("below-b", "line-b", 10, BeyondIssuer::Refuse).unwrap();
    let (_kept, pki) = with_policy(folder, "[policy.line]\nids = ['GW-*']\n");
    let pki = pki.unwrap();
    let id = |text| c8y_pki_core::client_id::DeviceId::parse(text).unwrap();
    for ca in ["line", "line-b", "below-b"] {
        assert!(pki.policy(ca).check_id(&id("SN-1")).is_err(), "{ca}");
        assert!(pki.policy(ca).check_id(&id("GW-1")).is_ok(), "{ca}");
    }
    assert!(pki.policy("root").check_id(&id("SN-1")).is_ok());
}

#[test]
fn an_empty_list_of_ids_lets_none_pass() {
    let (_kept, pki) = with_policy(Folder::with_root(), "[policy.root]\nids = []\n");
    let id = c8y_pki_core::client_id::DeviceId::parse("a").unwrap();
    let error = pki.unwrap().policy("root").check_id(&id).unwrap_err();
    assert!(error.to_string().ends_with("it signs none"), "{error}");
}

// ---- manifest

#[test]
fn a_manifest_is_signed_by_its_ca_and_no_octet_of_it_can_be_changed() {
    let (folder, out) = factory();
    let line = folder.pki.ca("line").unwrap();
    let key = line.unlock(&password()).unwrap();
    let records = folder.pki.registry().live_devices(Some("line")).unwrap();
    let made = manifest::make("b", "line", &records, line.certificate(), &key, now()).unwrap();
    assert_eq!((made.devices, made.hash), (3, Some("sha256")));
    let text = String::from_utf8(made.csv.clone()).unwrap();
    let mark = format!(
        "{}manifest 2; purpose: hand-over of devices; issuer: CN=line; issuer SHA-256: {}",
        manifest::mark::MARK,
        line.certificate().fingerprint_sha256()
    );
    assert_eq!(text.lines().next(), Some(mark.as_str()));
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.len(), 4);
    let cert = &chain_of(&out, "a")[0];
    let row = rows.iter().find(|row| row[0] == "a").unwrap();
    assert_eq!(row[1], cert.serial.to_string());
    assert_eq!(row[2], cert.fingerprint_sha256());
    assert_eq!(row[7], line.certificate().fingerprint_sha256());
    let json: serde_json::Value = serde_json::from_slice(&made.json).unwrap();
    assert_eq!(json["devices"][0]["serial"], rows[1][1]);
    assert_eq!(json["mark"], mark);
    assert!(made.json.starts_with(format!("{{ \"mark\": \"{mark}\",\n  \"batch\": ").as_bytes()));
    // No code of the platform begins so, on whatever line it is cut.
    for file in [&made.csv, &made.json] {
        let first = std::str::from_utf8(file).unwrap().lines().next().unwrap();
        let error = VerificationCode::parse(first).unwrap_err();
        assert!(matches!(error, CodeError::Begins(_)), "{error}");
    }

    let cas = folder.pki.cas().unwrap();
    let certs: Vec<Certificate> = cas.iter().map(|ca| ca.certificate().clone()).collect();
    for (file, signature) in [(&made.csv, &made.csv_signature), (&made.json, &made.json_signature)]
    {
        let verified = manifest::verify(file, signature, &certs).unwrap();
        assert_eq!((verified.signer, verified.old), (line.certificate(), false));
    }
    for (file, signature) in [
        (&made.json, &made.csv_signature),
        (&[made.csv.as_slice(), b"\n"].concat(), &made.csv_signature),
        (&made.csv, &Vec::new()),
    ] {
        let error = manifest::verify(file, signature, &certs).unwrap_err();
        assert!(error.to_string().contains("with the key of CN=line; CN=root"), "{error}");
    }
    let root = [folder.pki.ca("root").unwrap().certificate().clone()];
    assert!(manifest::verify(&made.csv, &made.csv_signature, &root).is_err());
    // A device's key signs no manifest, however good its chain.
    let own = fs::read(out.join("a").join("key.pem")).unwrap();
    let own = PrivateKey::read(&own, None).unwrap();
    let forged = c8y_pki_core::key::signer::Signer::sign(&own, &made.csv).unwrap();
    let error = manifest::verify(&made.csv, &forged, &chain_of(&out, "a")).unwrap_err();
    assert!(error.to_string().ends_with("with the key of CN=line; CN=root"), "{error}");
    assert!(manifest::make("b", "line", &[], line.certificate(), &key, now()).is_err());
}

#[test]
fn chains_of_cas_are_verified_with_lists_too() {
    let (mut folder, _) = factory();
    let line = folder.pki.ca("line").unwrap();
    let root = list(&mut folder.pki, "root", now());
    let mut options = Options::new(now());
    options.purpose = chain::Purpose::Any;
    let path = verify(line.certificate(), &[], &line.chain[1..], &options).unwrap();
    assert_eq!(check_revocation(&path, &[root], &[], now()), Ok(Vec::new()));
}
