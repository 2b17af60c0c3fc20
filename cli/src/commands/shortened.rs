//! A validity that ends with its issuer's.

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::issue::{Shortened, Validity};

use crate::output::Output;

/// Says that a validity that nobody asked for ends with its issuer's.
pub(crate) fn note(asked: Option<u32>, usual: &Validity, issuer: &Certificate, out: Output) {
    let shortened = Shortened::of(asked, usual, issuer);
    shortened.iter().for_each(|shortened| out.note(&format!("The {shortened}.")));
}
