//! Whether a device connects, step by step, as it would itself (platform: "MQTT").
//!
//! The check ends with the first step that fails, and says what is likely wrong. What the platform also
//! refuses while it is overloaded (CONNACK 5 and 3) is tried again; before that, and once only, the
//! tenant is asked why, if there is an [`Inquiry`]. It leaves the
//! device registered at the platform, as its first connection would; a connection that the device
//! has open is closed by it, since the platform keeps one a ClientId.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use c8y_pki_engine::device::check::{Check, check};
//! use c8y_pki_engine::device::credentials::{Credentials, Files, Place};
//! use c8y_pki_engine::device::link::Target;
//!
//! let files = Files {
//!     place: Place::Bundle(Path::new("out/gw-0001")),
//!     truststore: None,
//!     store_password: None,
//!     key_password: None,
//! };
//! let target = Target { host: "acme.example.com".to_owned(), port: 8883 };
//! let how = Check::new(target, time::OffsetDateTime::now_utc());
//! let report = check(&how, Credentials::read(&files));
//! for cause in &report.causes {
//!     println!("{}: {}", cause.cause, cause.remedy);
//! }
//! ```

mod accepted;
mod asking;
mod beside;
mod course;
mod files;
mod listening;
mod many;
mod pace;
mod report;
mod service;
mod session;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

pub use accepted::AcceptedCas;
pub use beside::PasswordLogin;
pub use course::{Listening, Stage, begin};
pub use many::{many, spread};
pub use pace::{Pace, TENANT_RATE};
pub use report::{Report, Step, StepName, StepOutcome, Verdict};

use super::credentials::{CredentialError, Credentials};
use super::diagnosis::{self, Cause, Certainty, Symptom};
use super::link::{LinkError, Target};
use super::mqtt::MqttError;
use super::service::Service;
use crate::cert::{Certificate, LongestChain};
use crate::client_id::DeviceId;
use crate::failure::Hint;
use crate::net::Pauses;
use crate::platform::blocking::Inquiry;

/// Pauses before the connection is tried again.
const PAUSES: Pauses =
    Pauses { first: Duration::from_millis(500), longest: Duration::from_secs(20) };

/// What to check.
#[derive(Debug, Clone)]
pub struct Check<'a> {
    /// Who the device is; if none, the common name of its certificate says it.
    pub device: Option<DeviceId>,
    /// Where it connects to.
    pub target: Target,
    /// How long each answer may take.
    pub timeout: Duration,
    /// How long `s/e` has to stay silent.
    pub silence: Duration,
    /// CAs that are known to be uploaded, if any.
    pub uploaded: &'a [Certificate],
    /// Most certificates in a chain at this installation.
    pub longest: LongestChain,
    /// This machine's time.
    pub at: OffsetDateTime,
    /// How often the connection is tried, while the platform may be overloaded.
    pub attempts: u32,
    /// Who asks the tenant why a device is refused; none for nobody.
    pub tenant: Option<&'a Inquiry<'a>>,
    /// How the device speaks to the MQTT Service; none if it connects to MQTT over TLS of port 8883.
    pub service: Option<Service>,
    /// User and password that the device sends beside its certificate.
    pub login: Option<PasswordLogin>,
    /// Whether the platform's own verdict on the chain is asked for also where the device connects.
    pub always_judged: bool,
}

impl Check<'_> {
    /// Of the device that its certificate names: 10 seconds for an answer, one second of silence, three
    /// attempts; no CA is known to be uploaded, and no tenant is asked.
    pub fn new(target: Target, at: OffsetDateTime) -> Self {
        Self {
            device: None,
            target,
            timeout: Duration::from_secs(10),
            silence: Duration::from_secs(1),
            uploaded: &[],
            longest: LongestChain::CLOUD,
            at,
            attempts: 3,
            tenant: None,
            service: None,
            login: None,
            always_judged: false,
        }
    }
}

/// Checks a device whose files were read, or not. The result says all; there is no error.
pub fn check(check: &Check<'_>, read: Result<Credentials, CredentialError>) -> Report {
    let mut stage = begin(check.clone(), read);
    loop {
        match stage {
            Stage::Ended(report) => return *report,
            Stage::Listens(listening) => stage = listening.wait(),
        }
    }
}

/// What the device's own files show, without a connection; none if nothing is wrong with them.
pub fn own_files(check: &Check<'_>, credentials: &Credentials) -> Option<Report> {
    let mut run = Run::new(check.clone());
    run.ok(StepName::Files, credentials.from.display().to_string());
    let failure = run.judge(credentials).err()?;
    Some(run.report(Some(failure)))
}

/// Why a check ended early.
struct EarlyEnd {
    step: StepName,
    detail: String,
    verdict: Verdict,
    why: Why,
}

