//! The registration CSV that the list makes, and the one that is there: column by column.

use std::collections::{BTreeMap, HashSet};

use super::finding::{Finding, Remedy, Sign};
use crate::client_id::DeviceId;
use crate::files;
use crate::registration;
use crate::rollout::spec::RegistrationSpec;
use crate::shown;

/// A CSV by rows: id, then column, then value.
type Table = BTreeMap<String, BTreeMap<String, String>>;

/// How the file that is there compares with the CSV that is wanted; none is there yet if it cannot be read. `revoked` has
/// the folded ids of devices of the list that get no row.
pub(in crate::rollout) fn compare(
    wanted: &RegistrationSpec,
    csv: &str,
    revoked: &HashSet<String>,
) -> Vec<Finding> {
    let path = &wanted.file;
    let name = path.display().to_string();
    let rows = csv.lines().count().saturating_sub(1);
    let Ok(found) = files::read(path) else {
        let missing = Finding::new(Sign::Missing, "registration.file", name, "to be written");
        return vec![Finding { devices: rows, ..missing.by(Remedy::Apply) }];
    };
    if found == csv.as_bytes() {
        let detail = format!("{}, byte for byte", shown::count(rows, "device"));
        let place = Finding::new(Sign::InPlace, "registration.file", name, detail);
        return vec![Finding { devices: rows, ..place }];
    }
    let mut findings = by_column(wanted, &String::from_utf8_lossy(&found), csv, revoked);
    if findings.is_empty() {
        let detail = "its contents; what differs is not in its values";
        findings.push(Finding::new(Sign::Differs, "registration.file", &name, detail));
    }
    findings.into_iter().map(|finding| finding.by(Remedy::Apply)).collect()
}

fn by_column(
    wanted: &RegistrationSpec,
    found: &str,
    csv: &str,
    revoked: &HashSet<String>,
) -> Vec<Finding> {
    let name = wanted.file.display().to_string();
    let differs = |key: String, what: String| Finding::new(Sign::Differs, key, name.clone(), what);
    let mut findings = Vec::new();
    let separators = [found, csv].map(separator_of);
    if separators[0] != separators[1] {
        let [old, new] = separators.map(|c| Some(word(c)));
        let finding = differs("registration.separator".to_owned(), "separator".to_owned());
        findings.push(finding.values(old, new));
    }
    let (old, new) = (table(found, separators[0]), table(csv, separators[1]));
    let mut columns: BTreeMap<String, Finding> = BTreeMap::new();
    for (id, row) in &new {
        let Some(before) = old.get(id) else { continue };
        for column in row.keys().chain(before.keys()) {
            let value = |row: &BTreeMap<String, String>| row.get(column).cloned();
            if value(row) == value(before) {
                continue;
            }
            let first = || {
                differs(key_of(wanted, column), column.clone()).values(value(before), value(row))
            };
            let finding = columns.entry(column.clone()).or_insert_with(first);
            if finding.ids.last() != Some(id) {
                finding.count(id);
            }
        }
    }
    findings.extend(columns.into_values());
    let mut rows = |sign, detail: &str, ids: Vec<&String>| {
        let mut finding = Finding::new(sign, "devices.from", name.clone(), detail);
        ids.into_iter().for_each(|id| finding.count(id));
        findings.extend(Some(finding).filter(|finding| finding.devices > 0));
    };
    let is_revoked = |id: &&String| revoked.contains(&DeviceId::known(id.as_str()).folded());
    let added = new.keys().filter(|id| !old.contains_key(*id)).collect();
    let gone = old.keys().filter(|id| !new.contains_key(*id));
    let (taken_out, unlisted) = gone.partition(is_revoked);
    rows(Sign::Missing, "rows of the list that are not in it", added);
    rows(Sign::Differs, "rows of revoked devices, which are taken out", taken_out);
    rows(Sign::Unlisted, "rows that are no longer in the list", unlisted);
    findings
}

/// The key of the rollout file from which a column comes.
fn key_of(wanted: &RegistrationSpec, column: &str) -> String {
    match column {
        "TYPE" => "registration.type".to_owned(),
        "NAME" => "registration.name".to_owned(),
        other if wanted.settings.defaults.contains_key(other) => {
            format!("registration.set.{other}")
        }
        _ => "devices.from".to_owned(),
    }
}

fn separator_of(text: &str) -> char {
    char::from(registration::separator(text.as_bytes()))
}

fn word(separator: char) -> String {
    let known = registration::SEPARATORS.iter().find(|(c, _)| *c == separator);
    known.map_or_else(|| separator.to_string(), |(_, name)| (*name).to_owned())
}

fn table(text: &str, separator: char) -> Table {
    let delimiter = u8::try_from(separator).unwrap_or(b';');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let headers: Vec<String> =
        reader.headers().map(|h| h.iter().map(str::to_owned).collect()).unwrap_or_default();
    let mut table = Table::new();
    for row in reader.records().filter_map(Result::ok) {
        let values = headers.iter().cloned().zip(row.iter().map(str::to_owned));
        let row: BTreeMap<String, String> = values.filter(|(_, v)| !v.is_empty()).collect();
        let id = row.get("ID").cloned().unwrap_or_default();
        table.insert(id, row);
    }
    table
}
