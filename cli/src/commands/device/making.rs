//! The run that issues, for every verb that makes certificates: passwords, progress, report.

use std::path::{Path, PathBuf};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crypto::{KeyPolicy, MlDsa};
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::name::NameBuilder;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::files::{self, Access};
use c8y_pki_engine::list::{BadRow, DeviceKey, Devices, failed_csv};
use c8y_pki_engine::orders;
use c8y_pki_engine::pki::{Ca, Pki};
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::provision::{
    self, Context, Existing, Job, Keep, Out, ProvisionError, Share, Stream, Summary,
};
use c8y_pki_engine::registry::{OpenShare, OrderRecord, Step};
use serde::Serialize;
use time::OffsetDateTime;

use super::kinds::Kinds;
use super::options::{Form, OutputArgs};
use super::planned;
use crate::commands::{ml_dsa, shortened};
use crate::failure::{Failure, Outcome, Result};
use crate::old_ids;
use crate::outlet;
use crate::output::{Output, is_stdout};
use crate::progress::Line;
use crate::render::{count, date};
use crate::secrets::{known, unlock};
use crate::station;
use crate::stop;
use crate::values;

pub(super) const INTERRUPTED: &str = "interrupted; run the same command again to finish";

/// What is issued, once it is known that it may be.
pub(super) struct Run {
    pub(super) ca: Ca,
    pub(super) profile: Profile,
    pub(super) subject: NameBuilder,
    pub(super) existing: Existing,
    pub(super) keep: Keep,
    pub(super) keys: KeyPolicy,
    pub(super) kinds: Kinds,
    pub(super) devices: Devices,
    /// The order that they are in.
    pub(super) order: Option<OrderRecord>,
    /// Whether live certificates are renewed: what is wrong with others is no attempt to issue them.
    pub(super) is_renewal: bool,
    /// Whether other stations make that order too.
    pub(super) is_shared: bool,
}

impl OutputArgs {
    /// Refuses a list with faults, before anybody is asked for a password; unless the others are to be
    /// issued all the same.
    pub(super) fn refuse_faults(&self, devices: &Devices, out: Output) -> Result<()> {
        self.check_places()?;
        if devices.faults().count == 0 || self.keep_going {
            return Ok(());
        }
        let faults = devices.faults().into_owned();
        self.write_failed(&faults.first, self.failed.clone(), out)?;
        let total = devices.len() + faults.count;
        Err(ProvisionError::Faults { faults, total }.into())
    }

    /// Writes the list of devices that failed, if there is a place for it.
    fn write_failed(
        &self,
        faults: &[BadRow],
        path: Option<PathBuf>,
        out: Output,
    ) -> Result<Option<PathBuf>> {
        let Some(path) = path.filter(|_| !self.plan) else { return Ok(None) };
        outlet::write(&path, &failed_csv(faults), Access::Public, files::Existing::Replace, out)?;
        Ok(Some(path))
    }

    fn writes_to_stdout(&self) -> bool {
        self.into == Form::Tar && is_stdout(&self.out)
    }

    /// Whether the archive goes into a pipe or the like, and not into a file.
    fn is_streamed(&self) -> bool {
        self.into == Form::Tar && (self.writes_to_stdout() || files::is_stream(&self.out))
    }

    /// What the archive is streamed to.
    fn stream(&self) -> Result<Stream> {
        if !self.is_streamed() {
            return Ok(Stream::new(std::io::sink()));
        }
        if self.writes_to_stdout() {
            return Ok(Stream::new(std::io::stdout()));
        }
        match files::open_stream(&self.out, Access::Private)? {
            Some(file) => Ok(Stream::new(file)),
            // It was there a moment ago.
            None => Err(Failure::usage(
                format!("{} was changed since the command began", self.out.display()),
                "run the same command again",
            )),
        }
    }

    /// Refuses places that cannot take what is to go there.
    fn check_places(&self) -> Result<()> {
        if self.into == Form::Folders {
            outlet::check_folder(&self.out)?;
        }
        if let Some(path) = &self.secrets {
            outlet::check_file(
                path,
                "--secrets",
                "it grows with the run, and a later run adds to it",
            )?;
        }
        if self.writes_to_stdout() && self.failed.as_deref().is_some_and(is_stdout) {
            return Err(Failure::usage(
                "--out and --failed both name standard output",
                "name a file for --failed",
            ));
        }
        Ok(())
    }

