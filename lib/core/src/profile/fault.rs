//! What is wrong in a TOML text, in words for those who write such files: which key, what it holds, what it may hold.
//!
//! The readers say what they wanted in words of Rust (`expected u32`). Which key that is about is found by its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest value that is shown.
const MOST_SHOWN: usize = 60;

/// The line (from 1) of a byte offset.
#[doc(hidden)]
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1
}

/// Where a TOML text is wrong (the line, from 1), and why, in one line that names the key and its value.
#[doc(hidden)]
pub fn toml_fault(text: &str, error: &toml::de::Error) -> (usize, String) {
    let words = error.message().trim().replace('\n', ", ");
    let span = error.span().unwrap_or_default();
    let source = text.get(span.clone()).unwrap_or_default();
    let said = match DeTable::parse(text) {
        Ok(table) => of_value(&words, source, &Place::of(table.get_ref(), &span)),
        Err(_) => of_form(&words, source),
    };
    (line_of(text, span.start), said)
}

/// What is wrong with a text that is no TOML.
fn of_form(words: &str, source: &str) -> String {
    match words {
        // The parser names the values that it refuses, but not the key that is there twice.
        "duplicate key" => format!("the key {source} is there twice"),
        _ => words
            .replace("expected newline, `#`", "where the line has to end")
            .replace(", expected literal string", ""),
    }
}

/// What is wrong with a value of a text that is TOML.
fn of_value(words: &str, source: &str, place: &Place) -> String {
    let (key, section) = (place.key(), place.section());
    if let Some(name) = words.strip_prefix("missing field ") {
        return format!("the key {name} is missing{}", place.as_section());
    }
    if let Some((name, known)) = named(words, "unknown field ") {
        return format!("there is no key {name}{section}: the keys are {known}");
    }
    if let Some((name, known)) = named(words, "unknown variant ") {
        return format!("{key} cannot be {name}: allowed are {known}");
    }
    if words == "wanted string or table" {
        return format!("{key} is {}, but must be {}", shown(source), wanted("a string"));
    }
    if let Some(rest) = words.strip_prefix("expected ") {
        return format!("{key} is {}, but must be {rest}", shown(source));
    }
    let wrong = words.strip_prefix("invalid type: ").or(words.strip_prefix("invalid value: "));
    let Some((found, expected)) = wrong.and_then(|rest| rest.rsplit_once(", expected ")) else {
        return if key.is_empty() { words.to_owned() } else { format!("{key}: {words}") };
    };
    match (found, expected, source.trim_start().starts_with('[')) {
        ("map", "a sequence", true) => {
            format!("{key} can be there several times: write it with two brackets, [[ and ]]")
        }
        ("map", _, true) if source.trim_start().starts_with("[[") => {
            format!("{key} can be there once only: write it with one bracket, [ and ]")
        }
        _ => format!("{key} is {}, but must be {}", value(found), wanted(expected)),
    }
}

/// `x` and the list of what is known, without backquotes, of a message that begins so.
fn named(words: &str, beginning: &str) -> Option<(String, String)> {
    let (name, known) = words.strip_prefix(beginning)?.split_once(", ")?;
    let known = known.trim_start_matches("expected one of ").trim_start_matches("expected ");
    let known = known.replace("` or `", "`, `").replace('`', "");
    let quote = if beginning.contains("variant") { "\"" } else { "`" };
    Some((name.replace('`', quote), known))
}

/// What was found, as it stands in a file.
fn value(found: &str) -> String {
    match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        "string" => "a text".to_owned(),
        _ => {
            let kinds = ["string ", "integer ", "floating point ", "boolean "];
            let bare = kinds.iter().find_map(|kind| found.strip_prefix(kind)).unwrap_or(found);
            shown(bare.trim_matches('`'))
        }
    }
}

/// A value as it stands in the file, unless it is long.
fn shown(source: &str) -> String {
    match source.chars().count() <= MOST_SHOWN && !source.contains('\n') {
        true => source.to_owned(),
        false => "something else".to_owned(),
    }
}

