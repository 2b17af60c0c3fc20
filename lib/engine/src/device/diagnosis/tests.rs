//! The table, row by row: which causes a symptom has, and in which order.

use super::*;
use crate::failure::Means;
use crate::platform::verdict::{Unasked, Verdict};

/// A device with a chain of three that is known to hold the uploaded CA, on the usual port.
fn facts() -> Facts {
    Facts {
        id: "gw-1".to_owned(),
        host: "acme.example.com".to_owned(),
        port: 8883,
        chain_length: 3,
        ca: "CN=Root".to_owned(),
        ca_fingerprint: Some("0a1b".to_owned()),
        uploaded_is_presented: true,
        asked: Some(true),
        key_suits: true,
        listed: false,
        unlisted: None,
        truststore: Some("trust.p12".to_owned()),
        ends_with_root: true,
        server_expired_before: false,
        tenant: None,
        ..Facts::default()
    }
}

fn codes(symptom: Symptom, facts: &Facts) -> Vec<&'static str> {
    causes(symptom, facts).iter().map(|cause| cause.code).collect()
}

#[test]
fn each_symptom_has_its_causes_in_their_order() {
    use Symptom as S;
    for (symptom, wanted) in [
        (S::Connack(1), "wrong-endpoint protocol-version"),
        (S::Connack(2), "client-id wrong-endpoint"),
        (S::Connack(3), "unavailable"),
        (S::Connack(4), "password-expected"),
        (
            S::Connack(5),
            "ca-not-uploaded ca-disabled not-registered registered-basic proof-missing other-tenant \
             ca-elsewhere revoked server-clock overload",
        ),
        (S::Connack(77), "wrong-endpoint"),
        (S::LateConnack, "overload revoked ca-elsewhere ca-disabled"),
        (S::Alert(Alert::UNKNOWN_CA), "ca-not-uploaded other-tenant ca-disabled"),
        (S::Alert(Alert::BAD_CERTIFICATE), "ca-not-uploaded certificate-refused revoked"),
        (S::Alert(Alert::CERTIFICATE_UNKNOWN), "ca-not-uploaded certificate-refused revoked"),
        (S::Alert(Alert::UNSUPPORTED_CERTIFICATE), "certificate-usage"),
        (S::Alert(Alert::CERTIFICATE_REQUIRED), "no-certificate"),
        (S::Alert(Alert::CERTIFICATE_EXPIRED), "server-clock expired"),
        (S::Alert(Alert::CERTIFICATE_REVOKED), "revoked"),
        (S::Alert(Alert::HANDSHAKE_FAILURE), "no-common-tls intercepted"),
        (S::Alert(Alert::PROTOCOL_VERSION), "tls-version intercepted"),
        (S::Alert(Alert::INSUFFICIENT_SECURITY), "no-common-tls intercepted"),
        (S::Alert(Alert::UNRECOGNIZED_NAME), "host-name intercepted"),
        (S::Alert(Alert::ACCESS_DENIED), "ca-not-uploaded ca-disabled revoked other-tenant"),
        (S::Alert(Alert::DECRYPT_ERROR), "key-mismatch"),
        (S::Alert(Alert(80)), "server-failed intercepted"),
        (S::Alert(Alert(90)), "intercepted wrong-endpoint"),
        (S::ClosedInTls, "intercepted firewall wrong-endpoint"),
        (S::ClosedWithoutAnswer, "certificate-refused wrong-endpoint overload"),
        (S::ClosedLater, "connected-twice message-refused overload"),
        (S::NoTcp, "firewall server-down"),
        (S::NoTls, "intercepted server-down"),
        (S::NoConnack, "overload wrong-endpoint intercepted"),
        (S::NoAnswer, "overload server-down"),
        (S::Unresolvable, "host-name dns"),
        (S::PortClosed, "port-closed server-down"),
        (S::Unreachable, "network firewall"),
        (S::TooLarge, "ca-list-too-large"),
        (S::OtherTls, "tls-version intercepted wrong-endpoint"),
        (S::NoCommonTls, "no-common-tls intercepted wrong-endpoint"),
        (S::ServerSelfSigned, "edge-server-certificate intercepted"),
        (S::NotTls, "intercepted wrong-endpoint"),
        (S::NotMqtt, "wrong-endpoint intercepted"),
        (S::ServerUnknownCa, "server-ca-missing intercepted other-tenant"),
        (S::ServerOtherKey, "server-ca-renewed intercepted"),
        (S::ServerExpired, "clock-ahead server-expired"),
        (S::ServerNotYetValid, "clock-behind"),
        (S::ServerOtherName, "host-name intercepted"),
        (S::ServerRefused, "intercepted wrong-endpoint"),
        (S::NotSubscribed, "not-the-platform"),
        (S::ErrorMessage, "message-refused"),
        (S::Other, "overload intercepted wrong-endpoint"),
    ] {
        let wanted: Vec<&str> = wanted.split_whitespace().collect();
        assert_eq!(codes(symptom, &facts()), wanted, "{symptom:?}");
    }
}

