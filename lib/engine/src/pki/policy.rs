//! What a CA may sign: its signing policy, a table of pki.toml.
//!
//! ```toml
//! [policy.line-7]
//! C = "match"                   # must be there, with the CA's own values
//! O = "match"
//! OU = "supplied"               # must be there
//! L = "optional"                # may be there: so is every field that is not named
//! ids = ["GW-*", "SN00??"]      # devices whose id fits one of these, and no others
//! ids_from = "line-7.ids"       # … or stands in this file, one a line
//! exact_ids = ["GW-0001"]       # … or stands here
//! server_names = ["broker.example.com", ".plant.example.com"]    # servers of this name, or of any below
//! server_networks = ["10.7.0.0/16", "fd00:7::/64"]               # servers with addresses in these
//! ```
//!
//! The ids of a CA, and the names of its servers, hold for the CAs below it too. With `server_names` or
//! `server_networks` a server gets no other name; `server_names = []` lets none pass. A CA of the same subject without a table of its own,
//! as `ca renew --new-key` makes it, has the same policy. `ids = []` lets no device pass.
//!
//! It is the policy of `openssl ca` (optional, supplied, match) with the ids added. It is held
//! against the subject of every device, request and intermediate CA that the CA is to sign. A
//! pattern knows `*` (any characters, also none) and `?` (one character); case counts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Ca;
use crate::cert::AltName;
use crate::chain::{self, ChainError};
use crate::client_id::DeviceId;
use crate::failure::{Failure, Fault, Hint, Setting, SubjectField, Task};
use crate::name::{Name, find_field};

pub use super::policy_table::FieldRule;
pub(super) use super::policy_table::RawPolicy;
pub use super::server_rules::ServerRules;

/// A subject or id that a CA may not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A field that must be there is not.
    #[error("the policy of the CA {ca} wants {field} in the subject, and {subject} has none")]
    Missing {
        /// Name of the CA.
        ca: String,
        /// The field.
        field: String,
        /// The subject.
        subject: String,
    },
    /// A field differs from the CA's.
    #[error("the policy of the CA {ca} wants {field} {wanted} as in its own subject, not {found}")]
    Differs {
        /// Name of the CA.
        ca: String,
        /// The field.
        field: String,
        /// The CA's values, quoted.
        wanted: String,
        /// The subject's, quoted.
        found: String,
    },
    /// A subject outside of the name constraints of the CA or those above it.
    #[error("the CA {ca} cannot certify {subject}: it {problem}; servers would refuse it")]
    Names {
        /// Name of the CA.
        ca: String,
        /// The subject.
        subject: String,
        /// Which constraint, with its source.
        problem: String,
    },
    /// A server's name that is not among those that the CA signs.
    #[error(
        "the policy of the CA {ca} does not let a server have the name {name}: it signs servers in {allowed}"
    )]
    ServerName {
        /// Name of the CA.
        ca: String,
        /// The name.
        name: AltName,
        /// What it signs, in words.
        allowed: String,
    },
    /// An id that is not among those that the CA signs.
    #[error(
        "the policy of the CA {ca} does not let it sign the device id {id:?}: it signs {allowed}"
    )]
    Id {
        /// Name of the CA.
        ca: String,
        /// The id.
        id: String,
        /// What it signs, in words.
        allowed: String,
    },
}

impl Failure for PolicyError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Missing { ca, field, .. } | Self::Differs { ca, field, .. } => {
                let setting = Setting::Subject(SubjectField::of(field));
                Hint::give(format!("give the subject that {field}"), setting)
                    .then(format!("or change [policy.{ca}] in pki.toml"))
            }
            Self::Names { .. } => {
                Hint::run("give the subject that the CA's name constraints permit", Task::ShowCa)
                    .then("or use another CA")
            }
            Self::ServerName { ca, .. } | Self::Id { ca, .. } => {
                format!("use another CA, or change [policy.{ca}] in pki.toml").into()
            }
        })
    }
}

