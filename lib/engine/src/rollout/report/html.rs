//! The page. Whatever it shows is escaped by the macro that writes it.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::OffsetDateTime;

use super::super::plan::{Action, Step};
use super::chart::{self, Bar};
use super::{At, CaRow, DeviceRow, Devices, FailedStep, MARK, MOST_ROWS, Picture, Why};
use crate::shown::{lines, one_line};

const STYLE: &str = include_str!("style.css");
/// Nothing is loaded and nothing runs, whatever the page holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// What ends within so many days is worth a colour.
const SOON_DAYS: i64 = 30;

pub(super) fn page(picture: &Picture) -> String {
    let page = html! {
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { "Rollout of " (picture.file) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(picture))
                (failures(picture))
                (cas(picture))
                (expiry(&picture.devices, picture.at))
                (steps(&picture.steps))
                (devices(&picture.devices, picture.at))
                footer { "Made by c8y-pki " (env!("CARGO_PKG_VERSION")) ", " (moment(picture.at)) "." }
            }
        }
    };
    let (_, mark) = MARK.split_at(DOCTYPE.0.len());
    // Escaped for HTML by the macro; bidirectional characters and the like are none of its business.
    lines(&format!("{}{mark}{}\n", DOCTYPE.0, page.into_string())).into_owned()
}

fn head(picture: &Picture) -> Markup {
    let devices = &picture.devices;
    html! {
        h1 { "Rollout of " (picture.file) }
        p.soft {
            (moment(picture.at))
            @if let At::Tenant(tenant) = &picture.tenant { ", tenant " (tenant) }
            @if let Some(place) = &devices.place { ", connections tested at " (place) }
        }
        @if picture.tenant == At::Sandbox {
            p.rehearsal {
                strong { "A rehearsal. " }
                "The tenant was a sandbox on this computer. This run uploaded nothing to a platform."
            }
        }
        ul.cards {
            (card(picture.cas.len(), None, "CAs"))
            (card(devices.issued, Some(devices.listed), "devices with a certificate"))
            @if let Some(registered) = devices.registered {
                (card(registered, Some(devices.listed), "registered at the tenant"))
            }
            @if let Some((connected, tried)) = devices.connected {
                (card(connected, Some(tried), "connected in the test"))
            }
            @if picture.failed > 0 { li.bad { b { (grouped(picture.failed)) } "failed" } }
        }
        @if let Some((what, remedy)) = &picture.ended {
            div.alert role="alert" {
                p { strong.bad { "The run stopped before its end: " } (what) }
                @if let Some(remedy) = remedy { p { "What to do: " (commands(remedy)) } }
            }
        }
    }
}

/// A number; of how many, if some may be missing.
fn card(number: usize, all: Option<usize>, what: &str) -> Markup {
    html! {
        li {
            b {
                (grouped(number))
                @if let Some(all) = all.filter(|all| *all != number) { small.bad { " of " (grouped(all)) } }
            }
            (what)
        }
    }
}

fn failures(picture: &Picture) -> Markup {
    if picture.failures.is_empty() {
        return html! {};
    }
    html! {
        h2 id="failures" { "What failed, and why" }
        div.wide {
            table {
                thead { tr { th { "Devices" } th { "Step" } th { "What was seen" } } }
                tbody { @for failure in &picture.failures { (failure_row(failure)) } }
            }
        }
        (left_out(picture.kinds, picture.failures.len()))
    }
}

fn failure_row(failure: &FailedStep) -> Markup {
    let Why { step, what, cause, certain, remedy } = &failure.why;
    let because = if *certain { "Cause: " } else { "Likely cause: " };
    let more = failure.count - failure.ids.len();
    html! {
        tr {
            td.ids {
                @if failure.count > 1 { p { strong { (grouped(failure.count)) } } }
                @for id in &failure.ids { code { (visible(id)) } " " }
                @if more > 0 { span.soft { "and " (grouped(more)) " more" } }
            }
            td { (step) }
            td {
                (what)
                @if let Some(cause) = cause { p { (because) (commands(cause)) } }
                @if let Some(remedy) = remedy { p.soft { "What to do: " (commands(remedy)) } }
            }
        }
    }
}

