//! `tenant trust`: the CAs whose devices the tenant lets in.

mod add;
mod change;
mod list;
mod renewal;
mod show;
pub(super) mod view;
pub(crate) mod which;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;
use crate::tenant::TenantArgs;

/// Commands about trusted certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Upload certificates of CAs; what is there already stays
    #[command(after_help = "\
The command first checks what the platform checks: X.509 version 3, CA:TRUE, not expired. A
certificate that is there already is a success; options that differ are changed.

Examples:
  c8y-pki tenant trust add --ca line-7 --auto-registration --prove
  c8y-pki tenant trust add ca.pem --name \"Line 7\" --prove --key ca.key
  c8y-pki tenant trust add a.pem b.pem --dry-run

Exit codes: 0 all are there; 1 another tenant of the instance has one of them, or a proof was
refused; 2 a certificate that the platform would refuse, wrong credentials; 3 not reached.")]
    Add(add::AddArgs),
    /// List all, with days left and proof of possession
    #[command(after_help = "\
Examples:
  c8y-pki tenant trust list
  c8y-pki tenant trust list --json | jq -r 'select(.days_left < 90) | .name'")]
    List {
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Show one
    #[command(after_help = "\
Examples:
  c8y-pki tenant trust show \"Line 7\"
  c8y-pki tenant trust show pki/ca/line-7/cert.pem --json")]
    Show {
        /// Its file, its SHA-1 fingerprint (or how that begins), or its name in the tenant
        id: String,
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Rename, enable, disable, switch auto-registration
    #[command(after_help = "\
Examples:
  c8y-pki tenant trust update \"Line 7\" --disable
  c8y-pki tenant trust update 1f2e3d --auto-registration --dry-run")]
    Update(change::UpdateArgs),
    /// Remove some: their devices can no longer connect
    #[command(after_help = "\
Exit codes: 0 they are gone, also when they were before; 1 you said no; 2 no such name, wrong
credentials; 3 not reached.

Examples:
  c8y-pki tenant trust remove \"Line 7\"
  c8y-pki tenant trust remove old-ca.pem --yes")]
    Remove(change::RemoveArgs),
}

pub(super) fn run(command: &TrustCommand, pki: &Path, out: Output) -> Result {
    match command {
        TrustCommand::Add(args) => add::run(args, pki, out),
        TrustCommand::List { tenant } => list::run(tenant, pki, out),
        TrustCommand::Show { id, tenant } => show::run(id, tenant, out),
        TrustCommand::Update(args) => change::update(args, out),
        TrustCommand::Remove(args) => change::remove(args, out),
    }
}
