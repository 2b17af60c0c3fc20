//! The registry: histories, states, and what a check finds in one that was tampered with.

use std::path::PathBuf;

use crate::folder::{Folder, change, now, on_server, password};
use c8y_pki_core::cert::Serial;
use c8y_pki_core::crl::Reason;
use c8y_pki_engine::pki::{CaKey, Pki};
use c8y_pki_engine::registry::{
    Adoption, Checked, Filter, Finding, ForeignSerial, Holder, NewRecord, Record, Registry,
    RegistryError, Replaced, Role, Status,
};
use rusqlite::Connection;
use time::Duration;

const TABLE_V1: &str = "
CREATE TABLE certificate (
    id INTEGER PRIMARY KEY,
    ca TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('ca', 'device')),
    client_id TEXT,
    folded_id TEXT,
    issuer BLOB NOT NULL,
    serial BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('live', 'superseded', 'revoked')),
    recorded INTEGER NOT NULL,
    batch TEXT NOT NULL,
    details TEXT NOT NULL,
    der BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX certificate_serial ON certificate (issuer, serial);
CREATE UNIQUE INDEX certificate_live_device ON certificate (folded_id)
    WHERE folded_id IS NOT NULL AND status = 'live';
CREATE TABLE crl_number (ca TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
";

/// A device's certificate that is not recorded yet.
pub(crate) fn device(folder: &Folder, id: &str, replaces: Option<&Record>) -> NewRecord {
    let ca_key = folder.pki.ca("root").unwrap().unlock(&password()).unwrap();
    device_by(folder, &ca_key, id, replaces)
}

/// The same with a key that is open: it takes its time to open it.
pub(crate) fn device_by(
    folder: &Folder,
    ca_key: &CaKey,
    id: &str,
    replaces: Option<&Record>,
) -> NewRecord {
    use c8y_pki_core::cert::Serial;
    use c8y_pki_core::issue::{self, Issuer, Order, Validity};
    use c8y_pki_core::key::PrivateKey;
    let ca = folder.pki.ca("root").unwrap();
    let profile = crate::folder::ec("device");
    let key = PrivateKey::generate(profile.key).unwrap();
    let order = Order {
        profile: &profile,
        subject: &c8y_pki_core::name::Name::builder().with("CN", id).unwrap().build().unwrap(),
        public_key: key.public_key(),
        serial: Serial::random().unwrap(),
        validity: Validity::of(&profile, now(), None),
        path_length: None,
    };
    let issuer = Issuer::new(ca.certificate(), ca_key, now()).unwrap();
    NewRecord {
        ca: "root".to_owned(),
        holder: Holder::Device(c8y_pki_core::client_id::DeviceId::parse(id).unwrap()),
        certificate: (&issue::issue(&order, &issuer).unwrap()).into(),
        details: [("TYPE".to_owned(), "pump".to_owned())].into(),
        location: Some(PathBuf::from("/nowhere").join(id)),
        has_key: true,
        bundle: None,
        replaces: replaces.map(|record| Replaced { row: record.row, revoke: false }),
        key_from_outside: false,
    }
}

/// A directory with three devices in two batches, one of them replaced, one revoked.
fn lived() -> Folder {
    let mut folder = Folder::with_root();
    let first = [device(&folder, "a", None), device(&folder, "b", None)];
    folder.pki.registry_mut().record("first", now(), &first).unwrap();
    let second = [device(&folder, "c", None)];
    folder.pki.registry_mut().record("second", now(), &second).unwrap();
    let a = folder.pki.registry().live_device("a").unwrap().unwrap();
    let again = [device(&folder, "a", Some(&a))];
    folder.pki.registry_mut().record("third", now(), &again).unwrap();
    let b = folder.pki.registry().live_device("b").unwrap().unwrap();
    let at = now() - Duration::minutes(30);
    folder.pki.registry_mut().revoke(&[b], Reason::KeyCompromise, at, now()).unwrap();
    folder
}

fn registry_path(folder: &Folder) -> PathBuf {
    folder.pki.dir().join("registry.sqlite")
}

/// Changes the file behind the registry's back, and checks it.
fn tampered(sql: &str) -> Checked {
    let folder = lived();
    assert_eq!(folder.pki.registry().check().unwrap().findings, []);
    change(folder.pki.registry().path(), sql);
    folder.pki.registry().check().unwrap()
}

#[track_caller]
fn assert_found(sql: &str, expected: &[(&str, &str)]) {
    let checked = tampered(sql);
    let found: Vec<String> =
        checked.findings.iter().map(|f| format!("{}: {}", f.kind, f.message)).collect();
    assert_eq!(found.len(), expected.len(), "{sql}\n{found:#?}");
    for (kind, words) in expected {
        let fits = |f: &&String| f.starts_with(&format!("{kind}: ")) && f.contains(words);
        assert!(found.iter().any(|f| fits(&f)), "{sql}: {words}\n{found:#?}");
    }
}

#[test]
fn states_and_histories_are_kept() {
    let folder = lived();
    let registry = folder.pki.registry();
    let states = |id: &str| -> Vec<Status> {
        registry.history(id).unwrap().iter().map(|r| r.status).collect()
    };
    assert_eq!(states("a"), [Status::Superseded, Status::Live]);
    assert_eq!(states("b"), [Status::Revoked]);
    assert_eq!(states("c"), [Status::Live]);
    let b = registry.history("b").unwrap().remove(0);
    assert_eq!(b.revoked, Some((now() - Duration::minutes(30), Reason::KeyCompromise)));
    assert!(b.has_key && b.location.unwrap().ends_with("b"));
    assert_eq!(b.details["TYPE"], "pump");
    let root = folder.pki.ca("root").unwrap();
    assert_eq!(registry.revoked(&root.certificate().subject).unwrap().len(), 1);
    assert_eq!(registry.live_devices(Some("root")).unwrap().len(), 2);
    assert_eq!(registry.last_batch().unwrap().as_deref(), Some("third"));
    let count = |filter: &Filter<'_>| registry.find(filter).unwrap().len();
    assert_eq!(count(&Filter::default()), 5, "a root and four device certificates");
    assert_eq!(count(&Filter { role: Some(Role::Ca), ..Filter::default() }), 1);
    assert_eq!(count(&Filter { batch: Some("first"), ..Filter::default() }), 2);
    let status = Some(Status::Superseded);
    assert_eq!(count(&Filter { status, ..Filter::default() }), 1);
    let within =
        |days| Filter { expires_before: Some(now() + Duration::days(days)), ..Filter::default() };
    assert_eq!((count(&within(365)), count(&within(366))), (0, 4));
    let serial = &registry.history("c").unwrap()[0].serial;
    assert_eq!(count(&Filter { serial: Some(serial), ..Filter::default() }), 1);
}

#[test]
fn what_is_revoked_stays_revoked_as_it_was() {
    let mut folder = lived();
    let b = folder.pki.registry().history("b").unwrap();
    let registry = folder.pki.registry_mut();
    let error = registry.revoke(&b, Reason::Superseded, now(), now()).unwrap_err();
    assert!(matches!(error, RegistryError::AlreadyRevoked { .. }), "{error}");
    assert!(error.to_string().contains("of b is revoked already"), "{error}");
    assert!(error.to_string().ends_with(": keyCompromise"), "{error}");
    // All or none: the live one of the two stays live.
    let both = [registry.history("c").unwrap(), b].concat();
    registry.revoke(&both, Reason::Superseded, now(), now()).unwrap_err();
    assert_eq!(registry.history("c").unwrap()[0].status, Status::Live);
    // A superseded certificate can be revoked too.
    let old = registry.history("a").unwrap()[..1].to_vec();
    registry.revoke(&old, Reason::Superseded, now(), now()).unwrap();
    assert_eq!(registry.history("a").unwrap()[0].status, Status::Revoked);
    assert_eq!(registry.check().unwrap().findings, []);
}

#[test]
fn only_a_live_certificate_can_be_replaced_and_only_once() {
    let mut folder = lived();
    let old = folder.pki.registry().history("a").unwrap().remove(0);
    let again = device(&folder, "a", Some(&old));
    let before = folder.pki.registry().check().unwrap().head;
    let error = folder.pki.registry_mut().record("x", now(), &[again]).unwrap_err();
    assert!(matches!(error, RegistryError::Conflict), "{error}");
    let twice = device(&folder, "c", None);
    let error = folder.pki.registry_mut().record("x", now(), &[twice]).unwrap_err();
    assert!(matches!(error, RegistryError::Conflict), "{error}");
    assert_eq!(folder.pki.registry().check().unwrap().head, before, "nothing was recorded");
}

#[test]
fn a_changed_row_is_found_and_named() {
    for (column, value) in [
        ("details", "'{\"TYPE\":\"valve\"}'"),
        ("location", "'/elsewhere'"),
        ("batch", "'other'"),
        ("recorded", "1"),
        ("has_key", "false"),
        ("bundle", "'p12'"),
    ] {
        let sql = format!("UPDATE certificate SET {column} = {value} WHERE client_id = 'c'");
        assert_found(&sql, &[("row", "(c) was changed after it was recorded")]);
    }
    // Its digest recomputed by nobody, or wrongly: the batch does not fit any more.
    assert_found(
        "UPDATE certificate SET digest = x'00' WHERE client_id = 'c'",
        &[("row", "(c) was changed"), ("row", "batch second")],
    );
    let other = "(SELECT der FROM certificate WHERE client_id = 'c')";
    assert_found(
        &format!("UPDATE certificate SET der = {other} WHERE client_id = 'b'"),
        // Its state is told by its fingerprint, which is another one now.
        &[
            ("row", "(b) was changed"),
            ("row", "(b) has the digest of another key"),
            ("state", "(b) is revoked"),
            ("certificate", "of b"),
        ],
    );
    assert_found(
        "UPDATE certificate SET serial = x'0102' WHERE client_id = 'c'",
        &[
            ("row", "(c) was changed"),
            ("certificate", "the certificate 0102 of c has another serial number"),
        ],
    );
    // What would let a second certificate be issued for the device.
    assert_found(
        "UPDATE certificate SET folded_id = 'x' WHERE client_id = 'c'",
        &[("row", "(c) was changed")],
    );
}

#[test]
fn a_removed_or_added_row_is_found() {
    assert_found(
        "DELETE FROM certificate WHERE client_id = 'c'",
        &[("row", "batch second (row 3 of the audit log) recorded 1 certificate(s), and 0 are")],
    );
    let (added, told) = match on_server() {
        false => (
            "INSERT INTO certificate SELECT id + 100, ca, role, 'd', 'd', issuer, x'07', not_before,
             not_after, 'live', recorded, batch, details, der, NULL, NULL, location, has_key, 99,
             digest, key, NULL FROM certificate WHERE client_id = 'c'",
            "refer to row 99 of the audit log, which did not record them",
        ),
        true => (
            "INSERT INTO chunk VALUES ('00000000-0000-4000-8000-000000000000');
             INSERT INTO certificate_row (id, issuer_id, not_before, not_after, recorded, chunk, has_key, role,
                 status, ca, batch, client_id, folded_id, location, details, serial, key, digest, der)
             SELECT id + 100, issuer_id, not_before, not_after, recorded,
                 '00000000-0000-4000-8000-000000000000', has_key, role, 'live', ca, batch, 'd', 'd', location,
                 details, x'07', key, digest, der FROM certificate_row WHERE client_id = 'c'",
            "refer to row 0 of the audit log, which did not record them",
        ),
    };
    assert_found(
        added,
        &[
            ("row", "(d) was changed"),
            ("row", told),
            ("certificate", "of d has another serial number"),
            ("key", "the device \"c\", the device \"d\" have live certificates for the same key"),
        ],
    );
}

#[test]
fn a_state_that_the_audit_log_does_not_tell_is_found() {
    assert_found(
        "UPDATE certificate SET status = 'live', revoked_at = NULL, reason = NULL
         WHERE client_id = 'b'",
        &[("state", "(b) is live, but revoked by the audit log")],
    );
    assert_found(
        "UPDATE certificate SET status = 'superseded' WHERE client_id = 'c'",
        &[("state", "(c) is superseded, but live by the audit log")],
    );
    assert_found(
        "UPDATE certificate SET reason = 0 WHERE client_id = 'b'",
        &[("state", "(b) has another date or reason of revocation")],
    );
}

#[test]
fn a_changed_audit_row_is_found_and_named() {
    assert_found(
        "UPDATE audit SET at = at + 1 WHERE sequence = 2",
        &[("audit", "row 2 of the audit log (issue, ")],
    );
    assert_found(
        "UPDATE audit SET hash = x'00' WHERE sequence = 4",
        &[("audit", "row 4 of"), ("audit", "row 5 of")],
    );
    assert_found(
        "DELETE FROM audit WHERE sequence = 3",
        &[
            ("audit", "row 3 of the audit log is missing"),
            (
                "row",
                if on_server() {
                    "1 certificate(s) refer to row 0"
                } else {
                    "1 certificate(s) refer to row 3"
                },
            ),
        ],
    );
}

#[test]
fn a_cut_off_end_is_found_by_the_rows_or_by_the_kept_hash() {
    // The last row revoked b: without it, b's state is a lie.
    assert_found(
        "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)",
        &[("state", "(b) is revoked, but live by the audit log")],
    );
    let folder = lived();
    let kept = folder.pki.registry().check().unwrap().head;
    let all = folder.pki.registry().audit(1).unwrap();
    assert_eq!(all.last().unwrap().hash, kept);
    let actions: Vec<&str> = all.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(actions, ["issue", "issue", "issue", "supersede", "issue", "revoke"]);
}

#[test]
fn a_certificate_of_another_ca_is_found() {
    let mut folder = lived();
    let mut stranger = Folder::with_root();
    let foreign = device(&stranger, "d", None);
    folder.pki.registry_mut().record("x", now(), &[foreign]).unwrap();
    let findings = folder.pki.registry().check().unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].message.contains("of d is not signed by a recorded CA"), "{findings:?}");
    // The name alone does not make it a CA's: the signature does.
    stranger.root("other", None).unwrap();
}

