//! Which server, as whom, and whom to trust: the URL as libpq documents it, with what the environment adds.
//!
//! Source: PostgreSQL's documentation, chapters "Database Connection Control Functions" (34.1), "Environment
//! Variables" (34.15), "The Password File" (34.16) and "SSL Support" (34.19). What differs here: over TCP the default
//! of `sslmode` is `verify-full`, and `allow` and `prefer`, which let plaintext through, are refused; a password in
//! the URL is refused, since the URL stands in a file that others may read; `sslrootcert` has to name a file that is there
//! in each mode, and means the operating system's certificates as `system` in every version.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};

use super::failure::AddressError;
use super::tls::{TlsMode, Trust};
use crate::files;
use crate::registry::without_secrets;
use crate::secret::Password;

/// How long one attempt to connect takes at most.
const TO_CONNECT: Duration = Duration::from_secs(10);

/// Idle seconds before the first keepalive, the pause between two, and how many are sent: a dead network is noticed
/// in 60 s. The crate waits for 2 hours.
const KEEPALIVE: (u64, u64, u32) = (30, 10, 3);

/// What the environment of a process says about servers: libpq's variables, and whose process it is.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `PGHOST`.
    pub host: Option<String>,
    /// `PGPORT`.
    pub port: Option<String>,
    /// `PGUSER`, or the name of the operating system's user.
    pub user: Option<String>,
    /// `PGDATABASE`.
    pub database: Option<String>,
    /// `PGPASSWORD`.
    pub password: Option<Password>,
    /// `PGPASSFILE`.
    pub passfile: Option<PathBuf>,
    /// `PGSSLMODE`.
    pub sslmode: Option<String>,
    /// `PGSSLROOTCERT`.
    pub sslrootcert: Option<String>,
    /// The user's directory, with `.pgpass` and `.postgresql/root.crt`.
    pub home: Option<PathBuf>,
    /// Is told once when a server that was lost is waited for, and how long at most.
    pub waiting: Option<fn(&str, Duration)>,
}

static SURROUNDINGS: OnceLock<Surroundings> = OnceLock::new();

impl Surroundings {
    /// Says them for the whole process, once, before the first registry is opened: the library reads no
    /// environment. Without them only the URL counts.
    pub fn install(self) {
        let _ = SURROUNDINGS.set(self);
    }

    fn installed() -> Self {
        SURROUNDINGS.get().cloned().unwrap_or_default()
    }
}

/// The address of a registry in a PostgreSQL database.
#[derive(Clone)]
pub struct Address {
    config: Config,
    trust: Option<Trust>,
    shown: String,
    waiting: Option<fn(&str, Duration)>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Parameters of the URL that the crate does not know, or not as libpq does.
#[derive(Default)]
struct Own {
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    passfile: Option<PathBuf>,
}

impl Address {
    /// Reads an address, and adds what the process's [`Surroundings`] say.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        Self::parse_in(url, &Surroundings::installed())
    }

    /// The same with these surroundings.
    pub fn parse_in(url: &str, around: &Surroundings) -> Result<Self, AddressError> {
        let bad = |problem: String| AddressError::Url { url: without_secrets(url), problem };
        let (own, rest) = own_parameters(url).map_err(&bad)?;
        let mut config: Config = rest.parse().map_err(|e: postgres::Error| bad(sentence(&e)))?;
        if config.get_password().is_some() {
            return Err(AddressError::PasswordInUrl(without_secrets(url)));
        }
        complete(&mut config, around).map_err(&bad)?;
        let mut trust = None;
        config.ssl_mode(SslMode::Disable);
        if is_over_tcp(&config) {
            let mode = own.sslmode.as_ref().or(around.sslmode.as_ref());
            let mode = mode.map_or(Ok(TlsMode::VerifyFull), |mode| mode.parse())?;
            if mode != TlsMode::Disable {
                let roots = own.sslrootcert.as_ref().or(around.sslrootcert.as_ref());
                trust = Some(Trust::new(mode, roots.map(String::as_str), around.home.as_deref())?);
                config.ssl_mode(SslMode::Require);
            }
        }
        match &around.password {
            Some(password) => {
                config.password(password.expose());
            }
            None => {
                let file = own.passfile.as_ref().or(around.passfile.as_ref()).cloned();
                let file = file.or_else(|| around.home.as_ref().map(|home| home.join(".pgpass")));
                if let Some(password) =
                    file.map(|f| password_of(&f, &config)).transpose()?.flatten()
                {
                    config.password(password.expose());
                }
            }
        }
        Ok(Self { config, trust, shown: url.to_owned(), waiting: around.waiting })
    }

