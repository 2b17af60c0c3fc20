//! `server sign`: a request in, a server's certificate out.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::AltName;
use c8y_pki_core::crypto::PublicKey;
use c8y_pki_core::csr::Request;
use c8y_pki_core::read;
use c8y_pki_engine::Error;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::registry::ServerName;
use c8y_pki_engine::servers::{self, ServerFiles, ServerKey, ServerOrder};
use clap::Args;
use time::OffsetDateTime;

use super::options::{PlanArgs, SanArgs, TermArgs, trusted};
use super::view;
use crate::commands::device::KeyPolicyArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::input;
use crate::outlet;
use crate::output::Output;
use crate::secrets::unlock;
use crate::values::{self, SubjectArgs};

/// Arguments of `server sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
Of a request count its key, whose signature proves that the server has the private half, and its
common name as the server's name unless --name gives another. The names that it asks for beside the
subject are shown. They go into the certificate only with --san-from-request, and only if the CA's
policy permits them (server_names and server_networks in pki.toml). Other extensions that it asks
for are ignored.

Examples:
  c8y-pki server sign broker.csr --ca edge --san DNS:broker.plant.example.com --out servers
  c8y-pki server sign broker.csr --ca edge --san-from-request --out servers
  c8y-pki server sign new.csr --name broker --replace --san-from-request --ca edge --out servers

Exit codes: 0 done; 2 it cannot be signed as asked, nothing was made; 3 the environment failed: run
it again.")]
pub(crate) struct SignArgs {
    /// The request (PEM or DER), or - for standard input
    #[arg(value_name = "CSR|-")]
    request: PathBuf,
    /// Name of the server, in place of the request's common name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    san: SanArgs,
    /// Take the names that the request asks for too, if the CA's policy permits them
    #[arg(long)]
    san_from_request: bool,
    /// The issuing CA
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// The directory in which the server gets its own directory, with cert.pem and chain.pem
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Profile of kind server: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "server", value_name = "NAME|FILE")]
    profile: String,
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    term: TermArgs,
    #[command(flatten)]
    plan: PlanArgs,
    /// Put it in the place of the server's live certificate
    #[arg(long)]
    replace: bool,
    /// With --replace: revoke the former certificate, with the reason superseded
    #[arg(long, requires = "replace")]
    revoke: bool,
    #[command(flatten)]
    keys: KeyPolicyArgs,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

pub(super) fn run(args: &SignArgs, dir: &Path, out: Output) -> Result {
    outlet::check_folder(&args.out)?;
    let profile = values::profile(&args.profile, None)?;
    let subject = args.subject.builder(&profile)?;
    let request = read_one(&args.request)?;
    let public_key = request.check_to_certify(args.keys.policy())?;
    let name = name_of(args, &request)?;
    let asked = asked_names(args, &request, out)?;
    let now = OffsetDateTime::now_utc();
    let pki = args.plan.open(dir, now, out)?;
    let ca = pki.ca(&args.ca)?;
    let former = match args.replace {
        true => Some(servers::live(&pki, &name)?),
        false => {
            refuse_another_key(&pki, &name, public_key)?;
            None
        }
    };
    // As it is written there: case does not tell two apart.
    let recorded = former.as_ref().and_then(|former| former.holder.server().cloned());
    let name = recorded.unwrap_or(name);
    let alt_names = servers::names_for(&profile, &name, args.san.names().chain(asked))?;
    let key = ServerKey::Requested(public_key);
    let order = ServerOrder {
        replaces: former.as_ref().map(|former| (former, args.revoke)),
        ..args.term.order((&name, &profile), &subject, &alt_names, key)
    };
    let files = ServerFiles { kinds: &[Bundle::Pem], encrypts_key: false };
    if !args.plan.goes_on(&pki, (&ca, &order), (&args.out, &files), now, out)? {
        return Ok(Outcome::Done);
    }
    let trusted = trusted(&ca);
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    let bundle = servers::certificates_only(&[Bundle::Pem], &trusted);
    let made = servers::make(&pki, (&ca, &key), &order, (&args.out, bundle), now)?;
    args.term.note(&profile, &ca, now, out);
    view::made(&made, &ca, out)?;
    view::revoked(&order, out);
    Ok(Outcome::Done)
}

/// Refuses a request with another key than the server's live certificate has: to renew that would certify the key that it
/// is to lose.
fn refuse_another_key(pki: &Pki, name: &ServerName, public_key: &PublicKey) -> Result<()> {
    let Some(live) = pki.registry().live_server(name)? else { return Ok(()) };
    if live.certificate()?.spki == public_key.spki() {
        return Ok(());
    }
    Err(Failure::usage(
        format!(
            "the server {name} has a live certificate already, {}, for another key",
            live.serial
        ),
        "to sign this request in its place, add --replace",
    ))
}

/// The only request of a file.
fn read_one(path: &Path) -> Result<Request> {
    let file = path.display().to_string();
    let mut all =
        read::requests(&input::read(path)?).map_err(|e| Error::from(e).in_file(file.clone()))?;
    if all.len() != 1 {
        return Err(Failure::usage(
            format!("{file} holds {} requests", all.len()),
            "sign one at a time: each server has names of its own",
        ));
    }
    Ok(all.remove(0).map_err(|e| Error::from(e).in_file(file))?)
}

fn name_of(args: &SignArgs, request: &Request) -> Result<ServerName> {
    if let Some(name) = &args.name {
        return Ok(name.parse()?);
    }
    let names: Vec<&str> = request.subject.values("CN").collect();
    match names.as_slice() {
        [one] => Ok(one.parse()?),
        _ => Err(Failure::usage(
            format!(
                "the request has {} common names, so it is not known which server it is for",
                names.len()
            ),
            "name the server: --name NAME",
        )),
    }
}

/// The names of the request that go into the certificate: all of them, if that was asked for. What it asks for is
/// told in any case.
fn asked_names(args: &SignArgs, request: &Request, out: Output) -> Result<Vec<AltName>> {
    let asked = match (request.asked_names(), args.san_from_request) {
        (Ok(asked), _) => asked,
        (Err(e), true) => return Err(e.into()),
        (Err(e), false) => {
            out.warning(&format!("The names that the request asks for cannot be read: {e}"));
            Vec::new()
        }
    };
    let shown: Vec<String> = asked.iter().map(ToString::to_string).collect();
    if args.san_from_request {
        if asked.is_empty() {
            return Err(Failure::usage(
                "the request asks for no names beside its subject",
                "give them: --san DNS:HOST",
            ));
        }
        return Ok(asked);
    }
    if args.san.san.is_empty() && !asked.is_empty() {
        return Err(Failure::usage(
            format!(
                "the request asks for the names {}, and none was asked for here",
                shown.join(", ")
            ),
            "take them: --san-from-request; or give others: --san DNS:HOST",
        ));
    }
    let given: Vec<AltName> = args.san.names().collect();
    let left: Vec<String> =
        asked.iter().filter(|name| !given.contains(name)).map(ToString::to_string).collect();
    if !left.is_empty() {
        out.note(&format!("The request asks for {} too: not in the certificate.", left.join(", ")));
    }
    Ok(Vec::new())
}
