//! What the commands that issue have in common about `--plan`.

use std::path::Path;

use c8y_pki_engine::pki::Pki;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::Result;
use crate::output::Output;

/// Opens the PKI directory: to be changed, or for a plan only to be read.
pub(super) fn open(is_plan: bool, dir: &Path, now: OffsetDateTime, out: Output) -> Result<Pki> {
    if is_plan { clock::open_to_read(dir, out) } else { clock::open(dir, now) }
}

/// Says what a plan of certificates knows nothing of.
pub(super) fn note(out: Output) {
    out.note(
        "Nothing was changed. Not looked at: whether passwords open the keys, the key pool, and the room on the disk",
    );
}
