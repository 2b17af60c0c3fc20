//! The page: what is there and what happened, for people, and the same as JSON. It is reached from
//! this machine only, and nothing secret is on it.
//!
//! The one thing that can be done here is to send an operation to a device that is connected: `POST
//! /operations/<device>`, the rows of SmartREST as the body. A browser is refused: its pages could be
//! anybody's.

use hyper::{HeaderMap, Method};
use serde_json::Value;

use super::answer::Answer;
use super::external::decoded;
use super::mqtt::LARGEST;
use super::state::OPERATIONS;

const PAGE: &str = include_str!("page.html");

/// The page loads nothing from elsewhere, whatever it shows.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'";

/// Whether a request was meant for this machine by the name in its `Host`. A page of somewhere else
/// whose name was made to resolve to this machine is not to read what is here.
pub(super) fn is_of_this_machine(host: Option<&str>) -> bool {
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    name.is_none_or(|name| ["127.0.0.1", "localhost"].contains(&name))
}

/// Whether a page sends it, and no program: browsers name the page's origin in what is posted (Fetch
/// Standard, "Origin"), and say where it goes to.
pub(super) fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key("Origin") || headers.contains_key("Sec-Fetch-Site")
}

/// The device to which a request brings an operation.
pub(super) fn device(path: &str) -> Option<String> {
    let id = path.strip_prefix("/operations/")?;
    (!id.is_empty()).then(|| decoded(id))
}

/// The most bytes that the rows of an operation can have: those of a message, with all of its header
/// (MQTT 3.1.1, 2.2 and 3.3).
pub(super) const MOST: usize = LARGEST - 1 - 3 - 2 - OPERATIONS.len() - 2;

/// Answers a request that brings an operation; `send` says whether it reaches the device.
pub(super) fn operation(
    device: &str,
    body: Option<&[u8]>,
    send: impl FnOnce(&str) -> bool,
) -> Answer {
    let text = |status, text: String| Answer::of_type(status, "text/plain; charset=utf-8", text);
    let Some(body) = body else {
        return text(413, format!("An operation has at most {MOST} bytes.\n"));
    };
    let rows = std::str::from_utf8(body).unwrap_or_default().trim_end_matches(['\r', '\n']);
    if rows.is_empty() {
        let wanted = "The body has to be rows of SmartREST, as UTF-8: 510,DEVICE for example.\n";
        return text(422, wanted.to_owned());
    }
    match send(rows) {
        true => Answer::empty(204),
        false => {
            text(404, format!("{device} is not connected, or has not subscribed {OPERATIONS}.\n"))
        }
    }
}

/// What is asked for as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// All of it.
    State,
    /// What is new, for the page.
    News,
}

/// Answers a request for the page.
pub(super) fn answer(method: &Method, path: &str, view: impl FnOnce(View) -> Value) -> Answer {
    let answer = match (method, path) {
        (&Method::GET, "/") => Answer::of_type(200, "text/html; charset=utf-8", PAGE),
        (&Method::GET, "/state.json") => Answer::json(200, &view(View::State)),
        (&Method::GET, "/news.json") => Answer::json(200, &view(View::News)),
        (_, "/" | "/state.json" | "/news.json") => Answer::empty(405).with("Allow", "GET"),
        _ => Answer::empty(404),
    };
    answer.with("Content-Security-Policy", POLICY).with("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_rows_for_a_device() {
        assert_eq!(device("/operations/gw-1").as_deref(), Some("gw-1"));
        assert_eq!(device("/operations/gw%201").as_deref(), Some("gw 1"));
        assert_eq!(device("/operations/"), None);
        assert_eq!(device("/state.json"), None);
        let status = |body: Option<&[u8]>, reaches| {
            operation("gw-1", body, |rows| reaches && rows == "510,gw-1").status
        };
        assert_eq!(status(Some(b"510,gw-1\r\n"), true), 204);
        assert_eq!(status(Some(b"510,gw-1"), false), 404);
        assert_eq!([status(Some(b"\n"), true), status(Some(b"\xff"), true)], [422, 422]);
        assert_eq!(status(None, true), 413);
    }

    #[test]
    fn the_page_is_for_this_machine() {
        for host in [None, Some("127.0.0.1:33939"), Some("localhost:33939"), Some("localhost")] {
            assert!(is_of_this_machine(host), "{host:?}");
        }
        for host in ["attacker.example:33939", "127.0.0.1.attacker.example", ""] {
            assert!(!is_of_this_machine(Some(host)), "{host}");
        }
    }
}
