//! `store fetch`: the certificates that a TLS server presents.

use std::path::{Path, PathBuf};
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_engine::files::{Access, Existing};
use c8y_pki_engine::inspect::CertificateView;
use c8y_pki_engine::platform::fetch::fetch;
use clap::{Args, ValueEnum};

use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::{as_line, colons, count, date};

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

pub(super) fn run(args: &FetchArgs, out: Output) -> Result {
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
            "the server presents only its own certificate; when it is renewed, devices that trust it have \
             to be changed: use the certificate of its CA instead",
        );
    }
    out.note("Before you trust it, compare its fingerprint with one that you got in another way.");
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
