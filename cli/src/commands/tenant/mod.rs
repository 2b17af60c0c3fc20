//! `tenant`: what the platform knows, and may be told, about our CAs.

mod authority;
mod crl;
mod selftest;
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

Exit codes: 0 the user may do everything that a rollout needs, as far as the platform says; 1 it may not;
2 wrong credentials, host or certificate; 3 the tenant cannot be reached, trying again may help.")]
    Status {
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Add, list, change and remove trusted certificates: the CAs whose devices can connect
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// Show, make, renew and switch on the platform's own CA for the tenant, at which devices enrol
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// Ask the platform whether it accepts a chain, and compare that with our own check
    #[command(after_help = "\
This changes and registers nothing. The platform's verdict needs ROLE_TENANT_MANAGEMENT_READ. It is
about the chain, and does not say whether a device is registered.

Examples:
  c8y-pki tenant verify out/gw-0001/chain.pem
  c8y-pki tenant verify chain.pem --json

If the two verdicts differ, the platform's verdict decides whether a device can connect.

Exit codes: 0 the platform accepts the chain for this tenant; 1 it refuses it, another tenant has
the CA, or the two verdicts differ; 2 it was not asked (no right, or a release without the call), or
a file cannot be read; 3 not reached.")]
    Verify(verify::VerifyArgs),
    /// Upload revocations, download the platform's revocation list, switch its check on or off
    #[command(subcommand)]
    Crl(crl::CrlCommand),
    /// See whether the tenant does what this tool expects, with a CA that is made for it
    #[command(
        name = "selftest",
        after_help = "\
A CA and one device are made in memory. The CA is uploaded and proven, the device is registered,
the tenant judges its chain, it connects over MQTT, gets tokens over MQTT and HTTPS, and is
revoked. Then CA and device are removed, also if a step failed or after Ctrl-C. If something could
not be removed, it is named with the command that removes it. The revoked serial number stays in
the tenant's list for ever. The report has no secrets; it names the tenant's id and host, and what
differed from what we expect.

The user needs ROLE_TENANT_MANAGEMENT_ADMIN and ROLE_DEVICE_CONTROL_ADMIN; to remove the device
ROLE_IDENTITY_READ, ROLE_INVENTORY_ADMIN and ROLE_USER_MANAGEMENT_ADMIN; to read the switches
ROLE_OPTION_MANAGEMENT_READ and ROLE_OPTION_MANAGEMENT_ADMIN.

Examples:
  c8y-pki tenant selftest --disposable-ca --host acme.eu-latest.cumulocity.com --user admin
  c8y-pki tenant selftest --disposable-ca --yes --report selftest.txt

Exit codes: 0 all was as expected; 1 something differed, or you said no; 2 wrong use or credentials;
3 the tenant was not reached, or it was interrupted."
    )]
    SelfTest(selftest::SelfTestArgs),
}

pub(crate) fn run(command: &TenantCommand, pki: &Path, out: Output) -> Result {
    match command {
        TenantCommand::Status { tenant } => status::run(tenant, out),
        TenantCommand::Trust(command) => trust::run(command, pki, out),
        TenantCommand::Authority(command) => authority::run(command, out),
        TenantCommand::Verify(args) => verify::run(args, pki, out),
        TenantCommand::Crl(command) => crl::run(command, pki, out),
        TenantCommand::SelfTest(args) => selftest::run(args, out),
    }
}
