//! A device's first certificate: at once with a one-time password that is known, or after waiting until an
//! administrator has registered the device with the one that is made here.

use std::time::{Duration, Instant};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::csr;
use c8y_pki_core::failure::{Failure as _, Kind};
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::Error;
use c8y_pki_engine::enrolment::folder::Folder;
use c8y_pki_engine::enrolment::waiting::{self, Waited};
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::platform::{Login, PlatformError, est, newcomers};
use c8y_pki_engine::registration::OneTimePassword;
use serde_json::json;
use time::OffsetDateTime;

use super::args::{EnrolArgs, new_key, subject};
use super::outcome::{keep, pem, report};
use crate::commands::ml_dsa;
use crate::commands::registration::single::one_time;
use crate::failure::{Failure, Outcome, Result};
use crate::output::{Output, say};
use crate::secrets::{Source, known};
use crate::tenant::show_requests;
use crate::{qr, stop};

pub(super) fn run(args: &EnrolArgs, id: &DeviceId, folder: &Folder, out: Output) -> Result {
    if folder.cert().exists() {
        return already(id, folder, out);
    }
    let key = key(args, folder)?;
    ml_dsa::warn(ml_dsa::of_key(key.public_key()), out);
    if let Some(certificates) = kept(folder, &key) {
        keep(folder, &certificates)?;
        return report(id, "enrolled", &certificates, folder, out);
    }
    let csr = csr::make(&subject(id)?, &key)?;
    if args.dry_run {
        return show_requests(&[est::enroll_request(&csr)], out);
    }
    let certificates = match args.wait {
        None => {
            let login = Login::user(None, id.as_str(), given(args, id).existing()?);
            let client = args.client(login, out)?;
            client.wait(est::enroll(&client, &csr))?
        }
        Some(wait) => match wait_for(args, id, folder, &csr, wait, out)? {
            Some(certificates) => certificates,
            None => return Ok(Outcome::Stopped),
        },
    };
    if let Err(failure) = keep(folder, &certificates) {
        // A one-time password cannot be used again.
        out.data(pem(&certificates).as_bytes())?;
        out.warning(&format!(
            "the certificate could not be written into {} and is printed instead: keep it as chain.pem \
             there, the one-time password is used up",
            folder.dir().display()
        ));
        return Err(failure.into());
    }
    report(id, "enrolled", &certificates, folder, out)
}

/// Waits until the device is let in; none if it was stopped.
fn wait_for(
    args: &EnrolArgs,
    id: &DeviceId,
    folder: &Folder,
    csr: &[u8],
    wait: Duration,
    out: Output,
) -> Result<Option<Vec<Certificate>>> {
    let stop = stop::on_interrupt();
    let end = Instant::now() + wait;
    let one_time = password(args, id, folder)?;
    let page = newcomers::page(args.host()?, id, &one_time)?;
    invite(id, &page, args.qr, out);
    let login = Login::user(None, id.as_str(), Password::new(one_time.expose()));
    let client = args.client(login, out)?.stop_when(stop.clone());
    let tell = |e: &PlatformError, pause| out.retry(&e.to_string(), None, pause);
    match waiting::enrol(&client, csr, end, &stop, tell)? {
        Waited::Enrolled(certificates) => Ok(Some(certificates)),
        Waited::Stopped => {
            out.warning("interrupted; run the same command again, with the same one-time password");
            Ok(None)
        }
        Waited::Late(e) => Err(Failure::said(
            late(&e),
            format!("{} was not registered in time; the last answer was: {e}", id.as_str()),
            "register it on the page above, and run the same command again: key and one-time password \
             stay the same",
        )),
    }
}

/// What it comes to that the time is over: a tenant that was not reached has not said no.
fn late(last: &PlatformError) -> Kind {
    match last.fault().kind() {
        Kind::Surroundings => Kind::Surroundings,
        Kind::No | Kind::WrongInput => Kind::No,
    }
}

/// Tells an administrator where the device is registered.
fn invite(id: &DeviceId, page: &str, how: qr::Qr, out: Output) {
    if out.is_json() {
        return out.aside("registration", &json!({ "id": id.as_str(), "address": page }));
    }
    say(&format!(
        "Register {} on this page of the tenant; it has its one-time password:\n  {page}",
        id.as_str()
    ));
    if let Some(code) = qr::draw(page, how) {
        say(code.trim_end_matches('\n'));
    }
}

/// The one-time password: given, kept by a run before, or made now and kept before it is shown.
fn password(args: &EnrolArgs, id: &DeviceId, folder: &Folder) -> Result<OneTimePassword> {
    if let Some(given) = given(args, id).given()? {
        return one_time(given.expose());
    }
    let path = folder.one_time();
    if path.exists() {
        let kept =
            Password::from_file(&files::read_small(&path)?).unwrap_or_else(|_| Password::new(""));
        return one_time(kept.expose());
    }
    let made = OneTimePassword::random()?;
    let line = format!("{}\n", made.expose());
    files::write(&path, line.as_bytes(), Access::Private, Existing::Refuse)?;
    Ok(made)
}

fn given<'a>(args: &'a EnrolArgs, id: &'a DeviceId) -> Source<'a> {
    known::one_time(args.otp_file.as_ref(), id.as_str())
}

/// What an earlier run has brought; the answer is no if it is of no use any more.
fn already(id: &DeviceId, folder: &Folder, out: Output) -> Result {
    let certificates = crate::values::certificates(&folder.cert())?;
    // A run that was killed right after it had written the certificate.
    folder.forget_one_time()?;
    let outcome = report(id, "already enrolled", &certificates, folder, out)?;
    if certificates.iter().take(1).all(|c| c.not_after >= OffsetDateTime::now_utc()) {
        return Ok(outcome);
    }
    out.warning("its certificate has expired; remove the directory, and enrol the device again");
    Ok(Outcome::NO)
}

/// What a run has kept that was cut off between its two files: a chain for this key.
fn kept(folder: &Folder, key: &PrivateKey) -> Option<Vec<Certificate>> {
    let bytes = files::read_small(&folder.chain()).ok()?;
    let certificates = Certificate::all_from_pem_or_der(&bytes).ok()?;
    let is_ours = certificates.first()?.spki == key.public_key().spki();
    is_ours.then_some(certificates)
}

/// The key that is there, or a new one, written before it is used.
fn key(args: &EnrolArgs, folder: &Folder) -> Result<PrivateKey> {
    let path = folder.key();
    if path.exists() {
        let bytes = files::read_small(&path)?;
        return PrivateKey::read(&bytes, None)
            .map_err(|e| Error::from(e).in_file(path.display().to_string()).into());
    }
    let key = new_key(args, None)?;
    files::create_private_dir(&folder.dir())?;
    files::write(&path, key.to_pem().expose(), Access::Private, Existing::Refuse)?;
    Ok(key)
}
