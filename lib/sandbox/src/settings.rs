//! How a sandbox is to be.

use std::net::{IpAddr, Ipv4Addr};

use super::Faults;
use crate::cert::LongestChain;
use crate::secret::Password;

/// How long the tenant's CA is valid, in days.
pub(super) const AUTHORITY_DAYS: u32 = 1095;

/// What to do where the vendor's description differs from what devices in the field see.
///
/// | | documented | field |
/// | --- | --- | --- |
/// | user and password for a device that is accepted | 200 | 201, which is all that public clients take |
/// | a certificate from the tenant's own CA | 201 | 200 |
/// | its base64 | lines of 76 characters | one line |
/// | a future date in a revocation file | the row is skipped | it becomes now |
/// | a serial number that is revoked again by a file | the last date counts | the first stays |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// As described.
    Documented,
    /// As in the field.
    #[default]
    Field,
}

/// How a sandbox is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address on which REST listens, with and without client certificate.
    #[doc(hidden)]
    pub bind: IpAddr,
    /// The host name by which clients reach it: a name in its certificate.
    pub host: String,
    /// Port of REST; 0: any that is free.
    pub https_port: u16,
    /// Port of REST with client certificates; 0: any that is free.
    #[doc(hidden)]
    pub mtls_port: u16,
    /// Port of MQTT over TLS; 0: any that is free.
    pub mqtt_port: u16,
    /// Port of the page, on the loopback address; 0: any that is free.
    #[doc(hidden)]
    pub management_port: u16,
    /// The password of all users; none for a random one.
    pub password: Option<Password>,
    /// How long the verification code of a proof of possession can be used, in seconds.
    #[doc(hidden)]
    pub code_seconds: u64,
    /// The verification code that it gives, whatever that is; none for a new one each time. To see what a
    /// client signs.
    #[doc(hidden)]
    pub verification_code: Option<String>,
    /// How long tokens are good, in seconds; the platform's are good for an hour.
    #[doc(hidden)]
    pub token_seconds: u32,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// What is right where description and field differ.
    #[doc(hidden)]
    pub profile: Profile,
    /// Whether a chain of more than two certificates needs a proof of possession; the platform only
    /// recommends it.
    #[doc(hidden)]
    pub require_proof: bool,
    /// Most certificates in a chain: 10 in the cloud, others elsewhere.
    #[doc(hidden)]
    pub longest_chain: LongestChain,
    /// Whether it has the call `verify-cert-chain`, which is newer than other releases in use.
    #[doc(hidden)]
    pub verdicts: bool,
    /// For how many days the tenant's own CA is valid; the platform's are for 1095.
    #[doc(hidden)]
    pub authority_days: u32,
    /// Port of the MQTT Service; none for no such port, 0 for any that is free.
    #[doc(hidden)]
    pub mqtt_service_port: Option<u16>,
}

impl Default for Settings {
    /// On the loopback address, any free ports, a random password, codes of ten minutes, tokens of an
    /// hour, no faults.
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            host: "localhost".to_owned(),
            https_port: 0,
            mtls_port: 0,
            mqtt_port: 0,
            management_port: 0,
            password: None,
            code_seconds: 600,
            verification_code: None,
            token_seconds: 3600,
            faults: Faults::none(),
            profile: Profile::default(),
            require_proof: false,
            longest_chain: LongestChain::CLOUD,
            verdicts: true,
            authority_days: AUTHORITY_DAYS,
            mqtt_service_port: None,
        }
    }
}
