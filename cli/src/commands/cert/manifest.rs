//! `cert verify --manifest`: a hand-over file and the CA that has signed it.

use std::path::Path;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::chain;
use c8y_pki_core::failure::Hint;
use c8y_pki_engine::Error;
use c8y_pki_engine::files;
use c8y_pki_engine::manifest::{Listing, ManifestError};
use serde::Serialize;
use time::OffsetDateTime;

use super::args::VerifyArgs;
use super::lists::{self, Lists};
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::as_line;

#[derive(Serialize)]
struct ManifestVerdict {
    valid: bool,
    signed_by: Option<String>,
    /// Whether it is an old one, without a mark.
    old: bool,
    /// Whether revocation lists were looked at.
    revocation_checked: bool,
    error: Option<String>,
    hint: Option<Hint>,
}

/// A manifest is good if the CA has signed it that its rows name, and if that is trusted or has a good
/// chain.
pub(super) fn verify(
    args: &VerifyArgs,
    path: &Path,
    (chain, anchors): (&[Certificate], &[Certificate]),
    max_depth: u8,
    out: Output,
) -> Result {
    let mut signature = path.as_os_str().to_owned();
    signature.push(".sig");
    let (bytes, signature) = (files::read(path)?, files::read_small(Path::new(&signature))?);
    let listing = match Listing::read(&bytes) {
        Err(e @ ManifestError::Unreadable(_)) => {
            return Err(Error::from(e).in_file(path.display().to_string()).into());
        }
        read => read,
    };
    let old = listing.as_ref().is_ok_and(|listing| listing.old);
    let cas = [chain, anchors].concat();
    let lists = Lists::read(args, anchors)?;
    let mut options = chain::Options::new(args.at.unwrap_or_else(OffsetDateTime::now_utc));
    options.max_depth = max_depth;
    options.purpose = chain::Purpose::Any;
    let checked = || -> Result<&Certificate> {
        let signer = listing?.verify(&signature, &cas)?.signer;
        let judged = lists.judge(signer, chain, anchors, &options);
        lists::note_unused(&judged.lists, out);
        judged.error.map_or(Ok(signer), |e| Err(e.into()))
    };
    let revocation_checked = !args.crl.is_empty();
    let verdict = match checked() {
        Ok(signer) => ManifestVerdict {
            valid: true,
            signed_by: Some(signer.subject.to_string()),
            old,
            revocation_checked,
            error: None,
            hint: None,
        },
        Err(e) => ManifestVerdict {
            valid: false,
            signed_by: None,
            old,
            revocation_checked,
            error: Some(e.message()),
            hint: e.hint(),
        },
    };
    out.result(&verdict, manifest_text)?;
    Ok(Outcome::of(verdict.valid))
}

fn manifest_text(verdict: &ManifestVerdict) -> String {
    let Some(signer) = &verdict.signed_by else {
        let hint =
            verdict.hint.as_ref().map_or_else(String::new, |h| as_line(&format!("hint: {h}")));
        return as_line(&format!("refused: {}", verdict.error.as_deref().unwrap_or_default()))
            + &hint;
    };
    let note = match verdict.old {
        false => "",
        true => {
            "note: this is an old manifest without a first line that names purpose and issuer; `c8y-pki \
             device manifest` makes a new one\n"
        }
    };
    let revoked = match verdict.revocation_checked {
        true => "",
        false => "note: whether the CA is revoked was not looked at; --crl FILE does that\n",
    };
    as_line(&format!("valid: signed by {signer}")) + note + revoked
}
