//! `tenant status`: can it be reached, which one is it, what may the user do.

use c8y_pki_engine::platform::crl::Switch;
use c8y_pki_engine::platform::tenant::{self, May, ROLE_DEVICES, ROLE_ONESELF, Status};
use c8y_pki_engine::platform::trusted::{self, TrustedCertificate};
use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{count, printable};
use crate::tenant::TenantArgs;

#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    status: Status,
    /// None where the user may not see them.
    trusted: Option<Counts>,
}

/// The trusted certificates in numbers.
#[derive(Serialize)]
struct Counts {
    total: usize,
    enabled: usize,
    proven: usize,
    expired: usize,
}

impl Counts {
    fn of(trusted: &[TrustedCertificate], now: OffsetDateTime) -> Self {
        let count =
            |has: &dyn Fn(&TrustedCertificate) -> bool| trusted.iter().filter(|c| has(c)).count();
        Self {
            total: trusted.len(),
            enabled: count(&|c| c.is_enabled()),
            proven: count(&|c| c.proof_of_possession_valid),
            expired: count(&|c| c.not_after.is_some_and(|t| t < now)),
        }
    }
}

pub(super) fn run(args: &TenantArgs, out: Output) -> Result {
    let client = args.connect(out)?;
    let status = client.wait(tenant::status(&client))?;
    let now = OffsetDateTime::now_utc();
    let trusted = status.trusted.as_ref().map(|list| Counts::of(list, now));
    let may_all =
        [status.trusted_certificates, status.registration].iter().all(|may| *may != May::No);
    out.result(&View { status, trusted }, text)?;
    Ok(Outcome::of(may_all))
}

fn text(view: &View) -> String {
    let status = &view.status;
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        text.push_str(&format!("{label:<14}{}\n", printable(value)));
    };
    line("tenant", &format!("{} ({})", status.tenant.id, status.host));
    let untold = format!("not told; it needs {ROLE_ONESELF}");
    line("user", status.user.as_deref().unwrap_or(&untold));
    line("trusted CAs", &may(status.trusted_certificates, trusted::ROLE));
    line("registration", &may(status.registration, ROLE_DEVICES));
    line("revocation", revocation(status.revocation_check));
    if let Some(Counts { total, enabled, proven, expired }) = &view.trusted {
        let total = count(*total, "trusted certificate");
        line("", &format!("{total}: {enabled} enabled, {proven} proven, {expired} expired"));
    }
    text
}

/// What its list of revocations is good for.
fn revocation(check: Switch) -> &'static str {
    match check {
        Switch::On => "checked against the tenant's list",
        Switch::Off => "NOT checked: revoked devices can connect; `c8y-pki tenant crl enable`",
        Switch::Unknown => "not known whether it is checked: it needs ROLE_OPTION_MANAGEMENT_READ",
    }
}

fn may(may: May, role: &str) -> String {
    match may {
        May::Yes => "allowed".to_owned(),
        May::No => format!("NOT allowed: ask an administrator for {role}"),
        May::Unknown => format!("the platform does not say; it needs {role}"),
    }
}
