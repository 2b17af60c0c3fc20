//! What the list of connections says of a client.

use super::super::clock;
use super::super::faults::MqttFault;
use super::super::journal::Connection;
use super::super::shared::Shared;
use super::super::state::{Guest, Port};

/// Who comes, for the list of connections: the user by its own account, but for a device whose
/// certificate is accepted.
pub(super) struct Who {
    pub(super) port: Port,
    pub(super) client_id: String,
    pub(super) subject: Option<String>,
    pub(super) user: Option<String>,
}

/// What is noted of it.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) status: u16,
    pub(super) reason: Option<String>,
    pub(super) fault: Option<MqttFault>,
}

/// A line about a client that is, or was, connected.
pub(super) fn note_guest(shared: &Shared, method: &str, guest: &Guest, reason: String) {
    let who = Who {
        port: guest.port,
        client_id: guest.client_id.clone(),
        subject: None,
        user: Some(format!("{}/{}", guest.tenant, guest.device)),
    };
    add(shared, method, who, Noted { reason: Some(reason), ..Noted::default() });
}

/// A line about a client that never was.
pub(super) fn note(
    shared: &Shared,
    port: Port,
    method: &str,
    subject: Option<String>,
    reason: impl Into<String>,
) {
    let who = Who { port, client_id: String::new(), subject, user: None };
    add(shared, method, who, Noted { reason: Some(reason.into()), ..Noted::default() });
}

pub(super) fn add(shared: &Shared, method: &str, who: Who, noted: Noted) {
    shared.journal().add(Connection {
        number: 0,
        at: clock::iso(clock::now()),
        port: who.port.name(),
        method: method.to_owned(),
        path: who.client_id,
        status: noted.status,
        user: who.user,
        certificate: who.subject,
        fault: noted.fault.map(MqttFault::name),
        reason: noted.reason,
        refused: false,
    });
}
