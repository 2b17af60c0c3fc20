//! The page: complete, and safe whatever stands in what it shows.

use time::macros::datetime;

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
        ended: None,
        steps: Vec::new(),
        shortened: vec!["the devices of <line>: the usual validity is shortened".to_owned()],
        cas: vec![ca("root", 0), ca("line", 1)],
        devices: Devices {
            listed: 2,
            issued: 2,
            registered: Some(2),
            connected: Some((1, 2)),
            place: Some("t.example.com:8883".to_owned()),
            expiry: BTreeMap::from([(datetime!(2026-12-05 10:00 UTC).date(), 2)]),
            rows: vec![device("gw-2", false), device("gw-1", true)],
        },
        failures: together(vec![("gw-2".to_owned(), why("refused with code 5"))]),
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
        "<b>1<small class=\"bad\"> of 2</small></b>connect",
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
fn what_happened_to_many_is_told_once() {
    let all = (0..50).map(|n| (format!("d{n}"), why(if n == 7 { "other" } else { "same" })));
    let failures = together(all.collect());
    let counts: Vec<(usize, usize)> = failures.iter().map(|f| (f.count, f.ids.len())).collect();
    assert_eq!(counts, [(49, MOST_IDS), (1, 1)]);
    let page = Picture { failures, kinds: 2, failed: 50, ..picture() }.html();
    assert!(page.contains("<strong>49</strong>") && page.contains("and 29 more"), "{page}");
}
