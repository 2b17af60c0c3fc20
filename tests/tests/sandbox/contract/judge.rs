//! Whether an answer is one of those that the description has: its status, its type, its schema, and no
//! member that the schema does not name.

use c8y_pki_tests::contract::{Operation, Reply};
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

fn against(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft7::options().should_validate_formats(true).build(schema);
    let validator = validator.unwrap_or_else(|e| panic!("the description has a bad schema: {e}"));
    validator.iter_errors(value).map(|e| format!("{} at {}", e, e.instance_path())).collect()
}

/// Members that no schema names: nothing is required of an answer, so a name that is mistyped would pass.
fn unknown(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let all: Vec<&Value> = match schema["allOf"].as_array() {
        Some(parts) => parts.iter().collect(),
        None => vec![schema],
    };
    match value {
        Value::Object(members) => {
            let named = |name: &str| all.iter().find_map(|s| s["properties"].get(name));
            let free = all.iter().any(|s| s.get("additionalProperties").is_some())
                || all.iter().all(|s| s.get("properties").is_none());
            for (name, member) in members {
                match named(name) {
                    Some(schema) => unknown(schema, member, &format!("{at}/{name}"), found),
                    None if free => {}
                    None => found.push(format!("{at}/{name} is not described")),
                }
            }
        }
        Value::Array(items) => {
            let of = all.iter().find_map(|s| s.get("items"));
            for item in items {
                of.into_iter().for_each(|schema| unknown(schema, item, &format!("{at}/…"), found));
            }
        }
        _ => {}
    }
}
