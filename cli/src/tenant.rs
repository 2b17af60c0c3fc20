//! How commands reach a tenant: host, user, TLS, proxy, from options or from the variables that the
//! platform's other tools use too.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::device::credentials::Trusted;
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::{self, Body, Login, Proxy, Request, Retry, Settings};
use clap::Args;
use serde_json::json;

use crate::context;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::said::{Noted, Said};
use crate::secrets::{Source, known};
use crate::values;
use crate::variables::variable;

/// What stands for the tenant's id where it is not known: nothing is asked in a dry run.
const UNKNOWN_TENANT: &str = "TENANT";

/// How the tenant is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tenant")]
pub(crate) struct TenantArgs {
    /// Host of the tenant, e.g. acme.eu-latest.cumulocity.com
    #[arg(long, value_name = "HOST", env = "C8Y_HOST", hide_env_values = true, value_parser = Noted)]
    host: Option<Said>,
    #[command(flatten)]
    login: LoginArgs,
    #[command(flatten)]
    network: NetworkArgs,
}

/// Who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tenant")]
pub(crate) struct LoginArgs {
    /// The tenant's id, e.g. t12345; by default the host's
    #[arg(long, value_name = "ID", env = "C8Y_TENANT", hide_env_values = true, value_parser = Noted)]
    tenant: Option<Said>,
    #[command(flatten)]
    who: WhoArgs,
}

/// Who asks, without the tenant's id.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tenant")]
pub(crate) struct WhoArgs {
    /// User of the tenant [env: C8Y_USER, C8Y_USERNAME]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// File whose first line is the user's password [env: C8Y_PASSWORD]
    #[arg(long, value_name = "FILE")]
    tenant_password_file: Option<PathBuf>,
    /// File whose first line is a token, in place of user and password [env: C8Y_TOKEN]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "tenant_password_file"])]
    token_file: Option<PathBuf>,
}

/// What lies between here and the tenant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tenant")]
pub(crate) struct NetworkArgs {
    #[command(flatten)]
    way: WayArgs,
    /// Time limit in seconds for one whole request: name, connection, TLS, and the answer to its end; each
    /// repetition (--retries) has the whole time again
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// How often a request is sent again when the network or the server fails; at most twice until
    /// the server has answered once
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=100))]
    retries: u32,
}

/// Which way leads there, and whom to trust on it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tenant")]
pub(crate) struct WayArgs {
    /// PEM file with CAs to trust for the server's TLS certificate, in addition to the system's. A server certificate
    /// that signed itself (Edge) is accepted if exactly this certificate is in the file
    /// [env: C8Y_PKI_CACERT]
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Proxy, e.g. http://proxy.example.com:3128 [env: HTTPS_PROXY, ALL_PROXY, NO_PROXY]
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
}

impl TenantArgs {
    /// A client of the tenant. Nothing is sent yet.
    pub(crate) fn connect(&self, out: Output) -> Result<Client> {
        self.connect_to(None, out)
    }

    /// The same, with a host that is taken where none is given.
    pub(crate) fn connect_to(&self, default_host: Option<&str>, out: Output) -> Result<Client> {
        self.connect_as(self.login.tenant(), default_host, out)
    }

    /// The same, with this tenant's id.
    pub(crate) fn connect_as(
        &self,
        id: Option<&str>,
        default_host: Option<&str>,
        out: Output,
    ) -> Result<Client> {
        context::current_host(default_host)?;
        let host = self.given_host().or(default_host).ok_or_else(no_host)?.to_owned();
        let login = self.login.who.login(id, &host)?;
        self.network.connect(&host, id.map(str::to_owned), login, out)
    }

    /// The host, by the option or the variable.
    pub(crate) fn given_host(&self) -> Option<&str> {
        self.host.as_ref().map(Said::as_str).filter(|host| !host.is_empty())
    }

    /// The host, by the option only.
    pub(crate) fn host_on_line(&self) -> Option<&str> {
        self.host.as_ref().and_then(Said::on_line)
    }

    /// What stands for the tenant, as it was given.
    pub(crate) fn given_tenant(&self) -> Option<&str> {
        self.login.tenant()
    }

    /// The same, by the option only.
    pub(crate) fn tenant_on_line(&self) -> Option<&str> {
        self.login.tenant.as_ref().and_then(Said::on_line)
    }

