//! Lists for the same: of one issuer, with one issuingDistributionPoint. Among them are one that is in
//! force, and the delta lists that change it.

use super::fault::{self, Fault, size};
use crate::cert::{Certificate, Reasons, Serial};
use crate::crl::{Crl, Reason, Revoked};

/// A list that is for the certificate in question, or says that it is revoked.
pub(super) struct Candidate<'a> {
    /// Its place among all lists.
    pub(super) index: usize,
    pub(super) list: &'a Crl,
    /// What it is called in a sentence.
    pub(super) name: String,
    /// Whose key has signed it.
    pub(super) signer: Vec<u8>,
    /// It is for the certificate of the very key that has signed it, so that it cannot clear it.
    pub(super) circular: bool,
    /// For which reasons it has the certificate in it, or why it has not.
    pub(super) cover: Result<Reasons, &'static str>,
    pub(super) fault: Option<Fault>,
}

impl Candidate<'_> {
    fn counts(&self) -> bool {
        self.fault.is_none() && self.cover.is_ok() && !self.circular
    }

    fn is_for_the_same(&self, other: &Self) -> bool {
        let scope =
            |c: &Self| c.list.scope.as_ref().ok().and_then(Option::as_ref).map(|s| s.der.clone());
        self.list.issuer.matches(&other.list.issuer) && scope(self) == scope(other)
    }

    fn is_later(&self, other: &Self) -> bool {
        self.list.this_update > other.list.this_update
    }

    /// Its entries about the certificate. A number may stand in it twice.
    fn entries<'s>(&'s self, cert: &'s Certificate) -> impl Iterator<Item = &'s Revoked> {
        let own = self.list.issuer.matches(&cert.issuer).then_some(&self.list.revoked);
        let of_others = self.list.others.iter();
        let others = of_others.filter(|o| o.issuer.iter().any(|n| n.is_directory(&cert.issuer)));
        let all = own.into_iter().chain(others.map(|o| &o.revoked)).flatten();
        all.filter(|entry| entry.serial == cert.serial)
    }

    fn removes(&self, cert: &Certificate) -> bool {
        let has = |removed: &Vec<Serial>| removed.contains(&cert.serial);
        let others = self.list.others.iter();
        let mut others =
            others.filter(|o| o.issuer.iter().any(|name| name.is_directory(&cert.issuer)));
        (self.list.issuer.matches(&cert.issuer) && has(&self.list.removed))
            || others.any(|o| has(&o.removed))
    }
}

/// All lists that may have a say about one certificate.
pub(super) struct Group<'a> {
    pub(super) all: Vec<Candidate<'a>>,
}

impl<'a> Group<'a> {
    /// The list in force among the complete ones for the same as `like`: the latest that counts.
    fn present(&self, like: &Candidate<'a>) -> Option<&Candidate<'a>> {
        let same = self.all.iter().filter(|c| c.list.base.is_none() && c.is_for_the_same(like));
        same.filter(|c| c.counts()).max_by_key(|c| c.list.this_update)
    }

    /// The list that a delta list changes: the latest that counts among those for the same that its own key
    /// has signed (6.3.3 (h)).
    fn changed_by(&self, delta: &Candidate<'a>) -> Option<&Candidate<'a>> {
        let same = self.all.iter().filter(|c| c.list.base.is_none() && c.is_for_the_same(delta));
        let own = same.filter(|c| c.counts() && c.signer == delta.signer);
        own.max_by_key(|c| c.list.this_update)
    }

    /// Whether a delta list is newer than the list that it changes, and can be applied to it.
    fn applies(&self, delta: &Candidate<'a>) -> bool {
        let present = self.changed_by(delta);
        let newer =
            present.is_some_and(|present| match (&present.list.number, &delta.list.number) {
                (Some(present), Some(delta)) => size(present) < size(delta),
                _ => present.list.this_update <= delta.list.this_update,
            });
        delta.counts()
            && newer
            && fault::find_of_delta(delta.list, "", present.map(|p| p.list)).is_none()
    }

    /// Whether an entry of that list has ended: only a hold does.
    fn has_ended(&self, entry: &Revoked, of: &Candidate<'a>, cert: &Certificate) -> bool {
        if entry.reason != Reason::CertificateHold {
            return false;
        }
        let replaced = match of.list.base {
            None => self.present(of).is_some_and(|present| present.is_later(of)),
            // The list that a delta list changes may have come to know it all.
            Some(_) => of.fault.is_none() && !self.applies(of) && self.changed_by(of).is_some(),
        };
        let lifted = |c: &&Candidate<'a>| {
            c.list.base.is_some()
                && c.is_for_the_same(of)
                && (c.is_later(of) || of.list.base.is_none())
                && self.applies(c)
                && c.removes(cert)
        };
        replaced || self.all.iter().any(|c| lifted(&c))
    }

    /// The first entry that revokes the certificate, and the list that has it. A list that has run out still
    /// knows what it knows.
    pub(super) fn find_revoked<'s>(
        &'s self,
        cert: &'s Certificate,
    ) -> Option<(&'s Revoked, &'s Candidate<'a>)> {
        let known = self.all.iter().filter(|c| !matches!(c.fault, Some(Fault::Unfit(_))));
        known
            .flat_map(|c| c.entries(cert).map(move |entry| (entry, c)))
            .find(|(entry, c)| !self.has_ended(entry, c, cert))
    }

    /// What keeps a list that is for the certificate from counting, if that matters.
    pub(super) fn problem(&self, candidate: &Candidate<'a>) -> Option<String> {
        if candidate.circular || (candidate.cover.is_err() && candidate.list.scope.is_ok()) {
            return None;
        }
        let of_delta = || {
            let present = self.changed_by(candidate).map(|present| present.list);
            fault::find_of_delta(candidate.list, &candidate.name, present)
        };
        match &candidate.fault {
            Some(Fault::RunOut(_)) if self.is_replaced(candidate) => None,
            Some(fault) => Some(fault.sentence().to_owned()),
            None => of_delta(),
        }
    }

    /// Whether a later list for the same counts.
    pub(super) fn is_replaced(&self, candidate: &Candidate<'a>) -> bool {
        let is_delta = candidate.list.base.is_some();
        let later = self
            .all
            .iter()
            .filter(|c| c.is_for_the_same(candidate) && c.is_later(candidate) && c.counts());
        let mut kinds = later.map(|c| c.list.base.is_some());
        kinds.any(|delta| is_delta || !delta)
    }

    /// The reasons for which lists that count have the certificate in them.
    pub(super) fn covered(&self) -> Reasons {
        let complete = self.all.iter().filter(|c| c.list.base.is_none() && c.counts());
        complete.filter_map(|c| c.cover.ok()).fold(Reasons::NONE, Reasons::or)
    }

    /// The lists that decide: those in force, and the delta lists that are applied.
    pub(super) fn in_force(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.all.iter().filter(|c| match c.list.base {
            Some(_) => self.applies(c),
            None => self.present(c).is_some_and(|present| present.index == c.index),
        })
    }
}
