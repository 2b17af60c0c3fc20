//! The page: complete, and safe whatever stands in what it shows.

use std::path::Path;

use time::macros::datetime;

use super::super::diff::Sign;
use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-25 10:00 UTC);

fn ca(name: &str, depth: usize) -> CaRow {
    CaRow {
        name: name.to_owned(),
        depth,
        subject: format!("CN={name}"),
        key: "ec-p256".to_owned(),
        path_length: None,
        fingerprint: "ab".repeat(20),
        not_before: NOW,
        not_after: datetime!(2046-11-20 10:00 UTC),
        issued: 1,
        trusted: Some(true),
        proven: Some(false),
        verdict: Ok(Vec::new()),
    }
}

fn device(id: &str, connected: bool) -> DeviceRow {
    DeviceRow {
        id: id.to_owned(),
        certificate: Some(("0a".to_owned(), NOW, datetime!(2026-12-05 10:00 UTC))),
        revoked: None,
        registered: Some(true),
        connected: Some(connected),
    }
}

fn why(what: &str) -> Why {
    Why {
        step: "connect".to_owned(),
        what: what.to_owned(),
        cause: Some("the CA is disabled".to_owned()),
        certain: true,
        remedy: Some("`c8y-pki tenant trust update`".to_owned()),
    }
}

fn picture() -> Picture {
    Picture {
        file: "rollout.toml".to_owned(),
        tenant: At::Tenant("t1001".to_owned()),
        at: NOW,
        took: Some(std::time::Duration::from_secs(83)),
        ended: None,
        steps: Vec::new(),
        left: Vec::new(),
        differences: 0,
        not_looked_at: Vec::new(),
        shortened: vec!["the devices of <line>: the usual validity is shortened".to_owned()],
        cas: vec![ca("root", 0), ca("line", 1)],
        devices: Devices {
            listed: 2,
            issued: 2,
            revoked: 0,
            incomplete: 0,
            registered_before: 0,
            registered: Some(2),
            connected: Some((1, 2)),
            place: Some("t.example.com:8883".to_owned()),
            expiry: BTreeMap::from([(datetime!(2026-12-05 10:00 UTC).date(), 2)]),
            rows: vec![device("gw-2", false), device("gw-1", true)],
        },
        failures: together(vec![("gw-2".to_owned(), why("refused with code 5"))], Path::new("out")),
        kinds: 1,
        failed: 1,
    }
}

#[test]
fn it_shows_what_there_is() {
    let page = picture().html();
    assert!(page.starts_with(MARK), "{page}");
    for wanted in [
        "<strong>line</strong>",
        "proof of possession missing",
        "Cause: the CA is disabled",
        "<code>c8y-pki tenant trust update</code>",
        "<b class=\"bad\">1 of 2</b>tried connect",
        "<strong>Not good: 1 of 2 devices that tried connect.</strong>",
        "<dd>t1001</dd>",
        "<dd>1 min 23 s</dd>",
        concat!("<dd>c8y-pki ", env!("CARGO_PKG_VERSION"), "</dd>"),
        "expire within 30 days: 2",
        "<span class=\"note\" title=\"2026-12-05 10:00 UTC\">2026-12-05</span>",
        "<strong class=\"bad\">no</strong>",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing: {page}");
    }
}

#[test]
fn what_servers_make_of_a_ca_stands_beside_it() {
    let mut picture = picture();
    assert!(!picture.html().contains("warning"));
    picture.cas[0].verdict = Ok(vec!["it is a CA without subject key identifier".to_owned()]);
    picture.cas[1].verdict = Err("it has expired".to_owned());
    let page = picture.html();
    for wanted in [
        "warning: it is a CA without subject key identifier; servers do not enforce it",
        "devices of this CA cannot connect: it has expired",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing: {page}");
    }
}

#[test]
fn what_is_not_there_leaves_no_trace() {
    let empty = Picture {
        cas: Vec::new(),
        devices: Devices::default(),
        failures: Vec::new(),
        failed: 0,
        ended: Some(("<list> is empty".to_owned(), None)),
        ..picture()
    };
    let page = empty.html();
    for absent in ["id=\"cas\"", "id=\"devices\"", "id=\"expiry\"", "id=\"failures\"", "Remedy"] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("&lt;list&gt; is empty"));
}

#[test]
fn nothing_gets_out_of_its_place() {
    let hostile = "\"><script>alert(1)</script><img src=x onerror=y>'";
    let mut picture = picture();
    picture.file = hostile.to_owned();
    picture.tenant = At::Tenant(hostile.to_owned());
    picture.cas[0].name = hostile.to_owned();
    picture.cas[0].subject = hostile.to_owned();
    picture.devices.rows[0].id = hostile.to_owned();
    picture.failures[0].ids = vec![hostile.to_owned()];
    picture.failures[0].why.what = hostile.to_owned();
    picture.failures[0].why.remedy = Some(format!("`{hostile}`"));
    picture.ended = Some((hostile.to_owned(), Some(hostile.to_owned())));
    let page = picture.html();
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.matches("&lt;script&gt;").count() >= 10, "{page}");
}

