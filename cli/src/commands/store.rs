//! `store`: keystores and truststores.

mod from;

use std::path::{Path, PathBuf};
use std::time::Duration;

use c8y_pki::Error;
use c8y_pki::cert::Certificate;
use c8y_pki::chain::{self, LeafChoice};
use c8y_pki::describe::CertificateView;
use c8y_pki::files::{self, Access, Existing};
use c8y_pki::platform::fetch::fetch;
use c8y_pki::secret::Password;
use c8y_pki::store::{
    self, DEVICE_KEY_ALIAS, Format, Listing, SERVER_CERTIFICATE_ALIAS, Store, StoreError,
    WriteOptions,
};
use clap::{Args, Subcommand, ValueEnum};
use time::OffsetDateTime;

use crate::commands::device::{Pkcs12Args, store_password};
use crate::commands::key::read_key;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::password::{self, Source};
use crate::render::{as_line, colons, count, date, listing};
use crate::values;

/// Commands about keystores and truststores.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Make a keystore (--key and --cert), a truststore (--trusted), or one from another (--from)
    #[command(after_help = "\
Examples:
  c8y-pki store create keystore.p12 --key key.pem --cert chain.pem
  c8y-pki store create truststore.jks --trusted server-ca.pem --store-password-file pw
  c8y-pki store create new.p12 --from old.jks --from-password-file old.pw --store-password-file pw
  c8y-pki store create cacerts.p12 --trusted server-ca.pem --no-password")]
    Create(PutArgs),
    /// Add an entry to a store
    #[command(after_help = "\
Examples:
  c8y-pki store add keystore.p12 --trusted server-ca.pem
  c8y-pki store add truststore.p12 --trusted edge.pem --alias edge")]
    Add(PutArgs),
    /// List a store's entries, as `keytool -list -v` would
    #[command(after_help = "\
Examples:
  c8y-pki store show keystore.p12
  c8y-pki store show old.jks --store-password-file pw --json")]
    Show(ShowArgs),
    /// Show, and save, the certificates that a TLS server presents
    #[command(after_help = "\
Nothing is trusted by this: compare the fingerprint with one that came by another way.

Examples:
  c8y-pki store fetch mqtt.example.com:8883
  c8y-pki store fetch mqtt.example.com:8883 --out server.pem")]
    Fetch(FetchArgs),
}

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
    /// PKCS#12 without any password, as Java's own list of CAs: keys in it are not protected, and nothing shows
    /// whether it was changed
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

/// Arguments of `store show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The store
    file: PathBuf,
    /// File with the store's password [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// File with the password of keys that have one of their own [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
    /// Open it without any password, whatever the environment says, and ask for none
    #[arg(long, conflicts_with = "store_password_file")]
    no_password: bool,
}

/// Which of the presented certificates to save.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Take {
    /// The one nearest to the root: the others may be renewed without notice
    Issuer,
    /// The server's own
    Leaf,
    /// All of them
    All,
}

/// Arguments of `store fetch`.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// HOST:PORT; the platform's MQTT is on port 8883
    server: String,
    /// Write the certificate here as PEM; - for standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which certificate to write
    #[arg(long, value_enum, default_value = "issuer")]
    take: Take,
    /// Seconds for all of it together: name, TCP and TLS
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

pub(crate) fn run(command: &StoreCommand, out: Output) -> Result {
    match command {
        StoreCommand::Create(args) => put(args, true, out),
        StoreCommand::Add(args) => put(args, false, out),
        StoreCommand::Show(args) => show(args, out),
        StoreCommand::Fetch(args) => fetch_server(args, out),
    }
}

