//! `device sign`: requests in, certificates out.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_core::crypto::MlDsa;
use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_core::read;
use c8y_pki_core::store::Pkcs12Options;
use c8y_pki_engine::files;
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::provision::request::{self, Action, RequestFile, Verdict};
use c8y_pki_engine::provision::{Context, Job, Keep, Out};
use clap::Args;
use time::OffsetDateTime;

use super::issued::INTERRUPTED;
use super::options::{ExistingArgs, KeyPolicyArgs};
use crate::clock;
use crate::commands::{ml_dsa, shortened};
use crate::failure::{Failure, Outcome, Result};
use crate::input;
use crate::old_ids;
use crate::outlet;
use crate::output::Output;
use crate::progress::Line;
use crate::render::{as_line, count, table};
use crate::secrets::unlock;
use crate::stop;
use crate::values::{self, SubjectArgs};

/// Arguments of `device sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
Two parts of a request are used: its public key (the signature proves that the sender has the
private key) and its common name, which is the device's id. The extensions that it asks for are
ignored. A request that is refused does not stop the others. Each device gets a directory with
cert.pem and chain.pem.

These keys are refused: weak keys (RSA below 2048 bits, small or even exponents, small or close
primes, keys of faulty chips; EC points that are not on their curve), and keys that another live
device, a CA or a revoked certificate has.

Examples:
  c8y-pki device sign gw-0001.csr --ca line-7 --out out
  c8y-pki device sign requests/ --ca line-7 --out out --ca-password-file ca.pw --json
  openssl req -new -key key.pem -subj /CN=gw-0001 | c8y-pki device sign - --ca line-7 --out out

Exit codes: 0 all are signed, or were before; 1 some are refused: each with its reason;
3 the environment failed or the run was interrupted: run it again.")]
pub(crate) struct SignArgs {
    /// Requests (PEM or DER), directories of them, or - for standard input
    #[arg(required = true, value_name = "CSR|DIR|-")]
    requests: Vec<PathBuf>,
    /// The issuing CA
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// The directory that gets one directory per device
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The device's identifier, in place of the common name of the only request
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "device", value_name = "NAME|FILE")]
    profile: String,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    days: Option<u32>,
    /// If --days would end after the CA, shorten them instead of refusing; without --days the validity is always
    /// shortened
    #[arg(long, alias = "clamp")]
    shorten: bool,
    #[command(flatten)]
    existing: ExistingArgs,
    #[command(flatten)]
    keys: KeyPolicyArgs,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

pub(super) fn run(args: &SignArgs, dir: &Path, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    let profile = values::profile(&args.profile, None)?;
    let subject = args.subject.builder(&profile)?;
    if subject.has("CN") {
        return Err(Failure::usage(
            "the subject has a common name, but a device's common name is its id",
            "leave CN out of --subject, and give --id",
        ));
    }
    let id = args.id.as_deref().map(DeviceId::parse).transpose()?;
    let requests = files_of(&args.requests)?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let ca = pki.ca(&args.ca)?;
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    files::create_private_dir(&args.out)?;
    let existing = args.existing.existing()?;
    // One request is meant; many may come from a directory.
    let is_named = requests.len() == 1;
    let job = Job {
        ca: &ca,
        key: &key,
        profile: &profile,
        subject: &subject,
        days: args.days,
        beyond_issuer: BeyondIssuer::of(args.days, args.shorten),
        out: Out::Folders(&args.out),
        bundle: BundleSettings {
            kinds: &[Bundle::Pem],
            store_password: None,
            key_password: None,
            key_iterations: 0,
            pkcs12: Pkcs12Options::default(),
            trusted: &[],
        },
        existing,
        revoked: args.existing.revoked(is_named),
        keep: Keep::default(),
        order: None,
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &pki.policy(&ca.name),
        keys: args.keys.policy(),
        threads: values::threads(args.threads),
    };
    shortened::note(args.days, &Validity::of(&profile, now, None), ca.certificate(), out);
    ml_dsa::warn(of_requests(&requests).or_else(|| ml_dsa::of_subject(ca.certificate())), out);
    let line = Line::new(out);
    let stop = stop::on_interrupt();
    let told = |progress| line.set(progress);
    let context = Context { stop: &stop, progress: &told, ..Context::at(now) };
    let signed = request::sign(&mut pki, &job, &requests, id.as_ref(), &context);
    line.finish();
    let (verdicts, summary) = signed?;
    out.results(&verdicts, text)?;
    old_ids::warn(&summary.old_ids, out);
    if summary.stopped {
        out.warning(INTERRUPTED);
        return Ok(Outcome::Stopped);
    }
    let good = |v: &Verdict| matches!(v.action, Action::Signed | Action::Kept);
    Ok(Outcome::of(verdicts.iter().all(good)))
}

/// The first ML-DSA key that is asked to have certified.
fn of_requests(requests: &[RequestFile]) -> Option<MlDsa> {
    let all = requests.iter().filter_map(|file| read::requests(&file.bytes).ok()).flatten();
    all.flatten().find_map(|request| request.public_key.as_ref().ok().and_then(ml_dsa::of_key))
}

fn text(verdicts: &[Verdict]) -> String {
    let rows = verdicts.iter().map(|v| {
        let word = match v.action {
            Action::Signed => "signed",
            Action::Kept => "kept",
            Action::Refused => "refused",
            Action::Left => "left",
        };
        let end = match (&v.folder, &v.message) {
            (Some(folder), _) => folder.display().to_string(),
            (None, message) => message.clone().unwrap_or_default(),
        };
        vec![
            word.to_owned(),
            v.file.clone(),
            v.id.as_ref().map(DeviceId::to_string).unwrap_or_default(),
            end,
        ]
    });
    let mut text = table(&[], rows.collect());
    let number = |action| verdicts.iter().filter(|v| v.action == action).count();
    text.push_str(&format!("\n{} signed", count(number(Action::Signed), "request")));
    for (action, words) in [
        (Action::Kept, "signed before"),
        (Action::Refused, "refused"),
        (Action::Left, "left: run the same command again"),
    ] {
        if number(action) > 0 {
            text.push_str(&format!(", {} {words}", number(action)));
        }
    }
    text.push('\n');
    let hints = verdicts.iter().filter_map(|v| v.hint.as_ref());
    let mut hints: Vec<String> = hints.map(ToString::to_string).collect();
    hints.sort();
    hints.dedup();
    hints.iter().for_each(|hint| text.push_str(&as_line(&format!("hint: {hint}"))));
    text
}

/// The contents of files, of the files in directories, of standard input.
fn files_of(paths: &[PathBuf]) -> Result<Vec<RequestFile>> {
    let mut found = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            let bytes = input::read(path)?;
            found.push(RequestFile { name: "standard input".to_owned(), bytes });
        } else if path.is_dir() {
            let entries = files::list_dir(path)?;
            let inside: Vec<&PathBuf> = entries.iter().filter(|p| p.is_file()).collect();
            if inside.is_empty() {
                return Err(Failure::usage(
                    format!("there is no file in the directory {}", path.display()),
                    "name the directory with the requests",
                ));
            }
            for file in inside {
                found.push(open(file)?);
            }
        } else {
            found.push(open(path)?);
        }
    }
    Ok(found)
}

fn open(path: &Path) -> Result<RequestFile> {
    Ok(RequestFile { name: path.display().to_string(), bytes: files::read_small(path)? })
}
