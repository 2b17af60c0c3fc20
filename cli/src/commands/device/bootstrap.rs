//! `device bootstrap`: credentials for a device that has a password and no certificate.
//!
//! They are secrets: they go to a file that only its owner can read, or to standard output when that is
//! asked for.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use c8y_pki_core::client_id::{ClientId, DeviceId};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::device::bootstrap::{self, BootstrapError, Granted, Patience};
use c8y_pki_engine::device::connection::{self, Connection, Event};
use c8y_pki_engine::device::credentials::Trusted;
use c8y_pki_engine::device::link::{Identity, Target};
use c8y_pki_engine::device::mqtt::ConnectOptions;
use c8y_pki_engine::files::{self, Access, Existing, FileError};
use clap::{ArgGroup, Args};
use serde::Serialize;
use serde_json::json;

use super::endpoint::EndpointArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::old_ids;
use crate::outlet;
use crate::output::{Output, is_stdout};
use crate::render::{as_line, count};
use crate::secrets::{Source, known};
use crate::stop;

/// Arguments of `device bootstrap`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("where").required(true).multiple(true).args(["out", "raw"])))]
#[command(after_help = "\
For devices that connect with user and password. Enter the device's id in the tenant's device
registration, run this, and accept the device there; then its credentials come. You get the
bootstrap user and its password from the operator of the platform.

FILE is JSON with tenant, user and password, and has mode 0600; an existing file is not replaced.
--raw prints the three to standard output, one on a line, with --json as JSON.

Examples:
  c8y-pki device bootstrap gw-0001 --bootstrap-password-file pw --out gw-0001.json
  c8y-pki device bootstrap gw-0001 --raw --wait 60 --truststore sandbox-ca.pem

Exit codes: 0 the credentials are there; 1 refused, or nobody has accepted the device in time;
2 wrong use or input; 3 not reached, or stopped.")]
pub(crate) struct BootstrapArgs {
    /// The device's id
    id: String,
    /// Write the credentials to this new file (mode 0600); - for standard output, if that is no terminal
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the credentials
    #[arg(long)]
    raw: bool,
    /// The bootstrap user
    #[arg(long, value_name = "NAME", default_value = bootstrap::USER)]
    bootstrap_user: String,
    /// File whose first line is the bootstrap user's password [env: C8Y_BOOTSTRAP_PASSWORD]
    #[arg(long, value_name = "FILE")]
    bootstrap_password_file: Option<PathBuf>,
    /// Seconds to wait for somebody to accept the device
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: u64,
    /// Seconds between two questions
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    every: u64,
    /// Do not connect with the credentials to see whether they work
    #[arg(long)]
    no_check: bool,
    /// The device's truststore, or a PEM file with CAs; without it the system decides
    #[arg(long, value_name = "FILE")]
    truststore: Option<PathBuf>,
    /// File with the password of the truststore [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    #[command(flatten)]
    endpoint: EndpointArgs,
}

/// What is told.
#[derive(Serialize)]
struct Told<'a> {
    device: &'a str,
    tenant: &'a str,
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Whether the device has connected with them; none if they are told before.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<bool>,
}

/// Why the file is not written.
enum Unwritten {
    Failed(Failure),
    Stopped,
}

impl From<FileError> for Unwritten {
    fn from(e: FileError) -> Self {
        Self::Failed(e.into())
    }
}

pub(super) fn run(args: &BootstrapArgs, out: Output) -> Result {
    let device = old_ids::read(&args.id, out)?;
    let target = args.endpoint.target()?;
    args.out.as_deref().map(check_free).transpose()?;
    let place = Place { args, device, target, trusted: trusted(args)? };
    let password = args.password().existing()?;
    let stdout = args.out.as_deref().filter(|path| is_stdout(path));
    let granted = match &args.out {
        None => place.ask(&password, out)?,
        Some(_) if stdout.is_some() => place.ask(&password, out)?,
        Some(path) => match place.ask_into(path, &password, out) {
            Ok(granted) => Some(granted),
            Err(Unwritten::Stopped) => None,
            Err(Unwritten::Failed(failure)) => return Err(failure),
        },
    };
    let Some(granted) = granted else {
        if out.is_json() {
            out.aside("stopped", &json!({ "device": args.id }));
        }
        out.note("stopped: no credentials have come");
        return Ok(Outcome::Stopped);
    };
    if stdout.is_some() {
        out.data(contents(&granted).as_bytes())?;
    }
    place.report(&granted, out.beside(stdout))
}

/// Refuses a file that is there.
fn check_free(path: &Path) -> Result<()> {
    outlet::check_secret(path)?;
    if outlet::stands(path)? {
        return Err(Failure::usage(
            format!("{} exists already", path.display()),
            "name another file: a file with credentials is never replaced",
        ));
    }
    Ok(())
}

impl BootstrapArgs {
    fn password(&self) -> Source<'_> {
        known::bootstrap_user(self.bootstrap_password_file.as_ref())
    }
}

/// The truststore, whose password is asked for if that turns out to be needed.
fn trusted(args: &BootstrapArgs) -> Result<Option<Trusted>> {
    let Some(path) = &args.truststore else { return Ok(None) };
    let source = known::store(args.store_password_file.as_ref());
    let given = source.given()?;
    match Trusted::read(path, given.as_ref()) {
        Err(e) if e.needs_store_password() && given.is_none() => {
            Ok(Some(Trusted::read(path, Some(&source.existing()?))?))
        }
        other => Ok(Some(other?)),
    }
}

