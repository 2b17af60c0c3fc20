//! A heap of certificates put in order: the leaf first, each followed by its issuer.
//!
//! Two certificates belong together when the names match (RFC 5280, 7.1) and the issuer's key made
//! the signature. Whether the chain may be trusted is for [`verify`](super::verify) to say. Where
//! a choice would be a guess, it is left to the caller.

use std::collections::{HashMap, HashSet};

use serde::ser::SerializeStruct;

use super::ChainError;
use super::budget::Budget;
use crate::cert::Certificate;
use crate::crypto::{CryptoError, PublicKey};
use crate::name::Name;

/// Most candidates that an error names.
const MAX_NAMED: usize = 10;

/// Which certificate of a heap comes first.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum LeafChoice<'a> {
    /// The one that issued none of the others. Among several, end entities come before CAs, and
    /// certificates whose issuer is in the heap before others.
    Only,
    /// The one whose subject has this Common Name.
    CommonName(&'a str),
    /// The one that holds this public key.
    PublicKey(&'a PublicKey),
}

/// A chain in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderedChain {
    /// The leaf, then each certificate's issuer, as far as the heap reaches.
    pub certificates: Vec<Certificate>,
    /// The issuer that the last certificate names and that is not in the heap; none when the chain
    /// ends in a self-signed certificate.
    pub missing_issuer: Option<Name>,
    /// Certificates of the heap that have no part in the chain.
    pub unrelated: Vec<Certificate>,
}

impl serde::Serialize for OrderedChain {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let subjects = |certs: &[Certificate]| -> Vec<String> {
            certs.iter().map(|c| c.subject.to_string()).collect()
        };
        let mut out = serializer.serialize_struct("OrderedChain", 3)?;
        out.serialize_field("certificates", &subjects(&self.certificates))?;
        out.serialize_field("missing_issuer", &self.missing_issuer)?;
        out.serialize_field("unrelated", &subjects(&self.unrelated))?;
        out.end()
    }
}

/// Puts certificates in order, whatever their order; duplicates count once.
///
/// Errors: [`ChainError::Empty`]; [`ChainError::AmbiguousLeaf`], [`ChainError::NoLeaf`] and
/// [`ChainError::LeafNotFound`] when the first certificate is in doubt;
/// [`ChainError::AmbiguousIssuer`] when several certificates could follow and none of them is
/// self-signed, which would end the chain; [`ChainError::BudgetExceeded`].
pub fn order(heap: &[Certificate], choice: LeafChoice<'_>) -> Result<OrderedChain, ChainError> {
    if heap.is_empty() {
        return Err(ChainError::Empty);
    }
    let mut heap = Heap::new(heap);
    let leaf = heap.leaf(choice)?;
    let mut chain = vec![leaf];
    let mut last = leaf;
    let missing_issuer = loop {
        if heap.is_self_signed(last)? {
            break None;
        }
        match heap.next(last, &chain)? {
            Some(issuer) => {
                chain.push(issuer);
                last = issuer;
            }
            None => break Some(heap.certs[last].issuer.clone()),
        }
    };
    let unused = (0..heap.certs.len()).filter(|i| !chain.contains(i));
    Ok(OrderedChain {
        unrelated: unused.map(|i| heap.certs[i].clone()).collect(),
        certificates: chain.iter().map(|i| heap.certs[*i].clone()).collect(),
        missing_issuer,
    })
}

struct Heap<'a> {
    certs: Vec<&'a Certificate>,
    by_subject: HashMap<String, Vec<usize>>,
    issued: HashMap<(usize, usize), bool>,
    budget: Budget,
}

impl<'a> Heap<'a> {
    fn new(heap: &'a [Certificate]) -> Self {
        let mut seen = HashSet::new();
        let certs: Vec<_> = heap.iter().filter(|c| seen.insert(c.der())).collect();
        let mut by_subject: HashMap<_, Vec<usize>> = HashMap::new();
        for (i, cert) in certs.iter().enumerate() {
            by_subject.entry(cert.subject.index_key()).or_default().push(i);
        }
        Self { certs, by_subject, issued: HashMap::new(), budget: Budget::new() }
    }

    fn leaf(&mut self, choice: LeafChoice<'_>) -> Result<usize, ChainError> {
        let all = 0..self.certs.len();
        let (candidates, wanted): (Vec<usize>, _) = match choice {
            LeafChoice::Only => (self.likeliest_leaves()?, None),
            LeafChoice::CommonName(cn) => (
                all.filter(|i| self.certs[*i].subject.common_name() == Some(cn)).collect(),
                Some(format!("the common name {cn:?}")),
            ),
            LeafChoice::PublicKey(key) => (
                all.filter(|i| self.certs[*i].public_key.as_ref() == Ok(key)).collect(),
                Some("that public key".to_owned()),
            ),
        };
        match (candidates.as_slice(), wanted) {
            ([leaf], _) => Ok(*leaf),
            ([], None) => Err(ChainError::NoLeaf),
            ([], Some(wanted)) => Err(ChainError::LeafNotFound(wanted)),
            (several, _) => Err(ChainError::AmbiguousLeaf(self.describe(several))),
        }
    }

