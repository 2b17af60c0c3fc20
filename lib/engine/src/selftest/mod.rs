//! Whether a tenant does what this library expects of it: a CA that is made for this takes one device through
//! everything, and all of it is removed again.
//!
//! The library was written without a tenant at hand. So each step says what it expects and what it saw, and
//! the report of a run at a real tenant is worth having for others; there is no secret in it.
//!
//! Nothing is written to disk: both keys live in memory and are gone at the end. What was begun at the tenant
//! is removed in every case, also when a step failed or the caller stopped it; what cannot be removed is named
//! with the command that does it. One thing stays: the platform never forgets a revoked serial number.

mod cleanup;
mod made;
mod report;
mod steps;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

use crate::client_id::ClientIdError;
use crate::crypto::CryptoError;
use crate::device::credentials::Trusted;
use crate::device::link::Target;
use crate::failure::{Failure, Fault, Hint};
use crate::issue::IssueError;
use crate::key::KeyError;
use crate::name::NameError;
use crate::platform::blocking::Client;
use crate::platform::tenant::{self, May, ROLE_DEVICES};
use crate::platform::{PlatformError, trusted};

pub use made::Disposable;
pub use report::{Difference, Leftover, Outcome, Report, Step, StepName, Verdict};

/// Why a self-test was not begun. Once it is begun, everything is in its [`Report`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelfTestError {
    /// The user lacks a role; nothing was sent that changes anything.
    #[error("{user} may not {what} in the tenant {tenant}, so nothing was begun")]
    NotAllowed {
        /// Who asks.
        user: String,
        /// What the self-test needs to do.
        what: &'static str,
        /// The tenant.
        tenant: String,
        /// The role that is needed.
        role: &'static str,
    },
    /// The tenant cannot be asked.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificates.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A profile that this library should have.
    #[error("this library has no profile {0:?}")]
    NoProfile(&'static str),
    /// Their names.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The device's identifier.
    #[error(transparent)]
    ClientId(#[from] ClientIdError),
    /// Random numbers.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Failure for SelfTestError {
    fn fault(&self) -> Fault {
        match self {
            // As where the platform itself says so (403).
            Self::NotAllowed { .. } | Self::NoProfile(_) => Fault::Input,
            Self::Platform(e) => e.fault(),
            Self::Key(e) => e.fault(),
            Self::Issue(e) => e.fault(),
            Self::Name(e) => e.fault(),
            Self::ClientId(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::NotAllowed { role, .. } => {
                Some(format!("ask an administrator of the tenant for {role}").into())
            }
            Self::Platform(e) => e.hint(),
            Self::Key(e) => e.hint(),
            Self::Issue(e) => e.hint(),
            Self::NoProfile(_) => None,
            Self::Name(e) => e.hint(),
            Self::ClientId(e) => e.hint(),
            Self::Crypto(e) => e.hint(),
        }
    }
}

/// Where and how a tenant is tested.
pub struct Plan<'a> {
    /// Asks the tenant. It should give up waiting when `stop` is set.
    pub client: &'a Client,
    /// MQTT over TLS.
    pub mqtt: Target,
    /// HTTPS with client certificates.
    pub https: Target,
    /// Whom the device trusts; none for the system.
    pub trusted: Option<Vec<crate::cert::Certificate>>,
    /// How long each answer to the device may take.
    pub timeout: Duration,
    /// How long `s/e` has to stay silent.
    pub silence: Duration,
    /// This machine's time.
    pub at: OffsetDateTime,
    /// Set: no further step is begun, and what was begun is removed. It is reset then, and set once more it
    /// ends the removal too.
    pub stop: &'a AtomicBool,
    /// What a person types to remove the trusted certificate of a fingerprint, should the test be unable to.
    pub removal: fn(&str) -> String,
    /// Is told each step when it is over.
    pub tell: &'a dyn Fn(&Step),
}

impl Plan<'_> {
    /// Whom the device trusts.
    fn truststore(&self) -> Option<Trusted> {
        self.trusted.as_ref().map(|certificates| Trusted {
            from: "the CAs that were given".into(),
            certificates: certificates.clone(),
            unseen_by_java: Vec::new(),
        })
    }
}

/// The tenant, and that the user may do there what a self-test does, as far as the platform tells.
/// Nothing is changed.
///
/// Errors: it cannot be asked; the user lacks a role.
pub fn prepare(client: &Client) -> Result<tenant::Status, SelfTestError> {
    let status = client.wait(tenant::status(client))?;
    let needed = [
        (status.trusted_certificates, "manage trusted certificates", trusted::ROLE),
        (status.registration, "register devices", ROLE_DEVICES),
    ];
    match needed.into_iter().find(|(may, ..)| *may == May::No) {
        None => Ok(status),
        Some((_, what, role)) => Err(SelfTestError::NotAllowed {
            user: client.subject(),
            what,
            tenant: status.tenant.id,
            role,
        }),
    }
}

/// Does all steps, then removes what was made.
pub fn run(plan: &Plan<'_>, status: &tenant::Status, made: &Disposable) -> Report {
    let mut test = steps::Test::new(plan, status, made);
    test.all();
    let interrupted = plan.stop.swap(false, Ordering::Relaxed);
    test.clean_up();
    test.report(interrupted)
}
