//! The OpenAPI document, from the table of operations and the types of what is sent and answered.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::table::{Answered, OPERATIONS, Operation};
use crate::serve::answer::Problem;

/// What every operation may refuse, and what that means.
const REFUSALS: [(u16, &str); 11] = [
    (400, "What was sent cannot be used."),
    (401, "There is no token and no client certificate, or it is not known, or it has ended."),
    (
        403,
        "The token or certificate does not have the role, is not for this CA or order, or a rule says no.",
    ),
    (404, "There is no such thing."),
    (405, "The path has other methods."),
    (408, "The body came too slowly."),
    (409, "As things are, it cannot be done."),
    (413, "The body is too large."),
    (415, "The body has another type than application/json."),
    (429, "Too many tokens from this address were not known."),
    (503, "Not now: the service has no time, or something is wrong on its side."),
];

/// Refusals that only some operations have.
const OF_SOME: [u16; 2] = [409, 415];

/// The document.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = described(operation, &mut generator);
    }
    let problem = generator.subschema_for::<Problem>();
    let refusals: Map<String, Value> = REFUSALS
        .iter()
        .map(|(status, text)| (status.to_string(), refusal(*status, text, &problem.clone().into())))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Certificates of devices",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "For MES and test stations: requests are signed, certificates shown and revoked.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }, { "certificate": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": refusals,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let names =
        operation.path.split('/').filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'));
    let query = operation.query.iter().map(|(name, text)| {
        let schema = json!({ "type": "string", "format": "date-time" });
        json!({ "name": name, "in": "query", "description": text, "schema": schema })
    });
    let parameters: Vec<Value> = names
        .map(|name| {
            let schema = json!({ "type": "string", "minLength": 1 });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .chain(query)
        .collect();
    let mut responses = Map::new();
    match &operation.answered {
        Answered::Json(schema) => {
            let content = json!({ "application/json": { "schema": schema(generator) } });
            let answer = json!({ "description": "Done.", "content": content });
            responses.insert("200".to_owned(), answer);
        }
        Answered::Text(kind) => {
            let content = json!({ *kind: { "schema": { "type": "string" } } });
            let answer = json!({ "description": "Done.", "content": content });
            responses.insert("200".to_owned(), answer);
        }
        Answered::Kept(kind) => {
            let text = |text: &str| json!({ "description": text, "required": true, "schema": { "type": "string" } });
            let headers = json!({
                "ETag": text("What to send as If-None-Match the next time."),
                "Last-Modified": text("When it was made."),
                "Cache-Control": text("For how long it may be kept."),
            });
            let answer =
                json!({ "description": "Done.", "headers": headers, "content": { *kind: {} } });
            responses.insert("200".to_owned(), answer);
            let same = json!({ "description": "It is the same as before.", "headers": headers });
            responses.insert("304".to_owned(), same);
        }
    }
    for (status, _) in REFUSALS {
        if !OF_SOME.contains(&status) || operation.refusals.contains(&status) {
            let reference = format!("#/components/responses/{status}");
            responses.insert(status.to_string(), json!({ "$ref": reference }));
        }
    }
    let mut described = json!({
        "operationId": operation.name,
        "summary": operation.summary,
        "description": format!("Needs the role {}.", operation.role),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(schema) = operation.sent {
        let content = json!({ "application/json": { "schema": schema(generator) } });
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    described
}

fn refusal(status: u16, text: &str, problem: &Value) -> Value {
    let content = json!({ "application/problem+json": { "schema": problem } });
    let mut refusal = json!({ "description": text, "content": content });
    let (name, kind, text) = match status {
        401 => ("WWW-Authenticate", "string", "How to say who asks."),
        405 => ("Allow", "string", "The methods of the path."),
        429 | 503 => ("Retry-After", "integer", "How many seconds to wait."),
        _ => return refusal,
    };
    let schema = json!({ "type": kind });
    refusal["headers"] =
        json!({ name: { "description": text, "required": true, "schema": schema } });
    refusal
}
