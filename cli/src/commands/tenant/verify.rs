//! `tenant verify`: what the platform says of a chain, and what we say, side by side.

use std::path::{Path, PathBuf};

use c8y_pki::cert::{Certificate, LongestChain};
use c8y_pki::chain::{self, ChainError, DeviceFinding};
use c8y_pki::platform::verdict::{self, Verdict};
use c8y_pki::platform::{Client, trusted};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::as_line;
use crate::tenant::{TenantArgs, show_requests};
use crate::values;

/// Arguments of `tenant verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The chain as the device presents it: PEM or DER, its own certificate first
    #[arg(value_name = "CHAIN")]
    chain: PathBuf,
    /// Most certificates in a chain, both ends counted; by default what the PKI folder's pki.toml says, else 10 as
    /// in the cloud
    #[arg(long, value_name = "N")]
    longest_chain: Option<LongestChain>,
    /// Print the request, send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

#[derive(Serialize)]
struct View {
    /// The tenant that was asked.
    tenant: String,
    platform: Verdict,
    /// Whether the platform names another tenant of the instance as the owner of the CA.
    other_tenant: bool,
    ours: Ours,
    /// Whether the two say the same; none where one of them says nothing.
    agree: Option<bool>,
}

/// What c8y-pki makes of it, with the tenant's enabled certificates as trust anchors.
#[derive(Serialize)]
struct Ours {
    /// None: the tenant's certificates could not be read.
    accepted: Option<bool>,
    detail: String,
}

pub(super) fn run(args: &VerifyArgs, pki: &Path, out: Output) -> Result {
    let presented = values::certificates(&args.chain)?;
    let longest = values::longest_chain(args.longest_chain, pki)?;
    if args.dry_run {
        return show_requests(&[verdict::request(&presented)], out);
    }
    let client = args.tenant.connect(out)?;
    let platform = verdict::ask(&client, &presented)?;
    let ours = ours(&client, &presented, longest);
    let tenant = client.tenant()?.to_owned();
    let other_tenant =
        matches!(&platform, Verdict::Accepted { tenant: found, .. } if *found != tenant);
    let theirs = match platform {
        Verdict::Accepted { .. } => Some(!other_tenant),
        Verdict::Refused { .. } | Verdict::Unreadable { .. } => Some(false),
        _ => None,
    };
    let agree = theirs.zip(ours.accepted).map(|(theirs, ours)| theirs == ours);
    let view = View { tenant, platform, other_tenant, ours, agree };
    out.result(&view, text)?;
    Ok(match theirs {
        Some(accepted) => Outcome::of(accepted),
        None => Outcome::WrongInput,
    })
}

fn ours(client: &Client, presented: &[Certificate], longest: LongestChain) -> Ours {
    let found = presented.len();
    if !longest.takes(found) {
        let detail = DeviceFinding::TooMany { found, longest }.to_string();
        return Ours { accepted: Some(false), detail };
    }
    let list = match trusted::list(client) {
        Ok(list) => list,
        Err(e) => return Ours { accepted: None, detail: e.to_string() },
    };
    let enabled = list.iter().filter(|trusted| trusted.is_enabled());
    let anchors: Vec<Certificate> = enabled.filter_map(|t| t.certificate().ok()).collect();
    let options = chain::Options::new(client.time().unwrap_or_else(OffsetDateTime::now_utc));
    let options = options.up_to(longest);
    let path = match presented.split_first() {
        Some((leaf, rest)) => chain::verify(leaf, rest, &anchors, &options),
        None => Err(ChainError::Empty),
    };
    match path {
        Ok(path) => {
            let last = path.certificates().last().map(|c| c.subject.to_string());
            let anchor = last.unwrap_or_default();
            let detail = format!("it leads to {anchor}, which the tenant trusts");
            Ours { accepted: Some(true), detail }
        }
        Err(e) => Ours { accepted: Some(false), detail: e.to_string() },
    }
}

fn text(view: &View) -> String {
    let platform = match &view.platform {
        Verdict::Accepted { tenant, subject, .. } => {
            format!("accepted for the tenant {tenant} (subject {subject})")
        }
        Verdict::Refused { message } => format!("refused: {message}"),
        Verdict::Unreadable { message } => format!("it cannot read the chain: {message}"),
        Verdict::NotAsked { reason } => format!("not asked: {reason}"),
        _ => "an answer that is not known here".to_owned(),
    };
    let ours = match view.ours.accepted {
        Some(true) => "accepted: ",
        Some(false) => "refused: ",
        None => "not judged: ",
    };
    let mut lines =
        vec![format!("platform  {platform}"), format!("c8y-pki   {ours}{}", view.ours.detail)];
    if view.other_tenant {
        lines.push(format!(
            "the CA is held by another tenant than {}, where this login belongs: the device would connect there",
            view.tenant
        ));
    } else if view.agree == Some(false) {
        lines.push(
            "the two disagree: the platform decides about connections; it also looks at its revocation list, \
             and its clock counts"
                .to_owned(),
        );
    }
    lines.iter().map(|line| as_line(line)).collect()
}
