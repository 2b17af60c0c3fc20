//! Orders in the registry: what belongs to them, what a step is about, and that nobody changes them unseen.

use std::collections::BTreeMap;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crl::Reason;
use c8y_pki_core::failure::Failure as _;
use c8y_pki_engine::list::{ListError, ListFile, ListOptions};
use c8y_pki_engine::orders::{self, Draft, OrderError, OrderOptions, Progress};
use c8y_pki_engine::registry::{
    OrderRecord, OrderState, OrderedDevice, Registry, RegistryError, Step,
};
use rusqlite::Connection;

use crate::folder::{Folder, change, now, on_server};
use crate::registry::{WITHOUT_VERSION_7, device};

fn list(text: &str) -> ListFile {
    ListFile::take("acme.csv", text.as_bytes(), ListOptions::default()).unwrap()
}

fn order(folder: &mut Folder, name: &str, text: &str) -> Result<OrderRecord, OrderError> {
    let options = OrderOptions { days: Some(30), ..OrderOptions::default() };
    let draft =
        Draft { name, customer: Some("Acme"), ca: "root", options: &options, list: "acme.csv" };
    orders::create(&mut folder.pki, &draft, &list(text), now())
}

fn id(text: &str) -> DeviceId {
    DeviceId::parse(text).unwrap()
}

fn issue(folder: &mut Folder, id: &str) {
    let live = folder.pki.registry().live_device(id).unwrap();
    let record = device(folder, id, live.as_ref());
    folder.pki.registry_mut().record(&format!("run-{id}"), now(), &[record]).unwrap();
}

fn devices(registry: &Registry, order: &OrderRecord) -> Vec<OrderedDevice> {
    let mut all = Vec::new();
    registry
        .each_order_device(order, |device| -> Result<(), RegistryError> {
            all.push(device);
            Ok(())
        })
        .unwrap();
    all
}

