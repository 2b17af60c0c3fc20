//! `tenant trust list`: all of them.

use std::path::Path;

use c8y_pki_engine::platform::trusted;

use super::renewal;
use super::view::{View, on};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::{table, until};
use crate::tenant::TenantArgs;

pub(super) fn run(tenant: &TenantArgs, pki: &Path, out: Output) -> Result {
    let client = tenant.connect(out)?;
    let mut all = client.wait(trusted::list(&client))?;
    all.sort_by(|a, b| a.not_after.cmp(&b.not_after).then_with(|| a.name.cmp(&b.name)));
    let views: Vec<View<'_>> = all.iter().map(|c| View::of(c, None).among(&all)).collect();
    if views.is_empty() {
        out.note(&format!(
            "The tenant {} has no trusted certificate.",
            client.wait(client.tenant())?
        ));
    }
    out.results(&views, rows)?;
    renewal::tell(pki, &all, out);
    Ok(Outcome::Done)
}

fn rows(views: &[View<'_>]) -> String {
    if views.is_empty() {
        return String::new();
    }
    let row = |view: &View<'_>| {
        let c = view.certificate;
        vec![
            c.name.clone(),
            c.status.to_lowercase(),
            on(c.auto_registration_enabled).to_owned(),
            if c.proof_of_possession_valid { "complete" } else { "open" }.to_owned(),
            c.not_after.map_or_else(|| "unknown".to_owned(), until),
            c.fingerprint.clone(),
        ]
    };
    let header = ["NAME", "STATUS", "AUTO-REGISTRATION", "PROOF", "EXPIRES", "FINGERPRINT (SHA-1)"];
    table(&header, views.iter().map(row).collect())
}
