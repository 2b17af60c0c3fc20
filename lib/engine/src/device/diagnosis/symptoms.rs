//! The table of causes: what each symptom may come from, the likeliest first.
//!
//! The order is that in which they are worth checking: first what is seen in a moment and what is
//! wrong most often. What the device's own files can show has been checked before.

use super::table::{
    CA_DISABLED, CA_ELSEWHERE, CA_NOT_UPLOADED, CHAIN_INCOMPLETE, FIREWALL, INTERCEPTED,
    KEY_UNSUITED, NO_CERTIFICATE_ASKED, NOT_REGISTERED, OTHER_TENANT, OVERLOAD, PROOF_MISSING,
    REGISTERED_BASIC, REVOKED, Remedy, Row, SERVER_CLOCK, SERVER_DOWN, TRY_LATER, WRONG_ENDPOINT,
    WRONG_PORT, When,
};
use super::{Symptom, at_service, reach, tls};
use crate::failure::{Hint, Task};

use Remedy::{Do, Say};
use When::{Always, Classic};

/// Causes of a symptom, the likeliest first.
pub(super) fn rows(symptom: Symptom) -> &'static [Row] {
    match symptom {
        Symptom::Connack(code) => of_connack(code),
        // It was let in before: its files and its CA are right.
        Symptom::LateConnack => {
            &[NO_CERTIFICATE_ASKED, OVERLOAD, REVOKED, CA_ELSEWHERE, CA_DISABLED]
        }
        Symptom::Alert(alert) => tls::of_alert(alert),
        Symptom::ClosedInTls => &[WRONG_PORT, KEY_UNSUITED, INTERCEPTED, FIREWALL, WRONG_ENDPOINT],
        Symptom::ClosedWithoutAnswer => &[
            NO_CERTIFICATE_ASKED,
            KEY_UNSUITED,
            (
                Always,
                "certificate-refused",
                "the server refuses the certificate without an alert, as some servers do",
                Do(|facts| {
                    let what =
                        format!("check that the CA ({}) is uploaded and enabled", facts.ca());
                    Hint::run(what, Task::ListTrusted)
                }),
            ),
            CHAIN_INCOMPLETE,
            WRONG_ENDPOINT,
            OVERLOAD,
        ],
        Symptom::ClosedLater => &[
            (
                Always,
                "connected-twice",
                "another connection with the ClientId d:{id} replaced this one, perhaps that of the device \
                 itself, which is in use: the platform keeps one for each device",
                Say(
                    "if it is the device itself, it does connect; if not, stop the program that connects as \
                     {id}, and check again",
                ),
            ),
            (
                Always,
                "message-refused",
                "the platform closed the connection because of what was sent",
                Say("subscribe to s/e, where errors are reported, and try again"),
            ),
            OVERLOAD,
        ],
        Symptom::NoTcp => &[FIREWALL, WRONG_PORT, at_service::NOT_THERE, SERVER_DOWN],
        Symptom::NoTls => &[WRONG_PORT, INTERCEPTED, SERVER_DOWN],
        Symptom::NoConnack => &[OVERLOAD, WRONG_ENDPOINT, INTERCEPTED],
        Symptom::NoAnswer => &[OVERLOAD, SERVER_DOWN],
        Symptom::OtherTls | Symptom::NoCommonTls | Symptom::ServerSelfSigned => tls::rows(symptom),
        Symptom::Other => &[OVERLOAD, INTERCEPTED, WRONG_ENDPOINT],
        _ => reach::rows(symptom),
    }
}

fn of_connack(code: u8) -> &'static [Row] {
    match code {
        1 => &[
            WRONG_ENDPOINT,
            at_service::PROTOCOL,
            (
                Classic,
                "protocol-version",
                "the server does not take MQTT 3.1.1",
                Say("the platform takes 3.1 and 3.1.1: look for a proxy in between"),
            ),
        ],
        2 => &[
            (
                Always,
                "client-id",
                "the server refuses the ClientId d:{id}",
                Do(|_| {
                    Hint::say("the identifier must be that of the registration, to the letter, without colons")
                        .then(Hint::run("check the list", Task::CheckRegistration))
                }),
            ),
            WRONG_ENDPOINT,
        ],
        3 => &[TRY_LATER],
        4 => &[
            NO_CERTIFICATE_ASKED,
            KEY_UNSUITED,
            (
                Always,
                "password-expected",
                "the server expects a user and a password, and does not use the certificate",
                Say(
                    "use the host and the port (8883, or 9883 of the MQTT Service) where the platform authenticates by \
                 certificate",
                ),
            ),
        ],
        5 => &[
            NO_CERTIFICATE_ASKED,
            KEY_UNSUITED,
            at_service::USER,
            CA_NOT_UPLOADED,
            CA_DISABLED,
            CHAIN_INCOMPLETE,
            NOT_REGISTERED,
            REGISTERED_BASIC,
            PROOF_MISSING,
            OTHER_TENANT,
            CA_ELSEWHERE,
            REVOKED,
            SERVER_CLOCK,
            OVERLOAD,
        ],
        _ => &[WRONG_ENDPOINT],
    }
}
