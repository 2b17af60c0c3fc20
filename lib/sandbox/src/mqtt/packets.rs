//! The packets of MQTT 3.1.1 and of MQTT 5 as one: what a client says, and what it is answered, whichever of
//! them it speaks (OASIS MQTT 3.1.1 and 5.0, section 3). MQTT 3.1 is spoken as 3.1.1 here.

use mqtt_protocol_core::mqtt::packet::{
    GenericPacket, MaximumPacketSize, MaximumQos, Packet, Property, Qos, RetainAvailable,
    SessionExpiryInterval, SharedSubscriptionAvailable, SubEntry, WildcardSubscriptionAvailable,
    v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, SubackReasonCode,
    SubackReturnCode, UnsubackReasonCode,
};

use super::super::state::Protocol;
use super::frame::LARGEST;

/// Why a CONNECT is refused, as far as a client learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// The protocol's version.
    Version,
    /// The ClientId.
    ClientId,
    /// Try again later.
    Unavailable,
    /// User or password.
    Credentials,
    /// Anything else.
    Unauthorized,
    /// The last will is to be retained; MQTT 3.1.1 has no word for that.
    RetainedWill,
    /// The last will is of QoS 2; nor for that.
    WillOfQos2,
}

impl Denial {
    /// The code in the CONNACK.
    pub(super) fn code(self, protocol: Protocol) -> u8 {
        if protocol == Protocol::Mqtt5 { self.reason() as u8 } else { self.return_code() as u8 }
    }

    fn return_code(self) -> ConnectReturnCode {
        match self {
            Self::Version => ConnectReturnCode::UnacceptableProtocolVersion,
            Self::ClientId => ConnectReturnCode::IdentifierRejected,
            Self::Unavailable => ConnectReturnCode::ServerUnavailable,
            Self::Credentials => ConnectReturnCode::BadUserNameOrPassword,
            Self::Unauthorized | Self::RetainedWill | Self::WillOfQos2 => {
                ConnectReturnCode::NotAuthorized
            }
        }
    }

    fn reason(self) -> ConnectReasonCode {
        match self {
            Self::Version => ConnectReasonCode::UnsupportedProtocolVersion,
            Self::ClientId => ConnectReasonCode::ClientIdentifierNotValid,
            Self::Unavailable => ConnectReasonCode::ServerUnavailable,
            Self::Credentials => ConnectReasonCode::BadUserNameOrPassword,
            Self::Unauthorized => ConnectReasonCode::NotAuthorized,
            Self::RetainedWill => ConnectReasonCode::RetainNotSupported,
            Self::WillOfQos2 => ConnectReasonCode::QosNotSupported,
        }
    }
}

/// A message for when the client goes without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Will {
    pub(super) topic: String,
    pub(super) message: Vec<u8>,
    pub(super) qos: Qos,
    pub(super) retain: bool,
}

impl Will {
    /// Of a CONNECT, if it has one.
    fn of(packet: &Packet) -> Option<Self> {
        let (topic, message, qos, retain) = match packet {
            GenericPacket::V3_1_1Connect(c) => {
                (c.will_topic(), c.will_payload(), c.will_qos(), c.will_retain())
            }
            GenericPacket::V5_0Connect(c) => {
                (c.will_topic(), c.will_payload(), c.will_qos(), c.will_retain())
            }
            _ => return None,
        };
        let message = message.unwrap_or_default().to_vec();
        Some(Self { topic: topic?.to_owned(), message, qos, retain })
    }
}

/// What a CONNECT says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connect {
    pub(super) client_id: String,
    pub(super) clean_session: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) will: Option<Will>,
}

impl Connect {
    /// Of the packet, if it is a CONNECT.
    pub(super) fn of(packet: &Packet) -> Option<Self> {
        let (client_id, clean_session, user, password) = match packet {
            GenericPacket::V3_1_1Connect(c) => {
                (c.client_id(), c.clean_session(), c.user_name(), c.password())
            }
            GenericPacket::V5_0Connect(c) => {
                (c.client_id(), c.clean_start(), c.user_name(), c.password())
            }
            _ => return None,
        };
        Some(Self {
            client_id: client_id.to_owned(),
            clean_session,
            user: user.map(str::to_owned),
            password: password.map(<[u8]>::to_vec),
            will: Will::of(packet),
        })
    }
}

/// What a connected client says that the protocol does not answer by itself.
pub(super) enum Said {
    Publish {
        topic: String,
        message: Vec<u8>,
    },
    Subscribe {
        id: u16,
        filters: Vec<(String, Qos)>,
    },
    /// A SUBSCRIBE of MQTT 3.1.1 with bits that are reserved there.
    Reserved,
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    Disconnect {
        /// Whether the last will is to be published all the same (MQTT 5, 3.14.2.1).
        with_will: bool,
    },
    /// Nothing that is for us to answer.
    Else,
}

