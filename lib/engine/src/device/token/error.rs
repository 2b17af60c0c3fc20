//! Why there is no token.

use super::super::connection::ConnectionError;
use super::super::link::LinkError;
use super::super::mqtt::MqttError;
use super::super::smartrest::{SmartRestError, TOKEN};
use crate::failure::{Failure, Fault, Hint, Setting, Task};
use crate::platform::PlatformError;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No connection.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The platform does not answer.
    #[error("no token came on {TOKEN} within {seconds} seconds")]
    NoToken {
        /// The time that it had.
        seconds: u64,
    },
    /// Something else than a message 71.
    #[error("what came on {TOKEN} is no token: {0}")]
    Message(#[source] SmartRestError),
    /// Something else than a JSON Web Token.
    #[error("the token is no JSON Web Token: {problem}")]
    NotJwt {
        /// Why not; never what it is.
        problem: &'static str,
    },
    /// The MQTT Service does not let the device subscribe for tokens.
    #[error(
        "the MQTT Service refuses {TOKEN}: tokens come over SmartREST, which has to be on there"
    )]
    NoSmartRest,
    /// HTTPS.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl TokenError {
    /// The same of a connection to the MQTT Service, where SmartREST may be off (platform: "MQTT Service").
    #[must_use]
    pub fn at_service(self) -> Self {
        match self {
            Self::Connection(ConnectionError::Mqtt(MqttError::NotSubscribed { .. })) => {
                Self::NoSmartRest
            }
            other => other,
        }
    }
}

impl Failure for TokenError {
    fn fault(&self) -> Fault {
        match self {
            Self::Connection(e) => e.fault(),
            Self::Platform(e) => e.fault(),
            Self::NoSmartRest => Fault::Refusal,
            Self::NoToken { .. } => Fault::Lost,
            Self::Message(_) | Self::NotJwt { .. } => Fault::Stranger,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Connection(e) => e.hint(),
            // Here no proxy is taken, and no truststore but the device's.
            Self::Platform(PlatformError::Connect { .. }) => Some(
                Hint::give("is the port right?", Setting::HttpsPort)
                    .then("is there a firewall in between? For this host no proxy is used"),
            ),
            Self::Platform(PlatformError::Untrusted { fault, host })
                if fault.fault() == Fault::Untrusted =>
            {
                let task = Task::FetchServer { address: Some(host.to_string()) };
                Some(
                    Hint::give("the device's truststore has to have its CA", Setting::Truststore)
                        .then(Hint::run("see what is presented", task)),
                )
            }
            // It takes the certificate into account, or the truststore: `device check` looks at both.
            Self::Platform(PlatformError::Tls { .. }) => Some(LinkError::check()),
            Self::Platform(e) => e.hint(),
            Self::NoToken { .. } => Some(
                Hint::say("only devices that connect with a certificate get tokens")
                    .then(Hint::give("try it over HTTPS", Setting::Https)),
            ),
            Self::NoSmartRest => {
                Some(Hint::give("ask over HTTPS", Setting::Https).then(
                    "or over port 8883, or have the feature mqtt-service.smartrest switched on",
                ))
            }
            Self::Message(_) | Self::NotJwt { .. } => {
                Some("is the host that of a tenant, and not of another MQTT broker?".into())
            }
        }
    }
}

impl From<MqttError> for TokenError {
    fn from(e: MqttError) -> Self {
        Self::Connection(e.into())
    }
}
