//! A device's next certificate, unattended: nothing is done while it is not due; the next files are made and
//! tried beside the old ones, and take their place only when the platform has let them in.

use std::path::Path;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::client_id::{ClientId, DeviceId};
use c8y_pki_core::csr;
use c8y_pki_core::failure::Failure as _;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::Error;
use c8y_pki_engine::device::connection::{self, Backoff};
use c8y_pki_engine::device::credentials::{Credentials, Files, Place};
use c8y_pki_engine::device::link::{Identity, Target};
use c8y_pki_engine::device::mqtt::ConnectOptions;
use c8y_pki_engine::device::token::{self, Token};
use c8y_pki_engine::enrolment::folder::{Folder, Next};
use c8y_pki_engine::files;
use c8y_pki_engine::platform::{self, Login, bare_host, est};
use time::OffsetDateTime;

use super::args::{EnrolArgs, new_key, subject};
use super::outcome::report;
use super::over::Over;
use crate::commands::ml_dsa;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{day, until};
use crate::secrets::known;
use crate::tenant::show_requests;

/// The platform's port of MQTT over TLS.
const MQTT_PORT: u16 = 8883;

/// How often the device connects again where the network is at fault.
const AGAIN: u32 = 3;

pub(super) fn run(args: &EnrolArgs, id: &DeviceId, folder: &Folder, out: Output) -> Result {
    if let Some(missing) = [folder.key(), folder.cert()].iter().find(|path| !path.exists()) {
        return Err(Failure::usage(
            format!("{} does not exist: there is nothing to renew", missing.display()),
            "name the directory of the devices' directories with --out, or leave out --renew",
        ));
    }
    let certificates = crate::values::certificates(&folder.cert())?;
    let now = OffsetDateTime::now_utc();
    if let (Some(within), Some(own)) = (args.if_expires_within, certificates.first())
        && own.not_after - now > within
    {
        return report(id, "not due", &certificates, folder, out);
    }
    let mut next = folder.prepare()?;
    let device = Device { args, id, folder, out };
    // The files that a run before has made, and not tried, or not reached the platform with.
    if device.is_whole(&next) && !args.dry_run {
        match device.check(&next) {
            Ok(()) => return device.promote(next),
            Err(Failure::Library(e)) if !e.fault().may_pass() => {
                out.note(&format!("the files that an earlier run has made are not used: {e}"));
                folder.discard(next)?;
                next = folder.prepare()?;
            }
            Err(e) => return Err(e),
        }
    }
    let key = device.next_key(&next)?;
    ml_dsa::warn(ml_dsa::of_key(key.public_key()), out);
    let csr = csr::make(&subject(id)?, &key)?;
    if args.dry_run {
        return show_requests(&[est::reenroll_request(&csr)], out);
    }
    let client = args.client(Login::Token(device.token(&certificates, now)?), out)?;
    let made = client.wait(est::reenroll(&client, &csr))?;
    let own = made.first().map(Certificate::pem).unwrap_or_default();
    next.keep_certificate(&own, &own)?;
    device.check(&next).map_err(|e| refused(e, folder))?;
    device.promote(next)
}

/// The former files stay, and so do the new ones.
fn refused(failure: Failure, folder: &Folder) -> Failure {
    let error = match failure {
        Failure::Library(e) if !e.fault().may_pass() => e,
        other => return other,
    };
    Failure::no(
        format!(
            "the platform does not accept the new certificate, so {} was not changed: {error}",
            folder.dir().display()
        ),
        format!(
            "the new files are in {}; `c8y-pki device check --bundle` with that directory names the likely \
             causes",
            folder.next().display()
        ),
    )
}

/// The device that is renewed.
struct Device<'a> {
    args: &'a EnrolArgs,
    id: &'a DeviceId,
    folder: &'a Folder,
    out: Output,
}

