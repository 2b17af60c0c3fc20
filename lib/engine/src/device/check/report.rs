//! What a check found: its steps, and what is likely wrong.

use std::fmt;

use serde::Serialize;

use super::super::diagnosis::{Cause, TenantSays};
use super::AcceptedCas;
use crate::failure::{Failure, Kind};
use crate::platform::standing::ChainVerdict;

/// The cause that a server refuses the certificate without a word.
const REFUSED_SILENTLY: &str = "certificate-refused";

/// The steps of a check, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepName {
    /// The device's files can be read.
    Files,
    /// The key belongs to the certificate.
    Key,
    /// The chain is right by the platform's rules.
    Chain,
    /// Its certificates are valid by this machine's clock.
    Validity,
    /// The host name resolves.
    Name,
    /// TCP.
    Tcp,
    /// TLS, both sides trusted.
    Tls,
    /// MQTT CONNECT is accepted.
    Connect,
    /// The message 100 is taken.
    Publish,
    /// `s/e` and `s/ds` are subscribed.
    Subscribe,
    /// No error comes.
    Receive,
}

impl StepName {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Files,
        Self::Key,
        Self::Chain,
        Self::Validity,
        Self::Name,
        Self::Tcp,
        Self::Tls,
        Self::Connect,
        Self::Publish,
        Self::Subscribe,
        Self::Receive,
    ];
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Files => "files",
            Self::Key => "key",
            Self::Chain => "chain",
            Self::Validity => "validity",
            Self::Name => "name",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Connect => "connect",
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Receive => "receive",
        })
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Good.
    Ok,
    /// The check ended here.
    Failed,
    /// It did not come to that.
    Skipped,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which one.
    pub step: StepName,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What was seen; empty for steps that were not done.
    pub detail: String,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The device has connected.
    Connected,
    /// The platform refuses it.
    Refused,
    /// The device's files are wrong.
    WrongFiles,
    /// The platform was not reached, has no time, or has closed the connection without a reason.
    NotReached,
}

impl Verdict {
    /// What an error makes of a device.
    pub(super) fn of(error: &impl Failure) -> Self {
        match error.fault().kind() {
            Kind::No => Self::Refused,
            Kind::WrongInput => Self::WrongFiles,
            Kind::Surroundings => Self::NotReached,
        }
    }

    /// The kind of failure that it is; none if the device has connected.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Connected => None,
            Self::Refused => Some(Kind::No),
            Self::WrongFiles => Some(Kind::WrongInput),
            Self::NotReached => Some(Kind::Surroundings),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The device, as far as it is known.
    pub device: Option<String>,
    /// Host and port.
    pub target: String,
    /// How it ended.
    pub verdict: Verdict,
    /// All steps, also those that were not done.
    pub steps: Vec<Step>,
    /// Causes of the failure: what is shown, what the tenant confirms, what is likely; the first to
    /// check first.
    pub causes: Vec<Cause>,
    /// What is worth knowing and no reason to fail.
    pub notes: Vec<String>,
    /// The CAs that the server says it accepts; none if it lists none, or it did not come to that.
    pub accepted_cas: Option<AcceptedCas>,
    /// How often it was tried to connect.
    pub attempts: u32,
    /// What the tenant says of a device that is refused; none if it was not asked.
    pub tenant: Option<TenantSays>,
    /// The platform's own verdict on the chain; none if it was not asked.
    pub platform: Option<ChainVerdict>,
}

impl Report {
    /// Whether the device connects.
    pub fn is_connected(&self) -> bool {
        self.verdict == Verdict::Connected
    }

    /// Whether the platform refuses the device, or has closed the connection, which may mean the same.
    pub fn may_be_refused(&self) -> bool {
        self.verdict == Verdict::Refused || self.causes.iter().any(|c| c.code == REFUSED_SILENTLY)
    }

    /// The step that failed.
    pub fn failed(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.outcome == StepOutcome::Failed)
    }
}
