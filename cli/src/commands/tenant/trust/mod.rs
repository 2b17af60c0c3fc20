//! `tenant trust`: the CAs whose devices the tenant lets in.

mod add;
mod change;
mod renewal;
pub(crate) mod which;

use std::path::Path;

use c8y_pki::platform::trusted::{self, TrustedCertificate};
use clap::Subcommand;
use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{colons, date, day, days_until, printable, table, until};
use crate::tenant::TenantArgs;

/// Commands about trusted certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Upload certificates of CAs; what is there already stays
    #[command(after_help = "\
What the platform checks is checked first: X.509 version 3, CA:TRUE, not expired. A certificate that
is there is a success; options that differ from what is there are applied to it.

Examples:
  c8y-pki tenant trust add --ca line-7 --auto-registration --prove
  c8y-pki tenant trust add ca.pem --name \"Line 7\" --prove --key ca.key
  c8y-pki tenant trust add a.pem b.pem --dry-run

Exit codes: 0 all are there; 1 another tenant of the instance has one of them, or a proof was
refused; 2 a certificate that the platform would refuse, wrong credentials; 3 not reached.")]
    Add(add::AddArgs),
    /// List all, with days left and proof of possession
    #[command(after_help = "\
Examples:
  c8y-pki tenant trust list
  c8y-pki tenant trust list --json | jq -r 'select(.days_left < 90) | .name'")]
    List {
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Show one
    #[command(after_help = "\
Examples:
  c8y-pki tenant trust show \"Line 7\"
  c8y-pki tenant trust show pki/ca/line-7/cert.pem --json")]
    Show {
        /// Its file, its SHA-1 fingerprint (or how that begins), or its name in the tenant
        id: String,
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Rename, enable, disable, switch auto-registration
    #[command(after_help = "\
Examples:
  c8y-pki tenant trust update \"Line 7\" --disable
  c8y-pki tenant trust update 1f2e3d --auto-registration --dry-run")]
    Update(change::UpdateArgs),
    /// Remove some: their devices can no longer connect
    #[command(after_help = "\
Exit codes: 0 they are gone, also when they were before; 1 you said no; 2 no such name, wrong
credentials; 3 not reached.

Examples:
  c8y-pki tenant trust remove \"Line 7\"
  c8y-pki tenant trust remove old-ca.pem --yes")]
    Remove(change::RemoveArgs),
}

/// A trusted certificate, and what was done with it.
#[derive(Serialize)]
pub(super) struct View<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(flatten)]
    certificate: &'a TrustedCertificate,
    /// Whole days until it expires; negative when it has.
    days_left: Option<i64>,
    /// Fingerprints of other certificates of the same name and key that the tenant has: the CA was renewed.
    renewals: Vec<String>,
}

impl<'a> View<'a> {
    pub(super) fn of(certificate: &'a TrustedCertificate, action: Option<&'static str>) -> Self {
        let days_left = certificate.not_after.map(days_until);
        Self { action, certificate, days_left, renewals: Vec::new() }
    }

    /// With what the tenant has of the same CA.
    pub(super) fn among(self, all: &[TrustedCertificate]) -> Self {
        let renewals = trusted::renewals(all, self.certificate);
        Self { renewals: renewals.into_iter().map(|c| c.fingerprint.clone()).collect(), ..self }
    }
}

pub(super) fn run(command: &TrustCommand, pki: &Path, out: Output) -> Result {
    match command {
        TrustCommand::Add(args) => add::run(args, pki, out),
        TrustCommand::List { tenant } => list(tenant, pki, out),
        TrustCommand::Show { id, tenant } => show(id, tenant, out),
        TrustCommand::Update(args) => change::update(args, out),
        TrustCommand::Remove(args) => change::remove(args, out),
    }
}

fn list(tenant: &TenantArgs, pki: &Path, out: Output) -> Result {
    let client = tenant.connect(out)?;
    let mut all = client.wait(trusted::list(&client))?;
    all.sort_by(|a, b| a.not_after.cmp(&b.not_after).then_with(|| a.name.cmp(&b.name)));
    let views: Vec<View<'_>> = all.iter().map(|c| View::of(c, None).among(&all)).collect();
    if views.is_empty() {
        out.note(&format!(
            "The tenant {} has no trusted certificate.",
            client.wait(client.tenant())?
        ));
    }
    out.results(&views, rows)?;
    renewal::tell(pki, &all, out);
    Ok(Outcome::Done)
}

fn rows(views: &[View<'_>]) -> String {
    if views.is_empty() {
        return String::new();
    }
    let row = |view: &View<'_>| {
        let c = view.certificate;
        vec![
            c.name.clone(),
            c.status.to_lowercase(),
            on(c.auto_registration_enabled).to_owned(),
            if c.proof_of_possession_valid { "complete" } else { "open" }.to_owned(),
            c.not_after.map_or_else(|| "unknown".to_owned(), until),
            c.fingerprint.clone(),
        ]
    };
    let header = ["NAME", "STATUS", "AUTO-REGISTRATION", "PROOF", "EXPIRES", "FINGERPRINT (SHA-1)"];
    table(&header, views.iter().map(row).collect())
}

fn on(flag: bool) -> &'static str {
    if flag { "on" } else { "off" }
}

fn show(id: &str, tenant: &TenantArgs, out: Output) -> Result {
    let client = tenant.connect(out)?;
    let found = which::find(&client, id)?;
    out.result(&View::of(&found, None), details)?;
    Ok(Outcome::Done)
}

/// One certificate, a line for each of its properties.
pub(super) fn details(view: &View<'_>) -> String {
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

fn proof(c: &TrustedCertificate) -> String {
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
