//! What was asked and answered: the last thousand requests, MQTT's among them, and before those the last thousand that
//! were refused, so that one refused device is seen among very many others. Without anything secret.

use std::collections::VecDeque;

use serde::Serialize;

/// How many requests are kept, and how many refused ones before those.
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
    /// Whether it was refused, and not on purpose.
    pub refused: bool,
}

impl Connection {
    /// Whether it was refused, and not on purpose. That there is none is an answer to who looks something up, whatever the
    /// path: browsers ask for paths that nobody has named.
    fn is_refused(&self) -> bool {
        let is_no = match self.port.starts_with("mqtt") {
            true => self.status > 0 || self.method == "PUBLISH",
            false => {
                let looks_up = matches!(self.method.as_str(), "GET" | "HEAD");
                self.status >= 400 && !(self.status == 404 && looks_up)
            }
        };
        is_no && self.fault.is_none()
    }
}

/// The list of requests, and their numbers.
#[derive(Debug, Default)]
pub(super) struct Journal {
    kept: VecDeque<Connection>,
    /// Refused ones that were pushed out of that.
    refused: VecDeque<Connection>,
    requests: u64,
    faulted: u64,
}

impl Journal {
    /// Adds a request and gives it its number.
    pub(super) fn add(&mut self, mut connection: Connection) {
        self.requests += 1;
        self.faulted += u64::from(connection.fault.is_some());
        connection.number = self.requests;
        connection.refused = connection.is_refused();
        if self.kept.len() == KEPT {
            self.refused.extend(self.kept.pop_front().filter(|oldest| oldest.refused));
        }
        if self.refused.len() > KEPT {
            self.refused.pop_front();
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
        self.refused.iter().chain(&self.kept)
    }

    pub(super) fn after(&self, number: u64) -> Vec<Connection> {
        self.all().filter(|c| c.number > number).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_device_is_kept_among_many_others() {
        let connection = |path: &str, status| Connection {
            number: 0,
            at: String::new(),
            port: "mqtt",
            method: "CONNECT".to_owned(),
            path: path.to_owned(),
            status,
            user: None,
            certificate: None,
            fault: None,
            reason: None,
            refused: false,
        };
        let mut journal = Journal::default();
        journal.add(connection("gw-1", 5));
        (0..5 * KEPT).for_each(|_| journal.add(connection("gw-2", 0)));
        assert_eq!(journal.all().count(), KEPT + 1);
        assert_eq!(journal.all().next().map(|c| (c.path.as_str(), c.number)), Some(("gw-1", 1)));
        (0..5 * KEPT).for_each(|_| journal.add(connection("gw-3", 5)));
        assert_eq!(journal.all().count(), 2 * KEPT);
        assert_eq!(journal.after(10 * KEPT as u64).len(), 1);
    }

    #[test]
    fn a_look_up_that_finds_nothing_is_not_refused() {
        let mut journal = Journal::default();
        let one = "/identity/externalIds/c8y_Serial/gw-1";
        for (method, path, status, refused) in [
            ("GET", one, 404, false),
            ("HEAD", one, 404, false),
            ("GET", "/tenant/options/a/b", 404, false),
            ("GET", one, 401, true),
            ("GET", one, 403, true),
            ("GET", "/favicon.ico", 404, false),
            ("POST", "/tenant/nothing", 404, true),
            ("DELETE", "/inventory/managedObjects/7", 404, true),
            ("POST", "/devicecontrol/bulkNewDeviceRequests", 422, true),
        ] {
            journal.add(Connection {
                number: 0,
                at: String::new(),
                port: "https",
                method: method.to_owned(),
                path: path.to_owned(),
                status,
                user: None,
                certificate: None,
                fault: None,
                reason: None,
                refused: false,
            });
            let last = journal.all().last().map(|connection| connection.refused);
            assert_eq!(last, Some(refused), "{method} {path} {status}");
        }
    }
}
