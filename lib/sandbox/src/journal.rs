//! What was asked and answered: the last thousand requests, MQTT's among them, without anything
//! secret.

use std::collections::VecDeque;

use serde::Serialize;

/// How many requests are kept.
const KEPT: usize = 1000;

/// One request and its answer; of MQTT a `CONNECT`, the end of a connection (`DISCONNECT`), a handshake
/// that failed (`HANDSHAKE`), a message that was refused (`PUBLISH`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Connection {
    /// The request's number; the first is 1.
    pub number: u64,
    /// When it came, in ISO 8601.
    pub at: String,
    /// `https`, `mtls` for the port with client certificates, `mqtt` or `mqtt-service`.
    pub port: &'static str,
    /// Its method.
    pub method: String,
    /// Its path, without the query; for MQTT, the ClientId.
    pub path: String,
    /// The status of its answer; for a dropped answer, the one that it would have had. For a
    /// `CONNECT`, the code of its CONNACK; 0 for all else of MQTT.
    pub status: u16,
    /// Who asked, by their own account.
    pub user: Option<String>,
    /// The subject of the certificate with which a client of MQTT came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What went wrong on purpose: `503`, `429`, `slow`, `cut` or `drop`; for a `CONNECT`, `connack3`,
    /// `connack5`, `late`, `silent` or `close`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// Why it was refused, where the answer does not say; or what it should have done otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The list of requests, and their numbers.
#[derive(Debug, Default)]
pub(super) struct Journal {
    kept: VecDeque<Connection>,
    requests: u64,
    faulted: u64,
}

impl Journal {
    /// Adds a request and gives it its number.
    pub(super) fn add(&mut self, mut connection: Connection) {
        self.requests += 1;
        self.faulted += u64::from(connection.fault.is_some());
        connection.number = self.requests;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(connection);
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn faulted(&self) -> u64 {
        self.faulted
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Connection> {
        self.kept.iter()
    }

    pub(super) fn after(&self, number: u64) -> Vec<Connection> {
        self.kept.iter().filter(|c| c.number > number).cloned().collect()
    }
}
