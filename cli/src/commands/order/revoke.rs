//! `order revoke`: an order is taken back, and what was issued for it is revoked.

use std::path::Path;

use c8y_pki_core::crl::Reason;
use c8y_pki_core::failure::Task;
use c8y_pki_engine::orders::{self, TakeBack};
use c8y_pki_engine::registry::Record;
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::confirm::confirm;
use crate::failure::{Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{count, date};

/// How many devices are named before the question.
const MOST_NAMED: usize = 10;

/// Arguments of `order revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
For a wrong list that was used. Every live certificate that the order's devices got since the order
was made is revoked; a certificate that is older than the order is kept. Then the order is closed:
nothing is issued for it any more, and its devices can be in another order. What will be revoked is
shown first, and you confirm it at the terminal or with --yes. A revocation is final. It has no
effect until it is in a list: make the CA's next list, and upload it to the platform.

Examples:
  c8y-pki order revoke acme-11 --plan
  c8y-pki order revoke acme-11
  c8y-pki order revoke acme-11 --yes && c8y-pki ca crl line-7 && c8y-pki tenant crl upload

Exit codes: 0 done, or planned; 1 the question was answered with no; 2 there is no such order, or
nobody can be asked: nothing was revoked.")]
pub(crate) struct RevokeArgs {
    /// The order
    name: String,
    /// Only show what would be revoked
    #[arg(long, conflicts_with = "yes")]
    plan: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Taken {
    order: String,
    /// Whether nothing was changed.
    plan: bool,
    revoked: Vec<One>,
    kept: Vec<One>,
    without_certificate: u64,
    connected: u64,
    handed_over: u64,
}

/// A certificate.
#[derive(Serialize)]
struct One {
    id: String,
    serial: String,
    ca: String,
}

impl One {
    fn of(record: &Record) -> Self {
        let id = record.holder.device().map(ToString::to_string).unwrap_or_default();
        Self { id, serial: record.serial.to_string(), ca: record.ca.clone() }
    }
}

pub(super) fn run(args: &RevokeArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let order = orders::named(pki.registry(), &args.name)?;
    let all = orders::take_back(pki.registry(), &order)?;
    if let Some(since) = order.taken_back.filter(|_| all.revoke.is_empty()) {
        out.note(&format!("the order {} was taken back before, {}", order.name, date(since)));
        return Ok(Outcome::Done);
    }
    if args.plan {
        out.result(&taken(&order.name, true, &all), |_| {
            told(&order.name, &all).iter().map(|l| format!("{l}\n")).collect()
        })?;
        return Ok(Outcome::Done);
    }
    let what = format!("taking back the order {}", order.name);
    let question =
        format!("Revoke {}? A revocation is final.", count(all.revoke.len(), "certificate"));
    if !args.yes && !confirm(&what, &told(&order.name, &all), &question)? {
        out.note("Nothing was revoked.");
        return Ok(Outcome::NO);
    }
    // From then on a run that is making its devices records none: what it has made before is in the list that follows.
    // If this is stopped between the two, the same command finishes it.
    pki.registry_mut().take_order_back(&order, now)?;
    let all = orders::take_back(pki.registry(), &order)?;
    if !all.revoke.is_empty() {
        let reason = Reason::CessationOfOperation;
        pki.registry_mut().revoke(&all.revoke, reason, now, now)?;
    }
    let taken = taken(&order.name, args.plan, &all);
    out.result(&taken, |taken| {
        let certificates = count(taken.revoked.len(), "certificate");
        format!("order {} taken back: {certificates} revoked\n", taken.order)
    })?;
    let mut cas: Vec<&str> = taken.revoked.iter().map(|one| one.ca.as_str()).collect();
    cas.sort_unstable();
    cas.dedup();
    if !cas.is_empty() {
        let next: Vec<String> = cas
            .iter()
            .map(|ca| hint::run(&Task::MakeCrl { ca: Some((*ca).to_owned()), days: None }))
            .collect();
        out.note(&format!(
            "To give this effect, make the next list: {}; and at the platform: {}",
            next.join(", "),
            hint::run(&Task::UploadCrl)
        ));
    }
    Ok(Outcome::Done)
}

fn taken(order: &str, plan: bool, all: &TakeBack) -> Taken {
    Taken {
        order: order.to_owned(),
        plan,
        revoked: all.revoke.iter().map(One::of).collect(),
        kept: all.before.iter().map(One::of).collect(),
        without_certificate: all.without,
        connected: all.connected,
        handed_over: all.handed_over,
    }
}

/// What is going to happen, in sentences.
fn told(order: &str, all: &TakeBack) -> Vec<String> {
    let mut lines = vec![format!(
        "the order {order}: {} to be revoked",
        count(all.revoke.len(), "live certificate")
    )];
    for record in all.revoke.iter().take(MOST_NAMED) {
        lines.push(format!("{}  {}, issued by {}", record.whose(), record.serial, record.ca));
    }
    if all.revoke.len() > MOST_NAMED {
        lines.push(format!("and {} more", all.revoke.len() - MOST_NAMED));
    }
    if all.handed_over > 0 {
        lines.push(format!("{} of them were handed over", all.handed_over));
    }
    if all.connected > 0 {
        lines.push(format!("{} of them have connected", all.connected));
    }
    if !all.before.is_empty() {
        let kept = count(all.before.len(), "device");
        lines.push(format!("{kept} with a certificate that is older than the order: kept"));
    }
    if all.without > 0 {
        let without = count(usize::try_from(all.without).unwrap_or(usize::MAX), "device");
        lines.push(format!("{without} without a live certificate"));
    }
    lines.push("then the order is closed, and its devices can be in another one".to_owned());
    lines
}
