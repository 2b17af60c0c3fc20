//! What is told of a run that has issued devices.

use std::path::{Path, PathBuf};

use c8y_pki_core::failure::Task;
use c8y_pki_engine::files;
use c8y_pki_engine::provision::Summary;
use serde::Serialize;

use super::left_out::LeftOut;
use super::options::{Form, OutputArgs};
use crate::commands::superseded;
use crate::failure::{Outcome, Result};
use crate::hint;
use crate::old_ids;
use crate::output::{Output, is_stdout};
use crate::render::{count, date};

/// What is said where a run was stopped.
pub(super) const INTERRUPTED: &str = "interrupted; run the same command again to finish";

/// What the report has to know of the job.
#[derive(Clone, Copy)]
pub(super) struct Done<'a> {
    pub(super) secrets: Option<&'a Path>,
    pub(super) plain_keys: bool,
    /// Whether the run can be asked to replace revoked devices too.
    pub(super) replaces: bool,
    /// Whether it revokes what they had.
    pub(super) revokes: bool,
}

#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    devices_per_second: f64,
    out: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_list: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<String>,
}

pub(super) fn report(args: &OutputArgs, summary: &Summary, done: Done<'_>, out: Output) -> Result {
    let failed_list = match summary.failed {
        0 => {
            // A list of an earlier run is not true any more.
            // Who reads a stream waits for its end.
            let is_former = |path: &PathBuf| {
                is_stdout(path) || files::is_stream(path) || (args.keep_going && path.exists())
            };
            let former = args.failed_path().filter(is_former);
            args.write_failed(&[], former, out)?;
            None
        }
        _ => args.write_failed(&summary.failures, args.failed_path(), out)?,
    };
    let out = out.beside(args.writes_to_stdout().then_some(args.out.as_path()));
    let out = out.beside(args.failed.as_deref());
    out.faults(&summary.failures);
    let issued = Issued {
        summary,
        devices_per_second: (summary.issued as f64 / summary.seconds * 10.0).round() / 10.0,
        out: args.out.display().to_string(),
        failed_list: failed_list.map(|path| path.display().to_string()),
        secrets: done.secrets.map(|path| path.display().to_string()),
    };
    out.result(&issued, text)?;
    let (number, ids) = (summary.revoked, summary.revoked_ids.as_slice());
    let left_out = LeftOut { number, ids, replaces: done.replaces };
    let refusal = left_out.refusal(summary.issued + summary.skipped + summary.failed);
    let left_out = left_out.sentence().filter(|_| refusal.is_none());
    remarks(args, summary, (done, left_out), out);
    if summary.stopped {
        out.warning(INTERRUPTED);
        return Ok(Outcome::Stopped);
    }
    match refusal {
        Some(refused) => Err(refused),
        None => Ok(Outcome::of(summary.failed == 0)),
    }
}

fn text(issued: &Issued<'_>) -> String {
    let s = issued.summary;
    let rate = match s.seconds >= 1.0 {
        true => format!(" ({:.0}/s)", issued.devices_per_second),
        false => String::new(),
    };
    let place = if issued.out == "-" { "" } else { &format!(": {}", issued.out) };
    let devices = count(s.issued, "device");
    let mut text = format!("{devices} issued in {:.1} s{rate}{place}\n", s.seconds);
    if s.left > 0 {
        text.push_str(&format!("{} not issued, because the run was interrupted\n", s.left));
    }
    if s.replaced > 0 {
        let replace = if s.replaced == 1 { "replaces" } else { "replace" };
        text.push_str(&format!("{} of them {replace} a former certificate\n", s.replaced));
    }
    if s.skipped > 0 {
        let have = if s.skipped == 1 { "it has" } else { "they have" };
        text.push_str(&format!("{} skipped: {have} a certificate already\n", s.skipped));
        for (place, devices) in &s.elsewhere {
            text.push_str(&format!("  the files of {devices} of them were written to {place}\n"));
        }
    }
    if s.made_by_others > 0 {
        let were = if s.made_by_others == 1 { "was" } else { "were" };
        let devices = count(s.made_by_others, "device");
        text.push_str(&format!("{devices} {were} made by other stations\n"));
    }
    if s.recovered > 0 {
        text.push_str(&format!("{} recovered from a run that was stopped\n", s.recovered));
    }
    if s.failed > 0 {
        let list = issued.failed_list.as_ref().map_or(String::new(), |path| format!(": {path}"));
        text.push_str(&format!("{} failed{list}\n", s.failed));
    }
    text
}

/// Says where the files of replaced certificates are: a run moves those that were at its place, and no others.
fn tell_of_former_files(moved_to: &Path, summary: &Summary, out: Output) {
    let elsewhere = &summary.formers.elsewhere;
    let is_any_moved = summary.stopped || summary.replaced > elsewhere.values().sum();
    if is_any_moved && moved_to.exists() {
        out.note(&format!("the former files are in {}", moved_to.display()));
    }
    for (place, devices) in elsewhere {
        let whose = match *devices == summary.replaced {
            true => String::new(),
            false => format!(" of {}", count(*devices, "device")),
        };
        out.note(&format!("the former files{whose} were written to {place}, and were not moved"));
    }
}

fn remarks(
    args: &OutputArgs,
    summary: &Summary,
    (done, left_out): (Done<'_>, Option<String>),
    out: Output,
) {
    if let Some(since) = summary.since {
        out.note(&format!("resumed the run of {}, which was not finished", date(since)));
    }
    old_ids::warn(&summary.old_ids, out);
    left_out.iter().for_each(|sentence| out.warning(sentence));
    if summary.issued > 0 && done.plain_keys {
        out.note(
            "key.pem is not encrypted, as most firmware needs it; --encrypt-keys changes that",
        );
    }
    if let Some(batch) = &summary.batch {
        out.note(&format!("batch {batch}"));
    }
    if let Some(secrets) = done.secrets.filter(|_| summary.issued > 0) {
        let (whole, part) = (secrets.display(), files::unfinished(secrets));
        out.note(&match summary.stopped {
            true => format!(
                "the store passwords so far are in {}; the same command finishes the run, and then all of them are in {whole}. \
                 Keep both secret",
                part.display()
            ),
            false => format!(
                "the store passwords are in {whole}: hand this file over separately from the stores, then delete it"
            ),
        });
    }
    if summary.replaced > 0 && args.into == Form::Folders {
        tell_of_former_files(&args.out.join(".replaced"), summary, out);
    }
    if done.revokes && summary.replaced > 0 {
        let revoked = superseded::revoked(summary.replaced, &summary.formers.cas);
        out.note(&format!("{revoked}; and at the platform: {}", hint::run(&Task::UploadCrl)));
    }
    // Where the files of all of them went was said.
    if summary.incomplete > summary.elsewhere.values().sum() {
        let more = if summary.incomplete > summary.incomplete_ids.len() { ", …" } else { "" };
        out.warning(&format!(
            "{} skipped, but not all the files of this bundle are in {}: moved, lost, or issued \
             with another bundle ({}{more}); {} looks for their keys",
            count(summary.incomplete, "device"),
            args.out.display(),
            summary.incomplete_ids.join(", "),
            hint::run(&Task::CheckRegistry)
        ));
    }
}
