//! `store create`, `store add`: entries of keys and trusted certificates.

use std::path::PathBuf;

use c8y_pki_core::chain::{self, LeafChoice};
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{
    self, DEVICE_KEY_ALIAS, Format, Listing, SERVER_CERTIFICATE_ALIAS, Store, WriteOptions,
};
use c8y_pki_engine::Error;
use c8y_pki_engine::files::{self, Access, Existing};
use clap::{Args, ValueEnum};
use time::OffsetDateTime;

use super::from;
use crate::commands::device::Pkcs12Args;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::as_line;
use crate::secrets::{self, known};
use crate::{outlet, values};

/// The format of a store.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    /// PKCS#12 (.p12, .pfx)
    P12,
    /// Java KeyStore (.jks)
    Jks,
    /// PEM (.pem)
    Pem,
}

/// Arguments of `store create` and `store add`.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The store; a new one may be - for standard output, if that is no terminal
    file: PathBuf,
    /// The private key of a key entry
    #[arg(long, value_name = "FILE", requires = "cert", conflicts_with = "trusted")]
    key: Option<PathBuf>,
    /// The key's certificate and those above it, in any order; may be repeated
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Vec<PathBuf>,
    /// Certificates to trust; may be repeated
    #[arg(long, value_name = "FILE", required_unless_present_any = ["key", "from"])]
    trusted: Vec<PathBuf>,
    /// Take all entries of another store, with their names: PKCS#12, JKS or PEM
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "trusted", "alias"])]
    from: Option<PathBuf>,
    /// File with the password of --from; an empty one for an empty password [env: C8Y_PKI_FROM_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "from")]
    from_password_file: Option<PathBuf>,
    /// Name of the entry; by default devicekeyentry for a key, servercertificate for a certificate
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// Format of a new store; by default from the file's ending
    #[arg(long, value_enum)]
    format: Option<FormatArg>,
    #[command(flatten)]
    pkcs12: Pkcs12Args,
    /// File with the store's password [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// PKCS#12 without a password, like Java's own list of CAs: keys in it are not protected, and a change of the
    /// file is not noticed
    #[arg(long, conflicts_with_all = ["store_password_file", "pbmac1", "entry_password_file"])]
    no_password: bool,
    /// File with the password of --key, or of the keys in --from where they have one of their own [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
    /// File with a password of its own for the key inside the store, JKS only
    /// [env: C8Y_PKI_ENTRY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    entry_password_file: Option<PathBuf>,
}

fn format_of(args: &PutArgs) -> Result<Format> {
    let ending = args.file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    match (args.format, ending.as_str()) {
        (Some(FormatArg::P12), _) | (None, "p12" | "pfx" | "pkcs12") => Ok(Format::Pkcs12),
        (Some(FormatArg::Jks), _) | (None, "jks") => Ok(Format::Jks),
        (Some(FormatArg::Pem), _) | (None, "pem" | "crt") => Ok(Format::Pem),
        _ => Err(Failure::usage(
            format!("the ending of {} is not that of a store format", args.file.display()),
            "give --format p12, jks or pem",
        )),
    }
}

impl PutArgs {
    /// Whether a store of that format has a password.
    fn wants_password(&self, format: Format) -> Result<bool> {
        match (format, self.no_password) {
            (Format::Jks, true) => Err(Failure::usage(
                "--no-password is for PKCS#12, and a JKS store always has a password",
                "write PKCS#12: --format p12",
            )),
            (Format::Pem, _) | (_, true) => Ok(false),
            (_, false) => Ok(true),
        }
    }
}

