//! SmartREST as the server reads and writes it (platform: "MQTT"): rows end with `\n`, values are
//! separated by `,`; a value is quoted with `"` when it has to be, and `"` inside is written `\"`.
//! Any other backslash is a backslash.
//!
//! Refused, row by row: a quote that is not closed or that stands inside a value, something behind a
//! closing quote, and white space around a value that is not quoted. Empty rows do not count.

use std::iter::Peekable;
use std::str::Chars;

/// One row: its values, or the message identifier as far as it could be read and what is wrong.
pub(super) type Row = Result<Vec<String>, (String, &'static str)>;

/// The rows of a message.
pub(super) fn rows(text: &str) -> Vec<Row> {
    let mut rest = text.chars().peekable();
    let mut rows = Vec::new();
    while rest.peek().is_some() {
        match row(&mut rest) {
            Ok(values) if values == [""] => {}
            one => rows.push(one),
        }
    }
    rows
}

/// One row, and its end; after a fault what is left of the line is dropped.
fn row(rest: &mut Peekable<Chars<'_>>) -> Row {
    let mut values: Vec<String> = Vec::new();
    loop {
        let value = if rest.peek() == Some(&'"') { quoted(rest) } else { plain(rest) };
        match value {
            Ok(value) => values.push(value),
            Err(fault) => {
                rest.find(|c| *c == '\n');
                let id = values.into_iter().next().unwrap_or_default();
                return Err((id, fault));
            }
        }
        if rest.next() != Some(',') {
            return Ok(values);
        }
    }
}

/// A value up to the separator behind it.
fn plain(rest: &mut Peekable<Chars<'_>>) -> Result<String, &'static str> {
    let mut value = String::new();
    while let Some(c) = rest.next_if(|c| !matches!(c, ',' | '\n')) {
        if c == '"' {
            return Err("there is a quote in a value that is not quoted");
        }
        value.push(c);
    }
    if value.trim() == value && !value.contains(['\t', '\r']) {
        return Ok(value);
    }
    Err("there is white space in or around a value that is not quoted")
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Result<String, &'static str> {
    rest.next();
    let mut value = String::new();
    loop {
        match rest.next() {
            Some('"') => break,
            Some('\\') if rest.next_if_eq(&'"').is_some() => value.push('"'),
            Some(c) => value.push(c),
            None => return Err("a quote is not closed"),
        }
    }
    match rest.peek() {
        None | Some(',' | '\n') => Ok(value),
        Some(_) => Err("something stands behind a closing quote"),
    }
}

/// A row of values, without its end.
pub(super) fn write(values: &[&str]) -> String {
    let value = |value: &&str| {
        let special = |c: char| matches!(c, '"' | ',' | '\r' | '\n' | '\t');
        if value.trim() == *value && !value.contains(special) {
            return (*value).to_owned();
        }
        format!("\"{}\"", value.replace('"', "\\\""))
    };
    values.iter().map(value).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        rows(text).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn rows_of_the_platforms_page() {
        let will = "400,c8y_ConnectionEvent,\"Device connection was lost.\"";
        assert_eq!(read(will), [["400", "c8y_ConnectionEvent", "Device connection was lost."]]);
        assert_eq!(
            read("100,Gateway 1,c8y_Gateway\n\n101,c1,\"a, \\\"b\\\"\n\",t\n"),
            [vec!["100", "Gateway 1", "c8y_Gateway"], vec!["101", "c1", "a, \"b\"\n", "t"]]
        );
        assert_eq!(read("100,,t"), [["100", "", "t"]]);
        assert_eq!(read(r"400,t,C:\new"), [["400", "t", r"C:\new"]]);
        assert_eq!(read(""), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_wrong_row_leaves_the_next_alone() {
        for (bad, part) in [
            ("100,a\"b,t", "quote in a value"),
            ("100,\"a\"b,t", "behind"),
            ("100, a,t", "white space"),
            ("100,a,t\r", "white space"),
        ] {
            let all = rows(&format!("{bad}\n101,c,n,t\n"));
            let (id, fault) = all[0].clone().unwrap_err();
            assert_eq!((id.as_str(), all.len()), ("100", 2), "{bad}");
            assert!(fault.contains(part), "{bad}: {fault}");
            assert_eq!(all[1].as_ref().unwrap()[0], "101");
        }
        let open = rows("100,\"a\n101,c,n,t").remove(0).unwrap_err();
        assert_eq!(open, ("100".to_owned(), "a quote is not closed"));
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(values in prop::collection::vec("[^\\\\]*", 1..5)) {
            let all: Vec<&str> = values.iter().map(String::as_str).collect();
            let written = write(&all);
            if all != [""] {
                prop_assert_eq!(rows(&written), [Ok(values)]);
            }
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            rows(&text);
        }
    }
}
