//! Whether an answer is one of those that the description has: its status, its type, its schema, and no
//! member that the schema does not name.

use c8y_pki_tests::contract::{Operation, Reply};
use c8y_pki_tests::schema::{against, unknown};
use serde_json::Value;

/// The type of errors.
const ERROR: &str = "application/vnd.com.nsn.cumulocity.error+json";

/// What is wrong with an answer.
pub(super) fn faults(operation: &Operation, reply: &Reply) -> Vec<String> {
    let told = |what: String| format!("{} -> {}: {what}", reply.to, reply.status);
    let Some(types) = operation.answers.get(&reply.status) else {
        return vec![told(format!("the status is not described: {}", reply.text()))];
    };
    if reply.body.is_empty() {
        let wanted = types.keys().next().filter(|_| (200..300).contains(&reply.status));
        return wanted
            .map(|kind| told(format!("the body is empty, not {kind}")))
            .into_iter()
            .collect();
    }
    let Some(schema) = types.get(&reply.kind) else {
        // What the description says nothing of.
        if types.is_empty() && reply.kind == ERROR {
            return Vec::new();
        }
        let all: Vec<&str> = types.keys().map(String::as_str).collect();
        return vec![told(format!("the type is {:?}, not {}", reply.kind, all.join(" or ")))];
    };
    if !reply.kind.contains("json") {
        return Vec::new();
    }
    let value = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(value) => value,
        Err(e) => return vec![told(format!("{e}: {}", reply.text()))],
    };
    let mut found = against(schema, &value);
    unknown(schema, &value, "", &mut found);
    found.into_iter().map(told).collect()
}
