//! Words and numbers of the page.

use maud::{Markup, html};
use time::OffsetDateTime;

use super::MOST_ROWS;
use crate::shown::one_line;

/// What ends within so many days is worth a colour.
pub(super) const SOON_DAYS: i64 = 30;

/// An identifier in which nothing hides.
pub(super) fn visible(id: &str) -> String {
    match id {
        "" => "(empty)".to_owned(),
        id => one_line(id).into_owned(),
    }
}

/// What was cut off, if anything was.
pub(super) fn left_out(all: usize, shown: usize) -> Markup {
    let rest = all.saturating_sub(shown);
    html! { @if shown == MOST_ROWS && rest > 0 { p.soft { "… and " (grouped(rest)) " more." } } }
}

/// Text in which backquotes enclose what is typed.
pub(super) fn commands(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The end of a validity, in the colour of its distance.
pub(super) fn until(end: OffsetDateTime, at: OffsetDateTime) -> Markup {
    let days = (end - at).whole_days();
    let class = match days {
        _ if end < at => "bad",
        ..=SOON_DAYS => "note",
        _ => "",
    };
    html! { span class=(class) title=(moment(end)) { (day(end)) @if end < at { " (expired)" } } }
}

pub(super) fn day(at: OffsetDateTime) -> String {
    at.date().to_string()
}

pub(super) fn moment(at: OffsetDateTime) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.format(format).unwrap_or_else(|_| at.to_string())
}

/// `12 345`, with a narrow space that does not break.
pub(super) fn grouped(number: usize) -> String {
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
