//! The messages of SmartREST that a device may send (platform: "Topics"; the vendor's list of static
//! templates).
//!
//! | message | what comes of it |
//! | --- | --- |
//! | 100 | the device's object; what is left out is made up as the platform does; a second one is told on `s/e` |
//! | 101 | a child; only its identifier has to be given |
//! | 105, 123 | answered on `s/ds`, with 106 and the children, with 124 and the id |
//! | 400 | an event, at the time that it tells, if it tells one |
//! | others of [`NOTED`] | they are noted as they are |

use time::OffsetDateTime;

use super::super::clock;
use super::super::state::Inventory;
use super::smartrest;

/// Messages that are noted, with the least number of values that they have.
const NOTED: [(&str, usize); 41] = [
    ("102", 1),
    ("110", 0),
    ("111", 0),
    ("112", 0),
    ("113", 0),
    ("114", 0),
    ("115", 0),
    ("116", 0),
    ("117", 1),
    ("118", 0),
    ("119", 0),
    ("120", 0),
    ("121", 0),
    ("122", 0),
    ("140", 0),
    ("141", 0),
    ("143", 0),
    ("200", 3),
    ("201", 1),
    ("202", 1),
    ("203", 1),
    ("204", 1),
    ("210", 0),
    ("211", 0),
    ("212", 0),
    ("301", 1),
    ("302", 1),
    ("303", 1),
    ("304", 1),
    ("305", 2),
    ("306", 1),
    ("307", 1),
    ("401", 0),
    ("402", 0),
    ("500", 0),
    ("501", 1),
    ("502", 1),
    ("503", 1),
    ("504", 1),
    ("505", 1),
    ("506", 1),
];

/// Why a row has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no such message.
    Unknown,
    /// The device has its object already.
    Existing,
    /// For that reason.
    Wrong(&'static str),
}

impl Fault {
    /// The message that tells it.
    pub(super) fn code(self) -> &'static str {
        if self == Self::Unknown { "40" } else { "41" }
    }

    /// In words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "There is no static template with that id",
            Self::Existing => "Device already existing",
            Self::Wrong(reason) => reason,
        }
    }
}

/// Does what a row asks for; what is answered, if it is.
pub(super) fn apply(
    inventory: &mut Inventory,
    device: &str,
    child: Option<&str>,
    row: &[String],
    now: OffsetDateTime,
) -> Result<Option<String>, Fault> {
    if child.is_some_and(|child| !inventory.has_child(child)) {
        return Err(Fault::Wrong("the topic names a child that was not created with 101"));
    }
    let source = child.unwrap_or(device);
    let values: Vec<&str> = row.iter().map(String::as_str).collect();
    let Some((id, values)) = values.split_first() else { return Err(Fault::Unknown) };
    match (*id, values) {
        ("100", _) if child.is_some() => {
            return Err(Fault::Wrong("100 creates the device: publish it on s/us"));
        }
        ("100", _) => create(inventory, device, values, now)?,
        ("101", _) => add_child(inventory, child, values, now)?,
        ("105", []) => {
            let children = inventory.children_of(child);
            return Ok(Some(smartrest::write(&[&["106"], children.as_slice()].concat())));
        }
        ("123", []) => return Ok(Some(smartrest::write(&["124", source]))),
        ("105" | "123", _) => return Err(Fault::Wrong("it takes no values")),
        ("400", ["" | _, ""] | ["", ..] | [] | [_]) => {
            return Err(Fault::Wrong("400 takes a type and a text"));
        }
        ("400", [kind, text, rest @ ..]) => {
            let at = time(given(rest, 0), now)?;
            inventory.add_event(source, kind, text, at);
        }
        (id, values) => {
            let (_, least) = NOTED.iter().find(|(known, _)| *known == id).ok_or(Fault::Unknown)?;
            if values.iter().filter(|value| !value.is_empty()).count() < *least {
                return Err(Fault::Wrong("a value is missing"));
            }
            inventory.note(source, &smartrest::write(&[&[id], values].concat()), now);
        }
    }
    Ok(None)
}

/// The time that a message tells, in ISO 8601 with its offset; without one it is the server's.
fn time(told: Option<&str>, now: OffsetDateTime) -> Result<OffsetDateTime, Fault> {
    let wrong = Fault::Wrong("the time is not written as 2026-08-14T10:00:00.000Z");
    told.map_or(Ok(now), |told| clock::parse(told).ok_or(wrong))
}

/// The value at a place, unless it is missing or empty.
fn given<'a>(values: &[&'a str], place: usize) -> Option<&'a str> {
    values.get(place).copied().filter(|value| !value.is_empty())
}

fn create(
    inventory: &mut Inventory,
    device: &str,
    values: &[&str],
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let name = given(values, 0).map_or_else(|| format!("MQTT Device {device}"), str::to_owned);
    let kind = given(values, 1).unwrap_or("c8y_MQTTDevice");
    match inventory.create(&name, kind, now) {
        true => Ok(()),
        false => Err(Fault::Existing),
    }
}

fn add_child(
    inventory: &mut Inventory,
    parent: Option<&str>,
    values: &[&str],
    now: OffsetDateTime,
) -> Result<(), Fault> {
    let id = given(values, 0).ok_or(Fault::Wrong("101 takes an identifier"))?;
    if id.contains(['/', '+', '#', ':']) {
        let reason = "the child's identifier has a character that is no part of a topic";
        return Err(Fault::Wrong(reason));
    }
    let name = given(values, 1).map_or_else(|| format!("MQTT Device {id}"), str::to_owned);
    let kind = given(values, 2).unwrap_or("c8y_MQTTChildDevice");
    inventory.add_child(parent, id, (&name, kind), now);
    Ok(())
}
