//! What this station is called, for those who look at what others do.

/// Most characters of a name.
const MOST: usize = 64;

/// Reads a name: some printable characters.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let count = text.chars().count();
    match count > 0 && count <= MOST && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(format!("the name of a station has 1 to {MOST} printable characters")),
    }
}

/// The name of this computer.
pub(crate) fn of_computer() -> String {
    #[cfg(unix)]
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let own = std::env::var("COMPUTERNAME").unwrap_or_default();
    name(&own).unwrap_or_else(|_| "unnamed".to_owned())
}