    /// Whether a host, and somebody who asks, are given.
    pub(crate) fn is_given(&self, default_host: Option<&str>) -> Result<bool> {
        context::current_host(default_host)?;
        let who = &self.login.who;
        let is_somebody = who.token(None)?.is_some() || who.user().is_some();
        Ok(is_somebody && self.given_host().or(default_host).is_some())
    }

    /// How something else than the tenant is reached.
    pub(crate) fn settings_for_others(&self) -> Result<Settings> {
        self.network.settings_for_others()
    }

    /// CAs that the server's TLS certificate may lead to besides the system's.
    pub(crate) fn roots(&self) -> Result<Vec<Certificate>> {
        self.network.way.roots()
    }

    /// The tenant's id as far as it is known without asking.
    pub(crate) fn known_tenant(&self) -> &str {
        self.login.tenant().unwrap_or(UNKNOWN_TENANT)
    }

    /// The tenant and its host, if both are known without asking.
    pub(crate) fn known_place(&self) -> Result<Option<String>> {
        let (Some(tenant), Some(host)) = (self.login.tenant(), self.given_host()) else {
            return Ok(None);
        };
        Ok(Some(platform::place(tenant, &platform::host_and_port(host)?)))
    }
}

impl LoginArgs {
    /// The tenant's id, if it is given; a variable that is empty gives none.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(Said::as_str).filter(|id| !id.is_empty())
    }

    /// What is given; nobody is asked. None without a token or a user with a password; half of it in
    /// options is refused.
    pub(crate) fn given(&self) -> Result<Option<Login>> {
        self.who.given(self.tenant())
    }
}

impl WhoArgs {
    fn given(&self, tenant: Option<&str>) -> Result<Option<Login>> {
        if let Some(token) = self.token(tenant)? {
            return Ok(Some(Login::Token(token)));
        }
        let half = |problem: &str| {
            Err(Failure::usage(
                problem,
                "give --user and --tenant-password-file, or C8Y_USER and C8Y_PASSWORD; or neither",
            ))
        };
        match (self.user(), self.password("the user", tenant).given()?) {
            (Some(user), Some(password)) => Ok(Some(Login::user(tenant, &user, password))),
            (None, _) if self.tenant_password_file.is_some() => half("a password without a user"),
            (_, None) if self.user.is_some() => half("a user without a password"),
            _ => Ok(None),
        }
    }

    /// Options before variables; of the variables a token before a password.
    pub(crate) fn login(&self, tenant: Option<&str>, host: &str) -> Result<Login> {
        if let Some(token) = self.token(tenant)? {
            return Ok(Login::Token(token));
        }
        let Some(user) = self.user() else {
            return Err(Failure::usage(
                format!("there is no user for {host}"),
                "give --user NAME or set C8Y_USER, and C8Y_PASSWORD; or set C8Y_TOKEN",
            ));
        };
        let password = self.password(&format!("the user {user}"), tenant).existing()?;
        Ok(Login::user(tenant, &user, password))
    }

    fn token(&self, tenant: Option<&str>) -> Result<Option<Password>> {
        if self.user.is_some() || self.tenant_password_file.is_some() {
            return Ok(None);
        }
        if !context::keeps_for_another(tenant) {
            context::check_secret()?;
        }
        for_tenant(known::tenant_token(self.token_file.as_ref()), tenant).given()
    }

    fn user(&self) -> Option<String> {
        let user = self.user.clone().or_else(|| variable("C8Y_USER"));
        user.or_else(|| variable("C8Y_USERNAME"))
    }

    fn password<'a>(&'a self, what: &'a str, tenant: Option<&str>) -> Source<'a> {
        for_tenant(known::tenant_user(self.tenant_password_file.as_ref(), what), tenant)
    }
}

/// The secret without what a context keeps, if that is for another tenant.
fn for_tenant<'a>(source: Source<'a>, tenant: Option<&str>) -> Source<'a> {
    if context::keeps_for_another(tenant) { source.no_variable() } else { source }
}

impl NetworkArgs {
    /// Whom a device trusts on the way, besides its own truststore: those of --cacert, if it is given.
    pub(crate) fn trusted(&self) -> Result<Option<Trusted>> {
        let certificates = self.way.roots()?;
        let from = self.way.cacert.clone().unwrap_or_else(|| PathBuf::from("C8Y_PKI_CACERT"));
        let trusted = Trusted { from, certificates, unseen_by_java: Vec::new() };
        Ok(Some(trusted).filter(|t| !t.certificates.is_empty()))
    }