    /// Where failed devices are listed after a run.
    fn failed_path(&self) -> Option<PathBuf> {
        let in_folder = || (self.into == Form::Folders).then(|| self.out.join("failed.csv"));
        self.failed.clone().or_else(in_folder)
    }

    /// Refuses what does not go together.
    fn check(&self, kinds: &[Bundle]) -> Result<()> {
        if self.writes_to_stdout() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            return Err(Failure::usage(
                "an archive is not written to a terminal",
                "use a pipe, for example --out - | ssh host tar x, or give --out FILE",
            ));
        }
        if self.secrets.is_some() && !kinds.iter().any(|kind| kind.is_store()) {
            return Err(Failure::usage(
                "--secrets is for passwords of stores, but the bundle has no store",
                "add p12 or jks to --bundle",
            ));
        }
        Ok(())
    }
}

/// The passwords of the devices' files.
struct Passwords {
    store: Option<Password>,
    key: Option<Password>,
    pool: Option<Password>,
}

impl Passwords {
    fn ask(args: &OutputArgs, kinds: &[Bundle], has_keys: bool) -> Result<Self> {
        let wants_store = has_keys && kinds.iter().any(|b| b.is_store());
        let shared_store = wants_store && args.secrets.is_none();
        Ok(Self {
            store: shared_store
                .then(|| known::store(args.store_password_file.as_ref()).new_one())
                .transpose()?,
            key: (args.encrypt_keys && has_keys)
                .then(|| args.key_source().new_one())
                .transpose()?,
            pool: args
                .key_pool
                .then(|| known::pool(args.pool_password_file.as_ref()).existing())
                .transpose()?,
        })
    }
}

/// Asks for the passwords, issues, and reports. `each_chunk` gets the devices of each chunk when they are issued.
pub(super) fn issue(
    mut pki: Pki,
    run: Run,
    args: &OutputArgs,
    each_chunk: &(dyn Fn(&[DeviceId]) + Sync),
    now: OffsetDateTime,
    out: Output,
) -> Result {
    if args.plan {
        return planned::show(&pki, &run, args, now, out);
    }
    args.check(run.kinds.all())?;
    let mut trusted = Vec::new();
    for path in &args.server_cert {
        trusted.extend(values::certificates(path)?);
    }
    let key = unlock(&run.ca, args.ca_password_file.as_ref())?;
    let has_keys = run.devices.has_keys();
    let (all, kinds) = run.kinds.of_run(has_keys);
    let plain_keys = run.devices.has_new_keys() && all.contains(&Bundle::Pem) && !args.encrypt_keys;
    let passwords = Passwords::ask(args, all, has_keys)?;
    if args.into == Form::Folders {
        files::create_private_dir(&args.out)?;
    }
    let stream = args.stream()?;
    let job = Job {
        ca: &run.ca,
        key: &key,
        profile: &run.profile,
        subject: &run.subject,
        days: args.days,
        beyond_issuer: BeyondIssuer::of(args.days, args.shorten),
        out: args.destination(&stream),
        bundle: BundleSettings {
            kinds,
            store_password: passwords.store.as_ref(),
            key_password: passwords.key.as_ref(),
            key_iterations: args.pkcs12.iterations,
            pkcs12: args.pkcs12.options(),
            trusted: &trusted,
        },
        existing: run.existing,
        keep: run.keep,
        order: run.order.as_ref(),
        secrets: args.secrets.as_deref().filter(|_| has_keys),
        key_pool: passwords.pool.as_ref(),
        keep_going: args.keep_going,
        policy: &pki.policy(&run.ca.name),
        keys: run.keys,
        threads: values::threads(args.threads),
    };
    let usual = time::Duration::days(run.profile.validity_days.into());
    shortened::note(args.days, usual, run.ca.certificate(), now, out);
    let new = run.devices.has_new_keys().then_some(run.profile.key).and_then(ml_dsa::of_new);
    let kept = || kept_keys(&pki, &run.devices);
    let set = new.or_else(|| ml_dsa::of_subject(run.ca.certificate()));
    ml_dsa::warn(set.map_or_else(kept, |set| Ok(Some(set)))?, out);
    let shared = run.order.as_ref().filter(|_| run.is_shared);
    if shared.is_none() {
        tell_of_others(&pki, &run.devices, out)?;
    }
    let line = Line::new(out);
    let stop = stop::on_interrupt();
    let told = |progress| line.set(progress);
    // What a tool says stands on lines of its own.
    let issued = |ids: &[DeviceId]| line.aside(|| each_chunk(ids));
    let context = Context { now, stop: &stop, progress: &told, issued: &issued };
    let summary = match shared {
        None => provision::run(&mut pki, &job, run.devices, &context),
        Some(order) => {
            let waits = |others: &[OpenShare]| line.aside(|| tell_of_stations(others, out));
            let share = Share { order, station: station::own(), waits: &waits };
            provision::run_shared(&mut pki, &job, share, run.devices, &context)
        }
    };
    line.finish();
    if let Err(ProvisionError::Faults { faults, .. }) = &summary {
        if !run.is_renewal {
            note_failed(&pki, &faults.first, now)?;
        }
        args.write_failed(&faults.first, args.failed.clone(), out)?;
    }
    if let (Ok(summary), false) = (&summary, run.is_renewal) {
        note_failed(&pki, &summary.failures, now)?;
    }
    let done = Done { secrets: job.secrets, plain_keys };
    let outcome = report(args, &summary?, done, out)?;
    if let Some(order) = shared {
        // It may have been taken back meanwhile: then nothing is left to make.
        orders::check_open(&orders::named(pki.registry(), &order.name)?)?;
    }
    Ok(outcome)
}