impl Said {
    pub(super) fn of(packet: &Packet) -> Self {
        match packet {
            GenericPacket::V3_1_1Publish(publish) => Self::Publish {
                topic: publish.topic_name().to_owned(),
                message: publish.payload().as_slice().to_vec(),
            },
            GenericPacket::V5_0Publish(publish) => Self::Publish {
                topic: publish.topic_name().to_owned(),
                message: publish.payload().as_slice().to_vec(),
            },
            GenericPacket::V3_1_1Subscribe(subscribe) => {
                let entries = subscribe.entries();
                // The bits above are MQTT 5's.
                if entries.iter().any(|entry| entry.sub_opts().to_buffer()[0] > 2) {
                    return Self::Reserved;
                }
                Self::Subscribe { id: subscribe.packet_id(), filters: filters(entries) }
            }
            GenericPacket::V5_0Subscribe(subscribe) => {
                Self::Subscribe { id: subscribe.packet_id(), filters: filters(subscribe.entries()) }
            }
            GenericPacket::V3_1_1Unsubscribe(unsubscribe) => Self::Unsubscribe {
                id: unsubscribe.packet_id(),
                filters: unsubscribe.entries().iter().map(|e| e.as_str().to_owned()).collect(),
            },
            GenericPacket::V5_0Unsubscribe(unsubscribe) => Self::Unsubscribe {
                id: unsubscribe.packet_id(),
                filters: unsubscribe.entries().iter().map(|e| e.as_str().to_owned()).collect(),
            },
            GenericPacket::V3_1_1Disconnect(_) => Self::Disconnect { with_will: false },
            GenericPacket::V5_0Disconnect(disconnect) => {
                let normal = Some(DisconnectReasonCode::NormalDisconnection);
                let code = disconnect.reason_code();
                Self::Disconnect { with_will: code.is_some() && code != normal }
            }
            _ => Self::Else,
        }
    }
}

fn filters(entries: &[SubEntry]) -> Vec<(String, Qos)> {
    let filter = |entry: &SubEntry| (entry.topic_filter().to_owned(), entry.sub_opts().qos());
    entries.iter().map(filter).collect()
}

type Built = Result<Packet, MqttError>;

/// CONNACK: accepted. With MQTT 5 it tells what is not taken: QoS 2, retained messages, large packets,
/// sessions that outlive their connection.
pub(super) fn accepted(protocol: Protocol) -> Built {
    if protocol != Protocol::Mqtt5 {
        let connack = v3_1_1::Connack::builder().session_present(false);
        return Ok(connack.return_code(ConnectReturnCode::Accepted).build()?.into());
    }
    let properties: Vec<Property> = vec![
        SessionExpiryInterval::new(0)?.into(),
        MaximumQos::new(1)?.into(),
        RetainAvailable::new(0)?.into(),
        MaximumPacketSize::new(u32::try_from(LARGEST).unwrap_or(u32::MAX))?.into(),
        WildcardSubscriptionAvailable::new(0)?.into(),
        SharedSubscriptionAvailable::new(0)?.into(),
    ];
    let connack = v5_0::Connack::builder().session_present(false).props(properties);
    Ok(connack.reason_code(ConnectReasonCode::Success).build()?.into())
}

/// CONNACK: refused.
pub(super) fn denied(protocol: Protocol, why: Denial) -> Built {
    if protocol == Protocol::Mqtt5 {
        let connack = v5_0::Connack::builder().session_present(false);
        return Ok(connack.reason_code(why.reason()).build()?.into());
    }
    let connack = v3_1_1::Connack::builder().session_present(false);
    Ok(connack.return_code(why.return_code()).build()?.into())
}

/// PUBLISH; without a packet identifier it goes with QoS 0.
pub(super) fn publish(
    protocol: Protocol,
    topic: &str,
    message: &str,
    with: Option<(Qos, u16)>,
) -> Built {
    if protocol == Protocol::Mqtt5 {
        let mut publish = v5_0::Publish::builder();
        if let Some((qos, id)) = with {
            publish = publish.qos(qos).packet_id(id);
        }
        return Ok(publish.topic_name(topic)?.payload(message.as_bytes()).build()?.into());
    }
    let mut publish = v3_1_1::Publish::builder();
    if let Some((qos, id)) = with {
        publish = publish.qos(qos).packet_id(id);
    }
    Ok(publish.topic_name(topic)?.payload(message.as_bytes()).build()?.into())
}

