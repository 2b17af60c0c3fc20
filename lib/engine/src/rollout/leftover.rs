//! What earlier runs have left of sections that are no longer in the file: `[registration]`, `[tenant]`, `[tenant.NAME]`.
//!
//! Nothing in the file leads there any more, so it is looked for where such files stand: beside the file, beside the
//! directory of the devices, and beside the registration CSV. Only files with devices of the list count, as other
//! rollouts may have theirs in the same place. What is found is told and stays: a rollout takes nothing away at a tenant
//! that it is not told of.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::diff::{Finding, Remedy, Sign};
use super::spec::Spec;
use crate::client_id::DeviceId;
use crate::files::{self, one_name};
use crate::list::Device;
use crate::platform::register::results::Results;
use crate::registration;
use crate::shown;

/// How the name of a file ends that has the answers of a tenant.
const RESULTS: &str = ".result.csv";

/// How many bytes the first line of a registration CSV has at most: 64 KiB, far over the platform's own columns.
const MOST_HEADER: u64 = 65_536;

/// The rows of a plan about what is left of such sections.
pub(super) fn findings(spec: &Spec, devices: &[Device]) -> Vec<Finding> {
    // A rehearsal is at a tenant of its own, whatever the file says.
    if spec.is_rehearsal {
        return Vec::new();
    }
    let listed: HashSet<String> = devices.iter().map(|device| device.id.folded()).collect();
    let of_file: Vec<PathBuf> = results_of_file(spec).iter().map(|path| one_name(path)).collect();
    let list = one_name(&spec.devices.from);
    let mut findings = Vec::new();
    for (name, path) in csv_files(spec) {
        if path.to_string_lossy().ends_with(RESULTS) {
            if !of_file.contains(&name) {
                findings.extend(registered(spec, &path, &listed));
            }
        } else if spec.registration.is_none() && name != list {
            findings.extend(registration_of(&path, &listed));
        }
    }
    findings
}

/// The result files of all tenants of the file.
fn results_of_file(spec: &Spec) -> Vec<PathBuf> {
    let Some(wanted) = &spec.registration else { return Vec::new() };
    let own = spec.tenant.iter().map(|_| wanted.result.clone());
    let named =
        spec.tenants.iter().map(|name| wanted.file.with_extension(format!("{name}{RESULTS}")));
    own.chain(named).collect()
}

/// The files, each once, with how the rollout's file leads there. A directory that cannot be read holds none, as far as
/// can be told.
fn csv_files(spec: &Spec) -> BTreeMap<PathBuf, PathBuf> {
    let file = spec.registration.as_ref().map(|wanted| wanted.file.as_path());
    let mut found = BTreeMap::new();
    for beside in [Some(&*spec.file), Some(&*spec.devices.out), file].into_iter().flatten() {
        let Some(dir) = beside.parent() else { continue };
        let here = dir.as_os_str().is_empty();
        let paths = files::list_dir(if here { Path::new(".") } else { dir });
        for path in paths.unwrap_or_default() {
            let name = path.file_name().map(PathBuf::from).unwrap_or_default();
            let path = dir.join(name);
            if path.extension().is_some_and(|ending| ending == "csv") && path.is_file() {
                found.entry(one_name(&path)).or_insert(path);
            }
        }
    }
    found
}

/// What a result file says of devices of the list, for each tenant in it.
fn registered(spec: &Spec, path: &Path, listed: &HashSet<String>) -> Vec<Finding> {
    // Another program's file may have such a name too.
    let Ok(results) = Results::read(path, "") else { return Vec::new() };
    let mut tenants: BTreeMap<&str, Finding> = BTreeMap::new();
    let has_tenant = spec.tenant.is_some() || !spec.tenants.is_empty();
    let key =
        if has_tenant && spec.registration.is_none() { "registration.file" } else { "tenant" };
    for (tenant, id) in results.done_elsewhere() {
        if !DeviceId::parse(id).is_ok_and(|id| listed.contains(&id.folded())) {
            continue;
        }
        let new = || {
            let detail = format!(
                "registered there by {}, which is of no section of the file; what the tenant has was not looked at, and \
                 stays",
                path.display()
            );
            Finding::new(Sign::Unlisted, key, tenant, detail).by(Remedy::Stays)
        };
        tenants.entry(tenant).or_insert_with(new).count(id);
    }
    tenants.into_values().collect()
}

/// A registration CSV with devices of the list.
fn registration_of(path: &Path, listed: &HashSet<String>) -> Option<Finding> {
    if !begins_like_one(path) {
        return None;
    }
    let bytes = files::read(path).ok()?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(registration::separator(&bytes))
        .flexible(true)
        .from_reader(&*bytes);
    let at = reader.headers().ok()?.iter().position(|column| column == "ID")?;
    let rows = reader.records().flatten();
    let count = rows
        .filter_map(|row| DeviceId::parse(row.get(at)?).ok())
        .filter(|id| listed.contains(&id.folded()))
        .count();
    let detail = format!(
        "{} of the list in it; the file has no [registration] any more, and it stays",
        shown::count(count, "device")
    );
    let finding =
        Finding::new(Sign::Unlisted, "registration.file", path.display().to_string(), detail);
    (count > 0).then(|| finding.by(Remedy::Stays))
}

/// Whether the first line has the columns that every registration CSV of a rollout has.
pub(super) fn begins_like_one(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_HEADER).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let header = text.lines().next().unwrap_or_default();
    read.is_ok() && header.contains("AUTH_TYPE") && header.contains("ID")
}
