//! Who asks: the bearer of a token.

use std::time::Instant;

use crate::clock::rfc3339;
use crate::serve::answer::{Result, failed, no_token, too_many};
use crate::serve::call::Call;
use crate::serve::state::Shared;
use crate::serve::token::Token;
use crate::serve::tokens::token_of;

/// The token that is shown, if it is one.
pub(super) fn bearer(shared: &Shared, call: &Call) -> Result<Token> {
    let shown =
        call.bearer().ok_or_else(|| no_token("a bearer token of this service is needed", None))?;
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
