//! Who asks: the bearer of a token, or who shows a client certificate that is kept.

use std::time::Instant;

use crate::cert::Certificate;
use crate::clock::rfc3339;
use crate::serve::answer::{Result, failed, no_token, too_many};
use crate::serve::call::Call;
use crate::serve::state::Shared;
use crate::serve::token::Token;
use crate::serve::tokens::{certificate_of, token_of, tokens};

/// Who asks. A token that is shown counts, also beside a certificate.
pub(super) fn client(shared: &Shared, call: &Call) -> Result<Token> {
    match (call.bearer(), &call.certificate) {
        (Some(shown), _) => bearer(shared, call, shown),
        (None, Some(der)) => certificate(shared, call, der),
        (None, None) => {
            let why =
                "a bearer token of this service is needed, or a client certificate that it knows";
            Err(no_token(why, None))
        }
    }
}

/// The very certificate that is kept; the handshake has shown that its key is there. Many may try: nobody guesses one.
fn certificate(shared: &Shared, call: &Call, der: &[u8]) -> Result<Token> {
    let all = tokens(&shared.pki).map_err(|e| failed(&e))?;
    let known = certificate_of(&all, der);
    let unknown = || no_token("the client certificate is not that of a client of the API", None);
    let token = known.ok_or_else(unknown)?.clone();
    let shown = Certificate::from_der(der).map_err(|_| unknown())?;
    let refused = |why: &str| {
        let mut refusal = no_token(why, None);
        refusal.note.token = Some(token.name.clone());
        Err(refusal)
    };
    if call.now < shown.not_before {
        let from = rfc3339(shown.not_before);
        return refused(&format!("the client certificate is valid from {from} on"));
    }
    match [Some(shown.not_after), token.expires].into_iter().flatten().min() {
        Some(end) if end <= call.now => {
            refused(&format!("the client certificate has ended on {}", rfc3339(end)))
        }
        _ => Ok(token),
    }
}

/// The token that is shown, if it is one.
fn bearer(shared: &Shared, call: &Call, shown: &str) -> Result<Token> {
    let found = token_of(&shared.pki, shown).map_err(|e| failed(&e))?;
    let Some(token) = found else {
        let wait = shared.strangers.count(call.client, Instant::now());
        let mut refusal = match wait {
            None => no_token("the token is not known", Some("invalid_token")),
            Some(wait) => too_many(
                "too many tokens from this address were not known",
                wait.as_secs().saturating_add(1),
            ),
        };
        refusal.is_wrong = true;
        return Err(refusal);
    };
    match token.expires {
        Some(end) if token.has_ended(call.now) => {
            let why = format!("the token has ended on {}", rfc3339(end));
            let mut refusal = no_token(&why, Some("invalid_token"));
            refusal.note.token = Some(token.name);
            Err(refusal)
        }
        _ => Ok(token),
    }
}
