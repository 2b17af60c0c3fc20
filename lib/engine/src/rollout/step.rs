//! The steps of a rollout.

use super::diff::{Finding, Remedy, Sign};

/// The kind of the step that issues devices.
pub(super) const DEVICES: &str = "devices";

/// The kind of the step that issues devices again.
pub(super) const REPLACE: &str = "replace";

/// What is done with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is there already.
    Keep,
    /// It is written anew, because its contents change.
    Update,
    /// It is tried.
    Connect,
    /// The platform is asked about it.
    Judge,
    /// It is revoked and withdrawn.
    Remove,
}

/// One step of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The kind of thing: `password`, `ca`, `devices`, `replace`, `prune`, `registration`; at the tenant `trust`,
    /// `proof`, `verdict`, `register`, `connect`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// More about it, in words.
    pub detail: String,
    /// How many things it stands for.
    pub count: usize,
    /// Whether it is as wanted: in a plan, whether it was before.
    pub done: bool,
    /// What the platform has said to [`Action::Judge`]; `None` if it was not asked, or did not say.
    #[serde(skip)]
    pub(super) answer: Option<bool>,
}

impl Step {
    pub(super) fn new(
        action: Action,
        kind: &'static str,
        name: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let (name, detail) = (name.into(), detail.into());
        Self { action, kind, name, detail, count: 1, done: action == Action::Keep, answer: None }
    }

    /// Whether it issues devices, new ones or again.
    pub fn issues(&self) -> bool {
        self.action != Action::Keep && [DEVICES, REPLACE].contains(&self.kind)
    }

    /// What became of it, in a word or two.
    pub fn word(&self) -> &'static str {
        match self.action {
            Action::Keep => "in place",
            Action::Judge => match self.answer {
                Some(true) => "accepted",
                Some(false) => "not accepted",
                None => "not asked",
            },
            _ if !self.done => "not done",
            Action::Create => "created",
            Action::Update => "updated",
            Action::Connect => "tried",
            Action::Remove => "removed",
        }
    }

    /// The same as a row of a plan, about a key of the file.
    pub(super) fn finding(&self, key: &str) -> Finding {
        let sign = match self.action {
            Action::Create => Sign::Missing,
            Action::Update => Sign::Differs,
            Action::Remove => Sign::Unlisted,
            Action::Keep => Sign::InPlace,
            Action::Connect | Action::Judge => Sign::NotLookedAt,
        };
        let finding = Finding::new(sign, key, &self.name, &self.detail);
        if sign.is_change() { finding.by(Remedy::Apply) } else { finding }
    }

    /// Says of a step that ended early what was done, and what was not. `word` is what was done to a thing.
    fn end_early(&mut self, (made, left): (usize, usize), word: &str) {
        self.detail = format!("{made} {word}, {left} not {word}; planned: {}", self.detail);
    }

    /// Standing for so many things.
    pub(super) fn of(self, count: usize) -> Self {
        Self { count, ..self }
    }
}

/// Notes that all steps of these kinds are done.
pub(super) fn done(steps: &mut [Step], kinds: &[&str]) {
    steps.iter_mut().filter(|s| kinds.contains(&s.kind)).for_each(|s| s.done = true);
}

/// Notes of the step of this kind that it ended early.
pub(super) fn interrupted(steps: &mut [Step], kind: &str, parts: (usize, usize), word: &str) {
    let step = steps.iter_mut().find(|step| step.kind == kind && step.action != Action::Keep);
    step.into_iter().for_each(|step| step.end_early(parts, word));
}

/// Whether any of the steps makes something, or writes it anew.
pub(super) fn changes(steps: &[Step]) -> bool {
    steps.iter().any(|s| matches!(s.action, Action::Create | Action::Update | Action::Remove))
}
