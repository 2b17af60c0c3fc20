//! The call, and what the platform says.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::{Body, Client, Method, PlatformError, Request, tenant};
use crate::cert::Certificate;
use crate::failure::{Failure, Fault, Hint, Underlying};
use crate::shown::Foreign;

/// Where it is asked for.
pub const PATH: &str = "/tenant/trusted-certificates/verify-cert-chain";

/// Any of these roles is enough to ask.
pub const ROLE: &str = "ROLE_TENANT_MANAGEMENT_READ or ROLE_TENANT_MANAGEMENT_ADMIN";

/// What the platform says of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It accepts the chain (200).
    Accepted {
        /// The tenant that has the CA: maybe another one of the instance than that which was asked.
        tenant: String,
        /// The subject that it read.
        subject: String,
        /// The issuer that it read.
        issuer: String,
    },
    /// It refuses the chain (401, or 200 without success).
    Refused {
        /// Its words.
        message: String,
    },
    /// It cannot read the chain (400).
    Unreadable {
        /// Its words.
        message: String,
    },
    /// It has said nothing of the chain: the user lacks the right (403), or the release has no such call, or
    /// knows no tenant for it (404).
    NotAsked {
        /// Why not.
        reason: Unasked,
    },
}

/// Why the platform has said nothing of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unasked {
    /// The user lacks the right (403).
    #[error("{login} needs {ROLE} to ask")]
    NoRight {
        /// Who asked.
        login: String,
    },
    /// The release has no such call, or knows no tenant for the chain (404).
    #[error(
        "the platform answers 404 ({words}): its release does not have the call, or it finds no tenant for the chain"
    )]
    NoSuchCall {
        /// What the platform said.
        words: Foreign,
    },
    /// The question failed.
    #[error("{0}")]
    Failed(#[source] Underlying),
}

impl Failure for Unasked {
    fn fault(&self) -> Fault {
        match self {
            Self::NoRight { .. } => Fault::Input,
            Self::NoSuchCall { .. } => Fault::Refusal,
            Self::Failed(_) => Fault::Environment,
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NoRight { .. } => Some("ask an administrator of the tenant for the role".into()),
            Self::NoSuchCall { .. } | Self::Failed(_) => None,
        }
    }
}

impl Serialize for Unasked {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Verdict {
    /// Whether it lets a device with this chain into the tenant that was asked; none if it has not said so.
    pub fn accepts_for(&self, tenant: &str) -> Option<bool> {
        match self {
            Self::Accepted { .. } => Some(!self.is_for_another_than(tenant)),
            Self::Refused { .. } | Self::Unreadable { .. } => Some(false),
            Self::NotAsked { .. } => None,
        }
    }

    /// Whether it names another tenant of the instance as the owner of the CA.
    pub fn is_for_another_than(&self, tenant: &str) -> bool {
        // One that it does not name is not another one.
        matches!(self, Self::Accepted { tenant: found, .. } if !found.is_empty() && found != tenant)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { tenant, subject, .. } => {
                write!(f, "accepted for the tenant {tenant} (subject {subject})")
            }
            Self::Refused { message } => write!(f, "refused: {message}"),
            Self::Unreadable { message } => write!(f, "it cannot read the chain: {message}"),
            Self::NotAsked { reason } => write!(f, "not asked: {reason}"),
        }
    }
}

/// The request, for a chain with the device's own certificate first.
pub fn request(chain: &[Certificate]) -> Request {
    let pem: String = chain.iter().map(Certificate::pem).collect();
    let body = Body::Pem { name: "chain.pem".to_owned(), text: pem };
    Request::new(Method::Post, PATH, body).role(ROLE)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    successfully_validated: bool,
    #[serde(default)]
    tenant_id: String,
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    subject: String,
}

/// Asks. The login is tried first, since a 401 is also the answer to a chain that is refused.
///
/// Errors: the tenant is not reached, does not accept the login, or is not the one of the login.
pub async fn ask(client: &Client, chain: &[Certificate]) -> Result<Verdict, PlatformError> {
    tenant::confirmed(client).await?;
    ask_as_known(client, chain).await
}

/// The same with a login that is known to be good.
pub(crate) async fn ask_as_known(
    client: &Client,
    chain: &[Certificate],
) -> Result<Verdict, PlatformError> {
    match client.json::<Answer>(&request(chain)).await {
        Ok(answer) if answer.successfully_validated => Ok(Verdict::Accepted {
            tenant: shown(&answer.tenant_id),
            subject: shown(&answer.subject),
            issuer: shown(&answer.issuer),
        }),
        Ok(_) => {
            Ok(Verdict::Refused { message: "it does not call the chain validated".to_owned() })
        }
        Err(PlatformError::Unauthorized { message: said, .. }) => {
            Ok(Verdict::Refused { message: words(said) })
        }
        Err(PlatformError::Refused { status: 400, message, .. }) => {
            Ok(Verdict::Unreadable { message: message.to_string() })
        }
        Err(PlatformError::Forbidden { login, .. }) => {
            Ok(Verdict::NotAsked { reason: Unasked::NoRight { login } })
        }
        Err(PlatformError::Refused { status: 404, message, .. }) => {
            Ok(Verdict::NotAsked { reason: Unasked::NoSuchCall { words: message } })
        }
        Err(other) => Err(other),
    }
}

fn shown(text: &str) -> String {
    Foreign::beginning(text).to_string()
}

fn words(said: Option<Foreign>) -> String {
    said.map_or_else(|| "it does not say why".to_owned(), |words| words.to_string())
}