fn cas(picture: &Picture) -> Markup {
    if picture.cas.is_empty() {
        return html! {};
    }
    let from = picture.cas.iter().map(|ca| ca.not_before).min().unwrap_or(picture.at);
    let to = picture.cas.iter().map(|ca| ca.not_after).max().unwrap_or(picture.at);
    html! {
        h2 id="cas" { "CAs" }
        div.wide {
            table {
                thead {
                    tr {
                        th { "Name" } th { "Subject" } th { "Key" } th { "Valid" }
                        th.soft { (from.year()) " to " (to.year()) } th { "Devices" } th { "At the tenant" }
                    }
                }
                tbody { @for ca in &picture.cas { (ca_row(ca, picture.at, from, to)) } }
            }
        }
        @for sentence in &picture.shortened { p.note { "Shortened: " (sentence) "." } }
    }
}

fn ca_row(ca: &CaRow, at: OffsetDateTime, from: OffsetDateTime, to: OffsetDateTime) -> Markup {
    let percent = |moment: OffsetDateTime| {
        let all = (to - from).as_seconds_f64().max(1.0);
        100.0 * ((moment - from).as_seconds_f64() / all).clamp(0.0, 1.0)
    };
    let (start, end) = (percent(ca.not_before), percent(ca.not_after));
    let place = format!("left:{start:.2}%;width:{:.2}%", end - start);
    let path = ca
        .path_length
        .map_or_else(|| "no limit for CAs below".to_owned(), |n| format!("path length {n}"));
    html! {
        tr {
            td.state style=(format!("padding-left:{}em", 1.5 * ca.depth as f64)) {
                @if ca.depth > 0 { span.soft aria-hidden="true" { "└ " } }
                strong { (ca.name) }
            }
            td { (ca.subject) p.soft { code { (ca.fingerprint) } } (verdict(ca)) }
            td.state { (ca.key) p.soft { (path) } }
            td.date { (day(ca.not_before)) br; (until(ca.not_after, at)) }
            td { div.span { div style=(place) title=(format!("{} to {}", day(ca.not_before), day(ca.not_after))) {} } }
            td { (grouped(ca.issued)) }
            td.state { (trusted(ca)) }
        }
    }
}

fn verdict(ca: &CaRow) -> Markup {
    html! {
        @match &ca.verdict {
            Ok(warnings) => {
                @for warning in warnings { p.soft { "warning: " (warning) "; servers do not enforce it" } }
            },
            Err(why) => p.bad { "devices of this CA cannot connect: " (why) },
        }
    }
}

fn trusted(ca: &CaRow) -> Markup {
    html! {
        @match ca.trusted {
            None => span.soft { "–" },
            Some(true) => span.good { "trusted" },
            Some(false) => span.bad { "not trusted" },
        }
        @match ca.proven {
            None => {},
            Some(true) => { br; span.good { "proof of possession complete" } },
            Some(false) => { br; span.bad { "proof of possession missing" } },
        }
    }
}

fn expiry(devices: &Devices, at: OffsetDateTime) -> Markup {
    let bars = chart::bars(&devices.expiry);
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or_default();
    if most == 0 {
        return html! {};
    }
    let within = |days: i64| -> usize {
        let end = at.date().saturating_add(time::Duration::days(days));
        devices.expiry.range(..=end).map(|(_, count)| count).sum()
    };
    let first = devices.expiry.keys().next().map(ToString::to_string).unwrap_or_default();
    html! {
        h2 id="expiry" { "When certificates expire" }
        p {
            "The first device certificates expire on " strong { (first) } ". Certificates that expire \
             within 30 days: "
            (grouped(within(30))) ", within 90 days: " (grouped(within(90))) ", within a year: " (grouped(within(365))) "."
        }
        ul.chart aria-label="Device certificates by the date on which they expire" {
            @for bar in &bars { (bar_of(bar, most)) }
        }
    }
}

