//! What was asked and answered: the last thousand requests, without anything secret.

use std::collections::VecDeque;

use serde::Serialize;

/// How many requests are kept.
const KEPT: usize = 1000;

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Connection {
    /// The request's number; the first is 1.
    pub number: u64,
    /// When it came, in ISO 8601.
    pub at: String,
    /// `https`, or `mtls` for the port with client certificates.
    pub port: &'static str,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// The status of its answer; for a dropped answer, the one that it would have had.
    pub status: u16,
    /// Who asked, by their own account.
    pub user: Option<String>,
    /// What went wrong on purpose: `503`, `429`, `slow`, `cut` or `drop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
    /// Why it was refused, where the answer does not say.
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
