//! `ca`: roots, intermediates, their list, their renewal, their CRLs.

mod crl;
pub(crate) mod history;
mod import;
mod renew;
mod request;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use c8y_pki::authority::policy::SigningPolicy;
use c8y_pki::authority::{Ca, CaSettings, KeyPlace, Pki};
use c8y_pki::cert::LongestChain;
use c8y_pki::crypto::KeyType;
use c8y_pki::describe::CertificateView;
use c8y_pki::issue::Outliving;
use c8y_pki::profile::PathLength;
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::note_shortened;
use crate::commands::openssl_conf::ConfView;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{day, items, printable, table, until};
use crate::secrets::{Place, PlaceArgs, unlock_with};
use crate::values::{self, SubjectArgs};

/// Commands about CAs.
#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make a root CA, and the PKI folder if there is none
    #[command(after_help = "\
Examples:
  c8y-pki ca init --subject \"CN=Example Root CA,O=Example GmbH,C=DE\"
  c8y-pki ca init plant --profile classic-root --subject \"CN=Plant CA\" --ca-password-file pw
  c8y-pki ca init --subject \"CN=Example Root CA\" --longest-chain 12   for a dedicated installation
  c8y-pki ca init --subject \"CN=Example Root CA\" --token \"pkcs11:token=Factory;object=root\"")]
    Init(InitArgs),
    /// Make an intermediate CA, or take in one made elsewhere
    #[command(after_help = "\
Examples:
  c8y-pki ca add line-7 --parent root --subject \"CN=Line 7,O=Example GmbH,C=DE\"
  c8y-pki ca add old --import caCert.pem --key caKey.pem --key-password-file pw
  c8y-pki ca add line --import line.p12 --key-password-file p12.pw --ca-password-file pw
  c8y-pki ca add plant --import intermediateCert.pem caCert.pem --key intermediateKey.pem \\
      --openssl-db database.txt --certs deviceCertificates --crl crl/intermediateCrl.pem
  c8y-pki ca add plant --import plant-renewed.pem companyRoot.pem
  c8y-pki ca add hsm --import caCert.pem --key \"pkcs11:token=Factory;object=old-ca\"")]
    Add(Box<AddArgs>),
    /// List the CAs as a tree
    #[command(after_help = "Examples:\n  c8y-pki ca list\n  c8y-pki ca list --expiring 90d --json")]
    List {
        /// Only those whose validity ends within this time, e.g. 90d or 8w
        #[arg(long, value_name = "TIME", value_parser = values::duration)]
        expiring: Option<time::Duration>,
    },
    /// Renew a CA: new dates, or a new key under the same subject
    Renew(renew::RenewArgs),
    /// Write a request for a CA, to be signed by another one
    Request(request::RequestArgs),
    /// Show a CA: its certificate and where its files are
    #[command(after_help = "Examples:\n  c8y-pki ca show root\n  c8y-pki ca show line-7 --json")]
    Show {
        /// Name of the CA
        name: String,
    },
    /// Make the next revocation list of a CA
    #[command(after_help = "\
Examples:
  c8y-pki ca crl line-7
  c8y-pki ca crl line-7 --days 7 --der --out line-7.crl")]
    Crl(crl::CrlArgs),
}

