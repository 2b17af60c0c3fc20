//! How the page begins: the verdict, where and when, and the numbers.

use maud::{Markup, html};

use super::words::{commands, grouped, moment};
use super::{At, Picture, summary};

pub(super) fn head(picture: &Picture) -> Markup {
    let found = summary::of(picture);
    let class = if found.is_good { "verdict fine" } else { "verdict wrong" };
    html! {
        header {
            h1 { "Rollout of " (picture.file) }
            div class=(class) role="status" {
                p { strong { (found.headline) } }
                @for sentence in &found.open { p.soft { (sentence) } }
            }
            (facts(picture))
        }
        (numbers(picture))
        @if let Some((what, remedy)) = &picture.ended {
            div.alert role="alert" {
                p { strong.bad { "The run stopped before its end: " } (what) }
                @if let Some(remedy) = remedy { p { "What to do: " (commands(remedy)) } }
            }
        }
    }
}

/// Where, when, how long, with what.
fn facts(picture: &Picture) -> Markup {
    html! {
        dl.facts {
            dt { "Tenant" }
            dd {
                @match &picture.tenant {
                    At::Tenant(tenant) => (tenant),
                    At::Nowhere => "none: nothing was uploaded or registered",
                    At::Sandbox => {
                        strong.note { "a rehearsal: " }
                        "the tenant was a sandbox on this computer, and nothing was uploaded to a platform"
                    }
                }
            }
            @if let Some(place) = &picture.devices.place { dt { "Connections" } dd { "tried at " (place) } }
            dt { "Finished" } dd { (moment(picture.at)) }
            @if let Some(took) = picture.took { dt { "Took" } dd { (duration(took)) } }
            dt { "Made by" } dd { "c8y-pki " (env!("CARGO_PKG_VERSION")) }
        }
    }
}

/// `4.2 s`, `3 min 20 s`, `2 h 5 min`.
fn duration(took: std::time::Duration) -> String {
    match took.as_secs() {
        0..60 => format!("{:.1} s", took.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// What earlier runs have done is known by their result file.
fn earlier(before: usize) -> String {
    format!("devices were registered at the tenant, {} of them by earlier runs", grouped(before))
}

fn numbers(picture: &Picture) -> Markup {
    let devices = &picture.devices;
    let (listed, wanted) = (devices.listed, devices.wanted());
    let registered = match devices.registered_before {
        0 => "devices are registered at the tenant".to_owned(),
        before => earlier(before),
    };
    html! {
        ul.cards {
            (card(devices.issued, (wanted, listed), "devices have a certificate"))
            @if devices.revoked > 0 {
                (card(devices.revoked, (devices.revoked, listed), "devices of the list are revoked"))
            }
            @if let Some(number) = devices.registered { (card(number, (wanted, listed), &registered)) }
            @if let Some((connected, tried)) = devices.connected {
                (card(connected, (tried, tried), "tried connect"))
            }
            li { b { (grouped(picture.cas.len())) } @if picture.cas.len() == 1 { "CA" } @else { "CAs" } }
            @if picture.failed > 0 {
                li { b.bad { (grouped(picture.failed)) } @if picture.failed == 1 { "failure" } @else { "failures" } }
            }
        }
    }
}

/// A number of how many: both are said, also where they are the same. It is good if it is as many as are wanted.
fn card(number: usize, (wanted, all): (usize, usize), what: &str) -> Markup {
    let class = if number == wanted { "" } else { "bad" };
    html! { li { b class=(class) { (grouped(number)) " of " (grouped(all)) } (what) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_at_a_glance() {
        let said = |seconds: f64| duration(std::time::Duration::from_secs_f64(seconds));
        assert_eq!(
            [said(0.04), said(59.9), said(60.2), said(7530.0)],
            ["0.0 s", "59.9 s", "1 min 0 s", "2 h 5 min"]
        );
    }
}
