//! What is likely wrong when a device does not connect, in the order worth checking
//! (platform: "CONNACK codes and what they mean there"). A table: symptom by symptom, cause and
//! remedy; no network, no clock.
//!
//! The platform gives no reason with its CONNACK 5, so the causes are those that are left when the
//! device's own files have been found in order. Where the tenant was asked, its answers confirm some of
//! them and exclude others.

mod at_service;
mod reach;
mod symptoms;
mod table;
mod tenant;
mod tls;
mod verdict;

use crate::failure::{Hint, Task};
use serde::Serialize;
use table::When;

pub use tenant::{Certainty, RenewedCa, TenantSays};

use super::Alert;
use super::link::{LinkError, ServerFault};
use super::mqtt::{MqttError, Waiting};
use super::service;
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
    fn may_come_of_the_list(&self) -> bool {
        match self {
            Self::Connack(5) | Self::ClosedWithoutAnswer => true,
            Self::Alert(alert) => tls::may_come_of_the_list(*alert),
            _ => false,
        }
    }

    /// Whether the platform asks for another attempt: it also refuses so while it is overloaded.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Connack(3 | 5) | Self::LateConnack)
    }
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
    /// Whether the server asked for a client certificate; none: it did not come to that.
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

/// The causes of a symptom, the first to check first: what is shown, what the tenant confirms, then
/// what is likely. Never empty.
pub fn causes(symptom: Symptom, facts: &Facts) -> Vec<Cause> {
    let rows = symptoms::rows(symptom).iter().filter(|(when, ..)| counts(*when, facts));
    let mut found: Vec<Cause> = Vec::new();
    let mut add = |cause: Cause| {
        if found.iter().all(|f| f.code != cause.code) {
            found.push(cause);
        }
    };
    let unlisted = facts.unlisted.filter(|_| symptom.may_come_of_the_list());
    let list = unlisted.iter().map(|_| tls::not_in_list(facts));
    list.chain(rows).filter_map(|row| cause(row, facts)).for_each(&mut add);
    if let Some(says) = facts.tenant.as_ref().filter(|_| symptom.is_for_the_tenant()) {
        // What the tenant says counts, also where the server has refused in an unusual way.
        let more = table::OF_TENANT.iter().filter(|(when, ..)| {
            !matches!(when, When::OwnAuthority | When::OtherAuthority) || counts(*when, facts)
        });
        let more = more.filter_map(|row| cause(row, facts));
        more.filter(|c| c.certainty == Certainty::Confirmed).for_each(&mut add);
        found.sort_by_key(|c| (c.certainty, !tenant::stands_out(c.code, says)));
    }
    if facts.listed && matches!(symptom, Symptom::Alert(_)) {
        found.sort_by_key(|c| (c.certainty, tls::is_of_an_unknown_ca(c.code)));
    }
    if facts.asked == Some(false) && found.iter().any(|c| c.certainty == Certainty::Shown) {
        found.retain(|c| c.is_certain() || !table::is_of_the_certificate(c.code));
    }
    if let Some(of_chain) = verdict::that_counts(facts).filter(|_| symptom.is_for_the_tenant()) {
        verdict::weigh(&mut found, of_chain, facts);
    }
    if found.is_empty() {
        // The tenant excludes what the server says: who is right, is for people to see.
        return causes(symptom, &Facts { tenant: None, ..facts.clone() });
    }
    found
}

/// A row with its facts; none if the tenant's answers exclude it.
fn cause((when, code, cause, remedy): &table::Row, facts: &Facts) -> Option<Cause> {
    let certainty = match (when, &facts.tenant) {
        (When::NotAsked | When::ServerLongExpired, _) => Certainty::Shown,
        (When::SmartRestOff, _) if facts.smart_rest == Some(false) => Certainty::Confirmed,
        (_, Some(says)) => tenant::judge(code, facts, says)?,
        _ => Certainty::Likely,
    };
    let remedy = match remedy {
        table::Remedy::Say(text) => fill(text, facts).into(),
        table::Remedy::Do(hint) => hint(facts),
    };
    let cause = fill(cause, facts);
    Some(Cause { code, cause, remedy, certainty })
}

fn counts(when: When, facts: &Facts) -> bool {
    match when {
        When::Always => true,
        When::NotAsked => facts.asked == Some(false),
        When::UploadedUnknown => !facts.uploaded_is_presented,
        When::LongChain => facts.chain_length > 2,
        When::KeyUnsuited => facts.asked == Some(true) && !facts.key_suits,
        When::OwnTruststore => facts.truststore.is_some(),
        When::SystemTrust => facts.truststore.is_none(),
        When::ServerLongExpired => facts.server_expired_before,
        When::OwnAuthority => own_authority(facts) == Some(true),
        When::OtherAuthority => own_authority(facts) != Some(true),
        When::OtherPort => {
            !facts.service && !matches!(facts.port, service::CLASSIC_PORT | service::PORT)
        }
        When::Classic => !facts.service,
        When::Service => facts.service,
        When::ServiceUser => facts.service && facts.user.is_some(),
        When::SmartRestOff => facts.service && facts.smart_rest != Some(true),
        When::SmartRestOn => facts.service && facts.smart_rest == Some(true),
    }
}

/// Whether the CA that was renewed is the platform's own.
fn own_authority(facts: &Facts) -> Option<bool> {
    Some(facts.tenant.as_ref()?.renewed.as_ref()?.own)
}

fn fill(text: &str, facts: &Facts) -> String {
    let chain = match facts.chain_length {
        1 => "its certificate alone".to_owned(),
        n => format!("{n} certificates"),
    };
    let listed = match facts.unlisted {
        Some(1) => "1 CA".to_owned(),
        n => format!("{} CAs", n.unwrap_or_default()),
    };
    let truststore = facts.truststore.as_deref().unwrap_or("of the system");
    let says = facts.tenant.as_ref();
    let renewed = says.and_then(|says| says.renewed.as_ref());
    let day = |at: time::OffsetDateTime| at.date().to_string();
    let until = renewed.and_then(|r| r.until).map_or_else(|| "another day".to_owned(), day);
    let presented = renewed.map_or_else(String::new, |r| day(r.presented_until));
    text.replace("{id}", &facts.id)
        .replace("{until}", &until)
        .replace("{presented_until}", &presented)
        .replace("{host}", &facts.host)
        .replace("{port}", &facts.port.to_string())
        .replace("{user}", facts.user.as_deref().unwrap_or_default())
        .replace("{ca}", facts.ca())
        .replace("{listed}", &listed)
        .replace("{chain}", &chain)
        .replace("{truststore}", truststore)
}

#[cfg(test)]
mod tests;
