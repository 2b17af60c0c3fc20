//! What stations need of the CAs besides keys: certificates, signing policies and the last lists of revocations. Only a
//! database has that table: a registry in a file belongs to one directory, which has all of it.
//!
//! The audit log tells of each change, by digests, so that a change by another way is noticed: in a row of its own, or in
//! that of the certificate which has changed it.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::database::{Session, Turn, Work};
use super::{Registry, Result};
use crate::crypto::{hex, sha256};

/// The action of an audit row that tells what stations get to know of CAs.
const PUBLISH: &str = "publish";

/// What a CA is for stations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedCa {
    /// Its name.
    pub(crate) name: String,
    /// The PEM of its certificate and of those above it.
    pub(crate) chain: String,
    /// The table of its signing policy; none if it has none. It counts for a CA that is new in the table.
    pub(crate) policy: Option<String>,
}

/// What the table has of a CA, by digests: SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptCa {
    pub(crate) name: String,
    pub(crate) chain: String,
    pub(crate) policy: Option<String>,
    /// The number of its last list; 0 if there is none.
    pub(crate) list: u64,
}

/// All of them, and what this user of the database may do with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeptCas {
    pub(crate) cas: Vec<KeptCa>,
    pub(crate) may_add: bool,
    pub(crate) may_change: bool,
}

impl KeptCas {
    pub(crate) fn get(&self, name: &str) -> Option<&KeptCa> {
        self.cas.iter().find(|kept| kept.name == name)
    }
}

/// What the audit log has told last of a CA.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) chain: String,
    pub(crate) policy: Option<String>,
    /// Number and digest of its last list.
    pub(crate) list: Option<(u64, String)>,
}

/// The digest of a text as the table and the audit log have it.
pub(crate) fn digest(text: impl AsRef<[u8]>) -> String {
    hex(&sha256(text.as_ref()))
}

