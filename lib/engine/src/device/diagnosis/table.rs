//! The rows of the table of causes that several symptoms share, and when they count.

use super::Facts;
use crate::failure::{Hint, Setting, Task};

/// When a row of the table counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Always,
    /// The server did not ask for a certificate.
    NotAsked,
    /// The uploaded CA may not be among what is presented.
    UploadedUnknown,
    /// More than two certificates are presented.
    LongChain,
    /// The server takes no signature of the device's key.
    KeyUnsuited,
    /// The device has a truststore of its own.
    OwnTruststore,
    /// The system decides about servers.
    SystemTrust,
    /// The server's certificate had expired before the device's was issued.
    ServerLongExpired,
    /// The port is not that of MQTT over TLS.
    OtherPort,
    /// The CA that was renewed is the platform's own, or it is not.
    OwnAuthority,
    OtherAuthority,
    /// It is MQTT of port 8883, or the MQTT Service; there with an MQTT user, and with SmartREST off or on.
    Classic,
    Service,
    ServiceUser,
    SmartRestOff,
    SmartRestOn,
}

/// A row of the table: `{id}`, `{host}`, `{port}`, `{ca}`, `{name}` (of the CA in the tenant) and
/// `{truststore}` stand for facts.
pub(super) type Row = (When, &'static str, &'static str, Remedy);