/// What `init` and `add` have in common.
#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Type of its key, in place of the profile's: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384,
    /// ec-p521, ed25519
    #[arg(long = "key-type", value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// How many CA certificates may follow: a number, none (no limit) or computed
    #[arg(long, value_name = "N", value_parser = values::path_length)]
    path_length: Option<PathLength>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Arguments of `ca init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Name of the CA in the PKI folder
    #[arg(default_value = "root")]
    name: String,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "root", value_name = "NAME|FILE")]
    profile: String,
    #[command(flatten)]
    make: MakeArgs,
    /// Most certificates in a chain at the installation, the device's and the uploaded CA's counted: 10 in the
    /// cloud. A new PKI folder keeps it in pki.toml (longest_chain), where it can be changed; one that is there has
    /// to say the same
    #[arg(long, value_name = "N")]
    longest_chain: Option<LongestChain>,
}

/// Arguments of `ca add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Name of the CA in the PKI folder
    name: String,
    /// The CA that signs it
    #[arg(long, value_name = "NAME", required_unless_present = "import")]
    parent: Option<String>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "intermediate", value_name = "NAME|FILE")]
    profile: String,
    #[command(flatten)]
    make: MakeArgs,
    /// Shorten --days that would outlive the parent, instead of refusing them; without --days the validity is
    /// shortened anyway
    #[arg(long)]
    clamp: bool,
    /// File with the password of the parent's key, or the PIN of its token; by default that of the new
    /// CA, if both are in files or in one token [env: C8Y_PKI_PARENT_PASSWORD, C8Y_PKI_TOKEN_PIN, of
    /// another token C8Y_PKI_PARENT_PIN]
    #[arg(long, value_name = "FILE")]
    parent_password_file: Option<PathBuf>,
    /// Take in a CA made elsewhere: files with its certificate and those above it. A CA of this folder is
    /// taken in again without --key: to add certificates above it, or with a new certificate for its key
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["parent", "clamp", "days", "path_length", "key_type", "token", "existing_key"])]
    import: Vec<PathBuf>,
    /// Take in a CA whose RSA key has the public exponent 3, as those of old recipes have; refused otherwise,
    /// as is every exponent below 65537
    #[arg(long)]
    allow_exponent_3: bool,
    /// The private key of the CA to take in, in a file or a token (pkcs11:…), where it stays; by default the one
    /// in the file of --import, which may be PKCS#12, JKS or PEM
    #[arg(long, value_name = "FILE|URI", requires = "import")]
    key: Option<PathBuf>,
    /// File with the password of --key, or the PIN of its token
    /// [env: C8Y_PKI_KEY_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE", requires = "import")]
    key_password_file: Option<PathBuf>,
    #[command(flatten)]
    history: history::HistoryArgs,
    /// Take over a configuration of OpenSSL (caConfig.cnf): its sections of extensions become profiles in the
    /// PKI folder's `profiles`, its policy that of the CA; what has no counterpart is named
    #[arg(long, value_name = "FILE", requires = "import")]
    openssl_conf: Option<PathBuf>,
}

/// What is said of a CA.
#[derive(Debug, Serialize)]
struct CaView {
    name: String,
    parent: Option<String>,
    subject: String,
    key: String,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    revoked: Option<&'static str>,
    path_length: Option<u32>,
    chain_length: usize,
    devices: u64,
    folder: String,
    /// The URI of its key, if that is in a token.
    token: Option<String>,
    /// Also where its file names none.
    #[serde(skip)]
    in_token: bool,
}

impl CaView {
    fn of(ca: &Ca, devices: &BTreeMap<String, u64>) -> Self {
        let cert = ca.certificate();
        Self {
            name: ca.name.clone(),
            parent: ca.parent.clone(),
            subject: cert.subject.to_string(),
            key: match &cert.public_key {
                Ok(key) => key.algorithm().to_string(),
                Err(e) => e.to_string(),
            },
            not_after: cert.not_after,
            revoked: None,
            path_length: cert.basic_constraints.and_then(|bc| bc.path_length),
            chain_length: ca.chain.len(),
            devices: devices.get(&ca.name).copied().unwrap_or(0),
            folder: ca.dir().display().to_string(),
            in_token: ca.key_place().is_in_token(),
            token: match ca.key_place() {
                KeyPlace::Token { uri, .. } => Some(uri.to_string()),
                KeyPlace::File(_) | KeyPlace::Unnamed { .. } => None,
            },
        }
    }
}

pub(crate) fn run(command: &CaCommand, pki: &Path, out: Output) -> Result {
    match command {
        CaCommand::Init(args) => init(args, pki, out),
        CaCommand::Add(args) if args.import.is_empty() => add(args, pki, out),
        CaCommand::Add(args) => import::run(args, pki, out),
        CaCommand::List { expiring } => list(*expiring, pki, out),
        CaCommand::Renew(args) => renew::run(args, pki, out),
        CaCommand::Request(args) => request::run(args, pki, out),
        CaCommand::Show { name } => show(name, pki, out),
        CaCommand::Crl(args) => crl::run(args, pki, out),
    }
}

