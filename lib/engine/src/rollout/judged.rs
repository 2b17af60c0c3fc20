//! What the platform and we say of one device's chain.

use serde::Serialize;

use crate::platform::verdict::Comparison;

/// What the platform and we say of a device's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The CA.
    pub ca: String,
    /// The device.
    pub device: String,
    /// Both verdicts.
    #[serde(flatten)]
    pub compared: Comparison,
}

impl Judged {
    /// Why the platform's answer is no, in words.
    pub(super) fn no(&self) -> String {
        match self.compared.remark().filter(|_| self.compared.other_tenant) {
            Some(remark) => remark,
            None => self.compared.platform.to_string(),
        }
    }

    pub(super) fn ours(&self) -> &'static str {
        match self.compared.ours.accepted {
            Some(true) => "good",
            Some(false) => "refused",
            None => "not judged",
        }
    }
}
