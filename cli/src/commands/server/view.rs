//! What is told of a server's certificate that was made.

use std::path::Path;

use c8y_pki_engine::pki::Ca;
use c8y_pki_engine::servers::{MadeServer, ServerOrder};
use serde::Serialize;
use time::OffsetDateTime;

use crate::commands::{ml_dsa, planning};
use crate::failure::Result;
use crate::output::Output;
use crate::render::date;

#[derive(Serialize)]
struct View {
    name: String,
    alt_names: Vec<String>,
    serial: String,
    ca: String,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    folder: String,
    former: Option<String>,
}

/// Shows it, with its names, and says what clients trust.
pub(super) fn made(made: &MadeServer, ca: &Ca, out: Output) -> Result<()> {
    ml_dsa::warn(ml_dsa::of_certificate(&made.certificate), out);
    let view = View {
        name: made.name.to_string(),
        alt_names: made.alt_names.iter().map(ToString::to_string).collect(),
        serial: made.certificate.serial.to_string(),
        ca: ca.name.clone(),
        not_after: made.certificate.not_after,
        folder: made.folder.display().to_string(),
        former: made.former.as_ref().map(|path| path.display().to_string()),
    };
    out.result(&view, |view| {
        let former = view.former.as_ref().map(|former| format!("  former files  {former}\n"));
        format!(
            "server {}: {}\n  names         {}\n  serial        {}\n  issued by     {}\n  valid until   {}\n{}",
            view.name,
            view.folder,
            view.alt_names.join(", "),
            view.serial,
            view.ca,
            date(view.not_after),
            former.unwrap_or_default()
        )
    })?;
    let root = if ca.chain.len() == 1 { "its CA" } else { "the root above it" };
    out.note(&format!("Clients have to trust {root}: {}", certificate_of_root(ca)));
    Ok(())
}

/// What `--plan` shows.
#[derive(Serialize)]
struct Planned {
    name: String,
    alt_names: Vec<String>,
    ca: String,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    folder: String,
    /// The serial number of the certificate whose place it would take.
    replaces: Option<String>,
}

/// Shows a certificate that would be made. Nothing was changed.
pub(super) fn planned(
    (ca, order): (&Ca, &ServerOrder<'_>),
    place: &Path,
    not_after: OffsetDateTime,
    out: Output,
) -> Result<()> {
    let view = Planned {
        name: order.name.to_string(),
        alt_names: order.alt_names.iter().map(ToString::to_string).collect(),
        ca: ca.name.clone(),
        not_after,
        folder: place.join(order.name.as_str()).display().to_string(),
        replaces: order.replaces.map(|(former, _)| former.serial.to_string()),
    };
    out.result(&view, |view| {
        let replaces = view.replaces.as_ref().map(|serial| format!("  in place of   {serial}\n"));
        format!(
            "server {} would get a certificate: {}\n  names         {}\n  issued by     {}\n  valid until   {}\n{}",
            view.name,
            view.folder,
            view.alt_names.join(", "),
            view.ca,
            date(view.not_after),
            replaces.unwrap_or_default()
        )
    })?;
    planning::note(out);
    Ok(())
}

/// Where the root's certificate is, or what it is called.
fn certificate_of_root(ca: &Ca) -> String {
    match ca.chain.as_slice() {
        [_] => ca.dir().join("cert.pem").display().to_string(),
        more => format!(
            "{} (the last certificate of {})",
            more.last().map(|root| root.subject.to_string()).unwrap_or_default(),
            ca.dir().join("chain.pem").display()
        ),
    }
}
