//! `registry check`: is all as it was written?

use c8y_pki_core::shown;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use c8y_pki_engine::Error;
use c8y_pki_engine::pki::{AuthorityError, Pki, TokenKeyStanding, TokenKeyState};
use c8y_pki_engine::provision::inspect::{self, Keys};
use c8y_pki_engine::registry::{Checked, RegistryError, Scan};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::repair;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::progress::{Phases, Steady};
use crate::render::{count, printable};
use crate::secrets::{known, module};
use crate::values::threads;

/// Arguments of `registry check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The last hash of the audit log that an earlier check has shown: it must still be in the log
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// Also compare with these: revocation lists, manifest.csv (with its .sig in the same directory), archives and
    /// directories of devices
    #[arg(long, value_name = "PATH", num_args = 1..)]
    against: Vec<PathBuf>,
    /// File with the PIN of the token with the CAs' keys, to see whether they are there
    /// [env: C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

#[derive(Default, Serialize)]
struct Report {
    good: bool,
    #[serde(flatten)]
    checked: Checked,
    keys: Keys,
    token_keys: Vec<TokenKeyState>,
    /// Whether the registry could only be read.
    read_only: bool,
    /// The log with its latest changes, if that could not be read.
    unread_log: Option<String>,
}

pub(super) fn run(args: &CheckArgs, dir: &Path, out: Output) -> Result {
    let mut report = Report::default();
    let is_hash = |h: &String| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(head) = args.head.as_ref().filter(|head| !is_hash(head)) {
        return Err(Failure::usage(
            format!("{head:?} is not a hash of the audit log: it has 64 hex digits"),
            "give the whole line that an earlier check has shown",
        ));
    }
    let phases = Phases::new(out);
    match Pki::open_to_read(dir, OffsetDateTime::now_utc()) {
        Ok(pki) => {
            report.read_only = pki.registry().is_read_only();
            report.unread_log = pki.registry().unread_log().map(|log| log.display().to_string());
            let (threads, steady) = (threads(args.threads), Steady::new(&phases));
            let progress = |done, total| steady.set("certificates", done, total);
            report.checked = pki.registry().check_with(&Scan { threads, progress: &progress })?;
            look_further(&pki, args, &steady, &mut report)?;
        }
        // A registry too damaged to be opened is an answer, not a failure.
        Err(
            e @ (AuthorityError::RegistryLost { .. }
            | AuthorityError::Registry(
                RegistryError::Damaged { .. } | RegistryError::NotARegistry(_),
            )),
        ) => report.checked.note("database", e.to_string()),
        Err(e) => return Err(e.into()),
    }
    phases.finish();
    report.good = report.checked.findings.is_empty();
    out.result(&report, report_text)?;
    Ok(Outcome::of(report.good))
}

/// What the registry cannot tell of itself: the kept hash, and the devices' keys.
fn look_further(
    pki: &Pki,
    args: &CheckArgs,
    steady: &Steady<'_>,
    report: &mut Report,
) -> Result<()> {
    let damage = |report: &mut Report, e: Error| match e {
        Error::Registry(RegistryError::Damaged { reason, .. })
        | Error::Authority(AuthorityError::Registry(RegistryError::Damaged { reason, .. }))
        | Error::Provision(c8y_pki_engine::provision::ProvisionError::Registry(
            RegistryError::Damaged { reason, .. },
        )) => {
            report.checked.note("database", reason.to_string());
            Ok(())
        }
        e => Err(Failure::from(e)),
    };
    if let Some(head) = &args.head {
        match pki.registry().has_audit_hash(&head.to_lowercase()) {
            Ok(true) => {}
            Ok(false) => report.checked.note(
                "audit",
                format!("no row of the audit log has the hash {head}: its end was cut off"),
            ),
            Err(e) => damage(report, e.into())?,
        }
    }
    if let Err(e) = pki.check_cas(&mut report.checked) {
        damage(report, e.into())?;
    }
    let progress = |done, total| steady.set("files", done, total);
    let scan = Scan { threads: threads(args.threads), progress: &progress };
    if let Err(e) = repair::compare(pki, &args.against, &scan, &mut report.checked) {
        damage(report, *e)?;
    }
    let pin = known::ca_pin(args.ca_password_file.as_ref(), "the token").given()?;
    match pki.check_token_keys(module().as_deref(), pin.as_ref(), &mut report.checked) {
        Ok(keys) => report.token_keys = keys,
        Err(e) => damage(report, e.into())?,
    }
    let progress = |done, total| steady.set("keys", done, total);
    let scan = Scan { threads: threads(args.threads), progress: &progress };
    match inspect::check_keys_with(pki.registry(), &scan, &mut report.checked) {
        Ok(keys) => report.keys = keys,
        Err(e) => damage(report, e.into())?,
    }
    Ok(())
}

fn report_text(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.checked.findings {
        text.push_str(&format!("{}: {}\n", finding.kind, printable(&finding.message)));
    }
    let (checked, keys) = (&report.checked, &report.keys);
    if checked.more_findings > 0 {
        text.push_str(&format!("… and {}\n", shown::count(checked.more_findings, "more finding")));
    }
    for unfinished in &checked.unfinished {
        text.push_str(&format!("unfinished: {}\n", unfinished.message));
    }
    for path in &checked.leftovers {
        text.push_str(&format!("left over from a killed command: {path}\n"));
    }
    if let Some(log) = &report.unread_log {
        text.push_str(&format!(
            "not checked: {log}, which has the latest changes of the registry: it cannot be read\n"
        ));
    }
    for key in report.token_keys.iter().filter(|k| k.state == TokenKeyStanding::NotLookedAt) {
        let reason = key.reason.as_deref().unwrap_or_default();
        text.push_str(&format!("not checked: the key of the CA {}: {reason}\n", key.ca));
    }
    text.push_str(&format!(
        "{}, {}, {} {}",
        shown::count(checked.certificates, "certificate"),
        shown::count(checked.audit_rows, "audit row"),
        keys.good,
        if keys.good == 1 { "key that fits" } else { "keys that fit" }
    ));
    if keys.sealed > 0 {
        text.push_str(&format!(", {} encrypted and not opened", keys.sealed));
    }
    if keys.with_device > 0 {
        text.push_str(&format!(", {} kept by devices", keys.with_device));
    }
    if keys.waiting > 0 {
        text.push_str(&format!(", {} not yet in their place", keys.waiting));
    }
    let found = checked.findings.len();
    let verdict = match found + usize::try_from(checked.more_findings).unwrap_or(0) {
        0 => "all is as it was written".to_owned(),
        n => count(n, "finding"),
    };
    text.push_str(&format!(": {verdict}\n"));
    if !checked.head.is_empty() {
        text.push_str(&format!("the audit log ends with {}\n", checked.head));
    }
    text
}