#[test]
fn a_damaged_file_is_found() {
    // About the file.
    if on_server() {
        return;
    }
    use std::io::{Seek, SeekFrom, Write};
    let mut folder = lived();
    for n in 0..60 {
        let record = device(&folder, &format!("d{n}"), None);
        folder.pki.registry_mut().record("many", now(), &[record]).unwrap();
    }
    let path = registry_path(&folder);
    let dir = folder.close();
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    // Cut to a half: a truncated database.
    std::fs::write(&path, &whole[..whole.len() / 2 / 4096 * 4096]).unwrap();
    match Registry::open(&path, now()) {
        Ok(registry) => {
            let findings = registry.check().unwrap().findings;
            assert!(findings.iter().any(|f| f.kind == "database"), "{findings:?}");
        }
        Err(e) => assert!(matches!(e, RegistryError::Damaged { .. }), "{e}"),
    }
    // A page in the middle overwritten, all of it: half of one may be free.
    std::fs::write(&path, &whole).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(whole.len() as u64 / 2 / 8192 * 8192)).unwrap();
    file.write_all(&[0x5a; 8192]).unwrap();
    drop(file);
    match Registry::open(&path, now()) {
        Ok(registry) => {
            let findings = registry.check().unwrap().findings;
            assert!(!findings.is_empty());
        }
        Err(e) => assert!(matches!(e, RegistryError::Damaged { .. }), "{e}"),
    }
    drop(dir);
}