    /// Connects once, and sets the connection up.
    pub(super) fn connect(&self, set_up: &str) -> Result<Client, postgres::Error> {
        let mut client = match &self.trust {
            Some(trust) => self.config.connect(trust.clone())?,
            None => self.config.connect(NoTls)?,
        };
        client.batch_execute(set_up)?;
        Ok(client)
    }

    /// Tells that the server is waited for.
    pub(super) fn tell_waiting(&self, patience: Duration) {
        if let Some(tell) = self.waiting {
            tell(&self.shown, patience);
        }
    }
}

/// Takes out of a URL what the crate does not know.
fn own_parameters(url: &str) -> Result<(Own, String), String> {
    let mut own = Own::default();
    let Some((base, query)) = url.split_once('?') else { return Ok((own, url.to_owned())) };
    let mut left = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        // What it is called is not told: it may be a part of a password.
        let (key, value) = part.split_once('=').ok_or("a parameter has no value")?;
        let text = || {
            let decoded = percent_decode_str(value).decode_utf8();
            decoded.map(|text| text.into_owned()).map_err(|_| format!("{key} is not UTF-8"))
        };
        match key {
            "sslmode" => own.sslmode = Some(text()?),
            "sslrootcert" => own.sslrootcert = Some(text()?),
            "passfile" => own.passfile = Some(text()?.into()),
            _ => left.push(part),
        }
    }
    let rest = if left.is_empty() { base.to_owned() } else { format!("{base}?{}", left.join("&")) };
    Ok((own, rest))
}

/// Adds what the URL leaves open.
fn complete(config: &mut Config, around: &Surroundings) -> Result<(), String> {
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let default = if cfg!(unix) { "/var/run/postgresql" } else { "localhost" };
        config.host(around.host.as_deref().unwrap_or(default));
    }
    if config.get_ports().is_empty()
        && let Some(port) = &around.port
    {
        config.port(
            port.parse()
                .map_err(|_| format!("PGPORT is {port:?}, and a port is a number up to 65535"))?,
        );
    }
    if config.get_user().is_none()
        && let Some(user) = &around.user
    {
        config.user(user);
    }
    if config.get_dbname().is_none() {
        let name = around.database.clone().or_else(|| config.get_user().map(str::to_owned));
        config.dbname(&name.unwrap_or_default());
    }
    if config.get_application_name().is_none() {
        config.application_name("c8y-pki");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(TO_CONNECT);
    }
    let (idle, pause, number) = KEEPALIVE;
    config.keepalives(true).keepalives_idle(Duration::from_secs(idle));
    config.keepalives_interval(Duration::from_secs(pause)).keepalives_retries(number);
    config.tcp_user_timeout(Duration::from_secs(idle + pause * u64::from(number)));
    Ok(())
}

/// Whether one of the hosts is reached over TCP.
fn is_over_tcp(config: &Config) -> bool {
    !config.get_hostaddrs().is_empty()
        || config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)))
}

fn sentence(e: &postgres::Error) -> String {
    let source = std::error::Error::source(e).map(ToString::to_string);
    source.unwrap_or_else(|| e.to_string())
}

/// The password for a server in a file of passwords: of the first line that fits.
fn password_of(path: &Path, config: &Config) -> Result<Option<Password>, AddressError> {
    if !path.exists() {
        return Ok(None);
    }
    if files::is_open_to_others(path) {
        return Err(AddressError::OpenPasswordFile(path.to_owned()));
    }
    let cannot = |problem: String| AddressError::File { path: path.to_owned(), problem };
    let bytes = zeroize::Zeroizing::new(files::read(path).map_err(|e| cannot(e.to_string()))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| cannot("it is not UTF-8".to_owned()))?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(dir)) if dir != Path::new("/var/run/postgresql") => {
            dir.display().to_string()
        }
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let wanted = [
        host.as_str(),
        port.as_str(),
        config.get_dbname().unwrap_or_default(),
        config.get_user().unwrap_or_default(),
    ];
    let fits = |line: &&str| {
        let fields = fields_of(line);
        let same = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
        !line.starts_with('#') && fields.len() == 5 && fields.iter().zip(&wanted).all(same)
    };
    let line = text.lines().find(fits);
    Ok(line.and_then(|line| fields_of(line).pop()).map(Password::new))
}

