//! A registry that was put back from a backup: what it has forgotten is found out and taken over.

use std::fs;
use std::path::{Path, PathBuf};

use crate::folder::{Folder, change, now, password};
use crate::life::{factory, ids, issue, list, renewed};
use c8y_pki_core::crl::{Crl, Reason};
use c8y_pki_core::failure::{Failure, Means, Permission, Task};
use c8y_pki_engine::manifest;
use c8y_pki_engine::pki::{AuthorityError, Pki};
use c8y_pki_engine::provision::Existing;
use c8y_pki_engine::registry::{Filter, Role, Status};
use c8y_pki_engine::rollback::{Repaired, compare};
use time::Duration;

const FILES: [&str; 3] = ["registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"];

/// Copies the registry's files from one directory to another; those of a former registry go.
fn copy(from: &Path, to: &Path) {
    for file in FILES {
        let _ = fs::remove_file(to.join(file));
        if from.join(file).exists() {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

fn backup(folder: &Folder) -> PathBuf {
    let kept = folder.path().join("backup");
    fs::create_dir_all(&kept).unwrap();
    #[cfg(all(unix, feature = "postgres"))]
    if crate::folder::on_server() {
        crate::server::dump(folder.pki.registry().path(), &kept.join("dump.sql"));
        return kept;
    }
    copy(folder.pki.dir(), &kept);
    kept
}

/// Puts a backup in the registry's place.
fn restore(folder: &mut Folder, kept: &Path) {
    let dir = folder.pki.dir().to_owned();
    put_back(folder, kept);
    folder.pki = Pki::open(&dir, now()).unwrap();
}

/// The same, and leaves the directory closed.
fn put_back(folder: &mut Folder, kept: &Path) {
    let (dir, registry) = (folder.pki.dir().to_owned(), folder.pki.registry().path().to_owned());
    // The registry that is replaced is closed first, as by the end of its process.
    folder.pki = Pki::open_or_create(&folder.path().join("elsewhere"), now()).unwrap();
    #[cfg(all(unix, feature = "postgres"))]
    if crate::folder::on_server() {
        return crate::server::restore(&registry, &kept.join("dump.sql"));
    }
    let _ = registry;
    copy(kept, &dir);
}

fn revoke(folder: &mut Folder, id: &str) {
    let record = folder.pki.registry().live_device(id).unwrap().unwrap();
    let at = now() - Duration::minutes(5);
    folder.pki.registry_mut().revoke(&[record], Reason::KeyCompromise, at, now()).unwrap();
}

fn refused(pki: &mut Pki) -> AuthorityError {
    let ca = pki.ca("line").unwrap();
    let key = ca.unlock(&password()).unwrap();
    pki.make_crl(&ca, &key, 30, now()).unwrap_err()
}

fn findings(pki: &Pki) -> Vec<String> {
    let mut checked = pki.registry().check().unwrap();
    pki.registry().check_unknown(&mut checked).unwrap();
    compare(pki, &[]).unwrap().note(&mut checked);
    checked.findings.into_iter().map(|f| f.message).collect()
}

#[test]
fn a_revocation_that_a_list_knows_is_not_lost() {
    let (mut folder, _) = factory();
    let kept = backup(&folder);
    revoke(&mut folder, "a");
    let before = list(&mut folder.pki, "line", now());
    restore(&mut folder, &kept);
    let error = refused(&mut folder.pki);
    assert!(matches!(error, AuthorityError::RolledBack { .. }), "{error}");
    let out = folder.path().join("out");
    let signed = issue(&mut folder.pki, "line", &out, ids(&["z"]), Existing::Skip, now());
    assert!(signed.unwrap_err().to_string().contains("line signs nothing"));
    let serial = &before.revoked[0].serial;
    let said = format!("revocation list 1 of line revokes {serial} (a), and the registry does not");
    assert!(error.to_string().contains(&said), "{error}");
    assert!(error.hint().unwrap().means().contains(&&Means::Run(Task::RepairRegistry)));
    assert_eq!(findings(&folder.pki), [said]);
    let comparison = compare(&folder.pki, &[]).unwrap();
    assert!(comparison.plan()[0].contains("keyCompromise"), "{:?}", comparison.plan());
    let repaired = comparison.repair(&mut folder.pki, now()).unwrap();
    assert_eq!(repaired, Repaired { revocations: 1, ..Repaired::default() });
    assert_eq!(findings(&folder.pki), [""; 0]);
    let after = list(&mut folder.pki, "line", now());
    assert_eq!(after.revoked, before.revoked, "with its date and reason");
    assert!(after.number > before.number);
}

#[test]
fn what_was_issued_since_is_found_and_recorded() {
    let (mut folder, out) = factory();
    let kept = backup(&folder);
    issue(&mut folder.pki, "line", &out, ids(&["d", "e"]), Existing::Skip, now()).unwrap();
    let replace = Existing::Replace { revoke: false };
    let later = now() + Duration::hours(1);
    issue(&mut folder.pki, "line", &out, ids(&["a"]), replace, later).unwrap();
    revoke(&mut folder, "d");
    let former = list(&mut folder.pki, "line", now());
    restore(&mut folder, &kept);
    let found = findings(&folder.pki);
    assert_eq!(found.len(), 4, "the list, a, d and e: {found:?}");
    let comparison = compare(&folder.pki, &[]).unwrap();
    let repaired = comparison.repair(&mut folder.pki, now()).unwrap();
    let expected = Repaired { certificates: 3, revocations: 1, ..Repaired::default() };
    assert_eq!(repaired, expected);
    assert_eq!(findings(&folder.pki), [""; 0]);
    let registry = folder.pki.registry();
    assert_eq!(registry.live_device("d").unwrap(), None);
    assert!(registry.live_device("e").unwrap().unwrap().has_key);
    let history = registry.history("a").unwrap();
    let states: Vec<Status> = history.iter().map(|record| record.status).collect();
    assert_eq!(states, [Status::Superseded, Status::Live]);
    assert_eq!(list(&mut folder.pki, "line", now()).revoked, former.revoked);
}

#[test]
fn a_former_certificate_that_was_forgotten_is_recorded_as_superseded() {
    let (mut folder, out) = factory();
    let replace = Existing::Replace { revoke: false };
    let kept = backup(&folder);
    let (first, second) = (now() + Duration::hours(1), now() + Duration::hours(2));
    issue(&mut folder.pki, "line", &out, ids(&["a"]), replace, first).unwrap();
    issue(&mut folder.pki, "line", &out, ids(&["a"]), replace, second).unwrap();
    restore(&mut folder, &kept);
    // The newest is found first.
    let newest = compare(&folder.pki, &[out.join("a")]).unwrap();
    assert_eq!(newest.certificates.len(), 2);
    let mut only = newest;
    only.certificates.retain(|found| found.place == out.join("a"));
    only.repair(&mut folder.pki, now()).unwrap();
    let rest = compare(&folder.pki, &[]).unwrap();
    assert_eq!(rest.certificates.len(), 1);
    rest.repair(&mut folder.pki, now()).unwrap();
    assert_eq!(findings(&folder.pki), [""; 0]);
    let live = folder.pki.registry().live_device("a").unwrap().unwrap();
    assert_eq!(live.not_before, only.certificates[0].certificate.not_before);
    assert_eq!(folder.pki.registry().history("a").unwrap().len(), 3);
}

#[test]
fn a_revocation_of_a_lost_certificate_stays_in_every_later_list() {
    let (mut folder, out) = factory();
    let kept = backup(&folder);
    issue(&mut folder.pki, "line", &out, ids(&["d"]), Existing::Skip, now()).unwrap();
    revoke(&mut folder, "d");
    let before = list(&mut folder.pki, "line", now());
    fs::remove_dir_all(out.join("d")).unwrap();
    restore(&mut folder, &kept);
    let comparison = compare(&folder.pki, &[]).unwrap();
    let repaired = comparison.repair(&mut folder.pki, now()).unwrap();
    assert_eq!(repaired, Repaired { unknown_revocations: 1, ..Repaired::default() });
    for _ in 0..2 {
        assert_eq!(list(&mut folder.pki, "line", now()).revoked, before.revoked);
    }
    assert_eq!(findings(&folder.pki), [""; 0]);
    // Taken out of the table behind the program's back.
    let path = folder.pki.registry().path().to_owned();
    change(&path, "DELETE FROM unknown_revocation");
    let found = findings(&folder.pki);
    assert!(found[0].ends_with("is in the audit log, and not in the registry"), "{found:?}");
    assert!(found[1].contains("and the registry does not"), "{found:?}");
}

#[test]
fn an_older_registry_can_be_accepted_and_numbers_do_not_go_back() {
    let (mut folder, _) = factory();
    let kept = backup(&folder);
    revoke(&mut folder, "a");
    list(&mut folder.pki, "line", now());
    let second = list(&mut folder.pki, "line", now());
    restore(&mut folder, &kept);
    let ca = folder.pki.ca("line").unwrap();
    let rollback = folder.pki.compare_last_list(&ca).unwrap().unwrap();
    assert_eq!((rollback.number, rollback.lost.len()), (2, 1));
    let accepted = folder.pki.accept_rollback(&ca, now()).unwrap();
    assert_eq!(accepted, [rollback.sentence()]);
    assert_eq!(folder.pki.accept_rollback(&ca, now()).unwrap(), [""; 0], "twice");
    let third = list(&mut folder.pki, "line", now());
    assert_eq!(third.revoked, []);
    assert!(third.number > second.number);
    assert_eq!(findings(&folder.pki), [""; 0]);
    let audit = folder.pki.registry().audit(1).unwrap();
    let row = audit.iter().find(|row| row.action == "accept-rollback").unwrap();
    assert_eq!(row.detail["given_up"].as_array().unwrap().len(), 1);
}

#[test]
fn a_higher_number_alone_tells_of_an_older_registry() {
    let (mut folder, _) = factory();
    let kept = backup(&folder);
    let first = list(&mut folder.pki, "line", now());
    restore(&mut folder, &kept);
    let error = refused(&mut folder.pki).to_string();
    assert!(error.contains("list 1 of line was made, and the registry knows of none"), "{error}");
    compare(&folder.pki, &[]).unwrap().repair(&mut folder.pki, now()).unwrap();
    assert!(list(&mut folder.pki, "line", now()).number > first.number);
}

#[test]
fn a_last_list_that_cannot_be_read_is_no_empty_one() {
    let (mut folder, _) = factory();
    list(&mut folder.pki, "line", now());
    let path = folder.pki.dir().join("ca/line/crl.pem");
    let foreign = {
        let mut other = Folder::with_root();
        other.add("line", "root", None).unwrap();
        list(&mut other.pki, "line", now()).pem()
    };
    for text in ["nothing", &foreign] {
        fs::write(&path, text).unwrap();
        let error = refused(&mut folder.pki);
        assert!(matches!(error, AuthorityError::LastList { .. }), "{error}");
        let accept = Means::Permit(Permission::Rollback { ca: "line".to_owned() });
        assert!(error.hint().unwrap().means().contains(&&accept), "{error}");
        let found = findings(&folder.pki);
        assert!(found[0].contains("cannot be used"), "{found:?}");
    }
}

#[test]
fn lists_archives_and_hand_over_files_are_compared_when_they_are_given() {
    let (mut folder, out) = factory();
    let kept = backup(&folder);
    issue(&mut folder.pki, "line", &out, ids(&["d"]), Existing::Skip, now()).unwrap();
    revoke(&mut folder, "a");
    let elsewhere = folder.path().join("line.crl");
    fs::write(&elsewhere, list(&mut folder.pki, "line", now()).der()).unwrap();
    let filter = Filter { role: Some(Role::Device), ..Filter::default() };
    let records = folder.pki.registry().find(&filter).unwrap();
    let ca = folder.pki.ca("line").unwrap();
    let key = ca.unlock(&password()).unwrap();
    let made = manifest::make("b", "line", &records, ca.certificate(), &key, now()).unwrap();
    let file = folder.path().join("manifest.csv");
    fs::write(&file, &made.csv).unwrap();
    fs::write(folder.path().join("manifest.csv.sig"), &made.csv_signature).unwrap();
    let archive = folder.path().join("devices.tar");
    let mut tar = tar::Builder::new(fs::File::create(&archive).unwrap());
    tar.append_dir_all("d", out.join("d")).unwrap();
    tar.into_inner().unwrap();
    // All of it is away from this station.
    fs::remove_dir_all(out.join("d")).unwrap();
    fs::remove_file(folder.pki.dir().join("ca/line/crl.pem")).unwrap();
    restore(&mut folder, &kept);
    let lost = compare(&folder.pki, &[]).unwrap();
    assert_eq!((lost.lost.len(), lost.lost[0].number, lost.unsettled()), (1, 1, 1));
    assert!(lost.lost[0].is_newer, "the registry knows of none");
    let comparison = compare(&folder.pki, &[elsewhere, file.clone(), archive]).unwrap();
    assert_eq!((comparison.lists.len(), comparison.certificates.len()), (1, 1));
    let told: Vec<&str> = comparison.told.iter().map(|t| t.device_id.as_str()).collect();
    assert_eq!(told, ["a", "d"]);
    let repaired = comparison.repair(&mut folder.pki, now()).unwrap();
    let expected = Repaired {
        certificates: 1,
        revocations: 1,
        lists: 1,
        told: 2,
        unsettled: 2,
        ..Repaired::default()
    };
    assert_eq!(repaired, expected);
    assert!(compare(&folder.pki, std::slice::from_ref(&file)).unwrap().is_empty());
    // What is not signed by a CA of this directory is nothing to go by.
    fs::write(&file, [&made.csv[..], b"\n"].concat()).unwrap();
    assert!(compare(&folder.pki, &[file]).is_err());
    let stranger = list(&mut Folder::with_root().pki, "root", now());
    let path = folder.path().join("stranger.crl");
    fs::write(&path, stranger.pem()).unwrap();
    let error = compare(&folder.pki, &[path]).unwrap_err();
    assert!(error.to_string().contains("no CA of this directory has signed"), "{error}");
    assert!(Crl::from_der(b"").is_err());
}

#[test]
fn a_registry_older_than_its_cas_is_repaired_too() {
    let (mut folder, _) = factory();
    let kept = backup(&folder);
    let line = folder.pki.ca("line").unwrap();
    let renewed = renewed(&mut folder, "line", 3000, now()).unwrap();
    assert_ne!(renewed.certificate(), line.certificate());
    folder.add("line-2", "root", None).unwrap();
    let dir = folder.pki.dir().to_owned();
    put_back(&mut folder, &kept);
    let error = Pki::open(&dir, now()).unwrap_err();
    assert!(error.hint().unwrap().means().contains(&&Means::Run(Task::RepairRegistry)), "{error}");
    let (mut pki, unknown) = Pki::open_to_repair(&dir, now()).unwrap();
    let names: Vec<&str> = unknown.iter().map(|ca| ca.name.as_str()).collect();
    assert_eq!(names, ["line", "line-2"]);
    for ca in &unknown {
        pki.record_unknown(ca, now()).unwrap();
    }
    drop(pki);
    folder.pki = Pki::open(&dir, now()).unwrap();
    assert_eq!(findings(&folder.pki), [""; 0]);
    let mut checked = folder.pki.registry().check().unwrap();
    folder.pki.check_cas(&mut checked).unwrap();
    assert_eq!(checked.findings, []);
    if crate::folder::on_server() {
        return;
    }
    // Another directory's registry is not to be repaired.
    let other = Folder::with_root();
    let foreign = backup(&other);
    folder.pki = Pki::open_or_create(&folder.path().join("elsewhere"), now()).unwrap();
    copy(&foreign, &dir);
    assert!(matches!(Pki::open_to_repair(&dir, now()), Err(AuthorityError::RegistryLost { .. })));
}

#[test]
fn a_first_list_that_was_never_written_is_not_lost() {
    let (mut folder, _) = factory();
    let line = folder.pki.dir().join("ca/line");
    let path = line.join("crl.pem");
    // A directory at its place: the list gets a number, and cannot be written.
    fs::create_dir(&path).unwrap();
    let ca = folder.pki.ca("line").unwrap();
    fs::remove_dir(&path).unwrap();
    fs::write(line.join("last-list.json"), "{\"number\":0}\n").unwrap();
    folder.pki.registry_mut().next_crl_number("line", &[], 1, now()).unwrap();
    assert!(folder.pki.lost_list(&ca).unwrap().is_none());
    list(&mut folder.pki, "line", now());
    fs::remove_file(&path).unwrap();
    let lost = folder.pki.lost_list(&ca).unwrap().unwrap();
    assert_eq!((lost.number, lost.is_newer), (2, false));
    // A directory of a former version keeps nothing beside the registry.
    fs::remove_file(line.join("last-list.json")).unwrap();
    assert_eq!(folder.pki.lost_list(&ca).unwrap().unwrap().number, 2);
    assert_eq!(folder.pki.accept_rollback(&ca, now()).unwrap().len(), 1);
    assert!(folder.pki.lost_list(&ca).unwrap().is_none());
    assert_eq!(findings(&folder.pki), [""; 0]);
}

#[test]
fn only_a_ca_with_its_marker_is_recorded_when_the_folder_is_opened() {
    let mut folder = Folder::with_root();
    let kept = backup(&folder);
    folder.add("line", "root", None).unwrap();
    let dir = folder.pki.dir().to_owned();
    let marker = dir.join("ca/line/unrecorded");
    assert!(!marker.exists());
    put_back(&mut folder, &kept);
    for error in [Pki::open(&dir, now()), Pki::open_to_read(&dir, now())] {
        assert!(matches!(error.unwrap_err(), AuthorityError::RegistryLost { .. }));
    }
    fs::write(&marker, "").unwrap();
    let rows = |pki: &Pki| pki.registry().audit(1).unwrap().len();
    let before = rows(&Pki::open_to_read(&dir, now()).unwrap());
    assert_eq!(rows(&Pki::open_unrecorded(&dir, now()).unwrap()), before);
    folder.pki = Pki::open(&dir, now()).unwrap();
    assert_eq!(rows(&folder.pki), before + 1);
    assert!(!marker.exists());
    // One that a stopped run has left beside a recorded CA goes.
    fs::write(&marker, "").unwrap();
    folder.pki = Pki::open(&dir, now()).unwrap();
    assert!(!marker.exists());
    assert_eq!(rows(&folder.pki), before + 1);
}

#[test]
fn a_lost_ca_leaves_its_devices_to_no_other() {
    let (mut folder, _) = factory();
    let dir = folder.pki.dir().join("ca/line");
    let kept = folder.path().join("line");
    fs::rename(&dir, &kept).unwrap();
    let error = folder.add("line", "root", None).unwrap_err();
    assert!(matches!(error, AuthorityError::NameOfAnother(_)), "{error}");
    assert!(error.hint().unwrap().to_string().contains("restore the directory ca/line"));
    let error = folder.root("line", None).unwrap_err();
    assert!(matches!(error, AuthorityError::NameOfAnother(_)), "{error}");
    assert!(!dir.exists());
    folder.add("line-2", "root", None).unwrap();
    fs::rename(&kept, &dir).unwrap();
    assert_eq!(folder.pki.ca("line").unwrap().name, "line");
}
