//! What the service tells of each request, and of itself: one entry for each line of a log.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::shown::Foreign;

/// An entry. Its texts may come from outside: they are for JSON, and to be shown as such.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Entry {
    /// The service listens.
    Listening {
        /// Since when, as in RFC 3339.
        at: String,
        /// Where.
        address: SocketAddr,
        /// The name of the CA that signs.
        ca: String,
    },
    /// A request, with its answer.
    Request {
        /// When it was answered, as in RFC 3339.
        at: String,
        /// Who asked: the address.
        client: IpAddr,
        /// The method.
        method: Foreign,
        /// The path, its beginning if it is long.
        path: Foreign,
        /// The status of the answer.
        status: u16,
        /// How many milliseconds it took.
        milliseconds: u64,
        /// What else is known.
        #[serde(flatten)]
        note: Note,
    },
    /// A connection that came to no request.
    Connection {
        /// When it ended, as in RFC 3339.
        at: String,
        /// Who it was: the address.
        client: IpAddr,
        /// Why.
        reason: Foreign,
    },
    /// A file that was replaced is used from now on.
    Reloaded {
        /// When, as in RFC 3339.
        at: String,
        /// What it is: `certificate` or `passwords`.
        what: &'static str,
    },
    /// A file that was replaced cannot be used; what was read before is used further.
    NotReloaded {
        /// When, as in RFC 3339.
        at: String,
        /// What it is: `certificate` or `passwords`.
        what: &'static str,
        /// Why.
        reason: String,
        /// What can be done about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

/// What is known of a request beside its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Note {
    /// The device, once it is known who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The name of the token, or of the client certificate in place of one, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What was shown: `password`, `certificate` or `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    /// The serial number of the certificate that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Whether it was made for this request; else it was answered again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_new: Option<bool>,
    /// The kind of file with a private key that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<&'static str>,
    /// Why there was none: what the client was told, or what is wrong here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What can be done here about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