#[test]
fn what_is_known_adds_causes_or_takes_them_away() {
    let first = |symptom, facts: Facts| codes(symptom, &facts)[0];
    let not_asked = || Facts { asked: Some(false), ..facts() };
    for symptom in [Symptom::Connack(4), Symptom::Connack(5), Symptom::ClosedWithoutAnswer] {
        assert_eq!(first(symptom, not_asked()), "certificate-not-asked", "{symptom:?}");
    }
    // Of what the server has not seen, nothing can be wrong for it; what the tenant says stays.
    assert_eq!(codes(Symptom::Connack(5), &not_asked()), ["certificate-not-asked", "overload"]);
    let disabled = TenantSays { status: Some("DISABLED".to_owned()), ..welcome() };
    let told = Facts { tenant: Some(disabled), ..not_asked() };
    let wanted = ["certificate-not-asked", "ca-disabled", "overload"];
    assert_eq!(codes(Symptom::Connack(5), &told), wanted);
    let unknown = Facts { uploaded_is_presented: false, ..facts() };
    assert_eq!(codes(Symptom::Connack(5), &unknown)[2], "chain-incomplete");
    let short = Facts { chain_length: 2, ..facts() };
    assert!(!codes(Symptom::Connack(5), &short).contains(&"proof-missing"));
    let unsuited = || Facts { key_suits: false, ..facts() };
    for alert in [Alert::HANDSHAKE_FAILURE, Alert::CERTIFICATE_REQUIRED] {
        assert_eq!(first(Symptom::Alert(alert), unsuited()), "key-unsuited", "{alert}");
    }
    // Then no certificate was sent, and a server may first say so over MQTT.
    for symptom in [Symptom::Connack(4), Symptom::Connack(5), Symptom::ClosedWithoutAnswer] {
        assert_eq!(first(symptom, unsuited()), "key-unsuited", "{symptom:?}");
    }
    for symptom in [Symptom::PortClosed, Symptom::NotTls, Symptom::ClosedInTls, Symptom::NoTls] {
        let odd = Facts { port: 443, ..facts() };
        assert_eq!(first(symptom, odd), "wrong-port", "{symptom:?}");
    }
}

fn renewed(own: bool) -> Option<RenewedCa> {
    let (until, presented_until) = (None, time::macros::datetime!(2027-03-04 0:00 UTC));
    Some(RenewedCa { fingerprint: "ab".to_owned(), until, presented_until, own })
}