#[test]
fn nothing_is_hidden() {
    let hostile = "a\u{202e}b\u{1b}[2J\u{200b}\u{2028}c";
    let mut picture = picture();
    picture.file = hostile.to_owned();
    picture.cas[0].subject = hostile.to_owned();
    picture.devices.rows[0].id = hostile.to_owned();
    picture.failures[0].why.what = hostile.to_owned();
    let page = picture.html();
    assert!(!page.contains(|c| c != '\n' && crate::shown::is_hidden(c)), "{page}");
    assert!(page.matches("a\\u{202e}b\\u{1b}[2J\\u{200b}\\u{2028}c").count() >= 4, "{page}");
}

#[test]
fn what_happened_to_many_is_told_once_with_an_id_on_each_line() {
    let all = (0..50).map(|n| (format!("d{n}"), why(if n == 7 { "other" } else { "same" })));
    let failures = together(all.collect(), Path::new("out"));
    let counts: Vec<(usize, usize)> = failures.iter().map(|f| (f.count, f.ids.len())).collect();
    assert_eq!(counts, [(49, 49), (1, 1)]);
    let page = Picture { failures, kinds: 2, failed: 50, ..picture() }.html();
    assert!(page.contains("<h3>49 devices failed at the step connect</h3>"), "{page}");
    assert!(page.contains("\nd5\nd6\nd8\nd9\n"), "{page}");
    let many = (0..MOST_IDS + 3).map(|n| (n.to_string(), why("same"))).collect();
    let page = Picture { failures: together(many, Path::new("out")), ..picture() }.html();
    assert!(page.contains("and 3 more"));
}

/// A rollout of which nothing is wrong.
fn good() -> Picture {
    let mut picture = picture();
    picture.failures = Vec::new();
    picture.failed = 0;
    picture.devices.connected = Some((2, 2));
    picture
}

#[test]
fn the_verdict_says_what_was_looked_at() {
    let of = |picture: &Picture| summary::of(picture);
    let all = of(&good());
    assert!(all.is_good && all.open.is_empty(), "{all:?}");
    assert_eq!(
        all.headline,
        "Good: all 2 devices have certificates and are registered; all of them connect."
    );
    let mut some = good();
    some.devices.connected = Some((1, 1));
    let said = of(&some);
    assert!(said.headline.ends_with("; 1 of 1 that tried connect."), "{said:?}");
    assert_eq!(said.open, ["1 of 2 devices did not try to connect."]);
    some.devices.incomplete = 1;
    assert!(of(&some).open[0].starts_with("1 of 2 devices without all files"));
    let mut local = good();
    (local.tenant, local.devices.registered, local.devices.connected) = (At::Nowhere, None, None);
    let said = of(&local);
    assert_eq!((said.is_good, &*said.headline), (true, "Good: all 2 devices have certificates."));
    assert_eq!(said.open.len(), 2, "{said:?}");
}

#[test]
fn whatever_is_wrong_is_in_the_verdict() {
    let wrong = |change: &dyn Fn(&mut Picture)| {
        let mut picture = good();
        change(&mut picture);
        let said = summary::of(&picture);
        assert!(!said.is_good, "{said:?}");
        said.headline
    };
    assert_eq!(
        wrong(&|p| p.devices.issued = 1),
        "Not finished: 1 of 2 devices of the list have a certificate."
    );
    assert_eq!(
        wrong(&|p| p.devices.registered = Some(0)),
        "Not finished: 0 of 2 devices of the list are registered."
    );
    assert_eq!(
        wrong(&|p| p.ended = Some(("x".into(), None))),
        "Not finished: the run stopped before its end."
    );
    assert_eq!(
        wrong(&|p| p.cas[1].verdict = Err("x".into())),
        "Not good: devices of the CA line cannot connect."
    );
    assert_eq!(wrong(&|p| p.failed = 3), "Not good: 3 failed.");
    assert_eq!(
        wrong(&|p| p.differences = 1),
        "Not as the file wants it: 1 difference, left as before."
    );
}

#[test]
fn what_was_left_as_it_is_is_listed() {
    let mut finding = Finding::new(Sign::Differs, "devices.subject", "out/<devices>", "subject");
    finding = finding.values("O=Old".to_owned(), None);
    (0..12).for_each(|n| finding.count(&format!("gw-{n}")));
    let page = Picture { left: vec![(finding, None)], differences: 1, ..good() };
    let page = page.applied_by(|_| Some("`apply & be done`".to_owned())).html();
    for wanted in [
        "<code>devices.subject</code>",
        "out/&lt;devices&gt;",
        "subject: O=Old → nothing",
        "12 devices",
        "gw-9 and 2 more",
        "<code>apply &amp; be done</code>",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing: {page}");
    }
    assert!(!page.contains("Good") && !good().html().contains("id=\"differences\""));
}

#[test]
fn one_time_at_which_all_expire_is_a_line() {
    let page = good().html();
    assert!(page.contains("<strong>all 2 certificates</strong> expire by 2026-12-05"), "{page}");
    assert!(
        page.contains("<strong>renew</strong> from 2026-11-25 on")
            && !page.contains("<ul class=\"chart\""),
        "{page}"
    );
    let mut two = good();
    two.devices.expiry.insert(datetime!(2027-12-05 10:00 UTC).date(), 1);
    assert!(two.html().contains("<ul class=\"chart\""));
    let mut past = good();
    past.devices.expiry = BTreeMap::from([(datetime!(2026-11-20 0:00 UTC).date(), 2)]);
    assert!(past.html().contains("all 2 certificates expired by 2026-11-20"));
}
