//! What is told where certificates were revoked because others took their place.

use c8y_pki_core::failure::Task;

use crate::hint;
use crate::render::count;

/// How many were revoked, and how the lists of their CAs are made, without which that has no effect.
pub(super) fn revoked<'a>(number: usize, cas: impl IntoIterator<Item = &'a String>) -> String {
    let next = |ca: &String| hint::run(&Task::MakeCrl { ca: Some(ca.clone()), days: None });
    let next: Vec<String> = cas.into_iter().map(next).collect();
    format!(
        "{} revoked, with the reason superseded. To give this effect, make the next list: {}",
        count(number, "former certificate"),
        next.join(", ")
    )
}
