//! Ids of new devices, ids that exist and that no new device may have, and what to do about one that is
//! refused.

use super::{ClientIdError, DeviceId, ROUNDED, Rule, is_invisible, reserved};
use crate::failure::{Failure, Fault, Hint};

impl DeviceId {
    /// The same as [`parse`](Self::parse) for a device that is new: see the module's documentation.
    pub fn parse_new(text: &str) -> Result<Self, ClientIdError> {
        let id = Self::parse(text)?;
        id.check_new()?;
        Ok(id)
    }

    /// Whether the platform takes the id for a new device.
    #[doc(hidden)]
    pub fn check_new(&self) -> Result<(), ClientIdError> {
        match self.0.chars().find(|c| not_in_new(*c)) {
            Some(found) => Err(ClientIdError { id: self.0.clone(), rule: Rule::NotInNew(found) }),
            None => Ok(()),
        }
    }

    /// What is to be said of an id that exists, and that the platform refuses in new devices: the character,
    /// and what follows there (platform: "Rules that certificates must meet"). None for all others.
    #[doc(hidden)]
    pub fn remark(&self) -> Option<String> {
        let refused = self.check_new().err()?;
        Some(format!(
            "{refused} (since its release 10.20.90): a device that is not registered there yet cannot be \
             registered with this id; it is not documented what happens to a registered one"
        ))
    }
}

/// Platform: "Rules that certificates must meet".
fn not_in_new(c: char) -> bool {
    matches!(c, '\\' | '$') || c.is_whitespace()
}

impl Failure for Rule {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    /// What helps depends on the text: [`ClientIdError`] says it.
    fn hint(&self) -> Option<Hint> {
        None
    }
}

impl Failure for ClientIdError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        let id = &self.id;
        match self.rule {
            Rule::Reserved { found: ':', .. } => Some(of_colons(id).into()),
            Rule::Reserved { .. } | Rule::NotInNew(_) => Some(another_character(id).into()),
            Rule::Start { .. } => Some(match suggestion(id) {
                Some(id) => format!("start with a letter or digit, for example \"{id}\"").into(),
                None => "start with a letter or digit".into(),
            }),
            Rule::Padded => Some(match suggestion(id) {
                Some(id) => format!("write it as \"{id}\"").into(),
                None => "leave out the white space".into(),
            }),
            Rule::Invisible(_) => suggestion(id)
                .map(|id| format!("leave out what cannot be seen, for example \"{id}\"").into()),
            Rule::Rounded => Some(ROUNDED.into()),
            Rule::Empty => Some("give it an id".into()),
            _ => None,
        }
    }
}

fn of_colons(id: &str) -> String {
    let bare = id.strip_prefix("d:").filter(|rest| DeviceId::parse_new(rest).is_ok());
    match bare {
        Some(rest) => format!("give the id without the connection type: {rest}"),
        None if is_mac(id) => format!("use the address without colons: {}", id.replace(':', "")),
        None => another_character(id),
    }
}

fn another_character(id: &str) -> String {
    match suggestion(id) {
        Some(id) => format!("use another character, for example \"{id}\""),
        None => "use letters, digits, `-`, `_` and `.`".to_owned(),
    }
}

/// An id that is like this one and that a new device may have, if there is one.
fn suggestion(id: &str) -> Option<String> {
    let seen = id.trim().chars().filter(|c| !is_invisible(*c) || c.is_whitespace());
    let replaced = |c: char| match reserved(c).is_some() || not_in_new(c) {
        true => '_',
        false => c,
    };
    let text: String = seen.map(replaced).collect();
    let text = text.trim_start_matches(['-', '=', '@']);
    DeviceId::parse_new(text).ok().map(|id| id.0)
}

/// Whether it is the address of a network interface: pairs of hex digits.
fn is_mac(id: &str) -> bool {
    let mut pairs = id.split(':');
    pairs.all(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn new_ids_are_held_to_more_than_those_that_exist() {
        for (id, found, instead) in [
            ("two words", ' ', "two_words"),
            ("${HOME}", '$', "_{HOME}"),
            (r"a\b", '\\', "a_b"),
            // All of its characters are replaced, not only the one that is named.
            (r"a b$c\d", ' ', "a_b_c_d"),
        ] {
            assert!(DeviceId::parse(id).is_ok(), "{id}");
            let refused = DeviceId::parse_new(id).unwrap_err();
            assert_eq!(refused.rule, Rule::NotInNew(found));
            let hint = refused.hint().unwrap().to_string();
            assert_eq!(hint, format!("use another character, for example \"{instead}\""));
            assert!(DeviceId::parse_new(instead).is_ok());
        }
    }

    #[test]
    fn an_id_that_exists_is_remarked_on() {
        let remark = |id: &str| DeviceId::parse(id).unwrap().remark();
        assert_eq!(remark("gw-1"), None);
        let said = remark("two words").unwrap();
        assert!(
            said.starts_with("device id \"two words\" contains ' ', which the platform"),
            "{said}"
        );
        assert!(said.contains("cannot be registered with this id"), "{said}");
    }

    /// The id that a hint names.
    fn named(hint: &str) -> Option<&str> {
        hint.split_once('"').and_then(|(_, rest)| rest.strip_suffix('"'))
    }

    #[test]
    fn what_a_hint_names_works_when_typed() {
        for id in [
            "d:a b",
            "a:b/c d",
            "-rf",
            "--",
            "@x$y",
            " x y ",
            "zero\u{200b}width",
            "a\u{a0}b",
            "::",
        ] {
            let hint = DeviceId::parse(id).unwrap_err().hint().unwrap().to_string();
            if let Some(named) = named(&hint) {
                assert!(DeviceId::parse_new(named).is_ok(), "{id:?}: {hint}");
            }
            if let Some((_, bare)) = hint.split_once("connection type: ") {
                assert!(DeviceId::parse_new(bare).is_ok(), "{id:?}: {hint}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_hint_names_an_id_that_is_refused(text in any::<String>()) {
            if let Some(hint) = DeviceId::parse_new(&text).err().and_then(|e| e.hint()).map(|hint| hint.to_string())
                && let Some(id) = named(&hint) {
                prop_assert!(DeviceId::parse_new(id).is_ok(), "{}", hint);
            }
        }
    }
}