/// A tenant that has nothing against the device.
fn welcome() -> TenantSays {
    let yes = Some(true);
    TenantSays {
        uploaded: yes,
        name: Some("Root".to_owned()),
        subject: Some("CN=Root".to_owned()),
        status: Some("ENABLED".to_owned()),
        auto_registration: yes,
        proof: yes,
        presented: yes,
        registered: Some(false),
        revoked: Some(false),
        valid: yes,
        same_host: yes,
        length: 3,
        ..TenantSays::default()
    }
}

/// The causes of CONNACK 5 when a tenant says that, the certain ones marked with `!`.
fn judged(says: TenantSays) -> String {
    let facts = Facts { tenant: Some(says), ..facts() };
    let found = causes(Symptom::Connack(5), &facts);
    let marks = found.iter().map(|cause| match cause.certainty {
        Certainty::Confirmed => format!("{}!", cause.code),
        _ => cause.code.to_owned(),
    });
    marks.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_tenant_confirms_and_excludes() {
    let (no, yes) = (Some(false), Some(true));
    assert_eq!(judged(welcome()), "overload");
    for (says, wanted) in [
        (
            TenantSays { uploaded: no, ..TenantSays::default() },
            "ca-not-uploaded! registered-basic other-tenant revoked server-clock overload",
        ),
        (TenantSays { presented: no, ..welcome() }, "chain-incomplete! overload"),
        (TenantSays { status: Some("DISABLED".to_owned()), ..welcome() }, "ca-disabled! overload"),
        (TenantSays { auto_registration: no, ..welcome() }, "not-registered! overload"),
        (
            TenantSays { auto_registration: no, registered: None, ..welcome() },
            "not-registered registered-basic overload",
        ),
        (TenantSays { registered: yes, ..welcome() }, "registered-basic overload"),
        (TenantSays { proof: no, ..welcome() }, "proof-missing ca-elsewhere overload"),
        (TenantSays { proof: no, length: 2, ..welcome() }, "proof-missing ca-elsewhere overload"),
        (TenantSays { revoked: yes, ..welcome() }, "revoked overload"),
        (TenantSays { revoked: yes, revocation_checked: yes, ..welcome() }, "revoked! overload"),
        (TenantSays { revoked: yes, revocation_checked: no, ..welcome() }, "overload"),
        (TenantSays { revoked: None, revocation_checked: no, ..welcome() }, "overload"),
        (
            TenantSays { presented: no, renewed: renewed(false), ..welcome() },
            "ca-renewed! overload",
        ),
        (TenantSays { presented: no, renewed: renewed(true), ..welcome() }, "ca-renewed! overload"),
        (
            TenantSays { presented: no, same_host: no, renewed: renewed(false), ..welcome() },
            "other-tenant overload",
        ),
        (TenantSays { valid: no, ..welcome() }, "server-clock! overload"),
        (TenantSays { same_host: no, ..welcome() }, "other-tenant overload"),
        (TenantSays { same_host: no, revoked: None, ..welcome() }, "other-tenant revoked overload"),
        // Of another host nothing is certain, and a tenant without the CA excludes nothing.
        (
            TenantSays { same_host: no, status: Some("DISABLED".to_owned()), ..welcome() },
            "other-tenant ca-disabled overload",
        ),
        (
            TenantSays { same_host: no, auto_registration: no, ..welcome() },
            "other-tenant not-registered overload",
        ),
        (
            TenantSays { same_host: no, proof: no, revoked: yes, ..welcome() },
            "other-tenant proof-missing ca-elsewhere revoked overload",
        ),
        (
            TenantSays { same_host: no, uploaded: no, revoked: no, ..TenantSays::default() },
            "ca-not-uploaded ca-disabled not-registered registered-basic proof-missing \
             other-tenant ca-elsewhere revoked server-clock overload",
        ),
        (
            TenantSays::default(),
            "ca-not-uploaded ca-disabled not-registered registered-basic proof-missing \
             other-tenant ca-elsewhere revoked server-clock overload",
        ),
    ] {
        assert_eq!(judged(says.clone()), wanted, "{says:?}");
    }
}

#[test]
fn what_the_tenant_says_counts_for_every_refusal() {
    let disabled = TenantSays { status: Some("DISABLED".to_owned()), ..welcome() };
    for symptom in [Symptom::ClosedWithoutAnswer, Symptom::Alert(Alert::HANDSHAKE_FAILURE)] {
        let facts = Facts { tenant: Some(disabled.clone()), ..facts() };
        assert_eq!(codes(symptom, &facts)[0], "ca-disabled", "{symptom:?}");
    }
    let none = TenantSays { uploaded: Some(false), status: None, presented: None, ..welcome() };
    let open = Facts { ends_with_root: false, uploaded_is_presented: false, ..facts() };
    let open = Facts { tenant: Some(none), ..open };
    assert_eq!(codes(Symptom::Connack(5), &open)[..2], ["ca-not-uploaded", "chain-incomplete"]);
    let alone = || Facts { chain_length: 1, ends_with_root: false, ..facts() };
    // Whether a CA above its issuer is uploaded, nobody can tell from the device's certificate alone.
    let cut = Facts { uploaded_is_presented: false, tenant: open.tenant.clone(), ..alone() };
    let found = causes(Symptom::Connack(5), &cut);
    assert_eq!((found[0].code, found[1].code), ("chain-incomplete", "ca-not-uploaded"));
    assert!(found.iter().all(|cause| !cause.is_certain()), "{found:?}");
    let below =
        Facts { tenant: Some(TenantSays { presented: Some(false), ..welcome() }), ..alone() };
    let below = Facts { uploaded_is_presented: false, ..below };
    let first = &causes(Symptom::Connack(5), &below)[0];
    // Some platforms take it, so it is not certain.
    assert_eq!((first.code, first.certainty), ("chain-incomplete", Certainty::Likely));
    let excluded = Facts { tenant: Some(welcome()), ..facts() };
    assert!(!codes(Symptom::ClosedWithoutAnswer, &excluded).contains(&"certificate-refused"));
    assert_eq!(codes(Symptom::Alert(Alert::CERTIFICATE_REVOKED), &excluded), ["revoked"]);
}

#[test]
fn a_server_that_expired_before_the_device_was_made_is_to_blame_itself() {
    let long = Facts { server_expired_before: true, ..facts() };
    let found = causes(Symptom::ServerExpired, &long);
    assert_eq!((found[0].code, found[0].certainty), ("server-expired", Certainty::Shown));
    assert_eq!(codes(Symptom::ServerExpired, &long), ["server-expired", "clock-ahead"]);
}

#[test]
fn the_words_have_the_facts_in_them() {
    for n in 0..=255 {
        let symptoms = [Symptom::Connack(n), Symptom::Alert(Alert(n)), Symptom::ServerUnknownCa];
        for cause in symptoms.iter().flat_map(|symptom| causes(*symptom, &facts())) {
            let words = format!("{} {}", cause.cause, cause.remedy);
            assert!(!words.contains('{') && !words.contains("  "), "{words}");
        }
    }
    let cause = &causes(Symptom::Connack(5), &facts())[0];
    assert_eq!(cause.cause, "the CA (CN=Root) is not uploaded to this tenant");
    let disabled = &causes(Symptom::Connack(5), &facts())[1];
    let enable = Task::EnableCa { name: "0a1b".to_owned() };
    assert_eq!(disabled.remedy, Hint::run("enable it", enable));
    let own = &causes(Symptom::ServerUnknownCa, &facts())[0];
    assert_eq!(own.cause, "the truststore trust.p12 lacks the CA of the server");
    let system = Facts { truststore: None, ..facts() };
    let cause = &causes(Symptom::ServerUnknownCa, &system)[0].cause;
    assert!(cause.starts_with("the system does not know"), "{cause}");
}

#[test]
fn the_mqtt_service_has_causes_of_its_own() {
    let user = Some("t1".to_owned());
    let service = || Facts { port: 9883, service: true, user: user.clone(), ..facts() };
    assert_eq!(codes(Symptom::PortClosed, &service())[0], "service-not-there");
    assert_eq!(codes(Symptom::NoTcp, &service())[..2], ["firewall", "service-not-there"]);
    // Another port is no sign of a wrong one there: it was named.
    let elsewhere = Facts { port: 12_345, ..service() };
    assert!(!codes(Symptom::PortClosed, &elsewhere).contains(&"wrong-port"));
    let certainty = |id: &str, facts: &Facts| {
        let says = TenantSays { id: Some(id.to_owned()), ..welcome() };
        let facts = Facts { tenant: Some(says), ..facts.clone() };
        let found = causes(Symptom::Connack(5), &facts);
        found.into_iter().find(|c| c.code == "tenant-user").map(|c| c.certainty)
    };
    assert_eq!(certainty("t2", &service()), Some(Certainty::Confirmed));
    assert_eq!(certainty("t1", &service()), None);
    assert_eq!(certainty("t2", &Facts { user: None, ..service() }), None);
    assert_eq!(certainty("t2", &Facts { service: false, ..service() }), None);
    assert!(codes(Symptom::Connack(5), &service()).contains(&"tenant-user"));
    let smart_rest = |smart_rest| {
        let found = causes(Symptom::NotSubscribed, &Facts { smart_rest, ..service() });
        assert_eq!(found.len(), 1, "{found:?}");
        (found[0].code, found[0].certainty)
    };
    assert_eq!(smart_rest(None), ("smartrest-off", Certainty::Likely));
    assert_eq!(smart_rest(Some(false)), ("smartrest-off", Certainty::Confirmed));
    assert_eq!(smart_rest(Some(true)), ("smartrest-refused", Certainty::Likely));
    let words =
        causes(Symptom::Connack(5), &service()).into_iter().find(|c| c.code == "tenant-user");
    assert!(words.is_some_and(|c| c.cause.starts_with("the MQTT user t1 is not the id")));
}

/// What the platform's own verdict makes of a CONNACK 5.
fn weighed(verdict: Verdict, says: Option<TenantSays>, ours: Option<&str>) -> String {
    let verdict = ChainVerdict {
        other_tenant: verdict.is_for_another_than("t1"),
        verdict,
        asked: "t1".to_owned(),
        hosts: vec!["acme.example.com".to_owned()],
    };
    let facts =
        Facts { tenant: says, verdict: Some(verdict), ours: ours.map(str::to_owned), ..facts() };
    codes(Symptom::Connack(5), &facts).join(" ")
}

#[test]
fn the_platforms_verdict_counts() {
    let accepted = |tenant: &str| {
        let (subject, issuer) = (String::new(), String::new());
        Verdict::Accepted { tenant: tenant.to_owned(), subject, issuer }
    };
    let refused = || Verdict::Refused { message: "Invalid certificate chain!".to_owned() };
    let unreadable = || Verdict::Unreadable { message: "Incomplete data".to_owned() };
    let not_asked = || Verdict::NotAsked { reason: Unasked::Failed("no right".into()) };
    let unknown = codes(Symptom::Connack(5), &facts()).join(" ");
    let told = judged(welcome());
    // What was not asked changes nothing.
    assert_eq!(weighed(not_asked(), None, None), unknown);
    assert_eq!(weighed(not_asked(), Some(welcome()), None), told);
    let good = "ca-disabled not-registered registered-basic proof-missing other-tenant ca-elsewhere server-clock overload";
    assert_eq!(weighed(accepted("t1"), None, None), good);
    let differs = weighed(accepted("t1"), None, Some("not signed"));
    assert_eq!(differs, format!("verdict-differs {good}"));
    let elsewhere = weighed(accepted("t2"), None, None);
    assert!(elsewhere.starts_with("other-tenant ca-not-uploaded "), "{elsewhere}");
    for no in [refused, unreadable] {
        let bad = "ca-not-uploaded ca-disabled proof-missing other-tenant ca-elsewhere revoked server-clock";
        assert_eq!(weighed(no(), None, None), bad);
    }
    // Whatever the tenant has not excluded is likelier than a rule that nobody knows.
    let welcome = || TenantSays { registered: Some(true), ..welcome() };
    assert_eq!(judged(welcome()), "registered-basic overload");
    assert_eq!(weighed(accepted("t1"), Some(welcome()), None), "registered-basic overload");
    assert_eq!(weighed(refused(), Some(welcome()), None), "tenant-says-no");
}

#[test]
fn the_verdict_of_another_host_is_none_on_this() {
    let verdict = ChainVerdict {
        verdict: Verdict::Refused { message: String::new() },
        other_tenant: false,
        asked: "t1".to_owned(),
        hosts: vec!["elsewhere.example.com".to_owned()],
    };
    let told = Facts { verdict: Some(verdict), ..facts() };
    assert_eq!(codes(Symptom::Connack(5), &told), codes(Symptom::Connack(5), &facts()));
    assert!(!told.is_refused_chain());
}

#[test]
fn a_list_without_the_ca_is_a_cause_where_the_server_gives_no_other_reason() {
    let unlisted = || Facts { unlisted: Some(3), ..facts() };
    for symptom in [
        Symptom::Connack(5),
        Symptom::ClosedWithoutAnswer,
        Symptom::Alert(Alert::UNKNOWN_CA),
        Symptom::Alert(Alert::CERTIFICATE_UNKNOWN),
    ] {
        let first = &causes(symptom, &unlisted())[0];
        // The list is seen; that it is the reason is not.
        assert_eq!((first.code, first.certainty), ("ca-not-in-list", Certainty::Likely));
        assert!(first.cause.starts_with("the server lists 3 CAs"), "{}", first.cause);
    }
    for symptom in [
        Symptom::Connack(3),
        Symptom::LateConnack,
        Symptom::Alert(Alert::CERTIFICATE_EXPIRED),
        Symptom::Alert(Alert::HANDSHAKE_FAILURE),
    ] {
        assert!(!codes(symptom, &unlisted()).contains(&"ca-not-in-list"), "{symptom:?}");
    }
    // What the tenant confirms comes before it.
    let none = TenantSays { uploaded: Some(false), same_host: Some(true), ..TenantSays::default() };
    let told = Facts { tenant: Some(none), ..unlisted() };
    assert_eq!(codes(Symptom::Connack(5), &told)[..2], ["ca-not-uploaded", "ca-not-in-list"]);
    // A tenant that has it is not said to lack it.
    let told = Facts { tenant: Some(welcome()), ..unlisted() };
    let first = &causes(Symptom::Connack(5), &told)[0];
    assert!(first.cause.starts_with("the tenant has the CA"), "{}", first.cause);
    let remove = Means::Run(Task::RemoveCa { name: "\"Root\"".to_owned() });
    assert!(first.remedy.means().contains(&&remove), "{:?}", first.remedy);
}

#[test]
fn a_ca_that_the_server_lists_is_hardly_unknown_to_it() {
    let listed = Facts { listed: true, ..facts() };
    let found = codes(Symptom::Alert(Alert::BAD_CERTIFICATE), &listed);
    assert_eq!(found, ["certificate-refused", "revoked", "ca-not-uploaded"]);
    // Its list has names only, so that another key of the same name may be meant.
    assert_eq!(codes(Symptom::Alert(Alert::UNKNOWN_CA), &listed)[0], "ca-not-uploaded");
    // The instance lists the CAs of all its tenants, which says little of a refusal in MQTT.
    assert_eq!(codes(Symptom::Connack(5), &listed), codes(Symptom::Connack(5), &facts()));
}