/// A CA that was made or taken in.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    ca: CaView,
    /// `made`, `renewed`, or what taking it in again has changed.
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a history::HistoryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openssl_conf: Option<&'a ConfView>,
}

fn made(ca: &Ca, out: Output) -> Result {
    made_with(ca, "made", (None, None), out)
}

/// The same with what was taken over.
fn made_with(
    ca: &Ca,
    change: &'static str,
    (history, openssl_conf): (Option<&history::HistoryView>, Option<&ConfView>),
    out: Output,
) -> Result {
    let made = Made { ca: CaView::of(ca, &BTreeMap::new()), change, history, openssl_conf };
    out.result(&made, |made| {
        let v = &made.ca;
        format!(
            "CA {}: {}\n  valid until {} ({}), {}\n  certificate {}\n{}{}",
            v.name,
            printable(&v.subject),
            day(v.not_after),
            until(v.not_after),
            v.key,
            Path::new(&v.folder).join("cert.pem").display(),
            made.history.map_or_else(String::new, |history| format!("  {}", history.line())),
            made.openssl_conf.map_or_else(String::new, ConfView::lines)
        )
    })?;
    out.note(&match ca.key_place() {
        KeyPlace::File(path) => format!("Its key is encrypted: {}", path.display()),
        KeyPlace::Token { uri, .. } => format!("Its key is in the token: {uri}"),
        KeyPlace::Unnamed { path, .. } => format!("Its key is in a token: {}", path.display()),
    });
    Ok(Outcome::Done)
}

fn init(args: &InitArgs, dir: &Path, out: Output) -> Result {
    let profile = values::profile(&args.profile, args.make.key_type)?;
    let subject = named(&args.make.subject, &profile)?;
    let now = OffsetDateTime::now_utc();
    if let Err(taken) = Pki::check_new_name(dir, &args.name) {
        // A run that was stopped may have made it and not recorded it.
        clock::open(dir, now)?;
        return Err(taken.into());
    }
    let ready = Place::of(&args.make.place, profile.key, out)?.ready()?;
    Pki::make_folder_for(dir, args.longest_chain)?;
    let mut pki = clock::open(dir, now)?;
    let settings = CaSettings {
        profile: &profile,
        subject: &subject,
        days: args.make.days,
        path_length: args.make.path_length,
        outliving: Outliving::Refuse,
        key: ready.new_key(),
    };
    made(&pki.init_root(&args.name, &settings, now)?, out)
}

/// A CA has to have a common name: people know it by that.
fn named(
    subject: &SubjectArgs,
    profile: &c8y_pki::profile::Profile,
) -> Result<c8y_pki::name::Name> {
    let builder = subject.builder(profile)?;
    if !builder.has("CN") {
        return Err(Failure::usage(
            "the new CA has no common name",
            "give one: --subject \"CN=Example Root CA,O=Example GmbH,C=DE\"",
        ));
    }
    Ok(builder.build()?)
}

fn add(args: &AddArgs, dir: &Path, out: Output) -> Result {
    if args.allow_exponent_3 {
        return Err(Failure::usage(
            "--allow-exponent-3 is for the key of a CA that is taken in, and a new one is to be made",
            "leave it out",
        ));
    }
    let profile = values::profile(&args.profile, args.make.key_type)?;
    let subject = named(&args.make.subject, &profile)?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let parent = pki.ca(args.parent.as_deref().unwrap_or_default())?;
    // What the chain above forbids is said before anybody is asked for a password.
    let wanted = args.make.path_length.unwrap_or(profile.path_length);
    c8y_pki::issue::path_length(wanted, &parent.chain, pki.longest_chain())?;
    let parent_file = args.parent_password_file.as_ref();
    Pki::check_new_name(dir, &args.name)?;
    let place = Place::of(&args.make.place, profile.key, out)?;
    let (above, ready) = place.ready_under(&parent, parent_file)?;
    let parent_key = unlock_with(&parent, &above)?;
    let settings = CaSettings {
        profile: &profile,
        subject: &subject,
        days: args.make.days,
        path_length: args.make.path_length,
        outliving: Outliving::of(args.make.days, args.clamp),
        key: ready.new_key(),
    };
    let ca = pki.add_intermediate(&args.name, &parent, &parent_key, &settings, now)?;
    note_shortened(args.make.days, usual(&profile), parent.certificate(), now, out);
    made(&ca, out)
}

