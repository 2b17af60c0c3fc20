//! Where a tenant is, who asks, and what stands between.

use std::time::Duration;

use url::Url;

use super::PlatformError;
use crate::cert::Certificate;
use crate::secret::Password;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Login {
    /// User and password; with the tenant, `tenantId/user`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: Password,
    },
    /// A bearer token.
    Token(Password),
    /// Nobody by name: the client certificate of TLS says who asks.
    Certificate,
}

impl Login {
    /// A user of a tenant. The platform wants `tenantId/user` where the host does not tell the
    /// tenant.
    pub fn user(tenant: Option<&str>, user: &str, password: Password) -> Self {
        let user = match tenant {
            Some(tenant) if !user.contains('/') => format!("{tenant}/{user}"),
            _ => user.to_owned(),
        };
        Self::Basic { user, password }
    }

    /// For messages: who, never the secret.
    pub fn shown(&self) -> String {
        match self {
            Self::Basic { user, .. } => format!("the password of the user {user:?}"),
            Self::Token(_) => "the token".to_owned(),
            Self::Certificate => "the client certificate".to_owned(),
        }
    }

    pub(super) fn subject(&self) -> String {
        match self {
            Self::Basic { user, .. } => format!("the user {user:?}"),
            Self::Token(_) => "the owner of the token".to_owned(),
            Self::Certificate => "the owner of the client certificate".to_owned(),
        }
    }
}

/// A proxy between us and the platform.
#[derive(Clone)]
pub struct Proxy {
    /// Its URL; user and password may be in it.
    pub url: String,
    /// Hosts that are reached without it, as in `NO_PROXY`.
    pub except: String,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({})", self.shown())
    }
}

impl Proxy {
    /// Its URL without user and password.
    pub(super) fn shown(&self) -> String {
        let url = match self.url.contains("://") {
            true => self.url.clone(),
            false => format!("http://{}", self.url),
        };
        match Url::parse(&url) {
            Ok(url) => {
                let port = url.port().map_or_else(String::new, |p| format!(":{p}"));
                format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
            }
            Err(_) => "(not a URL)".to_owned(),
        }
    }

    /// Whether the host is reached through it, by the usual reading of `NO_PROXY`.
    pub(super) fn applies_to(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let excepted = |entry: &str| {
            let entry = entry.trim().trim_start_matches('.');
            entry == "*"
                || !entry.is_empty()
                    && (host == entry || host.strip_suffix(entry).is_some_and(|h| h.ends_with('.')))
        };
        !self.except.split(',').any(excepted)
    }
}

/// Where the tenant is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `acme.cumulocity.com`, `https://acme.cumulocity.com`, `localhost:9443`.
    pub host: String,
    /// The tenant id; asked for when it is not given.
    pub tenant: Option<String>,
    /// Who asks.
    pub login: Login,
    /// CAs to trust for TLS besides those of the operating system.
    pub roots: Vec<Certificate>,
    /// A proxy.
    pub proxy: Option<Proxy>,
    /// Time for each request.
    pub timeout: Duration,
    /// How often a request is tried at most; at least 1.
    pub attempts: u32,
}

impl Settings {
    /// A user `tenant/user` is of the tenant that is named, if one is: the platform goes by the user
    /// and would do everything in the other tenant.
    pub(super) fn check_tenant(&self) -> Result<(), PlatformError> {
        let (Some(wanted), Login::Basic { user, .. }) = (&self.tenant, &self.login) else {
            return Ok(());
        };
        match user.split_once('/') {
            Some((found, _)) if found != wanted => {
                Err(PlatformError::OtherTenant { wanted: wanted.clone(), found: found.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// For a host and a login: 30 seconds, 8 attempts, nothing else.
    pub fn new(host: impl Into<String>, login: Login) -> Self {
        Self {
            host: host.into(),
            tenant: None,
            login,
            roots: Vec::new(),
            proxy: None,
            timeout: Duration::from_secs(30),
            attempts: 8,
        }
    }
}

/// The host alone, out of what people write for it: `https://acme.example.com:443/`, `[::1]:443`.
pub fn bare_host(text: &str) -> &str {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#']).next().unwrap_or_default();
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match text.matches(':').count() {
        1 => text.split(':').next().unwrap_or_default(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_as_people_write_them() {
        for (given, host) in [
            ("acme.example.com", "acme.example.com"),
            ("https://acme.example.com/", "acme.example.com"),
            ("https://acme.example.com:9443/apps?x#y", "acme.example.com"),
            (" localhost:8111\n", "localhost"),
            ("https://user@acme.example.com", "acme.example.com"),
            ("[::1]:443", "::1"),
            ("::1", "::1"),
            ("https://", ""),
        ] {
            assert_eq!(bare_host(given), host, "{given:?}");
        }
    }

    #[test]
    fn the_user_carries_its_tenant() {
        let user = |tenant: Option<&str>, user: &str| match Login::user(
            tenant,
            user,
            Password::new("x"),
        ) {
            Login::Basic { user, .. } => user,
            _ => unreachable!("a user was given"),
        };
        assert_eq!(user(Some("t1"), "admin"), "t1/admin");
        assert_eq!(user(Some("t1"), "t2/admin"), "t2/admin");
        assert_eq!(user(None, "admin"), "admin");
    }

    #[test]
    fn secrets_of_proxies_and_logins_do_not_show() {
        let proxy = Proxy { url: "http://me:secret@p:3128".to_owned(), except: String::new() };
        let login = Login::user(None, "admin", Password::new("secret"));
        let settings = Settings { proxy: Some(proxy), ..Settings::new("h", login) };
        let shown = format!("{settings:?} {}", settings.login.shown());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn hosts_are_excepted_from_the_proxy() {
        let except = "localhost, .example.com,10.0.0.1".to_owned();
        let proxy = Proxy { url: "http://p:3128".to_owned(), except };
        let applies =
            |host: &str| proxy.applies_to(&Url::parse(&format!("https://{host}/")).expect("a URL"));
        assert!(!applies("localhost"));
        assert!(!applies("a.example.com"));
        assert!(!applies("10.0.0.1"));
        assert!(applies("notexample.com"));
        assert!(applies("acme.cumulocity.com"));
    }
}