/// SUBACK: what each filter was granted, if it was.
pub(super) fn suback(protocol: Protocol, id: u16, granted: &[Option<Qos>]) -> Built {
    if protocol == Protocol::Mqtt5 {
        let code = |granted: &Option<Qos>| match granted {
            Some(Qos::AtMostOnce) => SubackReasonCode::GrantedQos0,
            Some(Qos::AtLeastOnce) => SubackReasonCode::GrantedQos1,
            Some(Qos::ExactlyOnce) => SubackReasonCode::GrantedQos2,
            None => SubackReasonCode::UnspecifiedError,
        };
        let codes = granted.iter().map(code).collect();
        return Ok(v5_0::Suback::builder().packet_id(id).reason_codes(codes).build()?.into());
    }
    let code = |granted: &Option<Qos>| match granted {
        Some(Qos::AtMostOnce) => SubackReturnCode::SuccessMaximumQos0,
        Some(Qos::AtLeastOnce) => SubackReturnCode::SuccessMaximumQos1,
        Some(Qos::ExactlyOnce) => SubackReturnCode::SuccessMaximumQos2,
        None => SubackReturnCode::Failure,
    };
    let codes = granted.iter().map(code).collect();
    Ok(v3_1_1::Suback::builder().packet_id(id).return_codes(codes).build()?.into())
}

/// UNSUBACK: which of the filters there were.
pub(super) fn unsuback(protocol: Protocol, id: u16, existed: &[bool]) -> Built {
    if protocol != Protocol::Mqtt5 {
        return Ok(v3_1_1::Unsuback::builder().packet_id(id).build()?.into());
    }
    let code = |existed: &bool| match existed {
        true => UnsubackReasonCode::Success,
        false => UnsubackReasonCode::NoSubscriptionExisted,
    };
    let codes = existed.iter().map(code).collect();
    Ok(v5_0::Unsuback::builder().packet_id(id).reason_codes(codes).build()?.into())
}

/// DISCONNECT with its reason, which a server can send in MQTT 5 only.
pub(super) fn disconnect(code: DisconnectReasonCode) -> Built {
    Ok(v5_0::Disconnect::builder().reason_code(code).build()?.into())
}

#[cfg(test)]
mod tests {
    use mqtt_protocol_core::mqtt::packet::GenericPacketTrait;

    use super::*;

    #[test]
    fn a_refusal_in_the_words_of_each_version() {
        for (denial, third, fifth) in [
            (Denial::Version, 1, 0x84),
            (Denial::ClientId, 2, 0x85),
            (Denial::Unavailable, 3, 0x88),
            (Denial::Credentials, 4, 0x86),
            (Denial::Unauthorized, 5, 0x87),
            (Denial::RetainedWill, 5, 0x9a),
            (Denial::WillOfQos2, 5, 0x9b),
        ] {
            for old in [Protocol::Mqtt31, Protocol::Mqtt311] {
                assert_eq!(denial.code(old), third, "{denial:?}");
            }
            assert_eq!(denial.code(Protocol::Mqtt5), fifth, "{denial:?}");
            let sent = denied(Protocol::Mqtt5, denial).unwrap().to_continuous_buffer();
            assert_eq!(sent, [0x20, 3, 0, fifth, 0], "{denial:?}");
            let sent = denied(Protocol::Mqtt311, denial).unwrap().to_continuous_buffer();
            assert_eq!(sent, [0x20, 2, 0, third], "{denial:?}");
        }
    }

    #[test]
    fn the_limits_are_told_in_mqtt_5_only() {
        let sent = |protocol| accepted(protocol).unwrap().to_continuous_buffer();
        assert_eq!(sent(Protocol::Mqtt311), [0x20, 2, 0, 0]);
        // Session expiry 0, QoS 1, nothing retained, 16184 bytes, no wildcards, nothing shared.
        let properties = b"\x11\0\0\0\0\x24\x01\x25\0\x27\0\0\x3f\x38\x28\0\x2a\0";
        let whole = [b"\x20\x15\0\0\x12".as_slice(), properties].concat();
        assert_eq!(sent(Protocol::Mqtt5), whole);
    }

    #[test]
    fn a_disconnect_with_a_reason_leaves_the_will() {
        let with_will = |packet: Packet| match Said::of(&packet) {
            Said::Disconnect { with_will } => with_will,
            _ => panic!("another packet"),
        };
        assert!(!with_will(v3_1_1::Disconnect::builder().build().unwrap().into()));
        assert!(!with_will(v5_0::Disconnect::builder().build().unwrap().into()));
        for (code, left) in [
            (DisconnectReasonCode::NormalDisconnection, false),
            (DisconnectReasonCode::DisconnectWithWillMessage, true),
        ] {
            assert_eq!(with_will(disconnect(code).unwrap()), left);
        }
    }
}
