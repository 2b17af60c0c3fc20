//! `cert`: any certificate, request, CRL, key or store shown; chains ordered and verified.

mod args;
mod at_tenant;
mod lists;
mod manifest;
mod order;
mod show;
mod verify;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;

/// Commands about certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Show what a file holds: certificates, requests, CRLs, keys (public half), stores
    #[command(after_help = "\
Examples:
  c8y-pki cert show chain.pem
  c8y-pki cert show keystore.p12 --password-file pw --json")]
    Show(show::ShowArgs),
    /// Verify a certificate chain by RFC 5280, and by the platform's rules with --as-device
    #[command(after_help = "\
Examples:
  c8y-pki cert verify --trust root.pem chain.pem
  c8y-pki cert verify --trust root.pem --as-device gw-0001 out/gw-0001/chain.pem
  c8y-pki cert verify --trust root.pem --as-device gw-0001 --longest-chain 12 chain.pem
  c8y-pki cert verify --trust root.pem --crl line-7.crl chain.pem
  c8y-pki cert verify --trust root.pem --crl all.crl --untrusted list-signer.pem chain.pem
  c8y-pki cert verify --trust root.pem --untrusted line-7.pem --strict device.pem
  c8y-pki cert verify --tenant out/gw-0001/chain.pem
  c8y-pki cert verify --manifest handover/manifest.csv --trust root.pem handover/chain.pem

With --tenant the platform is asked for its own verdict, and both verdicts are shown. If they
differ, the platform's verdict decides whether a device can connect.

Exit codes: 0 it is good, with --tenant by both verdicts; 1 it is refused: the certificate and the
rule are named; or the two verdicts differ; 2 a file cannot be read, or the platform did not judge
the chain (no right, or a release without the call); 3 the tenant was not reached.")]
    Verify(Box<args::VerifyArgs>),
    /// Put certificates in order: leaf first, each followed by its issuer
    #[command(after_help = "\
Examples:
  c8y-pki cert chain device.pem root.pem line.pem --out chain.pem
  c8y-pki cert chain heap.pem --leaf gw-0001")]
    Chain(order::ChainArgs),
}

pub(crate) fn run(command: &CertCommand, pki: &Path, out: Output) -> Result {
    match command {
        CertCommand::Show(args) => show::run(args, out),
        CertCommand::Verify(args) => verify::run(args, pki, out),
        CertCommand::Chain(args) => order::run(args, pki, out),
    }
}
