//! `key`: private keys in files.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::key::pkcs11::{self, TokenContents};
use c8y_pki_core::key::signer::Signer;
use c8y_pki_core::key::{CA_ITERATIONS, PrivateKey};
use c8y_pki_core::read;
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::inspect::{Item, KeyView, Passwords, inspect};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::ml_dsa;
use super::pool::{self, PoolCommand};
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::{as_line, items, printable};
use crate::secrets::{self, Opened, WeakArgs, known};

/// Commands about private keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a private key (PKCS#8, encrypted unless --plain)
    #[command(after_help = "\
Examples:
  c8y-pki key new --type ec-p256 --out device.key --plain
  c8y-pki key new --type rsa-4096 --out ca.key --password-file pw")]
    New(NewArgs),
    /// Show the public half of a private key, whatever its format
    #[command(after_help = "\
Examples:
  c8y-pki key show device.key
  c8y-pki key show ca.key --password-file pw --json
  c8y-pki key show \"pkcs11:token=Factory;object=root\"")]
    Show(ShowArgs),
    /// Change or remove the password of a private key, or take it out of a store; any format in, PKCS#8 out
    #[command(
        visible_alias = "export",
        after_help = "\
Examples:
  c8y-pki key passwd old.key --out new.key --password-file old.pw --new-password-file new.pw
  c8y-pki key passwd device.key --out plain.key --plain
  c8y-pki key export keystore.p12 --password-file store.pw --out device.key --plain"
    )]
    Passwd(PasswdArgs),
    /// List tokens and the keys in them, without a PIN
    #[command(after_help = "\
A key is listed by its public half, which a token shows to everybody. The URIs are those that --key
and --token take.

Examples:
  c8y-pki key list --module /usr/lib/softhsm/libsofthsm2.so
  c8y-pki key list --json")]
    List(ListArgs),
    /// Make keys ahead of time
    #[command(subcommand)]
    Pool(PoolCommand),
}

/// Arguments of `key new`.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, ec-p521, ed25519,
    /// ml-dsa-44, ml-dsa-65 or ml-dsa-87
    #[arg(long = "type", value_name = "TYPE")]
    key_type: KeyType,
    /// The file; it must not exist; - for standard output, if that is no terminal
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Do not encrypt it
    #[arg(long, conflicts_with = "password_file")]
    plain: bool,
    /// File with its password [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    weak: WeakArgs,
}

/// Arguments of `key show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The key, in a file or a token (pkcs11:…)
    #[arg(value_name = "FILE|URI")]
    file: PathBuf,
    /// File with its password, or the PIN of its token
    /// [env: C8Y_PKI_KEY_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Arguments of `key list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The PKCS#11 module, a library of the token's maker [env: C8Y_PKI_PKCS11_MODULE]
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
}

/// Arguments of `key passwd`.
#[derive(Debug, Args)]
pub(crate) struct PasswdArgs {
    /// The key
    file: PathBuf,
    /// Where the new one goes, - for standard output, if that is no terminal; by default it replaces
    /// the old one
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not encrypt the new one
    #[arg(long, conflicts_with = "new_password_file")]
    plain: bool,
    /// File with the password that it has [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File with the password that it gets [env: C8Y_PKI_NEW_PASSWORD]
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    #[command(flatten)]
    weak: WeakArgs,
}

pub(crate) fn run(command: &KeyCommand, pki: &Path, out: Output) -> Result {
    match command {
        KeyCommand::New(args) => new(args, out),
        KeyCommand::Show(args) => show(args, out),
        KeyCommand::List(args) => list(args, out),
        KeyCommand::Passwd(args) => passwd(args, out),
        KeyCommand::Pool(command) => pool::run(command, pki, out),
    }
}

#[derive(Serialize)]
struct Written {
    file: String,
    algorithm: String,
    encrypted: bool,
}

fn written(path: &Path, key: &PrivateKey, encrypted: bool, out: Output) -> Result {
    let out = out.beside(Some(path));
    let (file, algorithm) = (path.display().to_string(), key.algorithm().to_string());
    out.result(&Written { file, algorithm, encrypted }, |w| {
        let how = if w.encrypted { "encrypted" } else { "not encrypted" };
        as_line(&format!("{} private key, {how}: {}", w.algorithm, outlet::name(path)))
    })?;
    Ok(Outcome::Done)
}

