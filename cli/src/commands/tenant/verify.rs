//! `tenant verify`: what the platform says of a chain, and what we say, side by side.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::LongestChain;
use c8y_pki_engine::platform::verdict;
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
    /// The largest number of certificates in a chain, with the device's and the uploaded CA's; by default that of
    /// the PKI directory's pki.toml; without one 10, as in the cloud
    #[arg(long, value_name = "N")]
    longest_chain: Option<LongestChain>,
    /// Print the request, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

pub(super) fn run(args: &VerifyArgs, pki: &Path, out: Output) -> Result {
    let presented = values::certificates(&args.chain)?;
    let longest = values::longest_chain(args.longest_chain, pki)?;
    if args.dry_run {
        return show_requests(&[verdict::request(&presented)], out);
    }
    let client = args.tenant.connect(out)?;
    let now = OffsetDateTime::now_utc();
    let compared = client.wait(verdict::compare(&client, &presented, now, longest))?;
    out.result(&compared, render::verdicts)?;
    Ok(match compared.is_accepted() {
        Some(accepted) => Outcome::of(accepted),
        None => Outcome::Failed(c8y_pki_core::failure::Kind::WrongInput),
    })
}
