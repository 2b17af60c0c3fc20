//! What a device may subscribe and publish, and what comes of its messages (platform: "MQTT").
//!
//! A row that is refused is told on `s/e` as `41,<message identifier>,<reason>`; a message on a topic
//! that is not this client's is dropped, and only the list of connections says so.

use time::OffsetDateTime;

use super::super::requests::{self, Heard};
use super::super::state::World;
use super::admit::{Guest, Way};
use super::inventory::Inventory;
use super::smartrest;

pub(in super::super) const OPERATIONS: &str = "s/ds";
const ERRORS: &str = "s/e";
const TOKENS: &str = "s/dat";
const CREDENTIALS: &str = "s/dcr";

/// What comes of a message.
#[derive(Default)]
pub(super) struct Effect {
    /// What is to be delivered, if its topic is subscribed.
    pub(super) deliver: Vec<(&'static str, String)>,
    /// What was refused.
    pub(super) refused: Vec<String>,
}

impl Effect {
    fn refused(reason: impl Into<String>) -> Self {
        Self { refused: vec![reason.into()], ..Self::default() }
    }

    fn delivers(topic: &'static str, values: &[&str]) -> Self {
        Self { deliver: vec![(topic, smartrest::write(values))], ..Self::default() }
    }
}

/// Whether a client may subscribe to a topic. There are no wildcards.
pub(super) fn may_subscribe(way: Way, topic: &str) -> bool {
    match topic {
        ERRORS => true,
        OPERATIONS => way != Way::Bootstrap,
        TOKENS => way == Way::Certificate,
        CREDENTIALS => way == Way::Bootstrap,
        _ => false,
    }
}

/// Does what a message asks for.
pub(super) fn publish(
    world: &mut World,
    guest: &Guest,
    topic: &str,
    message: &[u8],
    now: OffsetDateTime,
) -> Effect {
    let child = topic.strip_prefix("s/us/").filter(|c| !c.is_empty() && !c.contains('/'));
    match (topic, guest.way) {
        ("s/ucr", Way::Bootstrap) => credentials(world, guest),
        (_, Way::Bootstrap) => Effect::refused("the bootstrap user may publish on s/ucr only"),
        ("s/uat", Way::Certificate) => token(world, guest, now),
        ("s/uat", Way::Password) => Effect::refused("tokens are for devices with a certificate"),
        ("s/us", _) => rows(world, guest, None, message, now),
        _ if child.is_some() => rows(world, guest, child, message, now),
        _ => Effect::refused("there is no such topic to publish on"),
    }
}

/// `71,<JWT>`.
fn token(world: &World, guest: &Guest, now: OffsetDateTime) -> Effect {
    let host = &world.site.host;
    let token = world.tokens.issue(host, &guest.tenant, &guest.device, true, now);
    Effect::delivers(TOKENS, &["71", token.expose()])
}

/// `70,<tenant>,<user>,<password>`, once the device was registered with credentials, or accepted.
fn credentials(world: &mut World, guest: &Guest) -> Effect {
    match requests::ask(world, &guest.device) {
        Heard::Credentials(tenant, password) => {
            let user = format!("device_{}", guest.device);
            Effect::delivers(CREDENTIALS, &["70", &tenant, &user, password.expose()])
        }
        Heard::Nothing(reason) => Effect::refused(reason),
    }
}

fn rows(
    world: &mut World,
    guest: &Guest,
    child: Option<&str>,
    message: &[u8],
    now: OffsetDateTime,
) -> Effect {
    let Some(tenant) = world.tenants.get_mut(&guest.tenant) else { return Effect::default() };
    let inventory = tenant.inventories.entry(guest.device.clone()).or_default();
    let Ok(text) = std::str::from_utf8(message) else {
        return wrong(&[(String::new(), "the message is no UTF-8")]);
    };
    let mut faults = Vec::new();
    for row in smartrest::rows(text) {
        let done = row.and_then(|row| {
            let fault = |reason| (row.first().cloned().unwrap_or_default(), reason);
            apply(inventory, guest, child, &row, now).map_err(fault)
        });
        faults.extend(done.err());
    }
    wrong(&faults)
}

/// The rows that were refused, as one message on `s/e`.
fn wrong(faults: &[(String, &'static str)]) -> Effect {
    if faults.is_empty() {
        return Effect::default();
    }
    let line = |(id, reason): &(String, &str)| smartrest::write(&["41", id, reason]);
    let lines: Vec<String> = faults.iter().map(line).collect();
    let reason = |(id, reason): &(String, &str)| format!("message {id:?}: {reason}");
    Effect {
        deliver: vec![(ERRORS, lines.join("\n"))],
        refused: faults.iter().map(reason).collect(),
    }
}

/// One row.
fn apply(
    inventory: &mut Inventory,
    guest: &Guest,
    child: Option<&str>,
    row: &[String],
    now: OffsetDateTime,
) -> Result<(), &'static str> {
    if child.is_some_and(|child| !inventory.has_child(child)) {
        return Err("the topic names a child that was not created with 101");
    }
    let values: Vec<&str> = row.iter().map(String::as_str).collect();
    if values.iter().skip(1).any(|value| value.is_empty()) {
        return Err("a value is empty");
    }
    match (values[..].split_first(), child) {
        (Some((&"100", _)), Some(_)) => return Err("100 creates the device: publish it on s/us"),
        (Some((&"100", [name, kind])), None) => inventory.create(name, kind, now),
        (Some((&"101", [id, ..])), _) if id.contains(['/', '+', '#', ':']) => {
            return Err("the child's identifier has a character that is no part of a topic");
        }
        (Some((&"101", [id, name, kind])), _) => {
            inventory.add_child(child, id, (name, kind), now);
        }
        (Some((&"400", [kind, text])), _) => {
            inventory.add_event(child.unwrap_or(&guest.device), kind, text, now);
        }
        (Some((&"100", _)), _) => return Err("100 takes a name and a type"),
        (Some((&"101", _)), _) => return Err("101 takes an identifier, a name and a type"),
        (Some((&"400", _)), _) => return Err("400 takes a type and a text"),
        _ => return Err("the sandbox knows the messages 100, 101 and 400 only"),
    }
    Ok(())
}
