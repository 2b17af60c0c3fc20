//! The part of the table where TLS ends: alerts (RFC 8446, 6.2), versions and ciphers, the server's list of accepted CAs,
//! and a server certificate that signed itself.
//!
//! Which alert a server sends is its own choice: of a CA that it does not know, OpenSSL says unknown_ca, Java
//! certificate_unknown and GnuTLS access_denied (measured). So the words of an alert are told as they are, and its
//! causes are likely ones.

use super::super::Alert;
use super::table::{
    CA_DISABLED, CA_NOT_UPLOADED, CHAIN_INCOMPLETE, INTERCEPTED, KEY_UNSUITED,
    NO_CERTIFICATE_ASKED, OTHER_TENANT, REVOKED, Remedy, Row, SERVER_CLOCK, WRONG_ENDPOINT, When,
    upload,
};
use super::{Facts, Symptom};
use crate::failure::{Hint, Task};

use Remedy::{Do, Say};
use When::Always;

const NOT_IN_LIST: Row = (
    Always,
    "ca-not-in-list",
    "the server lists {listed} that it accepts, and no issuer in the device's chain is among them: probably its CA is \
     not uploaded there, or disabled",
    Do(|_| {
        upload().then(
            "a device with Java, mbedTLS or OpenSSL may present no certificate at all until the list has its CA",
        )
    }),
);
const LIST_IS_BEHIND: Row = (
    Always,
    "ca-not-in-list",
    "the tenant has the CA, but it is not in the list of {listed} that the server accepts: the CA may have \
     been uploaded without putting it into the server's truststore (addToTrustStore), or a moment ago",
    Do(|facts| {
        Hint::say("wait some minutes and check again")
            .then(Hint::run("else remove the CA", Task::RemoveCa { name: facts.name() }))
            .then(Hint::run("and upload it again", Task::UploadCa))
    }),
);
const CERTIFICATE_REFUSED: Row = (
    Always,
    "certificate-refused",
    "the server cannot use the certificate: an extension, an algorithm or a date",
    Do(|facts| {
        Hint::run("look at it", Task::ShowFile)
            .then(Hint::run("and at its chain", Task::VerifyAsDevice { id: facts.id.clone() }))
    }),
);
const NO_COMMON_TLS: Row = (
    Always,
    "no-common-tls",
    "server and device have no TLS version, cipher or kind of key in common",
    Say(
        "use TLS 1.2 or 1.3 with a modern cipher; keys of type rsa-2048 or ec-p256 work everywhere",
    ),
);
const TLS_VERSION: Row = (
    Always,
    "tls-version",
    "the server at {host}:{port} speaks neither TLS 1.2 nor TLS 1.3, which are the versions that c8y-pki has",
    Say(
        "look at it: `openssl s_client -connect {host}:{port}`; the platform has both, so there may be an \
         old server or proxy in between",
    ),
);
const UNKNOWN_NAME: Row = (
    Always,
    "host-name",
    "the server has no certificate for the name {host}",
    Say("use the tenant's own host name, not an address or an alias"),
);
const SELF_SIGNED: Row = (
    Always,
    "edge-server-certificate",
    "the server's certificate signed itself and says CA:TRUE, as on many Edge installations, and the truststore \
     {truststore} does not have exactly this certificate",
    Do(|facts| {
        facts.fetch("fetch it").then(
            "compare its fingerprint with one that you get from its operator, and put it into the truststore",
        )
    }),
);

const SERVER_FAILED: Row = (
    Always,
    "server-failed",
    "something failed in the server: for example its list of accepted CAs is longer than TLS can carry (64 KiB)",
    Say(
        "tell the operator of the instance, whose log says more; the device's certificate is not the reason that was given",
    ),
);

/// What is said of a list that lacks the device's CA.
pub(super) fn not_in_list(facts: &Facts) -> &'static Row {
    match facts.tenant.as_ref().is_some_and(super::TenantSays::has_the_ca) {
        true => &LIST_IS_BEHIND,
        false => &NOT_IN_LIST,
    }
}

