//! A certificate that is refused: which one of a chain, and by which rule.

use serde::ser::SerializeStruct;

use super::rule::Rule;
use crate::failure::{Failure, Fault, Hint};
use crate::name::Name;

/// A certificate that was refused, and why.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{} ({}) {rule} ({})", nth(*position), display_name(subject), rule.reference())]
pub struct Refusal {
    /// Its place in the chain that was tried: 0 is the leaf.
    pub position: usize,
    /// Its subject.
    pub subject: Name,
    /// The rule it breaks.
    #[source]
    pub rule: Rule,
}

impl Failure for Refusal {
    fn fault(&self) -> Fault {
        self.rule.fault()
    }

    fn hint(&self) -> Option<Hint> {
        self.rule.hint()
    }
}

impl serde::Serialize for Refusal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Refusal", 6)?;
        out.serialize_field("position", &self.position)?;
        out.serialize_field("subject", &self.subject)?;
        out.serialize_field("rule", self.rule.code())?;
        out.serialize_field("reference", self.rule.reference())?;
        out.serialize_field("message", &self.to_string())?;
        out.serialize_field("hint", &self.rule.hint())?;
        out.end()
    }
}

/// A certificate of a chain in words, by its place from 0: `the 1st certificate`.
#[doc(hidden)]
pub fn nth(position: usize) -> String {
    let number = position.saturating_add(1);
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("the {number}{ending} certificate")
}

pub(super) fn display_name(name: &Name) -> String {
    if name.is_empty() { "without a subject".to_owned() } else { name.to_string() }
}

#[cfg(test)]
mod tests {
    use super::nth;

    #[test]
    fn places_are_counted_as_people_do() {
        for (position, words) in [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th")] {
            assert_eq!(nth(position), format!("the {words} certificate"));
        }
        assert_eq!(
            (nth(11), nth(20)),
            ("the 12th certificate".into(), "the 21st certificate".into())
        );
    }
}