    /// The certificates that issued no other one, of the likeliest kind that there is.
    fn likeliest_leaves(&mut self) -> Result<Vec<usize>, ChainError> {
        let mut has_issued = vec![false; self.certs.len()];
        let mut has_issuer = vec![false; self.certs.len()];
        for (child, has_issuer) in has_issuer.iter_mut().enumerate() {
            for issuer in self.issuers(child)?.into_iter().filter(|i| *i != child) {
                has_issued[issuer] = true;
                *has_issuer = true;
            }
        }
        let kind = |i: &usize| (self.certs[*i].is_ca(), !has_issuer[*i]);
        let idle: Vec<usize> = (0..self.certs.len()).filter(|i| !has_issued[*i]).collect();
        let likeliest = idle.iter().map(kind).min();
        Ok(idle.into_iter().filter(|i| Some(kind(i)) == likeliest).collect())
    }

    fn next(&mut self, child: usize, chain: &[usize]) -> Result<Option<usize>, ChainError> {
        let mut found = self.issuers(child)?;
        found.retain(|i| !chain.contains(i));
        if found.len() > 1 {
            let mut roots = Vec::new();
            for issuer in &found {
                if self.is_self_signed(*issuer)? {
                    roots.push(*issuer);
                }
            }
            if let [root] = roots[..] {
                return Ok(Some(root));
            }
            let (subject, issuers) = (self.certs[child].subject.clone(), self.describe(&found));
            return Err(ChainError::AmbiguousIssuer { subject, issuers });
        }
        Ok(found.first().copied())
    }

    /// The certificates whose name and key fit, itself included when it is self-signed.
    fn issuers(&mut self, child: usize) -> Result<Vec<usize>, ChainError> {
        let key = self.certs[child].issuer.index_key();
        let mut found = Vec::new();
        for issuer in self.by_subject.get(&key).cloned().unwrap_or_default() {
            if self.has_issued(issuer, child)? {
                found.push(issuer);
            }
        }
        Ok(found)
    }

    fn is_self_signed(&mut self, index: usize) -> Result<bool, ChainError> {
        Ok(self.certs[index].is_self_issued() && self.has_issued(index, index)?)
    }