/// The first ML-DSA key among those that devices keep: of a request, or in a file, which belongs to the certificate
/// that the device has.
fn kept_keys(pki: &Pki, devices: &Devices) -> Result<Option<MlDsa>> {
    let Devices::List(list) = devices else { return Ok(None) };
    for device in &list.devices {
        let set = match &device.key {
            DeviceKey::New => None,
            DeviceKey::Requested(key) => ml_dsa::of_key(key),
            DeviceKey::File { .. } => match pki.registry().live_device(&device.id)? {
                Some(live) => ml_dsa::of_subject(&live.certificate()?),
                None => None,
            },
        };
        if set.is_some() {
            return Ok(set);
        }
    }
    Ok(None)
}

/// Says that other runs are making some of these devices: this one waits for them.
fn tell_of_others(pki: &Pki, devices: &Devices, out: Output) -> Result<()> {
    for run in provision::at_work(pki, devices)? {
        let devices = count(run.devices, "device");
        out.note(&format!(
            "another run is making {devices} of this list; their files go to {}. This run waits until it ends, and \
             then makes what is missing",
            run.place
        ));
    }
    Ok(())
}

/// Says which stations have what is left of a shared list.
fn tell_of_stations(others: &[OpenShare], out: Output) {
    let of = |share: &OpenShare| format!("{} at {}", devices(share.devices), share.station);
    out.note(&format!(
        "nothing is left for this station. Other stations have: {}. This run waits until that is done, or makes what a \
         station leaves that has stopped",
        others.iter().map(of).collect::<Vec<_>>().join(", ")
    ));
}

fn devices(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "device")
}

/// Keeps with their orders which devices could not be issued.
fn note_failed(pki: &Pki, faults: &[BadRow], now: OffsetDateTime) -> Result<()> {
    let step = |fault: &BadRow| {
        let id = DeviceId::parse(&fault.id).ok()?;
        Some((id, Step::Failed(fault.message.clone())))
    };
    let steps: Vec<_> = faults.iter().filter_map(step).collect();
    if !steps.is_empty() {
        pki.registry().note_steps(&steps, now)?;
    }
    Ok(())
}

/// What the report has to know of the job.
#[derive(Clone, Copy)]
struct Done<'a> {
    secrets: Option<&'a Path>,
    plain_keys: bool,
}

impl OutputArgs {
    /// Where devices go; `stream` is where an archive is streamed to.
    pub(super) fn destination<'a>(&'a self, stream: &'a Stream) -> Out<'a> {
        match self.into {
            Form::Folders => Out::Folders(&self.out),
            Form::Tar if self.is_streamed() => Out::Stream(stream),
            Form::Tar => Out::Archive(&self.out),
        }
    }

