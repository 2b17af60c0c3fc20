//! Who is connected: one connection for each device, and how to reach it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedSender;

use super::guest::{Guest, Protocol};
use crate::clock::iso;

/// How much is kept of the last message, in characters.
const SHOWN: usize = 120;

/// What a connection is asked to do.
pub(crate) enum Request {
    /// End: another connection of the device came.
    MakeRoom,
    /// End, for that reason.
    End(&'static str),
    /// Deliver a message, if its topic is subscribed.
    Deliver {
        /// The topic.
        topic: &'static str,
        /// The message.
        message: String,
    },
}

struct Entry {
    /// Tells two connections of a device apart.
    ticket: u64,
    guest: Guest,
    protocol: Protocol,
    since: OffsetDateTime,
    topics: BTreeSet<String>,
    messages: u64,
    last: Option<String>,
    requests: UnboundedSender<Request>,
}

/// The connections, by tenant and device.
#[derive(Default)]
pub(crate) struct Online {
    entries: BTreeMap<(String, String), Entry>,
    tickets: u64,
}

fn key(guest: &Guest) -> (String, String) {
    (guest.tenant.clone(), guest.device.clone())
}

impl Online {
    /// Adds a connection; an earlier one of the same device has to end. Returns its ticket.
    pub(crate) fn enter(
        &mut self,
        guest: &Guest,
        protocol: Protocol,
        since: OffsetDateTime,
        requests: UnboundedSender<Request>,
    ) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        let entry = Entry {
            ticket,
            guest: guest.clone(),
            protocol,
            since,
            topics: BTreeSet::new(),
            messages: 0,
            last: None,
            requests,
        };
        if let Some(former) = self.entries.insert(key(guest), entry) {
            // If nobody is there to read it, that connection has just ended.
            let _ = former.requests.send(Request::MakeRoom);
        }
        ticket
    }

    /// Removes a connection, unless another one has taken its place.
    pub(crate) fn leave(&mut self, guest: &Guest, ticket: u64) {
        if self.own(guest, ticket).is_some() {
            self.entries.remove(&key(guest));
        }
    }

    fn own(&mut self, guest: &Guest, ticket: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&key(guest)).filter(|entry| entry.ticket == ticket)
    }

    /// Notes the topics of a connection.
    pub(crate) fn subscribed<'a>(
        &mut self,
        guest: &Guest,
        ticket: u64,
        topics: impl Iterator<Item = &'a String>,
    ) {
        if let Some(entry) = self.own(guest, ticket) {
            entry.topics = topics.cloned().collect();
        }
    }

    /// Notes a message.
    pub(crate) fn said(&mut self, guest: &Guest, ticket: u64, topic: &str, message: &[u8]) {
        if let Some(entry) = self.own(guest, ticket) {
            let text = format!("{topic} {}", String::from_utf8_lossy(message));
            entry.last = Some(text.trim().chars().take(SHOWN).collect());
            entry.messages += 1;
        }
    }

    /// Ends the connections that an uploaded certificate of a tenant lets in.
    pub(crate) fn end_by(&self, tenant: &str, fingerprint: &str) {
        let of = |guest: &Guest| guest.tenant == tenant && guest.by.as_deref() == Some(fingerprint);
        for entry in self.entries.values().filter(|entry| of(&entry.guest)) {
            // If nobody is there to read it, that connection has just ended.
            let _ = entry.requests.send(Request::End("the certificate of its CA was removed"));
        }
    }

    /// Ends the connection of a device.
    pub(crate) fn end_of(&self, tenant: &str, device: &str, reason: &'static str) {
        if let Some(entry) = self.entries.get(&(tenant.to_owned(), device.to_owned())) {
            let _ = entry.requests.send(Request::End(reason));
        }
    }

    /// Whether a device is connected.
    pub(crate) fn has(&self, tenant: &str, device: &str) -> bool {
        self.entries.contains_key(&(tenant.to_owned(), device.to_owned()))
    }

    /// Sends to a device that is connected and has subscribed to the topic; whether it is.
    pub(crate) fn deliver(
        &self,
        tenant: &str,
        device: &str,
        topic: &'static str,
        message: &str,
    ) -> bool {
        let entry = self.entries.get(&(tenant.to_owned(), device.to_owned()));
        entry.filter(|entry| entry.topics.contains(topic)).is_some_and(|entry| {
            let message = message.to_owned();
            entry.requests.send(Request::Deliver { topic, message }).is_ok()
        })
    }

    /// How many are connected.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The connections, for people and tests.
    pub(crate) fn view(&self, most: usize) -> Vec<Value> {
        let view = |entry: &Entry| {
            json!({
                "tenant": entry.guest.tenant, "device": entry.guest.device,
                "client_id": entry.guest.client_id, "since": iso(entry.since),
                "protocol": entry.protocol.name(),
                "authentication": entry.guest.way.name(), "topics": entry.topics,
                "messages": entry.messages, "last_message": entry.last,
            })
        };
        self.entries.values().take(most).map(view).collect()
    }
}
