//! `cert chain`: certificates put in order.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::{Certificate, LongestChain};
use c8y_pki_core::chain::{self, DeviceFinding, LeafChoice};
use c8y_pki_engine::Error;
use c8y_pki_engine::files::{Access, Existing};
use clap::Args;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::{outlet, values};

/// Arguments of `cert chain`.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// PEM or DER files with certificates in any order
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Common name of the first certificate, if it is in doubt
    #[arg(long, value_name = "CN")]
    leaf: Option<String>,
    /// Write the chain here; - for standard output, as by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Warn of more certificates than that; by default what the PKI directory's pki.toml says, else 10 as in the cloud
    #[arg(long, value_name = "N")]
    longest_chain: Option<LongestChain>,
}

pub(super) fn run(args: &ChainArgs, pki: &Path, out: Output) -> Result {
    let longest = values::longest_chain(args.longest_chain, pki)?;
    let mut heap = Vec::new();
    for path in &args.files {
        heap.extend(values::certificates(path)?);
    }
    let choice = args.leaf.as_deref().map_or(LeafChoice::Only, LeafChoice::CommonName);
    let ordered = chain::order(&heap, choice).map_err(Error::from)?;
    let pem: String = ordered.certificates.iter().map(Certificate::pem).collect();
    if let Some(path) = &args.out {
        outlet::write(path, pem.as_bytes(), Access::Public, Existing::Replace, out)?;
    }
    let out = out.beside(args.out.as_deref());
    if out.is_json() {
        out.result(&ordered, |_| String::new())?;
    } else if args.out.is_none() {
        out.data(pem.as_bytes())?;
    }
    for (position, cert) in ordered.certificates.iter().enumerate() {
        out.note(&format!("{position}  {}", cert.subject));
    }
    for cert in &ordered.unrelated {
        out.warning(&format!("{} is not part of the chain", cert.subject));
    }
    if !longest.takes(ordered.certificates.len()) {
        let found = ordered.certificates.len();
        out.warning(&DeviceFinding::TooMany { found, longest }.to_string());
    }
    if let Some(issuer) = &ordered.missing_issuer {
        out.warning(&format!("the chain is not complete: the certificate of {issuer} is missing"));
        return Ok(Outcome::NO);
    }
    Ok(Outcome::Done)
}