fn bar_of(bar: &Bar, most: usize) -> Markup {
    // The label and the number take their part of the height.
    let height = format!("height:{:.1}%", 78.0 * bar.count as f64 / most as f64);
    html! {
        li title=(format!("{}: {}", bar.label, grouped(bar.count))) {
            @if bar.count > 0 { span { (grouped(bar.count)) } }
            div style=(height) {}
            small { (bar.label) }
        }
    }
}

fn steps(steps: &[Step]) -> Markup {
    if steps.is_empty() {
        return html! {};
    }
    let class = |step: &Step| match step.action {
        Action::Keep => "soft",
        _ if !step.done => "bad",
        Action::Connect => "",
        _ => "good",
    };
    html! {
        h2 id="steps" { "What was done" }
        div.wide {
            table {
                thead { tr { th { "Step" } th { "Kind" } th { "Name" } th { "Details" } } }
                tbody {
                    @for step in steps {
                        tr {
                            td.state { span class=(class(step)) { (step.word()) } }
                            td { (step.kind) } td { (step.name) } td { (step.detail) }
                        }
                    }
                }
            }
        }
    }
}

fn devices(devices: &Devices, at: OffsetDateTime) -> Markup {
    if devices.rows.is_empty() {
        return html! {};
    }
    html! {
        h2 id="devices" { "Devices" }
        div.wide {
            table {
                thead {
                    tr {
                        th { "Device" } th { "Serial number" } th { "Valid from" } th { "Valid until" }
                        th { "Registered" } th { "Connected" }
                    }
                }
                tbody { @for row in &devices.rows { (device(row, at)) } }
            }
        }
        (left_out(devices.listed, devices.rows.len()))
    }
}

fn device(row: &DeviceRow, at: OffsetDateTime) -> Markup {
    html! {
        tr {
            td { code { (visible(&row.id)) } }
            @match &row.certificate {
                Some((serial, from, end)) => {
                    td { code.soft { (serial) } }
                    td.date { (day(*from)) }
                    td.date { (until(*end, at)) }
                }
                None => td colspan="3" { span.bad { "no live certificate" } },
            }
            td.state { (yes_or_no(row.registered)) }
            td.state { (yes_or_no(row.connected)) }
        }
    }
}

fn yes_or_no(state: Option<bool>) -> Markup {
    match state {
        Some(true) => html! { span.good { "yes" } },
        Some(false) => html! { strong.bad { "no" } },
        None => html! { span.soft { "–" } },
    }
}

/// An identifier in which nothing hides.
fn visible(id: &str) -> String {
    match id {
        "" => "(empty)".to_owned(),
        id => one_line(id).into_owned(),
    }
}

/// What was cut off, if anything was.
fn left_out(all: usize, shown: usize) -> Markup {
    let rest = all.saturating_sub(shown);
    html! { @if shown == MOST_ROWS && rest > 0 { p.soft { "… and " (grouped(rest)) " more." } } }
}

/// Text in which backquotes enclose what is typed.
fn commands(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The end of a validity, in the colour of its distance.
fn until(end: OffsetDateTime, at: OffsetDateTime) -> Markup {
    let days = (end - at).whole_days();
    let class = match days {
        _ if end < at => "bad",
        ..=SOON_DAYS => "note",
        _ => "",
    };
    html! { span class=(class) title=(moment(end)) { (day(end)) @if end < at { " (expired)" } } }
}

fn day(at: OffsetDateTime) -> String {
    at.date().to_string()
}

fn moment(at: OffsetDateTime) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.format(format).unwrap_or_else(|_| at.to_string())
}

/// `12 345`, with a narrow space that does not break.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1\u{202f}000");
        assert_eq!(grouped(12_345_678), "12\u{202f}345\u{202f}678");
    }

    #[test]
    fn what_is_typed_is_set_apart() {
        let text = commands("run `a <b>` and `c`").into_string();
        assert_eq!(text, "run <code>a &lt;b&gt;</code> and <code>c</code>");
    }
}
