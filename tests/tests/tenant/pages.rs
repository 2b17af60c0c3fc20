//! docs/json.md, held to what the binary prints: for every command that talks to a tenant each key that is printed
//! stands in the section of the command, and each key of its table that is not optional is printed.

use std::collections::{BTreeMap, BTreeSet};

use c8y_pki_sandbox::Settings;
use serde_json::Value;

use crate::journey::Journey;

const PAGE: &str = include_str!("../../../docs/json.md");

/// Commands that print on standard output what is no result: a line for each message.
const OTHERS: &[&str] = &["device connect"];

/// Members whose own members are not ours to name.
const FREE: &[&str] = &["body", "query", "other"];

/// The sections of the page by the commands in their headings.
fn sections() -> BTreeMap<String, String> {
    let mut sections = BTreeMap::new();
    let (mut commands, mut text) = (Vec::<String>::new(), String::new());
    for line in PAGE.lines().chain(["## "]) {
        let heading = line.strip_prefix("### ").or_else(|| line.strip_prefix("## "));
        let Some(heading) = heading else {
            text += line;
            text.push('\n');
            continue;
        };
        for command in commands.drain(..) {
            sections.insert(command, text.clone());
        }
        text.clear();
        commands = heading.replace('`', "").split(", ").map(str::to_owned).collect();
    }
    sections
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names in a section, with those of the sections that it refers to.
fn names(sections: &BTreeMap<String, String>, text: &str, deep: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in quoted(text) {
        let words = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        found.extend(words.filter(|w| !w.is_empty()).map(str::to_owned));
        if let Some(other) = sections.get(part).filter(|_| deep > 0) {
            found.extend(names(sections, other, deep - 1));
        }
    }
    found
}

/// The keys of the tables of a section that each result has: their row does not call them optional.
fn always(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
    let fixed = rows.filter(|cells| cells.len() > 1 && !cells[1].contains("optional"));
    let first = |cells: Vec<&str>| {
        let keys = format!("`{}", cells[0]);
        quoted(&keys).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    fixed.flat_map(first).collect()
}

/// All keys of a value, those of its members too.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                found.insert(name.clone());
                if !FREE.contains(&name.as_str()) {
                    keys(member, found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| keys(one, found)),
        _ => {}
    }
}

#[test]
fn the_page_of_json_is_what_is_printed() {
    let Some(journey) = Journey::start(Settings::default()) else { return };
    let sections = sections();
    let mut faults = BTreeSet::new();
    journey.walk(|step, outcome, _| {
        let is_dry = step.with.contains("--dry-run");
        let command = if is_dry { "tenant" } else { step.command };
        let Some(text) = sections.get(command) else {
            faults.insert(format!("{command} has no section"));
            return;
        };
        let (known, wanted) = (names(&sections, text, 2), always(text));
        // A file, or what would be sent, is the result of an option.
        let is_plain = !["--out", "--dry-run", "--plan"].iter().any(|o| step.with.contains(o));
        let lines = outcome.json_lines();
        if lines.is_empty() && is_plain && outcome.code == step.code && !OTHERS.contains(&command) {
            faults.insert(format!("{command} {} prints nothing", step.with));
        }
        for line in &lines {
            let mut printed = BTreeSet::new();
            keys(line, &mut printed);
            let new = printed.difference(&known);
            faults.extend(new.map(|key| format!("{command}: {key} is not in its section")));
            let top: BTreeSet<String> =
                line.as_object().expect("an object").keys().cloned().collect();
            let missing = wanted.difference(&top).filter(|_| is_plain);
            faults.extend(missing.map(|key| format!("{command} {}: no {key}", step.with)));
        }
    });
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
