//! Every command that talks to a tenant over HTTP, in an order in which each has something to do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::broker::server_certificate;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, PASSWORD};
use c8y_pki_tests::recorder::{Asked, Recorder};

/// A command of the journey.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// The command, as `c8y-pki reference` heads it.
    pub(crate) command: &'static str,
    /// What follows it. `{MQTT}`, `{MTLS}` and `{DIRECT}` are ports: of MQTT, and with client certificates
    /// through the recorder or past it.
    pub(crate) with: &'static str,
    /// Its exit code.
    pub(crate) code: i32,
    /// Another one that it may have where answers get lost.
    pub(crate) or: Option<i32>,
    /// Whether its result is JSON.
    pub(crate) json: bool,
}

pub(crate) const fn step(command: &'static str, with: &'static str) -> Step {
    Step { command, with, code: 0, or: None, json: false }
}

impl Step {
    pub(crate) const fn ends(self, code: i32) -> Self {
        Self { code, ..self }
    }

    /// As it is typed.
    fn line(self) -> String {
        let json = if self.json { " --json" } else { "" };
        format!("{} {}{json}", self.command, self.with)
    }

    /// The same, with its result as JSON.
    fn with_json(self) -> Self {
        Self { json: true, ..self }
    }

    const fn or(self, code: i32) -> Self {
        Self { or: Some(code), ..self }
    }
}

/// What is done here, between steps.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    /// A command at the tenant.
    Talks(Step),
    /// A command without the tenant.
    Here(&'static str),
    /// What is asked of the sandbox by somebody else: method and path, and JSON.
    Other(&'static str, &'static str),
}

use Stage::{Here, Other, Talks};