/// The fields of a line, between colons; a backslash takes the next character as it is. The fifth is the rest.
fn fields_of(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let count = fields.len();
        let Some(field) = fields.last_mut() else { break };
        match c {
            ':' if count < 5 => fields.push(String::new()),
            '\\' => field.extend(chars.next()),
            c => field.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, AddressError> {
        Address::parse_in(url, &Surroundings::default())
    }

    #[test]
    fn no_password_in_an_address_and_none_in_what_is_shown() {
        let error = parse("postgres://station:geheim@db/plant").unwrap_err();
        assert!(matches!(error, AddressError::PasswordInUrl(_)));
        assert!(!error.to_string().contains("geheim"), "{error}");
        for url in [
            "postgres://db/p?password=geheim&sslmode=require",
            "postgres://db/p?a=b&password=geheim",
        ] {
            let error = parse(url).unwrap_err();
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
    }

    #[test]
    fn plaintext_over_a_network_only_where_it_is_said() {
        for mode in ["allow", "prefer", "off"] {
            let error = parse(&format!("postgres://u@db/p?sslmode={mode}")).unwrap_err();
            assert_eq!(error, AddressError::Mode { mode: mode.to_owned() });
        }
        assert!(parse("postgres://u@db/p?sslmode=disable").unwrap().trust.is_none());
        assert!(parse("postgres://u@db/p?sslmode=require").unwrap().trust.is_some());
        let error = parse("postgres://u@db/p").unwrap_err();
        assert!(matches!(error, AddressError::NoRoots { mode: "verify-full", .. }), "{error}");
        assert!(parse("postgres:///p?host=/run/x").unwrap().trust.is_none());
    }

    #[test]
    fn the_certificates_of_the_system_count_only_with_a_name() {
        assert!(parse("postgres://u@db/p?sslrootcert=system").unwrap().trust.is_some());
        for mode in ["require", "verify-ca"] {
            let url = format!("postgres://u@db/p?sslmode={mode}&sslrootcert=system");
            let error = parse(&url).unwrap_err();
            assert!(matches!(error, AddressError::SystemRoots { .. }), "{error}");
        }
    }

    #[test]
    fn the_environment_adds_what_the_address_leaves_open() {
        let around = Surroundings {
            host: Some("/run/x".to_owned()),
            port: Some("5433".to_owned()),
            user: Some("station".to_owned()),
            ..Surroundings::default()
        };
        let address = Address::parse_in("postgres://", &around).unwrap();
        assert_eq!(address.config.get_user(), Some("station"));
        assert_eq!(address.config.get_dbname(), Some("station"));
        assert_eq!(address.config.get_ports(), [5433]);
        let address = Address::parse_in("postgres://other@h:1/d?sslmode=disable", &around).unwrap();
        assert_eq!(
            (address.config.get_user(), address.config.get_ports()),
            (Some("other"), &[1_u16][..])
        );
    }

    #[test]
    fn the_file_of_passwords_is_read_as_libpq_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        let lines = "# h:1:d:u:no\nother:1:d:u:no\nh:*:d:u\\:x:ge\\:he\\\\im:1\n*:*:*:*:last\n";
        files::write(&path, lines.as_bytes(), files::Access::Private, files::Existing::Replace)
            .unwrap();
        let of = |url: &str| {
            let config: Config = url.parse().unwrap();
            password_of(&path, &config).unwrap().unwrap().expose().to_owned()
        };
        assert_eq!(of("postgres://u%3Ax@h:7/d"), "ge:he\\im:1");
        assert_eq!(of("postgres://u@h:1/d"), "last");
    }
}
