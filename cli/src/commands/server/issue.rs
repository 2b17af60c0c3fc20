//! `server issue`: key, certificate and stores for a server.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::KeyType;
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::registry::ServerName;
use c8y_pki_engine::servers::{self, ServerFiles, ServerKey};
use clap::Args;
use time::OffsetDateTime;

use super::options::{FileArgs, PlanArgs, SanArgs, TermArgs, trusted};
use super::view;
use crate::failure::{Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::secrets::unlock;
use crate::values::{self, SubjectArgs};

/// Arguments of `server issue`.
#[derive(Debug, Args)]
#[command(after_help = "\
The server gets a directory of its name with cert.pem, chain.pem and what --bundle asks for.
Clients compare the names of --san with the host or address that they connect to; they ignore the
common name. The CA's policy says which names it may have (server_names and server_networks in
pki.toml). A truststore holds the root CA above the server: give it to the devices.

Examples:
  c8y-pki server issue broker --ca edge --san DNS:broker.plant.example.com,IP:10.7.0.5 --out servers
  c8y-pki server issue gateway --ca edge --san 'DNS:*.line-7.example.com' --out servers \\
      --bundle pem,p12,truststore-p12 --ca-password-file ca.pw --store-password-file store.pw
  c8y-pki server issue old-broker --ca edge --san IP:10.7.0.6 --profile classic-server --out servers

Exit codes: 0 done; 2 it cannot be issued as asked, nothing was made; 3 the environment failed: run
it again.")]
pub(crate) struct IssueArgs {
    /// Name of the server: its common name, and that of its directory
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    san: SanArgs,
    /// The issuing CA
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// The directory in which the server gets its own directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What it gets: pem, p12, jks, truststore-p12, truststore-jks
    #[arg(long, value_delimiter = ',', default_value = "pem", value_name = "KINDS")]
    bundle: Vec<Bundle>,
    /// Profile of kind server: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "server", value_name = "NAME|FILE")]
    profile: String,
    /// Type of the key, in place of the profile's: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384,
    /// ec-p521, ed25519, ml-dsa-44, ml-dsa-65, ml-dsa-87
    #[arg(long = "key-type", value_name = "TYPE")]
    key_type: Option<KeyType>,
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    term: TermArgs,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    files: FileArgs,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

pub(super) fn run(args: &IssueArgs, dir: &Path, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    let name: ServerName = args.name.parse()?;
    let profile = values::profile(&args.profile, args.key_type)?;
    let subject = args.subject.builder(&profile)?;
    let now = OffsetDateTime::now_utc();
    let pki = args.plan.open(dir, now, out)?;
    let ca = pki.ca(&args.ca)?;
    let alt_names = servers::names_for(&profile, &name, args.san.names())?;
    let order = args.term.order((&name, &profile), &subject, &alt_names, ServerKey::New);
    let files = ServerFiles { kinds: &args.bundle, encrypts_key: args.files.encrypt_keys };
    if !args.plan.goes_on(&pki, (&ca, &order), (&args.out, &files), now, out)? {
        return Ok(Outcome::Done);
    }
    let trusted = trusted(&ca);
    let passwords = args.files.passwords(&args.bundle, args.files.encrypt_keys)?;
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    let bundle = args.files.settings(&args.bundle, &passwords, &trusted);
    let made = servers::make(&pki, (&ca, &key), &order, (&args.out, bundle), now)?;
    args.term.note(&profile, &ca, now, out);
    view::made(&made, &ca, out)?;
    Ok(Outcome::Done)
}
