//! A request, read whole: path, query, body, and the certificate that the client showed.

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, Request};
use serde_json::Value;
use time::OffsetDateTime;

use super::answer::Refusal;
use super::clock;
use crate::cert::Certificate;

/// Largest body that is read: half a million rows of a registration file.
const MAX_BODY: usize = 32 << 20;

/// One part of a form.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) bytes: Bytes,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    body: Result<Bytes, Refusal>,
    form: Option<Result<Vec<Part>, String>>,
    /// The leaf of the TLS handshake, if it came by the port that asks for one.
    pub(super) certificate: Option<Certificate>,
    pub(super) now: OffsetDateTime,
}

impl Call {
    /// Reads a request to its end.
    pub(super) async fn read(parts: Parts, body: Body, certificate: Option<Certificate>) -> Self {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let query = url::form_urlencoded::parse(query).into_owned().collect();
        let body = read_body(&parts, body).await;
        let form = match &body {
            Ok(bytes) if media_type(&parts.headers) == "multipart/form-data" => {
                Some(read_form(&parts, bytes.clone()).await)
            }
            _ => None,
        };
        Self {
            path: parts.uri.path().to_owned(),
            method: parts.method,
            headers: parts.headers,
            query,
            body,
            form,
            certificate,
            now: clock::now(),
        }
    }

    /// The body.
    pub(super) fn body(&self) -> Result<&Bytes, Refusal> {
        self.body.as_ref().map_err(Clone::clone)
    }

    /// The media type of the body, without parameters, in lower case.
    pub(super) fn media_type(&self) -> String {
        media_type(&self.headers)
    }

    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as a JSON object. 415 for another type, 422 when it cannot be read.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let media = self.media_type();
        if media != "application/json" && !media.ends_with("+json") {
            return Err(Refusal::media_type("application/json"));
        }
        let value: Value = serde_json::from_slice(self.body()?)
            .map_err(|e| Refusal::unprocessable(format!("The body is no JSON: {e}.")))?;
        if value.is_object() {
            return Ok(value);
        }
        Err(Refusal::unprocessable("The body is no JSON object."))
    }

    /// The method; HEAD is GET without its body, which the server leaves out.
    pub(super) fn verb(&self) -> &str {
        if self.method == Method::HEAD { "GET" } else { self.method.as_str() }
    }

    /// The part `file` of a form, whatever type it is said to have.
    pub(super) fn file(&self) -> Result<&Part, Refusal> {
        let file = self.part("file")?;
        file.ok_or_else(|| Refusal::unprocessable("The form has no part \"file\"."))
    }

    /// A part of a form, if it has it.
    pub(super) fn part(&self, name: &str) -> Result<Option<&Part>, Refusal> {
        self.body()?;
        let form = self.form.as_ref().ok_or_else(|| Refusal::media_type("multipart/form-data"))?;
        let parts = form.as_ref().map_err(|reason| {
            Refusal::unprocessable(format!("The form cannot be read: {reason}."))
        })?;
        Ok(parts.iter().find(|part| part.name == name))
    }

    /// The part `file` of a form, which must be CSV.
    pub(super) fn csv_file(&self) -> Result<&Part, Refusal> {
        let file = self.file()?;
        match file.content_type.as_str() {
            "text/csv" => Ok(file),
            _ => Err(Refusal::media_type("text/csv in the part \"file\"")),
        }
    }

    /// A parameter of the query; the last one, if it is given twice.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The query without some parameters, to be continued.
    pub(super) fn query_without(&self, names: &[&str]) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in self.query.iter().filter(|(key, _)| !names.contains(&key.as_str())) {
            out.append_pair(key, value);
        }
        out.finish()
    }

    /// A parameter that is `true` or `false`, false without it.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        self.flag_or(name, false)
    }

    /// A parameter that is `true` or `false`, with what it is when it is not given.
    pub(super) fn flag_or(&self, name: &str, otherwise: bool) -> Result<bool, Refusal> {
        match self.parameter(name) {
            None => Ok(otherwise),
            Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::unprocessable(format!(
                "The parameter {name} is {other:?}; it must be true or false."
            ))),
        }
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    without_parameters(value.unwrap_or_default())
}

fn without_parameters(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

async fn read_body(parts: &Parts, body: Body) -> Result<Bytes, Refusal> {
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > MAX_BODY) {
        return Err(Refusal::too_large(MAX_BODY));
    }
    axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| Refusal::too_large(MAX_BODY))
}

async fn read_form(parts: &Parts, body: Bytes) -> Result<Vec<Part>, String> {
    let mut request = Request::from_parts(parts.clone(), Body::from(body));
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| e.body_text())?;
    let mut read = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|e| e.body_text())? {
        read.push(Part {
            name: field.name().unwrap_or_default().to_owned(),
            content_type: without_parameters(field.content_type().unwrap_or_default()),
            bytes: field.bytes().await.map_err(|e| e.body_text())?,
        });
    }
    Ok(read)
}
