//! Packets of MQTT 3.1.1, made and read with `mqtt-protocol-core`, whose types stay in here.

use mqtt_protocol_core::mqtt;
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, SubEntry, SubOpts, v3_1_1};
use mqtt_protocol_core::mqtt::result_code::{MqttError as CodecError, SubackReturnCode};

use super::{ConnectOptions, Message, MqttError, Qos};
use crate::failure::Underlying;

/// A packet that came, as far as it matters to a client.
#[derive(Debug)]
pub(super) enum Inbound {
    /// The code of a CONNACK.
    Connack(u8),
    /// A message is delivered: PUBACK or PUBCOMP.
    Done(u16),
    /// What was granted for each topic; none where it is refused.
    Suback(u16, Vec<Option<Qos>>),
    /// A message.
    Message(Message),
}

impl Inbound {
    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.topic.len() + message.payload.len(),
            Self::Suback(_, granted) => granted.len(),
            Self::Connack(_) | Self::Done(_) => 0,
        }
    }

    pub(super) fn of(packet: Packet) -> Option<Self> {
        match packet {
            Packet::V3_1_1Connack(connack) => Some(Self::Connack(connack.return_code() as u8)),
            Packet::V3_1_1Puback(puback) => Some(Self::Done(puback.packet_id())),
            Packet::V3_1_1Pubcomp(pubcomp) => Some(Self::Done(pubcomp.packet_id())),
            Packet::V3_1_1Suback(suback) => {
                let granted = suback.return_codes().into_iter().map(granted).collect();
                Some(Self::Suback(suback.packet_id(), granted))
            }
            Packet::V3_1_1Publish(publish) => Some(Self::Message(Message {
                topic: publish.topic_name().to_owned(),
                payload: publish.payload().as_slice().to_vec(),
                qos: match publish.qos() {
                    mqtt::packet::Qos::AtMostOnce => Qos::AtMostOnce,
                    mqtt::packet::Qos::AtLeastOnce => Qos::AtLeastOnce,
                    mqtt::packet::Qos::ExactlyOnce => Qos::ExactlyOnce,
                },
            })),
            _ => None,
        }
    }
}

fn granted(code: SubackReturnCode) -> Option<Qos> {
    match code {
        SubackReturnCode::SuccessMaximumQos0 => Some(Qos::AtMostOnce),
        SubackReturnCode::SuccessMaximumQos1 => Some(Qos::AtLeastOnce),
        SubackReturnCode::SuccessMaximumQos2 => Some(Qos::ExactlyOnce),
        SubackReturnCode::Failure => None,
    }
}

fn codec_qos(qos: Qos) -> mqtt::packet::Qos {
    match qos {
        Qos::AtMostOnce => mqtt::packet::Qos::AtMostOnce,
        Qos::AtLeastOnce => mqtt::packet::Qos::AtLeastOnce,
        Qos::ExactlyOnce => mqtt::packet::Qos::ExactlyOnce,
    }
}

pub(super) fn bytes(packet: &Packet) -> Vec<u8> {
    packet.to_continuous_buffer()
}

pub(super) fn connect(options: &ConnectOptions) -> Result<v3_1_1::Connect, MqttError> {
    let failed = |e| unsendable("CONNECT", e);
    let client_id = options.client_id.to_string();
    let mut builder = v3_1_1::Connect::builder()
        .client_id(client_id.as_str())
        .map_err(failed)?
        .clean_session(true)
        .keep_alive(options.keep_alive);
    if let Some(will) = &options.will {
        let (topic, payload) = (will.topic.as_str(), will.payload.as_str());
        let qos = codec_qos(will.qos);
        builder = builder.will_message(topic, payload, qos, false).map_err(failed)?;
    }
    if let Some((user, password)) = &options.user {
        builder = builder.user_name(user.as_str()).map_err(failed)?;
        if let Some(password) = password {
            builder = builder.password(password.expose()).map_err(failed)?;
        }
    }
    builder.build().map_err(failed)
}

pub(super) fn publish(
    topic: &str,
    payload: &[u8],
    qos: Qos,
    id: Option<u16>,
) -> Result<v3_1_1::Publish, MqttError> {
    let failed = |e| unsendable("a message", e);
    if topic.contains(['+', '#']) {
        let problem = format!("the topic {topic:?} has a wildcard").into();
        return Err(MqttError::Unsendable { what: "a message", problem });
    }
    let mut builder = v3_1_1::Publish::builder()
        .topic_name(topic)
        .map_err(failed)?
        .qos(codec_qos(qos))
        .payload(payload);
    if let Some(id) = id {
        builder = builder.packet_id(id);
    }
    builder.build().map_err(failed)
}

pub(super) fn subscribe(topic: &str, qos: Qos, id: u16) -> Result<v3_1_1::Subscribe, MqttError> {
    let failed = |e| unsendable("SUBSCRIBE", e);
    let entry = SubEntry::new(topic, SubOpts::new().set_qos(codec_qos(qos))).map_err(failed)?;
    v3_1_1::Subscribe::builder().packet_id(id).entries(vec![entry]).build().map_err(failed)
}

pub(super) fn disconnect() -> Result<v3_1_1::Disconnect, MqttError> {
    v3_1_1::Disconnect::builder().build().map_err(|e| unsendable("DISCONNECT", e))
}

pub(super) fn unsendable(what: &'static str, error: CodecError) -> MqttError {
    MqttError::Unsendable { what, problem: reason(error) }
}

pub(super) fn protocol(error: CodecError) -> MqttError {
    MqttError::Protocol(reason(error))
}

fn reason(error: CodecError) -> Underlying {
    let words = match &error {
        CodecError::MalformedPacket => "a malformed packet".to_owned(),
        CodecError::ProtocolError => "a packet where none of its kind belongs".to_owned(),
        CodecError::PacketTooLarge => "a packet that is too large".to_owned(),
        CodecError::PacketNotAllowedToSend => "the session is not open".to_owned(),
        other => other.to_string(),
    };
    Underlying::worded(words, error)
}
