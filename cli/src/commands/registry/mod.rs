//! `registry`: what was issued, checked, saved and taken out.

mod backup;
mod check;
mod export;
mod join;
mod migrate;
mod repair;
mod restore;
mod revocations;

use std::path::Path;

use clap::Subcommand;

#[cfg(feature = "postgres")]
use crate::failure::Outcome;
use crate::failure::Result;
use crate::output::Output;

/// Commands about the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Check the registry: its file, audit log, rows, certificates, and devices' keys
    #[command(after_help = "\
Changes nothing, and also works on a read-only file system. It shows the last hash of the audit
log: keep it in another place, and a later check with --head says whether rows at the end were cut
off. The registry is compared with the last revocation lists, the directories and archives of
devices, the hand-over files, and what you give with --against. Devices that wait in the staging
directory of a run, stopped or running, are listed as unfinished: they are no findings. For keys in
tokens the check looks for the public key; with the PIN the keys sign.

Examples:
  c8y-pki registry check
  c8y-pki registry check --against lists/line-7.crl handover/manifest.csv
  c8y-pki registry check --head 5f3a… --json

Exit codes: 0 no findings, also if a run is not finished; 1 there are findings: each is named.")]
    Check(check::CheckArgs),
    /// Save the registry and the files of the CAs, while others may work
    Backup(backup::BackupArgs),
    /// Restore a backup: into an empty place, or its registry into this PKI directory
    Restore(restore::RestoreArgs),
    /// Take over what a registry from a backup has lost: revocations, certificates, numbers of lists
    Repair(repair::RepairArgs),
    /// Take the registry to a PostgreSQL database, or back into a file
    Migrate(migrate::MigrateArgs),
    /// Make the PKI directory of a station from what a PostgreSQL database has of the CAs
    Join(join::JoinArgs),
    /// Put the CAs and the policies of this PKI directory into the database, for all stations
    #[command(after_help = "\
Where the registry is in a PostgreSQL database, its signing policies count for all stations, and
those in pki.toml are a draft. This command puts the policies of pki.toml into the database. Only the
owner of the database may change a policy. A CA without a table in pki.toml keeps the policy that the
database has; an empty table lets everything pass. CAs and revocation lists go there by themselves;
this command also puts there what an older version has left out.

Examples:
  c8y-pki registry publish

Exit codes: 0 the database has them; 2 the registry is a file, or this user may not change policies.")]
    Publish,
    /// Print the statements that give stations and auditors their rights in a PostgreSQL database
    #[cfg(feature = "postgres")]
    #[command(after_help = "\
Run them with psql after the registry was made, as a superuser, or as its owner if he may make roles.
They make two roles: c8y_pki_station issues, renews and revokes, and cannot change or delete what is
recorded; c8y_pki_auditor reads. Running them again changes nothing.

Examples:
  c8y-pki registry roles | psql -v ON_ERROR_STOP=1 -1 -d pki
  psql -d pki -c \"CREATE ROLE line7 LOGIN IN ROLE c8y_pki_station\"")]
    Roles,
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
        RegistryCommand::Backup(args) => backup::run(args, pki, out),
        RegistryCommand::Restore(args) => restore::run(args, pki, out),
        RegistryCommand::Repair(args) => repair::run(args, pki, out),
        RegistryCommand::Migrate(args) => migrate::run(args, pki, out),
        RegistryCommand::Join(args) => join::join(args, pki, out),
        RegistryCommand::Publish => join::publish(pki, out),
        #[cfg(feature = "postgres")]
        RegistryCommand::Roles => {
            out.data(c8y_pki_engine::registry::ROLES.as_bytes())?;
            Ok(Outcome::Done)
        }
        RegistryCommand::Export(args) => export::run(args, pki, out),
        RegistryCommand::Revocations(args) => revocations::run(args, pki, out),
    }
}
