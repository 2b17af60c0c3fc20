//! Whether a request is one that the description has: its parameters and headers, the type and the schema of
//! its body, and that it accepts what it gets.

use std::collections::BTreeMap;

use c8y_pki_tests::contract::{Operation, Parameter};
use c8y_pki_tests::recorder::Asked;
use c8y_pki_tests::schema::{against, unknown};
use serde_json::Value;

/// Method, path, fault, and why it stays.
pub(super) type Departure = (&'static str, &'static str, &'static str, &'static str);

/// Where our requests differ from the description on purpose.
pub(super) const DEPARTURES: &[Departure] = &[
    (
        "POST",
        "/tenant/trusted-certificates/verify-cert-chain",
        "the header X-Cumulocity-Client-Cert-Chain is missing",
        "the description has header and body both as required; the vendor's guide has either, and the header \
         takes five certificates only",
    ),
    (
        "POST",
        "/.well-known/est/simpleenroll",
        "the header content-transfer-encoding is not described",
        "RFC 7030, 4.2.1: the body is base64; the platform takes it with or without",
    ),
    (
        "POST",
        "/.well-known/est/simplereenroll",
        "the header content-transfer-encoding is not described",
        "as above",
    ),
];

/// What HTTP itself needs (RFC 9110), and who asks.
const OF_HTTP: [&str; 8] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
];

/// The departure that a fault is, if it is a known one.
pub(super) fn departure(operation: &Operation, fault: &str) -> Option<&'static Departure> {
    let is = |(method, path, known, _): &&Departure| {
        operation.method == *method && operation.path == *path && fault == *known
    };
    DEPARTURES.iter().find(is)
}

/// What is wrong with a request.
pub(super) fn faults(operation: &Operation, asked: &Asked) -> Vec<String> {
    let mut found = Vec::new();
    let of = |place: &str| -> Vec<&Parameter> {
        operation.parameters.iter().filter(|p| p.place == place).collect()
    };
    query(&of("query"), &asked.query, &mut found);
    headers(&of("header"), asked, &mut found);
    accepts(operation, asked, &mut found);
    body(operation, asked, &mut found);
    found
}

fn query(known: &[&Parameter], query: &str, found: &mut Vec<String>) {
    let mut given = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if given.insert(name, value).is_some() {
            found.push(format!("the parameter {name} is there twice"));
        }
        match known.iter().find(|p| p.name == name) {
            None => found.push(format!("the parameter {name} is not described")),
            Some(parameter) => of_schema(parameter, value, found),
        }
    }
    let missing = known.iter().filter(|p| p.required && !given.contains_key(p.name.as_str()));
    found.extend(missing.map(|p| format!("the parameter {} is missing", p.name)));
}

/// A number or a word is written as JSON writes it, a text is not.
fn of_schema(parameter: &Parameter, text: &str, found: &mut Vec<String>) {
    let value = match parameter.schema["type"].as_str() {
        Some("string") => Value::from(text),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    };
    let faults = against(&parameter.schema, &value);
    found.extend(faults.into_iter().map(|fault| format!("{}: {fault}", parameter.name)));
}

fn headers(known: &[&Parameter], asked: &Asked, found: &mut Vec<String>) {
    for (name, value) in &asked.headers {
        let parameter = known.iter().find(|p| p.name.eq_ignore_ascii_case(name));
        match parameter {
            Some(parameter) => of_schema(parameter, value, found),
            None if OF_HTTP.contains(&name.as_str()) => {}
            None => found.push(format!("the header {name} is not described")),
        }
    }
    for parameter in known.iter().filter(|p| p.required) {
        if asked.header(&parameter.name).is_none() {
            found.push(format!("the header {} is missing", parameter.name));
        }
    }
}

/// It accepts one of the types that it may get. On POST and PUT the platform answers with an empty body without
/// `Accept`.
fn accepts(operation: &Operation, asked: &Asked, found: &mut Vec<String>) {
    let Some(accept) = asked.header("accept") else {
        found.push("the header accept is missing".to_owned());
        return;
    };
    let good = operation.answers.iter().filter(|(status, _)| (200..300).contains(*status));
    let types: Vec<&String> = good.flat_map(|(_, types)| types.keys()).collect();
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_lowercase();
    // A range that takes all says nothing about what is wanted.
    let named: Vec<String> =
        accept.split(',').map(essence).filter(|range| range != "*/*").collect();
    if !types.is_empty() && !types.iter().any(|kind| named.contains(&essence(kind))) {
        found.push(format!("it accepts {accept:?}, and gets {types:?}"));
    }
}

fn body(operation: &Operation, asked: &Asked, found: &mut Vec<String>) {
    let kind = asked.header("content-type").unwrap_or_default();
    if operation.bodies.is_empty() {
        if !asked.body.is_empty() || !kind.is_empty() {
            found.push(format!("it has a body, of type {kind:?}"));
        }
        return;
    }
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let Some(schema) = operation.bodies.get(essence) else {
        let types: Vec<&String> = operation.bodies.keys().collect();
        found.push(format!("its body is of type {kind:?}, not {types:?}"));
        return;
    };
    match essence {
        "multipart/form-data" => parts(schema, &kind, &asked.body, found),
        _ if essence.ends_with("json") => json(schema, &asked.body, found),
        _ if asked.body.is_empty() => found.push("its body is empty".to_owned()),
        _ => {}
    }
}

fn json(schema: &Value, body: &[u8], found: &mut Vec<String>) {
    let value = match serde_json::from_slice::<Value>(body) {
        Ok(value) => value,
        Err(e) => return found.push(format!("its body is no JSON: {e}")),
    };
    found.extend(against(schema, &value));
    unknown(schema, &value, "", found);
    read_only(schema, &value, found);
}

/// Members that only answers have: the last part of a schema that says so counts.
fn read_only(schema: &Value, value: &Value, found: &mut Vec<String>) {
    let parts: Vec<&Value> =
        schema["allOf"].as_array().map_or(vec![schema], |p| p.iter().collect());
    for name in value.as_object().into_iter().flat_map(|members| members.keys()) {
        let mut says =
            parts.iter().filter_map(|part| part["properties"][name]["readOnly"].as_bool());
        if says.next_back() == Some(true) {
            found.push(format!("/{name} is only for answers"));
        }
    }
}

/// The names of the parts of a form (RFC 7578, 4.2).
fn parts(schema: &Value, kind: &str, body: &[u8], found: &mut Vec<String>) {
    let boundary = kind.split("boundary=").nth(1).unwrap_or_default().trim_matches('"');
    let text = String::from_utf8_lossy(body);
    let line = format!("--{boundary}");
    let mut names = Vec::new();
    for part in text.split(line.as_str()).skip(1).filter(|part| !part.starts_with("--")) {
        let (head, contents) = part.split_once("\r\n\r\n").unwrap_or((part, ""));
        let name = head.split("; name=\"").nth(1).and_then(|rest| rest.split('"').next());
        let name = name.unwrap_or_default().to_owned();
        if schema["properties"].get(&name).is_none() {
            found.push(format!("the part {name:?} of its form is not described"));
        }
        if contents.trim().is_empty() {
            found.push(format!("the part {name:?} of its form is empty"));
        }
        names.push(name);
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !names.iter().any(|n| n == name)) {
        found.push(format!("the part {name:?} of its form is missing"));
    }
}
