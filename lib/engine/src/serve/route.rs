//! Which request is for what.
//!
//! `/.well-known/est/OPERATION` (RFC 7030, 3.2.2), and with the name of the CA as label before the operation;
//! `/v1/` and `/metrics` are the API, `/page` a page that uses it; `/healthz` and `/readyz` are for those who look after the service.

use super::answer::{Answer, Form, Result, method, not_found};
use super::call::Call;
use super::state::Shared;
use super::{api, enrol, page};
use crate::store::pkcs7;

const EST: &str = "/.well-known/est/";

/// Answers a request. It waits for the disk.
pub(super) fn answer(shared: &Shared, call: &Call) -> Answer {
    route(shared, call).unwrap_or_else(|refusal| *refusal)
}

/// The path with which a request is counted: one of those that there are.
pub(super) fn counted_as(path: &str) -> &'static str {
    const OTHERS: [&str; 3] = ["/healthz", "/readyz", page::PATH];
    const OPERATIONS: [&str; 4] = ["cacerts", "csrattrs", "simpleenroll", "simplereenroll"];
    let known = OTHERS.into_iter().find(|known| *known == path).or_else(|| api::path_of(path));
    known.unwrap_or_else(|| {
        let last = path.strip_prefix(EST).and_then(|rest| rest.rsplit('/').next());
        OPERATIONS.into_iter().find(|known| last == Some(known)).unwrap_or("other")
    })
}

/// What a sentence looks like to who asks for a path.
pub(super) fn form(path: &str) -> Form {
    if api::has(path) { Form::Problem } else { Form::Text }
}

fn route(shared: &Shared, call: &Call) -> Result<Answer> {
    match call.path.as_str() {
        "/healthz" => with(call, "GET", || Ok(Answer::text(200, "ok"))),
        "/readyz" => {
            with(call, "GET", || shared.check_ready(call.now).map(|()| Answer::text(200, "ready")))
        }
        page::PATH if shared.page => with(call, "GET", || Ok(page::answer())),
        path if api::has(path) => api::answer(shared, call),
        path => match operation(path, || Ok(shared.ca()?.name))? {
            "cacerts" => with(call, "GET", || authorities(shared)),
            // Nothing is asked of requests beyond what stands here already (RFC 7030, 4.5.2).
            "csrattrs" => with(call, "GET", || Ok(Answer::new(204))),
            "simpleenroll" => with(call, "POST", || enrol::first(shared, call)),
            "simplereenroll" => with(call, "POST", || enrol::again(shared, call)),
            other => Err(not_found(&format!("this service does not have the operation {other}"))),
        },
    }
}

/// The operation that a path names.
fn operation(path: &str, ca: impl FnOnce() -> Result<String>) -> Result<&str> {
    let rest = path.strip_prefix(EST);
    let rest = rest.ok_or_else(|| not_found(&format!("there is nothing at {path}")))?;
    let Some((label, operation)) = rest.split_once('/') else { return Ok(rest) };
    let ca = ca()?;
    if label == ca {
        return Ok(operation);
    }
    Err(not_found(&format!("this service is for the CA {ca} and not for {label}")))
}

fn with(
    call: &Call,
    wanted: &'static str,
    work: impl FnOnce() -> Result<Answer>,
) -> Result<Answer> {
    if call.method.as_str() == wanted { work() } else { Err(method(wanted)) }
}

/// `GET /cacerts`: the CA's certificate and those above it, the root last (RFC 7030, 4.1.3).
fn authorities(shared: &Shared) -> Result<Answer> {
    let ca = shared.ca()?;
    Ok(Answer::base64("application/pkcs7-mime", &pkcs7::write(&ca.chain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_name_of_the_ca() {
        let found = |path: &str| operation(path, || Ok("line".to_owned())).map(str::to_owned).ok();
        assert_eq!(found("/.well-known/est/cacerts").as_deref(), Some("cacerts"));
        assert_eq!(found("/.well-known/est/line/cacerts").as_deref(), Some("cacerts"));
        for other in ["/", "/cacerts", "/.well-known/est", "/.well-known/est/root/cacerts"] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