/// What the first version wrote: other columns, and a digest of the DER alone.
#[test]
fn a_registry_of_version_1_is_brought_up() {
    // About the file.
    if on_server() {
        return;
    }
    let folder = lived();
    let path = folder.path().join("old.sqlite");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(TABLE_V1).unwrap();
    old.execute_batch("PRAGMA application_id = 0x63387970; PRAGMA user_version = 1").unwrap();
    let records: Vec<Record> = folder.pki.registry().find(&Filter::default()).unwrap();
    let mut previous: Vec<u8> = Vec::new();
    // The root, then two devices, then one: three audit rows.
    for (sequence, chunk) in [&records[..1], &records[1..3], &records[3..4]].iter().enumerate() {
        let mut ders = Vec::new();
        for record in *chunk {
            let cert = record.certificate().unwrap();
            ders.extend(c8y_pki_core::crypto::sha256(&record.der));
            old.execute(
                "INSERT INTO certificate (ca, role, client_id, folded_id, issuer, serial,
                 not_before, not_after, status, recorded, batch, details, der)
                 VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, 'live', ?8, 'b', '{}', ?9)",
                rusqlite::params![
                    record.ca,
                    record.holder.role().name(),
                    record.holder.device().map(|id| id.to_string()),
                    cert.issuer.der(),
                    cert.serial.bytes(),
                    cert.not_before.unix_timestamp(),
                    cert.not_after.unix_timestamp(),
                    now().unix_timestamp(),
                    record.der
                ],
            )
            .unwrap();
        }
        let detail = format!(
            "{{\"batch\":\"b\",\"certificates\":{},\"sha256\":\"{}\"}}",
            chunk.len(),
            c8y_pki_core::crypto::hex(&c8y_pki_core::crypto::sha256(&ders))
        );
        let number = i64::try_from(sequence).unwrap() + 1;
        let mut input = Vec::new();
        let at = now().unix_timestamp().to_be_bytes();
        for field in [previous.as_slice(), &number.to_be_bytes(), &at, b"issue", detail.as_bytes()]
        {
            input.extend((field.len() as u64).to_be_bytes());
            input.extend(field);
        }
        previous = c8y_pki_core::crypto::sha256(&input).to_vec();
        old.execute(
            "INSERT INTO audit VALUES (?1, ?2, 'issue', ?3, ?4)",
            rusqlite::params![number, now().unix_timestamp(), detail, previous],
        )
        .unwrap();
    }
    drop(old);
    let mut registry = Registry::open(&path, now()).unwrap();
    let checked = registry.check().unwrap();
    assert_eq!((checked.findings, checked.audit_rows, checked.certificates), (vec![], 4, 4));
    assert_eq!(registry.audit(4).unwrap()[0].action, "migrate");
    assert_keys_are_found(&registry, &records[..4]);
    // It goes on like a new one.
    let c = registry.live_device("c").unwrap().unwrap();
    registry.revoke(&[c], Reason::Unspecified, now(), now()).unwrap();
    assert_eq!(registry.check().unwrap().findings, []);
    // A row of that time that was changed is found too.
    drop(registry);
    let sql = "UPDATE certificate SET details = '{\"x\":\"y\"}' WHERE client_id = 'b'";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let findings = Registry::open(&path, now()).unwrap().check().unwrap().findings;
    assert!(findings[0].message.contains("(b) was changed"), "{findings:?}");
}

