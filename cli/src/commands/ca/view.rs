//! What is said of a CA.

use std::collections::BTreeMap;
use std::path::Path;

use c8y_pki_core::failure::Task;
use c8y_pki_engine::pki::{Ca, KeyPlace, Pki, WaitingCa};
use serde::Serialize;
use time::OffsetDateTime;

use super::history;
use crate::commands::ml_dsa;
use crate::commands::openssl_conf::ConfView;
use crate::failure::{Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{day, printable, until};

/// What is said of a CA.
#[derive(Debug, Serialize)]
pub(super) struct CaView {
    pub(super) name: String,
    pub(super) parent: Option<String>,
    pub(super) subject: String,
    pub(super) key: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) not_after: OffsetDateTime,
    pub(super) revoked: Option<&'static str>,
    pub(super) path_length: Option<u32>,
    pub(super) chain_length: usize,
    pub(super) devices: u64,
    pub(super) folder: String,
    /// The URI of its key, if that is in a token.
    pub(super) token: Option<String>,
    /// Whether its key, or the URI of it, is in the directory.
    pub(super) key_here: bool,
    /// Also where its file names none.
    #[serde(skip)]
    pub(super) in_token: bool,
}

impl CaView {
    pub(super) fn of(ca: &Ca, devices: &BTreeMap<String, u64>) -> Self {
        let cert = ca.certificate();
        Self {
            name: ca.name.clone(),
            parent: ca.parent.clone(),
            subject: cert.subject.to_string(),
            key: match &cert.public_key {
                Ok(key) => key.algorithm().to_string(),
                Err(e) => e.to_string(),
            },
            not_after: cert.not_after,
            revoked: None,
            path_length: cert.basic_constraints.and_then(|bc| bc.path_length),
            chain_length: ca.chain.len(),
            devices: devices.get(&ca.name).copied().unwrap_or(0),
            folder: ca.dir().display().to_string(),
            key_here: ca.has_key(),
            in_token: ca.key_place().is_in_token(),
            token: match ca.key_place() {
                KeyPlace::Token { uri, .. } => Some(uri.to_string()),
                KeyPlace::File(_) | KeyPlace::Unnamed { .. } => None,
            },
        }
    }
}

/// A CA that waits for its certificate.
#[derive(Debug, Serialize)]
pub(super) struct WaitingView {
    name: String,
    subject: String,
    key: String,
    /// Always true: no CA that has its certificate has this field.
    waiting: bool,
    /// The file of its request.
    request: String,
    folder: String,
    /// The URI of its key, if that is in a token.
    token: Option<String>,
}

impl WaitingView {
    pub(super) fn of(ca: &WaitingCa) -> Self {
        Self {
            name: ca.name.clone(),
            subject: ca.request.subject.to_string(),
            key: match &ca.request.public_key {
                Ok(key) => key.algorithm().to_string(),
                Err(e) => e.to_string(),
            },
            waiting: true,
            request: ca.request_path().display().to_string(),
            folder: ca.dir().display().to_string(),
            token: match ca.key_place() {
                KeyPlace::Token { uri, .. } => Some(uri.to_string()),
                KeyPlace::File(_) | KeyPlace::Unnamed { .. } => None,
            },
        }
    }

    /// As a row of the table of CAs.
    pub(super) fn row(&self) -> Vec<String> {
        let key = match &self.token {
            None => self.key.clone(),
            Some(_) => format!("{}, in a token", self.key),
        };
        let waits = "waits for its certificate".to_owned();
        vec![self.name.clone(), self.subject.clone(), key, waits, "-".to_owned(), "-".to_owned()]
    }

    pub(super) fn what_to_do(&self) -> String {
        format!(
            "{} waits: have {} signed, and take the answer in: {}",
            self.name,
            self.request,
            hint::run(&Task::TakeAnswer { ca: self.name.clone() })
        )
    }
}

/// A CA that was made or taken in.
#[derive(Serialize)]
pub(super) struct Made<'a> {
    #[serde(flatten)]
    ca: CaView,
    /// `made`, `renewed`, or what taking it in again has changed.
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'a history::HistoryView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openssl_conf: Option<&'a ConfView>,
}

pub(super) fn made(ca: &Ca, out: Output) -> Result {
    made_with(ca, "made", (None, None), out)
}

/// The same with what was taken over.
pub(super) fn made_with(
    ca: &Ca,
    change: &'static str,
    (history, openssl_conf): (Option<&history::HistoryView>, Option<&ConfView>),
    out: Output,
) -> Result {
    ml_dsa::warn(ml_dsa::of_certificate(ca.certificate()), out);
    let made = Made { ca: CaView::of(ca, &BTreeMap::new()), change, history, openssl_conf };
    out.result(&made, |made| {
        let v = &made.ca;
        format!(
            "CA {}: {}\n  valid until {} ({}), {}\n  certificate {}\n{}{}",
            v.name,
            printable(&v.subject),
            day(v.not_after),
            until(v.not_after),
            v.key,
            Path::new(&v.folder).join("cert.pem").display(),
            made.history.map_or_else(String::new, |history| format!("  {}", history.line())),
            made.openssl_conf.map_or_else(String::new, ConfView::lines)
        )
    })?;
    out.note(&match ca.key_place() {
        KeyPlace::File(path) => format!("Its key is encrypted: {}", path.display()),
        KeyPlace::Token { uri, .. } => format!("Its key is in the token: {uri}"),
        KeyPlace::Unnamed { path, .. } => format!("Its key is in a token: {}", path.display()),
    });
    Ok(Outcome::Done)
}

/// Why a CA's certificate was revoked, if it was.
pub(super) fn revoked(pki: &Pki, ca: &Ca) -> Result<Option<&'static str>> {
    Ok(pki.registry().revocation(ca.certificate())?.map(|revoked| revoked.reason.name()))
}
