//! Is this computer's clock right? Asked before anything is written that carries a time.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use c8y_pki_core::clock::{self, ClockError, Evidence};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::platform::blocking::Client;
use time::OffsetDateTime;

use crate::confirm::{ask, can_ask};
use crate::failure::Result;
use crate::output::{self, Output};

/// Whether the user has said that it is right (`--clock-is-right`): one answer for a whole process.
static RIGHT: OnceLock<bool> = OnceLock::new();

/// When this process began to work.
static START: OnceLock<Instant> = OnceLock::new();

/// Takes what the command line says, at the beginning.
pub(crate) fn believe(right: bool) {
    RIGHT.get_or_init(|| right);
    START.get_or_init(Instant::now);
}

/// How long this process works already.
pub(crate) fn since_start() -> Duration {
    START.get().map_or(Duration::ZERO, Instant::elapsed)
}

/// Opens the PKI directory for a command that writes to it, or signs with its keys.
pub(crate) fn open(dir: &Path, now: OffsetDateTime) -> Result<Pki> {
    let pki = open_unseen(dir, now)?;
    tell_news(&pki);
    Ok(pki)
}

/// What came into the PKI directory from a database that others share.
fn tell_news(pki: &Pki) {
    pki.news().iter().for_each(|news| output::say(&news.sentence()));
}

/// The same, and says nothing of what came from a database.
pub(crate) fn open_unseen(dir: &Path, now: OffsetDateTime) -> Result<Pki> {
    let mut pki = Pki::open_unrecorded(dir, now)?;
    hold(&mut pki, now, None)?;
    // Its rows carry the time: not before that is believed.
    pki.record_unfinished(now)?;
    Ok(pki)
}

/// The same, and makes the directory if there is none.
pub(crate) fn open_or_create(dir: &Path, now: OffsetDateTime) -> Result<Pki> {
    Pki::make_folder(dir)?;
    open(dir, now)
}

/// Opens the PKI directory for a command that only reads, also where nothing can be written. What cannot be read,
/// and a clock that is behind, are told.
pub(crate) fn open_to_read(dir: &Path, out: Output) -> Result<Pki> {
    let now = OffsetDateTime::now_utc();
    let pki = Pki::open_to_read(dir, now)?;
    if let Some(log) = pki.registry().unread_log() {
        out.warning(&format!(
            "the latest changes of the registry are in {}, which cannot be read: what is shown is older",
            log.display()
        ));
    }
    tell_news(&pki);
    // Nobody is asked, and a long silence is no fault.
    let evidence = Evidence { audited: pki.registry().last_entry()?, ..Evidence::default() };
    if let Err(e @ ClockError::Behind { .. }) = clock::check(now, &evidence) {
        out.warning(&e.to_string());
    }
    Ok(pki)
}

/// Holds the clock to what the PKI directory knows, and to the tenant's where that is known.
pub(crate) fn hold(
    pki: &mut Pki,
    now: OffsetDateTime,
    tenant: Option<OffsetDateTime>,
) -> Result<()> {
    let mut evidence = Evidence { tenant, ..pki.evidence()? };
    loop {
        let Err(error) = clock::check(now, &evidence) else { return Ok(()) };
        if !is_right(&error)? {
            return Err(error.into());
        }
        pki.registry_mut().believe_clock(&error)?;
        match error {
            // What was made here speaks for itself.
            ClockError::Tenant { .. } => evidence.tenant = None,
            _ => return Ok(()),
        }
    }
}

/// The same for a rollout, whose PKI directory need not be there yet.
pub(crate) fn hold_for_rollout(
    dir: &Path,
    now: OffsetDateTime,
    tenant: Option<OffsetDateTime>,
) -> Result<()> {
    match dir.join("pki.toml").exists() {
        true => hold(&mut Pki::open_unrecorded(dir, now)?, now, tenant),
        false => match clock::check(now, &Evidence { tenant, ..Evidence::default() }) {
            Err(error) if is_right(&error)? => Ok(()),
            verdict => Ok(verdict?),
        },
    }
}

/// Holds the clock to that of the tenant, as far as it has answered. If the user says that it is right, the
/// audit log of the PKI directory keeps it, where there is one that can be written.
pub(crate) fn hold_to(client: &Client, dir: &Path, out: Output) -> Result<()> {
    let now = OffsetDateTime::now_utc();
    let evidence = Evidence { tenant: client.time(), ..Evidence::default() };
    let Err(error) = clock::check(now, &evidence) else { return Ok(()) };
    if !is_right(&error)? {
        return Err(error.into());
    }
    let nowhere = "the confirmation of this computer's clock is not recorded in an audit log";
    if !dir.join("pki.toml").exists() {
        out.warning(&format!("{nowhere}: {} is no PKI directory", dir.display()));
        return Ok(());
    }
    let mut pki = Pki::open_to_read(dir, now)?;
    match pki.registry().is_read_only() {
        true => out.warning(&format!("{nowhere}: the registry cannot be written")),
        false => pki.registry_mut().believe_clock(&error)?,
    }
    Ok(())
}

/// Whether the user says that the clock is right: by the option, or asked at a terminal.
fn is_right(error: &ClockError) -> Result<bool> {
    if RIGHT.get().copied().unwrap_or(false) {
        return Ok(true);
    }
    if !error.is_question() || !can_ask() {
        return Ok(false);
    }
    let (now, last) = error.times();
    let (now, last) = (crate::render::date(now), crate::render::date(last));
    let text =
        format!("The registry's last entry is of {last}, this computer's clock says {now}.\n");
    ask(&text, "Is the clock right?")
}
