//! What a failure looks like.

use super::super::link::{LinkError, ServerFault};
use super::super::mqtt::{MqttError, Waiting};
use super::{Symptom, tls};

impl Symptom {
    /// What a failed connection looks like.
    pub fn of_link(error: &LinkError) -> Self {
        match error {
            LinkError::Resolve { .. } | LinkError::BadHost { .. } => Self::Unresolvable,
            LinkError::NothingListens { .. } => Self::PortClosed,
            LinkError::Unreachable { .. } => Self::Unreachable,
            LinkError::TcpTimeout { .. } => Self::NoTcp,
            LinkError::TlsTimeout { .. } => Self::NoTls,
            LinkError::Closed { .. } => Self::ClosedInTls,
            LinkError::NotTls { .. } => Self::NotTls,
            LinkError::TooLarge { .. } => Self::TooLarge,
            LinkError::Incompatible { version: true, .. } => Self::OtherTls,
            LinkError::Incompatible { .. } => Self::NoCommonTls,
            LinkError::Alert { alert } => Self::Alert(*alert),
            LinkError::Untrusted { fault, .. } => match fault {
                ServerFault::UnknownIssuer { .. } => Self::ServerUnknownCa,
                ServerFault::OtherKey { .. } => Self::ServerOtherKey,
                ServerFault::Expired => Self::ServerExpired,
                ServerFault::NotValidYet => Self::ServerNotYetValid,
                ServerFault::OtherName { .. } => Self::ServerOtherName,
                ServerFault::SelfSigned { .. } => Self::ServerSelfSigned,
                ServerFault::Other(_) => Self::ServerRefused,
            },
            _ => Self::Other,
        }
    }

    /// What a failed session looks like.
    pub fn of_mqtt(error: &MqttError) -> Self {
        match error {
            MqttError::Refused { code } => Self::Connack(*code),
            MqttError::Alert { alert } => Self::Alert(*alert),
            MqttError::Closed { waiting: Waiting::Connack } => Self::ClosedWithoutAnswer,
            MqttError::Closed { .. } => Self::ClosedLater,
            MqttError::Timeout { waiting: Waiting::Connack, .. } => Self::NoConnack,
            MqttError::Timeout { .. } | MqttError::Flooded { .. } => Self::NoAnswer,
            MqttError::NotSubscribed { .. } => Self::NotSubscribed,
            MqttError::Protocol(_) => Self::NotMqtt,
            _ => Self::Other,
        }
    }

    /// The same where the device had been accepted before.
    #[must_use]
    pub fn later(self) -> Self {
        match self {
            Self::Connack(5) => Self::LateConnack,
            other => other,
        }
    }

    /// Whether the tenant can say more: the device was heard, and the certificate may be to blame.
    pub fn is_for_the_tenant(&self) -> bool {
        matches!(
            self,
            Self::Connack(5) | Self::LateConnack | Self::Alert(_) | Self::ClosedWithoutAnswer
        )
    }

    /// Whether the server may refuse the device because the list of CAs that it accepts lacks the device's: it has
    /// not told another reason.
    pub(super) fn may_come_of_the_list(&self) -> bool {
        match self {
            Self::Connack(5) | Self::ClosedWithoutAnswer => true,
            Self::Alert(alert) => tls::may_come_of_the_list(*alert),
            _ => false,
        }
    }

    /// Whether the platform asks for another attempt: it also refuses so while it is overloaded. A check asks less
    /// than [`Fault::may_pass`](crate::failure::Fault::may_pass), by which clients repeat: a network that is not
    /// reached, or a server that closes, is what it is to tell, and it would say the same after a minute.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Connack(3 | 5) | Self::LateConnack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Alert;

    #[test]
    fn errors_are_seen_as_the_symptoms_they_are() {
        let waiting = Waiting::Connack;
        for (error, symptom) in [
            (MqttError::Refused { code: 5 }, Symptom::Connack(5)),
            (MqttError::Closed { waiting }, Symptom::ClosedWithoutAnswer),
            (MqttError::Closed { waiting: Waiting::Message }, Symptom::ClosedLater),
            (MqttError::Timeout { waiting, seconds: 1 }, Symptom::NoConnack),
            (MqttError::Timeout { waiting: Waiting::Suback, seconds: 1 }, Symptom::NoAnswer),
            (MqttError::Alert { alert: Alert::UNKNOWN_CA }, Symptom::Alert(Alert::UNKNOWN_CA)),
            (MqttError::NotSubscribed { topic: "s/e".to_owned() }, Symptom::NotSubscribed),
            (MqttError::Protocol("".into()), Symptom::NotMqtt),
        ] {
            assert_eq!(Symptom::of_mqtt(&error), symptom, "{error}");
        }
        let target = || "h:1".to_owned();
        let incompatible =
            |version| LinkError::Incompatible { target: target(), version, reason: "".into() };
        let name = || crate::name::Name::parse("CN=edge").unwrap();
        let untrusted = |fault| LinkError::Untrusted { target: target(), fault };
        for (error, symptom) in [
            (LinkError::NothingListens { target: target() }, Symptom::PortClosed),
            (LinkError::TcpTimeout { target: target(), seconds: 1 }, Symptom::NoTcp),
            (LinkError::TlsTimeout { target: target(), seconds: 1 }, Symptom::NoTls),
            (LinkError::Closed { target: target() }, Symptom::ClosedInTls),
            (LinkError::NotTls { target: target() }, Symptom::NotTls),
            (LinkError::TooLarge { target: target() }, Symptom::TooLarge),
            (incompatible(true), Symptom::OtherTls),
            (incompatible(false), Symptom::NoCommonTls),
            (
                untrusted(ServerFault::SelfSigned { subject: name(), other: false }),
                Symptom::ServerSelfSigned,
            ),
            (untrusted(ServerFault::Expired), Symptom::ServerExpired),
            (untrusted(ServerFault::NotValidYet), Symptom::ServerNotYetValid),
            (LinkError::Alert { alert: Alert(42) }, Symptom::Alert(Alert::BAD_CERTIFICATE)),
        ] {
            assert_eq!(Symptom::of_link(&error), symptom, "{error}");
        }
    }
}
