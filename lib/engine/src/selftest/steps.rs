//! The steps, each with what is expected of it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::report::{Difference, Leftover, Outcome, Report, Step, StepName};
use super::words::{told, words};
use super::{Disposable, Plan};
use crate::client_id::ClientId;
use crate::device::check::{self, Check};
use crate::device::connection::{self, Prospect};
use crate::device::credentials::Credentials;
use crate::device::link::Identity;
use crate::device::mqtt::ConnectOptions;
use crate::device::token::{self, Token, TokenError};
use crate::failure::Failure;
use crate::key::PrivateKey;
use crate::key::signer::Signer;
use crate::net::{Pauses, sleep_until};
use crate::platform::blocking::Client;
use crate::platform::pop::{self, VerificationCode};
use crate::platform::probe;
use crate::platform::register::Sheet;
use crate::platform::tenant::Status;
use crate::platform::trusted::{self, Added, NewTrusted, TrustedCertificate};
use crate::platform::verdict::{self, Verdict};
use crate::platform::{PlatformError, crl};
use crate::shown::Foreign;

/// How often the device asks for a token, while the platform may be overloaded.
const ATTEMPTS: u32 = 5;
const PAUSES: Pauses =
    Pauses { first: Duration::from_millis(500), longest: Duration::from_secs(10) };
/// Characters of a verification code that are no surprise (platform: "some 150 characters").
const CODE: std::ops::RangeInclusive<usize> = 100..=300;

/// What a step has seen.
pub(super) struct Seen {
    text: String,
    differences: Vec<Difference>,
}

impl Seen {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), differences: Vec::new() }
    }

    /// Holds something to what is expected.
    fn expect(&mut self, what: &'static str, expected: &str, seen: &str) {
        if expected != seen {
            let (expected, seen) = (expected.to_owned(), Foreign::beginning(seen));
            self.differences.push(Difference { what, expected, seen });
        }
    }
}

/// Why a step came to no good end.
pub(super) struct Trouble {
    text: String,
    environment: bool,
}

impl Trouble {
    pub(super) fn differs(text: impl Into<String>) -> Self {
        Self { text: text.into(), environment: false }
    }
}

impl From<PlatformError> for Trouble {
    fn from(e: PlatformError) -> Self {
        let text = match e.hint() {
            Some(hint) => format!("{e}; {hint}"),
            None => e.to_string(),
        };
        Self { text, environment: e.fault().may_pass() }
    }
}

/// What may be at the tenant: set before the request is sent that makes it.
#[derive(Default)]
pub(super) struct Begun {
    pub(super) upload: bool,
    pub(super) device: bool,
    pub(super) revoke: bool,
}

/// A self-test on its way.
pub(super) struct Test<'a> {
    pub(super) plan: &'a Plan<'a>,
    status: &'a Status,
    pub(super) made: &'a Disposable,
    pub(super) begun: Begun,
    /// The id of the device's object.
    pub(super) object: Option<Foreign>,
    pub(super) leftovers: Vec<Leftover>,
    steps: Vec<Step>,
    /// Whether the platform looks at its revocation list, if that is told.
    checks_revocation: Option<bool>,
}

type Act<'a> = fn(&mut Test<'a>) -> Result<Seen, Trouble>;

