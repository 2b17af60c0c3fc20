//! The platform's verdict and ours, side by side.

use serde::Serialize;
use time::OffsetDateTime;

use super::super::{Client, PlatformError, trusted};
use super::ask::{Verdict, ask};
use crate::cert::{Certificate, LongestChain};
use crate::chain::{self, ChainError, DeviceFinding, Options};
use crate::client_id::DeviceId;

/// What c8y-pki makes of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ours {
    /// None if it was not judged.
    pub accepted: Option<bool>,
    /// A sentence: where it leads, or why it is refused or not judged.
    pub detail: String,
}

/// Both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The tenant that was asked.
    pub tenant: String,
    /// The platform's: that which counts.
    pub platform: Verdict,
    /// Whether the platform names another tenant of the instance as the owner of the CA.
    pub other_tenant: bool,
    /// Ours.
    pub ours: Ours,
    /// Whether the two say the same; none where one of them says nothing.
    pub agree: Option<bool>,
}

impl Ours {
    /// With these certificates as trust anchors and chains up to `longest`; `of` says whose they are, as the rest of a
    /// sentence.
    pub fn judge(
        presented: &[Certificate],
        anchors: &[Certificate],
        of: &str,
        at: OffsetDateTime,
        longest: LongestChain,
    ) -> Self {
        let found = presented.len();
        if !longest.takes(found) {
            let detail = DeviceFinding::TooMany { found, longest }.to_string();
            return Self { accepted: Some(false), detail };
        }
        let options = Options::new(at).up_to(longest);
        let path = match presented.split_first() {
            Some((leaf, rest)) => chain::verify(leaf, rest, anchors, &options),
            None => Err(ChainError::Empty),
        };
        let path = match path {
            Ok(path) => path,
            Err(e) => return Self { accepted: Some(false), detail: e.to_string() },
        };
        if let Some(finding) = as_presented(presented, anchors, longest) {
            return Self { accepted: Some(false), detail: finding.to_string() };
        }
        let last = path.certificates().last().map(|c| c.subject.to_string());
        let detail = format!("it leads to {}, {of}", last.unwrap_or_default());
        Self { accepted: Some(true), detail }
    }

    /// With the tenant's enabled certificates as trust anchors.
    async fn at_tenant(
        client: &Client,
        presented: &[Certificate],
        now: OffsetDateTime,
        longest: LongestChain,
    ) -> Self {
        match anchors(client).await {
            Ok(anchors) => {
                let at = client.time().unwrap_or(now);
                Self::judge(presented, &anchors, "which the tenant trusts", at, longest)
            }
            Err(e) => Self { accepted: None, detail: e.to_string() },
        }
    }
}

/// What speaks against these certificates in this order, as a device presents them.
fn as_presented(
    presented: &[Certificate],
    anchors: &[Certificate],
    longest: LongestChain,
) -> Option<DeviceFinding> {
    let id = DeviceId::parse(presented.first()?.subject.common_name()?).ok()?;
    let findings = chain::check_device(presented, anchors, &id, longest);
    findings.into_iter().find(|finding| !finding.is_note())
}

/// The certificates that the tenant has, those that are disabled left out.
pub async fn anchors(client: &Client) -> Result<Vec<Certificate>, PlatformError> {
    let list = trusted::list(client).await?;
    let enabled = list.iter().filter(|trusted| trusted.is_enabled());
    Ok(enabled.filter_map(|trusted| trusted.certificate().ok()).collect())
}

/// Asks the platform, and judges by the certificates that the tenant has, up to its `longest` chain, at the time by
/// the platform's clock or, where that is not told, `now`.
///
/// Errors: the tenant is not reached, or does not accept the login.
pub async fn compare(
    client: &Client,
    presented: &[Certificate],
    now: OffsetDateTime,
    longest: LongestChain,
) -> Result<Comparison, PlatformError> {
    let platform = ask(client, presented).await?;
    let ours = Ours::at_tenant(client, presented, now, longest).await;
    Ok(Comparison::new(client.tenant().await?, platform, ours))
}

impl Comparison {
    /// Puts them side by side.
    pub fn new(tenant: &str, platform: Verdict, ours: Ours) -> Self {
        let other_tenant = platform.is_for_another_than(tenant);
        let theirs = platform.accepts_for(tenant);
        let agree = theirs.zip(ours.accepted).map(|(theirs, ours)| theirs == ours);
        Self { tenant: tenant.to_owned(), platform, other_tenant, ours, agree }
    }

    /// Whether both say yes, or the platform does and we say nothing; none if the platform has not said so.
    pub fn is_accepted(&self) -> Option<bool> {
        let theirs = self.platform.accepts_for(&self.tenant)?;
        Some(theirs && self.agree != Some(false))
    }

    /// What the two mean together, where that is not plain: a sentence.
    pub fn remark(&self) -> Option<String> {
        if self.other_tenant {
            return Some(format!(
                "the CA is held by another tenant than {}, where this login belongs: the device would connect there",
                self.tenant
            ));
        }
        (self.agree == Some(false)).then(|| {
            "the two differ, and the platform's verdict decides whether a device can connect; the platform \
             also uses its revocation list if that check is on, the certificates of the tenant, and its own clock"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ask::Unasked;
    use super::*;

    fn accepted(tenant: &str) -> Verdict {
        let (subject, issuer) = (String::new(), String::new());
        Verdict::Accepted { tenant: tenant.to_owned(), subject, issuer }
    }

    fn compared(platform: Verdict, ours: Option<bool>) -> Comparison {
        Comparison::new("t1", platform, Ours { accepted: ours, detail: String::new() })
    }

    #[test]
    fn only_what_was_said_counts() {
        let refused = || Verdict::Refused { message: "Invalid certificate chain!".to_owned() };
        let unreadable = || Verdict::Unreadable { message: "Incomplete data".to_owned() };
        let not_asked = || Verdict::NotAsked { reason: Unasked::Failed("no".into()) };
        for (platform, ours, accepted, agree) in [
            (accepted("t1"), Some(true), Some(true), Some(true)),
            (accepted("t1"), Some(false), Some(false), Some(false)),
            (accepted("t1"), None, Some(true), None),
            // It does not name one: so it is not known to be another one.
            (accepted(""), Some(true), Some(true), Some(true)),
            (accepted("t2"), Some(true), Some(false), Some(false)),
            (refused(), Some(true), Some(false), Some(false)),
            (refused(), Some(false), Some(false), Some(true)),
            (unreadable(), None, Some(false), None),
            (not_asked(), Some(true), None, None),
            (not_asked(), Some(false), None, None),
        ] {
            let compared = compared(platform, ours);
            assert_eq!((compared.is_accepted(), compared.agree), (accepted, agree), "{compared:?}");
            let differs = agree == Some(false) || compared.other_tenant;
            assert_eq!(compared.remark().is_some(), differs, "{compared:?}");
        }
    }
}