/// The device, and where it connects to.
struct Place<'a> {
    args: &'a BootstrapArgs,
    device: DeviceId,
    target: Target,
    trusted: Option<Trusted>,
}

impl Place<'_> {
    fn options(&self, user: &str, password: &Password) -> ConnectOptions {
        let client_id = ClientId::of_device(self.device.clone());
        ConnectOptions {
            user: Some((user.to_owned(), Some(password.clone()))),
            timeout: self.args.endpoint.timeout(),
            ..ConnectOptions::new(client_id)
        }
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Password(self.trusted.as_ref())
    }

    /// Asks until the credentials come; none when it was stopped.
    fn ask(&self, password: &Password, out: Output) -> Result<Option<Granted>> {
        let options = self.options(&self.args.bootstrap_user, password);
        let open = || connection::open(&self.target, self.identity(), &options);
        let mut connection = Connection::new(open, bootstrap::policy());
        let patience = Patience {
            every: Duration::from_secs(self.args.every),
            wait: Duration::from_secs(self.args.wait),
            stop: &stop::on_interrupt(),
        };
        let asked: std::result::Result<_, BootstrapError> =
            bootstrap::request(&mut connection, patience, |event| self.tell(event, out));
        // Whatever came of it, nothing depends on the goodbye.
        let _ = connection.disconnect();
        Ok(asked?)
    }

    fn tell(&self, event: &Event, out: Output) {
        match event {
            Event::Connected => {
                let Self { device, target, args, .. } = self;
                if out.is_json() {
                    let told = json!({ "device": device, "target": target.to_string(), "seconds": args.wait });
                    return out.aside("asking", &told);
                }
                let wait = count(usize::try_from(args.wait).unwrap_or_default(), "second");
                out.note(&format!(
                    "{device} asks {target} for its credentials, for up to {wait}: enter its id in the \
                     tenant's device registration, and accept it there when it shows up"
                ));
            }
            Event::Lost { error, pause } => out.retry(&error.to_string(), None, *pause),
            _ => {}
        }
    }

    /// The same with a file that is begun before anything is asked for: credentials are given once, and
    /// a directory that cannot be written to should be told before.
    fn ask_into(
        &self,
        path: &Path,
        password: &Password,
        out: Output,
    ) -> std::result::Result<Granted, Unwritten> {
        let mut found = None;
        let written = files::write_with(path, Access::Private, Existing::Refuse, |file| {
            let granted = self.ask(password, out).map_err(Unwritten::Failed)?;
            let granted = found.insert(granted.ok_or(Unwritten::Stopped)?);
            file.write_all(contents(granted).as_bytes()).map_err(|source| {
                Unwritten::from(FileError { action: "write", path: path.to_owned(), source })
            })
        });
        if let (Err(Unwritten::Failed(_)), Some(granted)) = (&written, &found) {
            keep_elsewhere(path, granted, out);
        }
        written?;
        found.ok_or(Unwritten::Stopped)
    }

    /// Tells, and connects with the credentials. What is printed comes once, so it is printed first.
    fn report(&self, granted: &Granted, out: Output) -> Result {
        if self.args.raw {
            self.tell_granted(granted, None, out)?;
        }
        let checked = if self.args.no_check { Ok(()) } else { self.check(granted) };
        if !self.args.raw {
            self.tell_granted(granted, Some(!self.args.no_check && checked.is_ok()), out)?;
        }
        checked?;
        Ok(Outcome::Done)
    }

    fn tell_granted(&self, granted: &Granted, checked: Option<bool>, out: Output) -> Result<()> {
        let Granted { tenant, user, password } = granted;
        let told = Told {
            device: self.device.as_str(),
            tenant,
            user,
            password: self.args.raw.then(|| password.expose()),
            file: self.args.out.as_ref().map(|path| path.display().to_string()),
            checked,
        };
        if self.args.raw && !out.is_json() && !out.is_aside() {
            return out.data(format!("{tenant}\n{user}\n{}\n", password.expose()).as_bytes());
        }
        out.result(&told, text)
    }

    fn check(&self, granted: &Granted) -> Result<()> {
        let options = self.options(&granted.login(), &granted.password);
        let session = connection::open(&self.target, self.identity(), &options)?;
        Ok(session.disconnect()?)
    }
}

/// What the file holds.
fn contents(granted: &Granted) -> String {
    let Granted { tenant, user, password } = granted;
    let value = json!({ "tenant": tenant, "user": user, "password": password.expose() });
    format!("{value}\n")
}

/// Credentials that have come and have no place, since another program has taken it meanwhile: beside it.
fn keep_elsewhere(path: &Path, granted: &Granted, out: Output) {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let other = PathBuf::from(name);
    let bytes = contents(granted);
    out.warning(&match files::write(&other, bytes.as_bytes(), Access::Private, Existing::Refuse) {
        Ok(()) => format!("the credentials that have come are in {}", other.display()),
        Err(e) => {
            format!("the credentials that have come are lost: {e}; enter the device again")
        }
    });
}

fn text(told: &Told<'_>) -> String {
    let Told { device, tenant, user, password, file, checked } = told;
    if let Some(password) = password {
        return format!("{tenant}\n{user}\n{password}\n");
    }
    let file = file.as_deref().unwrap_or_default();
    let proof = if *checked == Some(true) { ", and the device connects with them" } else { "" };
    as_line(&format!("{device}: user {tenant}/{user}; its credentials are in {file}{proof}"))
}
