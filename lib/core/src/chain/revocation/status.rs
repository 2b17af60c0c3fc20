//! What all lists together say of one certificate.

use super::fault::{self, Fault, called};
use super::group::{Candidate, Group};
use super::scope::{cover, is_direct, is_named};
use super::session::{Examined, Session, Signer, Status};
use super::{ListUse, Lookup};
use crate::cert::{Certificate, Reasons};
use crate::chain::MAX_SIGNATURE_CHECKS;
use crate::chain::refusal::Refusal;
use crate::chain::rule::Rule;
use crate::crl::Crl;

impl<'a> Session<'a> {
    /// Whether another CA is known to have made the list, one that has the issuer's name and is not in the
    /// path.
    fn is_of_namesake(&mut self, index: usize, list: &Crl) -> bool {
        let path = self.path;
        let is_own = |other: &Certificate| path.iter().any(|cert| cert.spki == other.spki);
        let others = self.lists.known.iter();
        others
            .filter(|other| other.subject.matches(&list.issuer) && !is_own(other))
            .any(|other| self.has_signed(index, other))
    }

    /// How the first certificate of `path`, each followed by its issuer, stands. `below` are the
    /// certificates for whose sake that is asked.
    pub(super) fn examine(&mut self, path: &[Certificate], below: &[&Certificate]) -> Examined {
        let unknown = |problem: &str| Examined {
            status: Status::Unknown(problem.to_owned()),
            warnings: Vec::new(),
        };
        let Some(cert) = path.first() else { return unknown("there is no certificate") };
        let points = match cert.distribution_points() {
            Ok(points) => points.unwrap_or_default(),
            Err(_) => return unknown("its cRLDistributionPoints cannot be read"),
        };
        let mut group = Group { all: Vec::new() };
        let mut problem = None;
        for (index, list) in self.lists.all.iter().enumerate() {
            if !is_named(list, cert, &points) {
                continue;
            }
            if is_direct(list, cert) && self.is_of_namesake(index, list) {
                self.note_unused(index, "another CA of that name has made it");
                continue;
            }
            let name = called(list, cert);
            let (signer, circular) = match self.find_signer(index, list, path, below) {
                Signer::Good(signer) => (signer, false),
                Signer::Circular(signer) => (signer, true),
                Signer::Refused(why) => {
                    problem = Some(format!("{name} cannot be used: {why}"));
                    self.note_unused(index, &why);
                    continue;
                }
                Signer::Nobody if self.gave_up => {
                    let why = format!(
                        "more than {MAX_SIGNATURE_CHECKS} signatures of lists would have to be checked"
                    );
                    self.note_unused(index, &why);
                    problem = Some(why);
                    continue;
                }
                Signer::Nobody => {
                    problem = Some(format!("the signature of {name} does not match its key"));
                    self.note_unused(index, "its signature does not match the issuer's key");
                    continue;
                }
            };
            let fault = fault::find(list, &name, signer, self.at);
            let (cover, signer) = (cover(list, cert, &points), signer.spki.clone());
            group.all.push(Candidate { index, list, name, signer, circular, cover, fault });
        }
        self.conclude(&group, cert, problem)
    }

    fn conclude(
        &mut self,
        group: &Group<'a>,
        cert: &Certificate,
        problem: Option<String>,
    ) -> Examined {
        let problems: Vec<Option<String>> = group.all.iter().map(|c| group.problem(c)).collect();
        for (candidate, problem) in group.all.iter().zip(&problems) {
            self.note_candidate(group, candidate, problem.as_deref());
        }
        let in_force: Vec<usize> = group.in_force().map(|c| c.index).collect();
        for index in in_force {
            self.note_used(index);
        }
        let warnings = group.in_force().flat_map(broken_duties).collect();
        if let Some((entry, candidate)) = group.find_revoked(cert) {
            self.note_used(candidate.index);
            let status = Status::Revoked { at: entry.at, reason: entry.reason.name() };
            return Examined { status, warnings };
        }
        let covered = group.covered();
        let status = match problem.or_else(|| problems.into_iter().flatten().next()) {
            Some(problem) => Status::Unknown(problem),
            None if covered == Reasons::ALL => Status::Good,
            None if covered.is_empty() => nothing_said(group),
            None => {
                let names: Vec<&str> = covered.names().collect();
                let names = names.join(", ");
                Status::Unknown(format!("the given lists are for some reasons only: {names}"))
            }
        };
        Examined { status, warnings }
    }