impl<'a> Test<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, status: &'a Status, made: &'a Disposable) -> Self {
        let (steps, leftovers) = (Vec::new(), Vec::new());
        let (begun, checks_revocation) = (Begun::default(), None);
        Self { plan, status, made, begun, object: None, leftovers, steps, checks_revocation }
    }

    pub(super) fn tenant(&self) -> &str {
        &self.status.tenant.id
    }

    fn client(&self) -> &'a Client {
        self.plan.client
    }

    /// All steps but the removal. What needs a step that failed is not done.
    pub(super) fn all(&mut self) {
        use StepName as S;
        self.step(S::Tenant, "the tenant says who it is and what the user may do", Self::who);
        self.step(S::Switches, "the shared truststore is off", Self::switches);
        let uploaded = self.step(
            S::Upload,
            "the CA is listed as it was sent, with a code to prove its key",
            Self::upload,
        );
        let after = |test: &mut Self, good: bool, needs: &str, step, expected, act: Act<'a>| {
            if good {
                return test.step(step, expected, act);
            }
            test.skip(step, expected, needs)
        };
        let (up, in_) = ("the CA is not uploaded", "the device is not registered");
        after(self, uploaded, up, S::Proof, "the proof is complete", Self::prove);
        let registered =
            after(self, uploaded, up, S::Register, "the row is CREATED", Self::register);
        let valid = "the chain is valid, for this tenant";
        after(self, uploaded, up, S::Verdict, valid, Self::judge);
        let connects = "accepted, and no error on s/e";
        after(self, registered, in_, S::Connect, connects, Self::connect);
        let token = "a token of device_<id> at this tenant";
        after(self, registered, in_, S::TokenMqtt, token, Self::token_over_mqtt);
        after(self, registered, in_, S::TokenHttps, token, Self::token_over_https);
        let listed = "the serial number is in the tenant's list";
        let revoked = after(self, uploaded, up, S::Revoke, listed, Self::revoke);
        let (judged, needs) = ("refused if the list is checked; if not, as before", "not revoked");
        after(self, revoked, needs, S::VerdictRevoked, judged, Self::judge_revoked);
    }

    /// Does a step, and tells it; whether what depends on it may follow.
    pub(super) fn step(
        &mut self,
        step: StepName,
        expected: &'static str,
        act: impl FnOnce(&mut Self) -> Result<Seen, Trouble>,
    ) -> bool {
        if self.plan.stop.load(Ordering::Relaxed) {
            return self.skip(step, expected, "interrupted");
        }
        let (outcome, seen, differences, good) = match act(self) {
            Ok(Seen { text, differences }) => {
                let as_expected = differences.is_empty();
                let outcome = if as_expected { Outcome::AsExpected } else { Outcome::Differed };
                (outcome, text, differences, true)
            }
            Err(Trouble { text, environment }) => {
                let outcome = if environment { Outcome::NotReached } else { Outcome::Differed };
                (outcome, text, Vec::new(), false)
            }
        };
        self.add(Step { step, expected, outcome, seen: Foreign::beginning(&seen), differences });
        good
    }

    fn skip(&mut self, step: StepName, expected: &'static str, why: &str) -> bool {
        let (outcome, differences) = (Outcome::Skipped, Vec::new());
        self.add(Step { step, expected, outcome, seen: Foreign::beginning(why), differences });
        false
    }

    fn add(&mut self, step: Step) {
        (self.plan.tell)(&step);
        self.steps.push(step);
    }

    fn who(&mut self) -> Result<Seen, Trouble> {
        let tenant = &self.status.tenant;
        let user = self.status.user.as_deref().unwrap_or("not told");
        let mut seen = Seen::of(format!("{} ({}), user {user}", tenant.id, tenant.domain));
        if self.status.user.is_none() {
            seen.expect("GET /user/currentUser", "the user and the roles", "not told");
        }
        Ok(seen)
    }

    fn switches(&mut self) -> Result<Seen, Trouble> {
        let (checks, offline) = told(self.client().wait(crl::is_on(self.client())))?;
        self.checks_revocation = checks.known();
        let (_, shared) = told(self.client().wait(probe::shared_truststore(self.client())))?;
        let mut seen = Seen::of(format!(
            "check of the revocation list: {offline}; shared truststore: {shared}"
        ));
        if shared == "on" {
            seen.expect(
                "shared truststore",
                "off: with it no device connects by certificate",
                "on",
            );
        }
        Ok(seen)
    }

    fn upload(&mut self) -> Result<Seen, Trouble> {
        let name = self.made.name();
        let new = NewTrusted {
            certificate: &self.made.ca,
            name: &name,
            enabled: true,
            auto_registration: false,
        };
        self.begun.upload = true;
        let added = self.client().wait(trusted::add(self.client(), std::slice::from_ref(&new)))?;
        if added.contains(&Added::InAnotherTenant) {
            return Err(Trouble::differs("the platform calls it known, and it was made just now"));
        }
        let found = self.client().wait(trusted::known(self.client(), &self.made.fingerprint()))?;
        let mut seen = Seen::of(format!("{} as {:?}", found.fingerprint, found.name));
        seen.expect("name", &name, &found.name);
        seen.expect("status", "ENABLED", &found.status);
        seen.expect("autoRegistrationEnabled", "false", truth(found.auto_registration_enabled));
        seen.expect("proofOfPossessionValid", "false", truth(found.proof_of_possession_valid));
        let same = found.certificate().is_ok_and(|c| c == self.made.ca);
        seen.expect(
            "certInPemFormat",
            "the certificate that was sent",
            if same { "the certificate that was sent" } else { "another, or unreadable" },
        );
        let subject = format!("CN={name}");
        seen.expect("subject", &subject, &found.subject);
        code(&found, &mut seen);
        Ok(seen)
    }

    fn prove(&mut self) -> Result<Seen, Trouble> {
        let key = &self.made.ca_key;
        let open = || Ok::<_, PlatformError>(Box::new(key) as Box<dyn Signer + '_>);
        let (_, found) =
            self.client().wait(pop::prove(self.client(), &self.made.ca, open, self.plan.at))?;
        let mut seen = Seen::of("complete");
        seen.expect("proofOfPossessionValid", "true", truth(found.proof_of_possession_valid));
        Ok(seen)
    }

    fn register(&mut self) -> Result<Seen, Trouble> {
        let id = &self.made.id;
        let csv = format!("ID,AUTH_TYPE,TYPE,NAME\n{id},CERTIFICATES,c8y_PkiSelfTest,{id}\n");
        let sheet = Sheet::read("selftest.csv", csv.as_bytes())
            .map_err(|_| Trouble::differs("our own row does not pass our own check"))?;
        self.begun.device = true;
        let results = self.client().wait(probe::register_all(self.client(), &sheet))?;
        match results.first() {
            Some(row) if probe::is_registered(row) => Ok(Seen::of(row.outcome.word())),
            Some(row) => Err(Trouble::differs(format!("{}: {}", row.outcome.word(), row.reason))),
            None => Err(Trouble::differs("the answer does not name the device")),
        }
    }

    fn judge(&mut self) -> Result<Seen, Trouble> {
        match self.client().wait(verdict::ask(self.client(), &self.made.chain()))? {
            Verdict::Accepted { tenant, .. } => {
                let mut seen = Seen::of("valid");
                let told = if tenant.is_empty() { "not told" } else { &tenant };
                seen.expect("tenantId", self.tenant(), told);
                Ok(seen)
            }
            other => Err(Trouble::differs(words(&other))),
        }
    }

    fn credentials(&self) -> Result<Credentials, Trouble> {
        let key = PrivateKey::from_pkcs8(self.made.key.pkcs8().expose());
        let key = key.map_err(|e| Trouble::differs(e.to_string()))?;
        let (chain, trusted) = (self.made.chain(), self.plan.truststore());
        Ok(Credentials { from: "the self-test".into(), key, chain, trusted })
    }

    fn connect(&mut self) -> Result<Seen, Trouble> {
        let how = Check {
            device: Some(self.made.id.clone()),
            timeout: self.plan.timeout,
            silence: self.plan.silence,
            uploaded: std::slice::from_ref(&self.made.ca),
            ..Check::new(self.plan.mqtt.clone(), self.plan.at)
        };
        let report = check::check(&how, Ok(self.credentials()?));
        let Some(failed) = report.failed() else {
            let attempts = match report.attempts {
                1 => String::new(),
                n => format!(", at attempt {n}"),
            };
            return Ok(Seen::of(format!("accepted by {}{attempts}", report.target)));
        };
        let cause = report.causes.first();
        let cause = cause.map(|c| format!("; {}: {}", c.cause, c.remedy)).unwrap_or_default();
        Err(Trouble {
            text: format!("{}: {}{cause}", failed.step, failed.detail),
            environment: report.verdict == check::Verdict::NotReached,
        })
    }

    fn token_over_mqtt(&mut self) -> Result<Seen, Trouble> {
        let credentials = self.credentials()?;
        let mut options = ConnectOptions::new(ClientId::of_device(self.made.id.clone()));
        options.timeout = self.plan.timeout;
        let ask = || {
            let identity = Identity::Certificate(&credentials);
            let mut session = connection::open(&self.plan.mqtt, identity, &options)?;
            token::over_mqtt(&mut session, self.plan.timeout)
        };
        let token = self.again(ask)?;
        Ok(self.judge_token(&token))
    }

    fn token_over_https(&mut self) -> Result<Seen, Trouble> {
        let credentials = self.credentials()?;
        let ask = || token::over_https(&self.plan.https, &credentials, self.plan.timeout);
        let token = self.again(ask)?;
        Ok(self.judge_token(&token))
    }

    /// Asks again while that is worth it.
    fn again(&self, ask: impl Fn() -> Result<Token, TokenError>) -> Result<Token, Trouble> {
        let mut attempt = 1;
        loop {
            let error = match ask() {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            let prospect = Prospect::of(&error);
            let pause = Instant::now() + PAUSES.after(attempt);
            let again = prospect != Prospect::Hopeless && attempt < ATTEMPTS;
            if !again || !sleep_until(pause, self.plan.stop) {
                let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                let environment = error.fault().may_pass();
                return Err(Trouble { text: format!("{error}{hint}"), environment });
            }
            attempt += 1;
        }
    }

    fn judge_token(&self, token: &Token) -> Seen {
        let claims = &token.claims;
        let text = |claim: &Option<String>| claim.clone().unwrap_or_else(|| "missing".to_owned());
        let mut seen = Seen::of(format!("a token that lives {} s", claims.life().whole_seconds()));
        seen.expect("sub", &format!("device_{}", self.made.id), &text(&claims.subject));
        seen.expect("ten", self.tenant(), &text(&claims.tenant));
        seen
    }

    fn revoke(&mut self) -> Result<Seen, Trouble> {
        self.begun.revoke = true;
        let serial = &self.made.leaf.serial;
        self.client().wait(crl::upload(self.client(), &[probe::revoke_request(serial)]))?;
        let list = self.client().wait(crl::download(self.client()))?;
        let wanted = serial.to_decimal();
        let number = list.revoked.len();
        let mut seen = Seen::of(format!("taken; the list has {number} serial numbers"));
        let is_there = list.revoked.iter().any(|entry| entry.serial.to_decimal() == wanted);
        seen.expect("our serial number in it", "yes", if is_there { "yes" } else { "no" });
        Ok(seen)
    }

    fn judge_revoked(&mut self) -> Result<Seen, Trouble> {
        let verdict = self.client().wait(verdict::ask(self.client(), &self.made.chain()))?;
        if let Verdict::NotAsked { .. } = verdict {
            return Err(Trouble::differs(words(&verdict)));
        }
        let said = words(&verdict);
        let is_valid = matches!(verdict, Verdict::Accepted { .. });
        let word = |valid| if valid { "valid" } else { "refused" };
        let Some(checks) = self.checks_revocation else {
            return Ok(Seen::of(format!(
                "{said}; the tenant does not say whether the list is checked"
            )));
        };
        let switch = if checks { "is checked" } else { "is not checked" };
        let mut seen = Seen::of(format!("{said}; the list {switch}"));
        seen.expect("the verdict", word(!checks), word(is_valid));
        Ok(seen)
    }

    pub(super) fn report(self, interrupted: bool) -> Report {
        let verdict = Report::verdict(&self.steps, &self.leftovers, interrupted);
        let serial = self.made.leaf.serial.to_string();
        let stays = self.begun.revoke.then(|| {
            format!(
                "the serial number {serial} in the revocation list: it was made for this test, and the \
                 platform never removes one"
            )
        });
        Report {
            verdict,
            version: env!("CARGO_PKG_VERSION"),
            at: self.plan.at,
            host: self.plan.client.host().to_owned(),
            tenant: Foreign::beginning(self.tenant()),
            ca: self.made.fingerprint(),
            device: self.made.id.to_string(),
            stays: stays.into_iter().collect(),
            steps: self.steps,
            leftovers: self.leftovers,
        }
    }
}

/// The code that is there right after the upload.
fn code(found: &TrustedCertificate, seen: &mut Seen) {
    let text = found.proof_of_possession_unsigned_verification_code.as_deref();
    let Some(text) = text else {
        return seen.expect("the verification code", "there right after the upload", "none");
    };
    let form = match VerificationCode::parse(text) {
        Ok(_) => "one line of printable ASCII".to_owned(),
        Err(problem) => problem.to_string(),
    };
    seen.expect("the verification code", "one line of printable ASCII", &form);
    if !CODE.contains(&text.len()) {
        let length = format!("{} characters", text.len());
        seen.expect("the verification code", "some 150 characters", &length);
    }
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
