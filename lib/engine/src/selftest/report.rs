//! What a self-test has seen, to be read, and to be sent to others: without secrets.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

use crate::shown::Foreign;

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepName {
    /// The tenant and the user's roles.
    Tenant,
    /// The switches that decide what revocation and shared truststores do.
    Switches,
    /// The CA is uploaded.
    Upload,
    /// Possession of its key is proven.
    Proof,
    /// The device is registered.
    Register,
    /// The platform judges the chain.
    Verdict,
    /// The device connects over MQTT.
    Connect,
    /// It gets a token over MQTT.
    TokenMqtt,
    /// It gets a token over HTTPS.
    TokenHttps,
    /// Its certificate is revoked.
    Revoke,
    /// The platform judges the chain again.
    VerdictRevoked,
    /// The CA is removed.
    RemoveCa,
    /// The device is removed.
    RemoveDevice,
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::Switches => "switches",
            Self::Upload => "upload the CA",
            Self::Proof => "prove its key",
            Self::Register => "register the device",
            Self::Verdict => "judge the chain",
            Self::Connect => "connect over MQTT",
            Self::TokenMqtt => "token over MQTT",
            Self::TokenHttps => "token over HTTPS",
            Self::Revoke => "revoke",
            Self::VerdictRevoked => "judge it revoked",
            Self::RemoveCa => "remove the CA",
            Self::RemoveDevice => "remove the device",
        })
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As expected.
    AsExpected,
    /// Something was not as expected.
    Differed,
    /// The tenant was not reached, or had no time.
    NotReached,
    /// It was not done.
    Skipped,
}

/// What was not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What of the step.
    pub what: &'static str,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub seen: Foreign,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which one.
    pub step: StepName,
    /// What was expected of it.
    pub expected: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, or why it was not done.
    pub seen: Foreign,
    /// What was not as expected.
    pub differences: Vec<Difference>,
}

/// Something that is still at the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// What it is.
    pub what: String,
    /// What removes it.
    pub command: String,
}

/// How a self-test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All as expected.
    AsExpected,
    /// Something differed.
    Differed,
    /// Nothing that was seen differed, but not all could be seen.
    NotReached,
    /// It was stopped.
    Interrupted,
}

/// What a self-test has seen.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// How it ended.
    pub verdict: Verdict,
    /// The version of this library.
    pub version: &'static str,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Host and port of the tenant.
    pub host: String,
    /// Its id.
    pub tenant: Foreign,
    /// SHA-1 of the CA that was made for it.
    pub ca: String,
    /// The device that was made for it.
    pub device: String,
    /// The steps.
    pub steps: Vec<Step>,
    /// What is still there and can be removed.
    pub leftovers: Vec<Leftover>,
    /// What is still there and cannot be removed.
    pub stays: Vec<String>,
}

impl Report {
    /// How it ended: what differed counts before what was not reached.
    pub(super) fn verdict(steps: &[Step], leftovers: &[Leftover], interrupted: bool) -> Verdict {
        let has = |outcome| steps.iter().any(|step| step.outcome == outcome);
        match () {
            () if has(Outcome::Differed) => Verdict::Differed,
            () if interrupted => Verdict::Interrupted,
            () if has(Outcome::NotReached) || !leftovers.is_empty() => Verdict::NotReached,
            () if has(Outcome::Skipped) => Verdict::Differed,
            () => Verdict::AsExpected,
        }
    }
}

/// As it is printed, and written to a file.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.date();
        writeln!(f, "c8y-pki {} at {} ({}), {at}", self.version, self.tenant, self.host)?;
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        for Leftover { what, command } in &self.leftovers {
            writeln!(f, "LEFT at the tenant: {what}\n    to remove it: {command}")?;
        }
        for stays in &self.stays {
            writeln!(f, "stays at the tenant: {stays}")?;
        }
        f.write_str(match self.verdict {
            Verdict::AsExpected => "All as expected.",
            Verdict::Differed => "Something differed from what was expected: see above.",
            Verdict::NotReached => {
                "Not all could be seen: the tenant was not reached, or had no time."
            }
            Verdict::Interrupted => "Interrupted.",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::AsExpected => "ok",
            Outcome::Differed => "DIFFERS",
            Outcome::NotReached => "FAILED",
            Outcome::Skipped => "not done",
        };
        let name = self.step.to_string();
        write!(f, "{outcome:<9}{name:<20}{}", self.seen)?;
        if self.outcome != Outcome::AsExpected {
            write!(f, "\n         expected: {}", self.expected)?;
        }
        for Difference { what, expected, seen } in &self.differences {
            write!(f, "\n         {what}: expected {expected}, was {seen}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(outcome: Outcome) -> Step {
        let (step, seen) = (StepName::Upload, Foreign::from("seen"));
        Step { step, expected: "this", outcome, seen, differences: Vec::new() }
    }

    #[test]
    fn the_worst_counts() {
        let verdict = |outcomes: &[Outcome], interrupted| {
            let steps: Vec<Step> = outcomes.iter().copied().map(step).collect();
            Report::verdict(&steps, &[], interrupted)
        };
        use Outcome::{AsExpected, Differed, NotReached, Skipped};
        assert_eq!(verdict(&[AsExpected], false), Verdict::AsExpected);
        assert_eq!(verdict(&[AsExpected, Skipped], true), Verdict::Interrupted);
        assert_eq!(verdict(&[NotReached, Skipped], false), Verdict::NotReached);
        assert_eq!(verdict(&[NotReached, Differed], true), Verdict::Differed);
        let left = Leftover { what: "a CA".to_owned(), command: "remove it".to_owned() };
        assert_eq!(Report::verdict(&[step(AsExpected)], &[left], false), Verdict::NotReached);
    }

    #[test]
    fn what_differs_is_said_with_what_was_expected() {
        let difference =
            Difference { what: "status", expected: "ENABLED".to_owned(), seen: "\u{1b}[2J".into() };
        let step = Step { differences: vec![difference], ..step(Outcome::Differed) };
        let text = step.to_string();
        assert!(text.contains("status: expected ENABLED, was \\u{1b}[2J"), "{text}");
    }
}
