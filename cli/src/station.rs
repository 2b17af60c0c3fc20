//! Who works here: the name of this station and of the person, for the audit log and for other stations.

use std::sync::OnceLock;

use c8y_pki_core::shown::is_hidden;
use c8y_pki_engine::registry::Who;

/// Most characters of a name.
const MOST: usize = 64;

static STATION: OnceLock<String> = OnceLock::new();

/// Takes what the command line says, at the beginning.
pub(crate) fn begin(station: Option<&str>, operator: Option<&str>) {
    let station = STATION.get_or_init(|| station.map_or_else(of_computer, str::to_owned));
    Who { station: Some(station.clone()), operator: operator.map(str::to_owned) }.install();
}

/// What this station is called.
pub(crate) fn own() -> &'static str {
    STATION.get_or_init(of_computer)
}

/// Reads a name of a station or a person.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let count = text.chars().count();
    let is_one = !text.trim().is_empty() && count <= MOST && !text.chars().any(is_hidden);
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| format!("a name has 1 to {MOST} visible characters"))
}

/// The name of this computer.
fn of_computer() -> String {
    #[cfg(unix)]
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let own = std::env::var("COMPUTERNAME").unwrap_or_default();
    name(&own).unwrap_or_else(|_| "unnamed".to_owned())
}
