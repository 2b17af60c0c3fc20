//! `tenant trust update` and `tenant trust remove`.

use c8y_pki_engine::Error;
use c8y_pki_engine::platform::PlatformError;
use c8y_pki_engine::platform::trusted::{self, Change, TrustedCertificate};
use clap::Args;
use serde::Serialize;

use super::view::{View, details};
use super::which;
use crate::confirm::confirm;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::as_line;
use crate::tenant::{TenantArgs, show_requests};

/// Arguments of `tenant trust update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Its file, its SHA-1 fingerprint (or how that begins), or its name in the tenant
    id: String,
    /// Another name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Let its devices in
    #[arg(long)]
    enable: bool,
    /// Keep its devices out
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Register devices at their first connection
    #[arg(long)]
    auto_registration: bool,
    /// Let in only devices that are registered
    #[arg(long, conflicts_with = "auto_registration")]
    no_auto_registration: bool,
    /// Read the present state, and print the request that would change it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

impl UpdateArgs {
    fn change(&self) -> Change {
        let flag = |on: bool, off: bool| on.then_some(true).or(off.then_some(false));
        Change {
            name: self.name.clone(),
            enabled: flag(self.enable, self.disable),
            auto_registration: flag(self.auto_registration, self.no_auto_registration),
        }
    }
}

pub(super) fn update(args: &UpdateArgs, out: Output) -> Result {
    let change = args.change();
    if change == Change::default() {
        return Err(Failure::usage(
            "nothing is to be changed",
            "give --name, --enable, --disable, --auto-registration or --no-auto-registration",
        ));
    }
    let client = args.tenant.connect(out)?;
    let found = which::find(&client, &args.id)?;
    if !change.concerns(&found) {
        out.result(&View::of(&found, Some("unchanged")), details)?;
        return Ok(Outcome::Done);
    }
    if args.dry_run {
        return show_requests(
            &[trusted::update_request(client.wait(client.tenant())?, &found, &change)],
            out,
        );
    }
    let updated = client.wait(trusted::update(&client, &found, &change))?;
    out.result(&View::of(&updated, Some("updated")), details)?;
    Ok(Outcome::Done)
}

/// Arguments of `tenant trust remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Their files, their SHA-1 fingerprints (or how those begin), or their names in the tenant
    #[arg(required = true)]
    ids: Vec<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Ask what is there, and print the requests that would remove it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    tenant: TenantArgs,
}

#[derive(Serialize)]
struct Removed {
    action: &'static str,
    fingerprint: String,
    name: String,
}

pub(super) fn remove(args: &RemoveArgs, out: Output) -> Result {
    let client = args.tenant.connect(out)?;
    let mut found = Vec::with_capacity(args.ids.len());
    for id in &args.ids {
        match which::find(&client, id) {
            Err(Failure::Library(e)) if is_gone(&e) => gone(id, out)?,
            other => found.push(other?),
        }
    }
    if found.is_empty() {
        return Ok(Outcome::Done);
    }
    let tenant = client.wait(client.tenant())?;
    if args.dry_run {
        let request = |c: &TrustedCertificate| trusted::remove_request(tenant, &c.fingerprint);
        return show_requests(&found.iter().map(request).collect::<Vec<_>>(), out);
    }
    if !args.yes && !confirmed(&found, tenant)? {
        out.note("Nothing was removed.");
        return Ok(Outcome::NO);
    }
    for certificate in found {
        let removed = client.wait(trusted::remove(&client, &certificate.fingerprint))?;
        let action = if removed { "removed" } else { "not there" };
        let TrustedCertificate { fingerprint, name, .. } = certificate;
        let removed = Removed { action, fingerprint, name };
        out.result(&removed, |r| as_line(&format!("{}: {}", r.name, r.action)))?;
    }
    Ok(Outcome::Done)
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Platform(PlatformError::NotThere { .. }))
}

fn gone(id: &str, out: Output) -> Result<()> {
    let removed = Removed { action: "not there", fingerprint: String::new(), name: id.to_owned() };
    out.result(&removed, |r| as_line(&format!("{}: {}", r.name, r.action)))
}

fn confirmed(found: &[TrustedCertificate], tenant: &str) -> Result<bool> {
    let line = |c: &TrustedCertificate| format!("{}  {}  {}", c.name, c.subject, c.fingerprint);
    let lines: Vec<String> = found.iter().map(line).collect();
    let question = format!("Remove from tenant {tenant}? Their devices cannot connect then.");
    confirm("removing a trusted certificate", &lines, &question)
}