pub(super) fn run(args: &PutArgs, create: bool, out: Output) -> Result {
    let source = known::store(args.store_password_file.as_ref());
    let in_file = |e| Error::from(e).in_file(args.file.display().to_string());
    let (mut store, format, password) = if create {
        let format = format_of(args)?;
        outlet::check_secret(&args.file)?;
        if outlet::stands(&args.file)? {
            return Err(Failure::usage(
                format!("{} exists already", args.file.display()),
                "add to it with `c8y-pki store add`, or choose another name",
            ));
        }
        let wants = args.wants_password(format)?;
        let password = if wants { Some(source.new_one()?) } else { None };
        (Store::new(), format, password)
    } else {
        outlet::check_file(&args.file, "the store", "entries are added to a file")?;
        files::check_replaceable(&args.file)?;
        let bytes = files::read_small(&args.file)?;
        let format = store::detect(&bytes).map_err(in_file)?;
        let wants = args.wants_password(format)?;
        let password = if wants { Some(source.existing()?) } else { None };
        let options = store::OpenOptions {
            store_password: password.as_ref(),
            key_password: None,
            allow_unverified: args.no_password,
        };
        let store = store::open_with(&bytes, options).map_err(in_file)?;
        (store, format, password)
    };
    add_entries(args, &mut store, out)?;
    let entry_password = entry_password(args)?;
    let mut options = WriteOptions::new(password.as_ref(), OffsetDateTime::now_utc());
    options.key_password = entry_password.as_ref();
    options.pkcs12 = args.pkcs12.options();
    options.unprotected = args.no_password;
    let bytes = store::write(&store, format, &options).map_err(in_file)?;
    if format == Format::Pkcs12 {
        // Nothing is written, or replaced, that only this program can open.
        store::confirm(&bytes, &store, &options).map_err(in_file)?;
    }
    let existing = if create { Existing::Refuse } else { Existing::Replace };
    outlet::write(&args.file, &bytes, Access::Private, existing, out)?;
    let out = out.beside(Some(&args.file));
    out.result(&Listing::new(format, &store), |l| {
        let entries = if l.entries.len() == 1 { "entry" } else { "entries" };
        let number = l.entries.len();
        as_line(&format!(
            "{} store with {number} {entries}: {}",
            l.format,
            outlet::name(&args.file)
        ))
    })?;
    Ok(Outcome::Done)
}

/// The key's own password inside a store, if it is to have one.
fn entry_password(args: &PutArgs) -> Result<Option<Password>> {
    known::store_entry(args.entry_password_file.as_ref()).given()
}

fn add_entries(args: &PutArgs, store: &mut Store, out: Output) -> Result<()> {
    if let Some(path) = &args.from {
        let opened_by = from::Secrets {
            store_file: args.from_password_file.as_ref(),
            key_file: args.key_password_file.as_ref(),
        };
        return from::add_all(path, &opened_by, store);
    }
    if let Some(path) = &args.key {
        let what = format!("the key in {}", path.display());
        let source = known::key(args.key_password_file.as_ref(), &what);
        let key = secrets::read(path, source)?;
        let mut heap = Vec::new();
        for path in &args.cert {
            heap.extend(values::certificates(path)?);
        }
        let ordered = chain::order(&heap, LeafChoice::PublicKey(key.public_key()))?;
        if let Some(issuer) = &ordered.missing_issuer {
            out.warning(&format!(
                "the chain ends before {issuer}: the platform wants every certificate up to the \
                 uploaded CA; give the missing ones with --cert"
            ));
        }
        let alias = args.alias.as_deref().unwrap_or(DEVICE_KEY_ALIAS);
        store.add_key(alias, &key, ordered.certificates)?;
        return Ok(());
    }
    let mut certificates = Vec::new();
    for path in &args.trusted {
        certificates.extend(values::certificates(path)?);
    }
    let alias = args.alias.as_deref().unwrap_or(SERVER_CERTIFICATE_ALIAS);
    for (index, certificate) in certificates.into_iter().enumerate() {
        let alias = if index == 0 { alias.to_owned() } else { format!("{alias}{}", index + 1) };
        store.add_trusted(&alias, certificate)?;
    }
    Ok(())
}
