//! How a change is begun, and what it tells the audit log.

/// Who writes beside us while a change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum Turn {
    /// Nobody, from the beginning on: what is read is what the change is made on.
    Alone,
    /// Nobody, and who waits is to look whether he may: it is the registry's last change here.
    Last,
    /// Others, until the audit log is written to: the database's own rules have to be enough for what is read.
    Shared,
}

/// An entry of the audit log that is to be written: its action and details.
pub(in crate::registry) type Entry = (&'static str, serde_json::Value);
