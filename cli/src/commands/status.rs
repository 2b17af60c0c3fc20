//! `status`: what needs a person, on one screen.

use std::path::{Path, PathBuf};

use c8y_pki_core::profile::MAX_VALIDITY_DAYS;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::status::{self, AtTenant, CaState, Item, Limits, Picture, Urgency};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::webhook::{self, WebhookArgs};
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{as_line, count, date, day, table};
use crate::tenant::TenantArgs;
use crate::{clock, outlet};

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without a tenant it looks at the PKI directory alone: CAs and devices whose certificates run out, revocation
lists that are due, orders that are not finished. With --host (or C8Y_HOST) it asks the tenant too: CAs that
are not trusted there, proofs of possession that are missing, devices that are not registered, revocations
that are not in its list. It changes nothing, and what it did not look at it says so.

Examples:
  c8y-pki status
  c8y-pki status --host acme.eu-latest.cumulocity.com --json
  c8y-pki status --prometheus /var/lib/node_exporter/c8y-pki.prom
  c8y-pki status --webhook https://hooks.example.com/pki --webhook-secret-file hook.secret

Exit codes: 0 nothing is overdue; 1 something is overdue; 2 wrong use, or no login or right at the tenant;
3 the tenant cannot be reached, or the webhook was not delivered. If the tenant does not answer, the rest
is shown and written all the same.")]
pub(crate) struct StatusArgs {
    /// Write the numbers to this file too, for the text-file collector of Prometheus's node exporter
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
    /// A CA is due so many days before its certificate ends
    #[arg(long, value_name = "N", default_value_t = Limits::default().ca_days, value_parser = days())]
    ca_days: u32,
    /// Devices are due so many days before their certificates end
    #[arg(long, value_name = "N", default_value_t = Limits::default().device_days, value_parser = days())]
    device_days: u32,
    /// A revocation list is due so many days before it ends
    #[arg(long, value_name = "N", default_value_t = Limits::default().list_days, value_parser = days())]
    list_days: u32,
    /// Ask the tenant about so many devices at most, the newest first; each is a request. 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    ask_devices: usize,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    tenant: TenantArgs,
}

fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=i64::from(MAX_VALIDITY_DAYS))
}

#[derive(Serialize)]
struct View<'a> {
    overdue: usize,
    due: usize,
    items: &'a [Item],
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_error: Option<String>,
    #[serde(flatten)]
    picture: &'a Picture,
}

pub(crate) fn run(args: &StatusArgs, dir: &Path, out: Output) -> Result {
    let out = out.beside(args.prometheus.as_deref());
    let hook = args.webhook.ready(&args.tenant)?;
    let now = OffsetDateTime::now_utc();
    let pki = clock::open_to_read(dir, out)?;
    let StatusArgs { ca_days, device_days, list_days, .. } = *args;
    let limits = Limits { ca_days, device_days, list_days };
    let mut picture = Picture::of(&pki, limits, now)?;
    let mut refused = None;
    if args.tenant.given_host().is_some() {
        let known = status::tenant::Known::of(&pki, args.ask_devices)?;
        let asked = args.tenant.connect(out).and_then(|client| {
            Ok::<_, Failure>(client.wait(status::tenant::ask(&client, &known))?)
        });
        match asked {
            Ok(told) => picture.tenant = Some(told),
            // What is here is shown all the same.
            Err(e) => refused = Some(e),
        }
    }
    if let Some(file) = &args.prometheus {
        let numbers = status::prometheus(&picture);
        outlet::write(file, numbers.as_bytes(), Access::Public, Existing::Replace, out)?;
    }
    let items = picture.items();
    let of = |urgency| items.iter().filter(|item| item.urgency == urgency).count();
    let (overdue, due) = (of(Urgency::Overdue), of(Urgency::Due));
    let tenant_error = refused.as_ref().map(Failure::message);
    out.result(&View { overdue, due, items: &items, tenant_error, picture: &picture }, text)?;
    if let Some(hook) = &hook {
        webhook::deliver(hook, &picture, &items, out)?;
    }
    refused.map_or(Ok(Outcome::of(overdue == 0)), Err)
}

