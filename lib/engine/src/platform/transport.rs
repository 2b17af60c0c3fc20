//! One request over reqwest and rustls, and what a failure of it means.
//!
//! The server has to present a certificate that leads to a root of the operating system or to one
//! of the extra roots, or be one of these itself ([`Pinned`]). Redirects are not followed: credentials go to the host that was named.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::multipart::{Form, Part};
use reqwest::{Client as Reqwest, RequestBuilder, Response};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use url::Url;

use super::error::Distrust;
use super::pinned::system_and;
use super::resolver::{Resolver, Unresolved};
use super::{Body, Login, Method, Pinned, PlatformError, Proxy, Request, Settings, scrub};
use crate::crypto::{is_full, is_too_large, tls_provider, tls_reason, too_large_words};
use crate::failure::Underlying;
use crate::net::Deadline;

/// Most time for a connection; a request that did not get one has had no effect.
const TO_CONNECT: Duration = Duration::from_secs(15);

/// Characters of a header field that are kept: messages show them.
const HEADER_CHARS: usize = 300;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// Where it sends us.
    pub(super) location: Option<String>,
    /// The server's time.
    pub(super) date: Option<SystemTime>,
    pub(super) body: Vec<u8>,
}

/// Host, TLS and proxy: everything that all requests share.
#[derive(Debug)]
pub(super) struct Transport {
    client: Reqwest,
    base: Url,
    /// Host and port, for messages.
    pub(super) host: String,
    proxy: Option<Proxy>,
    timeout: Duration,
}

impl Transport {
    pub(super) fn new(settings: &Settings) -> Result<Self, PlatformError> {
        let roots = settings.roots.iter().map(|c| CertificateDer::from(c.der().to_vec()));
        let provider = Arc::new(tls_provider());
        let bad_roots = |e: rustls::Error| PlatformError::BadRoots(tls_reason(e));
        let verifier = system_and(roots.collect(), &provider).map_err(bad_roots)?;
        let verifier = Pinned::new(&settings.roots, verifier);
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(bad_roots)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Self::with_tls(settings, tls)
    }

