//! A session that is made again when it is lost (platform: "MQTT"), and keeps what is to be sent until it
//! is acknowledged.
//!
//! [`open`] makes one session. A [`Connection`] makes as many as are needed, one after the other, with
//! pauses that grow ([`Backoff`]); after each of them it says its greeting: what it subscribes and what it
//! publishes first. The caller calls [`Connection::next`] again and again, and learns what happened.
//!
//! What is published while there is no session waits. A message of QoS 1 or 2 that was on its way when a
//! session ended is sent once more, so it may arrive twice, also with QoS 2: the platform keeps no
//! session. Of QoS 0 nobody knows whether it arrived. Messages that came before a session ended are told
//! before its end: the server does not send them again. A message during which the server closes
//! [`STRIKES`] times in a row is given up: it is what the server does not bear.
//!
//! Attempts end where another one has no prospect ([`Prospect`]): a refusal that is repeated, files that
//! cannot be used, a host that is none. A network that is away is waited for without end.
//!
//! ```
//! use std::time::Duration;
//!
//! use c8y_pki_core::client_id::{ClientId, DeviceId};
//! use c8y_pki_engine::device::connection::{self, Connection, Event, Outgoing, Policy};
//! use c8y_pki_engine::device::link::{Identity, Target};
//! use c8y_pki_engine::device::mqtt::{ConnectOptions, Qos};
//!
//! # fn main() -> Result<(), c8y_pki_engine::Error> {
//! // Nobody is there: what is published waits, and the attempts go on.
//! let target = Target { host: "localhost".to_owned(), port: 1 };
//! let options = ConnectOptions::new(ClientId::of_device(DeviceId::parse("gw-0001")?));
//! let open = || connection::open(&target, Identity::Password(None), &options);
//! let mut connection = Connection::new(open, Policy::default());
//! connection.publish(Outgoing {
//!     topic: "s/us".to_owned(),
//!     payload: b"400,c8y_Start,Started".to_vec(),
//!     qos: Qos::AtLeastOnce,
//! });
//! match connection.next(Duration::from_secs(1))? {
//!     Event::Lost { error, .. } => assert_eq!(error.to_string(), "nothing listens on localhost:1"),
//!     other => panic!("{other:?}"),
//! }
//! assert_eq!(connection.waiting(), 1);
//! # Ok(())
//! # }
//! ```

mod backoff;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use backoff::{Backoff, Prospect};

use super::link::{self, Deadline, Identity, Link, LinkError, Target};
use super::mqtt::{ConnectOptions, Message, MqttError, Qos, Session, Transport, Waiting};
use crate::failure::{Failure, Fault, Hint};
use crate::net::after;

/// So often the server may close at a message before it is given up.
pub const STRIKES: u32 = 3;

/// Messages that are published before it is looked whether some came.
const BATCH: usize = 64;

/// Why there is no session.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionError {
    /// No TLS connection.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No MQTT session.
    #[error(transparent)]
    Mqtt(#[from] MqttError),
}

impl Failure for ConnectionError {
    fn fault(&self) -> Fault {
        match self {
            Self::Link(e) => e.fault(),
            Self::Mqtt(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Link(e) => e.hint(),
            Self::Mqtt(e) => e.hint(),
        }
    }
}

/// Makes one session: name, TCP, TLS and CONNECT together have the time of [`ConnectOptions::timeout`].
pub fn open(
    target: &Target,
    identity: Identity<'_>,
    options: &ConnectOptions,
) -> Result<Session<Link>, ConnectionError> {
    let deadline = Deadline::after(options.timeout);
    let addresses = link::resolve(target, deadline)?;
    let stream = link::dial(target, &addresses, deadline)?;
    let link = Link::secure_as(stream, target, identity, &mut link::Facts::default())?;
    Ok(Session::connect_by(link, options, deadline)?)
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// How surely.
    pub qos: Qos,
}

/// What is done first in each session, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// Subscribes to topics.
    Subscribe(Vec<(String, Qos)>),
    /// Publishes a message.
    Publish(Outgoing),
}

/// How a connection is kept.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What each session begins with.
    pub greeting: Vec<Greeting>,
    /// The pauses between attempts.
    pub backoff: Backoff,
    /// Attempts in a row that may be refused; at least 1. Overload looks like a refusal.
    pub refusals: u32,
    /// Whether a session that is lost, or not to be had, is made again.
    pub reconnect: bool,
}

impl Default for Policy {
    /// No greeting, pauses from a second to a minute, four refusals, and always again.
    fn default() -> Self {
        Self { greeting: Vec::new(), backoff: Backoff::default(), refusals: 4, reconnect: true }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A session is there, and has said its greeting.
    Connected,
    /// A message came.
    Message(Message),
    /// Nothing, within the time.
    Idle,
    /// The session is lost, or an attempt to make one has failed.
    Lost {
        /// Why.
        error: ConnectionError,
        /// The pause before the next attempt.
        pause: Duration,
    },
    /// A message will not be sent.
    Unsent {
        /// The message.
        message: Outgoing,
        /// Why not.
        error: MqttError,
    },
}

/// What [`Connection::next`] tells.
type Told = Result<Event, ConnectionError>;

enum State<T: Transport> {
    Up { session: Box<Session<T>>, since: Instant },
    Down { until: Instant },
}

/// A session that is made again when it is lost. `open` makes one.
pub struct Connection<T: Transport, F> {
    open: F,
    policy: Policy,
    state: State<T>,
    refused: u32,
    outbox: VecDeque<Outgoing>,
    /// How often the server has closed at the first of them.
    strikes: u32,
    /// What is to be told next.
    events: VecDeque<Told>,
}

impl<T: Transport, F> std::fmt::Debug for Connection<T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (up, waiting) = (self.is_up(), self.outbox.len());
        f.debug_struct("Connection").field("up", &up).field("waiting", &waiting).finish()
    }
}