fn format_of(args: &PutArgs) -> Result<Format> {
    let ending = args.file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    match (args.format, ending.as_str()) {
        (Some(FormatArg::P12), _) | (None, "p12" | "pfx" | "pkcs12") => Ok(Format::Pkcs12),
        (Some(FormatArg::Jks), _) | (None, "jks") => Ok(Format::Jks),
        (Some(FormatArg::Pem), _) | (None, "pem" | "crt") => Ok(Format::Pem),
        _ => Err(Failure::usage(
            format!("the ending of {} tells no store format", args.file.display()),
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

fn put(args: &PutArgs, create: bool, out: Output) -> Result {
    let source = store_password(args.store_password_file.as_ref());
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
        as_line(&format!("{} store with {number} {entries}: {}", l.format, args.file.display()))
    })?;
    Ok(Outcome::Done)
}

/// The key's own password inside a store, if it is to have one.
fn entry_password(args: &PutArgs) -> Result<Option<Password>> {
    let source = Source {
        file: args.entry_password_file.as_ref(),
        option: "--entry-password-file",
        variable: "C8Y_PKI_ENTRY_PASSWORD",
        noun: "password",
        what: "the key in the store",
    };
    source.given()
}

fn add_entries(args: &PutArgs, store: &mut Store, out: Output) -> Result<()> {
    if let Some(path) = &args.from {
        return from::add_all(path, args, store);
    }
    if let Some(path) = &args.key {
        let what = format!("the key in {}", path.display());
        let source = password::of_key(args.key_password_file.as_ref(), &what);
        let key = read_key(path, source)?;
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

fn show(args: &ShowArgs, out: Output) -> Result {
    let bytes = files::read_small(&args.file)?;
    let in_file = |e| Error::from(e).in_file(args.file.display().to_string());
    let format = store::detect(&bytes).map_err(in_file)?;
    let source = store_password(args.store_password_file.as_ref());
    let key_source = password::of_key(args.key_password_file.as_ref(), "the keys in the store");
    let key_password = key_source.given()?;
    let open = |password: Option<&Password>| {
        let options = store::OpenOptions {
            store_password: password,
            key_password: key_password.as_ref(),
            // Looking is no trust. What is in JKS without its password cannot be seen whole.
            allow_unverified: format != Format::Jks || password.is_some(),
        };
        store::open_with(&bytes, options)
    };
    let needs = |e: &StoreError| matches!(e, StoreError::PasswordNeeded { .. });
    let opened = match args.no_password {
        true => open(None),
        false => password::opening(source, open, needs)?,
    };
    let store = opened.map_err(in_file)?;
    let format = if store::is_pkcs12(&bytes) { Format::Pkcs12 } else { format };
    out.result(&Listing::new(format, &store), listing)?;
    Ok(Outcome::Done)
}

fn fetch_server(args: &FetchArgs, out: Output) -> Result {
    let (host, port) = host_and_port(&args.server)?;
    let out = out.beside(args.out.as_deref());
    let presented = fetch(host, port, Duration::from_secs(args.timeout))?;
    let views: Vec<CertificateView> = presented.iter().map(CertificateView::of).collect();
    out.results(&views, |views| {
        let presented = count(views.len(), "certificate");
        let mut text = as_line(&format!("{} presents {presented}", args.server));
        for (index, view) in views.iter().enumerate() {
            text.push_str(&format!(
                "\n[{index}] {}\n    issuer   {}\n    valid    {} to {}\n    SHA-256  {}\n",
                view.subject,
                view.issuer,
                date(view.not_before),
                date(view.not_after),
                colons(&view.fingerprint_sha256)
            ));
        }
        text
    })?;
    if let Some(path) = &args.out {
        let taken = match args.take {
            Take::All => &presented[..],
            Take::Leaf => &presented[..1],
            Take::Issuer => &presented[presented.len() - 1..],
        };
        let pem: String = taken.iter().map(Certificate::pem).collect();
        outlet::write(path, pem.as_bytes(), Access::Public, Existing::Replace, out)?;
        save_notes(taken, args.take, path, out);
    }
    Ok(Outcome::Done)
}

fn save_notes(taken: &[Certificate], take: Take, path: &Path, out: Output) {
    for cert in taken {
        out.note(&format!("saved {} to {}", cert.subject, path.display()));
    }
    if take == Take::Issuer && taken.iter().any(|cert| !cert.is_ca()) {
        out.warning(
            "the server presents only its own certificate; devices that trust it have to be \
             changed when it is renewed: prefer the certificate of its CA",
        );
    }
    out.note("Compare its fingerprint with one that came by another way before you trust it.");
}

/// `host:port`, or `[address]:port`; the port is 8883 unless given.
fn host_and_port(server: &str) -> Result<(&str, u16)> {
    let wrong = || {
        Failure::usage(
            format!("{server:?} is not HOST:PORT"),
            "write it like mqtt.example.com:8883",
        )
    };
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (server, 8883),
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { Err(wrong()) } else { Ok((host, port)) }
}
