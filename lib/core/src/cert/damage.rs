//! What is wrong with the DER of a certificate, a request or a list, in words: the parser's own are those of a debugger.

use crate::failure::Underlying;
use x509_parser::error::X509Error;
use x509_parser::nom;

/// The parser's error, with our words for it.
pub(crate) fn damage(error: nom::Err<X509Error>) -> Underlying {
    Underlying::worded(damage_words(&error), error)
}

/// In words.
fn damage_words(error: &nom::Err<X509Error>) -> String {
    match error {
        nom::Err::Incomplete(_) => CUT_OFF.to_owned(),
        nom::Err::Error(found) | nom::Err::Failure(found) => match found {
            // What these hold is text for debuggers.
            X509Error::Der(_) | X509Error::NomError(_) => NO_DER.to_owned(),
            other => format!("{other}, as the parser says"),
        },
    }
}

const CUT_OFF: &str = "it ends too early";
const NO_DER: &str = "a part of it is missing, cut off, or not the DER that belongs there";

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::asn1_rs;

    #[test]
    fn no_words_are_those_of_a_debugger() {
        let inner = [
            X509Error::Der(asn1_rs::Error::InvalidLength),
            X509Error::NomError(nom::error::ErrorKind::Tag),
            X509Error::InvalidVersion,
        ];
        let mut all: Vec<_> = inner.into_iter().map(nom::Err::Error).collect();
        all.push(nom::Err::Incomplete(nom::Needed::Unknown));
        for error in all {
            let words = damage_words(&error);
            assert!(!words.contains(['(', '{', ':']) && words.contains(' '), "{words}");
        }
    }
}
