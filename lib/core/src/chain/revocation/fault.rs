//! Does a list count, by what it says of itself?

use time::OffsetDateTime;

use crate::cert::{Certificate, Serial};
use crate::clock::rfc3339;
use crate::crl::Crl;

/// Why a list does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It never did, or does not yet.
    Unfit(String),
    /// It did until its nextUpdate.
    RunOut(String),
}

impl Fault {
    pub(super) fn sentence(&self) -> &str {
        match self {
            Self::Unfit(sentence) | Self::RunOut(sentence) => sentence,
        }
    }
}

/// What a list is called in a sentence about the issuer of `cert`: its number, if it has one.
pub(super) fn called(list: &Crl, cert: &Certificate) -> String {
    let own = list.issuer.matches(&cert.issuer);
    match (&list.number, own) {
        (Some(number), true) => format!("its list {}", number.to_decimal()),
        (None, true) => "its list".to_owned(),
        (Some(number), false) => format!("the list {} of {}", number.to_decimal(), list.issuer),
        (None, false) => format!("the list of {}", list.issuer),
    }
}

/// What is wrong with a list that `signer` has signed, called `name`.
pub(super) fn find(
    list: &Crl,
    name: &str,
    signer: &Certificate,
    at: OffsetDateTime,
) -> Option<Fault> {
    let unfit = |text: String| Some(Fault::Unfit(text));
    if signer.key_usage.is_some_and(|usage| !usage.has("cRLSign")) {
        return unfit("its key usage lacks cRLSign".to_owned());
    }
    if let Err(why) = list.scope {
        return unfit(format!("{name} {why}"));
    }
    if let Some(oid) = &list.critical_extension {
        return unfit(format!("{name} has the critical extension {oid}, which is not supported"));
    }
    if at < list.this_update {
        return unfit(format!("{name} begins at {}", rfc3339(list.this_update)));
    }
    let next = list.next_update.filter(|next| *next < at)?;
    Some(Fault::RunOut(format!("{name} was to be renewed by {}", rfc3339(next))))
}

/// Why a delta list, called `name`, cannot be applied to `present`, the list that is there for the same
/// (RFC 5280, 5.2.4).
pub(super) fn find_of_delta(delta: &Crl, name: &str, present: Option<&Crl>) -> Option<String> {
    let base = delta.base.as_ref()?;
    let Some(number) = present.and_then(|present| present.number.as_ref()) else {
        return Some(format!("{name} is a delta list, and the list that it changes is missing"));
    };
    if size(number) < size(base) {
        return Some(format!(
            "{name} is a delta list that changes the list {}, but the given list is {}",
            base.to_decimal(),
            number.to_decimal()
        ));
    }
    None
}

/// A number so that it can be compared: how many bytes it has without zeros in front, and these.
pub(super) fn size(number: &Serial) -> (usize, &[u8]) {
    let bytes = number.bytes();
    let significant = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
    (significant.len(), significant)
}
