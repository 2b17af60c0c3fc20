//! `tenant`: what the platform knows, and may be told, about our CAs.

mod authority;
mod crl;
mod status;
mod trust;
mod verify;

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
    /// Ask the platform whether it accepts a chain, and say what c8y-pki makes of it
    #[command(after_help = "\
Nothing is changed or registered by it. The platform's verdict needs ROLE_TENANT_MANAGEMENT_READ. That it
accepts a chain does not say that a device is registered.

Examples:
  c8y-pki tenant verify out/gw-0001/chain.pem
  c8y-pki tenant verify chain.pem --json

Exit codes: 0 the platform accepts the chain for this tenant; 1 it refuses it, or another tenant has the CA;
2 it was not asked (no right, or a release without the call), or a file cannot be read; 3 not reached.")]
    Verify(verify::VerifyArgs),
    /// Upload revocations, download the platform's revocation list, switch its check on or off
    #[command(subcommand)]
    Crl(crl::CrlCommand),
}

pub(crate) fn run(command: &TenantCommand, pki: &Path, out: Output) -> Result {
    match command {
        TenantCommand::Status { tenant } => status::run(tenant, out),
        TenantCommand::Trust(command) => trust::run(command, pki, out),
        TenantCommand::Authority(command) => authority::run(command, out),
        TenantCommand::Verify(args) => verify::run(args, out),
        TenantCommand::Crl(command) => crl::run(command, pki, out),
    }
}
