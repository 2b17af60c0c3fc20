//! What the service has done, and how it stands: numbers for Prometheus.

use super::ask::Ask;
use crate::numbers::{self, Family, seconds};
use crate::serve::answer::{Answer, Result, failed};

/// The media type of Prometheus's text exposition format.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`. What is told of CAs has the names that `status` gives it.
pub(super) fn show(ask: &Ask<'_>) -> Result<Answer> {
    let (shared, now) = (ask.shared, ask.call.now);
    let mut ready = Family::gauge("c8y_pki_ready", "Whether the service could sign now.");
    ready.add(&[], f64::from(u8::from(shared.check_ready(now).is_ok())));
    let mut started = Family::gauge("process_start_time_seconds", "When the service started.");
    started.add(&[], seconds(shared.started()));
    let mut own = Family::gauge(
        "c8y_pki_service_not_after_timestamp_seconds",
        "When the certificate of the service ends.",
    );
    own.add(&[], seconds(shared.presented.until()));
    let mut ends =
        Family::gauge("c8y_pki_ca_not_after_timestamp_seconds", "When a CA's certificate ends.");
    let mut next = Family::gauge(
        "c8y_pki_crl_next_update_timestamp_seconds",
        "When a CA's next revocation list is due.",
    );
    for ca in shared.pki.cas().map_err(|e| failed(&e))? {
        if !ask.token.is_for_ca(&ca.name) {
            continue;
        }
        let label = [("ca", ca.name.as_str())];
        ends.add(&label, seconds(ca.certificate().not_after));
        // A list that is lost is told by `status`.
        if let Ok(Some(list)) = shared.pki.made_list(&ca).map_err(|e| failed(&e))?
            && let Some(at) = list.next_update
        {
            next.add(&label, seconds(at));
        }
    }
    let mut families = shared.counts.families();
    families.extend([ready, started, own, ends, next]);
    Ok(Answer::of(KIND, numbers::text(&families).into_bytes()))
}
