//! `serve` itself: the service of a CA. Standard output is its log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use c8y_pki_core::shown;
use c8y_pki_engine::serve::{Entry, Identity, Service, Settings, Usual};
use clap::Args;
use time::OffsetDateTime;

use super::token::ServeCommand;
use crate::clock;
use crate::commands::ready_file::ReadyFile;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::pace::raise_file_limit;
use crate::secrets::unlock;
use crate::stop;
use crate::values::{self, SubjectArgs};

/// How long the log is waited for before it is looked whether to stop.
const PAUSE: Duration = Duration::from_millis(100);

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Devices ask for certificates over EST (RFC 7030), at https://ADDRESS/.well-known/est/ and the same
with the name of the CA as label: cacerts, csrattrs, simpleenroll, simplereenroll.

A device gets its first certificate with its id and its one-time password (HTTP Basic): that of its
order, whose list has a column ENROLLMENT_OTP, or that of --passwords. The password is used up by one
certificate. After that, the device renews with its live certificate. Each request is signed
as the device's order says, or as the options here say, and recorded before it is answered. A device
that repeats a request, since the answer was lost, gets the same certificate.

Other commands can work on the same PKI directory: what they revoke, issue or order counts at once.
MES and test stations have requests signed, see devices, orders, CAs and lists, and revoke over a
small JSON API, at /v1/ and with tokens or client certificates of `serve token add`;
/v1/openapi.json describes it.

Standard output has one line of JSON for each request. /healthz, /readyz and /metrics answer those
who look after the service. SIGTERM or Ctrl-C ends it when it has answered what is under way.

Examples:
  c8y-pki serve --ca line-7 --server est --listen 0.0.0.0:8443 --ca-password-file ca.pw
  c8y-pki serve --ca line-7 --tls-cert est.pem --tls-key est.key --passwords registration.csv \\
      --ca-password-file ca.pw > access.log

Exit codes: 0 it was stopped; 2 wrong use or input; 3 it cannot listen, or the environment failed.")]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub(super) command: Option<ServeCommand>,
    /// The CA that signs
    #[arg(long, value_name = "NAME", required = true)]
    ca: Option<String>,
    /// Address and port to listen on; with port 0 any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// The service's own certificate: that of a server of this PKI directory, made by `server issue`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tls_cert", "tls_key"])]
    server: Option<String>,
    /// The service's own certificate, then those above it, in a file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate, without a password
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A list with one-time passwords in a column ENROLLMENT_OTP, for example a registration CSV; it is read again
    /// when it changes
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// Offer a page for the person at the line, at /page: it takes a barcode scanner and shows how a device stands. It
    /// asks for a token with the role read
    #[arg(long)]
    page: bool,
    /// Profile for devices whose order names none: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "device", value_name = "NAME|FILE")]
    profile: String,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Validity in days, in place of the profile's; shortened to the end of the CA
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    days: Option<u32>,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
    /// Write the number of the process here when it listens, and remove the file at the end
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub(super) fn run(args: &ServeArgs, dir: &Path, out: Output) -> Result {
    // The parser has asked for it.
    let name = args.ca.as_deref().unwrap_or_default();
    let profile = values::profile(&args.profile, None)?;
    let subject = args.subject.builder(&profile)?;
    if subject.has("CN") {
        return Err(Failure::usage(
            "the subject has a common name, but a device's common name is its id",
            "leave CN out of --subject",
        ));
    }
    let mut ready = args.ready_file.as_deref().map(ReadyFile::prepare).transpose()?;
    let pki = clock::open(dir, OffsetDateTime::now_utc())?;
    let ca = pki.ca(name)?;
    let identity = match (&args.server, &args.tls_cert, &args.tls_key) {
        (Some(server), ..) => Identity::of_server(&pki, server)?,
        (None, Some(chain), Some(key)) => Identity { chain: chain.clone(), key: key.clone() },
        (None, ..) => {
            return Err(Failure::usage(
                "the service's own certificate is not named",
                format!(
                    "give --server NAME: `{}` makes one; or --tls-cert and --tls-key",
                    hint::with_pki("server issue NAME --ca NAME --san DNS:HOST --out DIR")
                ),
            ));
        }
    };
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    raise_file_limit();
    let stop = stop::on_interrupt();
    let mut service = Service::start(Settings {
        pki,
        key,
        listen: args.listen,
        identity,
        passwords: args.passwords.clone(),
        usual: Usual { profile, subject, days: args.days },
        page: args.page,
        clock: OffsetDateTime::now_utc,
    })?;
    if let Some(ready) = &mut ready {
        ready.write()?;
    }
    out.note(&format!("EST for {name}: https://{}/.well-known/est/", service.address()));
    let mut is_read = true;
    while is_read && !stop.load(Ordering::Relaxed) {
        if let Some(entry) = service.next_entry(PAUSE) {
            is_read = tell(&entry, out)?;
        }
    }
    let mut told = Ok(is_read);
    service.stop(|entry| {
        if matches!(told, Ok(true)) {
            told = tell(&entry, out);
        }
    });
    told?;
    // Without a reader of its log it does not go on.
    Ok(if is_read { Outcome::Done } else { Outcome::Stopped })
}

/// Writes a line of the log; false if the reader has gone away.
fn tell(entry: &Entry, out: Output) -> Result<bool> {
    let line = serde_json::to_string(entry).map_err(|e| Failure::Output(e.into()))?;
    out.offer(format!("{}\n", shown::json(&line)).as_bytes())
}
