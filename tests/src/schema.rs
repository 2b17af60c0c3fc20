//! Values of JSON, held to the schemas of the vendor's description.

use serde_json::Value;

/// What a schema says against a value.
///
/// # Panics
///
/// When the schema is none.
pub fn against(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft7::options().should_validate_formats(true).build(schema);
    let validator = validator.unwrap_or_else(|e| panic!("the description has a bad schema: {e}"));
    validator.iter_errors(value).map(|e| format!("{} at {}", e, e.instance_path())).collect()
}

/// Members that no schema names: nothing is required of an answer, so a name that is mistyped would pass.
pub fn unknown(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
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
