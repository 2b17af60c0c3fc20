//! What failed, and why: those of one kind together, each id on a line of its own, to be copied.

use maud::{Markup, html};

use super::words::{commands, grouped, left_out, visible};
use super::{FailedStep, Picture, Why};

pub(super) fn failures(picture: &Picture) -> Markup {
    if picture.failures.is_empty() {
        return html! {};
    }
    html! {
        h2 id="failures" { "What failed, and why" }
        @for failure in &picture.failures { (kind(failure)) }
        (left_out(picture.kinds, picture.failures.len()))
    }
}

fn kind(failure: &FailedStep) -> Markup {
    let Why { step, what, cause, certain, remedy } = &failure.why;
    let because = if *certain { "Cause: " } else { "Likely cause: " };
    let more = failure.count - failure.ids.len();
    let ids: Vec<String> = failure.ids.iter().map(|id| visible(id)).collect();
    html! {
        section.failure {
            h3 {
                (grouped(failure.count)) @if failure.count == 1 { " device" } @else { " devices" }
                " failed at the step " (step)
            }
            p { (what) }
            @if let Some(cause) = cause { p { (because) (commands(cause)) } }
            @if let Some(remedy) = remedy { p.soft { "What to do: " (commands(remedy)) } }
            @if failure.of_each { p.soft { "“…” stands for the id of each device." } }
            @if ids.is_empty() { } @else {
                // One click selects them all.
                pre.ids { (ids.join("\n")) }
            }
            @if more > 0 { p.soft { "and " (grouped(more)) " more" } }
        }
    }
}
