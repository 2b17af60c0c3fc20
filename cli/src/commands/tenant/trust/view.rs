//! A trusted certificate, for people and as JSON.

use c8y_pki_engine::platform::trusted::{self, TrustedCertificate};
use serde::Serialize;
use time::OffsetDateTime;

use crate::render::{colons, date, day, days_until, printable, until};

/// A trusted certificate, and what was done with it.
#[derive(Serialize)]
pub(in super::super) struct View<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(flatten)]
    pub(super) certificate: &'a TrustedCertificate,
    /// Whole days until it expires; negative when it has.
    days_left: Option<i64>,
    /// Fingerprints of other certificates of the same name and key that the tenant has: the CA was renewed.
    renewals: Vec<String>,
}

impl<'a> View<'a> {
    pub(in super::super) fn of(
        certificate: &'a TrustedCertificate,
        action: Option<&'static str>,
    ) -> Self {
        let days_left = certificate.not_after.map(days_until);
        Self { action, certificate, days_left, renewals: Vec::new() }
    }

    /// With what the tenant has of the same CA.
    pub(in super::super) fn among(self, all: &[TrustedCertificate]) -> Self {
        let renewals = trusted::renewals(all, self.certificate);
        Self { renewals: renewals.into_iter().map(|c| c.fingerprint.clone()).collect(), ..self }
    }
}

pub(super) fn on(flag: bool) -> &'static str {
    if flag { "on" } else { "off" }
}

/// One certificate, a line for each of its properties.
pub(in super::super) fn details(view: &View<'_>) -> String {
    let c = view.certificate;
    let mut text = match view.action {
        Some(action) => format!("{}: {action}\n", printable(&c.name)),
        None => format!("{}\n", printable(&c.name)),
    };
    let mut line = |label: &str, value: &str| {
        text.push_str(&format!("  {label:<21}{}\n", printable(value)));
    };
    line("Subject", &c.subject);
    if c.issuer != c.subject {
        line("Issuer", &c.issuer);
    }
    line("Status", &c.status.to_lowercase());
    line("Auto-registration", on(c.auto_registration_enabled));
    line("Proof of possession", &proof(c));
    if let Some(end) = c.not_after {
        line("Valid until", &format!("{} ({})", day(end), until(end)));
    }
    if c.tenant_certificate_authority {
        line("Made by", "the platform, as the tenant's own CA");
    }
    line("SHA-1", &colons(&c.fingerprint));
    text
}

pub(super) fn proof(c: &TrustedCertificate) -> String {
    let end = c.proof_of_possession_verification_code_usable_until;
    match (&c.proof_of_possession_unsigned_verification_code, end) {
        _ if c.proof_of_possession_valid => "complete".to_owned(),
        (None, _) => "open".to_owned(),
        (Some(_), None) => "open, a code is out".to_owned(),
        (Some(_), Some(end)) if end < OffsetDateTime::now_utc() => {
            format!("open, the code expired at {}", date(end))
        }
        (Some(_), Some(end)) => format!("open, a code is out until {}", date(end)),
    }
}