/// What a row advises.
#[derive(Clone, Copy)]
pub(super) enum Remedy {
    /// A sentence, with the same facts in it.
    Say(&'static str),
    /// What depends on facts, or is a task of the application.
    Do(fn(&Facts) -> Hint),
}

pub(super) fn upload() -> Hint {
    Hint::run("see what is there", Task::ListTrusted).then(Hint::run("upload it", Task::UploadCa))
}

fn prove(what: &'static str) -> Hint {
    Hint::run(what, Task::ProveCa { ca: None })
        .then(Hint::run("for a CA made elsewhere", Task::ProveOtherCa))
}

use Remedy::{Do, Say};
use When::{
    Always, KeyUnsuited, LongChain, NotAsked, OtherAuthority, OtherPort, OwnAuthority,
    UploadedUnknown,
};

pub(super) const NO_CERTIFICATE_ASKED: Row = (
    NotAsked,
    "certificate-not-asked",
    "the server did not ask for a certificate: this port does not do mutual TLS, or a proxy or load \
     balancer ends TLS in between",
    Say("connect directly to the platform's port 8883"),
);
pub(super) const CA_NOT_UPLOADED: Row =
    (Always, "ca-not-uploaded", "the CA ({ca}) is not uploaded to this tenant", Do(|_| upload()));
pub(super) const CA_DISABLED: Row = (
    Always,
    "ca-disabled",
    "the CA is uploaded, but disabled",
    Do(|facts| Hint::run("enable it", Task::EnableCa { name: facts.name() })),
);
pub(super) const CHAIN_INCOMPLETE: Row = (
    UploadedUnknown,
    "chain-incomplete",
    "what the device presents ({chain}) does not include the uploaded CA",
    Do(|facts| {
        Hint::say("present the chain up to and including the uploaded CA")
            .then(Hint::run("to check", Task::CheckAgainstUploaded { id: facts.id.clone() }))
            .then(Hint::run("if the CA was renewed, upload its new certificate", Task::UploadCa))
    }),
);
const CA_RENEWED: Row = (
    OtherAuthority,
    "ca-renewed",
    "the CA ({ca}) was renewed: the tenant has its certificate until {until}, and the device presents the one \
     until {presented_until}, of the same name and key",
    Do(|_| {
        Hint::run("also upload the certificate that the device presents", Task::UploadCa)
            .then("or let the device present the one that the tenant has")
    }),
);
const AUTHORITY_RENEWED: Row = (
    OwnAuthority,
    "ca-renewed",
    "the platform has renewed its own CA ({ca}), as it does every year: the device presents the certificate \
     until {presented_until}, the tenant has the one until {until}",
    Say("let the device present its own certificate alone: its issuer is uploaded"),
);
pub(super) const NOT_REGISTERED: Row = (
    Always,
    "not-registered",
    "auto-registration is off for the CA, and the device {id} is not registered",
    Do(|facts| {
        Hint::run("write the list that registers it", Task::CreateRegistration { order: None })
            .then(Hint::run("and upload it", Task::UploadRegistration))
            .then(Hint::run(
                "or switch auto-registration on",
                Task::AllowAutoRegistration { name: Some(facts.name()) },
            ))
    }),
);
pub(super) const REGISTERED_BASIC: Row = (
    Always,
    "registered-basic",
    "the device {id} is registered for user and password (AUTH_TYPE BASIC, which counts where the \
     list has no such column)",
    Do(|_| {
        Hint::run(
            "delete the device at the tenant and register it with AUTH_TYPE CERTIFICATES, which is what is written here",
            Task::CreateRegistration { order: None },
        )
    }),
);
pub(super) const PROOF_MISSING: Row = (
    LongChain,
    "proof-missing",
    "proof of possession of the uploaded CA is not complete, which the platform recommends for chains of \
     more than two certificates",
    Do(|_| prove("complete it")),
);
pub(super) const CA_ELSEWHERE: Row = (
    Always,
    "ca-elsewhere",
    "the same CA is uploaded to another tenant of the instance, and neither has proven possession",
    Do(|_| {
        prove("prove possession for the right tenant").then("and remove the CA from the other one")
    }),
);
pub(super) const REVOKED: Row = (
    Always,
    "revoked",
    "the certificate is in the tenant's list of revocations, and the tenant may check this list",
    Do(|facts| {
        Hint::run("see it", Task::DownloadCrl).then(Hint::run(
            "a revoked certificate stays so, issue another",
            Task::IssueDevice { id: facts.id.clone(), replace: true },
        ))
    }),
);
pub(super) const OTHER_TENANT: Row = (
    Always,
    "other-tenant",
    "{host} is the host of another tenant than the one that has the CA",
    Do(|_| {
        Hint::give(
            "compare it with the host of the tenant to which the CA was uploaded",
            Setting::Host,
        )
    }),
);
pub(super) const SERVER_CLOCK: Row = (
    Always,
    "server-clock",
    "the certificate is valid by this machine's clock, but not by the platform's",
    Say("set this machine's clock (NTP), and look again"),
);
pub(super) const OVERLOAD: Row = (
    Always,
    "overload",
    "the platform was overloaded while the device connected",
    Say("try again a few times, with pauses"),
);
pub(super) const TRY_LATER: Row = (
    Always,
    "unavailable",
    "the platform is not available at this moment",
    Say("try again later; devices should wait longer after each attempt"),
);
pub(super) const WRONG_ENDPOINT: Row = (
    Always,
    "wrong-endpoint",
    "{host}:{port} is not the platform's MQTT over TLS",
    Say("MQTT over TLS is on port 8883 of the tenant's host"),
);
pub(super) const WRONG_PORT: Row = (
    OtherPort,
    "wrong-port",
    "{port} is not the port of MQTT over TLS",
    Say("use port 8883 (9883 is that of the newer MQTT Service)"),
);
pub(super) const FIREWALL: Row = (
    Always,
    "firewall",
    "a firewall or proxy between here and {host} does not let port {port} through",
    Say("open outgoing TCP to {host}:{port}; MQTT does not go through HTTP proxies"),
);
pub(super) const INTERCEPTED: Row = (
    Always,
    "intercepted",
    "there is a firewall in between that inspects TLS",
    Do(|facts| {
        Hint::say(format!("exempt {} from inspection", facts.address()))
            .then(facts.fetch("see who answers"))
    }),
);
pub(super) const SERVER_DOWN: Row = (
    Always,
    "server-down",
    "the server is down or overloaded",
    Say("try again later; look at the platform's status page"),
);
pub(super) const KEY_UNSUITED: Row = (
    KeyUnsuited,
    "key-unsuited",
    "the server takes no signature of the device's kind of key",
    Say("issue the device a key of another type: rsa-2048 or ec-p256"),
);

/// What a tenant can confirm, in the order worth mending.
pub(super) const OF_TENANT: &[Row] = &[
    CA_NOT_UPLOADED,
    CA_RENEWED,
    AUTHORITY_RENEWED,
    CA_DISABLED,
    CHAIN_INCOMPLETE,
    NOT_REGISTERED,
    PROOF_MISSING,
    REVOKED,
];

/// Whether a server can have that cause only when it has asked for the certificate.
pub(super) fn is_of_the_certificate(code: &str) -> bool {
    let others = [SERVER_CLOCK, NOT_REGISTERED, REGISTERED_BASIC, OTHER_TENANT, CA_ELSEWHERE];
    let of = |rows: &[Row]| rows.iter().any(|row| row.1 == code);
    of(OF_TENANT) || of(&others) || code == "certificate-refused"
}
