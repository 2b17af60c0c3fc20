//! Ids of devices that exist, and that the platform refuses in new ones: read, with a warning.

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::list::new_ids::Remarks;

use crate::failure::Result;
use crate::output::Output;

/// How many have a line of their own.
const MOST_SHOWN: usize = 5;

/// The id of a device that exists.
pub(crate) fn read(text: &str, out: Output) -> Result<DeviceId> {
    let id = DeviceId::parse(text)?;
    warn_of(&id, out);
    Ok(id)
}

/// Says what follows of the id, if anything does.
pub(crate) fn warn_of(id: &DeviceId, out: Output) {
    id.remark().into_iter().for_each(|remark| out.warning(&remark));
}

/// The same of many.
pub(crate) fn warn(remarks: &Remarks, out: Output) {
    remarks.first.iter().take(MOST_SHOWN).for_each(|remark| out.warning(remark));
    let more = remarks.count.saturating_sub(MOST_SHOWN);
    if more > 0 {
        let have = if more == 1 { "more device has an id" } else { "more devices have ids" };
        out.warning(&format!(
            "{more} {have} that the platform refuses in new ones; `c8y-pki registration check FILE` names those of a list"
        ));
    }
}
