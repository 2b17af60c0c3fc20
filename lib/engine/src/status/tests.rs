//! What is overdue, what is due, and what is said of neither.

use time::macros::datetime;

use super::tenant::{Registered, Trust};
use super::*;
use crate::orders::Progress;
use crate::platform::crl::Switch;

const NOW: OffsetDateTime = datetime!(2026-11-25 10:00 UTC);

fn ca(not_after: OffsetDateTime) -> CaState {
    CaState {
        name: "line".to_owned(),
        not_after,
        revoked: None,
        has_cas_below: false,
        devices: LiveState {
            live: 7,
            first_end: Some(datetime!(2027-11-25 10:00 UTC)),
            ..LiveState::default()
        },
        servers: LiveState::default(),
        list: ListState::default(),
    }
}

fn picture(cas: Vec<CaState>) -> Picture {
    Picture {
        at: NOW,
        limits: Limits::default(),
        cas,
        lost: Vec::new(),
        waiting: Vec::new(),
        orders: Vec::new(),
        taken_back: 0,
        half_taken_back: Vec::new(),
        tenant: None,
    }
}

fn found(picture: &Picture) -> Vec<(Urgency, Subject, String)> {
    picture.items().into_iter().map(|item| (item.urgency, item.subject, item.message)).collect()
}

const FAR: OffsetDateTime = datetime!(2040-01-01 00:00 UTC);

#[test]
fn nothing_is_nothing() {
    assert!(found(&picture(vec![ca(FAR)])).is_empty());
    // Nothing depends on it.
    let mut old = ca(datetime!(2020-01-01 00:00 UTC));
    old.devices = LiveState::default();
    assert!(found(&picture(vec![old])).is_empty());
}

#[test]
fn ends_are_told_before_they_come() {
    use Urgency::{Due, Overdue};
    let end = |at| found(&picture(vec![ca(at)])).first().map(|(urgency, ..)| *urgency);
    assert_eq!(end(datetime!(2026-11-25 09:59 UTC)), Some(Overdue));
    assert_eq!(end(datetime!(2026-11-25 10:01 UTC)), Some(Due));
    assert_eq!(end(datetime!(2027-05-24 09:59 UTC)), Some(Due));
    assert_eq!(end(datetime!(2027-05-24 10:01 UTC)), None);
    let mut state = ca(FAR);
    state.devices = LiveState {
        live: 7,
        expired: 1,
        ending: 2,
        first_end: Some(datetime!(2026-11-20 0:00 UTC)),
    };
    let all = found(&picture(vec![state]));
    let of = |urgency, message: &str| (urgency, Subject::Devices, message.to_owned());
    assert_eq!(
        all,
        [
            of(Overdue, "1 certificate of a device has expired, the first on 2026-11-20"),
            of(Due, "2 certificates of devices end within 30 days"),
        ]
    );
    let mut state = ca(FAR);
    state.servers = LiveState { live: 1, ending: 1, ..LiveState::default() };
    let message = "1 certificate of a server ends within 30 days".to_owned();
    assert_eq!(found(&picture(vec![state])), [(Due, Subject::Servers, message)]);
}

#[test]
fn a_list_is_due_when_it_ends_or_lacks_something() {
    let of = |list: ListState| {
        let mut state = ca(FAR);
        state.list = list;
        found(&picture(vec![state]))
            .into_iter()
            .map(|(urgency, _, message)| (urgency, message))
            .next()
    };
    let made = ListState { made: true, next_update: Some(FAR), ..ListState::default() };
    assert_eq!(of(made.clone()), None);
    let said =
        |list| of(list).map(|(urgency, message)| (urgency == Urgency::Overdue, message)).unwrap();
    let unlisted = ListState { revoked: 3, unlisted: 1, ..made.clone() };
    assert_eq!(
        said(unlisted),
        (true, "1 revocation is newer than the last revocation list".to_owned())
    );
    let never = ListState { revoked: 2, unlisted: 2, ..ListState::default() };
    assert_eq!(
        said(never),
        (true, "2 revocations are in no revocation list: none was made".to_owned())
    );
    let ended = ListState { next_update: Some(datetime!(2026-11-20 0:00 UTC)), ..made.clone() };
    assert_eq!(said(ended), (true, "the revocation list has ended, on 2026-11-20".to_owned()));
    let ending = ListState { next_update: Some(datetime!(2026-11-27 12:00 UTC)), ..made };
    assert_eq!(
        said(ending),
        (false, "the revocation list ends in 2 days, on 2026-11-27".to_owned())
    );
}

