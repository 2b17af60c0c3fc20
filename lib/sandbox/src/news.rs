//! What the page asks for every second: the requests since it asked last, and of the rest a part that does not grow
//! with the number of devices. What has not changed is not sent again.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::shared::Shared;

/// Rows of a list that are sent; the page says how many there are.
const MOST: usize = 50;

/// What the page has already.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Had {
    /// The number of the last request that it has seen.
    after: u64,
    /// The mark of the last state that it has seen.
    mark: String,
}

impl Had {
    /// Reads the query of a request: `after=7&mark=…`; what is no number counts as none.
    pub(super) fn of(query: Option<&str>) -> Self {
        let mut had = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            match pair.split_once('=') {
                Some(("after", number)) => had.after = number.parse().unwrap_or_default(),
                Some(("mark", mark)) => mark.clone_into(&mut had.mark),
                _ => {}
            }
        }
        had
    }
}

/// What is new since then.
pub(super) fn news(shared: &Shared, had: &Had) -> Value {
    let (tenants, connected, online) = {
        let world = shared.world();
        (world.view(MOST), world.online.view(MOST), world.online.len())
    };
    let state = json!({ "tenants": tenants, "connected": connected, "online": online });
    let mark = mark(&state);
    let journal = shared.journal();
    let mut news = json!({
        "mark": mark,
        "connections": journal.after(had.after),
        "requests": journal.requests(),
        "faulted": journal.faulted(),
    });
    if mark != had.mark {
        news["state"] = state;
    }
    news
}

/// Tells one state from another.
fn mark(state: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    state.to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_the_page_has() {
        let had = |after, mark: &str| Had { after, mark: mark.to_owned() };
        assert_eq!(Had::of(None), had(0, ""));
        assert_eq!(Had::of(Some("after=7&mark=ab")), had(7, "ab"));
        assert_eq!(Had::of(Some("mark=&after=x&more")), had(0, ""));
    }
}
