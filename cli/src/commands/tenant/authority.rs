//! `tenant authority`: the platform's own CA.

use c8y_pki::platform::est;
use clap::Args;

use super::trust::{View, details};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::tenant::{TenantArgs, show_requests};

/// Arguments of `tenant authority`.
#[derive(Debug, Args)]
pub(crate) struct AuthorityArgs {
    /// Print the request, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

pub(super) fn run(args: &AuthorityArgs, out: Output) -> Result {
    if args.dry_run {
        return show_requests(&[est::authority_request()], out);
    }
    let (is_new, authority) = est::make_authority(&args.tenant.connect(out)?)?;
    let action = if is_new { "made" } else { "already there" };
    out.result(&View::of(&authority, Some(action)), details)?;
    Ok(Outcome::Done)
}