/// Holds a subject and the names beside it to the name constraints of the CA that is to sign them and those above
/// (RFC 5280, 4.2.1.10).
pub(crate) fn check_names(
    ca: &Ca,
    subject: &Name,
    alt_names: &[AltName],
) -> Result<(), PolicyError> {
    let problem = match chain::check_names(subject, alt_names, &ca.chain) {
        Ok(()) => return Ok(()),
        Err(ChainError::Refused(refusal)) => {
            format!("{} ({})", refusal.rule, refusal.rule.reference())
        }
        Err(other) => format!("has names that cannot be judged: {other}"),
    };
    Err(PolicyError::Names { ca: ca.name.clone(), subject: subject.to_string(), problem })
}

/// The signing policy of a CA. The default lets everything pass.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct SigningPolicy {
    #[serde(skip)]
    ca: String,
    fields: BTreeMap<&'static str, FieldRule>,
    /// None if no id is refused for its form.
    #[serde(rename = "ids")]
    patterns: Option<Vec<String>>,
    /// JSON: how many ids its list has; null if it has none.
    #[serde(rename = "listed_ids", serialize_with = "count_of")]
    listed: Option<Arc<HashSet<String>>>,
    #[serde(flatten, serialize_with = "server_rules")]
    servers: ServerRules,
    /// Policies of the CAs above that restrict ids or servers: they hold for everything below.
    #[serde(skip)]
    above: Vec<SigningPolicy>,
}

/// The policy of every CA: its own, or that of another CA of the same subject (which has the same
/// name for anyone who verifies), under the ids that the CAs above it may sign.
pub(super) fn of_all(
    cas: &[Ca],
    given: &BTreeMap<String, SigningPolicy>,
) -> BTreeMap<String, SigningPolicy> {
    let by_name: BTreeMap<&str, &Ca> = cas.iter().map(|ca| (ca.name.as_str(), ca)).collect();
    let own = |ca: &Ca| -> SigningPolicy {
        let subject = &ca.certificate().subject;
        let twin = || {
            cas.iter()
                .filter(|other| other.certificate().subject.matches(subject))
                .find_map(|other| given.get(&other.name))
        };
        let policy = given.get(&ca.name).or_else(twin).cloned().unwrap_or_default();
        SigningPolicy { ca: ca.name.clone(), ..policy }
    };
    let all = cas.iter().map(|ca| {
        let mut policy = own(ca);
        let mut parent = ca.parent.as_deref();
        // A chain has an end; the bound is for directories that somebody has put together by hand.
        for _ in 0..cas.len() {
            let Some(ca) = parent.and_then(|name| by_name.get(name)) else { break };
            policy.above.push(own(ca));
            parent = ca.parent.as_deref();
        }
        policy.above.retain(|above| above.restricts_ids() || !above.servers.is_open());
        (ca.name.clone(), policy)
    });
    all.collect()
}

fn count_of<S: serde::Serializer>(
    ids: &Option<Arc<HashSet<String>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&ids.as_ref().map(|ids| ids.len()), serializer)
}

fn server_rules<S: serde::Serializer>(
    rules: &ServerRules,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let all = [
        ("server_names", rules.names().map(<[String]>::to_vec)),
        ("server_networks", rules.networks()),
    ];
    serializer.collect_map(all)
}

impl SigningPolicy {
    /// Makes the policy of the CA `ca`. Files that it names were read before.
    ///
    /// Errors: a field that there is not, in words.
    pub(super) fn new(ca: &str, raw: &RawPolicy) -> Result<Self, String> {
        let mut fields = BTreeMap::new();
        for (name, rule) in &raw.fields {
            let field = find_field(name).map_err(|_| {
                format!("[policy.{ca}] has {name:?}, which is no field of a subject and no setting")
            })?;
            fields.insert(field.name, *rule);
        }
        Ok(Self {
            ca: ca.to_owned(),
            fields,
            patterns: raw.ids.clone(),
            listed: raw.exact_ids.as_ref().map(|ids| Arc::new(ids.iter().cloned().collect())),
            servers: ServerRules::new(raw.server_names.as_ref(), raw.server_networks.as_ref())
                .map_err(|problem| format!("[policy.{ca}] {problem}"))?,
            above: Vec::new(),
        })
    }

    /// Whether it lets everything pass.
    pub fn is_open(&self) -> bool {
        let is_open = self.fields.is_empty() && !self.restricts_ids() && self.servers.is_open();
        is_open && self.above.is_empty()
    }

    fn restricts_ids(&self) -> bool {
        self.patterns.is_some() || self.listed.is_some()
    }

