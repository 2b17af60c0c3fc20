//! The part of the table where the server is not reached, is not the platform, or is not trusted.

use super::Symptom;
use super::at_service::{NOT_THERE, SMART_REST_OFF, SMART_REST_REFUSED};
use super::table::{
    FIREWALL, INTERCEPTED, OTHER_TENANT, Remedy, Row, SERVER_DOWN, WRONG_ENDPOINT, WRONG_PORT, When,
};
use crate::failure::{Hint, Setting};

use Remedy::{Do, Say};
use When::{Always, Classic, OwnTruststore, ServerLongExpired, SystemTrust};

/// Causes of a symptom, the likeliest first.
pub(super) fn rows(symptom: Symptom) -> &'static [Row] {
    match symptom {
        Symptom::Unresolvable => &[
            (
                Always,
                "host-name",
                "the host name {host} is misspelt, or only known in another network",
                Say("compare it with the tenant's address in the browser (without https://)"),
            ),
            (
                Always,
                "dns",
                "this machine reaches no DNS server",
                Say("check the network: does another name resolve?"),
            ),
        ],
        Symptom::PortClosed => &[
            WRONG_PORT,
            NOT_THERE,
            (
                Always,
                "port-closed",
                "nothing listens on port {port} of {host}, or a firewall refuses it",
                Say(
                    "check host and port (MQTT over TLS: 8883, of the MQTT Service: 9883), then the firewall",
                ),
            ),
            SERVER_DOWN,
        ],
        Symptom::Unreachable => &[
            (
                Always,
                "network",
                "there is no network between here and {host}",
                Say("check the network, the route and the VPN"),
            ),
            FIREWALL,
        ],
        Symptom::TooLarge => &[(
            Always,
            "ca-list-too-large",
            "the server's list of accepted CAs makes its handshake larger than 64 KiB, the most that c8y-pki reads; \
             whether the device connects with its own TLS library is not known",
            Say(
                "try the device itself: OpenSSL reads up to 100 KiB; ask the operator of the instance to remove CAs that \
             are not needed any more from its trust store",
            ),
        )],
        Symptom::NotTls => &[WRONG_PORT, INTERCEPTED, WRONG_ENDPOINT],
        Symptom::NotMqtt => &[WRONG_PORT, WRONG_ENDPOINT, INTERCEPTED],
        Symptom::NotSubscribed => &[
            SMART_REST_OFF,
            SMART_REST_REFUSED,
            (
                Classic,
                "not-the-platform",
                "the server is not the platform, which lets every device subscribe to s/ds and s/e",
                Say("check host and port"),
            ),
        ],
        Symptom::ErrorMessage => &[(
            Always,
            "message-refused",
            "the platform could not process the message that registers the device",
            Say("the error on s/e says why; the device may lack a right, or the name may be taken"),
        )],
        _ => of_server(symptom),
    }
}

fn of_server(symptom: Symptom) -> &'static [Row] {
    match symptom {
        Symptom::ServerUnknownCa => &[
            (
                OwnTruststore,
                "server-ca-missing",
                "the truststore {truststore} lacks the CA of the server",
                Do(|facts| {
                    facts.fetch("see what the server presents").then(
                        "compare its fingerprint with one from another source, and put it into the truststore",
                    )
                }),
            ),
            (
                SystemTrust,
                "server-ca-missing",
                "the system does not know the CA of the server, and the device has no truststore",
                Do(|facts| {
                    Hint::give("give the device's truststore", Setting::Truststore)
                        .then(facts.fetch("see what is presented"))
                }),
            ),
            INTERCEPTED,
            OTHER_TENANT,
        ],
        Symptom::ServerOtherKey => &[
            (
                Always,
                "server-ca-renewed",
                "the server's CA has a new key, and the truststore the former certificate",
                Do(|facts| facts.fetch("fetch the new one").then("and renew the truststore")),
            ),
            INTERCEPTED,
        ],
        Symptom::ServerExpired => &[
            (
                ServerLongExpired,
                "server-expired",
                "the server's certificate has expired: it had expired already when the device's was issued, \
                 so this machine's clock is not the cause",
                Do(|facts| facts.fetch("look at it").then("its operator has to renew it")),
            ),
            (
                Always,
                "clock-ahead",
                "this machine's clock is ahead",
                Say("set the clock (NTP) and try again"),
            ),
            (
                Always,
                "server-expired",
                "the server's certificate has expired",
                Do(|facts| facts.fetch("look at it").then("its operator has to renew it")),
            ),
        ],
        Symptom::ServerNotYetValid => &[(
            Always,
            "clock-behind",
            "this machine's clock is behind",
            Say("set the clock (NTP) and try again"),
        )],
        Symptom::ServerOtherName => &[
            (
                Always,
                "host-name",
                "{host} is not the name under which the server has its certificate",
                Say("use the tenant's own host name, not an address or an alias"),
            ),
            INTERCEPTED,
        ],
        _ => &[INTERCEPTED, WRONG_ENDPOINT],
    }
}
