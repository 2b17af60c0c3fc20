//! When certificates expire: bars over time, or a line from today to the one time at which all of them do.

use maud::{Markup, html};
use time::{Date, Duration, OffsetDateTime};

use super::Devices;
use super::chart::{self, Bar};
use super::words::{SOON_DAYS, grouped};

pub(super) fn expiry(devices: &Devices, at: OffsetDateTime) -> Markup {
    let bars = chart::bars(&devices.expiry);
    let (Some((first, _)), Some((last, _))) =
        (devices.expiry.first_key_value(), devices.expiry.last_key_value())
    else {
        return html! {};
    };
    html! {
        h2 id="expiry" { "When certificates expire" }
        (sentence(devices, *first, at.date()))
        @if bars.len() == 1 { (line(&bars[0], *last, at.date())) } @else { (chart(&bars)) }
    }
}

fn sentence(devices: &Devices, first: Date, today: Date) -> Markup {
    let within = |days: i64| -> usize {
        let end = today.saturating_add(Duration::days(days));
        devices.expiry.range(..=end).map(|(_, count)| count).sum()
    };
    html! {
        p {
            "The first device certificates expire on " strong { (first) } ", " (distance(first, today))
            ". Certificates that expire within 30 days: " (grouped(within(30))) ", within 90 days: "
            (grouped(within(90))) ", within a year: " (grouped(within(365))) "."
        }
    }
}

fn distance(day: Date, today: Date) -> String {
    match (day - today).whole_days() {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days if days > 0 => {
            format!("in {} days", grouped(usize::try_from(days).unwrap_or_default()))
        }
        -1 => "yesterday".to_owned(),
        days => format!("{} days ago", grouped(usize::try_from(-days).unwrap_or_default())),
    }
}

/// All at one time: how far that is, and from when on they are to be renewed.
fn line(bar: &Bar, last: Date, today: Date) -> Markup {
    let days = (last - today).whole_days();
    if days <= 0 {
        return html! { p.bad { (all(bar.count)) " expired by " (last) "." } };
    }
    let soon = SOON_DAYS.min(days);
    let calm = 100.0 * (days - soon) as f64 / days as f64;
    let renew = last.saturating_sub(Duration::days(soon));
    let words = format!("{} expire by {last}; renew them from {renew} on", all(bar.count));
    html! {
        figure.line aria-label=(words) {
            div.track {
                div.calm style=(format!("width:{calm:.2}%")) {}
                div.soon style=(format!("width:{:.2}%", 100.0 - calm)) {}
            }
            ul {
                li { strong { "today" } " " (today) }
                li { strong { "renew" } " from " (renew) " on" }
                li { strong { (all(bar.count)) } " expire by " (last) }
            }
        }
    }
}

fn all(count: usize) -> String {
    match count {
        1 => "1 certificate".to_owned(),
        _ => format!("all {} certificates", grouped(count)),
    }
}

fn chart(bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
    html! {
        ul.chart aria-label="Device certificates by the date on which they expire" {
            @for bar in bars { (bar_of(bar, most)) }
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
