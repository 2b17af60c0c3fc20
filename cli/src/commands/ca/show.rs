//! `ca show`: a CA, its certificate and its policy.

use std::path::Path;

use c8y_pki_engine::inspect::CertificateView;
use c8y_pki_engine::pki::policy::SigningPolicy;
use serde::Serialize;

use super::view::{CaView, revoked};
use crate::clock;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::items;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    ca: CaView,
    policy: SigningPolicy,
    certificate: CertificateView,
}

pub(super) fn run(name: &str, dir: &Path, out: Output) -> Result {
    let pki = clock::open_to_read(dir, out)?;
    let ca = pki.ca(name)?;
    let certificate = CertificateView::of(ca.certificate());
    let policy = pki.policy(&ca.name);
    let view = CaView::of(&ca, &pki.registry().device_counts()?);
    let view = CaView { revoked: revoked(&pki, &ca)?, ..view };
    let shown = Shown { ca: view, policy, certificate };
    out.result(&shown, |s| {
        let item = c8y_pki_engine::inspect::Item::Certificate(Box::new(s.certificate.clone()));
        let parent = s.ca.parent.as_deref().unwrap_or("none");
        format!(
            "CA {}{}\n  parent        {parent}\n  devices       {}\n  policy        {}\n  directory     \
             {}{}{}\n\n{}",
            s.ca.name,
            s.ca.revoked.map_or_else(String::new, |reason| format!(" (revoked: {reason})")),
            s.ca.devices,
            s.policy,
            s.ca.folder,
            s.ca.token.as_ref().map_or_else(String::new, |uri| format!("\n  key           {uri}")),
            if s.ca.key_here { "" } else { "\n  key           not here" },
            items(&[item])
        )
    })?;
    Ok(Outcome::Done)
}
