//! The page. Whatever it shows is escaped by the macro that writes it.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::OffsetDateTime;

use super::super::plan::{Action, Step};
use super::differences::differences;
use super::expiry::expiry;
use super::failures::failures;
use super::head::head;
use super::words::{day, grouped, left_out, until, visible};
use super::{CaRow, DeviceRow, Devices, MARK, Picture};
use crate::shown::lines;

const STYLE: &str = include_str!("style.css");
/// Nothing is loaded and nothing runs, whatever the page holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

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
                (differences(picture))
                (cas(picture))
                (expiry(&picture.devices, picture.at))
                (steps(&picture.steps))
                (devices(&picture.devices, picture.at))
                footer { "There is nothing secret on this page. “–” stands for what was not looked at." }
            }
        }
    };
    let (_, mark) = MARK.split_at(DOCTYPE.0.len());
    // Escaped for HTML by the macro; bidirectional characters and the like are none of its business.
    lines(&format!("{}{mark}{}\n", DOCTYPE.0, page.into_string())).into_owned()
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
            td data-label="Subject" { (ca.subject) p.soft { code { (ca.fingerprint) } } (verdict(ca)) }
            td.state data-label="Key" { (ca.key) p.soft { (path) } }
            td.date data-label="Valid" { (day(ca.not_before)) br; (until(ca.not_after, at)) }
            td.years { div.span { div style=(place) title=(format!("{} to {}", day(ca.not_before), day(ca.not_after))) {} } }
            td data-label="Devices" { (grouped(ca.issued)) }
            td.state data-label="At the tenant" { (trusted(ca)) }
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
                            td data-label="Kind" { (step.kind) }
                            td data-label="Name" { (step.name) }
                            td data-label="Details" { (step.detail) }
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
                    td data-label="Serial number" { code.soft { (serial) } }
                    td.date data-label="Valid from" { (day(*from)) }
                    td.date data-label="Valid until" { (until(*end, at)) }
                }
                None => td colspan="3" {
                    @match row.revoked {
                        Some(at) => span.note { "revoked on " (day(at)) },
                        None => span.bad { "no live certificate" },
                    }
                },
            }
            td.state data-label="Registered" { (yes_or_no(row.registered)) }
            td.state data-label="Connected" { (yes_or_no(row.connected)) }
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
