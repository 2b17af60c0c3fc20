//! `server renew`: a new certificate in place of a server's live one.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::key::{PrivateKey, read::is_encrypted};
use c8y_pki_core::secret::SecretBytes;
use c8y_pki_engine::files;
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::registry::{Record, ServerName};
use c8y_pki_engine::servers::{self, ServerFiles, ServerKey, ServerOrder};
use clap::Args;
use time::OffsetDateTime;

use super::options::{FileArgs, PlanArgs, SanArgs, TermArgs, trusted};
use super::view;
use crate::commands::device::check_without_key;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::secrets::{self, unlock};
use crate::values;

/// Arguments of `server renew`.
#[derive(Debug, Args)]
#[command(after_help = "\
The server keeps its name, its subject and, without --san, the names beside it. Its directory gets
the same kinds of files as before; the former ones are moved to DIR/.replaced. A server whose
request was signed keeps its key: for another key use `server sign --replace`. Let the server read
its files again afterwards: most do so only when they start, or on SIGHUP.

Examples:
  c8y-pki server renew broker
  c8y-pki server renew broker --reuse-key --ca-password-file ca.pw
  c8y-pki server renew broker --san DNS:broker.example.com,DNS:mqtt.example.com --revoke

Exit codes: 0 done; 2 it cannot be renewed as asked, nothing was made; 3 the environment failed: run
it again.")]
pub(crate) struct RenewArgs {
    /// Name of the server
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    san: SanArgs,
    /// The issuing CA; by default the one that issued the former certificate
    #[arg(long, value_name = "NAME")]
    ca: Option<String>,
    /// The directory with the server's directory; by default where it was
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What it gets: pem, p12, jks, truststore-p12, truststore-jks; by default what it has
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    bundle: Vec<Bundle>,
    /// Profile of kind server: a built-in one or a file; by default the one of the former certificate
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// Type of the new key; by default that of the former one
    #[arg(long = "key-type", value_name = "TYPE", conflicts_with = "reuse_key")]
    key_type: Option<KeyType>,
    /// Keep the key in key.pem; if it is encrypted, its password comes from --key-password-file
    #[arg(long)]
    reuse_key: bool,
    #[command(flatten)]
    term: TermArgs,
    #[command(flatten)]
    plan: PlanArgs,
    /// Revoke the former certificate, with the reason superseded
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    files: FileArgs,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

/// The private key of a server, and its file if that is encrypted.
type OwnKey = (PrivateKey, Option<SecretBytes>);

pub(super) fn run(args: &RenewArgs, dir: &Path, out: Output) -> Result {
    if let Some(out) = &args.out {
        outlet::check_folder(out)?;
    }
    let name: ServerName = args.name.parse()?;
    let now = OffsetDateTime::now_utc();
    let pki = args.plan.open(dir, now, out)?;
    let former = servers::live(&pki, &name)?;
    // As it is written there: case does not tell two apart.
    let name = former.holder.server().cloned().unwrap_or(name);
    if !former.has_key {
        check_without_key(&args.bundle, &former.whose())?;
    }
    let certificate = former.certificate()?;
    let place = place(args, &former)?;
    outlet::check_folder(&place)?;
    let folder = place.join(name.as_str());
    let profile = args.profile.as_deref().or_else(|| servers::profile_of(&former));
    let key_type = args.key_type.or_else(|| servers::key_type_of(&former));
    let profile = values::profile(profile.unwrap_or("server"), key_type)?;
    let subject = servers::subject_of(&certificate)?;
    let names: Vec<_> = match args.san.san.is_empty() {
        true => servers::alt_names_of(&certificate)?,
        false => args.san.names().collect(),
    };
    let alt_names = servers::names_for(&profile, &name, names)?;
    let ca = pki.ca(args.ca.as_deref().unwrap_or(&former.ca))?;
    let own = match args.reuse_key && former.has_key {
        true => own_key(args, &folder)?,
        false => None,
    };
    let public_key = certificate.public_key.clone()?;
    let key = match &own {
        Some((key, _)) if *key.public_key() == public_key => ServerKey::Own(key),
        Some(_) => {
            return Err(Failure::usage(
                format!("the key in {} is not that of the server {name}", folder.display()),
                "leave --reuse-key out",
            ));
        }
        None if former.has_key && !args.reuse_key => ServerKey::New,
        None => ServerKey::Requested(&public_key),
    };
    let order = ServerOrder {
        key_pem: own.as_ref().and_then(|(_, pem)| pem.as_ref()),
        replaces: Some((&former, args.revoke)),
        ..args.term.order((&name, &profile), &subject, &alt_names, key)
    };
    let kinds = kinds(args, &folder, former.has_key);
    let encrypt = args.files.encrypt_keys || (own.is_none() && has_encrypted_key(&folder)?);
    let files = ServerFiles { kinds: &kinds, encrypts_key: encrypt && former.has_key };
    if !args.plan.goes_on(&pki, (&ca, &order), (&place, &files), now, out)? {
        return Ok(Outcome::Done);
    }
    let trusted = trusted(&ca);
    let passwords = args.files.passwords(&kinds, encrypt && former.has_key)?;
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    let bundle = args.files.settings(&kinds, &passwords, &trusted);
    let made = servers::make(&pki, (&ca, &key), &order, (&place, bundle), now)?;
    args.term.note(&profile, &ca, now, out);
    view::made(&made, &ca, out)?;
    view::revoked(&order, out);
    Ok(Outcome::Done)
}

/// The directory with the server's directory: as asked, or where that was written.
fn place(args: &RenewArgs, former: &Record) -> Result<PathBuf> {
    let there = former.location.as_deref().and_then(Path::parent).map(Path::to_owned);
    args.out.clone().or(there).ok_or_else(|| {
        Failure::usage("it is not known where the files of the server are", "say where: --out DIR")
    })
}

/// The kinds of files: as asked, or those that are whole in the directory.
fn kinds(args: &RenewArgs, folder: &Path, has_key: bool) -> Vec<Bundle> {
    if !args.bundle.is_empty() {
        return args.bundle.clone();
    }
    let is_there = |kind: &Bundle| kind.file_names().iter().all(|name| folder.join(name).exists());
    let found: Vec<Bundle> = Bundle::ALL.iter().map(|(kind, _)| *kind).filter(is_there).collect();
    match has_key && found.iter().any(|kind| kind.has_key()) {
        true => found,
        false => vec![Bundle::Pem],
    }
}

fn has_encrypted_key(folder: &Path) -> Result<bool> {
    let path = folder.join("key.pem");
    Ok(path.exists() && is_encrypted(SecretBytes::new(files::read_small(&path)?).expose()))
}

/// The key in key.pem; if it is encrypted, its file too, which is written again as it is. For a plan nobody is asked for
/// its password: without it there is no key.
fn own_key(args: &RenewArgs, folder: &Path) -> Result<Option<OwnKey>> {
    let path = folder.join("key.pem");
    if !path.exists() {
        return Err(Failure::usage(
            format!("there is no {}", path.display()),
            "leave --reuse-key out: the server gets a new key",
        ));
    }
    let pem = SecretBytes::new(files::read_small(&path)?);
    let source = args.files.key_source();
    if args.plan.plan && is_encrypted(pem.expose()) && source.given()?.is_none() {
        return Ok(None);
    }
    let key = secrets::read(&path, source)?;
    let kept = is_encrypted(pem.expose()).then_some(pem);
    Ok(Some((key, kept)))
}
