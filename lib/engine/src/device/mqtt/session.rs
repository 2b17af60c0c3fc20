//! The session itself: what is sent, and what is waited for.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, TimerKind};

use super::super::smartrest;
use super::error::{MqttError, Waiting};
use super::frame::Frame;
use super::inbox::Inbox;
use super::packets::{self, Inbound};
use super::{ConnectOptions, MOST, Message, Qos, Transport};
use crate::failure::Underlying;
use crate::net::{Deadline, after};

/// The first byte of a CONNACK (MQTT 3.1.1, 3.2.1).
const CONNACK: u8 = 0x20;

/// An MQTT session.
pub struct Session<T: Transport> {
    transport: T,
    core: mqtt::Connection<mqtt::role::Client>,
    timeout: Duration,
    /// The end of the exchange that is going on.
    exchange: Deadline,
    /// Whether nothing was read yet.
    fresh: bool,
    /// Packets that came and that nobody has asked for yet.
    inbox: Inbox,
    frame: Frame,
    ping_due: Option<Instant>,
    pong_due: Option<Instant>,
    /// When a packet that has begun to come has to be whole.
    rest_due: Option<Instant>,
}

impl<T: Transport> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("inbox", &self.inbox.len()).finish_non_exhaustive()
    }
}

impl<T: Transport> Session<T> {
    /// Sends CONNECT and waits for the answer.
    ///
    /// Errors: [`MqttError::Refused`] with the code, and whatever else keeps the answer away.
    pub fn connect(transport: T, options: &ConnectOptions) -> Result<Self, MqttError> {
        Self::connect_by(transport, options, Deadline::after(options.timeout))
    }

    /// The same by a deadline, that of the whole exchange to which it belongs.
    pub fn connect_by(
        transport: T,
        options: &ConnectOptions,
        deadline: Deadline,
    ) -> Result<Self, MqttError> {
        let limit = ConnectionOptions::new().maximum_packet_size_recv(MOST);
        let mut core = mqtt::Connection::with_options(mqtt::Version::V3_1_1, limit);
        core.set_auto_pub_response(true);
        core.set_pingresp_recv_timeout(millis(options.timeout));
        let mut session = Self {
            transport,
            core,
            timeout: options.timeout,
            exchange: deadline,
            fresh: true,
            inbox: Inbox::default(),
            frame: Frame::default(),
            ping_due: None,
            pong_due: None,
            rest_due: None,
        };
        let packet = packets::connect(options)?;
        let events = session.core.checked_send(packet);
        session.handle(events, Waiting::Connack)?;
        session
            .wait(Waiting::Connack, |packet| matches!(packet, Inbound::Connack(0)).then_some(()))?;
        Ok(session)
    }

