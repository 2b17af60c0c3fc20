//! The rows of the document, and what holds a check to one of them.

use std::collections::BTreeSet;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::Outcome;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/troubleshooting.md");

/// The files with the tests of the rows.
const TESTS: [&str; 6] = [
    include_str!("commands.rs"),
    include_str!("files.rs"),
    include_str!("network.rs"),
    include_str!("platform.rs"),
    include_str!("service.rs"),
    include_str!("tls.rs"),
];

/// Words of the sandbox's true reason, for each cause that one refusal of it can have.
const TRUE_REASONS: [(&str, &str); 13] = [
    ("ca-not-uploaded", "no uploaded certificate is among those presented"),
    ("chain-incomplete", "no uploaded certificate is among those presented"),
    ("other-tenant", "no uploaded certificate is among those presented"),
    ("ca-renewed", "no uploaded certificate is among those presented"),
    ("tenant-says-no", "certificates, more than 2"),
    ("ca-disabled", "is DISABLED in t1001"),
    ("not-registered", "is not registered, and auto-registration is off"),
    ("registered-basic", "is registered with AUTH_TYPE BASIC"),
    ("proof-missing", "lacks its proof of possession"),
    ("ca-elsewhere", "is on another tenant too, without proof"),
    ("revoked", "is revoked"),
    ("overload", "it fails on purpose"),
    ("tenant-user", "is not the tenant"),
];

/// A row: its cells.
pub(crate) struct Row {
    cells: Vec<&'static str>,
}

/// All rows, in the order of the document.
fn all() -> Vec<Row> {
    let lines = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = lines.map(|line| Row { cells: line.split(" | ").collect() });
    rows.filter(|row| !["row", "---"].contains(&row.cells[0])).collect()
}

/// The row of that name.
pub(crate) fn row(name: &str) -> Row {
    let found = all().into_iter().find(|row| row.cells[0] == name);
    found.unwrap_or_else(|| panic!("docs/troubleshooting.md has no row {name}"))
}

/// What stands between two marks.
fn between(text: &str, mark: char) -> &str {
    text.split(mark).nth(1).unwrap_or_else(|| panic!("no {mark} in {text:?}"))
}

impl Row {
    /// Holds a check to the row: its step, its first cause, how sure that is.
    #[track_caller]
    pub(crate) fn holds(&self, outcome: &Outcome) -> Value {
        let report = outcome.json();
        let steps = report["steps"].as_array().expect("steps");
        let failed = steps.iter().find(|s| s["outcome"] == "failed");
        let failed = failed.unwrap_or_else(|| panic!("it connects: {report}"));
        let first = &report["causes"][0];
        assert_eq!(failed["step"], between(self.cells[2], '`'), "{report}");
        assert_eq!(first["code"], between(self.cells[3], '`'), "{report}");
        let sure = ["certain", "confirmed"].into_iter().find(|w| self.cells[3].ends_with(w));
        let wanted = match sure {
            Some("certain") => "shown",
            Some(other) => other,
            None => "likely",
        };
        assert_eq!(first["certainty"], wanted, "{report}");
        assert!(!first["remedy"].as_str().expect("text").is_empty(), "{report}");
        report
    }

    /// The same, and the reason that the sandbox has noted for its refusal agrees.
    #[track_caller]
    pub(crate) fn holds_truly(&self, outcome: &Outcome, at: &AtTenant) -> Value {
        let report = self.holds(outcome);
        let code = report["causes"][0]["code"].as_str().expect("a code");
        let state = at.sandbox.state();
        let mut noted = state["connections"].as_array().expect("a list").iter().rev();
        let refused = noted.find(|c| {
            c["port"].as_str().is_some_and(|p| p.starts_with("mqtt")) && c["reason"].is_string()
        });
        let reason = refused.unwrap_or_else(|| panic!("no refusal in {state}"));
        let reason = reason["reason"].as_str().expect("a reason");
        let words = TRUE_REASONS.iter().find(|(known, _)| *known == code);
        let (_, words) = words.unwrap_or_else(|| panic!("{code} has no true reason: {reason}"));
        assert!(reason.contains(words), "{code}, but in truth: {reason}");
        report
    }

    /// Holds what a command says to the quoted words of the row.
    #[track_caller]
    pub(crate) fn is_said(&self, outcome: &Outcome) {
        assert!(outcome.line.starts_with(between(self.cells[2], '`')), "{}", outcome.line);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        let words = between(self.cells[3], '"');
        assert!(said.contains(words), "{words:?} is not said: {said}");
    }
}

#[test]
fn every_row_has_its_test_and_every_test_its_row() {
    let names: Vec<String> = all().iter().map(|row| row.cells[0].replace('-', "_")).collect();
    let rows: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(rows.len(), names.len(), "a row stands twice");
    assert!(rows.len() >= 20, "{rows:?}");
    for row in all() {
        assert!(row.cells.len() == 5 && row.cells.iter().all(|c| !c.is_empty()), "{:?}", row.cells);
    }
    let mut tests = BTreeSet::new();
    for source in TESTS {
        for after in source.split("#[test]\n").skip(1) {
            let name = after.trim_start().strip_prefix("fn ").expect("a function follows");
            let (name, body) = name.split_once('(').expect("its arguments");
            let body = body.split("#[test]").next().unwrap_or_default();
            // The test is held to the row of its name.
            let own = body.contains(&format!("row(\"{}\")", name.replace('_', "-")));
            assert!(own, "{name} does not look its row up");
            tests.insert(name.to_owned());
        }
    }
    assert_eq!(rows, tests);
}
