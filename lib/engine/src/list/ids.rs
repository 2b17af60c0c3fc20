//! The ids of a list, each once: twenty bytes a device beside the id itself, so that a million
//! fit where a million `String`s in a map would not.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::device::Device;
use super::fault::BadRow;
use super::lines::place;
use crate::client_id::{DeviceId, likeness};

/// Ids in the order in which they came.
#[derive(Clone, Default)]
pub(super) struct Ids {
    /// All ids, one behind the other.
    text: String,
    entries: Vec<Entry>,
    /// Positions in `entries`, found by what ids look like.
    table: HashTable<u32>,
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    end: usize,
    /// 0: none.
    line: u64,
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ids({})", self.len())
    }
}

impl Ids {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The id at a position, as text.
    pub(super) fn text(&self, index: usize) -> &str {
        text_at(&self.text, &self.entries, index)
    }

    /// The id at a position.
    pub(super) fn id(&self, index: usize) -> DeviceId {
        DeviceId::known(self.text(index))
    }

    /// Its line in the list (from 1), if it came from one.
    pub(super) fn line(&self, index: usize) -> Option<u64> {
        Some(self.entries[index].line).filter(|line| *line > 0)
    }

    /// The position of an id, or of one that differs from it only in case or in how its letters are put together.
    pub(super) fn find(&self, id: &DeviceId) -> Option<usize> {
        let wanted = id.likeness();
        let same =
            |index: &u32| likeness(text_at(&self.text, &self.entries, *index as usize)) == wanted;
        self.table.find(self.hasher.hash_one(&wanted), same).map(|index| *index as usize)
    }

    /// Adds an id; refuses one that is there already or that [`DeviceId::likeness`] does not tell from another.
    pub(super) fn add(&mut self, device: &Device, file: Option<&str>) -> Result<(), BadRow> {
        let Device { id, line, .. } = device;
        if let Some(first) = self.find(id) {
            return Err(self.duplicate(device, file, first));
        }
        let index = u32::try_from(self.entries.len()).map_err(|_| {
            let message =
                format!("device id {:?} is too much: a list can have 2^32 ids", id.as_str());
            BadRow::of(device, message, Some("split the list".into()))
        })?;
        self.text.push_str(id.as_str());
        self.entries.push(Entry { end: self.text.len(), line: line.unwrap_or(0) });
        let hash = |index: &u32| {
            let text = text_at(&self.text, &self.entries, *index as usize);
            self.hasher.hash_one(likeness(text))
        };
        self.table.insert_unique(self.hasher.hash_one(id.likeness()), index, hash);
        Ok(())
    }

    fn duplicate(&self, device: &Device, file: Option<&str>, first: usize) -> BadRow {
        let (text, place) = (device.id.as_str(), place(file, device.counted, device.line));
        let first_text = self.text(first);
        let first_place =
            self.line(first).map_or_else(String::new, |n| format!(" in {} {n}", device.counted));
        let message = if first_text == text {
            format!("device id {text:?} ({place}) is there already{first_place}")
        } else if first_text.to_lowercase() == text.to_lowercase() {
            format!(
                "device id {text:?} ({place}) differs from {first_text:?}{first_place} only in case"
            )
        } else {
            format!(
                "device id {text:?} ({place}) looks like {first_text:?}{first_place}: only the form of its \
                 letters is different (Unicode, NFC and NFD)"
            )
        };
        let hint = Some("each device needs an id of its own: remove or rename one".into());
        BadRow::of(device, message, hint)
    }
}

fn text_at<'a>(text: &'a str, entries: &[Entry], index: usize) -> &'a str {
    let start = index.checked_sub(1).map_or(0, |before| entries[before].end);
    &text[start..entries[index].end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn an_id_is_refused_exactly_when_it_was_there(texts in
            proptest::collection::vec("[a-cA-CäÄßẞ]{1,3}", 1..200))
        {
            let (mut ids, mut folded, mut kept) = (Ids::default(), HashSet::new(), Vec::new());
            for text in &texts {
                let id = DeviceId::parse(text).unwrap();
                let is_new = folded.insert(id.likeness());
                prop_assert_eq!(ids.add(&id.into(), None).is_ok(), is_new, "{}", text);
                kept.extend(is_new.then_some(text));
            }
            let all: Vec<&str> = (0..ids.len()).map(|index| ids.text(index)).collect();
            prop_assert_eq!(all, kept);
        }
    }
}
