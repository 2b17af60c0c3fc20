//! What a device may subscribe and publish, and what comes of its messages (platform: "MQTT").
//!
//! A row that is refused is told on `s/e`: as `40,<message identifier>,…` if there is no such message, else as
//! `41,<message identifier>,<reason>`. A message on a topic that is not this client's is dropped, and only
//! the list of connections says so.

use time::OffsetDateTime;

use super::super::features;
use super::super::requests::{self, Heard};
use super::super::state::{Guest, OPERATIONS, Port, Way, World};
use super::messages;
use super::smartrest;

const ERRORS: &str = "s/e";
const TOKENS: &str = "s/dat";
const CREDENTIALS: &str = "s/dcr";
const JSON_ERRORS: &str = "error";

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

/// Whether a topic is one of SmartREST or of the platform's JSON over MQTT.
fn is_of_the_platform(topic: &str) -> bool {
    topic.starts_with("s/") || is_json(topic)
}

/// Where the platform takes JSON over MQTT.
fn is_json(topic: &str) -> bool {
    const KINDS: [&str; 4] = [
        "event/events/",
        "alarm/alarms/",
        "measurement/measurements/",
        "inventory/managedObjects/",
    ];
    KINDS.iter().any(|kind| topic.starts_with(kind))
}

/// Whether SmartREST is there for a client: always, but for the MQTT Service.
pub(super) fn has_smart_rest(world: &World, guest: &Guest) -> bool {
    guest.port == Port::Classic || features::is_on(world, &guest.tenant, features::SMART_REST)
}

/// Whether a client may subscribe to a topic. There are no wildcards but that of `s/dc/#`.
pub(super) fn may_subscribe(guest: &Guest, smart_rest: bool, topic: &str) -> bool {
    if guest.port == Port::Service && (!is_of_the_platform(topic) || !smart_rest) {
        return !is_of_the_platform(topic) && !topic.contains(['+', '#']);
    }
    let way = guest.way;
    match topic {
        ERRORS => true,
        OPERATIONS | "s/dt" | "s/dc/#" | "devicecontrol/notifications" | JSON_ERRORS => {
            way != Way::Bootstrap
        }
        TOKENS => way == Way::Certificate,
        CREDENTIALS => way == Way::Bootstrap,
        _ => {
            let template = topic.strip_prefix("s/dc/").unwrap_or_default();
            way != Way::Bootstrap && !template.is_empty() && !template.contains(['/', '+', '#'])
        }
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
    if guest.port == Port::Service && !has_smart_rest(world, guest) && is_of_the_platform(topic) {
        return Effect::refused("SmartREST is not switched on for the MQTT Service");
    }
    let below = |before: &str| {
        topic.strip_prefix(before).filter(|rest| !rest.is_empty() && !rest.contains('/'))
    };
    match (topic, guest.way) {
        ("s/ucr", Way::Bootstrap) => credentials(world, guest),
        (_, Way::Bootstrap) => Effect::refused("the bootstrap user may publish on s/ucr only"),
        ("s/uat", Way::Certificate) => token(world, guest, now),
        ("s/uat", Way::Password) => Effect::refused("tokens are for devices with a certificate"),
        ("s/us", _) => rows(world, guest, None, message, now),
        _ if below("s/us/").is_some() => rows(world, guest, below("s/us/"), message, now),
        // Templates of one's own: what they mean is not known here.
        ("s/ut", _) => noted(world, guest, topic, message, now),
        _ if below("s/ut/").or_else(|| below("s/uc/")).is_some() => {
            noted(world, guest, topic, message, now)
        }
        _ if is_json(topic) => json(world, guest, topic, message, now),
        _ if guest.port == Port::Service => noted(world, guest, topic, message, now),
        _ => Effect::refused("there is no such topic to publish on"),
    }
}

/// `71,<JWT>`.
fn token(world: &World, guest: &Guest, now: OffsetDateTime) -> Effect {
    let host = &world.site.host;
    match world.tokens.issue_to_device(host, &guest.tenant, &guest.device, now) {
        Ok(token) => Effect::delivers(TOKENS, &["71", token.expose()]),
        Err(e) => Effect::refused(e.to_string()),
    }
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

/// Notes a message as it is.
fn noted(
    world: &mut World,
    guest: &Guest,
    topic: &str,
    message: &[u8],
    now: OffsetDateTime,
) -> Effect {
    if let Some(tenant) = world.tenants.get_mut(&guest.tenant) {
        let inventory = tenant.inventories.entry(guest.device.clone()).or_default();
        inventory.note(topic, &String::from_utf8_lossy(message), now);
    }
    Effect::default()
}

/// JSON over MQTT.
fn json(
    world: &mut World,
    guest: &Guest,
    topic: &str,
    message: &[u8],
    now: OffsetDateTime,
) -> Effect {
    match serde_json::from_slice::<serde_json::Value>(message) {
        Ok(_) => noted(world, guest, topic, message, now),
        Err(e) => {
            let error =
                serde_json::json!({ "error": "general/badRequest", "message": e.to_string() });
            Effect { deliver: vec![(JSON_ERRORS, error.to_string())], refused: vec![e.to_string()] }
        }
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
        return wrong(&[(String::new(), messages::Fault::Wrong("the message is no UTF-8"))]);
    };
    let (mut faults, mut answers) = (Vec::new(), Vec::new());
    for row in smartrest::rows(text) {
        let done = row.map_err(|(id, reason)| (id, messages::Fault::Wrong(reason)));
        let done = done.and_then(|row| {
            let fault = |fault| (row.first().cloned().unwrap_or_default(), fault);
            messages::apply(inventory, &guest.device, child, &row, now).map_err(fault)
        });
        match done {
            Ok(answer) => answers.extend(answer),
            Err(fault) => faults.push(fault),
        }
    }
    let mut effect = wrong(&faults);
    effect.deliver.extend(answers.into_iter().map(|answer| (OPERATIONS, answer)));
    effect
}

/// The rows that were refused, as one message on `s/e`.
fn wrong(faults: &[(String, messages::Fault)]) -> Effect {
    if faults.is_empty() {
        return Effect::default();
    }
    let line = |(id, fault): &(String, messages::Fault)| {
        smartrest::write(&[fault.code(), id, fault.text()])
    };
    let lines: Vec<String> = faults.iter().map(line).collect();
    // That a device is there already is told, and no fault.
    let counts = faults.iter().filter(|(_, fault)| *fault != messages::Fault::Existing);
    Effect {
        deliver: vec![(ERRORS, lines.join("\n"))],
        refused: counts.map(|(id, fault)| format!("message {id:?}: {}", fault.text())).collect(),
    }
}