    /// Why a list that may have a say about a certificate has none.
    fn note_candidate(
        &mut self,
        group: &Group<'a>,
        candidate: &Candidate<'a>,
        problem: Option<&str>,
    ) {
        let index = candidate.index;
        if let Some(problem) = problem {
            self.note_unused(index, problem);
        } else if let Err(why) = candidate.cover {
            self.note_unused(index, &format!("it {why}"));
        } else if candidate.circular {
            self.note_unused(index, "the certificate in question has signed it itself");
        } else if matches!(candidate.fault, Some(Fault::RunOut(_))) || group.is_replaced(candidate)
        {
            self.note_unused(index, "a later list of its issuer replaces it");
        } else {
            self.note_unused(index, "another list of its issuer says the same or more");
        }
    }

    fn note_used(&mut self, index: usize) {
        if let Some(used) = self.used.get_mut(index) {
            *used = true;
        }
    }

    fn note_unused(&mut self, index: usize, why: &str) {
        if let Some(unused) = self.unused.get_mut(index) {
            unused.get_or_insert_with(|| why.to_owned());
        }
    }

    pub(super) fn warn(&mut self, warnings: impl Iterator<Item = Refusal>) {
        self.warnings.extend(warnings);
    }

    /// Why there is no list for the leaf.
    pub(super) fn none(&self) -> String {
        let of_leaf = self.lists.all.iter().zip(&self.unused);
        let said: Vec<String> = of_leaf
            .map(|(list, unused)| match unused {
                Some(why) => format!("{} ({why})", list.issuer),
                None => list.issuer.to_string(),
            })
            .collect();
        format!("the lists given are of {}", said.join("; "))
    }

    pub(super) fn into_lookup(self, refusal: Option<Refusal>) -> Lookup<'a> {
        let foreign = || "no issuer in the path has made it".to_owned();
        let uses = self.lists.all.iter().zip(self.used).zip(self.unused);
        let lists = uses.map(|((list, used), unused)| ListUse {
            list,
            unused: if used { None } else { Some(unused.unwrap_or_else(foreign)) },
        });
        Lookup { refusal, warnings: self.warnings, lists: lists.collect() }
    }
}

/// No list is for the certificate. If there are lists of its issuer, that is not as if there were none: its
/// own is missing.
fn nothing_said(group: &Group<'_>) -> Status {
    let not_for_it = |c: &Candidate<'_>| c.cover.err().map(|why| format!("{} {why}", c.name));
    match group.all.iter().filter(|c| !c.circular).find_map(not_for_it) {
        Some(why) => Status::Unknown(why),
        None => Status::NoList,
    }
}

/// The duties of issuers that a list in force breaks.
fn broken_duties(candidate: &Candidate<'_>) -> Vec<Rule> {
    let list = candidate.list;
    let issuer = || Box::new(list.issuer.clone());
    let name = || match &list.number {
        Some(number) => format!("the list {}", number.to_decimal()),
        None => "the list".to_owned(),
    };
    let no_next = list.next_update.is_none();
    let next = no_next.then(|| Rule::NoNextUpdate { issuer: issuer(), list: name() });
    let parameters = list.odd_signature_parameters.map(|what| Rule::ListSignatureParameters {
        issuer: issuer(),
        list: name(),
        what,
    });
    let number = list.number.is_none().then(|| Rule::ListNumberMissing { issuer: issuer() });
    next.into_iter().chain(parameters).chain(number).collect()
}
