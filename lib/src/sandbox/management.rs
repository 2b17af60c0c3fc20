//! The page: what is there and what happened, for people, and the same as JSON. It is reached from
//! this machine only, nothing can be changed by it, and nothing secret is on it.

use hyper::Method;
use serde_json::Value;

use super::answer::Answer;

const PAGE: &str = include_str!("page.html");

/// The page loads nothing from elsewhere, whatever it shows.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'";

/// Answers a request for the page.
pub(super) fn answer(method: &Method, path: &str, state: impl FnOnce() -> Value) -> Answer {
    let answer = match (method, path) {
        (&Method::GET, "/") => Answer::of_type(200, "text/html; charset=utf-8", PAGE),
        (&Method::GET, "/state.json") => Answer::json(200, &state()),
        (_, "/" | "/state.json") => Answer::empty(405).with("Allow", "GET"),
        _ => Answer::empty(404),
    };
    answer.with("Content-Security-Policy", POLICY).with("Cache-Control", "no-store")
}
