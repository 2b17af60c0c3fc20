//! The same as numbers for Prometheus: its text exposition format (version 0.0.4), as the text-file collector of the
//! node exporter reads it.
//!
//! Names follow Prometheus's conventions ("Metric and label naming"): base units, `_timestamp_seconds` for moments. What
//! was not looked at has no sample; a rule can tell by `absent()`.

use super::{Picture, Urgency};
use crate::numbers::{self, Family, seconds};

/// The numbers of a picture, as text.
pub fn text(picture: &Picture) -> String {
    let mut families = of_directory(picture);
    families.extend(of_tenant(picture));
    numbers::text(&families)
}

fn of_directory(picture: &Picture) -> Vec<Family> {
    let mut looked =
        Family::gauge("c8y_pki_status_timestamp_seconds", "When the status was looked at.");
    looked.add(&[], seconds(picture.at));
    let mut items = Family::gauge("c8y_pki_items", "What needs a person, by urgency.");
    let found = picture.items();
    for (urgency, word) in [(Urgency::Overdue, "overdue"), (Urgency::Due, "due")] {
        items.add(
            &[("urgency", word)],
            found.iter().filter(|item| item.urgency == urgency).count() as f64,
        );
    }
    let mut ends =
        Family::gauge("c8y_pki_ca_not_after_timestamp_seconds", "When a CA's certificate ends.");
    let mut devices =
        Family::gauge("c8y_pki_devices", "Live device certificates, by CA and state.");
    let mut servers =
        Family::gauge("c8y_pki_servers", "Live server certificates, by CA and state.");
    let mut first = Family::gauge(
        "c8y_pki_device_first_not_after_timestamp_seconds",
        "When the first live device certificate of a CA ends.",
    );
    let mut next = Family::gauge(
        "c8y_pki_crl_next_update_timestamp_seconds",
        "When a CA's next revocation list is due.",
    );
    let mut unlisted =
        Family::gauge("c8y_pki_revocations_unlisted", "Revocations of a CA that are in no list.");
    for ca in &picture.cas {
        let name = ca.name.as_str();
        ends.add(&[("ca", name)], seconds(ca.not_after));
        for (family, state) in [(&mut devices, &ca.devices), (&mut servers, &ca.servers)] {
            let valid = state.live.saturating_sub(state.expired + state.ending);
            for (word, number) in
                [("valid", valid), ("ending", state.ending), ("expired", state.expired)]
            {
                family.add(&[("ca", name), ("state", word)], number as f64);
            }
        }
        if let Some(end) = ca.devices.first_end {
            first.add(&[("ca", name)], seconds(end));
        }
        if let Some(at) = ca.list.next_update {
            next.add(&[("ca", name)], seconds(at));
        }
        unlisted.add(&[("ca", name)], ca.list.unlisted as f64);
    }
    let mut orders = Family::gauge("c8y_pki_order_devices", "Devices of an order, by state.");
    let mut handed_over = Family::gauge(
        "c8y_pki_order_devices_handed_over",
        "Devices of an order that were handed over.",
    );
    for order in &picture.orders {
        let of = &order.progress;
        let states = [
            ("issued", of.issued),
            ("failed", of.failed),
            ("revoked", of.revoked),
            ("open", of.open),
        ];
        for (word, number) in states {
            orders.add(&[("order", &order.name), ("state", word)], number as f64);
        }
        handed_over.add(&[("order", &order.name)], of.handed_over as f64);
    }
    vec![looked, items, ends, devices, servers, first, next, unlisted, orders, handed_over]
}

fn of_tenant(picture: &Picture) -> Vec<Family> {
    let mut trusted = Family::gauge(
        "c8y_pki_tenant_ca_trusted",
        "Whether the tenant trusts a CA that has devices.",
    );
    let mut proven = Family::gauge(
        "c8y_pki_tenant_ca_proven",
        "Whether the tenant has a proof of possession for a CA.",
    );
    let mut missing = Family::gauge(
        "c8y_pki_tenant_revocations_missing",
        "Revocations that the tenant's list does not have.",
    );
    let mut check = Family::gauge(
        "c8y_pki_tenant_revocation_check",
        "Whether the tenant looks at its list of revocations.",
    );
    let mut asked = Family::gauge(
        "c8y_pki_tenant_devices",
        "Devices that the tenant was asked about, by state.",
    );
    if let Some(tenant) = &picture.tenant {
        let id = ("tenant", tenant.tenant.as_str());
        for trust in tenant.trust.iter().flatten() {
            trusted.add(&[id, ("ca", &trust.ca)], flag(trust.anchor.is_some()));
            proven.add(&[id, ("ca", &trust.ca)], flag(trust.proven));
        }
        if let Some(number) = tenant.revocations_missing {
            missing.add(&[id], number as f64);
        }
        if let Some(on) = tenant.revocation_check.known() {
            check.add(&[id], flag(on));
        }
        if let Some(registered) = &tenant.registered {
            let there = registered.asked - registered.missing;
            for (word, number) in [
                ("registered", there),
                ("missing", registered.missing),
                ("not_asked", registered.not_asked),
            ] {
                asked.add(&[id, ("state", word)], number as f64);
            }
        }
    }
    vec![trusted, proven, missing, check, asked]
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}