impl Registry {
    /// What the database has of the CAs, in one question; nothing if the registry is a file.
    pub(crate) fn kept_cas(&self) -> Result<KeptCas> {
        let mut kept = KeptCas::default();
        if !self.is_shared() {
            return Ok(kept);
        }
        let sql = "SELECT c.name, encode(sha256(convert_to(c.chain, 'UTF8')), 'hex'),
                encode(sha256(convert_to(c.policy, 'UTF8')), 'hex'), coalesce(c.list_number, 0),
                has_any_column_privilege('ca', 'INSERT'), has_table_privilege('ca', 'UPDATE')
             FROM (SELECT 1) AS one LEFT JOIN ca AS c ON true ORDER BY c.name";
        self.session()?.each(sql, &[], |row| -> Result<()> {
            (kept.may_add, kept.may_change) = (row.get(4)?, row.get(5)?);
            if let Some(name) = row.get::<Option<String>>(0)? {
                let list = row.get::<i64>(3)?.cast_unsigned();
                let (chain, policy) = (row.get(1)?, row.get(2)?);
                kept.cas.push(KeptCa { name, chain, policy, list });
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// What the database has of a CA; none if there is none of that name.
    pub(crate) fn shared_ca(&self, name: &str) -> Result<Option<SharedCa>> {
        shared(&self.session()?, name)
    }

    /// The DER of the last list that the database has of a CA.
    pub(crate) fn shared_list(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT list FROM ca WHERE name = ?1 AND list IS NOT NULL";
        self.session()?.first(sql, values![name], |row| row.get(0))
    }

    /// Puts CAs there: new ones, or certificates in place of former ones.
    pub(crate) fn publish_cas(&self, cas: &[SharedCa], now: OffsetDateTime) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        if let Some(told) = put(&work, cas)? {
            work.append(now, PUBLISH, &serde_json::json!({ "cas": told }))?;
        }
        work.commit()
    }

    /// Puts the signing policy of a CA there, in place of the former one.
    pub(crate) fn publish_policy(
        &self,
        name: &str,
        policy: &str,
        now: OffsetDateTime,
    ) -> Result<()> {
        let work = self.begin(Turn::Alone)?;
        work.execute("UPDATE ca SET policy = ?2 WHERE name = ?1", values![name, policy])?;
        tell(&work, now, serde_json::json!({ "name": name, "policy": digest(policy) }))?;
        work.commit()
    }

    /// Puts the last list of a CA there, unless one with that number or a higher one is there. Whether it did.
    pub(crate) fn publish_list(
        &self,
        name: &str,
        (number, der): (u64, &[u8]),
        now: OffsetDateTime,
    ) -> Result<bool> {
        let work = self.begin(Turn::Alone)?;
        let values = values![name, number.cast_signed(), der];
        let done: bool = work.one("SELECT put_list(?1, ?2, ?3)", values, |row| row.get(0))?;
        if done {
            let one = serde_json::json!({
                "name": name, "list": number, "list_sha256": digest(der),
            });
            tell(&work, now, one)?;
            work.commit()?;
        }
        Ok(done)
    }

    /// What the audit log says of the CAs, by their present names.
    pub(crate) fn told_cas(&self) -> Result<BTreeMap<String, Told>> {
        let mut all: BTreeMap<String, Told> = BTreeMap::new();
        let sql = "SELECT detail FROM audit
             WHERE action = ?1 OR (action = 'issue' AND detail LIKE '%\"cas\":%') ORDER BY sequence";
        self.session()?.each(sql, values![PUBLISH], |row| -> Result<()> {
            let detail: serde_json::Value = serde_json::from_str(row.text(0)?).unwrap_or_default();
            for one in detail["cas"].as_array().into_iter().flatten() {
                let text = |key: &str| one[key].as_str().map(str::to_owned);
                if let Some(former) = one["from"].as_str() {
                    all.remove(former);
                }
                let told = all.entry(text("name").unwrap_or_default()).or_default();
                if let Some(chain) = text("chain") {
                    told.chain = chain;
                }
                if let Some(policy) = one.get("policy") {
                    told.policy = policy.as_str().map(str::to_owned);
                }
                if let (Some(number), Some(sha256)) = (one["list"].as_u64(), text("list_sha256")) {
                    told.list = Some((number, sha256));
                }
            }
            Ok(())
        })?;
        Ok(all)
    }
}

fn shared(session: &Session<'_>, name: &str) -> Result<Option<SharedCa>> {
    session.first("SELECT chain, policy FROM ca WHERE name = ?1", values![name], |row| {
        Ok(SharedCa { name: name.to_owned(), chain: row.get(0)?, policy: row.get(1)? })
    })
}

/// Puts CAs into the table; what the audit log is to say of it. Nothing if the registry is a file.
pub(super) fn put(work: &Work<'_>, cas: &[SharedCa]) -> Result<Option<serde_json::Value>> {
    if cas.is_empty() || !work.is_server() {
        return Ok(None);
    }
    let mut told = Vec::new();
    for ca in cas {
        let mut one = serde_json::json!({ "name": ca.name, "chain": digest(&ca.chain) });
        // A station may add one and not change one: which of both it is, is asked before.
        if work.exists("SELECT 1 FROM ca WHERE name = ?1", values![&ca.name])? {
            let sql = "UPDATE ca SET chain = ?2 WHERE name = ?1";
            work.execute(sql, values![&ca.name, &ca.chain])?;
        } else {
            let sql = "INSERT INTO ca (name, chain, policy) VALUES (?1, ?2, ?3)";
            work.execute(sql, values![&ca.name, &ca.chain, ca.policy.as_ref()])?;
            one["policy"] = ca.policy.as_ref().map(digest).into();
        }
        told.push(one);
    }
    Ok(Some(told.into()))
}

/// Gives a CA another name in the table.
pub(super) fn rename(work: &Work<'_>, from: &str, to: &str, now: OffsetDateTime) -> Result<()> {
    if !work.is_server()
        || work.execute("UPDATE ca SET name = ?2 WHERE name = ?1", values![from, to])? == 0
    {
        return Ok(());
    }
    let Some(ca) = shared(work, to)? else { return Ok(()) };
    let sql = "SELECT list_number, list FROM ca WHERE name = ?1 AND list IS NOT NULL";
    let list = work.first(sql, values![to], |row| {
        Ok((row.get::<i64>(0)?.cast_unsigned(), digest(row.blob(1)?)))
    })?;
    let mut one = serde_json::json!({
        "name": to, "from": from, "chain": digest(&ca.chain), "policy": ca.policy.as_ref().map(digest),
    });
    if let Some((number, sha256)) = list {
        one["list"] = number.into();
        one["list_sha256"] = sha256.into();
    }
    tell(work, now, one)
}

fn tell(work: &Work<'_>, now: OffsetDateTime, one: serde_json::Value) -> Result<()> {
    work.append(now, PUBLISH, &serde_json::json!({ "cas": [one] })).map(|_| ())
}
