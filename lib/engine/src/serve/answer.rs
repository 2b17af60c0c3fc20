//! Answers and refusals. A refusal is one plain sentence; what is wrong on this side is for the log alone.

use std::io;

use hyper::body::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::limits;
use super::log::Note;
use crate::failure::Failure;
use crate::pki::Issued;
use crate::secret::SecretBytes;
use crate::shown::Foreign;

/// An answer, and what the log has of it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
    pub(super) note: Note,
    /// A wrong password: the answer is held back.
    pub(super) is_wrong: bool,
}

/// What is in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// Bytes that are wiped when they are sent.
    Secret(SecretBytes),
    /// One sentence. What it looks like depends on who asks: see [`Form`].
    Sentence(String),
}

/// Wiped when the last who has it is done with it.
struct Wiped(SecretBytes);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Problem details (RFC 9457). The type is `about:blank`, which may be left out: the status says it all.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// What the status means.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong: one sentence.
    detail: String,
}

/// What a sentence looks like in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For a person.
    Text,
    /// For a program: problem details (RFC 9457).
    Problem,
}

/// No, and why.
pub(super) type Refusal = Box<Answer>;

pub(super) type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        let (headers, body, note) = (Vec::new(), Body::Bytes(Vec::new()), Note::default());
        Self { status, headers, body, note, is_wrong: false }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn sentence(status: u16, text: &str) -> Self {
        let text = Foreign::new(text).to_string();
        let mut answer = Self::new(status);
        answer.note.reason = Some(text.clone());
        answer.body = Body::Sentence(text);
        answer
    }

    /// Bytes of a type.
    pub(super) fn of(kind: &'static str, bytes: Vec<u8>) -> Self {
        let mut answer = Self::new(200).with("Content-Type", kind);
        answer.body = Body::Bytes(bytes);
        answer
    }

    /// A value as JSON.
    pub(super) fn json(value: &impl Serialize) -> Self {
        Self::of("application/json", serde_json::to_vec(value).unwrap_or_default())
    }

    /// A value with secrets as JSON: what is made of it here is wiped when it is sent. What sends it has buffers of its
    /// own.
    pub(super) fn secret_json(value: &impl Serialize) -> Self {
        let mut answer = Self::of("application/json", Vec::new());
        answer.body = Body::Secret(secret_json(value));
        answer
    }

    /// With what the log has of a certificate.
    pub(super) fn issued(mut self, issued: &Issued) -> Self {
        self.note.device = Some(issued.id.to_string());
        self.note.serial = Some(issued.certificate.serial.to_string());
        self.note.is_new = Some(issued.is_new);
        self
    }

    /// As it is sent: headers and body.
    pub(super) fn into_parts(self, form: Form) -> (Vec<(&'static str, String)>, Bytes) {
        let mut headers = self.headers;
        let (kind, body) = match (self.body, form) {
            (Body::Bytes(bytes), _) => return (headers, bytes.into()),
            (Body::Secret(secret), _) => return (headers, Bytes::from_owner(Wiped(secret))),
            (Body::Sentence(text), Form::Text) => {
                ("text/plain; charset=utf-8", format!("{text}\n").into_bytes())
            }
            (Body::Sentence(text), Form::Problem) => {
                let code = hyper::StatusCode::from_u16(self.status).ok();
                let title = code.and_then(|code| code.canonical_reason());
                let (title, detail) = (title.unwrap_or_default().to_owned(), text);
                let problem = Problem { title, status: self.status, detail };
                ("application/problem+json", serde_json::to_vec(&problem).unwrap_or_default())
            }
        };
        headers.push(("Content-Type", kind.to_owned()));
        (headers, body.into())
    }

    /// One sentence for a person.
    pub(super) fn text(status: u16, text: &str) -> Self {
        let mut answer = Self::sentence(status, text);
        answer.note.reason = None;
        answer
    }

    /// What is answered as application/pkcs7-mime and the like: base64 in one line, since not every client reads
    /// several (RFC 7030, 4.1.3 and 4.2.3; RFC 8951, 3.1 drops the line ends).
    pub(super) fn base64(kind: &'static str, bytes: &[u8]) -> Self {
        use base64::Engine;
        let body = base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes();
        Self::of(kind, body).with("Content-Transfer-Encoding", "base64")
    }
}

/// A value as JSON, in a buffer that has its size from the beginning on: one that grows leaves copies behind.
fn secret_json(value: &impl Serialize) -> SecretBytes {
    let mut size = Size(0);
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(&mut size, value);
    let mut bytes = Vec::with_capacity(size.0);
    let _ = serde_json::to_writer(&mut bytes, value);
    SecretBytes::new(bytes)
}

/// Counts what is written.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 400: what was sent cannot be used.
pub(super) fn bad(why: &str) -> Refusal {
    Box::new(Answer::sentence(400, why))
}

/// 401: it is not known who asks the API.
pub(super) fn no_token(why: &str, error: Option<&str>) -> Refusal {
    let error = error.map(|code| format!(", error=\"{code}\"")).unwrap_or_default();
    let challenge = format!("Bearer realm=\"c8y-pki\"{error}");
    Box::new(Answer::sentence(401, why).with("WWW-Authenticate", challenge))
}

/// 429: too many tokens that are none.
pub(super) fn too_many(why: &str, seconds: u64) -> Refusal {
    Box::new(Answer::sentence(429, why).with("Retry-After", seconds.to_string()))
}

/// 401: it is not known who asks.
pub(super) fn unauthorized(why: &str) -> Refusal {
    let challenge = "Basic realm=\"EST\", charset=\"UTF-8\"";
    Box::new(Answer::sentence(401, why).with("WWW-Authenticate", challenge))
}

/// 403: who asks does not get it.
pub(super) fn forbidden(why: &str) -> Refusal {
    Box::new(Answer::sentence(403, why))
}

/// 404: there is no such thing here.
pub(super) fn not_found(why: &str) -> Refusal {
    Box::new(Answer::sentence(404, why))
}

/// 405: another method.
pub(super) fn method(allowed: &str) -> Refusal {
    let why = format!("the method of this path is {allowed}");
    Box::new(Answer::sentence(405, &why).with("Allow", allowed))
}

/// 408: the body did not come in time.
pub(super) fn too_slow() -> Refusal {
    let seconds = limits::BODY_TIME.as_secs();
    let why = format!("the body of the request did not come within {seconds} seconds");
    Box::new(Answer::sentence(408, &why).with("Connection", "close"))
}

/// 409: as things are, it cannot be.
pub(super) fn conflict(why: &str) -> Refusal {
    Box::new(Answer::sentence(409, why))
}

/// 413: a body that is too large.
pub(super) fn too_large() -> Refusal {
    let why = format!("the body of the request has more than {} bytes", limits::BODY);
    Box::new(Answer::sentence(413, &why).with("Connection", "close"))
}

/// 415: another type of body.
pub(super) fn media_type(wanted: &str) -> Refusal {
    Box::new(Answer::sentence(415, &format!("the Content-Type of the request must be {wanted}")))
}

/// 503: it may pass.
pub(super) fn busy(why: &str) -> Refusal {
    let after = limits::RETRY_AFTER.to_string();
    Box::new(Answer::sentence(503, why).with("Retry-After", after))
}

/// 503, since something is wrong on this side. The client is not told what.
pub(super) fn failed(error: &dyn Failure) -> Refusal {
    let mut refusal = busy("the service cannot do it now; its log says why; try again later");
    refusal.note.reason = Some(Foreign::new(error.to_string()).to_string());
    refusal.note.hint = error.hint().map(|hint| hint.to_string());
    refusal
}