/// Each certificate is found by its key, alone and among many.
fn assert_keys_are_found(registry: &Registry, records: &[Record]) {
    let spkis: Vec<Vec<u8>> = records.iter().map(|r| r.certificate().unwrap().spki).collect();
    let others: Vec<[u8; 8]> = (0..200u64).map(u64::to_be_bytes).collect();
    let many = spkis.iter().map(Vec::as_slice).chain(others.iter().map(<[u8; 8]>::as_slice));
    let many = registry.with_keys(many).unwrap();
    for (record, spki) in records.iter().zip(&spkis) {
        let alone = registry.with_key(spki).unwrap();
        assert_eq!(alone.len(), 1);
        assert_eq!(alone[0].der, record.der);
        assert_eq!(many.of(spki), alone);
    }
    assert_eq!(many.into_records().len(), records.len());
    assert_eq!(registry.with_key(b"nobody's").unwrap(), []);
}

/// What version 4 had: no column for keys, and no revocations of certificates that it does not have.
#[test]
fn a_registry_of_version_4_is_brought_up() {
    // About the file.
    if on_server() {
        return;
    }
    let mut folder = lived();
    for n in 0..5 {
        let record = device(&folder, &format!("d{n}"), None);
        folder.pki.registry_mut().record("many", now(), &[record]).unwrap();
    }
    let path = folder.pki.registry().path().to_owned();
    let before = folder.pki.registry().find(&Filter::default()).unwrap();
    let rows = folder.pki.registry().check().unwrap().audit_rows;
    Connection::open(&path).unwrap().execute_batch(WITHOUT_VERSION_7).unwrap();
    Connection::open(&path).unwrap().execute_batch(WITHOUT_VERSION_5).unwrap();
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 4").unwrap();
    let registry = Registry::open(&path, now()).unwrap();
    let mut checked = registry.check().unwrap();
    registry.check_unknown(&mut checked).unwrap();
    assert_eq!((checked.findings, checked.audit_rows), (vec![], rows + 1));
    let root = folder.pki.ca("root").unwrap();
    assert_eq!(registry.revoked(&root.certificate().subject).unwrap().len(), 1);
    let told = &registry.audit(i64::try_from(rows).unwrap() + 1).unwrap()[0];
    assert_eq!((told.action.as_str(), &told.detail["from"]), ("migrate", &4.into()));
    assert_eq!(registry.find(&Filter::default()).unwrap(), before);
    assert_keys_are_found(&registry, &before);
}

