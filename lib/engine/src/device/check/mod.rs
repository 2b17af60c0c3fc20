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
mod files;
mod many;
mod report;
mod service;
mod verdict;

use std::time::Duration;

use time::OffsetDateTime;

pub use accepted::AcceptedCas;
pub use beside::PasswordLogin;
pub use many::{many, spread};
pub use report::{Report, Step, StepName, StepOutcome, Verdict};

use super::credentials::{CredentialError, Credentials};
use super::diagnosis::{self, Cause, Certainty, Symptom};
use super::link::{self, Deadline, Link, LinkError, Target};
use super::mqtt::{ConnectOptions, MqttError, Qos, Session};
use super::service::Service;
use super::smartrest::message::{MQTT_DEVICE, Upstream};
use super::smartrest::{self, ERRORS, OPERATIONS, PUBLISH};
use crate::cert::{Certificate, LongestChain};
use crate::client_id::{ClientId, DeviceId};
use crate::failure::{Failure, Hint};
use crate::net::Pauses;
use crate::platform::blocking::Inquiry;

/// Pauses before the connection is tried again.
const PAUSES: Pauses =
    Pauses { first: Duration::from_millis(500), longest: Duration::from_secs(20) };

/// What to check.
#[derive(Debug, Clone)]
pub struct Check<'a> {
    /// Who the device is; none: the common name of its certificate says it.
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
    /// Who asks the tenant why a device is refused; none: nobody.
    pub tenant: Option<&'a Inquiry<'a>>,
    /// How the device speaks to the MQTT Service; none: it connects to MQTT over TLS of port 8883.
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
    let mut run = Run::new(check);
    let trusted = read.as_ref().ok().and_then(|credentials| credentials.trusted.clone());
    let ended = run.all(read);
    run.ask_at_the_end(&ended);
    let failure = ended.err();
    if let Some(login) = &check.login {
        run.beside(login, failure.as_deref(), trusted.as_ref());
    }
    run.report(failure)
}

/// What the device's own files show, without a connection; none if nothing is wrong with them.
pub fn own_files(check: &Check<'_>, credentials: &Credentials) -> Option<Report> {
    let mut run = Run::new(check);
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
    check: &'a Check<'a>,
    device: Option<DeviceId>,
    steps: Vec<Step>,
    notes: Vec<String>,
    facts: diagnosis::Facts,
    /// The CAs that the server lists.
    accepted: Option<AcceptedCas>,
    attempts: u32,
    /// What the tenant did not tell, or not for sure; none: it was not asked.
    untold: Option<Vec<String>>,
    /// That the certificate spoils what user and password would have, and behind how many causes it is told.
    spoiled: Option<(Cause, usize)>,
    /// What the device presents, once its files were read.
    presented: Vec<Certificate>,
}

