//! Versions of MQTT that are spoken.

/// A version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Mqtt31,
    Mqtt311,
    Mqtt5,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mqtt31 => "MQTT 3.1",
            Self::Mqtt311 => "MQTT 3.1.1",
            Self::Mqtt5 => "MQTT 5",
        }
    }
}
