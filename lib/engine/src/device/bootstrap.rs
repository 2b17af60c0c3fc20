//! Credentials for a device that has a password and no certificate (platform: "Bootstrap of password
//! devices").
//!
//! The device connects as the bootstrap user, subscribes `s/dcr`, and publishes nothing on `s/ucr` again
//! and again, until somebody accepts it in the tenant's device registration and
//! `70,<tenant>,<user>,<password>` comes. What comes is a secret. Other messages are dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::connection::{Connection, ConnectionError, Event, Greeting, Outgoing, Policy};
use super::mqtt::{MqttError, Qos, Session, Transport};
use super::smartrest::message::Downstream;
use super::smartrest::{BOOTSTRAP, BOOTSTRAP_REQUEST, SmartRestError};
use crate::failure::{Failure, Fault, Hint, Task};
use crate::net::after;
use crate::secret::Password;

/// The user of devices that have none yet.
pub const USER: &str = "management/devicebootstrap";

/// How long a look at the clock may wait.
const GLANCE: Duration = Duration::from_millis(100);

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// No connection.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Nobody has accepted the device.
    #[error("no credentials came on {BOOTSTRAP} within {seconds} seconds")]
    NotAccepted {
        /// The time that it had.
        seconds: u64,
    },
    /// Something else than a message 70.
    #[error("what came on {BOOTSTRAP} are no credentials: {0}")]
    Message(#[source] SmartRestError),
}

impl Failure for BootstrapError {
    fn fault(&self) -> Fault {
        match self {
            Self::Connection(e) => e.fault(),
            Self::NotAccepted { .. } => Fault::Refusal,
            Self::Message(_) => Fault::Stranger,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Connection(ConnectionError::Mqtt(MqttError::Refused { code: 4 | 5 })) => Some(
                "the bootstrap user's name or password is wrong: the platform's operator hands them \
                 out"
                    .into(),
            ),
            Self::Connection(ConnectionError::Mqtt(_)) => {
                Some("MQTT over TLS is on port 8883 of the tenant's host".into())
            }
            Self::Connection(ConnectionError::Link(_)) => Some(
                Hint::say("check host, port and truststore")
                    .then(Hint::run("see who answers", Task::FetchServer { address: None })),
            ),
            Self::NotAccepted { .. } => Some(
                "enter the device's id in the tenant's device registration, accept it there when it \
                 has asked, and run the command again"
                    .into(),
            ),
            Self::Message(_) => None,
        }
    }
}

/// A device's own user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The tenant's id.
    pub tenant: String,
    /// The user in it.
    pub user: String,
    /// Its password.
    pub password: Password,
}

impl Granted {
    /// The user as MQTT and REST want it: `tenantId/user`.
    pub fn login(&self) -> String {
        format!("{}/{}", self.tenant, self.user)
    }
}

/// How the connection of a bootstrap is kept: it begins with the subscription.
pub fn policy() -> Policy {
    let subscribe = Greeting::Subscribe(vec![(BOOTSTRAP.to_owned(), Qos::AtLeastOnce)]);
    Policy { greeting: vec![subscribe], ..Policy::default() }
}

/// How a bootstrap waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience<'a> {
    /// How often it asks.
    pub every: Duration,
    /// How long it asks.
    pub wait: Duration,
    /// Ends it.
    pub stop: &'a AtomicBool,
}

/// Asks until credentials come; none if it was stopped. `tell` gets what happens to the connection,
/// which has to be made with [`policy`], as the bootstrap user, with the ClientId of the device.
///
/// Errors: no prospect of a connection, or none at the end; nobody has accepted the device in time.
pub fn request<T, F>(
    connection: &mut Connection<T, F>,
    patience: Patience<'_>,
    mut tell: impl FnMut(&Event),
) -> Result<Option<Granted>, BootstrapError>
where
    T: Transport,
    F: FnMut() -> Result<Session<T>, ConnectionError>,
{
    let end = after(patience.wait);
    let mut due = Instant::now();
    // Why there is no connection at present.
    let mut lost = None;
    while !patience.stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        if now >= end {
            let seconds = patience.wait.as_secs();
            return Err(lost.map_or(BootstrapError::NotAccepted { seconds }, Into::into));
        }
        if connection.is_up() && now >= due && connection.waiting() == 0 {
            let (topic, qos) = (BOOTSTRAP_REQUEST.to_owned(), Qos::AtLeastOnce);
            connection.publish(Outgoing { topic, payload: Vec::new(), qos });
            due = after(patience.every);
        }
        let event = connection.next(GLANCE.min(end - now))?;
        tell(&event);
        match &event {
            Event::Connected => lost = None,
            Event::Lost { error, .. } => lost = Some(error.clone()),
            _ => {}
        }
        if let Event::Message(message) = &event
            && message.topic == BOOTSTRAP
            && let Some(granted) = granted(&message.payload)?
        {
            return Ok(Some(granted));
        }
    }
    Ok(None)
}

fn granted(payload: &[u8]) -> Result<Option<Granted>, BootstrapError> {
    let rows = Downstream::read(payload).map_err(BootstrapError::Message)?;
    Ok(rows.into_iter().find_map(|row| match row {
        Downstream::Credentials { tenant, user, password } => {
            Some(Granted { tenant, user, password })
        }
        _ => None,
    }))
}
