//! One connected client: its packets in and out, keep-alive, and its end with or without a last will.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mqtt_protocol_core::mqtt::Connection;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Event, TimerKind, role};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, Qos};
use mqtt_protocol_core::mqtt::result_code::{DisconnectReasonCode as Why, MqttError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use super::super::clock;
use super::super::shared::Shared;
use super::super::state::{Guest, Port, Protocol, Request};
use super::frame::{NoPacket, NotTaken};
use super::hello::Hello;
use super::notes::note_guest;
use super::packets::{self, Said, Will};
use super::{frame, topics};

/// How long a client may take to read what it is sent.
pub(super) const WRITING: Duration = Duration::from_secs(10);

/// What a connection is asked to do by others.
pub(super) type Requests = UnboundedReceiver<Request>;

const OUT_OF_PLACE: &str = "a packet was malformed or out of place";

/// How it ended.
struct End {
    /// With DISCONNECT, so that there is no last will.
    clean: bool,
    reason: String,
    /// What a client of MQTT 5 is told, if it is there to hear it.
    told: Option<Why>,
}

/// A connected client.
pub(super) struct Session {
    shared: Arc<Shared>,
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    protocol: Protocol,
    connection: Connection<role::Server>,
    guest: Guest,
    ticket: u64,
    granted: BTreeMap<String, Qos>,
    will: Option<Will>,
    out: Vec<u8>,
    deadline: Option<Instant>,
    end: Option<End>,
    /// Whether its next packet is answered with a CONNACK that refuses (platform: "A CONNACK can also
    /// come later in a session, and means that it is being closed").
    late: bool,
}

impl Session {
    /// After a CONNECT that is accepted: CONNACK 0 waits to be sent.
    pub(super) fn new(
        shared: Arc<Shared>,
        stream: TlsStream<TcpStream>,
        buffer: Vec<u8>,
        hello: Hello,
        guest: Guest,
        ticket: u64,
    ) -> Self {
        let mut session = Self {
            shared,
            stream,
            buffer,
            protocol: hello.protocol,
            connection: hello.connection,
            guest,
            ticket,
            granted: BTreeMap::new(),
            will: hello.connect.will,
            out: Vec::new(),
            deadline: None,
            end: None,
            late: false,
        };
        session.handle(hello.events);
        session.send(packets::accepted(session.protocol));
        session
    }

    /// Refuses it once it has been accepted.
    pub(super) fn refuse_later(&mut self) {
        self.late = true;
    }

    /// Serves it to its end, and notes that.
    pub(super) async fn run(mut self, mut requests: Requests) {
        let end = loop {
            self.read_buffer();
            if let Err(end) = self.flush().await {
                break end;
            }
            if let Some(end) = self.end.take() {
                break end;
            }
            self.wait(&mut requests).await;
        };
        // The state shows it gone only when its last will is published.
        if let Some(will) = self.will.take().filter(|_| !end.clean) {
            self.publish(&will.topic, &will.message);
        }
        self.shared.world().online.leave(&self.guest, self.ticket);
        note_guest(&self.shared, "DISCONNECT", &self.guest, end.reason);
        if let Some(why) = end.told.filter(|_| self.protocol == Protocol::Mqtt5) {
            self.out.clear();
            self.send(packets::disconnect(why));
            // A client that does not read it does not get it.
            let _ = self.flush().await;
        }
        // A client that does not answer is left alone.
        let _ = timeout(WRITING, self.stream.shutdown()).await;
    }

    /// Waits for something to do, and does it.
    async fn wait(&mut self, requests: &mut Requests) {
        let deadline = self.deadline;
        let quiet = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = self.stream.read_buf(&mut self.buffer) => match read {
                Ok(0) | Err(_) => self.gone("the connection ended without DISCONNECT"),
                Ok(_) => {}
            },
            request = requests.recv() => match request {
                Some(Request::Deliver { topic, message }) => self.deliver(topic, &message),
                Some(Request::End(reason)) => self.finish(Why::AdministrativeAction, reason),
                Some(Request::MakeRoom) | None => {
                    self.finish(Why::SessionTakenOver, "another connection of the device came");
                }
            },
            () = quiet => {
                self.deadline = None;
                let reason = "nothing came for one and a half times its keep-alive";
                self.finish(Why::KeepAliveTimeout, reason);
            }
        }
    }

    /// Ends it, and says why.
    fn finish(&mut self, why: Why, reason: impl Into<String>) {
        self.end.get_or_insert(End { clean: false, reason: reason.into(), told: Some(why) });
    }

    /// Ends it when there is nobody to say it to.
    fn gone(&mut self, reason: impl Into<String>) {
        self.end.get_or_insert(End { clean: false, reason: reason.into(), told: None });
    }

    /// Takes the packets that have come.
    fn read_buffer(&mut self) {
        while self.end.is_none() {
            let packet = match frame::take(&mut self.buffer) {
                Ok(Some(packet)) => packet,
                Ok(None) => return,
                Err(error) => {
                    let why = match error {
                        NoPacket::TooLarge(_) => Why::PacketTooLarge,
                        NoPacket::Length => Why::MalformedPacket,
                    };
                    return self.finish(why, error.text());
                }
            };
            if self.late {
                return self.refuse_now();
            }
            if let Err(reason) = frame::check(&packet, self.protocol == Protocol::Mqtt31) {
                return self.finish(Why::MalformedPacket, reason);
            }
            if self.guest.port == Port::Service
                && let Err(not_taken) = frame::check_service(&packet)
            {
                return match not_taken {
                    NotTaken::Qos2 => self.finish(Why::QosNotSupported, "a message has QoS 2"),
                    NotTaken::Retained => {
                        self.finish(Why::RetainNotSupported, "a message is to be retained");
                    }
                };
            }
            if frame::kind(&packet) == frame::CONNECT {
                return self.finish(Why::ProtocolError, "a second CONNECT came");
            }
            let events = self.connection.recv(&mut Cursor::new(&packet[..]));
            self.handle(events);
        }
    }

    /// Does what [`Session::refuse_later`] has announced.
    fn refuse_now(&mut self) {
        const LATE: [u8; 4] = [0x20, 2, 0, 5];
        // MQTT 5 has DISCONNECT for that.
        if self.protocol != Protocol::Mqtt5 {
            self.out.extend(LATE);
        }
        self.finish(Why::NotAuthorized, "it fails on purpose: a late CONNACK 5");
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let out = std::mem::take(&mut self.out);
        let stream = &mut self.stream;
        let written = timeout(WRITING, async {
            stream.write_all(&out).await?;
            stream.flush().await
        });
        let reason = match written.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) => "the connection ended without DISCONNECT",
            Err(_) => "the client reads nothing",
        };
        Err(self.end.take().unwrap_or_else(|| End {
            clean: false,
            reason: reason.to_owned(),
            told: None,
        }))
    }

    /// Does what the protocol wants.
    fn handle(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    self.out.extend(packet.to_continuous_buffer());
                }
                Event::NotifyPacketReceived(packet) => self.received(&packet),
                Event::RequestTimerReset { kind: TimerKind::PingreqRecv, duration_ms } => {
                    let time = std::time::Duration::from_millis(duration_ms);
                    self.deadline = Some(Instant::now() + time);
                }
                Event::RequestTimerCancel(TimerKind::PingreqRecv) => self.deadline = None,
                Event::NotifyError(_) | Event::RequestClose => {
                    self.finish(Why::ProtocolError, OUT_OF_PLACE);
                }
                Event::RequestTimerReset { .. }
                | Event::RequestTimerCancel(_)
                | Event::NotifyPacketIdReleased(_) => {}
            }
        }
    }

    fn send(&mut self, packet: Result<Packet, MqttError>) {
        match packet {
            Ok(packet) => {
                let events = self.connection.send(packet);
                self.handle(events);
            }
            Err(_) => self.finish(Why::ProtocolError, OUT_OF_PLACE),
        }
    }

    /// Packets that the protocol does not answer by itself.
    fn received(&mut self, packet: &Packet) {
        match Said::of(packet) {
            Said::Publish { topic, message } => self.publish(&topic, &message),
            Said::Subscribe { id, filters } => self.subscribe(id, filters),
            Said::Reserved => self.finish(Why::MalformedPacket, OUT_OF_PLACE),
            Said::Unsubscribe { id, filters } => self.unsubscribe(id, &filters),
            Said::Disconnect { with_will } => {
                let reason = "the client disconnected".to_owned();
                self.end.get_or_insert(End { clean: !with_will, reason, told: None });
            }
            Said::Else => {}
        }
    }

    fn publish(&mut self, topic: &str, message: &[u8]) {
        let shared = Arc::clone(&self.shared);
        let effect = {
            let mut world = shared.world();
            world.online.said(&self.guest, self.ticket, topic, message);
            topics::publish(&mut world, &self.guest, topic, message, clock::now())
        };
        if let Some(first) = effect.refused.first() {
            let more = effect.refused.len() - 1;
            let reason = match more {
                0 => format!("{topic}: {first}"),
                _ => format!("{topic}: {first}, and {more} more"),
            };
            note_guest(&shared, "PUBLISH", &self.guest, reason);
        }
        for (topic, message) in effect.deliver {
            self.deliver(topic, &message);
        }
    }

    /// Sends a message, if its topic is subscribed.
    fn deliver(&mut self, topic: &str, message: &str) {
        let Some(qos) = self.granted.get(topic).copied() else { return };
        // Of MQTT 5 a client may say how many messages it takes that it has not acknowledged.
        let has_room = self.connection.get_receive_maximum_vacancy_for_send() != Some(0);
        let with = match qos {
            Qos::AtLeastOnce | Qos::ExactlyOnce if has_room => {
                self.connection.acquire_packet_id().ok().map(|id| (qos, id))
            }
            // QoS 0, and so if all identifiers are used by messages that were not acknowledged.
            _ => None,
        };
        let publish = packets::publish(self.protocol, topic, message, with);
        if publish.is_ok() {
            self.send(publish);
        }
    }

    fn subscribe(&mut self, id: u16, filters: Vec<(String, Qos)>) {
        let smart_rest = topics::has_smart_rest(&self.shared.world(), &self.guest);
        let of_service = self.guest.port == Port::Service;
        // Of the MQTT Service one filter is granted, two are refused as a whole.
        let too_many = of_service && filters.len() > 1;
        let mut granted = Vec::new();
        for (filter, asked) in filters {
            if too_many || !topics::may_subscribe(&self.guest, smart_rest, &filter) {
                granted.push(None);
                continue;
            }
            let qos = match asked {
                Qos::ExactlyOnce if of_service => Qos::AtLeastOnce,
                asked => asked,
            };
            self.granted.insert(filter, qos);
            granted.push(Some(qos));
        }
        self.note_topics();
        self.send(packets::suback(self.protocol, id, &granted));
    }

    fn unsubscribe(&mut self, id: u16, filters: &[String]) {
        let existed: Vec<bool> =
            filters.iter().map(|filter| self.granted.remove(filter).is_some()).collect();
        self.note_topics();
        self.send(packets::unsuback(self.protocol, id, &existed));
    }

    fn note_topics(&self) {
        let mut world = self.shared.world();
        world.online.subscribed(&self.guest, self.ticket, self.granted.keys());
    }
}

impl Drop for Session {
    /// However it ended, nobody is shown as connected who is not.
    fn drop(&mut self) {
        self.shared.world().online.leave(&self.guest, self.ticket);
    }
}
