//! What lies under an error: another library's error, or the system's.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// An error of another library or of the system, kept as it is behind the words for it.
///
/// The words stand in the sentence of the error that holds it; the error itself is its
/// [`source`](Error::source), for a program that asks for it by its type. Two are equal if their words are.
#[derive(Debug, Clone)]
pub struct Underlying(Arc<Worded>);

/// Behind a pointer, so that an error that holds it stays small.
#[derive(Debug)]
struct Worded {
    words: Cow<'static, str>,
    error: Option<Box<dyn Error + Send + Sync>>,
}

impl Underlying {
    /// An error whose own words are good.
    pub fn of(error: impl Error + Send + Sync + 'static) -> Self {
        Self::worded(error.to_string(), error)
    }

    /// An error, and better words for it.
    pub fn worded(
        words: impl Into<Cow<'static, str>>,
        error: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self::new(words.into(), Some(Box::new(error)))
    }

    fn new(words: Cow<'static, str>, error: Option<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::new(Worded { words, error }))
    }

    /// The error, if it is of this type.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.error.as_ref()?.downcast_ref()
    }
}

impl From<String> for Underlying {
    fn from(words: String) -> Self {
        Self::new(words.into(), None)
    }
}

impl From<&'static str> for Underlying {
    fn from(words: &'static str) -> Self {
        Self::new(words.into(), None)
    }
}

impl fmt::Display for Underlying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.words)
    }
}

impl Error for Underlying {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.error.as_deref().map(|error| error as _)
    }
}

impl PartialEq for Underlying {
    fn eq(&self, other: &Self) -> bool {
        self.0.words == other.0.words
    }
}

impl Eq for Underlying {}

/// The sentences under an error from the top down, each once: what the one above says already is left out.
pub fn unsaid(error: &dyn Error) -> Vec<String> {
    let mut said = error.to_string();
    let mut unsaid = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        let words = error.to_string();
        if !said.contains(&words) {
            unsaid.push(words.clone());
            said.push('\n');
            said.push_str(&words);
        }
        next = error.source();
    }
    unsaid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it cannot be done: {reason}")]
    struct Outer {
        #[source]
        reason: Underlying,
    }

    #[test]
    fn the_error_is_kept_and_its_words_are_said_once() {
        let number = || "x".parse::<u8>().unwrap_err();
        let plain = Outer { reason: Underlying::of(number()) };
        assert_eq!(plain.to_string(), "it cannot be done: invalid digit found in string");
        assert_eq!(unsaid(&plain), [""; 0]);
        assert_eq!(plain.reason.downcast_ref(), Some(&number()));
        let worded = Outer { reason: Underlying::worded("it is no number", number()) };
        assert_eq!(worded.to_string(), "it cannot be done: it is no number");
        assert_eq!(unsaid(&worded), ["invalid digit found in string"]);
        let found = worded.source().and_then(Error::source).unwrap();
        assert_eq!(found.downcast_ref(), Some(&number()));
        let alone = Outer { reason: "nothing is there".into() };
        assert!(alone.reason.source().is_none() && unsaid(&alone).is_empty());
    }
}
