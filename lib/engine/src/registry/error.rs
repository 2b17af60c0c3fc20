//! Why the registry cannot do what was asked.

use std::path::Path;

use crate::cert::Serial;
use crate::failure::{Failure, Fault, Hint, Setting, Task, Underlying};
use crate::files::{FREE_SPACE, NO_SPACE};

/// Why the registry cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The file is not a registry of ours.
    #[error("{0} is not a c8y-pki registry")]
    NotARegistry(String),
    /// Written by a later version.
    #[error("the registry {path} has schema version {found}; this program knows up to {known}")]
    TooNew {
        /// Path of the file.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Another process issued or changed one of these certificates a moment ago, or a serial number
    /// repeats.
    #[error(
        "a certificate of this batch was issued or changed by another process at the same time"
    )]
    Conflict,
    /// Another process has given the CA another name since the registry was opened.
    #[error("the CA {from:?} is called {to:?} now: another process has renamed it")]
    Renamed {
        /// The name under which something was to be recorded.
        from: String,
        /// Its name now.
        to: String,
    },
    /// A key from outside that somebody else has had certified at the same time.
    #[error("the key of {holder} is that of {other} too, which another process has recorded")]
    KeyTaken {
        /// Who was to get it: `the device "gw-1"`, `the new CA`.
        holder: String,
        /// Who has it.
        other: String,
    },
    /// A serial number that the issuer has given before it came here.
    #[error("the serial number {serial} was given before, to {subject}")]
    SerialGiven {
        /// The serial number.
        serial: Serial,
        /// What the database of OpenSSL says of it.
        subject: String,
    },
    /// No certificate of that device, or with that serial number.
    #[error("there is no certificate {what} in the registry")]
    Unknown {
        /// `of the device "gw-1"`, `with the serial number 4a…`.
        what: String,
    },
    /// A certificate that is revoked already.
    #[error("the certificate {serial} of {holder} is revoked already, since {since}: {reason}")]
    AlreadyRevoked {
        /// Its serial number.
        serial: Serial,
        /// The device, or the subject of a CA.
        holder: String,
        /// Since when.
        since: String,
        /// Why.
        reason: &'static str,
    },
    /// A date of revocation that cannot be.
    #[error("the certificate {serial} of {holder} cannot be revoked as of {at}: {problem}")]
    RevocationDate {
        /// Its serial number.
        serial: Serial,
        /// The device, or the subject of a CA.
        holder: String,
        /// The date.
        at: String,
        /// `it is valid from …`, `that lies in the future`.
        problem: String,
    },
    /// An order of that name, in any case.
    #[error("there is an order {name:?} already")]
    OrderExists {
        /// The name.
        name: String,
    },
    /// No order of that name.
    #[error("there is no order {name:?}")]
    UnknownOrder {
        /// The name.
        name: String,
        /// Some that there are, the most alike first.
        known: Vec<String>,
    },
    /// A device that is in another order.
    #[error("the device {id:?} is in the order {order:?} already")]
    OrderedAlready {
        /// The device.
        id: String,
        /// The order.
        order: String,
    },
    /// The file is damaged.
    #[error("the registry {path} is damaged: {reason}")]
    Damaged {
        /// Path of the file.
        path: String,
        /// What SQLite or we found.
        #[source]
        reason: Underlying,
    },
    /// There are rows where a registry was to be taken to.
    #[error("the registry {0} is not empty")]
    NotEmpty(String),
    /// It was taken to another place.
    #[error("the registry {path} was taken to {to}, and nothing is recorded here any more")]
    Moved {
        /// Path of the file, or its address.
        path: String,
        /// Where it is now: an absolute path, or an address.
        to: String,
    },
    /// The file was moved away or replaced while it was open.
    #[error("the registry {0} was moved away or replaced since it was opened")]
    Exchanged(String),
    /// The disk is full.
    #[error("the registry {0} cannot be written: {NO_SPACE}")]
    NoSpace(String),
    /// The disk of the server is full.
    #[error("the registry {0} cannot be written: no space is left on the disk of its server")]
    NoSpaceThere(String),
    /// Nothing can be written there.
    #[error("the registry {0} cannot be written: it is read-only")]
    ReadOnly(String),
    /// The server takes no changes.
    #[error("the registry {0} cannot be written: its server takes no changes")]
    ReadOnlyThere(String),
    /// Another process has not ended its change in the time that is waited for it.
    #[error(
        "the registry {0} cannot be written: another process has been changing it for too long"
    )]
    Busy(String),
    /// Of a former version, at a place where it cannot be brought up to the present one.
    #[error(
        "the registry {path} has schema version {found}, and it is read-only: it cannot be brought up to {known}"
    )]
    TooOld {
        /// Path of the file.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Of a former version, in a database of which the user is not the owner.
    #[error(
        "the registry {path} has schema version {found}, and only its owner can bring it up to {known}"
    )]
    OwnerFirst {
        /// Its address.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Several stations are to share a list, but the registry is a file.
    #[error(
        "the registry {0} is a file on one computer: a list is shared out only by a registry in a PostgreSQL database"
    )]
    NotShared(String),
    /// The order was taken back while its devices were made.
    #[error("the order {name:?} was taken back meanwhile: the rest of its devices is not issued")]
    OrderTakenBack {
        /// Its name.
        name: String,
    },
    /// The issuing CA, or one above it, was revoked while devices were made.
    #[error("the CA {subject} was revoked meanwhile: nothing more is issued under it")]
    IssuerRevoked {
        /// Its subject.
        subject: String,
    },
    /// The run was too slow: another one makes these devices now.
    #[error(
        "another station has taken over a part of the list, because this one did not answer for too long"
    )]
    RangeLost,
    /// The server of the database does not answer, or the connection to it was lost.
    #[error("the registry {path} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        path: String,
        /// What the system or the server said.
        #[source]
        reason: Underlying,
    },
    /// The connection was lost while a change was made, which was taken back.
    #[error("the connection to the registry {path} was lost, and nothing was changed")]
    NotDone {
        /// Its address.
        path: String,
    },
    /// The server does not let this user in, or has no such database.
    #[error("the registry {path} does not let this user in: {reason}")]
    Refused {
        /// Its address.
        path: String,
        /// What the server said.
        #[source]
        reason: Underlying,
    },
    /// The user of the database may not do that.
    #[error("the user of the registry {path} may not do that: {reason}")]
    NotAllowed {
        /// Its address.
        path: String,
        /// What the server said.
        #[source]
        reason: Underlying,
    },
    /// The database failed.
    #[error("the registry {path} cannot be used: {reason}")]
    Database {
        /// Path of the file.
        path: String,
        /// What it said.
        #[source]
        reason: Underlying,
    },
}

