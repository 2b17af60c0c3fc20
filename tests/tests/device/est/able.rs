//! Whether the service can issue, as things are now: its clock, its CA, the CA's name.

use std::sync::atomic::{AtomicI64, Ordering};

use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::serve::{Identity, Service, Settings, Usual};
use c8y_pki_tests::cli::{CA_PW, PASSWORD};
use time::{Duration, OffsetDateTime};

use super::{OTP, Site};

/// How far the clock of the services in this file is ahead, in days.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn clock() -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(AHEAD.load(Ordering::Relaxed))
}

/// Starts a service of a CA in this process, whose clock can be set.
fn start(site: &mut Site, ca: &str, ahead: i64) -> Service {
    AHEAD.store(ahead, Ordering::Relaxed);
    let pki = Pki::open(&site.cli.path("pki"), clock()).expect("a PKI directory");
    let key = pki.ca(ca).expect("a CA").unlock(&Password::new(PASSWORD)).expect("its key");
    let folder = site.cli.path("servers/est");
    let service = Service::start(Settings {
        pki,
        key,
        listen: ([127, 0, 0, 1], 0).into(),
        identity: Identity { chain: folder.join("chain.pem"), key: folder.join("key.pem") },
        passwords: None,
        usual: Usual {
            profile: Profile::built_in("device").expect("a profile"),
            subject: c8y_pki_core::name::Name::builder(),
            days: None,
        },
        page: false,
        clock,
    })
    .expect("it starts");
    site.address = service.address().to_string();
    service
}

/// Stops a service; why it has refused requests, by its log.
fn reasons(service: Service) -> Vec<String> {
    let mut reasons = Vec::new();
    service.stop(|entry| {
        let entry = serde_json::to_value(&entry).expect("JSON");
        reasons.extend(entry["reason"].as_str().map(str::to_owned));
    });
    reasons
}

#[test]
fn with_a_wrong_clock_or_an_ended_ca_it_is_not_ready_and_issues_nothing() {
    let Some(mut site) = Site::new() else { return };
    assert_eq!(site.stop().0, 0);
    let short = "ca add short --parent root --subject CN=short --days 3 --key-type ec-p256";
    site.cli.ok(&format!("{short} {CA_PW}"));
    let service = start(&mut site, "short", 5);
    site.curl("/readyz", &[]).expect(503);
    let why = reasons(service);
    assert!(why.len() == 1 && why[0].contains("CN=short"), "{why:?}");

    site.request("a", "gw-1");
    // Nothing was recorded for forty days, and somebody has said that the clock is right.
    let service = start(&mut site, "line", 40);
    site.curl("/readyz", &[]).expect(200);
    // Set back to before the service has started: the registry knows of nothing later than that.
    for wrong in [20, 80] {
        AHEAD.store(wrong, Ordering::Relaxed);
        site.curl("/readyz", &[]).expect(503);
        site.enrol(1, "a.b64").expect(503);
    }
    AHEAD.store(40, Ordering::Relaxed);
    site.curl("/readyz", &[]).expect(200);
    site.enrol(1, "a.b64").expect(200);
    let why = reasons(service);
    assert_eq!(why.len(), 4, "{why:?}");
    assert!(why.iter().all(|why| why.contains("this computer's clock says ")), "{why:?}");
}

#[test]
fn a_ca_that_gets_another_name_goes_on() {
    let Some(mut site) = Site::new() else { return };
    site.enrolled(1, "a");
    site.cli.ok("ca rename line line-8");
    site.curl("/readyz", &[]).expect(200);
    site.request("b", "gw-2");
    let login = format!("gw-2:{OTP}2");
    site.post("line-8/simpleenroll", "b.b64", &["--user", &login]).expect(200);
    site.post("line/simpleenroll", "b.b64", &["--user", &login]).expect(404);
    site.request("c", "gw-1");
    site.renew("a", "c.b64").expect(200);
    let cas = site.curl("/.well-known/est/cacerts", &[]).expect(200);
    site.certificate(&cas, "cas");

    // Another CA takes the name: it is not that of the service.
    site.cli
        .ok(&format!("ca add line --parent root --subject CN=other --key-type ec-p256 {CA_PW}"));
    site.request("d", "gw-3");
    let made = site.enrol(3, "d.b64").expect(200);
    site.certificate(&made, "d");
    let verified =
        site.openssl.run("verify -CAfile @pki/ca/root/cert.pem -untrusted @cas.pem @d.pem");
    assert!(verified.contains("d.pem: OK"), "{verified}");
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}
