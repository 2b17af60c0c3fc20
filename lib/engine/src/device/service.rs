//! The rules of the MQTT Service, the platform's second MQTT endpoint (platform: "MQTT Service").
//!
//! | there | otherwise (port 8883) |
//! | --- | --- |
//! | port 9883 | port 8883 |
//! | the MQTT user is the tenant's id (should be there, optional) | none beside a certificate |
//! | ClientId `X` needs the common name `X`, `d:X` needs `X` or `d:X`; no template | the common name `X` |
//! | MQTT 3.1.1 and 5, clean session, QoS 0 and 1, nothing retained | MQTT 3.1.1 and 3.1, clean session, QoS 0 to 2 |
//! | one filter in a SUBSCRIBE | any number |
//! | SmartREST only where the feature `mqtt-service.smartrest` is on | SmartREST |
//!
//! What c8y-pki sends keeps to both columns; the rest is here.

use super::mqtt::Qos;
use crate::failure::{Failure, Fault, Hint, Setting};
use crate::secret::Password;

/// The port of MQTT over TLS.
pub const CLASSIC_PORT: u16 = 8883;

/// The port of the MQTT Service.
pub const PORT: u16 = 9883;

/// The feature of a tenant that lets devices speak SmartREST there.
pub const SMART_REST: &str = "mqtt-service.smartrest";

/// What the MQTT Service refuses of a device's own program and what c8y-pki never sends, for people.
pub const REFUSES: &str = "MQTT 3.1, clean session false, QoS 2, retained messages, a template in the ClientId, and \
                           two filters in one SUBSCRIBE";

/// How a device speaks to the MQTT Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The tenant's id; none if it is not known, and no MQTT user is sent.
    pub tenant: Option<String>,
    /// Whether the tenant has the feature for SmartREST; none if it was not asked, or does not tell.
    pub feature: Option<bool>,
    /// Whether the device speaks SmartREST, so that it has to be on.
    pub smart_rest: bool,
}

impl Service {
    /// The MQTT user, which has no password.
    pub fn user(&self) -> Option<(String, Option<Password>)> {
        self.tenant.clone().map(|tenant| (tenant, None))
    }

    /// Whether SmartREST is to be spoken without trying whether it is on.
    pub fn expects_smart_rest(&self) -> bool {
        self.smart_rest || self.feature == Some(true)
    }

    /// Holds a message to what may be published there.
    pub fn check(&self, topic: &str, qos: Qos) -> Result<(), ServiceError> {
        if qos == Qos::ExactlyOnce {
            return Err(ServiceError::ExactlyOnce);
        }
        match is_smart_rest(topic) && !self.expects_smart_rest() {
            true => Err(ServiceError::SmartRest { topic: topic.to_owned(), feature: self.feature }),
            false => Ok(()),
        }
    }
}

/// Whether a topic is one of SmartREST.
fn is_smart_rest(topic: &str) -> bool {
    topic.starts_with("s/")
}

/// What cannot be sent to the MQTT Service.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceError {
    /// QoS 2.
    #[error("the MQTT Service takes QoS 0 and 1 only, but QoS 2 is asked for")]
    ExactlyOnce,
    /// A topic of SmartREST, where that is not known to be on.
    #[error(
        "{topic} is a topic of SmartREST, {}",
        match feature {
            Some(_) => "which is off for the MQTT Service of this tenant",
            None => "which the MQTT Service has only where it was switched on",
        }
    )]
    SmartRest {
        /// The topic.
        topic: String,
        /// Whether the tenant has the feature, as far as it is known.
        feature: Option<bool>,
    },
}

impl Failure for ServiceError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::ExactlyOnce => {
                Hint::give("have messages delivered at least once", Setting::AtLeastOnce)
                    .then("or use port 8883")
            }
            Self::SmartRest { feature: None, .. } => {
                Hint::give("give a topic of your own", Setting::Topic)
                    .then(Hint::give(
                        format!("or if the tenant has the feature {SMART_REST}, say so"),
                        Setting::SmartRest,
                    ))
                    .then("or use port 8883")
            }
            Self::SmartRest { .. } => Hint::give("give a topic of your own", Setting::Topic)
                .then(format!("or have the feature {SMART_REST} switched on, or use port 8883")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_published() {
        let service = |feature, smart_rest| Service { tenant: None, feature, smart_rest };
        let takes = |service: Service, topic, qos| service.check(topic, qos).is_ok();
        assert!(takes(service(None, false), "plant/hall-3", Qos::AtLeastOnce));
        assert!(!takes(service(None, true), "plant/hall-3", Qos::ExactlyOnce));
        assert!(!takes(service(None, false), "s/us", Qos::AtMostOnce));
        assert!(!takes(service(Some(false), false), "s/us/pump", Qos::AtMostOnce));
        assert!(takes(service(Some(true), false), "s/us", Qos::AtMostOnce));
        assert!(takes(service(Some(false), true), "s/us", Qos::AtMostOnce));
        let known = service(Some(false), false).check("s/us", Qos::AtMostOnce).unwrap_err();
        assert!(known.to_string().ends_with("off for the MQTT Service of this tenant"), "{known}");
    }
}
