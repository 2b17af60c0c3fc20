//! What the audit log tells: which rows were recorded, and how each certificate stands.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::findings::Checked;
use crate::crl::Reason;
use crate::crypto::hex;
use crate::registry::hashes::row_hash;
use crate::registry::query::moment;
use crate::registry::renames::{RENAME, Renames};
use crate::registry::{Registry, Result, Status};

/// How a certificate is known here: the first bytes of the SHA-256 of its DER. The whole would cost twice
/// the memory, and of so many bytes nobody finds two certificates alike by chance.
pub(super) type Print = [u8; 16];

/// What an `issue` row of the audit log says of the rows that it recorded.
pub(super) struct Batch {
    pub(super) sequence: i64,
    pub(super) count: i64,
    /// Digest of the rows.
    pub(super) rows: Option<[u8; 32]>,
    /// Digest of their DER alone, where version 1 wrote it.
    pub(super) ders: Option<[u8; 32]>,
}

/// The state that the audit log gives a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) status: Status,
    pub(super) revoked: Option<(i64, Reason)>,
}

impl State {
    pub(super) const LIVE: Self = Self { status: Status::Live, revoked: None };
}

/// What the audit log says.
#[derive(Default)]
pub(super) struct AuditLog {
    /// In the order of their numbers.
    pub(super) batches: Vec<Batch>,
    /// The row that tells of the migration from version 1, and the digest of the rows before it.
    pub(super) migrated: Option<(i64, String)>,
    pub(super) crl_numbers: BTreeMap<String, i64>,
    /// The names that CAs had before.
    pub(super) renames: Renames,
    /// The states that rows of the log gave.
    states: Vec<State>,
    /// Which certificate has which of them, by its position; the last counts.
    of: HashMap<Print, u32>,
}

impl AuditLog {
    /// Reads the audit log, and recomputes its hashes.
    pub(super) fn read(registry: &Registry, checked: &mut Checked) -> Result<Self> {
        let mut audit_log = Self::default();
        let (mut expected, mut previous) = (1, Vec::new());
        let sql = "SELECT sequence, at, action, detail, hash FROM audit ORDER BY sequence";
        registry.session()?.each(sql, values![], |row| -> Result<()> {
            let (sequence, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            // A row that names very many certificates is long: it is not copied.
            let (action, detail) = (row.text(2)?, row.text(3)?);
            let hash: Vec<u8> = row.get(4)?;
            if sequence != expected {
                let missing = match sequence - expected {
                    1 => format!("row {expected} of the audit log is missing"),
                    _ => {
                        format!("rows {expected} to {} of the audit log are missing", sequence - 1)
                    }
                };
                checked.note("audit", missing);
            } else if row_hash(&previous, sequence, at, action, detail).as_slice() != hash {
                let when = moment(at).date();
                checked.note(
                    "audit",
                    format!(
                        "row {sequence} of the audit log ({action}, {when}) was changed: its hash \
                         does not fit"
                    ),
                );
            }
            audit_log.take(sequence, action, detail);
            checked.audit_rows += 1;
            (expected, previous) = (sequence + 1, hash);
            Ok(())
        })?;
        checked.head = hex(&previous);
        Ok(audit_log)
    }

    fn take(&mut self, sequence: i64, action: &str, detail: &str) {
        // What cannot be read tells nothing; that the row was changed, its hash has told.
        let detail: Detail<'_> = serde_json::from_str(detail).unwrap_or_default();
        let state = match action {
            "issue" => {
                let count = match detail.certificates {
                    Certificates::Count(count) => count,
                    Certificates::Named(_) | Certificates::None => 0,
                };
                let digest = |text: Option<Cow<'_, str>>| text.map(|text| digest_of(&text));
                let (rows, ders) = (digest(detail.rows), digest(detail.sha256));
                self.batches.push(Batch { sequence, count, rows, ders });
                return;
            }
            "migrate" => {
                // Later ones changed no row, and say no digest.
                if let Some(rows) = detail.rows {
                    self.migrated = Some((sequence, rows.into_owned()));
                }
                return;
            }
            "crl" => {
                let ca = detail.ca.unwrap_or_default().into_owned();
                self.crl_numbers.insert(ca, detail.number.unwrap_or(0));
                return;
            }
            RENAME => {
                let (from, to) = (detail.from.unwrap_or_default(), detail.to.unwrap_or_default());
                self.renames.add(sequence, &from, &to);
                if let Some(number) = self.crl_numbers.remove(from.as_ref()) {
                    self.crl_numbers.insert(to.into_owned(), number);
                }
                return;
            }
            "supersede" => State { status: Status::Superseded, revoked: None },
            "revoke" => {
                let reason = Reason::of_name(&detail.reason.unwrap_or_default());
                let reason = reason.unwrap_or(Reason::Unspecified);
                let at = detail.revoked_at.unwrap_or(0);
                State { status: Status::Revoked, revoked: Some((at, reason)) }
            }
            _ => return,
        };
        let Certificates::Named(prints) = detail.certificates else { return };
        // Most rows of a kind say the same; there are less than 2^32 rows of the log in memory.
        if self.states.last() != Some(&state) {
            self.states.push(state);
        }
        let position = u32::try_from(self.states.len() - 1).unwrap_or(u32::MAX);
        self.of.extend(prints.into_iter().map(|print| (print, position)));
    }

    /// The state that the log gives a certificate.
    pub(super) fn state_of(&self, print: &Print) -> State {
        let position = self.of.get(print).and_then(|position| usize::try_from(*position).ok());
        position.and_then(|at| self.states.get(at)).copied().unwrap_or(State::LIVE)
    }

    /// The position of what the log says of a row's recording.
    pub(super) fn batch(&self, sequence: i64) -> Option<usize> {
        self.batches.binary_search_by_key(&sequence, |batch| batch.sequence).ok()
    }
}

/// What the details of a row say.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail<'a> {
    #[serde(borrow)]
    rows: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sha256: Option<Cow<'a, str>>,
    #[serde(borrow)]
    ca: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    number: Option<i64>,
    revoked_at: Option<i64>,
    certificates: Certificates,
}