    /// With TLS that decides by itself whom to trust and what to present.
    pub(super) fn with_tls(settings: &Settings, tls: ClientConfig) -> Result<Self, PlatformError> {
        let base = base(&settings.host)?;
        let mut builder = Reqwest::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(Resolver))
            // Shorter than the whole, so that it is known which of the two was over.
            .connect_timeout((settings.timeout / 5 * 4).min(TO_CONNECT))
            .user_agent(concat!("c8y-pki/", env!("CARGO_PKG_VERSION")))
            .no_proxy();
        if let Some(proxy) = &settings.proxy {
            builder = builder.proxy(reqwest_proxy(proxy)?);
        }
        let client = builder.build().map_err(|e| PlatformError::BadRoots(kept(e)))?;
        let host = shown(&base);
        let proxy = settings.proxy.clone();
        Ok(Self { client, base, host, proxy, timeout: settings.timeout })
    }

    /// The same for an address with a query of its own.
    pub(super) fn with_query(mut self, query: Option<&str>) -> Self {
        self.base.set_query(query);
        self
    }

    /// Sends the request once. All of it has the time of the settings together: the name, the connection,
    /// TLS, the request, and the answer to its last byte.
    pub(super) async fn send(
        &self,
        request: &Request,
        login: &Login,
    ) -> Result<Answer, PlatformError> {
        let deadline = Deadline::after(self.timeout);
        let failed = |e: reqwest::Error| self.explain(e, request);
        let response =
            self.build(request, login).send().await.map_err(|e| match e.is_builder() {
                true => PlatformError::BadLogin { login: login.shown() },
                false => failed(e),
            })?;
        let status = response.status().as_u16();
        let headers = response.headers();
        let text = |name| {
            let value = headers.get(name).and_then(|v| v.to_str().ok());
            // Before it is cut: a part of the secret would not be known again.
            let value = value.map(|text| scrub::without_secret(login, text.to_owned()));
            value.map(|text| text.chars().take(HEADER_CHARS).collect::<String>())
        };
        let mut answer = Answer {
            status,
            content_type: text(CONTENT_TYPE).unwrap_or_default(),
            retry_after: retry_after(headers),
            location: text(reqwest::header::LOCATION),
            date: text(DATE).and_then(|date| httpdate::parse_http_date(&date).ok()),
            body: Vec::new(),
        };
        if request.most > 0 {
            answer.body = self.read(response, request, deadline).await?;
        }
        Ok(answer)
    }

    fn build(&self, request: &Request, login: &Login) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&request.path);
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        // The time-out of a request counts to the end of its answer, that of a client starts anew with each read.
        let mut builder =
            self.client.request(method, url).timeout(self.timeout).header(ACCEPT, request.accept);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        builder = match login {
            Login::Basic { user, password } => builder.basic_auth(user, Some(password.expose())),
            Login::Token(token) => builder.bearer_auth(token.expose()),
            Login::Certificate => builder,
        };
        match &request.body {
            Body::None => builder,
            Body::Json(value) => builder.json(value),
            Body::Pkcs10(text) => builder
                .header(CONTENT_TYPE, "application/pkcs10")
                .header("Content-Transfer-Encoding", "base64")
                .body(text.clone()),
            Body::Pem { name, text } => {
                let part = Part::bytes(text.clone().into_bytes()).file_name(name.clone());
                builder.multipart(Form::new().part("file", part))
            }
            Body::Csv { name, bytes, .. } => {
                let mut headers = HeaderMap::new();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv"));
                let part = Part::bytes(bytes.clone()).file_name(name.clone()).headers(headers);
                builder.multipart(Form::new().part("file", part))
            }
        }
    }

    async fn read(
        &self,
        mut response: Response,
        request: &Request,
        deadline: Deadline,
    ) -> Result<Vec<u8>, PlatformError> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(_)) if deadline.is_over() => return Err(self.timed_out()),
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Err(e) if causes(&e).any(is_timeout) => return Err(self.timed_out()),
                Err(e) => return Err(self.broken(request, e)),
            }
            if body.len() > request.most {
                let problem = format!("the answer is longer than {} KiB", request.most >> 10);
                return Err(self.strange(request, problem));
            }
        }
    }

    pub(super) fn strange(
        &self,
        request: &Request,
        problem: impl Into<Underlying>,
    ) -> PlatformError {
        let problem = problem.into();
        let (method, path) = (request.method, request.path.clone());
        PlatformError::Answer { host: self.host.clone(), method, path, problem }
    }

    fn timed_out(&self) -> PlatformError {
        PlatformError::Timeout { host: self.host.clone(), seconds: self.timeout.as_secs() }
    }

    fn broken(&self, request: &Request, error: reqwest::Error) -> PlatformError {
        let reason = Underlying::worded(how_it_broke(&error), error);
        let (method, path) = (request.method, request.path.clone());
        PlatformError::Broken { host: self.host.clone(), method, path, reason }
    }

    /// What a failure means to the user.
    fn explain(&self, error: reqwest::Error, request: &Request) -> PlatformError {
        let host = self.host.clone();
        if let Some(tls) = causes(&error).find_map(tls_error) {
            return explain_tls(tls, host);
        }
        if causes(&error).filter_map(|e| e.downcast_ref()).any(is_full) {
            let reason = Underlying::worded(too_large_words(), error);
            return PlatformError::Tls { host, reason };
        }
        if !error.is_connect() {
            return match error.is_timeout() {
                true => self.timed_out(),
                false => self.broken(request, error),
            };
        }
        if let Some(proxy) = self.proxy.as_ref().filter(|p| p.applies_to(&self.base)) {
            return PlatformError::Proxy { proxy: proxy.shown(), host, reason: kept(error) };
        }
        let name = self.base.host_str().unwrap_or_default();
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let port = self.base.port_or_known_default().unwrap_or(443);
        if causes(&error).any(|e| e.is::<Unresolved>()) {
            return PlatformError::Resolve { host: name.to_owned() };
        }
        let refused = causes(&error).any(|e| {
            e.downcast_ref::<io::Error>()
                .is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
        });
        let words = match refused {
            true => format!("nothing listens on port {port}"),
            false if error.is_timeout() => "no connection came about in time".to_owned(),
            false => last(&error),
        };
        PlatformError::Connect { host, reason: Underlying::worded(words, error) }
    }
}

/// An address as it was given, but for what may be a password.
fn without_login(host: &str) -> String {
    match host.rsplit_once('@') {
        None => host.to_owned(),
        Some((front, host)) => match front.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://…@{host}"),
            None => format!("…@{host}"),
        },
    }
}

/// Host and port of an address, as messages name them.
///
/// Errors: an address that is none of a tenant.
pub fn host_and_port(host: &str) -> Result<String, PlatformError> {
    Ok(shown(&base(host)?))
}

