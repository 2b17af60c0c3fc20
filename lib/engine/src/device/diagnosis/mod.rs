//! What is likely wrong when a device does not connect, in the order worth checking
//! (platform: "CONNACK codes and what they mean there"). A table: symptom by symptom, cause and
//! remedy; no network, no clock.
//!
//! The platform gives no reason with its CONNACK 5, so the causes are those that are left when the
//! device's own files have been found in order. Where the tenant was asked, its answers confirm some of
//! them and exclude others.

mod at_service;
mod causes;
mod reach;
mod seen;
mod symptoms;
mod table;
mod tenant;
mod tls;
mod verdict;

use serde::Serialize;

pub use causes::causes;
pub use tenant::{Certainty, RenewedCa, TenantSays};

use super::Alert;
use crate::failure::{Hint, Task};
use crate::platform::standing::ChainVerdict;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Symptom {
    /// A CONNACK with this code.
    Connack(u8),
    /// A CONNACK 5 when the session had begun: the platform ends it.
    LateConnack,
    /// TLS ended with this alert.
    Alert(Alert),
    /// Closed during the TLS handshake.
    ClosedInTls,
    /// Closed after CONNECT, without a CONNACK.
    ClosedWithoutAnswer,
    /// Closed later.
    ClosedLater,
    /// No TCP connection in time.
    NoTcp,
    /// No TLS in time.
    NoTls,
    /// No CONNACK in time.
    NoConnack,
    /// No answer in time, later.
    NoAnswer,
    /// The name does not resolve.
    Unresolvable,
    /// The port is closed.
    PortClosed,
    /// No way to the host.
    Unreachable,
    /// The port speaks something else than TLS.
    NotTls,
    /// Its handshake is larger than can be read here.
    TooLarge,
    /// It speaks no version of TLS that is spoken here.
    OtherTls,
    /// It has no cipher or kind of key in common with what is spoken here.
    NoCommonTls,
    /// It speaks TLS, but not MQTT.
    NotMqtt,
    /// The truststore lacks the server's CA.
    ServerUnknownCa,
    /// The truststore has a CA of that name with another key.
    ServerOtherKey,
    /// The server's certificate has expired.
    ServerExpired,
    /// The server's certificate is not valid yet.
    ServerNotYetValid,
    /// The server's certificate is for another host.
    ServerOtherName,
    /// The server's certificate signed itself, says CA:TRUE, and is not in the truststore.
    ServerSelfSigned,
    /// The server's certificate is refused for another reason.
    ServerRefused,
    /// A subscription was refused.
    NotSubscribed,
    /// A message came on `s/e`.
    ErrorMessage,
    /// Something else.
    Other,
}

/// What else is known, for causes that are sometimes excluded, and for the words.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The device identifier.
    pub id: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Certificates that the device presents.
    pub chain_length: usize,
    /// The CA that should be uploaded, for people; several, if it is one of them.
    pub ca: String,
    /// The SHA-1 fingerprint of that CA, if it can only be one: so commands name it.
    pub ca_fingerprint: Option<String>,
    /// Whether the uploaded CA was named and is among them.
    pub uploaded_is_presented: bool,
    /// Whether the server asked for a client certificate; none if it did not come to that.
    pub asked: Option<bool>,
    /// Whether the server takes signatures of the device's kind of key.
    pub key_suits: bool,
    /// Whether the server says that it accepts an issuer in the device's chain.
    pub listed: bool,
    /// How many CAs the server says it accepts, where an issuer in the device's chain is not among them.
    pub unlisted: Option<usize>,
    /// The truststore; none for the system's.
    pub truststore: Option<String>,
    /// Whether the last certificate that is presented is self-issued: nothing can stand above it.
    pub ends_with_root: bool,
    /// Whether the server's certificate had expired when the device's was issued: so it is no matter
    /// of this machine's clock.
    pub server_expired_before: bool,
    /// What the tenant says, if it was asked.
    pub tenant: Option<TenantSays>,
    /// Whether the device speaks to the MQTT Service.
    pub service: bool,
    /// The MQTT user there; none if none was sent.
    pub user: Option<String>,
    /// Whether SmartREST is on there; none if that is not known.
    pub smart_rest: Option<bool>,
    /// The platform's own verdict on the chain, if it was asked.
    pub verdict: Option<ChainVerdict>,
    /// What our own check has against the chain, where the platform accepts it.
    pub ours: Option<String>,
}

impl Facts {
    /// The CA that has to be uploaded.
    fn ca(&self) -> &str {
        self.tenant.as_ref().and_then(|says| says.subject.as_ref()).unwrap_or(&self.ca)
    }

    /// How the tenant names it: in quotes, or its fingerprint.
    fn name(&self) -> String {
        let name = self.tenant.as_ref().and_then(|says| says.name.as_deref());
        let name = name.map(|name| format!("{name:?}")).or_else(|| self.ca_fingerprint.clone());
        name.unwrap_or_else(|| "CERT".to_owned())
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// To look at the server's certificates.
    fn fetch(&self, what: &'static str) -> Hint {
        Hint::run(what, Task::FetchServer { address: Some(self.address()) })
    }

    /// Whether the platform's own verdict on the chain is no: another attempt is of no use.
    pub(super) fn is_refused_chain(&self) -> bool {
        verdict::that_counts(self).is_some_and(|verdict| verdict.accepts() == Some(false))
    }
}

/// A likely cause, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Its name in JSON: it does not change between versions.
    pub code: &'static str,
    /// What is likely wrong.
    pub cause: String,
    /// What to do about it.
    pub remedy: Hint,
    /// How sure it is.
    pub certainty: Certainty,
}

impl Cause {
    /// Whether it is known, and not one of several that may be.
    pub fn is_certain(&self) -> bool {
        self.certainty != Certainty::Likely
    }
}

#[cfg(test)]
mod tests;
