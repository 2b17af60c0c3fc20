//! Answers and refusals. A refusal is one plain sentence; what is wrong on this side is for the log alone.

use super::limits;
use super::log::Note;
use crate::failure::Failure;
use crate::shown::Foreign;

/// An answer, and what the log has of it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) note: Note,
    /// A wrong password: the answer is held back.
    pub(super) is_wrong: bool,
}

/// No, and why.
pub(super) type Refusal = Box<Answer>;

pub(super) type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        let (headers, body, note) = (Vec::new(), Vec::new(), Note::default());
        Self { status, headers, body, note, is_wrong: false }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn sentence(status: u16, text: &str) -> Self {
        let text = Foreign::new(text);
        let mut answer = Self::new(status).with("Content-Type", "text/plain; charset=utf-8");
        answer.body = format!("{text}\n").into_bytes();
        answer.note.reason = Some(text.to_string());
        answer
    }

    /// One sentence for a person.
    pub(super) fn text(status: u16, text: &str) -> Self {
        let mut answer = Self::sentence(status, text);
        answer.note.reason = None;
        answer
    }

    /// What is answered as application/pkcs7-mime and the like: base64 in one line, since not every client reads
    /// several (RFC 7030, 4.1.3 and 4.2.3; RFC 8951, 3.1 drops the line ends).
    pub(super) fn base64(kind: &str, bytes: &[u8]) -> Self {
        use base64::Engine;
        let mut answer =
            Self::new(200).with("Content-Type", kind).with("Content-Transfer-Encoding", "base64");
        answer.body = base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes();
        answer
    }
}

/// 400: what was sent cannot be used.
pub(super) fn bad(why: &str) -> Refusal {
    Box::new(Answer::sentence(400, why))
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
pub(super) fn method(allowed: &'static str) -> Refusal {
    let why = format!("the method of this path is {allowed}");
    Box::new(Answer::sentence(405, &why).with("Allow", allowed))
}

/// 408: the body did not come in time.
pub(super) fn too_slow() -> Refusal {
    let seconds = limits::BODY_TIME.as_secs();
    let why = format!("the body of the request did not come within {seconds} seconds");
    Box::new(Answer::sentence(408, &why).with("Connection", "close"))
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