    /// Publishes a message, and waits until it is acknowledged if its QoS says so.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: Qos) -> Result<(), MqttError> {
        let unsendable = |problem| MqttError::Unsendable { what: "a message", problem };
        smartrest::check_length(topic, payload.len()).map_err(|e| unsendable(Underlying::of(e)))?;
        let id = match qos {
            Qos::AtMostOnce => None,
            _ => Some(self.packet_id()?),
        };
        let packet = packets::publish(topic, payload, qos, id)?;
        self.begin();
        let events = self.core.checked_send(packet);
        self.handle(events, Waiting::Acknowledgement)?;
        let Some(id) = id else { return Ok(()) };
        self.wait(Waiting::Acknowledgement, |packet| {
            matches!(packet, Inbound::Done(done) if *done == id).then_some(())
        })
    }

    /// Subscribes to topics, each with a packet of its own, and waits for the answers: the QoS granted for each.
    /// The MQTT Service refuses a SUBSCRIBE with two filters as a whole (platform: "MQTT Service").
    ///
    /// Errors: [`MqttError::NotSubscribed`] for the first topic that is refused.
    pub fn subscribe(&mut self, topics: &[(&str, Qos)]) -> Result<Vec<Qos>, MqttError> {
        topics.iter().map(|(topic, qos)| self.subscribe_one(topic, *qos)).collect()
    }

    fn subscribe_one(&mut self, topic: &str, qos: Qos) -> Result<Qos, MqttError> {
        let id = self.packet_id()?;
        let packet = packets::subscribe(topic, qos, id)?;
        self.begin();
        let events = self.core.checked_send(packet);
        self.handle(events, Waiting::Suback)?;
        let granted = self.wait(Waiting::Suback, |packet| match packet {
            Inbound::Suback(found, granted) if *found == id => Some(granted.clone()),
            _ => None,
        })?;
        let [granted] = granted[..] else {
            let problem = format!("a SUBACK with {} codes for one topic", granted.len());
            return Err(MqttError::Protocol(problem.into()));
        };
        granted.ok_or_else(|| MqttError::NotSubscribed { topic: topic.to_owned() })
    }

    /// The next message, or none if none comes within that time. Keeps the session alive.
    pub fn receive(&mut self, wait: Duration) -> Result<Option<Message>, MqttError> {
        let end = after(wait);
        loop {
            if let Some(message) = self.inbox.next_message() {
                return Ok(Some(message));
            }
            let now = Instant::now();
            if now >= end {
                return Ok(None);
            }
            self.fire(now)?;
            let due = [self.ping_due, self.pong_due, self.rest_due];
            let next = due.into_iter().flatten().fold(end, Instant::min);
            self.begin();
            self.read(next.saturating_duration_since(now), Waiting::Message)?;
        }
    }

    /// Takes in what has come until now, without waiting for more; whether anything had. Messages are then
    /// [received](Self::receive) without a wait. A server that sends on and on is read up to the deadline.
    pub fn take_in(&mut self, by: Deadline) -> Result<bool, MqttError> {
        let mut came = false;
        loop {
            self.begin();
            if !self.read(Duration::ZERO, Waiting::Message)? {
                // What is due is judged by what has come, and not by when it was looked at.
                self.fire(Instant::now())?;
                return Ok(came);
            }
            came = true;
            if by.is_over() {
                return Ok(came);
            }
        }
    }

    /// Says goodbye: the last will is not published.
    pub fn disconnect(mut self) -> Result<(), MqttError> {
        let packet = packets::disconnect()?;
        self.begin();
        let events = self.core.checked_send(packet);
        self.handle(events, Waiting::Message)
    }

    /// Messages that have come and were not received, of a session that has failed: they are acknowledged,
    /// and the server does not send them again.
    pub fn into_messages(self) -> Vec<Message> {
        self.inbox.into_messages()
    }

    /// The connection below.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    fn packet_id(&mut self) -> Result<u16, MqttError> {
        self.core.acquire_packet_id().map_err(|e| packets::unsendable("a message", e))
    }

    /// Another exchange begins.
    fn begin(&mut self) {
        self.exchange = Deadline::after(self.timeout);
    }

    /// Reads until a packet is the one that is waited for.
    fn wait<R>(
        &mut self,
        waiting: Waiting,
        wanted: impl Fn(&Inbound) -> Option<R>,
    ) -> Result<R, MqttError> {
        loop {
            if let Some(found) = self.inbox.take(&wanted) {
                return Ok(found);
            }
            if self.exchange.is_over() {
                return Err(self.late(waiting));
            }
            self.read(self.exchange.left(), waiting)?;
        }
    }

    fn late(&self, waiting: Waiting) -> MqttError {
        MqttError::Timeout { waiting, seconds: self.timeout.as_secs() }
    }

    /// Reads once, for at most that long; whether anything came.
    fn read(&mut self, wait: Duration, waiting: Waiting) -> Result<bool, MqttError> {
        // A time-out of nothing would mean not to look at all.
        let wait = wait.max(Duration::from_millis(1));
        let failed = |e: io::Error| MqttError::of(e, waiting, self.timeout.as_secs());
        self.transport.set_deadline(Deadline::after(wait));
        let mut buffer = [0; 4096];
        let read = match self.transport.read(&mut buffer) {
            Ok(0) => return Err(MqttError::Closed { waiting }),
            Ok(read) => read,
            Err(e) if is_late(&e) || e.kind() == ErrorKind::Interrupted => return Ok(false),
            Err(e) => return Err(failed(e)),
        };
        // What is no MQTT may look like the beginning of a long packet: the first has to be CONNACK.
        if std::mem::take(&mut self.fresh) && buffer[0] != CONNACK {
            let problem = format!("its first byte is {:#04x}, not that of CONNACK", buffer[0]);
            return Err(MqttError::Protocol(problem.into()));
        }
        let mut cursor = Cursor::new(&buffer[..read]);
        while cursor.position() < read as u64 {
            let events = self.core.recv(&mut cursor);
            self.handle(events, waiting)?;
        }
        let begun = self.frame.pass(&buffer[..read]);
        if begun || !self.frame.is_open() {
            self.rest_due = begun.then(|| after(self.timeout));
        }
        Ok(true)
    }

    /// Does what is due by the clock.
    fn fire(&mut self, now: Instant) -> Result<(), MqttError> {
        if self.pong_due.is_some_and(|due| due <= now) {
            return Err(self.late(Waiting::Pingresp));
        }
        if self.rest_due.is_some_and(|due| due <= now) {
            return Err(self.late(Waiting::Rest));
        }
        if self.ping_due.is_some_and(|due| due <= now) {
            self.ping_due = None;
            let events = self.core.notify_timer_fired(TimerKind::PingreqSend);
            self.handle(events, Waiting::Pingresp)?;
        }
        Ok(())
    }

    /// Does what the protocol asks for.
    fn handle(&mut self, events: Vec<Event>, waiting: Waiting) -> Result<(), MqttError> {
        let mut problem = None;
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    self.send(&packets::bytes(&packet), waiting)?;
                }
                Event::NotifyPacketReceived(packet) => {
                    match Inbound::of(packet) {
                        // Also later: it means that the session is being closed.
                        Some(Inbound::Connack(code)) if code != 0 => {
                            return Err(MqttError::Refused { code });
                        }
                        Some(found) => self.inbox.push(found, waiting)?,
                        None => {}
                    }
                }
                Event::RequestTimerReset { kind, duration_ms } => {
                    let due = Instant::now().checked_add(Duration::from_millis(duration_ms));
                    self.set_timer(kind, due);
                }
                Event::RequestTimerCancel(kind) => self.set_timer(kind, None),
                Event::NotifyError(error) => problem = Some(packets::protocol(error)),
                Event::RequestClose | Event::NotifyPacketIdReleased(_) => {}
            }
        }
        problem.map_or(Ok(()), Err)
    }

    fn set_timer(&mut self, kind: TimerKind, due: Option<Instant>) {
        match kind {
            TimerKind::PingreqSend => self.ping_due = due,
            TimerKind::PingrespRecv => self.pong_due = due,
            // Only servers wait for pings.
            TimerKind::PingreqRecv => {}
        }
    }

    fn send(&mut self, bytes: &[u8], waiting: Waiting) -> Result<(), MqttError> {
        self.transport.set_deadline(self.exchange);
        let sent = self.transport.write_all(bytes).and_then(|()| self.transport.flush());
        let Err(error) = sent else { return Ok(()) };
        // A server that closes may have said why: its alert, or its CONNACK, lies before the end.
        match self.read(self.exchange.left(), waiting) {
            Err(told @ (MqttError::Alert { .. } | MqttError::Refused { .. })) => Err(told),
            _ => Err(MqttError::of(error, waiting, self.timeout.as_secs())),
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