/// How many certificates, or which: without a copy of the text that names them.
#[derive(Default)]
enum Certificates {
    #[default]
    None,
    Count(i64),
    Named(Vec<Print>),
}

impl<'de> Deserialize<'de> for Certificates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Certificates;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a list of certificates")
            }

            fn visit_i64<E>(self, count: i64) -> std::result::Result<Certificates, E> {
                Ok(Certificates::Count(count))
            }

            fn visit_u64<E>(self, count: u64) -> std::result::Result<Certificates, E> {
                Ok(Certificates::Count(i64::try_from(count).unwrap_or(i64::MAX)))
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> std::result::Result<Certificates, A::Error> {
                let mut prints = Vec::new();
                while let Some(named) = list.next_element::<Named<'de>>()? {
                    let digest = named.sha256.as_deref().map(digest_of).unwrap_or_default();
                    prints.push(print_of(&digest));
                }
                Ok(Certificates::Named(prints))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// How a row names a certificate.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    sha256: Option<Cow<'a, str>>,
    #[serde(default, rename = "serial")]
    _serial: IgnoredAny,
}

/// The first bytes of a SHA-256.
pub(super) fn print_of(digest: &[u8; 32]) -> Print {
    let mut print = Print::default();
    print.copy_from_slice(&digest[..16]);
    print
}

/// Reads a digest in hex; zeros, which nothing has, if it is none.
fn digest_of(text: &str) -> [u8; 32] {
    let nibble = |octet: u8| char::from(octet).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let read = || -> Option<[u8; 32]> {
        let bytes: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut digest = [0; 32];
        for (octet, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
            *octet = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(digest)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_the_log_counts() {
        let mut audit_log = AuditLog::default();
        let print = [0xab; 16];
        let named = format!("{{\"serial\":\"00\",\"sha256\":\"{}\"}}", "ab".repeat(32));
        assert_eq!(audit_log.state_of(&print), State::LIVE);
        audit_log.take(1, "supersede", &format!("{{\"certificates\":[{named}]}}"));
        assert_eq!(audit_log.state_of(&print).status, Status::Superseded);
        let detail = format!(
            "{{\"reason\":\"keyCompromise\",\"revoked_at\":7,\"certificates\":[{named}],\"new\":1}}"
        );
        audit_log.take(2, "revoke", &detail);
        let revoked = Some((7, Reason::KeyCompromise));
        assert_eq!(audit_log.state_of(&print), State { status: Status::Revoked, revoked });
    }

    #[test]
    fn what_is_no_digest_is_nobodys() {
        assert_eq!(digest_of(&"0f".repeat(32)), [0x0f; 32]);
        for none in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"ä".repeat(32)] {
            assert_eq!(digest_of(none), [0; 32], "{none}");
        }
        let mut audit_log = AuditLog::default();
        for broken in ["", "[]", "{\"certificates\":\"x\"}", "{\"certificates\":[1]}"] {
            audit_log.take(1, "revoke", broken);
        }
        assert!(audit_log.of.is_empty());
    }
}
