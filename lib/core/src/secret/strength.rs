//! How strong the password of a CA's key has to be.
//!
//! Anyone who gets hold of the file guesses as long as they like: nothing counts the attempts, and only the
//! key derivation makes each one slow (`key::CA_ITERATIONS`). So a password that is chosen for a CA's key
//! is judged when it is made ([`ChosenPassword::judge`]): by its length, and by zxcvbn (Wheeler, "zxcvbn:
//! Low-Budget Password Strength Estimation", USENIX Security 2016), which knows common passwords, names,
//! words, dates, keyboard patterns and repetitions. The best of its scores, 4, is asked for: "strong
//! protection from offline slow-hash scenario", 10^10 guesses or more; 3 is "moderate protection" from
//! it. A password that only opens what is there is never judged.
//!
//! The estimator looks at the first 100 characters; its working copies of them are not wiped from memory. It
//! asks the clock for the year, since recent years are guessed first; nothing else depends on it.

use std::fmt;

use zxcvbn::{Score, zxcvbn};

use super::Password;
use crate::failure::{Failure, Fault, Hint, Permission};

/// Fewest characters of a password that protects a CA's key.
pub const MIN_CA_PASSWORD: usize = 12;

/// The score of zxcvbn (0 to 4) that such a password has to have.
const MIN_SCORE: Score = Score::Four;

/// What somebody guesses first who sees what the file is for.
const OBVIOUS: [&str; 4] = ["cumulocity", "c8y", "c8y-pki", "thinedge"];

/// Why a password is too weak for a CA's key. The password itself is not in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakPassword {
    /// Too short.
    #[error(
        "the password is too weak for a CA's key: it has fewer than {MIN_CA_PASSWORD} characters"
    )]
    Short,
    /// Too easily guessed.
    #[error("the password is too weak for a CA's key: {0}")]
    Guessable(String),
}

impl Failure for WeakPassword {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        let random = Hint::say("use a random one: `openssl rand -base64 18`");
        Some(random.then(Hint::permit("for tests and labs, allow it", Permission::WeakPassword)))
    }
}

/// A password that may protect a CA's key from now on.
#[derive(Clone, PartialEq, Eq)]
pub struct ChosenPassword(Password);

impl ChosenPassword {
    /// Takes a password that is strong enough.
    pub fn judge(password: Password) -> Result<Self, WeakPassword> {
        let text = password.expose();
        if text.chars().count() < MIN_CA_PASSWORD {
            return Err(WeakPassword::Short);
        }
        let estimate = zxcvbn(text, &OBVIOUS);
        if estimate.score() < MIN_SCORE {
            // One of a fixed set of sentences, which name a kind of weakness.
            let known = estimate.feedback().and_then(|feedback| feedback.warning());
            let reason = known.map_or_else(
                || "it can be found with fewer than 10^10 guesses".to_owned(),
                |warning| sentence(&warning.to_string()),
            );
            return Err(WeakPassword::Guessable(reason));
        }
        Ok(Self(password))
    }

    /// Takes any password: in tests and labs, or because the key has it already.
    pub fn unjudged(password: Password) -> Self {
        Self(password)
    }

    /// The password.
    pub fn password(&self) -> &Password {
        &self.0
    }
}

/// As the end of a sentence of ours.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().map(char::to_lowercase);
    first.into_iter().flatten().chain(letters).collect()
}

impl fmt::Debug for ChosenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChosenPassword(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<ChosenPassword, WeakPassword> {
        ChosenPassword::judge(Password::new(text))
    }

    #[test]
    fn random_passwords_and_unusual_phrases_are_taken() {
        for text in ["vMYOKXsOHpWq5tgMFTyNe0Ld", "x8#Lq-44zPwT", "gerben kanister luchs 38 tonne"] {
            assert_eq!(judge(text).unwrap().password().expose(), text);
        }
    }

    #[test]
    fn short_and_common_ones_are_not() {
        for text in ["", "a", "x8#Lq-44zPw", "\u{e4}\u{f6}\u{fc}\u{df}-\u{20ac}\u{4e2d}\u{6587}-1"]
        {
            assert_eq!(judge(text), Err(WeakPassword::Short), "{text}");
        }
        for text in [
            "password1234",
            "aaaaaaaaaaaaaaaa",
            "qwertyuiop12",
            "cumulocity-c8y",
            "20260101-20271231",
            "abcabcabcabcabc",
        ] {
            let error = judge(text).unwrap_err();
            assert!(matches!(error, WeakPassword::Guessable(_)), "{text}");
            let said = format!("{error} {:?}", ChosenPassword::unjudged(Password::new(text)));
            assert!(!said.contains(text), "{said}");
        }
    }
}
