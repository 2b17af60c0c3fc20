//! `registry`: what was issued, checked and taken out.

mod check;
mod export;
mod repair;
mod revocations;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;

/// Commands about the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Check the registry: its file, audit log, rows, certificates, and devices' keys
    #[command(after_help = "\
Changes nothing, and reads from a read-only file system too. The audit log's last hash is shown:
keep it elsewhere, and a later check with --head tells whether rows were cut off at its end.
What is out in the world is compared with it: the last revocation lists, the folders and archives
of devices, the hand-over files that were made, and what is given with --against.
Devices that wait in the staging folder of a run, stopped or going on, are listed as unfinished:
they are no findings. Keys in tokens are looked for by their public half; with the PIN they sign.

Examples:
  c8y-pki registry check
  c8y-pki registry check --against lists/line-7.crl handover/manifest.csv
  c8y-pki registry check --head 5f3a… --json

Exit codes: 0 all is as it was written, also where a run is not finished; 1 something is not: each
finding is named.")]
    Check(check::CheckArgs),
    /// Take over what a registry from a backup has lost: revocations, certificates, numbers of lists
    Repair(repair::RepairArgs),
    /// Write what was issued, or the audit log, as CSV or JSON Lines
    #[command(after_help = "\
Examples:
  c8y-pki registry export --out certificates.csv
  c8y-pki registry export --what audit --format jsonl > audit.jsonl")]
    Export(export::ExportArgs),
    /// Write revocations as the CSV files that the platform takes
    #[command(after_help = "\
SERIALNO,DATE; at most 5000 rows a file, so there may be several: DIR/revocations-1.csv, …

Examples:
  c8y-pki registry revocations --out revocations
  c8y-pki registry revocations --ca line-7 --out revocations --json")]
    Revocations(revocations::RevocationsArgs),
}

pub(crate) fn run(command: &RegistryCommand, pki: &Path, out: Output) -> Result {
    match command {
        RegistryCommand::Check(args) => check::run(args, pki, out),
        RegistryCommand::Repair(args) => repair::run(args, pki, out),
        RegistryCommand::Export(args) => export::run(args, pki, out),
        RegistryCommand::Revocations(args) => revocations::run(args, pki, out),
    }
}
