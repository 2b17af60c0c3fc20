//! Devices that were revoked on purpose and get no certificate: the same words in a plan and after a run.

use crate::failure::Failure;
use crate::render::count;

/// How many ids a summary has.
const MOST_IDS: usize = 100;

/// How many of them are named.
const MOST_NAMED: usize = 5;

/// Adds devices that were left out before a run was asked about the others.
pub(super) fn add(more: Vec<String>, (number, ids): (&mut usize, &mut Vec<String>)) {
    *number += more.len();
    let room = MOST_IDS.saturating_sub(ids.len());
    ids.extend(more.into_iter().take(room));
}

/// Devices that are left out.
pub(super) struct LeftOut<'a> {
    /// How many.
    pub(super) number: usize,
    /// The first of them.
    pub(super) ids: &'a [String],
    /// Whether devices are replaced: then an option asks for these too.
    pub(super) replaces: bool,
}

impl LeftOut<'_> {
    /// Which they are, and how they are issued again; none if there are none.
    pub(super) fn sentence(&self) -> Option<String> {
        let devices = count(self.number, "device");
        let how = match self.replaces {
            true => "--issue-revoked issues them again",
            false => "Issue one again by its id with --existing replace",
        };
        (self.number > 0).then(|| format!("{devices} left out: revoked ({}). {how}", self.named()))
    }

    /// That nothing was to be done for any other device than these.
    pub(super) fn refusal(&self, others: usize) -> Option<Failure> {
        if self.number == 0 || others > 0 {
            return None;
        }
        let (is, it) = if self.number == 1 { ("is", "it") } else { ("are", "them") };
        let revoked = count(self.number, "device");
        let how = match self.replaces {
            true => format!("to issue {it} again add --issue-revoked"),
            false => format!("issue {it} again by id with --existing replace"),
        };
        let named = self.named();
        let message = format!("{revoked} {is} revoked, and no other one was to be issued: {named}");
        Some(Failure::no(message, how))
    }

    fn named(&self) -> String {
        let named: Vec<&str> = self.ids.iter().take(MOST_NAMED).map(String::as_str).collect();
        let more = if self.number > named.len() { ", …" } else { "" };
        format!("{}{more}", named.join(", "))
    }
}