#[test]
fn a_registry_of_version_5_is_brought_up() {
    // About the file.
    if on_server() {
        return;
    }
    let folder = lived();
    let path = folder.pki.registry().path().to_owned();
    let before = folder.pki.registry().find(&Filter::default()).unwrap();
    let root = folder.pki.ca("root").unwrap().certificate().subject.clone();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(WITHOUT_VERSION_7).unwrap();
    old.execute_batch("DROP TABLE foreign_serial; PRAGMA user_version = 5").unwrap();
    let mut registry = Registry::open(&path, now()).unwrap();
    let mut checked = registry.check().unwrap();
    registry.check_unknown(&mut checked).unwrap();
    assert_eq!(checked.findings, vec![]);
    assert_eq!(registry.find(&Filter::default()).unwrap(), before);
    // A serial number that was given before is kept, told, and given to nobody else.
    let serial = before[0].serial.clone();
    let given = ForeignSerial {
        serial: Serial::from_octets(&[0x10, 0x00]),
        subject: "/CN=old".to_owned(),
        not_after: now(),
    };
    let taken = ForeignSerial { serial, subject: "/CN=x".to_owned(), not_after: now() };
    let adoption = Adoption {
        ca: "root",
        issuer: &root,
        own: None,
        certificates: Vec::new(),
        serials: &[given.clone(), taken],
        revoked: Vec::new(),
        number: None,
        without_list: false,
        batch: "adopted",
    };
    assert_eq!(registry.adopt(&adoption, now()).unwrap().serials, 2);
    assert_eq!(registry.adopt(&adoption, now()).unwrap().serials, 0);
    assert_eq!(registry.foreign_serials(&root).unwrap(), std::slice::from_ref(&given));
    let mut checked = registry.check().unwrap();
    registry.check_unknown(&mut checked).unwrap();
    assert_eq!(checked.findings, vec![]);
    old.execute_batch("UPDATE foreign_serial SET subject = '/CN=other'").unwrap();
    let mut checked = registry.check().unwrap();
    registry.check_unknown(&mut checked).unwrap();
    assert_eq!(checked.findings.len(), 4, "{:?}", checked.findings);
    let mut record = device(&folder, "gw-1000", None);
    record.certificate.serial = Serial::from_octets(&[0x10, 0x00]);
    record.certificate.issuer = root.der().to_vec();
    let refused = registry.record("b", now(), &[record]);
    assert!(matches!(refused, Err(RegistryError::SerialGiven { .. })), "{refused:?}");
}

