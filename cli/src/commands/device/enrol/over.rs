//! Over what a device renews.

use clap::ValueEnum;

/// Over what a device shows its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Over {
    /// Over HTTPS, port 8443: does not disturb an MQTT connection of the device
    Https,
    /// Over MQTT, port 8883: the platform closes a connection that the device has
    Mqtt,
}
