//! What is told of a server's certificate that was made.

use c8y_pki_engine::pki::Ca;
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::servers::{Checked, MadeServer, ServerKey, ServerOrder};
use serde::Serialize;
use time::OffsetDateTime;

use crate::commands::{ml_dsa, planning, superseded};
use crate::failure::Result;
use crate::output::Output;
use crate::render::{as_line, date};

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

/// Says that the former certificate was revoked, if it was.
pub(super) fn revoked(order: &ServerOrder<'_>, out: Output) {
    if let Some((former, true)) = order.replaces {
        out.note(&superseded::revoked(1, [&former.ca]));
    }
}

/// What `--plan` shows.
#[derive(Serialize)]
struct Planned {
    name: String,
    alt_names: Vec<String>,
    ca: String,
    profile: String,
    /// The type of the new key; none if the server keeps its own.
    key_type: Option<&'static str>,
    bundle: Vec<&'static str>,
    #[serde(with = "time::serde::rfc3339")]
    not_before: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    folder: String,
    /// Where what stands there would be moved.
    moved_to: Option<String>,
    /// The serial number of the certificate whose place it would take.
    replaces: Option<String>,
    /// Whether that one would be revoked.
    revoke: bool,
}

impl Planned {
    fn of((ca, order): (&Ca, &ServerOrder<'_>), kinds: &[Bundle], checked: &Checked) -> Self {
        let is_new = matches!(order.key, ServerKey::New);
        Self {
            name: order.name.to_string(),
            alt_names: order.alt_names.iter().map(ToString::to_string).collect(),
            ca: ca.name.clone(),
            profile: order.profile.name.clone(),
            key_type: is_new.then_some(order.profile.key.name()),
            bundle: kinds.iter().map(|kind| kind.name()).collect(),
            not_before: checked.validity.not_before,
            not_after: checked.validity.not_after,
            folder: checked.folder.display().to_string(),
            moved_to: checked.moved_to.as_ref().map(|path| path.display().to_string()),
            replaces: order.replaces.map(|(former, _)| former.serial.to_string()),
            revoke: order.replaces.is_some_and(|(_, revoke)| revoke),
        }
    }

    fn text(&self) -> String {
        let revoked = if self.revoke { ", which would be revoked" } else { "" };
        let mut rows = vec![
            ("names", self.alt_names.join(", ")),
            ("issued by", self.ca.clone()),
            ("valid until", date(self.not_after)),
            ("profile", self.profile.clone()),
            (
                "key",
                self.key_type.map_or_else(|| "as it is".to_owned(), |key| format!("new, {key}")),
            ),
            ("files", self.bundle.join(", ")),
        ];
        rows.extend(
            self.replaces.as_ref().map(|serial| ("in place of", format!("{serial}{revoked}"))),
        );
        rows.extend(
            self.moved_to
                .as_ref()
                .map(|place| ("moved away", format!("what is in {}, to {place}", self.folder))),
        );
        let head = format!("server {} would get a certificate: {}", self.name, self.folder);
        let lines = rows.iter().map(|(name, value)| as_line(&format!("  {name:<13} {value}")));
        std::iter::once(as_line(&head)).chain(lines).collect()
    }
}

/// Shows a certificate that would be made. Nothing was changed.
pub(super) fn planned(
    what: (&Ca, &ServerOrder<'_>),
    kinds: &[Bundle],
    checked: Checked,
    out: Output,
) -> Result<()> {
    out.result(&Planned::of(what, kinds, &checked), Planned::text)?;
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