/// What came with version 7, and with 8.
pub(crate) const WITHOUT_VERSION_7: &str = "
DROP INDEX certificate_ca;
DROP INDEX audit_action;
ALTER TABLE certificate DROP COLUMN bundle;
DROP TABLE device_order;
DROP TABLE order_device;
DROP TABLE order_step;
";

/// What came with version 5, and with 6.
const WITHOUT_VERSION_5: &str = "
DROP INDEX certificate_key;
ALTER TABLE certificate DROP COLUMN key;
DROP TABLE unknown_revocation;
DROP TABLE foreign_serial;
";

#[test]
fn certificates_are_found_by_their_key_through_its_index_and_a_wrong_one_is_found_out() {
    let folder = lived();
    assert_keys_are_found(
        folder.pki.registry(),
        &folder.pki.registry().find(&Filter::default()).unwrap(),
    );
    if !on_server() {
        let plan: String = Connection::open(folder.pki.registry().path())
            .unwrap()
            .query_row(
                "EXPLAIN QUERY PLAN SELECT id FROM certificate
                 WHERE audit IN (SELECT sequence FROM audit) AND key = x'00'",
                [],
                |row| row.get(3),
            )
            .unwrap();
        assert!(plan.contains("certificate_key (audit=? AND key=?)"), "{plan}");
    }
    assert_found(
        "UPDATE certificate SET key = x'00' WHERE client_id = 'c'",
        &[("row", "(c) has the digest of another key than its certificate")],
    );
}

