//! Who is connected by MQTT, and how.

/// A version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Mqtt31,
    Mqtt311,
    Mqtt5,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mqtt31 => "MQTT 3.1",
            Self::Mqtt311 => "MQTT 3.1.1",
            Self::Mqtt5 => "MQTT 5",
        }
    }
}

/// Which of the two ports of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// As 8883 of the platform.
    Classic,
    /// As 9883 of the platform: the MQTT Service.
    Service,
}

impl Port {
    /// Its name in the list of connections.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "mqtt",
            Self::Service => "mqtt-service",
        }
    }
}

/// How a connection was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Certificate,
    Password,
    Bootstrap,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Password => "password",
            Self::Bootstrap => "bootstrap",
        }
    }
}

/// Who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) tenant: String,
    /// The device identifier of the ClientId.
    pub(crate) device: String,
    pub(crate) client_id: String,
    pub(crate) way: Way,
    pub(crate) port: Port,
    /// The fingerprint of the uploaded certificate that lets it in.
    pub(crate) by: Option<String>,
    /// What it should have done otherwise, though it is let in.
    pub(crate) remark: Option<&'static str>,
}
