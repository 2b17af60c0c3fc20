//! The part of the table that only the MQTT Service has (platform: "MQTT Service").

use super::table::Remedy::{Do, Say};
use super::table::{Row, When};
use crate::failure::{Hint, Setting, Task};

/// The user is another one than the tenant.
pub(super) const USER: Row = (
    When::ServiceUser,
    "tenant-user",
    "the MQTT user {user} is not the id of the tenant that has the CA: at the MQTT Service it has to be",
    Do(|_| {
        Hint::give("give the tenant's id as the MQTT user", Setting::Tenant)
            .then(Hint::run("see it", Task::ShowTenant))
    }),
);

/// Nothing listens there.
pub(super) const NOT_THERE: Row = (
    When::Service,
    "service-not-there",
    "{host} has no MQTT Service on port {port}: it is generally available since April 2026, and older or dedicated \
     installations may lack it",
    Say("use port 8883, or ask the operator of the installation"),
);

/// Another version than the device's.
pub(super) const PROTOCOL: Row = (
    When::Service,
    "protocol-version",
    "the server does not take MQTT 3.1.1",
    Say("the MQTT Service takes 3.1.1 and 5: look for a proxy in between"),
);

/// Refused where it is not known to be on.
pub(super) const SMART_REST_OFF: Row = (
    When::SmartRestOff,
    "smartrest-off",
    "SmartREST is not on for the MQTT Service of this tenant, so s/us, s/ds and s/e are not there",
    Say(
        "ask the operator to switch on the feature mqtt-service.smartrest, use port 8883, or use topics of your own",
    ),
);

/// Refused though it is on.
pub(super) const SMART_REST_REFUSED: Row = (
    When::SmartRestOn,
    "smartrest-refused",
    "the tenant has the feature mqtt-service.smartrest, but the MQTT Service refuses the topics of SmartREST",
    Say(
        "try again in some minutes, if the feature was switched on just now; then ask the operator",
    ),
);
