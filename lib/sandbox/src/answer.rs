//! What is answered: JSON, errors in the platform's form, and the rule about `Accept`.
//!
//! "Send `Accept` on POST/PUT, else the answer has an empty body" (platform: "REST"): that holds for
//! errors too, and when `Accept` names only types that are not JSON.

use axum::body::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, HeaderMap};
use serde_json::{Value, json};

/// The type of errors (OpenAPI description of the platform).
const ERROR: &str = "application/vnd.com.nsn.cumulocity.error+json";

/// An answer before it is written: status, headers, body.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// Whether it is JSON, so that `Accept` counts.
    json: bool,
}

impl Answer {
    /// JSON.
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, "application/json", value)
    }

    /// JSON of one of the platform's own types, `option` say.
    pub(super) fn vendor(status: u16, kind: &str, value: &Value) -> Self {
        Self::typed(status, &format!("application/vnd.com.nsn.cumulocity.{kind}+json"), value)
    }

    fn typed(status: u16, content_type: &str, value: &Value) -> Self {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Self { status, headers, body: value.to_string().into(), json: true }
    }

    /// A status alone.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), json: false }
    }

    /// Bytes of another type.
    pub(super) fn of_type(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("Content-Type", content_type.to_owned())];
        Self { status, headers, body: body.into(), json: false }
    }

    pub(super) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    /// Takes the body away if the client did not ask for it.
    pub(super) fn held_to_accept(mut self, method: &Method, headers: &HeaderMap) -> Self {
        let asked_by_method = *method == Method::POST || *method == Method::PUT;
        if self.json && asked_by_method && !accepts_json(headers) {
            self.body = Bytes::new();
            self.headers.retain(|(name, _)| *name != "Content-Type");
        }
        self
    }
}

/// Whether `Accept` names JSON, or anything.
fn accepts_json(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        let fits = matches!(media.as_str(), "*/*" | "application/*" | "application/json")
            || media.starts_with("application/vnd.com.nsn.cumulocity.") && media.ends_with("+json");
        fits && !refused
    })
}

/// Why a call is refused: what the answer says, and what only the list of connections says.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    status: u16,
    error: &'static str,
    message: String,
    /// The true reason, where the answer gives none.
    pub(super) reason: Option<String>,
    allow: Option<String>,
    /// Whether the answer is called plain JSON, not an error of the platform's.
    plain: bool,
}

impl Refusal {
    fn new(status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into(), reason: None, allow: None, plain: false }
    }

    /// The same, called plain JSON: so the description has it for proofs of possession and tokens.
    pub(super) fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// The same in other words.
    pub(super) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "general/badRequest", message)
    }

    /// 401. The answer does not say why.
    pub(super) fn unauthorized(reason: impl Into<String>) -> Self {
        let refusal = Self::new(401, "security/Unauthorized", "Invalid credentials.");
        refusal.because(reason)
    }

    /// 403.
    pub(super) fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(403, "security/Forbidden", "Access is denied.").because(reason)
    }

    /// 404.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "general/notFound", message)
    }

    /// 405, with the methods that there are.
    pub(super) fn method(allow: String) -> Self {
        let message = format!("Only {allow} can be used here.");
        let mut refusal = Self::new(405, "general/methodNotAllowed", message);
        refusal.allow = Some(allow);
        refusal
    }

    /// 409.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "general/conflict", message)
    }

    /// 413.
    pub(super) fn too_large(most: usize) -> Self {
        let message = format!("The body is larger than {most} bytes.");
        Self::new(413, "general/tooLarge", message)
    }

    /// 415.
    pub(super) fn media_type(wanted: &str) -> Self {
        let message = format!("The Content-Type must be {wanted}.");
        Self::new(415, "general/unsupportedMediaType", message)
    }

    /// 422.
    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "general/unprocessable", message)
    }

    /// 429 on purpose.
    pub(super) fn too_many() -> Self {
        Self::new(429, "general/tooManyRequests", "Too many requests.")
    }

    /// 500: a signature or random number failed.
    pub(super) fn broken(reason: impl std::fmt::Display) -> Self {
        let refusal = Self::new(500, "general/internalError", "The sandbox failed.");
        refusal.because(reason.to_string())
    }

    /// 503 on purpose.
    pub(super) fn unavailable() -> Self {
        Self::new(503, "general/unavailable", "The service is not available.")
    }

    fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The answer; `info` is the URL of a page that tells more.
    pub(super) fn answer(&self, info: &str) -> Answer {
        let value = json!({ "error": self.error, "message": self.message, "info": info });
        let kind = if self.plain { "application/json" } else { ERROR };
        let mut answer = Answer::typed(self.status, kind, &value);
        if self.status == 401 {
            answer = answer.with("WWW-Authenticate", "Basic realm=\"c8y-pki sandbox\"");
        }
        match &self.allow {
            Some(allow) => answer.with("Allow", allow.clone()),
            None => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_asking_for_json() {
        let accepts = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, text.parse().unwrap());
            accepts_json(&headers)
        };
        for yes in ["*/*", "application/json", "text/html, application/*;q=0.8"] {
            assert!(accepts(yes), "{yes}");
        }
        assert!(accepts("application/vnd.com.nsn.cumulocity.error+json"));
        for no in ["text/html", "application/json;q=0", "", "json"] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!accepts_json(&HeaderMap::new()));
    }
}
