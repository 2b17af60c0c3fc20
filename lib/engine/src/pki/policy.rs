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
//! ```
//!
//! The ids of a CA hold for the CAs below it too. A CA of the same subject without a table of its own,
//! as `ca renew --new-key` makes it, has the same policy. `ids = []` lets no device pass.
//!
//! It is the policy of `openssl ca` (optional, supplied, match) with the ids added. It is held
//! against the subject of every device, request and intermediate CA that the CA is to sign. A
//! pattern knows `*` (any characters, also none) and `?` (one character); case counts.

use std::collections::{BTreeMap, HashSet};

use super::Ca;
use crate::chain::{self, ChainError};
use crate::client_id::DeviceId;
use crate::failure::{Failure, Fault, Hint, Setting, SubjectField, Task};
use crate::name::{Name, find_field};

/// What is asked of a field of the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldRule {
    /// It may be there.
    Optional,
    /// It must be there.
    Supplied,
    /// It must be there with the values that the CA's own subject has, in their order.
    Match,
}

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
            Self::Id { ca, .. } => {
                format!("use another CA, or change [policy.{ca}] in pki.toml").into()
            }
        })
    }
}

/// Holds a subject to the name constraints of the CA that is to sign it and those above (RFC 5280,
/// 4.2.1.10).
pub(crate) fn check_names(ca: &Ca, subject: &Name) -> Result<(), PolicyError> {
    let problem = match chain::check_subject(subject, &ca.chain) {
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
    /// None: no id is refused for its form.
    #[serde(rename = "ids")]
    patterns: Option<Vec<String>>,
    /// JSON: how many ids its list has; null if it has none.
    #[serde(rename = "listed_ids", serialize_with = "count_of")]
    listed: Option<HashSet<String>>,
    /// Policies of the CAs above that restrict ids: they hold for everything below.
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
        policy.above.retain(SigningPolicy::restricts_ids);
        (ca.name.clone(), policy)
    });
    all.collect()
}

fn count_of<S: serde::Serializer>(
    ids: &Option<HashSet<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&ids.as_ref().map(HashSet::len), serializer)
}

impl SigningPolicy {
    /// Makes the policy of the CA `ca`. `listed` holds the lines of `ids_from`.
    ///
    /// Errors: a field that there is not, in words.
    pub(super) fn new(ca: &str, raw: &RawPolicy, listed: Option<String>) -> Result<Self, String> {
        let mut fields = BTreeMap::new();
        for (name, rule) in &raw.fields {
            let field = find_field(name).map_err(|_| {
                format!("[policy.{ca}] has {name:?}, which is no field of a subject and no setting")
            })?;
            fields.insert(field.name, *rule);
        }
        let lines = |text: String| -> HashSet<String> {
            let lines = text.lines().map(str::trim);
            lines.filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect()
        };
        Ok(Self {
            ca: ca.to_owned(),
            fields,
            patterns: raw.ids.clone(),
            listed: listed.map(lines),
            above: Vec::new(),
        })
    }

    /// Whether it lets everything pass.
    pub fn is_open(&self) -> bool {
        self.fields.is_empty() && !self.restricts_ids() && self.above.is_empty()
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
    pub(crate) fn check(&self, ca: &Ca, id: &DeviceId, subject: &Name) -> Result<(), PolicyError> {
        self.check_id(id)?;
        check_names(ca, subject)?;
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
        match (fields.join(", "), self.allowed_ids()) {
            (fields, ids) if fields.is_empty() && ids.is_empty() => f.write_str("none"),
            (fields, ids) if ids.is_empty() => f.write_str(&fields),
            (fields, ids) if fields.is_empty() => write!(f, "ids {ids}"),
            (fields, ids) => write!(f, "{fields}; ids {ids}"),
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

/// A policy as it stands in pki.toml.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(expecting = "a table of fields with their rules, ids and ids_from")]
pub(super) struct RawPolicy {
    pub(super) ids: Option<Vec<String>>,
    pub(super) ids_from: Option<String>,
    #[serde(flatten)]
    pub(super) fields: BTreeMap<String, FieldRule>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(text: &str) -> SigningPolicy {
        SigningPolicy::new("line", &toml::from_str(text).unwrap(), None).unwrap()
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn fields_are_supplied_match_or_free() {
        let own = name("CN=Line,OU=B,OU=A,O=Example,C=DE");
        let policy = policy("C = 'match'\nOU = 'match'\nO = 'supplied'\nL = 'optional'");
        assert_eq!(policy.to_string(), "C match, L optional, O supplied, OU match");
        let check = |subject| policy.check_subject(&own, &name(subject));
        assert_eq!(check("CN=d,OU=B,OU=A,O=Other,C=DE"), Ok(()));
        assert_eq!(check("CN=d,L=X,OU=B,OU=A,O=Other,C=DE"), Ok(()));
        let error = check("CN=d,OU=B,OU=A,O=Other,C=FR").unwrap_err().to_string();
        assert_eq!(
            error,
            "the policy of the CA line wants C \"DE\" as in its own subject, not \"FR\""
        );
        assert!(matches!(check("CN=d,OU=A,O=Other,C=DE"), Err(PolicyError::Differs { .. })));
        let error = check("CN=d,OU=B,OU=A,C=DE").unwrap_err().to_string();
        assert!(
            error.contains("wants O in the subject, and CN=d,OU=B,OU=A,C=DE has none"),
            "{error}"
        );
    }

    #[test]
    fn ids_fit_patterns_or_a_list() {
        let raw: RawPolicy = toml::from_str("ids = ['GW-*', 'SN00??']").unwrap();
        let list = "# these too\nspecial-1\n\n".to_owned();
        let policy = SigningPolicy::new("line", &raw, Some(list)).unwrap();
        let check = |id: &str| policy.check_id(&DeviceId::parse(id).unwrap());
        for good in ["GW-1", "GW-", "SN0042", "special-1"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["gw-1", "SN004", "SN00423", "special-2", "XGW-1"] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.ends_with("it signs GW-*, SN00??, the 1 id(s) of its list"), "{error}");
        }
    }

    #[test]
    fn unknown_fields_and_rules_are_refused() {
        let raw: RawPolicy = toml::from_str("X = 'match'").unwrap();
        assert!(SigningPolicy::new("line", &raw, None).unwrap_err().contains("\"X\""));
        assert!(toml::from_str::<RawPolicy>("C = 'sometimes'").is_err());
    }

    proptest! {
        #[test]
        fn patterns_agree_with_a_simple_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            fn slow(p: &[u8], t: &[u8]) -> bool {
                match (p, t) {
                    ([], []) => true,
                    ([b'*', rest @ ..], _) =>
                        slow(rest, t) || (!t.is_empty() && slow(p, &t[1..])),
                    ([c, p @ ..], [d, t @ ..]) => (*c == b'?' || c == d) && slow(p, t),
                    _ => false,
                }
            }
            prop_assert_eq!(fits(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
