//! `tenant verify`: what the platform says of a chain, and what we say, side by side.

use std::path::PathBuf;

use c8y_pki::platform::verdict;
use clap::Args;
use time::OffsetDateTime;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render;
use crate::tenant::{TenantArgs, show_requests};
use crate::values;

/// Arguments of `tenant verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The chain as the device presents it: PEM or DER, its own certificate first
    #[arg(value_name = "CHAIN")]
    chain: PathBuf,
    /// Print the request, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

pub(super) fn run(args: &VerifyArgs, out: Output) -> Result {
    let presented = values::certificates(&args.chain)?;
    if args.dry_run {
        return show_requests(&[verdict::request(&presented)], out);
    }
    let client = args.tenant.connect(out)?;
    let compared = verdict::compare(&client, &presented, OffsetDateTime::now_utc())?;
    out.result(&compared, render::verdicts)?;
    Ok(match compared.is_accepted() {
        Some(accepted) => Outcome::of(accepted),
        None => Outcome::WrongInput,
    })
}