impl<T: Transport, F> Connection<T, F> {
    /// Whether there is a session.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Messages that wait to be sent, or to be acknowledged.
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Puts a message behind those that wait.
    pub fn publish(&mut self, message: Outgoing) {
        self.outbox.push_back(message);
    }

    /// Says goodbye, so that the last will is not published.
    pub fn disconnect(self) -> Result<(), MqttError> {
        match self.state {
            State::Up { session, .. } => session.disconnect(),
            State::Down { .. } => Ok(()),
        }
    }
}

impl<T, F> Connection<T, F>
where
    T: Transport,
    F: FnMut() -> Result<Session<T>, ConnectionError>,
{
    /// Gets everything ready. The first call of [`Connection::next`] connects.
    pub fn new(open: F, policy: Policy) -> Self {
        Self {
            open,
            policy,
            state: State::Down { until: Instant::now() },
            refused: 0,
            outbox: VecDeque::new(),
            strikes: 0,
            events: VecDeque::new(),
        }
    }

    /// Sends what waits, and waits that long for something to happen. To connect, and to have a message
    /// acknowledged, may take longer: each answer has the time of
    /// [`ConnectOptions::timeout`].
    ///
    /// Errors: there is no session, and no prospect of one.
    pub fn next(&mut self, wait: Duration) -> Result<Event, ConnectionError> {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        if let State::Down { until } = self.state {
            let left = until.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(wait));
            return if left > wait { Ok(Event::Idle) } else { self.connect() };
        }
        match self.converse(wait) {
            Ok(event) => Ok(event),
            Err(error) => self.lose(error),
        }
    }

    fn connect(&mut self) -> Told {
        let mut session = match (self.open)() {
            Ok(session) => session,
            Err(error) => return self.failed(error),
        };
        if let Err(error) = self.greet(&mut session) {
            let told = self.failed(error.into());
            return self.after(session.into_messages(), told);
        }
        self.refused = 0;
        self.state = State::Up { session: Box::new(session), since: Instant::now() };
        Ok(Event::Connected)
    }

    /// An attempt to connect has failed.
    fn failed(&mut self, error: ConnectionError) -> Told {
        self.refused = match Prospect::of(&error) {
            Prospect::Temporary => self.refused,
            Prospect::Doubtful => self.refused + 1,
            Prospect::Hopeless => return Err(error),
        };
        if self.refused >= self.policy.refusals.max(1) {
            return Err(error);
        }
        self.wait(error)
    }

    fn greet(&self, session: &mut Session<T>) -> Result<(), MqttError> {
        for step in &self.policy.greeting {
            match step {
                Greeting::Subscribe(topics) => {
                    let topics: Vec<(&str, Qos)> =
                        topics.iter().map(|(topic, qos)| (topic.as_str(), *qos)).collect();
                    session.subscribe(&topics)?;
                }
                Greeting::Publish(Outgoing { topic, payload, qos }) => {
                    session.publish(topic, payload, *qos)?;
                }
            }
        }
        Ok(())
    }

    /// Sends, then receives.
    fn converse(&mut self, wait: Duration) -> Result<Event, MqttError> {
        let State::Up { session, .. } = &mut self.state else { return Ok(Event::Idle) };
        for _ in 0..BATCH {
            let Some(Outgoing { topic, payload, qos }) = self.outbox.front() else { break };
            match session.publish(topic, payload, *qos) {
                Ok(()) => {
                    self.strikes = 0;
                    self.outbox.pop_front();
                }
                Err(error @ MqttError::Unsendable { .. }) => {
                    return Ok(match self.outbox.pop_front() {
                        Some(message) => Event::Unsent { message, error },
                        None => Event::Idle,
                    });
                }
                Err(error) => {
                    self.strike(&error);
                    return Err(error);
                }
            }
        }
        let wait = if self.outbox.is_empty() { wait } else { Duration::from_millis(1) };
        Ok(session.receive(wait)?.map_or(Event::Idle, Event::Message))
    }

    /// The session has ended while the first message was on its way.
    fn strike(&mut self, error: &MqttError) {
        let closed = MqttError::Closed { waiting: Waiting::Acknowledgement };
        if *error != closed && !matches!(error, MqttError::Refused { .. }) {
            return;
        }
        self.strikes += 1;
        if self.strikes >= STRIKES
            && let Some(message) = self.outbox.pop_front()
        {
            self.strikes = 0;
            self.events.push_back(Ok(Event::Unsent { message, error: error.clone() }));
        }
    }

    /// A session has ended.
    fn lose(&mut self, error: MqttError) -> Told {
        let down = State::Down { until: Instant::now() };
        let State::Up { session, since } = std::mem::replace(&mut self.state, down) else {
            return self.wait(error.into());
        };
        if since.elapsed() >= self.policy.backoff.longest() {
            self.policy.backoff.reset();
        }
        let told = self.wait(error.into());
        self.after(session.into_messages(), told)
    }

    /// Tells the messages that came before the end of a session, then its end.
    fn after(&mut self, came: Vec<Message>, end: Told) -> Told {
        let mut all = came.into_iter().map(|message| Ok(Event::Message(message))).chain([end]);
        let first = all.next().unwrap_or(Ok(Event::Idle));
        let rest: Vec<Told> = all.collect();
        rest.into_iter().rev().for_each(|told| self.events.push_front(told));
        first
    }

    fn wait(&mut self, error: ConnectionError) -> Told {
        let pause = self.policy.backoff.pause();
        self.state = State::Down { until: after(pause) };
        match self.policy.reconnect {
            true => Ok(Event::Lost { error, pause }),
            false => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
