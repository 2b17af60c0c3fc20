//! Standard input, line by line, in a thread of its own: it can only be waited for.
//!
//! A line that no message can hold is refused as soon as it is too long, and never kept whole.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use c8y_pki_engine::device::smartrest::{MAX_PACKET, check_length};

/// Lines that wait to be sent; when there are so many, no more are read.
pub(super) const MOST_WAITING: usize = 1000;

/// Lines that are read ahead of those that wait to be sent.
const AHEAD: usize = 16;

/// What comes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// To be published.
    Text(Vec<u8>),
    /// Longer than a message for the topic can be.
    TooLong {
        /// Its number, from 1.
        number: u64,
        /// How long it can be, in bytes.
        most: usize,
    },
    /// No text.
    NotText {
        /// Its number, from 1.
        number: u64,
    },
    /// Reading has failed: there will be no more.
    Broken(String),
}

/// Reads standard input until its end, which closes the channel.
pub(super) fn of_stdin(topic: &str) -> Receiver<Line> {
    let (sender, lines) = sync_channel(AHEAD);
    let most = longest(topic);
    // Nobody waits for it: it may sit in a read for ever.
    std::thread::spawn(move || read(io::stdin().lock(), most, &sender));
    lines
}

/// The longest payload for a topic, in bytes.
fn longest(topic: &str) -> usize {
    let fits = |bytes: &usize| check_length(topic, *bytes).is_ok();
    (0..MAX_PACKET).rev().find(fits).unwrap_or_default()
}

fn read(mut input: impl BufRead, most: usize, lines: &SyncSender<Line>) {
    let mut number = 0;
    loop {
        let line = match next(&mut input, most) {
            Ok(None) => return,
            Ok(Some(line)) => line,
            Err(e) => {
                let _ = lines.send(Line::Broken(e.to_string()));
                return;
            }
        };
        number += 1;
        let line = match line {
            Err(()) => Line::TooLong { number, most },
            Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(bytes) if std::str::from_utf8(&bytes).is_err() => Line::NotText { number },
            Ok(bytes) => Line::Text(bytes),
        };
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// The next line without its end, or that it is too long; none at the end.
fn next(input: &mut impl BufRead, most: usize) -> io::Result<Option<Result<Vec<u8>, ()>>> {
    let mut line = Vec::new();
    // A line end of two bytes may follow.
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(2);
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let ended = line.ends_with(b"\n");
    if !ended && line.len() > most {
        skip(input)?;
    }
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Ok(Some(if text.len() > most { Err(()) } else { Ok(text.to_vec()) }))
}

/// Drops what is left of a line.
fn skip(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        let (used, done) = match bytes.iter().position(|octet| *octet == b'\n') {
            Some(at) => (at + 1, true),
            None => (bytes.len(), bytes.is_empty()),
        };
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], most: usize) -> Vec<Line> {
        let (sender, lines) = sync_channel(100);
        read(input, most, &sender);
        drop(sender);
        lines.into_iter().collect()
    }

    fn text(text: &str) -> Line {
        Line::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_taken_without_their_ends() {
        let lines = all(b"400,a,b\n\n  \r\n500\r\n\xff\nlast", 100);
        let wanted = [text("400,a,b"), text("500"), Line::NotText { number: 5 }, text("last")];
        assert_eq!(lines, wanted);
        assert_eq!(all(b"", 100), []);
    }

    #[test]
    fn a_line_that_is_too_long_does_not_touch_the_next() {
        let most = 4;
        let long = |number| Line::TooLong { number, most };
        for (input, wanted) in [
            ("1234\n5\n", vec![text("1234"), text("5")]),
            ("1234\r\n5\n", vec![text("1234"), text("5")]),
            ("12345\n6\n", vec![long(1), text("6")]),
            ("12345\r\n6\n", vec![long(1), text("6")]),
            ("123456\n7\n", vec![long(1), text("7")]),
            ("1234567\n8\n", vec![long(1), text("8")]),
            ("1\n12345678901234567890\n2", vec![text("1"), long(2), text("2")]),
            ("12345", vec![long(1)]),
            ("1234", vec![text("1234")]),
            ("1234567", vec![long(1)]),
        ] {
            assert_eq!(all(input.as_bytes(), most), wanted, "{input:?}");
        }
    }

    #[test]
    fn the_longest_line_is_the_longest_message() {
        for topic in ["s/us", "s/us/child-1", &"x".repeat(9_000)] {
            assert!(longest(topic) > 0 && check_length(topic, longest(topic)).is_ok());
            assert!(check_length(topic, longest(topic) + 1).is_err());
        }
        assert_eq!(longest(&"x".repeat(20_000)), 0);
    }
}
