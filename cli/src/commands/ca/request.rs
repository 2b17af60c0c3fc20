//! `ca request`: the request with which another CA certifies one of this directory.

use std::path::{Path, PathBuf};

use c8y_pki_core::csr;
use c8y_pki_engine::Error;
use c8y_pki_engine::files::{Access, Existing};
use clap::Args;
use serde::Serialize;

use crate::clock;
use crate::failure::{Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::printable;
use crate::secrets::unlock;

/// Arguments of `ca request`.
#[derive(Debug, Args)]
#[command(after_help = "\
The request has the CA's public key and its subject, and nothing else: the CA that signs it decides
what goes into the certificate. It must not change the subject (with OpenSSL: `openssl ca
-preserveDN`, and a policy that keeps each field). If it does, devices that this CA has issued have
no valid chain. Import the new certificate with `c8y-pki ca add NAME --import FILE`: the CA stays
the same.

Examples:
  c8y-pki ca request line-7 --out line-7.csr
  c8y-pki ca request line-7 | openssl req -noout -text -verify")]
pub(crate) struct RequestArgs {
    /// Name of the CA
    name: String,
    /// Where the request goes, as PEM; by default to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Requested {
    ca: String,
    subject: String,
    /// The request as PEM, if it went into no file.
    request: Option<String>,
    file: Option<String>,
}

pub(super) fn run(args: &RequestArgs, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let ca = pki.ca(&args.name)?;
    let key = unlock(&ca, args.ca_password_file.as_ref())?;
    let subject = &ca.certificate().subject;
    let pem = csr::pem(&csr::make(subject, &key).map_err(Error::from)?);
    let out = out.beside(args.out.as_deref());
    let mut requested =
        Requested { ca: ca.name.clone(), subject: subject.to_string(), request: None, file: None };
    match &args.out {
        Some(path) => {
            outlet::write(path, pem.as_bytes(), Access::Public, Existing::Replace, out)?;
            requested.file = Some(path.display().to_string());
        }
        None => requested.request = Some(pem),
    }
    out.result(&requested, |made| match (&made.request, &made.file) {
        (Some(pem), _) => pem.clone(),
        (None, file) => format!(
            "Request of {} for {}\n  {}\n",
            made.ca,
            printable(&made.subject),
            file.as_deref().unwrap_or_default()
        ),
    })?;
    out.note(&format!(
        "Import the new certificate with `c8y-pki ca add {} --import FILE`; it must have the same subject.",
        ca.name
    ));
    Ok(Outcome::Done)
}