    /// The time for a request as a whole.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// How something else than the tenant is reached, with the same time, repetitions, proxy and roots.
    pub(crate) fn settings_for_others(&self) -> Result<Settings> {
        Ok(Settings {
            timeout: Duration::from_secs(self.timeout),
            attempts: self.retries + 1,
            ..self.way.settings("", Login::Certificate)?
        })
    }

    /// A client for that host and login.
    pub(crate) fn connect(
        &self,
        host: &str,
        tenant: Option<String>,
        login: Login,
        out: Output,
    ) -> Result<Client> {
        let settings = Settings {
            tenant,
            timeout: Duration::from_secs(self.timeout),
            attempts: self.retries + 1,
            ..self.way.settings(host, login)?
        };
        let repeats = Repeats::default();
        let tell = move |retry: &Retry<'_>| repeats.tell(retry, out);
        Ok(Client::over(platform::Client::new(&settings)?.on_retry(tell))?)
    }
}

impl WayArgs {
    /// How that host is reached.
    pub(crate) fn settings(&self, host: &str, login: Login) -> Result<Settings> {
        let (roots, proxy) = (self.roots()?, self.proxy());
        Ok(Settings { roots, proxy, ..Settings::new(host, login) })
    }

    fn roots(&self) -> Result<Vec<Certificate>> {
        let file = self.cacert.clone().or_else(|| variable("C8Y_PKI_CACERT").map(PathBuf::from));
        file.map_or_else(|| Ok(Vec::new()), |file| values::certificates(&file))
    }

    fn proxy(&self) -> Option<Proxy> {
        const NAMES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let url = self.proxy.clone().or_else(|| NAMES.into_iter().find_map(variable))?;
        let except = match self.proxy {
            // Asked for by name, it is taken for every host.
            Some(_) => None,
            None => variable("NO_PROXY").or_else(|| variable("no_proxy")),
        };
        Some(Proxy { url, except: except.unwrap_or_default() })
    }
}

/// What is said of requests that are sent again. At a tenant that fails often, a command of a thousand requests would say
/// it hundreds of times: people are told at once, and after that every few seconds. Programs are told of each.
#[derive(Debug, Default)]
struct Repeats(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    last: Option<Instant>,
    requests: usize,
}

impl Repeats {
    /// Between two lines for people.
    const PAUSE: Duration = Duration::from_secs(5);

    fn tell(&self, retry: &Retry<'_>, out: Output) {
        let reason = retry.reason();
        if out.is_json() {
            return out.retry(&reason, Some(retry.attempt), retry.pause);
        }
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if untold.last.is_some_and(|last| last.elapsed() < Self::PAUSE) {
            untold.requests += 1;
            return;
        }
        let others = match std::mem::take(&mut untold.requests) {
            0 => String::new(),
            n => format!(" (and {n} more like this since the last such line)"),
        };
        untold.last = Some(Instant::now());
        out.retry(&format!("{reason}{others}"), Some(retry.attempt), retry.pause);
    }
}

/// The host where there is no [`TenantArgs`] around it.
pub(crate) fn no_host() -> Failure {
    Failure::usage(
        "the host of the tenant is not given",
        "give --host, e.g. --host acme.eu-latest.cumulocity.com, or --context NAME, or set C8Y_HOST",
    )
}

/// `--dry-run`: what would be sent, without credentials.
pub(crate) fn show_requests(requests: &[Request], out: Output) -> Result {
    let values: Vec<_> = requests.iter().map(Shown::of).collect();
    out.results(&values, |_| {
        requests.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Outcome::Done)
}

/// A request for `--json`.
#[derive(serde::Serialize)]
struct Shown {
    method: String,
    path: String,
    query: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<serde_json::Value>,
}

impl Shown {
    fn of(request: &Request) -> Self {
        let body = match &request.body {
            Body::Json(value) => Some(value.clone()),
            Body::Csv { name, bytes, shown } => {
                let csv = String::from_utf8_lossy(shown.as_ref().unwrap_or(bytes));
                Some(json!({ "file": name, "csv": csv }))
            }
            Body::Pem { name, text } => Some(json!({ "file": name, "pem": text })),
            Body::Pkcs10(text) => Some(json!({ "pkcs10": text })),
            _ => None,
        };
        let query = request.query.iter().map(|(k, v)| ((*k).to_owned(), json!(v)));
        Self {
            method: request.method.to_string(),
            path: request.path.clone(),
            query: query.collect(),
            body,
        }
    }
}
