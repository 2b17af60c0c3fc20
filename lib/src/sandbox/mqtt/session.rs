//! One connected client: its packets in and out, keep-alive, and its end with or without a last will.

use std::collections::BTreeMap;
use std::sync::Arc;

use mqtt_protocol_core::mqtt::Connection;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{Event, TimerKind, role};
use mqtt_protocol_core::mqtt::packet::{GenericPacket, GenericPacketTrait, Packet, Qos, v3_1_1};
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, SubackReturnCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use super::super::clock;
use super::super::server::Shared;
use super::admit::Guest;
use super::hello::{Hello, Protocol};
use super::online::Request;
use super::{Port, Requests, WRITING, frame, topics};

/// A message for when the client goes without a word.
pub(super) struct Will {
    topic: String,
    message: Vec<u8>,
}

impl Will {
    pub(super) fn of(connect: &v3_1_1::Connect) -> Option<Self> {
        let topic = connect.will_topic()?.to_owned();
        Some(Self { topic, message: connect.will_payload().unwrap_or_default().to_vec() })
    }
}

/// How it ended.
struct End {
    /// With DISCONNECT, so that there is no last will.
    clean: bool,
    reason: String,
}

/// A connected client.
pub(super) struct Session {
    shared: Arc<Shared>,
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    old: bool,
    connection: Connection<role::Server>,
    guest: Guest,
    ticket: u64,
    granted: BTreeMap<String, Qos>,
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
            old: hello.protocol == Protocol::Mqtt31,
            connection: hello.connection,
            guest,
            ticket,
            granted: BTreeMap::new(),
            out: Vec::new(),
            deadline: None,
            end: None,
            late: false,
        };
        session.heed(hello.events);
        let accepted = v3_1_1::Connack::builder()
            .session_present(false)
            .return_code(ConnectReturnCode::Accepted)
            .build();
        if let Ok(accepted) = accepted {
            session.send(accepted.into());
        }
        session
    }

    /// Refuses it once it has been accepted.
    pub(super) fn refuse_later(&mut self) {
        self.late = true;
    }

    /// Serves it to its end, and notes that.
    pub(super) async fn run(mut self, mut requests: Requests, will: Option<Will>) {
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
        // Whoever looks at the state sees it gone only when its last will is published.
        if let Some(will) = will.filter(|_| !end.clean) {
            self.publish(&will.topic, &will.message);
        }
        self.shared.world().online.leave(&self.guest, self.ticket);
        super::note_guest(&self.shared, "DISCONNECT", &self.guest, end.reason);
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
                Ok(0) | Err(_) => self.finish("the connection ended without DISCONNECT"),
                Ok(_) => {}
            },
            request = requests.recv() => match request {
                Some(Request::Deliver { topic, message }) => self.deliver(topic, &message),
                Some(Request::End(reason)) => self.finish(reason),
                None => self.finish("another connection of the device came"),
            },
            () = quiet => {
                let events = self.connection.notify_timer_fired(TimerKind::PingreqRecv);
                self.finish("nothing came for one and a half times its keep-alive");
                self.heed(events);
            }
        }
    }

    fn finish(&mut self, reason: impl Into<String>) {
        self.end.get_or_insert(End { clean: false, reason: reason.into() });
    }

    /// Takes the packets that have come.
    fn read_buffer(&mut self) {
        while self.end.is_none() {
            let packet = match frame::take(&mut self.buffer) {
                Ok(Some(packet)) => packet,
                Ok(None) => return,
                Err(reason) => return self.finish(reason),
            };
            if self.late {
                const LATE: [u8; 4] = [0x20, 2, 0, 5];
                self.out.extend(LATE);
                return self.finish("it fails on purpose: a late CONNACK 5");
            }
            if let Err(reason) = frame::check(&packet, self.old) {
                return self.finish(reason);
            }
            if self.guest.port == Port::Service
                && let Err(reason) = frame::check_service(&packet)
            {
                return self.finish(reason);
            }
            if frame::kind(&packet) == frame::CONNECT {
                return self.finish("a second CONNECT came");
            }
            let events = self.connection.recv(&mut Cursor::new(&packet[..]));
            self.heed(events);
        }
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
        Err(self.end.take().unwrap_or_else(|| End { clean: false, reason: reason.to_owned() }))
    }

    /// Does what the protocol wants.
    fn heed(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::RequestSendPacket { packet, .. } => {
                    self.out.extend(packet.to_continuous_buffer());
                }
                Event::NotifyPacketReceived(packet) => self.received(packet),
                Event::RequestTimerReset { kind: TimerKind::PingreqRecv, duration_ms } => {
                    let time = std::time::Duration::from_millis(duration_ms);
                    self.deadline = Some(Instant::now() + time);
                }
                Event::RequestTimerCancel(TimerKind::PingreqRecv) => self.deadline = None,
                Event::NotifyError(_) | Event::RequestClose => {
                    self.finish("a packet was malformed or out of place");
                }
                Event::RequestTimerReset { .. }
                | Event::RequestTimerCancel(_)
                | Event::NotifyPacketIdReleased(_) => {}
            }
        }
    }

    fn send(&mut self, packet: Packet) {
        let events = self.connection.send(packet);
        self.heed(events);
    }

    /// Packets that the protocol does not answer by itself.
    fn received(&mut self, packet: Packet) {
        match packet {
            GenericPacket::V3_1_1Publish(publish) => {
                self.publish(publish.topic_name(), publish.payload().as_slice());
            }
            GenericPacket::V3_1_1Subscribe(subscribe) => self.subscribe(&subscribe),
            GenericPacket::V3_1_1Unsubscribe(unsubscribe) => self.unsubscribe(&unsubscribe),
            GenericPacket::V3_1_1Disconnect(_) => {
                let reason = "the client disconnected".to_owned();
                self.end.get_or_insert(End { clean: true, reason });
            }
            _ => {}
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
            super::note_guest(&shared, "PUBLISH", &self.guest, reason);
        }
        for (topic, message) in effect.deliver {
            self.deliver(topic, &message);
        }
    }

    /// Sends a message, if its topic is subscribed.
    fn deliver(&mut self, topic: &str, message: &str) {
        let Some(qos) = self.granted.get(topic).copied() else { return };
        let mut publish = v3_1_1::Publish::builder();
        let id = match qos {
            Qos::AtMostOnce => None,
            // All identifiers are used by messages that were not acknowledged: without one, then.
            _ => self.connection.acquire_packet_id().ok(),
        };
        if let Some(id) = id {
            publish = publish.qos(qos).packet_id(id);
        }
        let publish = publish.topic_name(topic);
        let built = publish.and_then(|publish| publish.payload(message.as_bytes()).build());
        if let Ok(publish) = built {
            self.send(publish.into());
        }
    }

    fn subscribe(&mut self, subscribe: &v3_1_1::Subscribe) {
        let mut codes = Vec::new();
        let smart_rest = topics::has_smart_rest(&self.shared.world(), &self.guest);
        // Of the MQTT Service one filter is granted, two are refused as a whole.
        let too_many = self.guest.port == Port::Service && subscribe.entries().len() > 1;
        for entry in subscribe.entries() {
            // The bits above are MQTT 5's.
            if entry.sub_opts().to_buffer()[0] > 2 {
                return self.finish("a packet was malformed or out of place");
            }
            let (topic, qos) = (entry.topic_filter(), entry.sub_opts().qos());
            if too_many || !topics::may_subscribe(&self.guest, smart_rest, topic) {
                codes.push(SubackReturnCode::Failure);
                continue;
            }
            self.granted.insert(topic.to_owned(), qos);
            codes.push(match qos {
                Qos::AtMostOnce => SubackReturnCode::SuccessMaximumQos0,
                Qos::AtLeastOnce => SubackReturnCode::SuccessMaximumQos1,
                Qos::ExactlyOnce => SubackReturnCode::SuccessMaximumQos2,
            });
        }
        self.note_topics();
        let id = subscribe.packet_id();
        match v3_1_1::Suback::builder().packet_id(id).return_codes(codes).build() {
            Ok(suback) => self.send(suback.into()),
            Err(_) => self.finish("a packet was malformed or out of place"),
        }
    }

    fn unsubscribe(&mut self, unsubscribe: &v3_1_1::Unsubscribe) {
        for topic in unsubscribe.entries() {
            self.granted.remove(topic.as_str());
        }
        self.note_topics();
        match v3_1_1::Unsuback::builder().packet_id(unsubscribe.packet_id()).build() {
            Ok(unsuback) => self.send(unsuback.into()),
            Err(_) => self.finish("a packet was malformed or out of place"),
        }
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