/// Whether a server may send the alert to a device whose CA it does not list.
pub(super) fn may_come_of_the_list(alert: Alert) -> bool {
    [
        Alert::UNKNOWN_CA,
        Alert::BAD_CERTIFICATE,
        Alert::CERTIFICATE_UNKNOWN,
        Alert::ACCESS_DENIED,
        Alert::CERTIFICATE_REQUIRED,
    ]
    .contains(&alert)
}

/// Causes where there is no TLS, or not with the right server.
pub(super) fn rows(symptom: Symptom) -> &'static [Row] {
    match symptom {
        Symptom::OtherTls => &[TLS_VERSION, INTERCEPTED, WRONG_ENDPOINT],
        Symptom::ServerSelfSigned => &[SELF_SIGNED, INTERCEPTED],
        _ => &[NO_COMMON_TLS, INTERCEPTED, WRONG_ENDPOINT],
    }
}

/// Causes of an alert, the likeliest first.
pub(super) fn of_alert(alert: Alert) -> &'static [Row] {
    match alert {
        Alert::UNKNOWN_CA => &[CA_NOT_UPLOADED, CHAIN_INCOMPLETE, OTHER_TENANT, CA_DISABLED],
        Alert::BAD_CERTIFICATE | Alert::CERTIFICATE_UNKNOWN => {
            &[CA_NOT_UPLOADED, CHAIN_INCOMPLETE, CERTIFICATE_REFUSED, REVOKED]
        }
        Alert::UNSUPPORTED_CERTIFICATE => &[
            KEY_UNSUITED,
            (
                Always,
                "certificate-usage",
                "the certificate is of a kind or for a usage that the server does not take",
                Do(|_| {
                    let what =
                        "its extended key usage, if it has one, must have clientAuth; look at it";
                    Hint::run(what, Task::ShowFile)
                }),
            ),
        ],
        Alert::CERTIFICATE_REQUIRED => &[
            KEY_UNSUITED,
            (
                Always,
                "no-certificate",
                "the server wants a certificate and did not get one",
                Say(
                    "give the device's key and chain to its MQTT client; a proxy in between drops them",
                ),
            ),
        ],
        Alert::CERTIFICATE_EXPIRED => &[
            SERVER_CLOCK,
            (
                Always,
                "expired",
                "the device's certificate, or a CA in its chain, has expired",
                Do(|facts| {
                    Hint::run(
                        "renew the device's certificate",
                        Task::RenewDevice { id: facts.id.clone() },
                    )
                    .then(Hint::run(
                        "or that of the CA",
                        Task::RenewCa { ca: None, new_key: false },
                    ))
                }),
            ),
        ],
        Alert::CERTIFICATE_REVOKED => &[REVOKED],
        Alert::PROTOCOL_VERSION => &[TLS_VERSION, INTERCEPTED],
        Alert::HANDSHAKE_FAILURE | Alert::INSUFFICIENT_SECURITY => {
            &[KEY_UNSUITED, NO_COMMON_TLS, NO_CERTIFICATE_ASKED, INTERCEPTED]
        }
        Alert::UNRECOGNIZED_NAME => &[UNKNOWN_NAME, INTERCEPTED],
        Alert::ACCESS_DENIED => &[CA_NOT_UPLOADED, CA_DISABLED, REVOKED, OTHER_TENANT],
        Alert::DECRYPT_ERROR => &[(
            Always,
            "key-mismatch",
            "the server could not check a signature: key and certificate do not fit, or the chain \
                 has two CAs of one name",
            Do(|_| {
                Hint::run("compare the public keys, that of the key", Task::ShowKey)
                    .then(Hint::run("and that of the certificate", Task::ShowFile))
            }),
        )],
        Alert::INTERNAL_ERROR => &[SERVER_FAILED, INTERCEPTED],
        _ => &[INTERCEPTED, WRONG_ENDPOINT],
    }
}

/// Whether it is one of the causes that are less likely where the server lists the device's CA as accepted.
pub(super) fn is_of_an_unknown_ca(code: &str) -> bool {
    [CA_NOT_UPLOADED, CA_DISABLED, CHAIN_INCOMPLETE, OTHER_TENANT].iter().any(|row| row.1 == code)
}