fn tenant() -> AtTenant {
    AtTenant {
        tenant: "t1".to_owned(),
        host: "t1.example.com".to_owned(),
        trust: Some(vec![Trust {
            ca: "line".to_owned(),
            devices: 7,
            anchor: Some("line".to_owned()),
            disabled: false,
            disabled_as: None,
            proven: true,
            registers_itself: false,
        }]),
        revocation_check: Switch::On,
        revocations_missing: Some(0),
        registered: Some(Registered { asked: 7, ..Registered::default() }),
        unanswered: Vec::new(),
    }
}

#[test]
fn what_the_tenant_lacks_is_told() {
    let with = |change: &dyn Fn(&mut AtTenant)| {
        let mut tenant = tenant();
        change(&mut tenant);
        let picture = Picture { tenant: Some(tenant), ..picture(vec![ca(FAR)]) };
        found(&picture)
            .into_iter()
            .map(|(urgency, subject, _)| (urgency, subject))
            .collect::<Vec<_>>()
    };
    assert_eq!(with(&|_| {}), []);
    let trust = |tenant: &mut AtTenant| tenant.trust.as_mut().unwrap().remove(0);
    assert_eq!(
        with(&|t| {
            let one = trust(t);
            t.trust = Some(vec![Trust { anchor: None, ..one }]);
        }),
        [(Urgency::Overdue, Subject::Trust)]
    );
    assert_eq!(
        with(&|t| {
            let one = trust(t);
            t.trust = Some(vec![Trust { proven: false, ..one }]);
        }),
        [(Urgency::Due, Subject::Proof)]
    );
    let missing = Registered {
        asked: 7,
        missing: 1,
        missing_ids: vec!["gw-1".into()],
        missing_order: None,
        ..Registered::default()
    };
    assert_eq!(
        with(&|t| t.registered = Some(missing.clone())),
        [(Urgency::Overdue, Subject::Registration)]
    );
    assert_eq!(
        with(&|t| t.revocations_missing = Some(2)),
        [(Urgency::Overdue, Subject::Revocation)]
    );
    // A tenant that keeps a list and does not look at it, once there is something in it.
    assert_eq!(with(&|t| t.revocation_check = Switch::Off), []);
    // Not looked at is nothing, and not nothing missing.
    assert_eq!(
        with(&|t| {
            t.trust = None;
            t.registered = None;
            t.revocations_missing = None;
        }),
        []
    );
}

#[test]
fn revoked_devices_are_not_to_get_in() {
    let mut state = ca(FAR);
    state.list =
        ListState { revoked: 1, made: true, next_update: Some(FAR), ..ListState::default() };
    let tenant = AtTenant { revocation_check: Switch::Off, ..tenant() };
    let off = found(&Picture { tenant: Some(tenant), ..picture(vec![state]) });
    assert_eq!(
        (off.len(), off[0].0, off[0].1),
        (1, Urgency::Overdue, Subject::Revocation),
        "{off:?}"
    );
}

#[test]
fn numbers_are_there_for_what_was_looked_at() {
    let alone = prometheus(&picture(vec![ca(FAR)]));
    assert!(alone.contains("c8y_pki_devices{ca=\"line\",state=\"valid\"} 7\n"), "{alone}");
    assert!(alone.contains("c8y_pki_items{urgency=\"overdue\"} 0\n"), "{alone}");
    assert!(!alone.contains("tenant") && !alone.contains("c8y_pki_crl_next"), "{alone}");
    let hostile = CaState { name: "a\"b\\c\nd".to_owned(), ..ca(FAR) };
    let all = prometheus(&Picture { tenant: Some(tenant()), ..picture(vec![hostile]) });
    assert!(all.contains("{ca=\"a\\\"b\\\\c\\nd\"}"), "{all}");
    assert!(
        all.contains("c8y_pki_tenant_devices{tenant=\"t1\",state=\"registered\"} 7\n"),
        "{all}"
    );
}

#[test]
fn an_order_is_whole_or_told() {
    let of = |progress| {
        let orders = vec![OrderState { name: "acme".to_owned(), ca: "line".to_owned(), progress }];
        found(&Picture { orders, ..picture(vec![ca(FAR)]) })
    };
    let progress = Progress { devices: 9, issued: 9, ..Progress::default() };
    assert_eq!(of(progress), []);
    let progress = Progress { devices: 9, issued: 5, failed: 1, open: 3, ..Progress::default() };
    let message = "4 of 9 devices have no certificate: 1 failed, 3 not begun".to_owned();
    assert_eq!(of(progress), [(Urgency::Due, Subject::Order, message)]);
}