/// The journey.
pub(crate) const STAGES: &[Stage] = &[
    Talks(step("tenant status", "")),
    Talks(step("tenant trust add", "--ca root --ca line --auto-registration")),
    Talks(step("tenant trust add", "--ca third")),
    Talks(step("tenant trust list", "")),
    Talks(step("tenant trust show", "Line")),
    Talks(step("tenant trust update", "Line --name 'Line 7'")),
    Talks(step("tenant trust remove", "Third --yes")),
    Talks(step("tenant trust add", "pki/ca/third/cert.pem --dry-run")),
    Talks(step("pop code", "--ca root --new")),
    Talks(step("pop code", "--ca root --out code.txt")),
    Here("pop sign code.txt --ca root --ca-password-file pw --out signed.txt"),
    Talks(step("pop submit", "signed.txt --ca root")),
    Talks(step("pop prove", "--ca line --ca-password-file pw")),
    Talks(step("registration check", "otp.csv --ask-tenant")),
    Talks(step("registration upload", "reg.csv --chunk 2")),
    Talks(step("registration upload", "otp.csv")),
    Talks(step("registration add", "e-1 --otp-file otp --type t")),
    Talks(step("registration add", "e-2 --otp-file otp")),
    Talks(step("registration list", "--open")),
    Talks(step("registration withdraw", "e-2 --yes")),
    Other("PUT /features/certificate-authority/by-tenant", r#"{"active":false}"#),
    Talks(step("tenant authority status", "").ends(1)),
    Talks(step("tenant authority enable", "")),
    Talks(step("tenant authority create", "")),
    Talks(step("tenant authority renew", "")),
    Talks(step("tenant authority status", "")),
    // The answer to an enrolment may get lost, and the one-time password with it.
    Talks(step("device enrol", "e-1 --out out --otp-file otp").or(3)),
    Talks(step("device enrol", "e-1 --out out --renew --port {MTLS}").or(2)),
    // It asks once, and a cron job asks again.
    Talks(step("device token", "gw-1 --https --https-port {MTLS} --truststore cas.pem").or(3)),
    Talks(step("tenant verify", "out/gw-1/chain.pem")),
    Talks(step("cert verify", "--tenant out/gw-1/chain.pem")),
    Talks(step("tenant crl status", "").ends(1)),
    // Revocations are in no list, and the tenant does not look at its own.
    Talks(step("status", "").ends(1)),
    Talks(step("tenant crl enable", "")),
    Talks(step("tenant crl upload", "")),
    Talks(step("tenant crl download", "")),
    Talks(step("tenant crl download", "--out list.crl")),
    Talks(step("tenant crl status", "")),
    Talks(step("tenant crl disable", "").ends(0)),
    // Its CA is not trusted any more, so the tenant is asked why.
    Talks(step("device check", "gw-3 --port {MQTT} --truststore cas.pem --attempts 1").ends(1)),
    Talks(step("device connect", "gw-3 --port {MQTT} --truststore cas.pem --no-reconnect").ends(1)),
    Talks(step("rollout", "demo/rollout.toml --connect=1 --mqtt-port {MQTT}")),
    Talks(step("tenant selftest", "--disposable-ca --yes --port {MQTT} --https-port {DIRECT}")),
];

/// The steps at the tenant.
pub(crate) fn steps() -> impl Iterator<Item = Step> {
    STAGES.iter().filter_map(|stage| match stage {
        Talks(step) => Some(*step),
        Here(_) | Other(..) => None,
    })
}

/// A sandbox behind a recorder, and a directory with everything that the commands need.
pub(crate) struct Journey {
    pub(crate) at: AtTenant,
    pub(crate) rest: Recorder,
    pub(crate) mutual: Recorder,
}

impl Journey {
    /// Gets ready; none where OpenSSL is missing.
    pub(crate) fn start(settings: Settings) -> Option<Self> {
        let cli = Cli::with_cas();
        server_certificate(&cli)?;
        cli.ok(&format!("ca init third --key-type ec-p256 --subject 'CN=Third,O=Example' {CA_PW}"));
        cli.write("devices.csv", "id\ngw-1\ngw-2\n");
        cli.ok(&format!("device issue --from devices.csv --ca line --out out {CA_PW}"));
        cli.ok(&format!("device issue gw-3 --ca third --out out {CA_PW}"));
        cli.ok("device revoke gw-2");
        cli.write("otp", "a-one-time-password");
        cli.write(
            "reg.csv",
            "ID;AUTH_TYPE\ngw-1;CERTIFICATES\ngw-2;CERTIFICATES\nr-3;CERTIFICATES\n",
        );
        cli.write("otp.csv", "ID;AUTH_TYPE;ENROLLMENT_OTP\no-1;CERTIFICATES;a-one-time-password\n");
        // A CA renews itself only in its last 18 months.
        let at = AtTenant::with(cli, Settings { authority_days: 500, ..settings });
        let ours = at.cli.text("server-ca.pem");
        at.cli.write("cas.pem", format!("{ours}{}", at.sandbox.ca_pem()));
        rollout(&at.cli);
        let port = |url: String| url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let before = |url: String| {
            let port = port(url).expect("a port");
            Recorder::before(&at.cli, port, at.sandbox.ca_pem())
        };
        let (rest, mutual) = (before(at.sandbox.url()), before(at.sandbox.mtls_url()));
        Some(Self { at, rest, mutual })
    }

    /// Runs a step as a user.
    pub(crate) fn run(&self, user: &str, step: Step) -> Outcome {
        self.run_line(user, &step.line())
    }

    /// Runs a command line as a user, through the recorders.
    pub(crate) fn run_line(&self, user: &str, line: &str) -> Outcome {
        self.run_line_with(user, line, &[])
    }

    fn run_line_with(&self, user: &str, line: &str, more: &[(&str, &str)]) -> Outcome {
        let direct = self.at.sandbox.mtls_url();
        let direct = direct.rsplit_once(':').expect("a port").1;
        let line = line
            .replace("{MQTT}", &self.at.sandbox.mqtt_port().to_string())
            .replace("{MTLS}", &self.mutual.port.to_string())
            .replace("{DIRECT}", direct);
        let host = format!("https://localhost:{}", self.rest.port);
        let mut variables =
            vec![("C8Y_HOST", host.as_str()), ("C8Y_USER", user), ("C8Y_PKI_CACERT", "cas.pem")];
        variables.extend_from_slice(more);
        self.at.run_with(&line, &variables)
    }

    /// What does not need the tenant, or is not ours.
    pub(crate) fn between(&self, stage: Stage) {
        match stage {
            Here(line) => drop(self.at.cli.ok(line)),
            Other(what, json) => {
                let once = |_| self.rest.send("t1001/admin", PASSWORD, what, json);
                let good = |status| matches!(status, Some(200..300));
                // The sandbox may be one that fails.
                assert!((0..20).map(once).any(good), "{what}");
            }
            Talks(_) => {}
        }
    }

    /// Walks through all of it as the administrator; `see` gets each step, how it ended, and what was asked. Each
    /// command tells all that it does, and no secret.
    pub(crate) fn walk(&self, mut see: impl FnMut(Step, &Outcome, &[Asked])) {
        let mut told = 0;
        for stage in STAGES {
            let Talks(step) = stage else {
                self.between(*stage);
                continue;
            };
            let line = step.with_json().line();
            let outcome = self.run_line_with("admin", &line, &[("C8Y_PKI_LOG", "debug")]);
            told += outcome.stderr.matches(r#"{"log":"#).count();
            tells_no_secret(&outcome);
            see(*step, &outcome, &self.asked());
        }
        assert!(told > 100, "{told} events were told");
    }

    /// What was asked since this was asked last.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        let mut asked = self.rest.take();
        asked.extend(self.mutual.take());
        asked
    }
}

/// Holds what a command says beside its result to what nobody may see: credentials as they are and as they are sent,
/// tokens, keys.
fn tells_no_secret(outcome: &Outcome) {
    let basic = |user: &str, secret: &str| STANDARD.encode(format!("{user}:{secret}"));
    let one_time = "a-one-time-password";
    let secrets = [
        basic("admin", PASSWORD),
        basic("t1001/admin", PASSWORD),
        STANDARD.encode(PASSWORD),
        one_time.to_owned(),
        basic("e-1", one_time),
        STANDARD.encode(one_time),
        // The beginning of a token; of a header field, and of a key.
        "eyJ".to_owned(),
        "uthorization:".to_owned(),
        "Bearer ".to_owned(),
        "PRIVATE KEY".to_owned(),
    ];
    for secret in secrets {
        assert!(!outcome.stderr.contains(&secret), "{secret}: {outcome:?}");
    }
}

/// The embedded example with one device, and a section for the tenant.
fn rollout(cli: &Cli) {
    let text = cli.ok("profile show rollout.toml");
    let text = text.replace("cas = [\"edge\"]", "certificates = [\"../cas.pem\"]");
    cli.write("demo/rollout.toml", text + "\n[tenant]\ncas = [\"line-7\"]\n");
    cli.write("demo/devices.csv", "id,name\nro-1,One\n");
}
