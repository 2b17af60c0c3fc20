//! `cert verify --tenant`: the platform's own verdict on the chain, beside ours.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::chain::{ChainError, DeviceFinding, VerifiedChain};
use c8y_pki_engine::platform::PlatformError;
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::verdict::{self, Comparison, Ours, Unasked, Verdict};
use clap::Args;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::tenant::{NetworkArgs, WhoArgs, no_host};
use crate::variables::variable;

/// What stands for the tenant where it was not reached.
const UNKNOWN_TENANT: &str = "unknown";

/// Which tenant is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tenant")]
pub(crate) struct AskArgs {
    /// Also ask the platform for its own verdict on the chain; give =ID if the tenant's id has to be named. It
    /// changes nothing, and needs ROLE_TENANT_MANAGEMENT_READ
    #[arg(
        id = "ask", long = "tenant", value_name = "ID", num_args = 0..=1, require_equals = true,
        default_missing_value = "", conflicts_with = "manifest"
    )]
    tenant: Option<String>,
    /// Host of the tenant, e.g. acme.eu-latest.cumulocity.com
    #[arg(long, value_name = "HOST", env = "C8Y_HOST", hide_env_values = true)]
    host: Option<String>,
    #[command(flatten)]
    who: WhoArgs,
    #[command(flatten)]
    network: NetworkArgs,
}

/// A tenant that is asked.
pub(super) struct Tenant(Client);

/// What it says, or why it could not be asked.
pub(super) struct Asked {
    pub(super) compared: Comparison,
    failure: Option<PlatformError>,
}

impl AskArgs {
    /// A client of the tenant, if it is to be asked. Nothing is sent yet.
    pub(super) fn connect(&self, out: Output) -> Result<Option<Tenant>> {
        let Some(id) = &self.tenant else { return Ok(None) };
        let host = self.host.as_deref().filter(|host| !host.is_empty()).ok_or_else(no_host)?;
        let id = Some(id.clone()).filter(|id| !id.is_empty()).or_else(|| variable("C8Y_TENANT"));
        let login = self.who.login(id.as_deref(), host)?;
        self.network.connect(host, id, login, out).map(|client| Some(Tenant(client)))
    }
}

impl Tenant {
    /// The certificates that it has and that are enabled.
    pub(super) fn anchors(&self) -> Result<Vec<Certificate>> {
        Ok(self.0.wait(verdict::anchors(&self.0))?)
    }

    /// Puts its verdict beside ours.
    pub(super) fn ask(&self, presented: &[Certificate], ours: Ours) -> Asked {
        let asked = self.0.wait(verdict::ask(&self.0, presented));
        match asked.and_then(|platform| Ok((platform, self.0.wait(self.0.tenant())?))) {
            Ok((platform, tenant)) => {
                Asked { compared: Comparison::new(tenant, platform, ours), failure: None }
            }
            Err(e) => {
                let reason = Unasked::Failed(e.to_string().into());
                let platform = Verdict::NotAsked { reason };
                let compared = Comparison::new(UNKNOWN_TENANT, platform, ours);
                Asked { compared, failure: Some(e) }
            }
        }
    }
}

impl Asked {
    /// What becomes of the command, where everything else is `valid` or not.
    pub(super) fn outcome(self, valid: bool) -> Result {
        match (self.failure, self.compared.is_accepted()) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(accepted)) => Ok(Outcome::of(accepted && valid)),
            (None, None) => Ok(Outcome::Failed(c8y_pki_core::failure::Kind::WrongInput)),
        }
    }
}

/// Our verdict on the chain, whatever the device is called: whether it is yes, and a sentence.
pub(super) fn ours(
    path: Option<&VerifiedChain>,
    error: Option<&ChainError>,
    findings: Option<&[DeviceFinding]>,
) -> Ours {
    let refuses = |finding: &&DeviceFinding| !finding.is_note() && !finding.is_of_the_name();
    let refused = findings.unwrap_or_default().iter().find(refuses);
    let detail = match (error, refused) {
        (Some(e), _) => e.to_string(),
        (None, Some(finding)) => finding.to_string(),
        (None, None) => {
            let last = path.and_then(|path| path.certificates().last());
            let last = last.map(|certificate| certificate.subject.to_string());
            format!("it leads to {}, which is trusted here", last.unwrap_or_default())
        }
    };
    Ours { accepted: Some(error.is_none() && refused.is_none()), detail }
}
