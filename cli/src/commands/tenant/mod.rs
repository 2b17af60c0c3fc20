//! `tenant`: what the platform knows, and may be told, about our CAs.

mod authority;
mod crl;
mod status;
mod trust;

use std::path::Path;

use clap::Subcommand;

pub(crate) use trust::which::{Pick, fingerprint_of};

use crate::failure::Result;
use crate::output::Output;
use crate::tenant::TenantArgs;

/// Commands about a tenant.
#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Say whether the tenant can be reached, which one it is, and what the user may do
    #[command(after_help = "\
Examples:
  c8y-pki tenant status --host acme.eu-latest.cumulocity.com --user admin
  C8Y_HOST=acme.eu-latest.cumulocity.com C8Y_TOKEN=… c8y-pki tenant status --json

Exit codes: 0 the user may all that a rollout needs, as far as the platform tells; 1 it may not;
2 wrong credentials, host or certificate; 3 the tenant cannot be reached, trying again may help.")]
    Status {
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Add, list, change and remove trusted certificates: the CAs whose devices are let in
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Show, make, renew and switch on the platform's own CA for the tenant, at which devices enrol
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// Upload revocations, download the platform's revocation list, switch its check on or off
    #[command(subcommand)]
    Crl(crl::CrlCommand),
}

pub(crate) fn run(command: &TenantCommand, pki: &Path, out: Output) -> Result {
    match command {
        TenantCommand::Status { tenant } => status::run(tenant, out),
        TenantCommand::Trust(command) => trust::run(command, pki, out),
        TenantCommand::Authority(command) => authority::run(command, out),
        TenantCommand::Crl(command) => crl::run(command, pki, out),
    }
}
