//! What devices have made by their messages: their object, their children, their events; and the messages
//! that are only noted.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::clock::iso;

/// How many events of a device are kept.
const EVENTS: usize = 100;
/// How many other messages of a device are kept, and how many characters of each.
const NOTED: usize = 100;
const SHOWN: usize = 500;

/// Name and type of what was made, and when.
#[derive(Debug, Clone)]
struct Made {
    name: String,
    kind: String,
    at: OffsetDateTime,
}

impl Made {
    fn view(&self) -> Value {
        json!({ "name": self.name, "type": self.kind, "created": iso(self.at) })
    }
}

#[derive(Debug, Clone)]
struct Child {
    made: Made,
    /// The child below which it is; none for the device itself.
    parent: Option<String>,
}

#[derive(Debug, Clone)]
struct Event {
    at: OffsetDateTime,
    source: String,
    kind: String,
    text: String,
}

/// A message as it came.
#[derive(Debug, Clone)]
struct Noted {
    at: OffsetDateTime,
    source: String,
    text: String,
}

/// What one device has made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inventory {
    object: Option<Made>,
    children: BTreeMap<String, Child>,
    events: VecDeque<Event>,
    noted: VecDeque<Noted>,
}

impl Inventory {
    /// Makes the device's object; false if it is there.
    pub(crate) fn create(&mut self, name: &str, kind: &str, at: OffsetDateTime) -> bool {
        let new = self.object.is_none();
        self.object.get_or_insert_with(|| made(name, kind, at));
        new
    }

    /// The identifiers of the children of the device, or of a child.
    pub(crate) fn children_of(&self, parent: Option<&str>) -> Vec<&str> {
        let children = self.children.iter().filter(|(_, child)| child.parent.as_deref() == parent);
        children.map(|(id, _)| id.as_str()).collect()
    }

    /// Notes a message: where it came from, a child or a topic, and what it says.
    pub(crate) fn note(&mut self, source: &str, text: &str, at: OffsetDateTime) {
        if self.noted.len() == NOTED {
            self.noted.pop_front();
        }
        let text = text.chars().take(SHOWN).collect();
        self.noted.push_back(Noted { at, source: source.to_owned(), text });
    }

    /// Makes a child, if it is not there.
    pub(crate) fn add_child(
        &mut self,
        parent: Option<&str>,
        id: &str,
        (name, kind): (&str, &str),
        at: OffsetDateTime,
    ) {
        let child = || Child { made: made(name, kind, at), parent: parent.map(str::to_owned) };
        self.children.entry(id.to_owned()).or_insert_with(child);
    }

    /// Whether the device has made its object.
    pub(crate) fn has_object(&self) -> bool {
        self.object.is_some()
    }

    pub(crate) fn has_child(&self, id: &str) -> bool {
        self.children.contains_key(id)
    }

    /// Adds an event of the device or of a child.
    pub(crate) fn add_event(&mut self, source: &str, kind: &str, text: &str, at: OffsetDateTime) {
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        let (source, kind, text) = (source.to_owned(), kind.to_owned(), text.to_owned());
        self.events.push_back(Event { at, source, kind, text });
    }

    /// Its `object`, `children`, `events` and other `messages`.
    pub(crate) fn view(&self) -> Value {
        let child = |(id, child): (&String, &Child)| {
            let mut view = child.made.view();
            view["id"] = id.as_str().into();
            view["parent"] = child.parent.as_deref().into();
            view
        };
        let event = |event: &Event| {
            json!({
                "at": iso(event.at), "source": event.source, "type": event.kind, "text": event.text,
            })
        };
        let noted = |noted: &Noted| json!({ "at": iso(noted.at), "source": noted.source, "text": noted.text });
        json!({
            "messages": self.noted.iter().map(noted).collect::<Vec<_>>(),
            "object": self.object.as_ref().map(Made::view),
            "children": self.children.iter().map(child).collect::<Vec<_>>(),
            "events": self.events.iter().map(event).collect::<Vec<_>>(),
        })
    }
}

fn made(name: &str, kind: &str, at: OffsetDateTime) -> Made {
    Made { name: name.to_owned(), kind: kind.to_owned(), at }
}
