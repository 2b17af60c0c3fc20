//! Why an MQTT session did not come about, or ended: facts, not guesses.

use std::io::{self, ErrorKind};

use super::super::alert::{Alert, tls_error};
use super::{MOST_WAITING, MOST_WAITING_BYTES};
use crate::crypto::tls_reason;
use crate::failure::{Failure, Fault, Hint, Task, Underlying};

/// What the session was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waiting {
    /// The answer to CONNECT.
    Connack,
    /// The answer to a message of QoS 1 or 2.
    Acknowledgement,
    /// The answer to SUBSCRIBE.
    Suback,
    /// The answer to a ping.
    Pingresp,
    /// A message.
    Message,
    /// The rest of a packet that has begun to come.
    Rest,
}

impl Waiting {
    /// What it is called in a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::Connack => "the answer to CONNECT",
            Self::Acknowledgement => "the acknowledgement of a message",
            Self::Suback => "the answer to SUBSCRIBE",
            Self::Pingresp => "the answer to a ping",
            Self::Message => "a message",
            Self::Rest => "the rest of a packet",
        }
    }
}

/// Why an MQTT session did not come about, or ended.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MqttError {
    /// A CONNACK that says no: as the answer to CONNECT, or later, when the platform closes.
    #[error("the server refuses the connection with CONNACK {code} ({})", connack(*code))]
    Refused {
        /// 1 to 5 (MQTT 3.1.1, 3.2.2.3).
        code: u8,
    },
    /// Closed by the other side.
    #[error("the server closed the connection while {} was due", waiting.text())]
    Closed {
        /// What was due.
        waiting: Waiting,
    },
    /// No answer in time.
    #[error("{} did not come within {seconds} seconds", waiting.text())]
    Timeout {
        /// What was due.
        waiting: Waiting,
        /// The time that it had.
        seconds: u64,
    },
    /// Far more messages than an honest server sends before an answer.
    #[error(
        "the server has sent {messages} messages ({bytes} bytes) while {} was due, more than the {MOST_WAITING} \
         messages or {MOST_WAITING_BYTES} bytes that are kept",
        waiting.text()
    )]
    Flooded {
        /// What was due.
        waiting: Waiting,
        /// How many came.
        messages: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// The server ended TLS, and says why.
    #[error("the server ended TLS with {}", alert.words())]
    Alert {
        /// Its reason.
        alert: Alert,
    },
    /// A subscription that the server refuses.
    #[error("the server refuses the subscription to {topic}")]
    NotSubscribed {
        /// The topic.
        topic: String,
    },
    /// Something that is no MQTT, or no MQTT 3.1.1.
    #[error("the server does not speak MQTT 3.1.1 as expected: {0}")]
    Protocol(#[source] Underlying),
    /// Something that MQTT cannot carry.
    #[error("{what} cannot be sent: {problem}")]
    Unsendable {
        /// What it is.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        problem: Underlying,
    },
    /// The connection failed in another way.
    #[error("the connection broke: {0}")]
    Broken(#[source] Underlying),
}

impl MqttError {
    /// What an error of the connection says.
    pub(super) fn of(error: io::Error, waiting: Waiting, seconds: u64) -> Self {
        if let Some(alert) = Alert::in_error(&error) {
            tracing::debug!(target: "c8y_pki::tls", %alert, "the server ends the connection");
            return Self::Alert { alert };
        }
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Timeout { waiting, seconds },
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::BrokenPipe => Self::Closed { waiting },
            _ => match tls_error(&error) {
                Some(tls) => Self::Broken(tls_reason(tls.clone())),
                None => Self::Broken(Underlying::of(error)),
            },
        }
    }
}

impl Failure for MqttError {
    fn fault(&self) -> Fault {
        match self {
            // MQTT 3.1.1, table 3.1: version, identifier, user or password.
            Self::Refused { code: 1 | 2 | 4 } | Self::NotSubscribed { .. } => Fault::Refusal,
            Self::Refused { code: 3 } => Fault::Busy,
            // Platform: "CONNACK codes and what they mean there".
            Self::Refused { .. } | Self::Alert { .. } => Fault::Unclear,
            Self::Closed { waiting: Waiting::Connack } => Fault::Closed,
            Self::Timeout { .. } | Self::Flooded { .. } | Self::Broken(_) | Self::Closed { .. } => {
                Fault::Lost
            }
            Self::Protocol(_) => Fault::Stranger,
            Self::Unsendable { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Unsendable { .. } => None,
            _ => Some(Hint::run("see the likely causes, step by step", Task::CheckDevice)),
        }
    }
}

/// The codes in words (MQTT 3.1.1, table 3.1).
pub(super) fn connack(code: u8) -> &'static str {
    match code {
        1 => "unacceptable protocol version",
        2 => "identifier rejected",
        3 => "server unavailable",
        4 => "bad user name or password",
        5 => "not authorized",
        _ => "a code without a meaning",
    }
}