    fn has_issued(&mut self, issuer: usize, child: usize) -> Result<bool, ChainError> {
        if let Some(known) = self.issued.get(&(issuer, child)) {
            return Ok(*known);
        }
        self.budget.signature()?;
        let (issuer_cert, cert) = (self.certs[issuer], self.certs[child]);
        let key = issuer_cert.public_key.as_ref().map_err(Clone::clone);
        let fits = match key.and_then(|key| cert.verify_signature(key)) {
            Ok(()) => true,
            Err(CryptoError::BadSignature) => false,
            // A signature that cannot be checked is refused later; the key identifiers tell where
            // it belongs.
            Err(_) => match (&cert.authority_key_id, &issuer_cert.subject_key_id) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => true,
            },
        };
        self.issued.insert((issuer, child), fits);
        Ok(fits)
    }

    fn describe(&self, indices: &[usize]) -> Vec<String> {
        let one = |i: &usize| {
            let cert = self.certs[*i];
            format!("{} (serial number {})", cert.subject, cert.serial)
        };
        let mut named: Vec<String> = indices.iter().take(MAX_NAMED).map(one).collect();
        if indices.len() > MAX_NAMED {
            named.push(format!("and {} more", indices.len() - MAX_NAMED));
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Signed, new_key};
    use super::*;
    use crate::failure::Failure;

    fn subjects(certs: &[Certificate]) -> Vec<String> {
        certs.iter().map(|c| c.subject.to_string()).collect()
    }

    #[test]
    fn any_heap_becomes_a_chain() {
        let root = Signed::root("CN=Root", |_| {});
        let a = root.ca("CN=A", |_| {});
        let b = a.ca("CN=B", |_| {});
        let stranger = Signed::root("CN=Stranger", |_| {}).cert;
        let leaf = b.leaf();
        let mut heap = vec![
            root.cert.clone(),
            b.cert.clone(),
            stranger.clone(),
            a.cert.clone(),
            leaf.clone(),
            b.cert.clone(),
        ];
        let expected = [leaf, b.cert, a.cert, root.cert];
        for _ in 0..heap.len() {
            heap.rotate_left(1);
            let chain = order(&heap, LeafChoice::Only).unwrap();
            assert_eq!(chain.certificates, expected);
            assert_eq!(chain.missing_issuer, None);
            assert_eq!(chain.unrelated, std::slice::from_ref(&stranger));
        }
    }

    #[test]
    fn what_is_missing_from_the_chain_is_named() {
        let root = Signed::root("CN=Root", |_| {});
        let a = root.ca("CN=A", |_| {});
        let leaf = a.leaf();
        let chain = order(&[root.cert.clone(), leaf.clone()], LeafChoice::Only).unwrap();
        assert_eq!(subjects(&chain.certificates), ["CN=device-1"]);
        assert_eq!(chain.missing_issuer.unwrap().to_string(), "CN=A");
        let chain = order(&[a.cert, leaf], LeafChoice::Only).unwrap();
        assert_eq!(chain.missing_issuer.unwrap().to_string(), "CN=Root");
        assert_eq!(order(&[], LeafChoice::Only), Err(ChainError::Empty));
    }

    #[test]
    fn the_first_of_a_chain_can_be_chosen() {
        let root = Signed::root("CN=Root", |_| {});
        let (one, two) = (root.device("CN=one", |_| {}), root.device("CN=two", |_| {}));
        let heap = [two.clone(), root.cert.clone(), one.clone()];
        let error = order(&heap, LeafChoice::Only).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("CN=one") && text.contains("CN=two"), "{text}");
        assert!(error.hint().is_some());
        let by_name = order(&heap, LeafChoice::CommonName("one")).unwrap();
        assert_eq!(subjects(&by_name.certificates), ["CN=one", "CN=Root"]);
        assert_eq!(subjects(&by_name.unrelated), ["CN=two"]);
        let key = two.public_key.clone().unwrap();
        let by_key = order(&heap, LeafChoice::PublicKey(&key)).unwrap();
        assert_eq!(subjects(&by_key.certificates), ["CN=two", "CN=Root"]);
        let error = order(&heap, LeafChoice::CommonName("three")).unwrap_err();
        assert_eq!(error, ChainError::LeafNotFound("the common name \"three\"".to_owned()));
    }

    #[test]
    fn a_chain_of_cas_starts_with_the_lowest() {
        let root = Signed::root("CN=Root", |_| {});
        let a = root.ca("CN=A", |_| {});
        let stranger = Signed::root("CN=Stranger", |_| {});
        let heap = [root.cert.clone(), stranger.cert, a.cert];
        let chain = order(&heap, LeafChoice::Only).unwrap();
        assert_eq!(subjects(&chain.certificates), ["CN=A", "CN=Root"]);
        let alone = order(&[root.cert], LeafChoice::Only).unwrap();
        assert_eq!(subjects(&alone.certificates), ["CN=Root"]);
    }

    #[test]
    fn doubtful_issuers_of_a_chain_are_named_and_roots_preferred() {
        let root = Signed::root("CN=Root", |_| {});
        let other = Signed::root("CN=Other", |_| {});
        let a = root.ca("CN=A", |_| {});
        let crossed = other.cross_sign(&a);
        let heap = [a.leaf(), a.cert.clone(), crossed.cert, root.cert.clone(), other.cert.clone()];
        let error = order(&heap, LeafChoice::Only).unwrap_err();
        assert!(
            matches!(&error, ChainError::AmbiguousIssuer { issuers, .. } if issuers.len() == 2)
        );
        let root_by_other = other.cross_sign(&root);
        let heap = [root.leaf(), root_by_other.cert, root.cert, other.cert];
        let chain = order(&heap, LeafChoice::Only).unwrap();
        assert_eq!(subjects(&chain.certificates), ["CN=device-1", "CN=Root"]);
    }

    #[test]
    fn a_circle_has_no_first_certificate_and_ends_as_a_chain() {
        let (x, y) = (new_key(), new_key());
        let seed = Signed { key: x.clone(), ..Signed::root("CN=X", |_| {}) };
        let y_by_x = seed.ca_with_key("CN=Y", y, |_| {});
        let x_by_y = y_by_x.ca_with_key("CN=X", x, |_| {});
        let heap = [x_by_y.cert.clone(), y_by_x.cert];
        assert_eq!(order(&heap, LeafChoice::Only), Err(ChainError::NoLeaf));
        let heap = [&heap[..], &[x_by_y.leaf()]].concat();
        let chain = order(&heap, LeafChoice::Only).unwrap();
        assert_eq!(subjects(&chain.certificates), ["CN=device-1", "CN=X", "CN=Y"]);
        assert_eq!(chain.missing_issuer.unwrap().to_string(), "CN=X");
    }

    #[test]
    fn a_renewed_ca_is_told_from_its_namesake_by_the_signature_in_a_chain() {
        let (old, new) = (Signed::root("CN=Root", |_| {}), Signed::root("CN=Root", |_| {}));
        let chain = order(&[new.cert, old.leaf(), old.cert.clone()], LeafChoice::Only).unwrap();
        assert_eq!(chain.certificates[1], old.cert);
    }
}
