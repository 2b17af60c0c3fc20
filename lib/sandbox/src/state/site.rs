//! Where the sandbox is reached, and how it is to be.

use crate::cert::LongestChain;
use crate::settings::Profile;

/// Where it is reached.
pub(crate) struct Site {
    pub(crate) host: String,
    pub(crate) https_port: u16,
    pub(crate) mtls_port: u16,
    pub(crate) mqtt_port: u16,
    pub(crate) management_port: u16,
    pub(crate) code_seconds: u64,
    pub(crate) verification_code: Option<String>,
    pub(crate) profile: Profile,
    pub(crate) require_proof: bool,
    pub(crate) longest_chain: LongestChain,
    pub(crate) verdicts: bool,
    pub(crate) authority_days: u32,
    pub(crate) mqtt_service_port: Option<u16>,
}

impl Site {
    /// The base of REST.
    pub(crate) fn url(&self) -> String {
        format!("https://{}:{}", self.authority(), self.https_port)
    }

    /// The base of REST with client certificates.
    pub(crate) fn mtls_url(&self) -> String {
        format!("https://{}:{}", self.authority(), self.mtls_port)
    }

    /// Host and port of MQTT.
    pub(crate) fn mqtt_address(&self) -> String {
        format!("{}:{}", self.authority(), self.mqtt_port)
    }

    /// Host and port of the MQTT Service, if there is one.
    pub(crate) fn mqtt_service_address(&self) -> Option<String> {
        self.mqtt_service_port.map(|port| format!("{}:{port}", self.authority()))
    }

    /// The page.
    pub(crate) fn management_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.management_port)
    }

    /// The host as it stands in a URL.
    fn authority(&self) -> String {
        let bare = !self.host.contains(':');
        if bare { self.host.clone() } else { format!("[{}]", self.host) }
    }
}
