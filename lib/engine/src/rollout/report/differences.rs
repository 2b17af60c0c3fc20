//! What is not as the file wants it, and was left so.

use maud::{Markup, html};

use super::super::diff::{Finding, Sign};
use super::Picture;
use super::words::{commands, grouped, left_out, visible};
use crate::shown;

/// How many ids a row names.
const MOST_IDS: usize = 10;

pub(super) fn differences(picture: &Picture) -> Markup {
    if picture.left.is_empty() {
        return html! {};
    }
    html! {
        h2 id="differences" { "Not as the file wants it, and left as it is" }
        div.wide {
            table {
                thead { tr { th { "Key of the file" } th { "What" } th { "Difference" } th { "Devices" } th { "To apply it" } } }
                tbody { @for (finding, by) in &picture.left { (row(finding, by.as_deref())) } }
            }
        }
        (left_out(picture.differences, picture.left.len()))
    }
}

fn row(finding: &Finding, by: Option<&str>) -> Markup {
    let none = || "nothing".to_owned();
    let (old, new) = (finding.old.clone(), finding.new.clone());
    html! {
        tr {
            td.state { code { (finding.key) } }
            td data-label="What" { (finding.name) }
            td data-label="Difference" {
                @if finding.sign == Sign::Unlisted { "no longer in the file: " }
                (finding.detail)
                @if old.is_some() || new.is_some() {
                    @if !finding.detail.is_empty() { ": " }
                    (old.unwrap_or_else(none)) " → " (new.unwrap_or_else(none))
                }
            }
            td data-label="Devices" { (devices(finding)) }
            td data-label="To apply it" {
                @match by { Some(by) => (commands(by)), None => span.soft { "–" } }
            }
        }
    }
}

fn devices(finding: &Finding) -> Markup {
    let ids: Vec<String> = finding.ids.iter().take(MOST_IDS).map(|id| visible(id)).collect();
    let more = finding.devices.saturating_sub(ids.len());
    html! {
        @if finding.devices == 0 { span.soft { "–" } } @else {
            (shown::count(grouped(finding.devices), "device"))
            p.soft { (ids.join(", ")) @if more > 0 { " and " (grouped(more)) " more" } }
        }
    }
}
