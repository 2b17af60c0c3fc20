//! The run that issues, for every verb that makes certificates: passwords and progress. `issued` tells what came of it.

use std::path::PathBuf;

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crypto::MlDsa;
use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_core::secret::Password;
use c8y_pki_engine::files::{self, Access};
use c8y_pki_engine::list::{BadRow, DeviceKey, Devices, failed_csv};
use c8y_pki_engine::orders;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::provision::{
    self, Context, Existing, Job, Keep, Out, ProvisionError, Share, Stream,
};
use c8y_pki_engine::registry::{OpenShare, Step};
use time::OffsetDateTime;

use super::issued::{Done, report};
use super::left_out;
use super::options::{Form, OutputArgs};
use super::planned;
use super::run::Run;
use crate::commands::{ml_dsa, shortened};
use crate::failure::{Failure, Result};
use crate::outlet;
use crate::output::{Output, is_stdout};
use crate::progress::Line;
use crate::render::count;
use crate::secrets::{known, unlock};
use crate::station;
use crate::stop;
use crate::values;

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
    pub(super) fn write_failed(
        &self,
        faults: &[BadRow],
        path: Option<PathBuf>,
        out: Output,
    ) -> Result<Option<PathBuf>> {
        let Some(path) = path.filter(|_| !self.plan) else { return Ok(None) };
        outlet::write(&path, &failed_csv(faults), Access::Public, files::Existing::Replace, out)?;
        Ok(Some(path))
    }

    pub(super) fn writes_to_stdout(&self) -> bool {
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
    pub(super) fn failed_path(&self) -> Option<PathBuf> {
        let in_folder = || (self.into == Form::Folders).then(|| self.out.join("failed.csv"));
        self.failed.clone().or_else(in_folder)
    }

    /// Refuses what does not go together.
    fn check(&self, kinds: &[Bundle]) -> Result<()> {
        if !self.plan
            && self.writes_to_stdout()
            && std::io::IsTerminal::is_terminal(&std::io::stdout())
        {
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
    mut run: Run,
    args: &OutputArgs,
    each_chunk: &(dyn Fn(&[DeviceId]) + Sync),
    now: OffsetDateTime,
    out: Output,
) -> Result {
    args.check(run.kinds.all())?;
    run.ca.check_has_key()?;
    let mut trusted = Vec::new();
    for path in &args.server_cert {
        trusted.extend(values::certificates(path)?);
    }
    if args.plan {
        return planned::show(&pki, &mut run, (args, &trusted), now, out);
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
        revoked: run.revoked,
        keep: run.keep,
        order: run.order.as_ref(),
        secrets: args.secrets.as_deref().filter(|_| has_keys),
        key_pool: passwords.pool.as_ref(),
        keep_going: args.keep_going,
        policy: &pki.policy(&run.ca.name),
        keys: run.keys,
        threads: values::threads(args.threads),
    };
    let usual = Validity::of(&run.profile, now, None);
    shortened::note(args.days, &usual, run.ca.certificate(), out);
    let new = run.devices.has_new_keys().then_some(run.profile.key).and_then(ml_dsa::of_new);
    let kept = || kept_keys(&pki, &run.devices, run.keep);
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
    let replaces = run.may_issue_revoked();
    let mut summary = match shared {
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
            note_failed(&pki, &never_issued(&pki, &faults.first)?, now)?;
        }
        args.write_failed(&faults.first, args.failed.clone(), out)?;
    }
    if let (Ok(summary), false) = (&summary, run.is_renewal) {
        note_failed(&pki, &summary.failures, now)?;
    }
    if let Ok(summary) = &mut summary {
        left_out::add(run.left_out, (&mut summary.revoked, &mut summary.revoked_ids));
    }
    let revokes = matches!(run.existing, Existing::Replace { revoke: true });
    let done = Done { secrets: job.secrets, plain_keys, replaces, revokes };
    let outcome = report(args, &summary?, done, out)?;
    if let Some(order) = shared {
        // It may have been taken back meanwhile: then nothing is left to make.
        orders::check_open(&orders::named(pki.registry(), &order.name)?)?;
    }
    Ok(outcome)
}

/// The first ML-DSA key among those that devices keep: of a request, or in a file, which belongs to the certificate
/// that the device has; or of a new one that has the former one's type.
fn kept_keys(pki: &Pki, devices: &Devices, keep: Keep) -> Result<Option<MlDsa>> {
    let Devices::List(list) = devices else { return Ok(None) };
    for device in &list.devices {
        let set = match &device.key {
            DeviceKey::New if !keep.key_type => None,
            DeviceKey::Requested(key) => ml_dsa::of_key(key),
            DeviceKey::New | DeviceKey::File { .. } => {
                match pki.registry().live_device(&device.id)? {
                    Some(live) => ml_dsa::of_subject(&live.certificate()?),
                    None => None,
                }
            }
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

/// Faults of devices that never had a certificate. A run that is refused as a whole tries nothing: the others stay what
/// they are.
fn never_issued(pki: &Pki, faults: &[BadRow]) -> Result<Vec<BadRow>> {
    let mut never = Vec::new();
    for fault in faults {
        if pki.registry().history(&fault.id)?.is_empty() {
            never.push(fault.clone());
        }
    }
    Ok(never)
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