/// What was wanted, in words.
fn wanted(expected: &str) -> String {
    let number = |most: &str| format!("a whole number from 0 to {most}");
    match expected {
        "u8" => number("255"),
        "u16" => number("65535"),
        "u32" => number("4294967295"),
        "i64" | "u64" | "usize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" | "string or map" => "a text in quotes".to_owned(),
        "a sequence" => "a list, in [ and ]".to_owned(),
        "a map" => "a table".to_owned(),
        _ if expected.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

/// The keys that lead to a place in the text; none for a part of a list.
#[derive(Debug, Default)]
struct Place {
    keys: Vec<String>,
    /// Which of the keys name lists of tables.
    lists: Vec<bool>,
    /// Whether what is there is a table.
    is_table: bool,
    /// Whether what is there stands in a list.
    is_item: bool,
}

impl Place {
    /// The innermost value that holds the span, or whose key it is.
    fn of(table: &DeTable<'_>, span: &Range<usize>) -> Self {
        let mut found = Self::default();
        found.look(table, span, &mut Vec::new());
        found
    }

    fn look(&mut self, table: &DeTable<'_>, span: &Range<usize>, above: &mut Vec<(String, bool)>) {
        for (key, value) in table {
            let is_list = matches!(value.get_ref(), DeValue::Array(all)
                if all.iter().any(|one| matches!(one.get_ref(), DeValue::Table(_))));
            above.push((key.get_ref().to_string(), is_list));
            self.look_at((value, false), holds(&key.span(), span), span, above);
            above.pop();
        }
    }

    fn look_at(
        &mut self,
        (value, is_item): (&Spanned<DeValue<'_>>, bool),
        is_key: bool,
        span: &Range<usize>,
        above: &mut Vec<(String, bool)>,
    ) {
        if (is_key || holds(&value.span(), span)) && above.len() >= self.keys.len() {
            (self.keys, self.lists) = above.iter().cloned().unzip();
            (self.is_table, self.is_item) = (matches!(value.get_ref(), DeValue::Table(_)), is_item);
        }
        match value.get_ref() {
            DeValue::Table(table) => self.look(table, span, above),
            // What is in a list has the key of the list.
            DeValue::Array(all) => {
                all.iter().for_each(|one| self.look_at((one, true), false, span, above));
            }
            _ => {}
        }
    }

    /// `` `days` under [devices]``, or `[devices]` for a table; nothing for the whole text.
    fn key(&self) -> String {
        match self.keys.split_last() {
            None => String::new(),
            Some(_) if self.is_table => self.brackets(self.keys.len()),
            Some((own, _)) => {
                let of = if self.is_item { "a value of " } else { "" };
                format!("{of}`{own}`{}", self.section())
            }
        }
    }

    /// ` under [devices]` for what stands in a table.
    fn section(&self) -> String {
        match self.keys.len() {
            0 | 1 => String::new(),
            number => format!(" under {}", self.brackets(number - 1)),
        }
    }

    /// The same for the place itself.
    fn as_section(&self) -> String {
        match self.keys.len() {
            0 => String::new(),
            number => format!(" under {}", self.brackets(number)),
        }
    }

    fn brackets(&self, number: usize) -> String {
        let path = self.keys[..number].join(".");
        match self.lists.get(number.saturating_sub(1)) {
            Some(true) => format!("[[{path}]]"),
            _ => format!("[{path}]"),
        }
    }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end && !inner.is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct File {
        pki: std::path::PathBuf,
        #[serde(default)]
        ca: Vec<Ca>,
        devices: Option<Devices>,
        #[serde(default)]
        set: BTreeMap<String, String>,
        path_length: Option<Length>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Ca {
        name: String,
        days: Option<u32>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Devices {
        create: Option<bool>,
        port: Option<u16>,
        size: Option<f64>,
        bundle: Option<Vec<Kind>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Pem,
        P12,
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number, or \"none\"")]
    #[expect(dead_code, reason = "only read")]
    enum Length {
        Number(u8),
        Word(String),
    }

    fn said(text: &str) -> String {
        let error = toml::from_str::<File>(text).err().expect("a fault");
        let (line, words) = toml_fault(text, &error);
        format!("{line}: {words}")
    }

    #[test]
    fn a_fault_names_the_key_its_value_and_what_is_allowed() {
        for (text, words) in [
            ("pki = 7", "1: `pki` is 7, but must be a text in quotes"),
            ("pki = [\"a\"]", "1: `pki` is a list, but must be a text in quotes"),
            ("[devices]\ncreate = true", "1: the key `pki` is missing"),
            (
                "pki = 'x'\n[devices]\ncreate = 'yes'",
                "3: `create` under [devices] is \"yes\", but must be true or false",
            ),
            (
                "pki = 'x'\n[devices]\nport = 70000",
                "3: `port` under [devices] is 70000, but must be a whole number from 0 to 65535",
            ),
            (
                "pki = 'x'\n[devices]\nsize = true",
                "3: `size` under [devices] is true, but must be a number",
            ),
            (
                "pki = 'x'\n[devices]\nbundle = 'pem'",
                "3: `bundle` under [devices] is \"pem\", but must be a list, in [ and ]",
            ),
            (
                "pki = 'x'\n[devices]\nbundle = [\n 'pem',\n 'pen']",
                "5: a value of `bundle` under [devices] cannot be \"pen\": allowed are pem, p12",
            ),
            (
                "pki = 'x'\n[devices]\nbundle = [7]",
                "3: a value of `bundle` under [devices] is 7, but must be a text in quotes",
            ),
            (
                "pki = 'x'\n[devices]\ncolour = 1",
                "3: there is no key `colour` under [devices]: the keys are create, port, size, bundle",
            ),
            ("pki = 'x'\ndevices = 'x'", "2: `devices` is \"x\", but must be a table"),
            (
                "pki = 'x'\n[[ca]]\nname = 'a'\n[[ca]]\nname = 'b'\ndays = 1.5",
                "6: `days` under [[ca]] is 1.5, but must be a whole number from 0 to 4294967295",
            ),
            ("pki = 'x'\n[[ca]]\ndays = 1", "2: the key `name` is missing under [[ca]]"),
            (
                "pki = 'x'\n[ca]\nname = 'a'",
                "2: [ca] can be there several times: write it with two brackets, [[ and ]]",
            ),
            (
                "pki = 'x'\n[[devices]]\ncreate = true",
                "2: [[devices]] can be there once only: write it with one bracket, [ and ]",
            ),
            ("pki = 'x'\n[set]\na = 7", "3: `a` under [set] is 7, but must be a text in quotes"),
            (
                "pki = 'x'\npath_length = 1.5",
                "2: `path_length` is 1.5, but must be a number, or \"none\"",
            ),
            ("pki = 'x'\nset = {a = 7}", "2: `a` under [set] is 7, but must be a text in quotes"),
            ("pki = 'x'\npki = 'y'", "2: the key pki is there twice"),
            ("pki = x", "1: string values must be quoted"),
            ("pki = 'x' y", "1: unexpected key or value, where the line has to end"),
        ] {
            assert_eq!(said(text), words, "{text}");
        }
    }
}
