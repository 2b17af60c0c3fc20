//! One row of a plan.

use std::path::PathBuf;

use serde::Serialize;

/// How many ids a finding names.
const MOST_IDS: usize = 100;

/// How a thing stands between the file and what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// It is in the file, and not there yet.
    Missing,
    /// It is there, and not as the file wants it.
    Differs,
    /// It is there, and no longer in the file.
    Unlisted,
    /// It was looked at, and is as the file wants it.
    InPlace,
    /// It was not looked at.
    NotLookedAt,
}

impl Sign {
    /// The character that stands for it: `+ ~ - = ?`.
    pub fn character(self) -> char {
        match self {
            Self::Missing => '+',
            Self::Differs => '~',
            Self::Unlisted => '-',
            Self::InPlace => '=',
            Self::NotLookedAt => '?',
        }
    }

    /// Whether file and reality are different.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Missing | Self::Differs | Self::Unlisted)
    }
}

/// What would make a thing as the file wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Remedy {
    /// The rollout does it without being asked for it.
    Apply,
    /// The rollout issues these devices again, if it is allowed to.
    Replace,
    /// The rollout revokes and withdraws these devices, if it is allowed to.
    Prune,
    /// The CA is renewed for so many days.
    RenewCa {
        /// Its name.
        ca: String,
        /// Days.
        days: u32,
    },
    /// Nothing: a CA cannot be changed. A new one needs another name and subject.
    NewCa {
        /// The CA that is there.
        ca: String,
    },
    /// The chains in this directory are rewritten.
    Refresh {
        /// The directory of devices.
        out: PathBuf,
    },
    /// The directories of devices are moved.
    Move {
        /// Where they are.
        from: PathBuf,
        /// Where the file wants them.
        to: PathBuf,
    },
    /// The CA's certificate is removed from the tenant.
    Distrust {
        /// The file of the certificate.
        certificate: PathBuf,
    },
    /// Other users are kept from this file, or from all files of this directory.
    Protect {
        /// The file or directory.
        path: PathBuf,
    },
    /// The tenant is sent what was revoked.
    SendRevocations,
    /// The devices were revoked: they are taken off the list, or the rollout issues them again, if it is allowed to.
    IssueRevoked,
    /// Nothing: it is not of this file any more, or never was, and stays. It is told, and is nothing to do.
    Stays,
}

/// One row of a plan: a key of the file, and how what is there compares with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub sign: Sign,
    /// The key of the file, for example `devices.days`.
    pub key: String,
    /// What it is about: a CA, a file, a directory, a tenant.
    pub name: String,
    /// What is there.
    pub old: Option<String>,
    /// What the file wants.
    pub new: Option<String>,
    /// More about it, in words.
    pub detail: String,
    /// How many devices it is about; 0 if it is about none.
    pub devices: usize,
    /// The first 100 of them.
    pub ids: Vec<String>,
    /// What would make it as the file wants it.
    pub remedy: Option<Remedy>,
}

impl Finding {
    /// A row without values.
    pub(in crate::rollout) fn new(
        sign: Sign,
        key: impl Into<String>,
        name: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            sign,
            key: key.into(),
            name: name.into(),
            old: None,
            new: None,
            detail: detail.into(),
            devices: 0,
            ids: Vec::new(),
            remedy: None,
        }
    }

    /// The same with what is there and what is wanted.
    pub(in crate::rollout) fn values(
        self,
        old: impl Into<Option<String>>,
        new: impl Into<Option<String>>,
    ) -> Self {
        Self { old: old.into(), new: new.into(), ..self }
    }

    /// The same with what would apply it.
    pub(in crate::rollout) fn by(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    /// The same about one device more.
    pub(in crate::rollout) fn count(&mut self, id: &str) {
        self.devices += 1;
        if self.ids.len() < MOST_IDS {
            self.ids.push(id.to_owned());
        }
    }

    /// Whether there is something to do, for a rollout or for its user.
    pub fn is_change(&self) -> bool {
        self.sign.is_change() && self.remedy != Some(Remedy::Stays)
    }

    /// Whether this run of a rollout leaves it as it is, unless it is allowed more.
    pub fn is_left(&self) -> bool {
        self.is_change() && self.remedy != Some(Remedy::Apply)
    }
}
