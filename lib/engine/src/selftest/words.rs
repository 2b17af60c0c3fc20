//! What a tenant says, in the words of a report.

use crate::failure::Failure;
use crate::platform::PlatformError;
use crate::platform::crl::Switch;
use crate::platform::verdict::Verdict;

/// A switch, and in words; who may not read it is told what it takes.
pub(super) fn told(
    asked: Result<Switch, PlatformError>,
) -> Result<(Switch, String), PlatformError> {
    let untold = |why: &str| Ok((Switch::Unknown, format!("not told{why}")));
    match asked {
        Err(PlatformError::Forbidden { role: Some(role), .. }) => {
            untold(&format!(" (it takes {role})"))
        }
        Err(e) if e.fault().may_pass() => Err(e),
        Err(_) | Ok(Switch::Unknown) => untold(""),
        Ok(Switch::On) => Ok((Switch::On, "on".to_owned())),
        Ok(Switch::Off) => Ok((Switch::Off, "off".to_owned())),
    }
}

/// A verdict as a report has it.
pub(super) fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accepted { .. } => "valid".to_owned(),
        Verdict::Refused { message } => format!("refused: {message}"),
        Verdict::Unreadable { message } => format!("not read: {message}"),
        Verdict::NotAsked { reason } => format!("not asked: {reason}"),
    }
}
