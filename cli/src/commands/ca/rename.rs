//! `ca rename`: the same CA under another name.

use std::path::Path;

use serde::Serialize;
use time::OffsetDateTime;

use super::view::CaView;
use crate::clock;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::as_line;

#[derive(Serialize)]
struct Renamed<'a> {
    #[serde(flatten)]
    ca: CaView,
    former_name: &'a str,
}

pub(super) fn run(from: &str, to: &str, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let ca = pki.rename_ca(from, to, now)?;
    let ca = CaView::of(&ca, &pki.registry().device_counts()?);
    out.result(&Renamed { ca, former_name: from }, |renamed| {
        as_line(&format!("CA {from} is called {} now: {}", renamed.ca.name, renamed.ca.folder))
    })?;
    out.note(&format!(
        "Rollout files and scripts that name the CA {from} have to be changed by hand."
    ));
    Ok(Outcome::Done)
}