    /// Holds a subject against the fields' rules; `own` is the CA's subject.
    pub fn check_subject(&self, own: &Name, subject: &Name) -> Result<(), PolicyError> {
        for (field, rule) in &self.fields {
            let found: Vec<&str> = subject.values(field).collect();
            let wanted: Vec<&str> = own.values(field).collect();
            let (ca, field) = (self.ca.clone(), (*field).to_owned());
            if *rule != FieldRule::Optional && found.is_empty() {
                return Err(PolicyError::Missing { ca, field, subject: subject.to_string() });
            }
            if *rule == FieldRule::Match && found != wanted {
                let (wanted, found) = (quoted(&wanted), quoted(&found));
                return Err(PolicyError::Differs { ca, field, wanted, found });
            }
        }
        Ok(())
    }

    /// Holds a device's identifier against the ids that the CA may sign.
    pub fn check_id(&self, id: &DeviceId) -> Result<(), PolicyError> {
        self.above.iter().try_for_each(|policy| policy.check_id(id))?;
        let listed = self.listed.as_ref().is_some_and(|ids| ids.contains(id.as_str()));
        let mut patterns = self.patterns.iter().flatten();
        let fits = patterns.any(|pattern| fits(pattern, id.as_str()));
        if !self.restricts_ids() || listed || fits {
            return Ok(());
        }
        let allowed = self.allowed_ids();
        Err(PolicyError::Id { ca: self.ca.clone(), id: id.as_str().to_owned(), allowed })
    }

    /// Holds a device to all that its CA may sign: its identifier, the CAs' name constraints, its subject.
    pub(crate) fn check(
        &self,
        ca: &Ca,
        id: &DeviceId,
        (subject, alt_names): (&Name, &[AltName]),
    ) -> Result<(), PolicyError> {
        self.check_id(id)?;
        check_names(ca, subject, alt_names)?;
        self.check_subject(&ca.certificate().subject, subject)
    }

    /// Holds the names of a server against those that the CA, and the CAs above it, may sign.
    pub fn check_servers(&self, names: &[AltName]) -> Result<(), PolicyError> {
        self.above.iter().try_for_each(|policy| policy.check_servers(names))?;
        match names.iter().find(|name| !self.servers.permits(name)) {
            None => Ok(()),
            Some(name) => Err(PolicyError::ServerName {
                ca: self.ca.clone(),
                name: name.clone(),
                allowed: self.servers.to_string(),
            }),
        }
    }

    /// Holds a server to all that its CA may sign: its names, the CAs' name constraints, its subject.
    pub(crate) fn check_server(
        &self,
        ca: &Ca,
        subject: &Name,
        names: &[AltName],
    ) -> Result<(), PolicyError> {
        self.check_servers(names)?;
        check_names(ca, subject, names)?;
        self.check_subject(&ca.certificate().subject, subject)
    }

    fn allowed_ids(&self) -> String {
        let mut allowed = self.patterns.clone().unwrap_or_default();
        if let Some(ids) = &self.listed {
            allowed.push(format!("the {} id(s) of its list", ids.len()));
        }
        match allowed.join(", ") {
            none if none.is_empty() && self.restricts_ids() => "none".to_owned(),
            some => some,
        }
    }
}

impl std::fmt::Display for SigningPolicy {
    /// `C match, OU supplied; ids GW-*`, or `none`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rule = |rule: &FieldRule| match rule {
            FieldRule::Optional => "optional",
            FieldRule::Supplied => "supplied",
            FieldRule::Match => "match",
        };
        let fields: Vec<String> =
            self.fields.iter().map(|(name, r)| format!("{name} {}", rule(r))).collect();
        let mut parts = vec![fields.join(", ")];
        parts
            .extend(Some(self.allowed_ids()).filter(|i| !i.is_empty()).map(|i| format!("ids {i}")));
        if !self.servers.is_open() {
            parts.push(format!("servers {}", self.servers));
        }
        parts.retain(|part| !part.is_empty());
        match parts.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&parts.join("; ")),
        }
    }
}

fn quoted(values: &[&str]) -> String {
    match values {
        [] => "(none)".to_owned(),
        values => values.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", "),
    }
}

/// Whether a text fits a pattern of `*` and `?`. Linear in the text for each `*`: on a mismatch
/// only the last `*` takes one character more.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests;