/// A service asks for these at each request, and each request adds a row to the audit log.
#[test]
fn cas_and_actions_are_found_without_going_through_the_log_and_version_7_is_brought_up() {
    // About the file.
    if on_server() {
        return;
    }
    let folder = lived();
    let path = folder.pki.registry().path().to_owned();
    let before = folder.pki.registry().find(&Filter::default()).unwrap();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "DROP INDEX certificate_ca; DROP INDEX audit_action; PRAGMA user_version = 7",
    )
    .unwrap();
    let registry = Registry::open(&path, now()).unwrap();
    assert_eq!(registry.check().unwrap().findings, vec![]);
    assert_eq!(registry.find(&Filter::default()).unwrap(), before);
    let plan = |sql: &str| -> String {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let one = Connection::open(&path).unwrap();
        one.query_row(&sql, [], |row| row.get(3)).unwrap()
    };
    let of_ca = plan("SELECT id FROM certificate WHERE role = 'ca' AND serial = x'00' ORDER BY id");
    assert!(of_ca.contains("certificate_ca (serial=?)"), "{of_ca}");
    let revoked = plan(
        "SELECT 1 FROM certificate
         WHERE revoked_at IS NOT NULL AND role = 'ca' AND serial = x'00' AND der = x'00'",
    );
    assert!(revoked.contains("certificate_ca (serial=?)"), "{revoked}");
    let actions =
        plan("SELECT sequence, at, detail FROM audit WHERE action = 'x' ORDER BY sequence");
    assert!(actions.contains("audit_action (action=?)"), "{actions}");
    for record in &before {
        let certificate = record.certificate().unwrap();
        assert_eq!(registry.row_of(&certificate).unwrap(), Some(record.row));
        let revoked = registry.revocation(&certificate).unwrap();
        assert_eq!(revoked.is_some(), record.status == Status::Revoked);
    }
}

/// What version 3 had: an index of serial numbers that began with them.
#[test]
fn a_registry_of_version_3_is_brought_up() {
    // About the file.
    if on_server() {
        return;
    }
    let folder = lived();
    let path = folder.pki.registry().path().to_owned();
    let before = folder.pki.registry().find(&Filter::default()).unwrap();
    let rows = folder.pki.registry().check().unwrap().audit_rows;
    // What is open now uses the new index: SQLite tells it.
    Connection::open(&path).unwrap().execute_batch(WITHOUT_VERSION_7).unwrap();
    Connection::open(&path).unwrap().execute_batch(WITHOUT_VERSION_5).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP INDEX certificate_serial;
             CREATE UNIQUE INDEX certificate_serial ON certificate (serial, issuer);
             PRAGMA user_version = 3",
        )
        .unwrap();
    let registry = Registry::open(&path, now()).unwrap();
    let checked = registry.check().unwrap();
    assert_eq!((checked.findings, checked.audit_rows), (vec![], rows + 1));
    for record in &before {
        let serial = Some(&record.serial);
        let found = registry.find(&Filter { serial, ..Filter::default() }).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].der, found[0].row), (&record.der, record.row));
        assert!(registry.has(&record.certificate().unwrap()).unwrap());
    }
}

#[test]
fn a_serial_number_is_found_by_its_index_and_two_of_one_are_found_out() {
    // About the file.
    if on_server() {
        return;
    }
    let folder = lived();
    let path = folder.pki.registry().path().to_owned();
    let other = Connection::open(&path).unwrap();
    let plan: String = other
        .query_row(
            "EXPLAIN QUERY PLAN SELECT id FROM certificate
             WHERE audit IN (SELECT sequence FROM audit) AND serial = x'00'",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("certificate_serial (audit=? AND serial=?)"), "{plan}");
    other
        .execute_batch(
            "INSERT INTO certificate (ca, role, client_id, folded_id, issuer, serial, not_before,
             not_after, status, recorded, batch, details, der, audit)
             SELECT ca, role, client_id, folded_id, issuer, serial, not_before, not_after,
             'superseded', recorded, batch, details, der, audit + 1 FROM certificate
             WHERE role = 'device' AND status = 'live' LIMIT 1",
        )
        .unwrap();
    let findings = folder.pki.registry().check().unwrap().findings;
    let told = |f: &Finding| f.message.contains("have the serial number");
    assert!(findings.iter().any(told), "{findings:?}");
}