    /// Finishes what a stopped run has left, where nothing else is to be done.
    pub(super) fn settle(&self, pki: &mut Pki, out: Output) -> Result<()> {
        let stream = Stream::new(std::io::sink());
        let recovered = provision::settle(pki, self.destination(&stream), self.secrets.as_deref())?;
        if recovered > 0 {
            out.note(&format!(
                "{} recovered from a run that was stopped",
                count(recovered, "device")
            ));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    devices_per_second: f64,
    out: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_list: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<String>,
}

fn report(args: &OutputArgs, summary: &Summary, done: Done<'_>, out: Output) -> Result {
    let failed_list = match summary.failed {
        0 => {
            // A list of an earlier run is not true any more.
            // Who reads a stream waits for its end.
            let is_former = |path: &PathBuf| {
                is_stdout(path) || files::is_stream(path) || (args.keep_going && path.exists())
            };
            let former = args.failed_path().filter(is_former);
            args.write_failed(&[], former, out)?;
            None
        }
        _ => args.write_failed(&summary.failures, args.failed_path(), out)?,
    };
    let out = out.beside(args.writes_to_stdout().then_some(args.out.as_path()));
    let out = out.beside(args.failed.as_deref());
    out.faults(&summary.failures);
    let issued = Issued {
        summary,
        devices_per_second: (summary.issued as f64 / summary.seconds * 10.0).round() / 10.0,
        out: args.out.display().to_string(),
        failed_list: failed_list.map(|path| path.display().to_string()),
        secrets: done.secrets.map(|path| path.display().to_string()),
    };
    out.result(&issued, text)?;
    remarks(args, summary, done, out);
    if summary.stopped {
        out.warning(INTERRUPTED);
        return Ok(Outcome::Stopped);
    }
    // Nothing was to be done but for devices that are revoked.
    let is_refused = summary.revoked > 0 && summary.issued + summary.skipped == 0;
    Ok(Outcome::of(summary.failed == 0 && !is_refused))
}

fn text(issued: &Issued<'_>) -> String {
    let s = issued.summary;
    let rate = match s.seconds >= 1.0 {
        true => format!(" ({:.0}/s)", issued.devices_per_second),
        false => String::new(),
    };
    let place = if issued.out == "-" { "" } else { &format!(": {}", issued.out) };
    let devices = count(s.issued, "device");
    let mut text = format!("{devices} issued in {:.1} s{rate}{place}\n", s.seconds);
    if s.replaced > 0 {
        let replace = if s.replaced == 1 { "replaces" } else { "replace" };
        text.push_str(&format!("{} of them {replace} a former certificate\n", s.replaced));
    }
    if s.skipped > 0 {
        let have = if s.skipped == 1 { "it has" } else { "they have" };
        text.push_str(&format!("{} skipped: {have} a certificate already\n", s.skipped));
        for (place, devices) in &s.elsewhere {
            text.push_str(&format!("  the files of {devices} of them were written to {place}\n"));
        }
    }
    if s.made_by_others > 0 {
        let were = if s.made_by_others == 1 { "was" } else { "were" };
        let devices = count(s.made_by_others, "device");
        text.push_str(&format!("{devices} {were} made by other stations\n"));
    }
    if s.recovered > 0 {
        text.push_str(&format!("{} recovered from a run that was stopped\n", s.recovered));
    }
    if s.failed > 0 {
        let list = issued.failed_list.as_ref().map_or(String::new(), |path| format!(": {path}"));
        text.push_str(&format!("{} failed{list}\n", s.failed));
    }
    text
}

fn remarks(args: &OutputArgs, summary: &Summary, done: Done<'_>, out: Output) {
    if let Some(since) = summary.since {
        out.note(&format!("resumed the run of {}, which was not finished", date(since)));
    }
    old_ids::warn(&summary.old_ids, out);
    if summary.revoked > 0 {
        out.warning(&format!(
            "{} left out: revoked. Issue one again by its id with --existing replace",
            count(summary.revoked, "device")
        ));
    }
    if summary.issued > 0 && done.plain_keys {
        out.note(
            "key.pem is not encrypted, as most firmware needs it; --encrypt-keys changes that",
        );
    }
    if let Some(batch) = &summary.batch {
        out.note(&format!("batch {batch}"));
    }
    if let Some(secrets) = done.secrets.filter(|_| summary.issued > 0) {
        out.note(&format!(
            "the store passwords are in {}{}: hand this file over separately from the stores, then delete it",
            secrets.display(),
            if summary.stopped { ", once the same command has finished the run" } else { "" },
        ));
    }
    if summary.replaced > 0 && args.into == Form::Folders {
        out.note(&format!("the former files are in {}", args.out.join(".replaced").display()));
    }
    // Where the files of all of them went was said.
    if summary.incomplete > summary.elsewhere.values().sum() {
        let more = if summary.incomplete > summary.incomplete_ids.len() { ", …" } else { "" };
        out.warning(&format!(
            "{} skipped, but not all the files of this bundle are in {}: moved, lost, or issued \
             with another bundle ({}{more}); `c8y-pki registry check` looks for their keys",
            count(summary.incomplete, "device"),
            args.out.display(),
            summary.incomplete_ids.join(", ")
        ));
    }
}
