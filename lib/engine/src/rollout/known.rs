//! Whether the tenant knows devices that the result file calls registered. The file tells of former runs: the tenant may
//! have been emptied since, or be another one at the same address. A few devices are asked for, not each of them.

use std::path::Path;

use super::diff::{Finding, Sign};
use crate::list::Device;
use crate::platform::PlatformError;
use crate::platform::blocking::Client;
use crate::platform::register::Row;
use crate::platform::standing::{ID_TYPE, is_registered};
use crate::registration::id_types;
use crate::shown;

/// How many devices are asked for: the first, the last, and one between them.
const ASKED: usize = 3;

/// What the tenant says of some of the devices.
pub(super) enum Known {
    /// It knows all that were asked for: so many.
    All(usize),
    /// It does not know these.
    Not(Vec<String>),
    /// It was not asked, or does not tell this user.
    NotAsked,
}

/// Asks for a few of these rows.
pub(super) fn ask(
    client: &Client,
    rows: &[&Row],
    devices: &[Device],
) -> Result<Known, PlatformError> {
    let kinds = id_types(devices);
    let last = rows.len().saturating_sub(1);
    let mut places: Vec<usize> = (0..ASKED).map(|at| at * last / (ASKED - 1)).collect();
    places.dedup();
    let asked: Vec<&Row> = places.into_iter().filter_map(|at| rows.get(at).copied()).collect();
    let mut missing = Vec::new();
    for row in &asked {
        let kind = kinds.get(&row.id).map_or(ID_TYPE, String::as_str);
        match client.wait(is_registered(client, kind, &row.id)) {
            Ok(true) => {}
            Ok(false) => missing.push(row.id.clone()),
            Err(PlatformError::Forbidden { .. }) => return Ok(Known::NotAsked),
            Err(e) => return Err(e),
        }
    }
    Ok(match (missing.is_empty(), asked.len()) {
        (true, 0) => Known::NotAsked,
        (true, number) => Known::All(number),
        (false, _) => Known::Not(missing),
    })
}

impl Known {
    /// What is to be said beside the number of devices that the result file has.
    pub(super) fn words(&self, before: usize) -> String {
        match self {
            Self::All(asked) if *asked == before => " (the tenant knows them)".to_owned(),
            Self::All(asked) => {
                format!(" (the tenant was asked for {asked} of them, and knows these)")
            }
            Self::Not(_) | Self::NotAsked if before == 0 => String::new(),
            Self::Not(_) | Self::NotAsked => " (by that file alone)".to_owned(),
        }
    }

    /// The row of the plan that the tenant has lost them.
    pub(super) fn finding(&self, tenant: &str, result: &Path) -> Option<Finding> {
        let Self::Not(missing) = self else { return None };
        let detail = format!(
            "{} calls devices registered that the tenant does not know. If that is the right tenant, delete the file, and the \
             next run registers them again; {} asked for",
            result.display(),
            shown::count(missing.len(), "such device")
        );
        let mut finding = Finding::new(Sign::Differs, "tenant.register", tenant, detail);
        missing.iter().for_each(|id| finding.count(id));
        Some(finding)
    }
}
