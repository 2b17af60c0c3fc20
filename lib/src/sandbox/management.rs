//! The page: what is there and what happened, for people, and the same as JSON. It is reached from
//! this machine only, nothing can be changed by it, and nothing secret is on it.

use hyper::Method;
use serde_json::Value;

use super::answer::Answer;

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

#[cfg(test)]
mod tests {
    use super::*;

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
