//! Expiry over time: how many certificates end when, as numbers for a chart.

use std::collections::BTreeMap;

use time::{Date, Duration, Month};

/// Most bars of a chart.
const MOST_BARS: usize = 40;

/// A bar: what it is called, and how many certificates end in its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) count: usize,
}

/// How long a bar's time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Day,
    Month,
    Year,
}

impl Step {
    /// The first day of the time in which a day falls.
    fn start(self, day: Date) -> Date {
        let (year, month) = match self {
            Self::Day => return day,
            Self::Month => (day.year(), day.month()),
            Self::Year => (day.year(), Month::January),
        };
        Date::from_calendar_date(year, month, 1).unwrap_or(day)
    }

    /// The first day of the next time.
    fn next(self, start: Date) -> Option<Date> {
        match self {
            Self::Day => start.next_day(),
            // From the first day of a month or year, this is in the next one.
            Self::Month => start.checked_add(Duration::days(31)).map(|day| self.start(day)),
            Self::Year => start.checked_add(Duration::days(366)).map(|day| self.start(day)),
        }
    }

    fn label(self, start: Date) -> String {
        match self {
            Self::Day => start.to_string(),
            Self::Month => format!("{}-{:02}", start.year(), u8::from(start.month())),
            Self::Year => start.year().to_string(),
        }
    }
}

/// The bars from the first end to the last: of days, months or years, whichever gives few enough;
/// those beyond [`MOST_BARS`] are one.
pub(super) fn bars(expiry: &BTreeMap<Date, usize>) -> Vec<Bar> {
    let (Some((first, _)), Some((last, _))) = (expiry.first_key_value(), expiry.last_key_value())
    else {
        return Vec::new();
    };
    let days = (*last - *first).whole_days();
    let step = match days {
        0..=30 => Step::Day,
        31..=1100 => Step::Month,
        _ => Step::Year,
    };
    let mut bars = Vec::new();
    let mut start = Some(step.start(*first));
    while let Some(from) = start.filter(|from| from <= last) {
        start = step.next(from);
        let is_last = bars.len() + 1 == MOST_BARS;
        let count = match start.filter(|_| !is_last) {
            Some(end) => expiry.range(from..end).map(|(_, count)| count).sum(),
            None => expiry.range(from..).map(|(_, count)| count).sum(),
        };
        let more = if is_last && start.is_some_and(|end| end <= *last) { " …" } else { "" };
        bars.push(Bar { label: step.label(from) + more, count });
        if is_last {
            break;
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn of(days: &[(Date, usize)]) -> Vec<(String, usize)> {
        let bars = bars(&days.iter().copied().collect());
        bars.into_iter().map(|bar| (bar.label, bar.count)).collect()
    }

    fn bar(label: &str, count: usize) -> (String, usize) {
        (label.to_owned(), count)
    }

    #[test]
    fn times_between_have_a_bar_too() {
        assert!(of(&[]).is_empty());
        assert_eq!(of(&[(date!(2027 - 02 - 28), 7)]), [bar("2027-02-28", 7)]);
        assert_eq!(
            of(&[(date!(2027 - 02 - 27), 1), (date!(2027 - 03 - 01), 2)]),
            [bar("2027-02-27", 1), bar("2027-02-28", 0), bar("2027-03-01", 2)]
        );
        let months =
            [(date!(2027 - 01 - 31), 1), (date!(2027 - 03 - 01), 2), (date!(2027 - 03 - 31), 3)];
        assert_eq!(of(&months), [bar("2027-01", 1), bar("2027-02", 0), bar("2027-03", 5)]);
        let years = of(&[(date!(2027 - 12 - 31), 1), (date!(2036 - 01 - 01), 2)]);
        assert_eq!(years.len(), 10);
        assert_eq!((&years[0], &years[9]), (&bar("2027", 1), &bar("2036", 2)));
    }

    #[test]
    fn the_chart_has_an_end_and_no_certificate_is_lost() {
        let far =
            [(date!(2027 - 06 - 01), 1), (date!(2080 - 06 - 01), 2), (date!(9999 - 12 - 31), 4)];
        let bars = of(&far);
        assert_eq!(bars.len(), MOST_BARS);
        assert_eq!(bars.iter().map(|(_, count)| count).sum::<usize>(), 7);
        assert_eq!(bars[MOST_BARS - 1], bar("2066 …", 6));
    }
}
