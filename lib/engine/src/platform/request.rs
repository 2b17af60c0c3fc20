//! A request to the platform as a value: made by pure functions, shown by `--dry-run`, sent by
//! [`Client`](super::Client).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// HTTP methods that the platform's interface uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or starts something.
    Post,
    /// Changes something.
    Put,
    /// Removes something.
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        })
    }
}

/// When a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A second time changes nothing more: also when nobody knows whether the first took effect.
    Always,
    /// Only when the server said that it did nothing (429, 503), or could not be reached at all.
    IfUndone,
}

/// Bytes of an answer, unless a request expects more. The largest of them are those about the tenant and its
/// user, which list applications with their manifests: some kibibytes each, hundreds of them at most.
pub(super) const MOST: usize = 4 << 20;

/// What a request carries.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// multipart/form-data with the one part `file` of type text/csv.
    Csv {
        /// The file's name.
        name: String,
        /// Its bytes.
        bytes: Vec<u8>,
        /// What is shown in their place, if there are secrets in them.
        shown: Option<Vec<u8>>,
    },
    /// multipart/form-data with the one part `file`: certificates in PEM.
    Pem {
        /// The file's name.
        name: String,
        /// What it says.
        text: String,
    },
    /// A PKCS#10 request as EST sends it: base64 of its DER (RFC 7030, 4.2.1).
    Pkcs10(String),
}

impl Body {
    /// A CSV without secrets.
    pub fn csv(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self::Csv { name: name.into(), bytes, shown: None }
    }
}

/// The bytes of files stay out of it: they may be secret.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Json(value) => write!(f, "Json({value})"),
            Self::Pkcs10(text) => write!(f, "Pkcs10({text})"),
            Self::Pem { name, .. } => write!(f, "Pem({name:?})"),
            Self::Csv { name, bytes, .. } => write!(f, "Csv({name:?}, {} bytes)", bytes.len()),
        }
    }
}

/// A request to the platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// The path, from `/`.
    pub path: String,
    /// The query's parameters.
    pub query: Vec<(&'static str, String)>,
    /// Header fields besides those that all requests have.
    pub headers: Vec<(&'static str, String)>,
    /// What it carries.
    pub body: Body,
    /// When it may be sent again.
    pub repeat: Repeat,
    /// The role that the platform asks for, to explain a 403.
    pub role: Option<&'static str>,
    /// Most bytes of its answer that are read.
    pub most: usize,
    /// Media types of an answer. The platform answers POST and PUT with an empty body without it.
    pub accept: &'static str,
}

impl Request {
    /// A request that reads.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path, Body::None)
    }

    /// A request that may be repeated.
    pub fn new(method: Method, path: impl Into<String>, body: Body) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body,
            repeat: Repeat::Always,
            role: None,
            most: MOST,
            accept: "application/json",
        }
    }

    /// A request to somebody else than the platform: of the answer counts its status, and its body is not read.
    pub(super) fn to_others(path: &str, body: Body) -> Self {
        Self { most: 0, accept: "*/*", ..Self::new(Method::Post, path, body) }
    }

    /// With a parameter in the query.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// With a header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the role that it needs.
    #[must_use]
    pub fn role(mut self, role: &'static str) -> Self {
        self.role = Some(role);
        self
    }

    /// For an answer of another size.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// For an answer of a type of its own: the one that the platform's description has for it. Plain JSON may
    /// stand behind it, which every release gives.
    #[must_use]
    pub fn accept(mut self, types: &'static str) -> Self {
        self.accept = types;
        self
    }

    /// To be repeated only when it is known to have had no effect.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.repeat = Repeat::IfUndone;
        self
    }
}

/// How `--dry-run` shows it: what goes over the wire, without credentials, and of a file the first
/// lines.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINES: usize = 6;
        write!(f, "{} {}", self.method, self.path)?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        writeln!(f)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        match &self.body {
            Body::None => Ok(()),
            // One of its own stands among the header fields.
            Body::Json(value) if self.headers.iter().any(|(name, _)| *name == "Content-Type") => {
                writeln!(f, "\n{value:#}")
            }
            Body::Json(value) => writeln!(f, "Content-Type: application/json\n\n{value:#}"),
            Body::Pkcs10(text) => writeln!(f, "Content-Type: application/pkcs10\n\n{text}"),
            Body::Pem { name, text } => {
                writeln!(
                    f,
                    "Content-Type: multipart/form-data; file {name:?}, PEM\n\n{}",
                    text.trim_end()
                )
            }
            Body::Csv { name, bytes, shown } => {
                writeln!(f, "Content-Type: multipart/form-data; file {name:?}, text/csv\n")?;
                let text = String::from_utf8_lossy(shown.as_ref().unwrap_or(bytes));
                for line in text.lines().take(LINES) {
                    writeln!(f, "{line}")?;
                }
                match text.lines().count().saturating_sub(LINES) {
                    0 => Ok(()),
                    more => writeln!(f, "… and {more} more lines"),
                }
            }
        }
    }
}

/// What stands for itself in a segment of a path: unreserved characters (RFC 3986, 2.3).
pub(super) const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A value as one segment of a path (RFC 3986, 3.3).
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_in_its_segment() {
        assert_eq!(segment("aZ9-_.~"), "aZ9-_.~");
        assert_eq!(segment("a/b?c d%ä"), "a%2Fb%3Fc%20d%25%C3%A4");
    }

    #[test]
    fn a_request_reads_as_it_is_sent() {
        let request = Request::get("/tenant/x").with("pageSize", 100).with("currentPage", 2);
        assert_eq!(request.to_string(), "GET /tenant/x?pageSize=100&currentPage=2\n");
        let csv = "ID\n".to_owned() + &"gw\n".repeat(9);
        let body = Body::csv("d.csv", csv.into_bytes());
        let text = Request::new(Method::Post, "/b", body).to_string();
        assert!(text.ends_with("gw\n… and 4 more lines\n"), "{text}");
    }

    #[test]
    fn no_value_leaves_its_segment() {
        assert_eq!(segment("t1/../x?y#z ä"), "t1%2F..%2Fx%3Fy%23z%20%C3%A4");
    }
}
