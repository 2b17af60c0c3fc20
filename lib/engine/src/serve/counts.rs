//! What the service has done since it started: numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::numbers::Family;

/// Which answers are counted together: path, method and status. A path is one of those that there are, so that nobody
/// can have more and more numbers kept.
type Kind = (&'static str, &'static str, u16);

#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    answers: BTreeMap<Kind, u64>,
    times: BTreeMap<&'static str, Duration>,
    issued: u64,
}

impl Counts {
    /// Counts an answer, and whether a certificate was made for it.
    pub(super) fn add(
        &self,
        path: &'static str,
        method: &str,
        status: u16,
        (took, made): (Duration, bool),
    ) {
        let method = ["GET", "POST"].into_iter().find(|known| *known == method).unwrap_or("other");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.answers.entry((path, method, status)).or_default() += 1;
        *all.times.entry(path).or_default() += took;
        all.issued += u64::from(made);
    }

    /// As families for Prometheus.
    pub(super) fn families(&self) -> Vec<Family> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers =
            Family::counter("c8y_pki_http_requests_total", "Requests that were answered.");
        for ((path, method, status), count) in &all.answers {
            let labels = [("path", *path), ("method", *method), ("status", &status.to_string())];
            answers.add(&labels, *count as f64);
        }
        let mut times = Family::counter(
            "c8y_pki_http_request_seconds_total",
            "Time between requests and their answers.",
        );
        for (path, time) in &all.times {
            times.add(&[("path", path)], time.as_secs_f64());
        }
        let mut issued = Family::counter(
            "c8y_pki_certificates_issued_total",
            "Certificates that the service has made.",
        );
        issued.add(&[], all.issued as f64);
        vec![answers, times, issued]
    }
}
