//! What a CA did before: which certificate of a device is the live one, beside those that stand here.

use c8y_pki_core::crl::{Reason, Revoked};
use c8y_pki_engine::registry::{Adopted, Adoption, NewRecord, Record, Status};
use time::Duration;

use crate::folder::{Folder, now};
use crate::registry::device;

fn adopt(folder: &mut Folder, certificates: Vec<NewRecord>, revoked: &[Revoked]) -> Adopted {
    let issuer = folder.pki.ca("root").unwrap().certificate().subject.clone();
    let adoption = Adoption {
        ca: "root",
        issuer: &issuer,
        own: None,
        certificates,
        serials: &[],
        revoked: revoked.to_vec(),
        number: Some(7),
        without_list: true,
        batch: "adopted",
    };
    folder.pki.registry_mut().adopt(&adoption, now()).unwrap()
}

/// A certificate of a device that begins so many days before the others.
fn older(folder: &Folder, id: &str, days: i64) -> NewRecord {
    let mut record = device(folder, id, None);
    record.certificate.not_before -= Duration::days(days);
    record
}

fn history(folder: &Folder, id: &str) -> Vec<Status> {
    let records: Vec<Record> = folder.pki.registry().history(id).unwrap();
    let mut all: Vec<_> = records.iter().map(|r| (r.not_before, r.status)).collect();
    all.sort_by_key(|(begin, _)| *begin);
    all.into_iter().map(|(_, status)| status).collect()
}

fn is_good(folder: &Folder) {
    let checked = folder.pki.registry().check().unwrap();
    let states: Vec<_> = checked.findings.iter().filter(|found| found.kind == "state").collect();
    assert!(states.is_empty(), "{states:?}");
}

#[test]
fn the_newest_that_is_not_revoked_is_live() {
    let mut folder = Folder::with_root();
    let [old, middle, new] = [30, 20, 10].map(|days| older(&folder, "gw", days));
    let at = now() - Duration::days(1);
    let gone =
        Revoked { serial: new.certificate.serial.clone(), at, reason: Reason::KeyCompromise };
    let done = adopt(&mut folder, vec![new.clone(), old, middle], std::slice::from_ref(&gone));
    assert_eq!((done.certificates, done.live, done.revocations), (3, 1, 1));
    assert_eq!(history(&folder, "gw"), [Status::Superseded, Status::Live, Status::Revoked]);
    is_good(&folder);
    // Again, nothing is new.
    let done = adopt(&mut folder, vec![new], &[gone]);
    assert_eq!((done.certificates, done.known, done.revocations), (0, 1, 0));
    is_good(&folder);
    assert_eq!(folder.pki.registry().crl_number("root").unwrap(), 7);
    assert!(folder.pki.registry().has_accepted_loss("root", 7).unwrap());
}

#[test]
fn what_was_issued_here_and_is_newer_stays_live() {
    let mut folder = Folder::with_root();
    let here = older(&folder, "gw", 5);
    folder.pki.registry_mut().record("here", now(), &[here]).unwrap();
    let before = older(&folder, "gw", 50);
    assert_eq!(adopt(&mut folder, vec![before], &[]).live, 0);
    assert_eq!(history(&folder, "gw"), [Status::Superseded, Status::Live]);
    // One that is newer takes its place.
    let after = device(&folder, "gw", None);
    assert_eq!(adopt(&mut folder, vec![after], &[]).live, 1);
    assert_eq!(history(&folder, "gw"), [Status::Superseded, Status::Superseded, Status::Live]);
    is_good(&folder);
}

#[test]
fn a_revocation_without_a_certificate_is_kept() {
    let mut folder = Folder::with_root();
    let unknown = older(&folder, "lost", 9);
    let serial = unknown.certificate.serial.clone();
    let revoked = Revoked { serial: serial.clone(), at: now(), reason: Reason::Superseded };
    let done = adopt(&mut folder, Vec::new(), std::slice::from_ref(&revoked));
    assert_eq!((done.revocations, done.unknown_revocations), (1, 1));
    let issuer = folder.pki.ca("root").unwrap().certificate().subject.clone();
    assert_eq!(folder.pki.registry().revoked(&issuer).unwrap().len(), 1);
    // The certificate turns up later: it is revoked from the beginning.
    adopt(&mut folder, vec![unknown], &[]);
    assert_eq!(history(&folder, "lost"), [Status::Revoked]);
    assert_eq!(folder.pki.registry().revoked(&issuer).unwrap().len(), 1);
    is_good(&folder);
}
