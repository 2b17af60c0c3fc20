//! The platform's answer to a piece of a registration, read with tolerance: a list, an id or a reason
//! may be missing or null. How many rows it has seen (`numberOfAll`) has to be there: what lacks it is no
//! answer to this call.

use std::collections::HashMap;

use serde::Deserialize;

use super::super::lenient::{self, AtMost};
use super::{MOST_ROWS, Outcome, Row, RowResult};

/// The answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BulkAnswer {
    #[serde(rename = "numberOfAll")]
    _number_of_all: u64,
    number_of_failed: Option<u64>,
    number_of_successful: Option<u64>,
    credential_updated_list: Option<Entries>,
    failed_creation_list: Option<Entries>,
}

/// Entries of a list: a row has one at most.
type Entries = AtMost<Entry, MOST_ROWS>;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    bulk_new_device_status: Option<String>,
    device_id: Option<String>,
    failure_reason: Option<String>,
    /// Of the piece, its header being line 1; a number or a text.
    #[serde(deserialize_with = "lenient::number")]
    line: Option<u64>,
}

impl Entry {
    fn reason(&self) -> &str {
        self.failure_reason.as_deref().unwrap_or_default()
    }
}

impl BulkAnswer {
    /// What became of the rows of the piece: found by the device's id, else by the line.
    pub(super) fn results(&self, rows: &[&Row]) -> Vec<RowResult> {
        let good = self.credential_updated_list.iter().flat_map(|list| &list.0).map(|entry| {
            let word = entry.bulk_new_device_status.as_deref().unwrap_or_default();
            (entry, Outcome::of_word(word))
        });
        let bad = self.failed_creation_list.iter().flat_map(|list| &list.0).map(|entry| {
            let word = entry.bulk_new_device_status.as_deref().unwrap_or_default();
            let blocked = Outcome::of_word(word) == Outcome::Blocked;
            (entry, if blocked { Outcome::Blocked } else { Outcome::Failed })
        });
        let (mut by_id, mut by_line) = (HashMap::with_capacity(rows.len()), HashMap::new());
        for (entry, outcome) in good.chain(bad) {
            if let Some(id) = entry.device_id.as_deref().filter(|id| !id.is_empty()) {
                by_id.insert(id, (outcome, entry.reason()));
            } else if let Some(line) = entry.line {
                by_line.insert(line, (outcome, entry.reason()));
            }
        }
        // A row that is not named went well if the counts say that all did.
        let all = self.number_of_failed.unwrap_or(0) == 0
            && self.number_of_successful.unwrap_or(0) >= rows.len() as u64;
        let unnamed = match all {
            true => (Outcome::Created, ""),
            false => (Outcome::Failed, "the platform's answer does not name this device"),
        };
        let mut line = 2;
        let result = |row: &&Row| {
            let named = by_id.get(row.id.as_str()).or_else(|| by_line.get(&line));
            line += row.lines();
            let (outcome, reason) = *named.unwrap_or(&unnamed);
            row.result(outcome, reason)
        };
        rows.iter().map(result).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sheet;
    use super::*;

    fn sheet(ids: &[&str]) -> Sheet {
        let rows: String = ids.iter().map(|id| format!("{id};CERTIFICATES\n")).collect();
        Sheet::read("d.csv", format!("ID;AUTH_TYPE\n{rows}").as_bytes()).unwrap()
    }

    fn outcomes(json: &str) -> Vec<(String, Outcome, String)> {
        let sheet = sheet(&["a", "b", "c"]);
        let rows: Vec<&Row> = sheet.rows.iter().collect();
        let answer: BulkAnswer = serde_json::from_str(json).unwrap();
        let results = answer.results(&rows);
        results.into_iter().map(|r| (r.id, r.outcome, r.reason.to_string())).collect()
    }

    #[test]
    fn a_201_may_hold_failures() {
        let found = outcomes(
            r#"{"numberOfAll":3,"numberOfCreated":1,"numberOfFailed":1,"numberOfSuccessful":2,
            "credentialUpdatedList":[{"bulkNewDeviceStatus":"CREATED","deviceId":"a"},
                {"bulkNewDeviceStatus":"CREDENTIAL_UPDATED","deviceId":"c"}],
            "failedCreationList":[{"bulkNewDeviceStatus":"FAILED","deviceId":"b",
                "failureReason":"no good","line":3}]}"#,
        );
        let expected = [
            ("a", Outcome::Created, ""),
            ("b", Outcome::Failed, "no good"),
            ("c", Outcome::Updated, ""),
        ];
        assert_eq!(found, expected.map(|(i, o, r)| (i.to_owned(), o, r.to_owned())));
    }

    #[test]
    fn a_row_that_no_list_names_is_judged_by_the_counts() {
        let all = outcomes(r#"{"numberOfAll":3,"numberOfFailed":0,"numberOfSuccessful":3}"#);
        assert!(all.iter().all(|(_, outcome, _)| *outcome == Outcome::Created));
        let two = outcomes(r#"{"numberOfAll":3,"numberOfFailed":1,"numberOfSuccessful":2}"#);
        assert!(two.iter().all(|(_, outcome, _)| *outcome == Outcome::Failed));
        let none = outcomes(r#"{"numberOfAll":3}"#);
        assert!(none.iter().all(|(_, outcome, _)| *outcome == Outcome::Failed));
        for other in ["{}", r#"{"numberOfAll":null}"#, r#"{"certificates":[]}"#, "[]"] {
            assert!(serde_json::from_str::<BulkAnswer>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_row_without_an_id_is_found_by_its_line() {
        let found = outcomes(
            r#"{"numberOfAll":3,"numberOfFailed":1,"numberOfSuccessful":2,
            "credentialUpdatedList":[{"bulkNewDeviceStatus":"CREATED","deviceId":"a"},
                {"bulkNewDeviceStatus":"CREATED","deviceId":"c"}],
            "failedCreationList":[{"deviceId":null,"failureReason":"unreadable","line":"3"}]}"#,
        );
        assert_eq!(found[1], ("b".to_owned(), Outcome::Failed, "unreadable".to_owned()));
        assert_eq!(found[2].1, Outcome::Created);
        let none = outcomes(r#"{"numberOfAll":3,"numberOfFailed":null,"failedCreationList":null}"#);
        assert!(none.iter().all(|(_, outcome, _)| *outcome == Outcome::Failed));
    }

    #[test]
    fn a_blocked_device_is_known_in_either_list() {
        let row = r#"{"bulkNewDeviceStatus":"BLOCKED","deviceId":"ID","failureReason":"no more"}"#;
        let (a, b) = (row.replace("ID", "a"), row.replace("ID", "b"));
        let found = outcomes(&format!(
            r#"{{"numberOfAll":3,"numberOfFailed":1,"credentialUpdatedList":[{a}],"failedCreationList":[{b}]}}"#
        ));
        assert_eq!((found[0].1, found[1].1), (Outcome::Blocked, Outcome::Blocked));
        assert_eq!(found[1].2, "no more");
        assert!(!Outcome::Blocked.is_done() && Outcome::of_word("BLOCKED") == Outcome::Blocked);
    }
}
