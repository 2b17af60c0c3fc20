//! What failed, those of one kind together: one cause is told once, whatever it says of each device's own files.

use std::collections::HashMap;
use std::path::Path;

use super::{FailedStep, MOST_IDS, Why};
use crate::client_id::DeviceId;

/// What stands for the id of each device, and for the name of its directory.
pub(super) const ID: &str = "…";

/// A kind as it is found.
struct Kind {
    failure: FailedStep,
    /// With [`ID`] in it.
    general: Why,
}

/// The failures by kinds, in the order in which each kind came first. `out` is the directory of the devices' directories.
pub(super) fn together(all: Vec<(String, Why)>, out: &Path) -> Vec<FailedStep> {
    let mut places: HashMap<Why, usize> = HashMap::new();
    let (mut kinds, mut named): (Vec<Kind>, usize) = (Vec::new(), 0);
    for (id, why) in all {
        let general = general(&id, &why, out);
        let place = *places.entry(general.clone()).or_insert(kinds.len());
        if place == kinds.len() {
            let failure =
                FailedStep { ids: Vec::new(), count: 0, why: why.clone(), of_each: false };
            kinds.push(Kind { failure, general });
        }
        let Kind { failure, general } = &mut kinds[place];
        // Of one device, or the same for all of them: then nothing has to stand for anything.
        if failure.why != why && !failure.of_each {
            (failure.why, failure.of_each) = (general.clone(), true);
        }
        failure.count += 1;
        if named < MOST_IDS {
            failure.ids.push(id);
            named += 1;
        }
    }
    kinds.into_iter().map(|kind| kind.failure).collect()
}

/// The same with what is the device's own taken out.
fn general(id: &str, why: &Why, out: &Path) -> Why {
    let name = DeviceId::parse(id).map_or_else(|_| id.to_owned(), |id| id.file_name());
    let dir = out.join(name).display().to_string();
    let of_all = out.join(ID).display().to_string();
    let text = |text: &str| without(&without(text, &dir, &of_all), id, ID);
    Why {
        step: why.step.clone(),
        what: text(&why.what),
        cause: why.cause.as_deref().map(text),
        certain: why.certain,
        remedy: why.remedy.as_deref().map(text),
    }
}

/// The text with another one in place of whole words: `gw-1` is none of `gw-10`.
fn without(text: &str, word: &str, other: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let (mut done, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(word).filter(|_| !word.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let begins = !before.chars().next_back().or(done.chars().next_back()).is_some_and(is_part);
        let mut following = after.chars();
        // A full stop ends a sentence, or begins what comes after a name.
        let ends = match following.next() {
            Some('.') => !following.next().is_some_and(is_part),
            next => !next.is_some_and(is_part),
        };
        done.push_str(before);
        done.push_str(if begins && ends { other } else { word });
        rest = after;
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_replaced() {
        let of = |text: &str| without(text, "gw-1", ID);
        assert_eq!(of("gw-1: d:gw-1, gw-10, my-gw-1"), "…: d:…, gw-10, my-gw-1");
        assert_eq!(of("out/gw-1/key.pem of gw-1."), "out/…/key.pem of ….");
        assert_eq!(of("gw-1.old gw-1gw-1"), "gw-1.old gw-1gw-1");
        assert_eq!(without("a", "", ID), "a");
    }

    #[test]
    fn one_cause_is_one_kind_whatever_each_device_s_files_are_called() {
        let why = |id: &str| Why {
            step: "TLS".to_owned(),
            what: "alert".to_owned(),
            cause: Some(format!("the truststore out/{id}/truststore.pem lacks it")),
            certain: true,
            remedy: None,
        };
        let ids = ["gw-1", "gw-10", "gw-2"];
        let all = || ids.map(|id| (id.to_owned(), why(id))).to_vec();
        let kinds = together(all(), Path::new("out"));
        assert_eq!((kinds.len(), kinds[0].count, kinds[0].of_each), (1, 3, true));
        let cause = kinds[0].why.cause.as_deref();
        assert_eq!(cause, Some("the truststore out/…/truststore.pem lacks it"));
        // One alone is told as it is.
        let one = together(all()[..1].to_vec(), Path::new("out"));
        assert_eq!((one[0].of_each, &one[0].why), (false, &why("gw-1")));
        // What differs in more than that is another kind.
        let other = ("gw-3".to_owned(), why("another"));
        assert_eq!(together([all(), vec![other]].concat(), Path::new("out")).len(), 2);
    }
}
