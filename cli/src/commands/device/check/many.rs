//! Many devices side by side: a line each, in the order of the list, and a summary.

use c8y_pki_core::shown;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::atomic::Ordering;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::device::check::{self, Report, Verdict};
use c8y_pki_engine::provision::Progress;
use serde::Serialize;

use super::super::connecting::{Opener, Subject};
use super::setting::{MORE_WITH_LOGIN, Setting};
use super::show;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::pace::raise_file_limit;
use crate::progress::Line;
use crate::render::count;
use crate::stop;

/// How many, and why not.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Devices of the list or order, or those that were named.
    listed: usize,
    checked: usize,
    connected: usize,
    refused: usize,
    wrong_files: usize,
    not_reached: usize,
    /// The likeliest causes, with the number of devices.
    causes: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct Last<'a> {
    summary: &'a Summary,
}

pub(super) fn run(
    setting: &Setting<'_>,
    opener: &Opener<'_>,
    (subjects, listed): (&[Subject], usize),
    connected: &mut Vec<DeviceId>,
    out: Output,
) -> Result {
    let mut summary = Summary { listed, ..Summary::default() };
    let mut told = Ok(true);
    let mut would_ask = false;
    let begin = |index: usize| {
        let subject = &subjects[index];
        setting.begin(subject, opener.read(subject))
    };
    raise_file_limit();
    let (stop, total) = (stop::on_interrupt(), subjects.len());
    // Where the lines go to the terminal, they are sign enough.
    let bar = (!std::io::stdout().is_terminal()).then(|| Line::bar_only(out)).flatten();
    let moves = |done| {
        if let Some(bar) = &bar {
            bar.set(Progress::of(done, total));
        }
    };
    moves(0);
    check::many(total, setting.pace(), begin, |index, report| {
        summary.add(&report);
        if report.verdict == Verdict::Connected {
            connected.extend(subjects[index].device.clone());
        }
        would_ask |= setting.would_ask(&report);
        told = out.offer_result(&report, |report| show::line(&subjects[index].name(), report));
        moves(index + 1);
        matches!(told, Ok(true)) && !stop.load(Ordering::Relaxed)
    });
    if let Some(bar) = &bar {
        bar.finish();
    }
    if !told? {
        // Nobody reads on.
        return Ok(summary.outcome());
    }
    let stopped = summary.checked < total;
    if stopped {
        out.warning(&format!(
            "interrupted after {} of {}",
            summary.checked,
            shown::count(total, "device")
        ));
    }
    if would_ask {
        out.note(MORE_WITH_LOGIN);
    }
    out.result(&Last { summary: &summary }, |last| last.summary.text())?;
    Ok(if stopped { Outcome::Stopped } else { summary.outcome() })
}

impl Summary {
    fn add(&mut self, report: &Report) {
        self.checked += 1;
        match report.verdict {
            Verdict::Connected => self.connected += 1,
            Verdict::Refused => self.refused += 1,
            Verdict::WrongFiles => self.wrong_files += 1,
            Verdict::NotReached => self.not_reached += 1,
        }
        if let Some(cause) = report.causes.first() {
            *self.causes.entry(cause.code).or_default() += 1;
        }
    }

    /// Some failed: 1. If it is the same with all of them, its own code says more.
    fn outcome(&self) -> Outcome {
        let all = self.checked;
        match self {
            _ if self.connected == all => Outcome::Done,
            _ if self.not_reached == all => Outcome::of_kind(Verdict::NotReached.kind()),
            _ if self.wrong_files == all => Outcome::of_kind(Verdict::WrongFiles.kind()),
            _ => Outcome::NO,
        }
    }

    fn text(&self) -> String {
        let connect = if self.checked == 1 { "connects" } else { "connect" };
        let tried = match self.checked < self.listed {
            // Nothing is known of the others.
            true => format!("{} tried", self.checked),
            false => count(self.checked, "device"),
        };
        let mut text = format!("{} of {tried} {connect}", self.connected);
        let parts = [
            (self.refused, "refused by the platform"),
            (self.wrong_files, "with wrong files"),
            (self.not_reached, "did not reach it"),
        ];
        for (number, what) in parts.into_iter().filter(|(number, _)| *number > 0) {
            text.push_str(&format!("; {number} {what}"));
        }
        if self.checked < self.listed {
            let others = count(self.listed - self.checked, "device");
            text.push_str(&format!("; {others} of {} not tried", self.listed));
        }
        text.push('\n');
        let mut causes: Vec<_> = self.causes.iter().collect();
        causes.sort_by_key(|(code, number)| (std::cmp::Reverse(**number), **code));
        for (code, number) in causes {
            text.push_str(&format!("{number:>6}  {code}\n"));
        }
        text
    }
}
