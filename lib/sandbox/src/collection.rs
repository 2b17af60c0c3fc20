//! Collections page by page (platform: "REST": `statistics`, `self`, maybe `next` and `prev`).
//! Refused with 422: a page or page size that is no number from 1, a page size above 2000.

use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::call::Call;

const LARGEST: usize = 2000;
const DEFAULT: usize = 5;

/// One page of `all` under the name `items`; `base` is the URL of the collection.
pub(super) fn page(
    call: &Call,
    base: &str,
    items: &str,
    all: Vec<Value>,
) -> Result<Value, Refusal> {
    let current = number(call, "currentPage", 1, usize::MAX)?;
    let size = number(call, "pageSize", DEFAULT, LARGEST)?;
    let elements = all.len();
    let pages = elements.div_ceil(size);
    let mut statistics = json!({ "currentPage": current, "pageSize": size });
    if call.flag("withTotalElements")? {
        statistics["totalElements"] = elements.into();
    }
    if call.flag("withTotalPages")? {
        statistics["totalPages"] = pages.into();
    }
    let rest = call.query_without(&["currentPage", "pageSize"]);
    let link = |page: usize| {
        let and = if rest.is_empty() { "" } else { "&" };
        format!("{base}?{rest}{and}pageSize={size}&currentPage={page}")
    };
    let shown: Vec<Value> =
        all.into_iter().skip((current - 1).saturating_mul(size)).take(size).collect();
    let mut out = Map::new();
    out.insert("self".to_owned(), link(current).into());
    if current > 1 {
        out.insert("prev".to_owned(), link(current - 1).into());
    }
    if current < pages {
        out.insert("next".to_owned(), link(current + 1).into());
    }
    out.insert(items.to_owned(), shown.into());
    out.insert("statistics".to_owned(), statistics);
    Ok(out.into())
}

fn number(call: &Call, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
    let Some(text) = call.parameter(name) else { return Ok(default) };
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => {
            let bound = if most == LARGEST { format!(" to {most}") } else { String::new() };
            Err(Refusal::unprocessable(format!(
                "The parameter {name} is {text:?}; it must be a number from 1{bound}."
            )))
        }
    }
}