fn new(args: &NewArgs, out: Output) -> Result {
    // It may become a CA's.
    args.key_type.check_available_for_ca()?;
    outlet::check_secret(&args.out)?;
    ml_dsa::warn(ml_dsa::of_new(args.key_type), out);
    let source = known::own_key(args.password_file.as_ref(), "the new key");
    let password = if args.plain { None } else { Some(source.chosen(args.weak, out)?) };
    let key = PrivateKey::generate_for_ca(args.key_type)?;
    let pem = match &password {
        Some(chosen) => key.to_encrypted_pem(chosen.password(), CA_ITERATIONS)?,
        None => key.to_pem(),
    };
    outlet::write(&args.out, pem.expose(), Access::Private, Existing::Refuse, out)?;
    written(&args.out, &key, password.is_some(), out)
}

fn show(args: &ShowArgs, out: Output) -> Result {
    let key = match secrets::opened(&args.file, args.password_file.as_ref())? {
        Opened::File(key) => key,
        Opened::Token(key) => {
            out.results(&[Item::PrivateKey(KeyView::of(key.public_key()))], items)?;
            return Ok(Outcome::Done);
        }
    };
    let found = inspect(key.pkcs8().expose(), Passwords::default())?;
    out.results(&found, items)?;
    Ok(Outcome::Done)
}

fn list(args: &ListArgs, out: Output) -> Result {
    let module = args.module.clone().or_else(secrets::module).ok_or_else(|| {
        Failure::usage(
            "no PKCS#11 module is named",
            "give --module FILE, or set C8Y_PKI_PKCS11_MODULE",
        )
    })?;
    let tokens = pkcs11::list(&module)?;
    if tokens.is_empty() {
        out.note("The module has no token, or none that is initialised.");
    }
    out.results(&tokens, |tokens| tokens.iter().map(shown).collect())?;
    Ok(Outcome::Done)
}

fn shown(token: &TokenContents) -> String {
    let mut text =
        format!("{}\n  {}\n", printable(&token.token.to_string()), printable(&token.model));
    for key in &token.keys {
        let what = key.algorithm.as_deref().or(key.problem.as_deref()).unwrap_or_default();
        text.push_str(&format!("  {}\n    {}\n", printable(what), printable(&key.uri.to_string())));
    }
    if let Some(problem) = &token.problem {
        text.push_str(&format!("  {}\n", printable(problem)));
    } else if token.keys.is_empty() {
        text.push_str("  no key that can be seen without the PIN\n");
    }
    text
}

/// What is beside a key in its file would be lost with the file.
fn check_holds_a_key_alone(path: &Path) -> Result<()> {
    let bytes = files::read_small(path)?;
    match read::is_store(&bytes) || read::certificates(&bytes, None).is_ok() {
        false => Ok(()),
        true => Err(Failure::usage(
            format!("{} holds more than a key, which would be lost", path.display()),
            "write the key to a file of its own: --out FILE",
        )),
    }
}

fn passwd(args: &PasswdArgs, out: Output) -> Result {
    match &args.out {
        Some(path) => outlet::check_secret(path)?,
        None => {
            files::check_replaceable(&args.file)?;
            check_holds_a_key_alone(&args.file)?;
        }
    }
    let key = secrets::read(&args.file, known::own_key(args.password_file.as_ref(), "the key"))?;
    let source = known::new_key(args.new_password_file.as_ref());
    let new = if args.plain { None } else { Some(source.chosen(args.weak, out)?) };
    let pem = match &new {
        Some(chosen) => key.to_encrypted_pem(chosen.password(), CA_ITERATIONS)?,
        None => key.to_pem(),
    };
    let (path, existing) = match &args.out {
        Some(path) => (path, Existing::Refuse),
        None => (&args.file, Existing::Replace),
    };
    outlet::write(path, pem.expose(), Access::Private, existing, out)?;
    written(path, &key, new.is_some(), out)
}