/// What a failure comes from.
enum Why {
    /// The device's own files show it.
    Shown(Vec<Cause>),
    /// To be looked up.
    Symptom(Symptom),
}

type Ended<T = ()> = Result<T, Box<EarlyEnd>>;

/// A check on its way.
struct Run<'a> {
    check: Arc<Check<'a>>,
    device: Option<DeviceId>,
    steps: Vec<Step>,
    notes: Vec<String>,
    facts: diagnosis::Facts,
    /// The CAs that the server lists.
    accepted: Option<AcceptedCas>,
    attempts: u32,
    /// What the tenant did not tell, or not for sure; none if it was not asked.
    untold: Option<Vec<String>>,
    /// That the certificate spoils what user and password would have, and behind how many causes it is told.
    spoiled: Option<(Cause, usize)>,
    /// What the device presents, once its files were read.
    presented: Vec<Certificate>,
}

impl<'a> Run<'a> {
    fn new(check: Check<'a>) -> Self {
        let facts = diagnosis::Facts {
            host: check.target.host.clone(),
            port: check.target.port,
            service: check.service.is_some(),
            user: check.service.as_ref().and_then(|service| service.tenant.clone()),
            smart_rest: check.service.as_ref().and_then(|service| service.feature),
            ..diagnosis::Facts::default()
        };
        Self {
            device: check.device.clone(),
            check: Arc::new(check),
            steps: Vec::new(),
            notes: Vec::new(),
            facts,
            attempts: 0,
            untold: None,
            spoiled: None,
            accepted: None,
            presented: Vec::new(),
        }
    }

    /// Whether the refusal may pass by itself: nothing else is known to be wrong.
    fn is_worth_another(&self, failure: &EarlyEnd) -> bool {
        let Why::Symptom(symptom) = &failure.why else { return false };
        let causes = diagnosis::causes(*symptom, &self.facts);
        self.attempts < self.check.attempts
            && symptom.may_pass()
            && !self.facts.is_refused_chain()
            && !causes.iter().any(Cause::is_certain)
    }

    fn ok(&mut self, step: StepName, detail: impl Into<String>) {
        self.steps.push(Step { step, outcome: StepOutcome::Ok, detail: detail.into() });
    }

    fn report(mut self, ended: Option<Box<EarlyEnd>>) -> Report {
        let (verdict, mut causes) = match ended {
            None => (Verdict::Connected, Vec::new()),
            Some(failure) => {
                let EarlyEnd { step, detail, verdict, why } = *failure;
                let causes = match why {
                    Why::Shown(causes) => causes,
                    Why::Symptom(symptom) => diagnosis::causes(symptom, &self.facts),
                };
                self.steps.push(Step { step, outcome: StepOutcome::Failed, detail });
                (verdict, causes)
            }
        };
        if let Some((cause, behind)) = self.spoiled {
            causes.insert(behind.min(causes.len()), cause);
        }
        self.notes.extend(self.untold.unwrap_or_default());
        let done = self.steps.len();
        self.steps.extend(StepName::ALL[done..].iter().map(|step| Step {
            step: *step,
            outcome: StepOutcome::Skipped,
            detail: String::new(),
        }));
        Report {
            device: self.device.map(|id| id.to_string()),
            target: self.check.target.to_string(),
            verdict,
            steps: self.steps,
            causes,
            notes: self.notes,
            accepted_cas: self.accepted,
            attempts: self.attempts,
            tenant: self.facts.tenant,
            platform: self.facts.verdict,
        }
    }
}

fn no_link(step: StepName, error: &LinkError) -> Box<EarlyEnd> {
    let why = Why::Symptom(Symptom::of_link(error));
    failed(step, error.to_string(), Verdict::of(error), why)
}

fn no_session(step: StepName, error: &MqttError) -> Box<EarlyEnd> {
    let symptom = Symptom::of_mqtt(error);
    let symptom = if step > StepName::Connect { symptom.later() } else { symptom };
    failed(step, error.to_string(), Verdict::of(error), Why::Symptom(symptom))
}

fn failed(step: StepName, detail: String, verdict: Verdict, why: Why) -> Box<EarlyEnd> {
    Box::new(EarlyEnd { step, detail, verdict, why })
}

/// A step that the device's own files end.
fn wrong_files(step: StepName, detail: String, causes: Vec<Cause>) -> Box<EarlyEnd> {
    failed(step, detail, Verdict::WrongFiles, Why::Shown(causes))
}

/// A cause that the device's own files show.
fn file_cause(code: &'static str, cause: String, remedy: impl Into<Hint>) -> Cause {
    Cause { code, cause, remedy: remedy.into(), certainty: Certainty::Shown }
}