fn shown(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The address of a tenant: `acme.cumulocity.com`, or with `https://`, or with a port.
pub(super) fn base(host: &str) -> Result<Url, PlatformError> {
    let bad = |problem| PlatformError::BadHost { host: without_login(host), problem };
    let host = host.trim();
    let (scheme, rest) = host.split_once("://").unwrap_or(("https", host));
    let text = match scheme.to_ascii_lowercase().as_str() {
        "https" => format!("https://{rest}"),
        "http" => {
            return Err(bad("over http the password would be sent unencrypted: use https"));
        }
        _ => return Err(bad("it has to begin with https://")),
    };
    let url = Url::parse(&text).map_err(|_| bad("it is no URL or host name"))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("user and password do not belong into it"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(bad("only a host and a port are wanted, no path"));
    }
    Ok(url)
}

fn reqwest_proxy(proxy: &Proxy) -> Result<reqwest::Proxy, PlatformError> {
    let except = reqwest::NoProxy::from_string(&proxy.except);
    let made = reqwest::Proxy::all(&proxy.url).map_err(|e| PlatformError::BadProxy {
        proxy: proxy.shown(),
        // The address may hold a password.
        problem: kept(e.without_url()),
    })?;
    Ok(made.no_proxy(except))
}

/// How long the server asks to wait: seconds, or a date, which is taken against the server's own
/// clock (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    until.duration_since(now).ok()
}

/// An error and what lies under it; errors that hide inside an I/O error too.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |e: &&'a (dyn StdError + 'static)| {
        let e: &'a (dyn StdError + 'static) = *e;
        match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => e.source(),
        }
    })
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout)
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref()
}

/// The innermost cause: the others only say that sending failed.
fn last(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// A server that closes a connection seldom says why, and TLS and HTTP each have words of their own for it.
fn how_it_broke(error: &(dyn StdError + 'static)) -> String {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let is_closed = |e: &(dyn StdError + 'static)| {
        e.downcast_ref::<io::Error>().is_some_and(|e| {
            [UnexpectedEof, ConnectionReset, ConnectionAborted, BrokenPipe].contains(&e.kind())
        })
    };
    match causes(error).any(is_closed) {
        true => "the connection was closed".to_owned(),
        false => last(error),
    }
}

/// The error, with the words of its innermost cause.
fn kept(error: reqwest::Error) -> Underlying {
    Underlying::worded(last(&error), error)
}

fn explain_tls(error: &rustls::Error, host: String) -> PlatformError {
    match error {
        rustls::Error::InvalidCertificate(fault) => {
            PlatformError::Untrusted { host, fault: Distrust::of(fault) }
        }
        // It can also mean a handshake that is too large.
        rustls::Error::InvalidMessage(_) if !is_too_large(error) => {
            let words = "what answers there does not speak TLS";
            PlatformError::Tls { host, reason: Underlying::worded(words, error.clone()) }
        }
        other => PlatformError::Tls { host, reason: tls_reason(other.clone()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_people_write_them() {
        for (given, url) in [
            ("acme.cumulocity.com", "https://acme.cumulocity.com/"),
            ("https://acme.cumulocity.com/", "https://acme.cumulocity.com/"),
            (" localhost:9443\n", "https://localhost:9443/"),
            ("[::1]:9443", "https://[::1]:9443/"),
        ] {
            assert_eq!(base(given).unwrap().as_str(), url, "{given:?}");
        }
        for given in [
            "http://acme.cumulocity.com",
            "ftp://acme",
            "https://user:pw@acme",
            "acme.com/inventory",
            "acme.com?x",
            "",
            "https://",
            "a b",
        ] {
            assert!(matches!(base(given), Err(PlatformError::BadHost { .. })), "{given:?}");
        }
    }

    #[test]
    fn waits_are_seconds_or_a_date_on_the_servers_clock() {
        let wait = |retry: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            retry_after(&headers)
        };
        let date = "Wed, 25 Nov 2026 10:00:00 GMT";
        assert_eq!(wait("7", None), Some(Duration::from_secs(7)));
        let until = "Wed, 25 Nov 2026 10:00:30 GMT";
        assert_eq!(wait(until, Some(date)), Some(Duration::from_secs(30)));
        assert_eq!(wait(until, None), None);
        assert_eq!(wait("soon", Some(date)), None);
    }
}
