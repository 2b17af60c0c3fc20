//! `ca list`: the CAs as a tree, and those that wait for their certificates.

use std::path::Path;

use c8y_pki_core::failure::Task;
use c8y_pki_engine::pki::Pki;
use serde::Serialize;
use time::OffsetDateTime;

use super::view::{CaView, WaitingView, revoked};
use crate::clock;
use crate::failure::{Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{day, table, until};

/// A CA, or one that waits for its certificate.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    Ca(Box<CaView>),
    Waiting(WaitingView),
}

pub(super) fn run(expiring: Option<time::Duration>, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let pki = clock::open_to_read(dir, out)?;
    let mut views = views(&pki)?;
    let waiting: Vec<WaitingView> = match expiring {
        None => pki.waiting()?.iter().map(WaitingView::of).collect(),
        // They have no end yet.
        Some(_) => Vec::new(),
    };
    if let Some(time) = expiring {
        views.retain(|view| view.not_after < now + time);
        // Cut out of its tree, each is a line of its own.
        if !out.is_json() && !out.is_csv() {
            views.iter_mut().for_each(|view| view.parent = None);
        }
        if views.is_empty() {
            out.note("No CA expires in that time.");
            return Ok(Outcome::Done);
        }
    }
    let is_empty = views.is_empty() && waiting.is_empty();
    let notes: Vec<String> = waiting.iter().map(WaitingView::what_to_do).collect();
    let text = text(&views, &waiting);
    let rows = views.into_iter().map(|view| Row::Ca(Box::new(view)));
    let rows: Vec<Row> = rows.chain(waiting.into_iter().map(Row::Waiting)).collect();
    out.results(&rows, |_| text)?;
    notes.iter().for_each(|note| out.note(note));
    if is_empty {
        out.note(&format!("There is no CA yet: {} makes a root.", hint::run(&Task::InitCa)));
    }
    Ok(Outcome::Done)
}

fn views(pki: &Pki) -> Result<Vec<CaView>> {
    let devices = pki.registry().device_counts()?;
    let mut views = Vec::new();
    for ca in pki.cas()? {
        views.push(CaView { revoked: revoked(pki, &ca)?, ..CaView::of(&ca, &devices) });
    }
    Ok(views)
}

fn text(views: &[CaView], waiting: &[WaitingView]) -> String {
    let mut rows = Vec::new();
    tree(views, None, "", &mut rows);
    rows.extend(waiting.iter().map(WaitingView::row));
    table(&["CA", "SUBJECT", "KEY", "VALID UNTIL", "PATH LENGTH", "DEVICES"], rows)
}

fn tree(views: &[CaView], parent: Option<&str>, indent: &str, rows: &mut Vec<Vec<String>>) {
    let children: Vec<&CaView> = views.iter().filter(|v| v.parent.as_deref() == parent).collect();
    for (index, view) in children.iter().enumerate() {
        let last = index + 1 == children.len();
        let (branch, next) = match (parent.is_some(), last) {
            (false, _) => ("", String::new()),
            (true, true) => ("└─ ", format!("{indent}   ")),
            (true, false) => ("├─ ", format!("{indent}│  ")),
        };
        rows.push(vec![
            format!("{indent}{branch}{}", view.name),
            view.subject.clone(),
            match (view.key_here, view.in_token) {
                (false, _) => format!("{}, not here", view.key),
                (true, false) => view.key.clone(),
                (true, true) => format!("{}, in a token", view.key),
            },
            match view.revoked {
                Some(reason) => format!("revoked: {reason}"),
                None => format!("{} ({})", day(view.not_after), until(view.not_after)),
            },
            view.path_length.map_or_else(|| "unlimited".to_owned(), |n| n.to_string()),
            view.devices.to_string(),
        ]);
        tree(views, Some(&view.name), &next, rows);
    }
}