fn text(view: &View<'_>) -> String {
    let picture = view.picture;
    let mut text = as_line(&match (view.overdue, view.due) {
        (0, 0) => "Nothing is overdue, and nothing is due soon.".to_owned(),
        (0, due) => format!("Nothing is overdue; {due} due soon."),
        (overdue, 0) => format!("{overdue} overdue."),
        (overdue, due) => format!("{overdue} overdue, {due} due soon."),
    });
    for (urgency, head) in [(Urgency::Overdue, "Overdue"), (Urgency::Due, "Due soon")] {
        let of: Vec<&Item> = view.items.iter().filter(|item| item.urgency == urgency).collect();
        if of.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{head}\n"));
        for item in of {
            text.push_str(&as_line(&format!(
                "  {:<13} {}: {}",
                item.subject.word(),
                item.name,
                item.message
            )));
            if let Some(hint) = &item.hint {
                text.push_str(&as_line(&format!("  {:<13} {hint}", "")));
            }
        }
    }
    text.push_str("\nLooked at\n");
    looked_at(picture).iter().for_each(|line| text.push_str(&as_line(&format!("  {line}"))));
    let not = not_looked_at(picture, view.tenant_error.as_deref());
    if !not.is_empty() {
        text.push_str("\nNot looked at\n");
        not.iter().for_each(|line| text.push_str(&as_line(&format!("  {line}"))));
    }
    text.push_str(&cas(&picture.cas));
    text
}

/// The CAs with their numbers, for those who want to see them all.
fn cas(cas: &[CaState]) -> String {
    if cas.is_empty() {
        return String::new();
    }
    let rows = cas.iter().map(|ca| {
        let list = match (ca.list.next_update, ca.list.made) {
            (Some(next), _) => day(next),
            (None, true) => "no date".to_owned(),
            (None, false) => "none".to_owned(),
        };
        let (devices, first) = (&ca.devices, ca.devices.first_end.map(day).unwrap_or_default());
        vec![ca.name.clone(), day(ca.not_after), devices.live.to_string(), first, list]
    });
    format!(
        "\n{}",
        table(&["CA", "VALID UNTIL", "DEVICES", "FIRST ENDS", "NEXT LIST"], rows.collect())
    )
}

fn looked_at(picture: &Picture) -> Vec<String> {
    let live: u64 = picture.cas.iter().map(|ca| ca.devices.live + ca.servers.live).sum();
    let live = usize::try_from(live).unwrap_or(usize::MAX);
    let mut lines = vec![format!(
        "the PKI directory at {}: {}, {}, {}",
        date(picture.at),
        count(picture.cas.len(), "CA"),
        count(live, "live certificate"),
        count(picture.orders.len(), "order"),
    )];
    let untrusted: u64 = picture
        .cas
        .iter()
        .filter(|ca| ca.revoked.is_some())
        .map(|ca| ca.devices.live + ca.servers.live)
        .sum();
    if untrusted > 0 {
        let certificates = count(usize::try_from(untrusted).unwrap_or(usize::MAX), "certificate");
        lines.push(format!("{certificates} of these: of CAs that are revoked, or below such a CA"));
    }
    if picture.taken_back > 0 {
        lines.push(format!("{} beside these: taken back", count(picture.taken_back, "order")));
    }
    lines.extend(picture.tenant.as_ref().map(tenant));
    lines
}

fn tenant(tenant: &AtTenant) -> String {
    let mut parts = Vec::new();
    parts.extend(tenant.trust.as_ref().map(|all| format!("trust in {}", count(all.len(), "CA"))));
    parts.extend(tenant.revocations_missing.map(|_| "its list of revocations".to_owned()));
    parts.extend(
        tenant
            .registered
            .as_ref()
            .map(|of| format!("registration of {}", count(of.asked, "device"))),
    );
    format!("the tenant {} ({}): {}", tenant.tenant, tenant.host, parts.join(", "))
}

fn not_looked_at(picture: &Picture, tenant_error: Option<&str>) -> Vec<String> {
    if let Some(reason) = tenant_error {
        return vec![format!("the tenant: {reason}")];
    }
    let Some(tenant) = &picture.tenant else {
        return vec![
            "the tenant: trust, proofs, registrations and revocations there (give --host)"
                .to_owned(),
        ];
    };
    let mut lines = tenant.unanswered.clone();
    let left = tenant.registered.as_ref().map_or(0, |registered| registered.not_asked);
    if left > 0 {
        lines.push(format!("the registration of {} (--ask-devices)", count(left, "more device")));
    }
    lines
}