#[test]
fn an_order_counts_what_was_issued_since_and_steps_are_about_one_certificate() {
    let mut folder = Folder::with_root();
    issue(&mut folder, "old");
    let text = "id,type,group\na,pump,P/1\nb,valve,P/2\nold,pump,\nd,pump,\n";
    let acme = order(&mut folder, "Acme-1", text).unwrap();
    assert_eq!((acme.devices, acme.customer.as_deref()), (4, Some("Acme")));
    assert_eq!(OrderOptions::of(&acme).unwrap().days, Some(30));
    issue(&mut folder, "a");
    issue(&mut folder, "b");
    let registry = folder.pki.registry();
    let steps = [
        (id("a"), Step::HandedOver),
        (id("A"), Step::Connected),
        (id("d"), Step::Failed("its key is weak".to_owned())),
        // Of no order, and without a certificate: left aside.
        (id("nobody"), Step::Connected),
        (id("d"), Step::HandedOver),
    ];
    assert_eq!(registry.note_steps(&steps, now()).unwrap(), 3);
    // Known already.
    assert_eq!(registry.note_steps(&steps, now()).unwrap(), 0);
    let wanted = Progress {
        devices: 4,
        issued: 3,
        before: 1,
        connected: 1,
        handed_over: 1,
        failed: 1,
        ..Progress::default()
    };
    assert_eq!(orders::progress(registry, &acme).unwrap(), wanted);
    let runs = registry.order_runs(&acme).unwrap();
    assert_eq!(runs, [("run-a".to_owned(), 1), ("run-b".to_owned(), 1)]);

    // Made again, a device has still to be handed over.
    issue(&mut folder, "a");
    let registry = folder.pki.registry();
    let wanted = Progress { reworked: 1, connected: 0, handed_over: 0, ..wanted };
    assert_eq!(orders::progress(registry, &acme).unwrap(), wanted);
    let b = registry.live_device("b").unwrap().unwrap();
    folder.pki.registry_mut().revoke(&[b], Reason::Unspecified, now(), now()).unwrap();
    let all = devices(folder.pki.registry(), &acme);
    let states: Vec<OrderState> = all.iter().map(|device| device.state).collect();
    use OrderState::{Failed, Issued, Revoked};
    assert_eq!(states, [Issued, Revoked, Issued, Failed]);
    let details: BTreeMap<String, String> =
        [("type", "pump"), ("group", "P/1")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!((all[0].ordered.line, &all[0].ordered.details), (Some(2), &details));
    assert_eq!(folder.pki.registry().check().unwrap().findings, []);
}

#[test]
fn a_device_is_in_one_order_until_that_is_taken_back() {
    let mut folder = Folder::with_root();
    let first = order(&mut folder, "first", "id\na\nb\n").unwrap();
    issue(&mut folder, "a");
    let refused = order(&mut folder, "second", "id\nb\nx:y\nA\nc\n").unwrap_err();
    let OrderError::List(ListError::Rows { faults, total }) = refused else { panic!("{refused}") };
    assert_eq!((faults.count, total), (3, 4));
    assert_eq!(
        faults.first[0].message,
        "device id \"b\" (line 2) is in the order \"first\" already"
    );
    assert_eq!(
        faults.first.iter().map(|f| f.line).collect::<Vec<_>>(),
        [Some(2), Some(3), Some(4)]
    );
    let same = order(&mut folder, "FIRST", "id\nc\n").unwrap_err();
    assert!(same.to_string().contains("there is an order \"FIRST\" already"), "{same}");
    assert!(same.hint().is_some());
    assert_eq!(folder.pki.registry().orders().unwrap().len(), 1);

    let taken = orders::take_back(folder.pki.registry(), &first).unwrap();
    assert_eq!((taken.revoke.len(), taken.without), (1, 1));
    let registry = folder.pki.registry_mut();
    registry.revoke(&taken.revoke, Reason::CessationOfOperation, now(), now()).unwrap();
    registry.take_order_back(&first, now()).unwrap();
    registry.take_order_back(&first, now()).unwrap();
    let first = orders::named(registry, "first").unwrap();
    assert!(matches!(orders::check_open(&first), Err(OrderError::TakenBack { .. })));
    let second = order(&mut folder, "second", "id\nb\nA\n").unwrap();
    assert_eq!(orders::list_of(folder.pki.registry(), &second).unwrap().devices.len(), 2);
    assert_eq!(folder.pki.registry().check().unwrap().findings, []);
}

#[test]
fn what_is_changed_in_an_order_is_found_out() {
    for (sql, wanted) in [
        ("UPDATE device_order SET customer = 'Other'", "the order acme was changed"),
        ("UPDATE order_device SET details = '{}' WHERE position = 0", "the order acme was changed"),
        ("DELETE FROM order_device WHERE position = 1", "the order acme was changed"),
        ("UPDATE device_order SET audit = 1", "the order acme is not in the audit log"),
        ("DELETE FROM device_order", "the order acme of row 4 of the audit log is missing"),
        ("UPDATE device_order SET taken_back = 5", "the order acme is taken back, but not so"),
        ("UPDATE order_step SET at = 5", "steps of ordered devices that row 6"),
        ("DELETE FROM order_step", "steps of ordered devices that row 6"),
        (
            "INSERT INTO order_step (of_order, position, step, at, audit) VALUES (1, 1, 'connected', 1, 2)",
            "steps of ordered devices that row 2",
        ),
    ] {
        let mut folder = Folder::with_root();
        issue(&mut folder, "x");
        issue(&mut folder, "y");
        order(&mut folder, "acme", "id,type\na,pump\nb,pump\n").unwrap();
        issue(&mut folder, "a");
        let registry = folder.pki.registry();
        assert_eq!(registry.note_steps(&[(id("a"), Step::HandedOver)], now()).unwrap(), 1);
        assert_eq!(registry.check().unwrap().findings, []);
        change(registry.path(), sql);
        let findings = registry.check().unwrap().findings;
        let found = findings.iter().any(|f| f.kind == "order" && f.message.contains(wanted));
        assert!(found, "{sql}: {findings:?}");
    }
}

#[test]
fn a_registry_of_version_6_is_brought_up() {
    // About the file.
    if on_server() {
        return;
    }
    let mut folder = Folder::with_root();
    issue(&mut folder, "a");
    let path = folder.pki.registry().path().to_owned();
    let rows = folder.pki.registry().check().unwrap().audit_rows;
    let old = Connection::open(&path).unwrap();
    old.execute_batch(WITHOUT_VERSION_7).unwrap();
    old.execute_batch("PRAGMA user_version = 6").unwrap();
    drop(old);
    let registry = Registry::open(&path, now()).unwrap();
    let checked = registry.check().unwrap();
    assert_eq!((checked.findings, checked.audit_rows), (vec![], rows + 1));
    assert_eq!(registry.live_device("a").unwrap().unwrap().bundle, None);
    let acme = order(&mut folder, "acme", "id\na\nb\n").unwrap();
    assert_eq!(orders::progress(&registry, &acme).unwrap().before, 1);
}
