//! What a profile is for.

use std::fmt;

use serde::Deserialize;

/// What a profile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A self-signed CA.
    Root,
    /// A CA under another one.
    Intermediate,
    /// The certificate of a device.
    Device,
    /// The certificate of a TLS server that devices connect to.
    Server,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Intermediate => "intermediate",
            Self::Device => "device",
            Self::Server => "server",
        })
    }
}

impl Kind {
    /// Whether its certificates sign others.
    pub fn is_ca(self) -> bool {
        matches!(self, Self::Root | Self::Intermediate)
    }
}
