//! One key, one holder: held again in the transaction that records, and in the one that revokes.

use c8y_pki_core::cert::{Encoded, Serial};
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crl::Reason;
use c8y_pki_engine::registry::{Holder, NewRecord, RegistryError, Replaced, Status};

use crate::folder::{Folder, now};
use crate::registry::device;

/// The certificate of another device for the same key: the registry does not verify it.
fn twin(of: &NewRecord, id: &str, serial: u8) -> NewRecord {
    let serial = Serial::from_octets(&[serial; 16]);
    NewRecord {
        holder: Holder::Device(DeviceId::parse(id).unwrap()),
        certificate: Encoded { serial, ..of.certificate.clone() },
        ..of.clone()
    }
}

/// A key that came from outside.
fn from_outside(folder: &Folder, id: &str) -> NewRecord {
    NewRecord { key_from_outside: true, ..device(folder, id, None) }
}

#[track_caller]
fn assert_taken(error: RegistryError, holder: &str, other: &str) {
    match error {
        RegistryError::KeyTaken { holder: h, other: o } => assert_eq!((&*h, &*o), (holder, other)),
        other => panic!("{other}"),
    }
}

#[test]
fn a_key_from_outside_is_recorded_for_one_holder() {
    let mut folder = Folder::with_root();
    let a = from_outside(&folder, "a");
    let b = twin(&a, "b", 1);
    let ca = NewRecord { holder: Holder::Ca, ..twin(&a, "x", 2) };
    let registry = folder.pki.registry_mut();
    // Not even in one transaction.
    let both = [a.clone(), b.clone()];
    assert_taken(
        registry.record("x", now(), &both).unwrap_err(),
        "the device \"b\"",
        "the device \"a\"",
    );
    assert!(registry.live_device("a").unwrap().is_none());
    registry.record("x", now(), std::slice::from_ref(&a)).unwrap();
    let refused = |registry: &mut c8y_pki_engine::registry::Registry, new: &NewRecord| {
        registry.record("y", now(), std::slice::from_ref(new)).unwrap_err()
    };
    assert_taken(refused(registry, &b), "the device \"b\"", "the device \"a\"");
    assert_taken(refused(registry, &ca), "the new CA", "the device \"a\"");
    // Its own certificate in place of its own.
    let live = registry.live_device("a").unwrap().unwrap();
    let replaces = Some(Replaced { row: live.row, revoke: true });
    let renewed = NewRecord { replaces, ..twin(&a, "A", 3) };
    registry.record("z", now(), &[renewed]).unwrap();
    // A key that was made in the run costs no look.
    registry.record("w", now(), &[NewRecord { key_from_outside: false, ..b }]).unwrap();
    let found = registry.check().unwrap().findings;
    assert!(
        found.iter().any(|f| f.kind == "key"
            && f.message.contains("the device \"A\", the device \"b\" have live certificates")),
        "{found:?}"
    );
}

#[test]
fn a_revoked_key_stays_nobodys() {
    let mut folder = Folder::with_root();
    let a = from_outside(&folder, "a");
    let registry = folder.pki.registry_mut();
    registry.record("x", now(), std::slice::from_ref(&a)).unwrap();
    let live = registry.live_device("a").unwrap().unwrap();
    registry.revoke(&[live], Reason::CessationOfOperation, now(), now()).unwrap();
    for id in ["a", "b"] {
        let error = registry.record("y", now(), &[twin(&a, id, 4)]).unwrap_err();
        assert_taken(error, &format!("the device {id:?}"), "the device \"a\"");
    }
}

#[test]
fn a_compromised_key_is_revoked_as_a_whole_or_not_at_all() {
    let mut folder = Folder::with_root();
    let a = device(&folder, "a", None);
    let b = twin(&a, "b", 5);
    let registry = folder.pki.registry_mut();
    registry.record("x", now(), std::slice::from_ref(&a)).unwrap();
    let seen = registry.with_key(&key_of(registry)).unwrap();
    // Somebody else comes between the look and the revocation.
    registry.record("y", now(), &[b]).unwrap();
    let error = registry.revoke(&seen, Reason::KeyCompromise, now(), now()).unwrap_err();
    assert!(matches!(error, RegistryError::Conflict), "{error}");
    assert_eq!(registry.live_device("a").unwrap().unwrap().status, Status::Live);
    // Other reasons are one device's affair.
    let all = registry.with_key(&key_of(registry)).unwrap();
    assert_eq!(all.len(), 2);
    registry.revoke(&all[1..], Reason::CessationOfOperation, now(), now()).unwrap();
    registry.revoke(&all[..1], Reason::KeyCompromise, now(), now()).unwrap();
}

fn key_of(registry: &c8y_pki_engine::registry::Registry) -> Vec<u8> {
    registry.live_device("a").unwrap().unwrap().certificate().unwrap().spki
}