#[test]
fn two_processes_open_a_new_registry_at_once() {
    let folder = Folder::new();
    let dir = folder.path().join("fresh");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Pki::open_or_create(&dir, now()).unwrap());
        }
    });
    assert_eq!(Pki::open(&dir, now()).unwrap().registry().check().unwrap().findings, []);
}

#[test]
fn a_check_tells_how_far_it_is_and_finds_the_same_with_any_number_of_threads() {
    use c8y_pki_engine::registry::Scan;
    use std::sync::Mutex;
    let mut folder = lived();
    let ca_key = folder.pki.ca("root").unwrap().unlock(&password()).unwrap();
    for batch in 0..3 {
        let one = |n| device_by(&folder, &ca_key, &format!("d{batch}-{n}"), None);
        let many: Vec<NewRecord> = (0..300).map(one).collect();
        folder.pki.registry_mut().record(&format!("many {batch}"), now(), &many).unwrap();
    }
    // One of the first batch is moved to the end, one of the last is gone, one of another is changed.
    change(
        folder.pki.registry().path(),
        "UPDATE certificate SET id = 9000 WHERE client_id = 'd0-7';
         DELETE FROM certificate WHERE client_id = 'd2-299';
         UPDATE certificate SET details = '{}' WHERE client_id = 'd1-4'",
    );
    let mut all = Vec::new();
    for threads in [1, 2, 7] {
        let told = Mutex::new(Vec::new());
        let progress = |done, total| told.lock().unwrap().push((done, total));
        let scan = Scan { threads, progress: &progress };
        let checked = folder.pki.registry().check_with(&scan).unwrap();
        let told = told.into_inner().unwrap();
        assert_eq!(checked.certificates, 904);
        assert_eq!((told[0], *told.last().unwrap()), ((0, 904), (904, 904)));
        assert!(told.is_sorted(), "{told:?}");
        all.push(checked.findings);
    }
    assert!(all.iter().all(|findings| *findings == all[0]), "{all:#?}");
    let told: Vec<&str> = all[0].iter().map(|f| f.message.as_str()).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains("(d1-4) was changed after it was recorded"), "{told:?}");
    assert!(
        told[1].starts_with("batch many 0 ") && told[1].ends_with("other rows than those there")
    );
    assert!(told[2].contains("recorded 300 certificate(s), and 299 are there"), "{told:?}");
}

#[test]
fn of_very_many_findings_the_first_are_kept_and_all_are_counted() {
    let checked = {
        let mut folder = lived();
        let one = device(&folder, "many-00000", None);
        let many: Vec<NewRecord> = (0..10_500)
            .map(|n| {
                let serial = c8y_pki_core::cert::Serial::from_octets(
                    &[&[1; 12][..], &u32::to_be_bytes(n)].concat(),
                );
                let id = c8y_pki_core::client_id::DeviceId::parse(&format!("many-{n:05}")).unwrap();
                let certificate = c8y_pki_core::cert::Encoded { serial, ..one.certificate.clone() };
                NewRecord { holder: Holder::Device(id), certificate, ..one.clone() }
            })
            .collect();
        folder.pki.registry_mut().record("many", now(), &many).unwrap();
        folder.pki.registry().check().unwrap()
    };
    // One more: all of them have one key.
    assert_eq!((checked.findings.len(), checked.more_findings), (10_000, 501));
}

#[test]
fn what_is_recorded_meanwhile_is_not_in_a_snapshot() {
    // About the file.
    if on_server() {
        return;
    }
    let mut folder = lived();
    let reader = Registry::open_to_read(&registry_path(&folder), now()).unwrap();
    assert!(!reader.is_read_only() && reader.unread_log().is_none());
    let moment = reader.snapshot().unwrap();
    assert!(reader.live_device("new").unwrap().is_none());
    let new = [device(&folder, "new", None)];
    folder.pki.registry_mut().record("x", now(), &new).unwrap();
    assert!(reader.live_device("new").unwrap().is_none());
    drop(moment);
    assert!(reader.live_device("new").unwrap().is_some());
}
