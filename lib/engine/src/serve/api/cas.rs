//! A CA and its revocation list are shown.

use std::time::SystemTime;

use hyper::header::IF_NONE_MATCH;

use super::ask::Ask;
use super::views::CaView;
use crate::crl::Crl;
use crate::crypto::{hex, sha256};
use crate::pki::Ca;
use crate::serve::answer::{Answer, Result, failed, not_found};
use crate::serve::limits::LIST_KEPT;

/// The media type of a revocation list (RFC 2585).
pub(super) const CRL: &str = "application/pkix-crl";

/// `GET /v1/cas/{ca}`.
pub(super) fn show(ask: &Ask<'_>) -> Result<Answer> {
    let ca = ask.ca(ask.word(0))?;
    let list = list_of(ask, &ca)?;
    Ok(Answer::json(&CaView::of(&ca, list.as_ref())))
}

/// `GET /v1/cas/{ca}/crl`: the last list, in DER. It may be kept until the next one is due, and for some minutes at most.
pub(super) fn crl(ask: &Ask<'_>) -> Result<Answer> {
    let ca = ask.ca(ask.word(0))?;
    let Some(list) = list_of(ask, &ca)? else {
        return Err(not_found(&format!("the CA {:?} has made no revocation list yet", ca.name)));
    };
    let tag = format!("\"{}\"", hex(&sha256(list.der())));
    let known = ask.call.header(IF_NONE_MATCH).unwrap_or_default();
    let is_known = known.split(',').map(str::trim).any(|one| one == "*" || one == tag);
    let answer = match is_known {
        true => Answer::new(304),
        false => Answer::of(CRL, list.der().to_vec()),
    };
    let left = list.next_update.map_or(0, |next| (next - ask.call.now).whole_seconds());
    let kept = left.clamp(0, LIST_KEPT);
    let made = httpdate::fmt_http_date(SystemTime::from(list.this_update));
    Ok(answer
        .with("Cache-Control", format!("private, max-age={kept}"))
        .with("Last-Modified", made)
        .with("ETag", tag))
}

fn list_of(ask: &Ask<'_>, ca: &Ca) -> Result<Option<Crl>> {
    let made = ask.shared.pki.made_list(ca).map_err(|e| failed(&e))?;
    made.map_err(|lost| failed(&lost.error()))
}
