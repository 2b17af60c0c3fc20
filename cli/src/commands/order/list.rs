//! `order list`: all orders, a line each.

use std::path::Path;

use c8y_pki_engine::orders::{self, OrderOptions};
use clap::Args;

use super::view::View;
use crate::clock;
use crate::failure::{Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{day, table};

/// Arguments of `order list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki order list
  c8y-pki order list --unfinished --json")]
pub(crate) struct ListArgs {
    /// Only orders with devices that are not issued, and that were not taken back
    #[arg(long)]
    unfinished: bool,
}

pub(super) fn run(args: &ListArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let registry = pki.registry();
    let mut views = Vec::new();
    for order in registry.orders()? {
        let progress = orders::progress(registry, &order)?;
        let view = View::of(&order, OrderOptions::of(&order)?, progress);
        if !args.unfinished || view.state() == "unfinished" {
            views.push(view);
        }
    }
    if views.is_empty() {
        out.note(&match args.unfinished {
            true => "No order is unfinished.".to_owned(),
            false => format!(
                "There are no orders. Make one: `{}`",
                hint::with_pki("order create NAME --from FILE --ca NAME")
            ),
        });
        return Ok(Outcome::Done);
    }
    out.results(&views, |views| {
        let header = [
            "ORDER",
            "CUSTOMER",
            "CA",
            "CREATED",
            "DEVICES",
            "ISSUED",
            "FAILED",
            "HANDED OVER",
            "STATE",
        ];
        table(&header, views.iter().map(row).collect())
    })?;
    Ok(Outcome::Done)
}

fn row(view: &View) -> Vec<String> {
    let p = &view.progress;
    vec![
        view.name.clone(),
        view.customer.clone().unwrap_or_default(),
        view.ca.clone(),
        day(view.created),
        p.devices.to_string(),
        p.issued.to_string(),
        p.failed.to_string(),
        p.handed_over.to_string(),
        view.state().to_owned(),
    ]
}
