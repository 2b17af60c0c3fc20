//! The platform's own verdict on the chain, asked where there is a login: of a device that is refused, of one
//! whose chain our own check refuses, and of any if that is wanted.
//!
//! Where it accepts a chain that we refuse, its verdict counts: the device connects all the same, and what we
//! found is a note.

use super::super::diagnosis::Cause;
use super::{Ended, Run, StepName};
use crate::cert::Certificate;

/// Findings that are about the name of the device or its own key: the platform's verdict is none on those.
const NOT_ASKED_FOR: [&str; 5] = ["empty", "no-common-name", "common-name", "colon", "key"];

impl Run<'_> {
    /// Asks, once; returns why it could not be asked.
    pub(super) fn ask_verdict(&mut self, presented: &[Certificate]) -> Option<String> {
        let inquiry = self.check.tenant.filter(|_| self.facts.verdict.is_none())?;
        match inquiry.verdict(presented) {
            Ok(verdict) => self.facts.verdict = Some(verdict),
            Err(reason) => {
                return Some(format!("the platform gave no verdict on the chain: {reason}"));
            }
        }
        None
    }

    /// What it says for the host to which the device connects; none if it says nothing.
    fn accepts(&self) -> Option<bool> {
        let host = &self.check.target.host;
        self.facts.verdict.as_ref().filter(|verdict| verdict.is_of(host))?.accepts()
    }

    /// Whether the platform accepts the chain that we refuse; that is noted.
    pub(super) fn is_overruled(&mut self, presented: &[Certificate], found: &[Cause]) -> bool {
        if found.iter().any(|cause| NOT_ASKED_FOR.contains(&cause.code)) {
            return false;
        }
        let Some(first) = found.first() else { return false };
        let untold = self.ask_verdict(presented);
        self.notes.extend(untold);
        if self.accepts() != Some(true) {
            return false;
        }
        self.notes.push(format!(
            "our own check refuses the chain: {}; the platform accepts it, and its verdict counts",
            first.cause
        ));
        self.facts.ours = Some(first.cause.clone());
        true
    }

    /// At the end: of a chain whose dates are wrong here, and of any if that is wanted.
    pub(super) fn ask_at_the_end(&mut self, ended: &Ended) {
        let presented = std::mem::take(&mut self.presented);
        let is_due = match ended {
            Ok(()) => self.check.always_judged,
            Err(failure) => failure.step == StepName::Validity,
        };
        if presented.is_empty() || !is_due {
            return;
        }
        let untold = self.ask_verdict(&presented);
        self.notes.extend(untold);
        match (ended, self.accepts()) {
            (Ok(()), Some(false)) => self.notes.push(
                "the device was accepted, but the platform's own verdict on its chain is no: it is not \
                 known whether it can connect again"
                    .to_owned(),
            ),
            (Err(_), Some(true)) => self.notes.push(
                "the platform's own verdict is that the chain is valid: this machine's clock may be wrong".to_owned(),
            ),
            _ => {}
        }
    }
}