impl<'a> Run<'a> {
    fn new(check: &'a Check<'a>) -> Self {
        let facts = diagnosis::Facts {
            host: check.target.host.clone(),
            port: check.target.port,
            service: check.service.is_some(),
            user: check.service.as_ref().and_then(|service| service.tenant.clone()),
            smart_rest: check.service.as_ref().and_then(|service| service.feature),
            ..diagnosis::Facts::default()
        };
        Self {
            check,
            device: check.device.clone(),
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

    fn all(&mut self, read: Result<Credentials, CredentialError>) -> Ended {
        let credentials = self.files(read)?;
        self.presented.clone_from(&credentials.chain);
        let device = self.judge(&credentials)?;
        let (steps, notes) = (self.steps.len(), self.notes.len());
        let mut first_refusal = None;
        loop {
            self.attempts += 1;
            let deadline = Deadline::after(self.check.timeout);
            let ended = self
                .connect_tls(&credentials, deadline)
                .and_then(|link| self.speak(link, &device, deadline));
            let Err(failure) = ended else { break };
            if self.untold.is_none() {
                self.ask_tenant(&failure, &credentials.chain, &device);
            }
            if !self.is_worth_another(&failure) {
                return Err(failure);
            }
            self.steps.truncate(steps);
            self.notes.truncate(notes);
            first_refusal.get_or_insert(failure.detail);
            std::thread::sleep(PAUSES.after(self.attempts));
        }
        if let Some(detail) = first_refusal {
            self.notes.push(format!(
                "attempt {} was accepted after this: {detail}; the platform was probably \
                 overloaded, so the device should try again too, with growing pauses",
                self.attempts
            ));
        }
        Ok(())
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

    /// Up to a TLS connection. Whether TLS holds is known later: see [`Link::secure`].
    fn connect_tls(&mut self, credentials: &Credentials, deadline: Deadline) -> Ended<Link> {
        let target = &self.check.target;
        let addresses = link::resolve(target, deadline).map_err(|e| no_link(StepName::Name, &e))?;
        let shown: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
        self.ok(StepName::Name, format!("{} is {}", target.host, shown.join(", ")));
        let stream =
            link::dial(target, &addresses, deadline).map_err(|e| no_link(StepName::Tcp, &e))?;
        self.ok(StepName::Tcp, format!("connected to {target}"));
        let mut facts = link::Facts::default();
        let secured = Link::secure(stream, target, credentials, &mut facts);
        let reached = !facts.server.is_empty();
        let (server, own) = (facts.server.iter(), credentials.leaf());
        let expired = server.map(|c| c.not_after).min();
        self.facts.server_expired_before =
            own.zip(expired).is_some_and(|(own, expired)| expired < own.not_before);
        self.facts.asked = reached.then_some(facts.asked);
        self.facts.key_suits = facts.key_suits;
        self.accepted = accepted::read(&facts.accepted, &credentials.chain);
        self.notes.extend(self.accepted.as_ref().and_then(|list| list.note(&credentials.chain)));
        self.facts.listed = self.accepted.as_ref().is_some_and(|list| list.listed.is_some());
        self.facts.unlisted = self.accepted.as_ref().and_then(AcceptedCas::lacks_ours);
        let link = secured.map_err(|e| no_link(StepName::Tls, &e))?;
        let by = match &credentials.trusted {
            Some(trusted) => trusted.from.display().to_string(),
            None => "the system".to_owned(),
        };
        let server = facts.server.first().map(|c| c.subject.to_string());
        let server = server.unwrap_or_else(|| "the server".to_owned());
        self.ok(StepName::Tls, format!("{}; {server} is trusted by {by}", link.version()));
        Ok(link)
    }

    /// MQTT, from CONNECT to silence.
    fn speak(&mut self, link: Link, device: &DeviceId, deadline: Deadline) -> Ended {
        let mut options = ConnectOptions::new(ClientId::of_device(device.clone()));
        options.timeout = self.check.timeout;
        options.user = self.user();
        let mut session = match Session::connect_by(link, &options, deadline) {
            Ok(session) => session,
            Err(e @ MqttError::Alert { .. }) => {
                // With TLS 1.3 the server judges the certificate when TLS stands on this side.
                self.steps.pop();
                return Err(no_session(StepName::Tls, &e));
            }
            Err(e) => return Err(no_session(StepName::Connect, &e)),
        };
        self.ok(StepName::Connect, format!("accepted as {}", options.client_id));
        if self.facts.asked == Some(false) {
            self.notes.push(WITHOUT_CERTIFICATE.to_owned());
        }
        if !self.speaks_smart_rest(&mut session)? {
            let _ = session.disconnect();
            return Ok(());
        }
        let registration = self.register(&mut session, device)?;
        let topics = [(ERRORS, Qos::AtMostOnce), (OPERATIONS, Qos::AtMostOnce)];
        session.subscribe(&topics).map_err(|e| no_session(StepName::Subscribe, &e))?;
        self.ok(StepName::Subscribe, format!("{ERRORS} and {OPERATIONS}"));
        self.listen(&mut session, &registration)?;
        // What is left to say goodbye to may be gone: nothing depends on it any more.
        let _ = session.disconnect();
        Ok(())
    }

    fn register(&mut self, session: &mut Session<Link>, device: &DeviceId) -> Ended<String> {
        let name = device.to_string();
        let row = Upstream::Device { name, device_type: MQTT_DEVICE.to_owned() }.row();
        let text = smartrest::write(&[row]).map_err(|e| {
            let hint = e.hint().unwrap_or_else(|| "give the device another name".into());
            let cause = file_cause("message", e.to_string(), hint);
            wrong_files(StepName::Publish, e.to_string(), vec![cause])
        })?;
        session
            .publish(PUBLISH, text.as_bytes(), Qos::AtLeastOnce)
            .map_err(|e| no_session(StepName::Publish, &e))?;
        self.ok(StepName::Publish, format!("{} on {PUBLISH}", text.trim_end()));
        Ok(text)
    }

    /// An error goes to the clients that have subscribed when it happens: so the message is sent once more,
    /// which changes nothing at the platform.
    fn listen(&mut self, session: &mut Session<Link>, registration: &str) -> Ended {
        let broke = |e| no_session(StepName::Receive, &e);
        session.publish(PUBLISH, registration.as_bytes(), Qos::AtLeastOnce).map_err(broke)?;
        let mut operations = 0;
        // A server that sends something again and again is not listened to for longer than for an answer.
        let longest = Deadline::after(self.check.timeout.max(self.check.silence));
        while let Some(message) =
            session.receive(self.check.silence.min(longest.left())).map_err(broke)?
        {
            if message.topic == ERRORS {
                // The message was sent twice, so it may say that the device exists.
                if !text_of(&message.payload).lines().any(smartrest::tells_an_error) {
                    continue;
                }
                let detail = format!("{ERRORS} says {:?}", text_of(&message.payload));
                let why = Why::Symptom(Symptom::ErrorMessage);
                return Err(failed(StepName::Receive, detail, Verdict::Refused, why));
            }
            operations += 1;
            if operations == MOST_OPERATIONS {
                break;
            }
        }
        let silent = format!("no error on {ERRORS}");
        let detail = match operations {
            0 => silent,
            n => format!("{silent}; messages on {OPERATIONS}: {n}"),
        };
        self.ok(StepName::Receive, detail);
        Ok(())
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

const WITHOUT_CERTIFICATE: &str = "the server did not ask for the certificate, and accepted the \
                                   device without it: so nothing is known about the certificate; the platform's port 8883 asks for it";

/// Operations after which the check does not wait for silence any longer.
const MOST_OPERATIONS: usize = 100;

/// What a server says, for people: cut off where it gets long.
fn text_of(payload: &[u8]) -> String {
    const MOST: usize = 300;
    String::from_utf8_lossy(payload).trim_end().chars().take(MOST).collect()
}

/// A cause that the device's own files show.
fn file_cause(code: &'static str, cause: String, remedy: impl Into<Hint>) -> Cause {
    Cause { code, cause, remedy: remedy.into(), certainty: Certainty::Shown }
}
