//! One lookup: its lists, what was found out so far, and the words of its answers.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::Lists;
use crate::cert::Certificate;
use crate::chain::MAX_SIGNATURE_CHECKS;
use crate::chain::refusal::Refusal;
use crate::chain::rule::Rule;

/// How a certificate stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// Lists that are for it do not have it, for all reasons.
    Good,
    /// A list has it.
    Revoked { at: OffsetDateTime, reason: &'static str },
    /// A list that is for it does not count, or some reasons are left open.
    Unknown(String),
    /// No list is for it.
    NoList,
}

/// A status, and the duties of issuers that its lists break.
pub(super) struct Examined {
    pub(super) status: Status,
    pub(super) warnings: Vec<Rule>,
}

/// One lookup: what is at hand, and what was found out.
pub(super) struct Session<'a> {
    pub(super) lists: Lists<'a>,
    pub(super) path: &'a [Certificate],
    pub(super) at: OffsetDateTime,
    /// Signatures of lists that were checked, by the list's place and the key.
    pub(super) signatures: HashMap<(usize, &'a [u8]), bool>,
    /// Whether there were more than are checked.
    pub(super) gave_up: bool,
    /// How many paths of signers were looked for.
    pub(super) paths: usize,
    pub(super) used: Vec<bool>,
    /// Why a list was not used, by the first certificate for which that was asked.
    pub(super) unused: Vec<Option<String>>,
    pub(super) warnings: Vec<Refusal>,
}

/// Whose signature a list bears.
pub(super) enum Signer<'a> {
    /// A certificate with a good path.
    Good(&'a Certificate),
    /// The very certificate that is in question, or one below it.
    Circular(&'a Certificate),
    /// A certificate that may not be used, and why.
    Refused(String),
    /// None that is at hand.
    Nobody,
}

impl<'a> Session<'a> {
    pub(super) fn new(path: &'a [Certificate], lists: &Lists<'a>, at: OffsetDateTime) -> Self {
        let count = lists.all.len();
        Self {
            lists: *lists,
            path,
            at,
            signatures: HashMap::new(),
            gave_up: false,
            paths: 0,
            used: vec![false; count],
            unused: vec![None; count],
            warnings: Vec::new(),
        }
    }

    pub(super) fn anchor(&self) -> &'a [Certificate] {
        self.path.get(self.path.len().saturating_sub(1)..).unwrap_or_default()
    }

    /// Where the signer of a list may be: the certificates of the path, then the others.
    pub(super) fn signers(&self) -> impl Iterator<Item = &'a Certificate> + use<'a> {
        self.path.iter().chain(self.lists.signers)
    }

    /// Whether that key has signed the list, as far as that was looked at: [`MAX_SIGNATURE_CHECKS`] bounds it.
    pub(super) fn has_signed(&mut self, index: usize, signer: &'a Certificate) -> bool {
        let key = (index, signer.spki.as_slice());
        if let Some(known) = self.signatures.get(&key) {
            return *known;
        }
        let most = usize::try_from(MAX_SIGNATURE_CHECKS).unwrap_or(usize::MAX);
        if self.signatures.len() >= most {
            self.gave_up = true;
            return false;
        }
        let Some(list) = self.lists.all.get(index) else { return false };
        let signed = signer.public_key.as_ref().is_ok_and(|key| list.verify_signature(key).is_ok());
        self.signatures.insert(key, signed);
        signed
    }
}