/// The validity that a profile gives.
fn usual(profile: &c8y_pki::profile::Profile) -> time::Duration {
    time::Duration::days(profile.validity_days.into())
}

fn list(expiring: Option<time::Duration>, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let pki = clock::open_to_read(dir, out)?;
    let devices = pki.registry().device_counts()?;
    let mut views = Vec::new();
    for ca in pki.cas()? {
        views.push(CaView { revoked: revoked(&pki, &ca)?, ..CaView::of(&ca, &devices) });
    }
    if let Some(time) = expiring {
        views.retain(|view| view.not_after < now + time);
        // Cut out of its tree, each is a line of its own.
        if !out.is_json() {
            views.iter_mut().for_each(|view| view.parent = None);
        }
        if views.is_empty() {
            out.note("No CA's validity ends that soon.");
            return Ok(Outcome::Done);
        }
    }
    out.results(&views, |views| {
        let mut rows = Vec::new();
        tree(views, None, "", &mut rows);
        table(&["CA", "SUBJECT", "KEY", "VALID UNTIL", "PATH LENGTH", "DEVICES"], rows)
    })?;
    if views.is_empty() {
        out.note("There is no CA yet: `c8y-pki ca init` makes a root.");
    }
    Ok(Outcome::Done)
}

/// Why a CA's certificate was revoked, if it was.
fn revoked(pki: &Pki, ca: &Ca) -> Result<Option<&'static str>> {
    Ok(pki.registry().revocation(ca.certificate())?.map(|revoked| revoked.reason.name()))
}

fn tree(views: &[CaView], parent: Option<&str>, indent: &str, rows: &mut Vec<Vec<String>>) {
    let children: Vec<&CaView> = views.iter().filter(|v| v.parent.as_deref() == parent).collect();
    for (index, view) in children.iter().enumerate() {
        let last = index + 1 == children.len();
        let (branch, next) = match (parent.is_some(), last) {
            (false, _) => ("", String::new()),
            (true, true) => ("└─ ", format!("{indent}   ")),
            (true, false) => ("├─ ", format!("{indent}│  ")),
        };
        rows.push(vec![
            format!("{indent}{branch}{}", view.name),
            view.subject.clone(),
            match view.in_token {
                false => view.key.clone(),
                true => format!("{}, in a token", view.key),
            },
            match view.revoked {
                Some(reason) => format!("revoked: {reason}"),
                None => format!("{} ({})", day(view.not_after), until(view.not_after)),
            },
            view.path_length.map_or_else(|| "unlimited".to_owned(), |n| n.to_string()),
            view.devices.to_string(),
        ]);
        tree(views, Some(&view.name), &next, rows);
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    ca: CaView,
    policy: SigningPolicy,
    certificate: CertificateView,
}

fn show(name: &str, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let ca = pki.ca(name)?;
    let certificate = CertificateView::of(ca.certificate());
    let policy = pki.policy(&ca.name);
    let view = CaView::of(&ca, &pki.registry().device_counts()?);
    let view = CaView { revoked: revoked(&pki, &ca)?, ..view };
    let shown = Shown { ca: view, policy, certificate };
    out.result(&shown, |s| {
        let item = c8y_pki::describe::Item::Certificate(Box::new(s.certificate.clone()));
        let parent = s.ca.parent.as_deref().unwrap_or("none");
        format!(
            "CA {}{}\n  parent        {parent}\n  devices       {}\n  policy        {}\n  folder        \
             {}{}\n\n{}",
            s.ca.name,
            s.ca.revoked.map_or_else(String::new, |reason| format!(" (revoked: {reason})")),
            s.ca.devices,
            s.policy,
            s.ca.folder,
            s.ca.token.as_ref().map_or_else(String::new, |uri| format!("\n  key           {uri}")),
            items(&[item])
        )
    })?;
    Ok(Outcome::Done)
}