impl RegistryError {
    /// A registry that does not say what each one says.
    pub(super) fn without_answer(path: &Path) -> Self {
        Self::damaged(path, "a query has no answer")
    }

    /// Something in it is not as we have written it.
    pub(super) fn damaged(path: &Path, reason: impl Into<Underlying>) -> Self {
        Self::Damaged { path: path.display().to_string(), reason: reason.into() }
    }
}

impl Failure for RegistryError {
    fn fault(&self) -> Fault {
        match self {
            Self::Conflict
            | Self::KeyTaken { .. }
            | Self::Renamed { .. }
            | Self::Database { .. }
            | Self::Exchanged(_)
            | Self::Unreachable { .. }
            | Self::NotDone { .. }
            | Self::RangeLost
            | Self::NoSpace(_)
            | Self::NoSpaceThere(_)
            | Self::ReadOnly(_)
            | Self::ReadOnlyThere(_)
            | Self::Busy(_) => Fault::Environment,
            Self::NotARegistry(_)
            | Self::TooNew { .. }
            | Self::SerialGiven { .. }
            | Self::Unknown { .. }
            | Self::AlreadyRevoked { .. }
            | Self::RevocationDate { .. }
            | Self::OrderExists { .. }
            | Self::OrderTakenBack { .. }
            | Self::IssuerRevoked { .. }
            | Self::UnknownOrder { .. }
            | Self::OrderedAlready { .. }
            | Self::Damaged { .. }
            | Self::Refused { .. }
            | Self::NotEmpty(_)
            | Self::Moved { .. }
            | Self::NotAllowed { .. }
            | Self::OwnerFirst { .. }
            | Self::NotShared(_)
            | Self::TooOld { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::TooNew { .. } => "use a newer version of c8y-pki",
            Self::Renamed { .. } => "run the command again, with the new name",
            Self::Conflict => "run the same command again: it makes the rest",
            Self::OrderTakenBack { .. } => "make another order from the right list",
            Self::IssuerRevoked { .. } => "issue with another CA",
            Self::KeyTaken { .. } => {
                "let each device make its own key, then run the same command again for the others"
            }
            Self::RevocationDate { .. } => {
                return Some(Hint::omit(
                    "give a time since which the certificate was valid; for the present time",
                    Setting::RevokedAt,
                ));
            }
            Self::Unknown { .. } => return Some(Hint::run("see all of them", Task::ListDevices)),
            Self::Damaged { .. } => {
                return Some(
                    Hint::run("see what is damaged", Task::CheckRegistry).then("restore a backup"),
                );
            }
            Self::OrderExists { .. } => {
                return Some(
                    Hint::say("give the order another name")
                        .then(Hint::run("see all of them", Task::ListOrders)),
                );
            }
            Self::UnknownOrder { known, .. } => {
                let all = Hint::run("see all of them", Task::ListOrders);
                return Some(match known.is_empty() {
                    true => all,
                    false => Hint::say(format!("known orders: {}", known.join(", "))).then(all),
                });
            }
            Self::OrderedAlready { order, .. } => {
                return Some(Hint::say("leave the device out of the list").then(Hint::run(
                    "or take that order back",
                    Task::TakeOrderBack { name: order.clone() },
                )));
            }
            Self::Exchanged(_) => {
                "stop this program and start it again: it then opens the new file"
            }
            Self::Unreachable { .. } => {
                "is the server running, and is its address in pki.toml the right one?"
            }
            Self::NotDone { .. } | Self::RangeLost => "run the same command again",
            Self::OwnerFirst { .. } => {
                "the owner of the database schema c8y_pki has to run any command of this version first"
            }
            Self::NotShared(_) => {
                return Some(
                    Hint::run("take it to a database", Task::MoveRegistry)
                        .then(Hint::omit("or issue the whole list here", Setting::Share)),
                );
            }
            Self::Refused { .. } => "look at the user, the database and the password",
            Self::NotAllowed { .. } => "ask the owner of the database for that right",
            Self::NotEmpty(_) => "give another file or database",
            Self::Moved { to, .. } => {
                let line = toml::Value::String(to.clone());
                return Some(
                    Hint::say(format!("pki.toml has to say registry = {line}"))
                        .then("if it does so already, run the command again"),
                );
            }
            Self::NoSpace(_) => FREE_SPACE,
            Self::NoSpaceThere(_) => {
                "ask its administrator for space, and run the same command again: nothing half-written is left"
            }
            Self::ReadOnlyThere(_) => {
                "is it a standby, or set to default_transaction_read_only? pki.toml has to name one that takes changes"
            }
            Self::Busy(_) => "run the same command again when that one has ended",
            Self::ReadOnly(_) => "is it mounted read-only, or another user's?",
            Self::TooOld { .. } => {
                "copy the PKI directory to where it can be written, and read it there"
            }
            _ => return None,
        };
        Some(text.into())
    }
}
