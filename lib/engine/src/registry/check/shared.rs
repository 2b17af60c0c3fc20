//! One key, one holder: devices and CAs that have a live certificate for the same key.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Checked;
use crate::registry::{Registry, Result};

/// How many keys of several holders are named.
const MOST_KEYS: usize = 20;

/// How many holders of a key a sentence names.
const MOST_HOLDERS: usize = 3;

/// What is kept of a key's digest for each row: it is as good as random.
pub(super) fn start(digest: &[u8]) -> Option<u64> {
    digest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Finds keys of several holders among the live rows, each given by the start of its key and its number.
pub(super) fn check(
    registry: &Registry,
    keys: &mut [(u64, i64)],
    checked: &mut Checked,
) -> Result<()> {
    keys.sort_unstable();
    let session = registry.session()?;
    let sql = "SELECT key, folded_id, client_id FROM certificate WHERE id = ?1";
    let mut named = 0;
    for rows in keys.chunk_by(|one, other| one.0 == other.0).filter(|rows| rows.len() > 1) {
        let mut by_key: BTreeMap<Vec<u8>, Holders> = BTreeMap::new();
        for (_, id) in rows {
            let (key, folded, name): (Vec<u8>, Option<String>, Option<String>) =
                session
                    .one(sql, values![*id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            by_key.entry(key).or_default().add(folded, name);
        }
        for holders in by_key.into_values().filter(|holders| holders.ids.len() > 1) {
            checked.note("key", holders.sentence());
            named += 1;
        }
        if named >= MOST_KEYS {
            break;
        }
    }
    Ok(())
}

/// Who has a key.
#[derive(Default)]
struct Holders {
    /// Folded device ids; none for CAs, which may be one that was taken in anew.
    ids: BTreeSet<Option<String>>,
    names: Vec<String>,
}

impl Holders {
    fn add(&mut self, folded: Option<String>, name: Option<String>) {
        if self.ids.insert(folded) && self.names.len() < MOST_HOLDERS {
            self.names.push(name.map_or("a CA".to_owned(), |id| format!("the device {id:?}")));
        }
    }

    fn sentence(&self) -> String {
        let more = match self.ids.len() - self.names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = self.names.join(", ");
        format!(
            "{names}{more} have live certificates for the same key: give each a key of its own, and revoke \
             these"
        )
    }
}