impl Device<'_> {
    /// Whether key and certificate are there and belong together.
    fn is_whole(&self, next: &Next) -> bool {
        let key = read_key(&next.key()).ok();
        let certificates = files::read_small(&next.cert()).ok();
        let certificates = certificates.and_then(|b| Certificate::all_from_pem_or_der(&b).ok());
        let own = certificates.as_ref().and_then(|all| all.first());
        key.zip(own).is_some_and(|(key, own)| key.public_key().spki() == own.spki)
    }

    /// The next key: the former one, one that a run before has made, or a new one.
    fn next_key(&self, next: &Next) -> Result<PrivateKey> {
        let former = read_key(&self.folder.key())?;
        let path = next.key();
        if self.args.reuse_key {
            next.keep_key(&files::read_small(&self.folder.key())?)?;
            return Ok(former);
        }
        if path.exists()
            && let Ok(made) = read_key(&path)
            && made.public_key().spki() != former.public_key().spki()
        {
            return Ok(made);
        }
        let key = new_key(self.args, Some(&former))?;
        next.keep_key(key.to_pem().expose())?;
        Ok(key)
    }

    /// The device's token: given, or asked for with the certificate that it has.
    fn token(&self, certificates: &[Certificate], now: OffsetDateTime) -> Result<Password> {
        let given = known::device_token(self.args.token_file.as_ref(), self.id.as_str());
        if let Some(token) = given.given()? {
            return Ok(token);
        }
        if let Some(own) = certificates.first().filter(|own| own.not_after < now) {
            let end = format!("{} ({})", day(own.not_after), until(own.not_after));
            return Err(Failure::no(
                format!(
                    "the certificate of {} expired {end}, and only a valid certificate gets a token",
                    self.id.as_str()
                ),
                "delete the device's user at the tenant, move its directory away, and enrol it again: \
                 `device enrol --wait`",
            ));
        }
        Ok(self.ask(&self.credentials(&self.folder.dir())?)?.secret().clone())
    }

    /// Connects with the prepared files, as the device will.
    fn check(&self, next: &Next) -> Result<()> {
        self.ask(&self.credentials(next.dir())?).map(|_| ())
    }

    /// The files of a directory; whom the device trusts stands in its own.
    fn credentials(&self, dir: &Path) -> Result<Credentials> {
        let read = |dir| {
            let (truststore, store_password, key_password) = (None, None, None);
            let files =
                Files { place: Place::Bundle(dir), truststore, store_password, key_password };
            Credentials::read(&files)
        };
        let mut credentials = read(dir)?;
        let own = self.folder.dir();
        if dir != own {
            credentials.trusted = read(&own)?.trusted;
        }
        if let Some(given) = self.args.network.trusted()? {
            credentials.trusted = Some(given);
        }
        Ok(credentials)
    }

    /// Shows a certificate to the platform, which gives a token for it; again where that may help.
    fn ask(&self, credentials: &Credentials) -> Result<Token> {
        let mut backoff = Backoff::default();
        loop {
            match self.ask_once(credentials) {
                Err(Failure::Library(e)) if e.fault().may_pass() && backoff.failures() < AGAIN => {
                    let pause = backoff.pause();
                    self.out.retry(&e.to_string(), Some(backoff.failures()), pause);
                    std::thread::sleep(pause);
                }
                other => return other,
            }
        }
    }

    fn ask_once(&self, credentials: &Credentials) -> Result<Token> {
        let (host, timeout) =
            (bare_host(self.args.host()?).to_owned(), self.args.network.timeout());
        if self.args.over == Over::Https {
            let port = self.args.port.unwrap_or(platform::token::PORT);
            let target = Target { host, port };
            return Ok(token::over_https(&target, credentials, timeout)?);
        }
        let target = Target { host, port: self.args.port.unwrap_or(MQTT_PORT) };
        let client_id = ClientId::of_device(self.id.clone());
        let options = ConnectOptions { timeout, ..ConnectOptions::new(client_id) };
        let mut session = connection::open(&target, Identity::Certificate(credentials), &options)?;
        let token = token::over_mqtt(&mut session, timeout)?;
        // The token is there: nothing depends on the goodbye.
        let _ = session.disconnect();
        Ok(token)
    }

    /// Lets the prepared files take the place of the device's.
    fn promote(&self, next: Next) -> Result {
        let former = self.folder.promote(next)?;
        let certificates = crate::values::certificates(&self.folder.cert())?;
        report(self.id, "renewed", &certificates, self.folder, self.out)?;
        self.out.note(&format!("the former files are in {}", former.display()));
        Ok(Outcome::Done)
    }
}

fn read_key(path: &Path) -> Result<PrivateKey> {
    let bytes = files::read_small(path)?;
    PrivateKey::read(&bytes, None)
        .map_err(|e| Error::from(e).in_file(path.display().to_string()).into())
}
