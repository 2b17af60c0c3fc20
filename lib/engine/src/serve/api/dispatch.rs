//! Which request is for which operation, and whether its token or client certificate has the role.

use percent_encoding::percent_decode_str;

use super::ask::Ask;
use super::table::{OPERATIONS, Operation};
use super::{access, describe};
use crate::serve::answer::{Answer, Result, bad, forbidden, method, not_found};
use crate::serve::call::Call;
use crate::serve::state::Shared;
use crate::serve::token::Token;

/// Where the OpenAPI document is.
const DOCUMENT: &str = "/v1/openapi.json";

/// Whether a path is one of the API.
pub(in crate::serve) fn has(path: &str) -> bool {
    path.starts_with("/v1/") || path == "/metrics"
}

/// The path of an operation as its template has it.
pub(in crate::serve) fn path_of(path: &str) -> Option<&'static str> {
    let all = OPERATIONS.iter().map(|one| one.path).chain([DOCUMENT]);
    all.into_iter().find(|template| words(template, path).is_some())
}

/// Answers a request of the API. Nobody learns what there is before it is known who asks.
pub(in crate::serve) fn answer(shared: &Shared, call: &Call) -> Result<Answer> {
    if call.path == DOCUMENT {
        return match call.method.as_str() {
            "GET" => Ok(Answer::json(&describe::document())),
            _ => Err(method("GET")),
        };
    }
    let token = access::client(shared, call)?;
    let note = |mut answer: Answer| {
        answer.note.token = Some(token.name.clone());
        answer.note.by = Some(token.by());
        answer
    };
    of_token(shared, call, &token).map(note).map_err(|refusal| Box::new(note(*refusal)))
}

fn of_token(shared: &Shared, call: &Call, token: &Token) -> Result<Answer> {
    let there: Vec<(&Operation, Vec<&str>)> =
        OPERATIONS.iter().filter_map(|one| Some((one, words(one.path, &call.path)?))).collect();
    if there.is_empty() {
        return Err(not_found(&format!("there is nothing at {}", call.path)));
    }
    let Some((operation, words)) = there.iter().find(|(one, _)| one.method == call.method.as_str())
    else {
        let allowed: Vec<&str> = there.iter().map(|(one, _)| one.method).collect();
        return Err(method(&allowed.join(", ")));
    };
    if !token.may(operation.role) {
        return Err(forbidden(&format!("the {token} does not have the role {}", operation.role)));
    }
    let decoded =
        |word: &&str| percent_decode_str(word).decode_utf8().map(|text| text.into_owned());
    let words = words.iter().map(decoded).collect::<std::result::Result<_, _>>();
    let words = words.map_err(|_| bad("the path is not UTF-8 once %-signs are decoded"))?;
    (operation.work)(&Ask { shared, call, token, words })
}

/// What a path has where a template has names; none if it is another path.
fn words<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let (mut wanted, mut given, mut words) = (template.split('/'), path.split('/'), Vec::new());
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(words),
            (Some(name), Some(word)) if name.starts_with('{') && !word.is_empty() => {
                words.push(word)
            }
            (Some(same), Some(word)) if same == word => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_takes_its_words_out_of_a_path() {
        let template = "/v1/orders/{order}/devices/{id}";
        assert_eq!(words(template, "/v1/orders/a/devices/b%2F"), Some(vec!["a", "b%2F"]));
        for other in [
            "/v1/orders/a",
            "/v1/orders/a/devices/",
            "/v1/orders//devices/b",
            "/v1/x/a/devices/b",
            "/v1/orders/a/devices/b/",
        ] {
            assert_eq!(words(template, other), None, "{other}");
        }
    }
}
