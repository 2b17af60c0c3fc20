//! Configuration files of OpenSSL (config(5)): sections of names and values, with variables, quotes, escapes,
//! continued lines and comments.
//!
//! Text in, values out. A variable of the environment (`$ENV::X`) cannot be known here: its value keeps the
//! variable as it is written, and [`Entry::open`] names it. Files that `.include` names are not opened: they
//! are in [`Conf::includes`].

use std::collections::HashMap;

use crate::failure::{Failure, Fault, Hint};

/// The most characters of a value (OpenSSL, crypto/conf/conf_def.c, MAX_CONF_VALUE_LENGTH).
const MOST_IN_VALUE: usize = 65_536;

/// The most characters of all values together: each may hold others.
const MOST_IN_ALL: usize = 1 << 22;

/// The section of what stands before the first one; the others fall back to it.
pub const DEFAULT: &str = "default";

/// A configuration file that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf {
    /// The sections in their order, `default` first. One that comes again is continued.
    pub sections: Vec<Section>,
    /// The files that it includes, with the line of each.
    pub includes: Vec<(usize, String)>,
}

/// A section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// The line on which it begins.
    pub line: usize,
    /// Its values; a name that comes again counts with its last value.
    pub entries: Vec<Entry>,
}

/// A name with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line.
    pub line: usize,
    /// The name.
    pub name: String,
    /// The value, with variables replaced.
    pub value: String,
    /// Variables that could not be replaced.
    pub open: Vec<String>,
}

/// Text that is no configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ConfError {
    /// The line.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

impl Failure for ConfError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        None
    }
}

impl Conf {
    /// Reads a configuration file.
    ///
    /// Errors: a line without `=`, a section without `]`, values that grow without bound.
    pub fn parse(text: &str) -> Result<Self, ConfError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::new();
        let mut lines = text.split('\n').enumerate();
        while let Some((index, line)) = lines.next() {
            let mut whole = line.strip_suffix('\r').unwrap_or(line).to_owned();
            while is_continued(&whole) {
                whole.pop();
                let Some((_, next)) = lines.next() else { break };
                whole.push_str(next.strip_suffix('\r').unwrap_or(next));
            }
            reader.line(index + 1, without_comment(&whole).trim())?;
        }
        Ok(reader.conf)
    }

    /// A section.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// A value of a section, or of the section `default`.
    pub fn value(&self, section: &str, name: &str) -> Option<&Entry> {
        let of = |section: &str| self.section(section)?.get(name);
        of(section).or_else(|| of(DEFAULT))
    }
}

impl Section {
    /// A value of this section.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.name == name)
    }
}

/// Whether a line goes on: it ends with a backslash that is not itself escaped.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

/// A line up to its comment: `#` outside of quotes and without a backslash in front.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (None, '#') => return &line[..at],
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    line
}

struct Reader {
    conf: Conf,
    current: String,
    values: HashMap<(String, String), (String, Vec<String>)>,
    total: usize,
}

impl Reader {
    fn new() -> Self {
        let default = Section { name: DEFAULT.to_owned(), line: 1, entries: Vec::new() };
        Self {
            conf: Conf { sections: vec![default], includes: Vec::new() },
            current: DEFAULT.to_owned(),
            values: HashMap::new(),
            total: 0,
        }
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(), ConfError> {
        let fail = |problem: String| ConfError { line: number, problem };
        if line.is_empty() || line.starts_with(".pragma") {
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix('[') {
            let Some((name, _)) = rest.split_once(']') else {
                return Err(fail("the name of a section has no ] behind it".to_owned()));
            };
            self.current = name.trim().to_owned();
            self.section_mut(number);
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix(".include") {
            let file = rest.trim_start_matches([' ', '\t', '=']).trim();
            self.conf.includes.push((number, file.to_owned()));
            return Ok(());
        }
        let Some((name, value)) = line.split_once('=') else {
            return Err(fail("it is neither a section nor a name with = and a value".to_owned()));
        };
        let name = name.trim();
        let (section, name) = match name.split_once("::") {
            Some((section, name)) => (section.to_owned(), name),
            None => (self.current.clone(), name),
        };
        if name.is_empty() {
            return Err(fail("there is no name in front of =".to_owned()));
        }
        let (value, open) = self.expanded(value.trim(), &section).map_err(fail)?;
        self.total += value.len();
        if self.total > MOST_IN_ALL {
            let problem = format!("the values are longer than {MOST_IN_ALL} bytes together");
            return Err(ConfError { line: number, problem });
        }
        self.values.insert((section.clone(), name.to_owned()), (value.clone(), open.clone()));
        let back = std::mem::replace(&mut self.current, section);
        let entry = Entry { line: number, name: name.to_owned(), value, open };
        self.section_mut(number).entries.push(entry);
        self.current = back;
        Ok(())
    }

    fn section_mut(&mut self, line: usize) -> &mut Section {
        let at = self.conf.sections.iter().position(|section| section.name == self.current);
        let at = at.unwrap_or_else(|| {
            let name = self.current.clone();
            self.conf.sections.push(Section { name, line, entries: Vec::new() });
            self.conf.sections.len() - 1
        });
        &mut self.conf.sections[at]
    }

    /// Takes quotes and escapes away, and puts values in place of variables.
    fn expanded(&self, text: &str, section: &str) -> Result<(String, Vec<String>), String> {
        let (mut value, mut open) = (String::new(), Vec::new());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\\' => rest = escape(rest, &mut value),
                '\'' | '"' => {
                    let Some((inside, after)) = quoted(rest, c) else {
                        return Err(format!("there is no {c} at the end of what is quoted"));
                    };
                    value.push_str(&inside);
                    rest = after;
                }
                '$' => rest = self.variable(rest, section, &mut value, &mut open)?,
                c => value.push(c),
            }
            if value.len() > MOST_IN_VALUE {
                return Err(format!("the value is longer than {MOST_IN_VALUE} bytes"));
            }
        }
        Ok((value, open))
    }

    /// Puts in the value of the variable that `rest` begins with; returns what follows.
    fn variable<'t>(
        &self,
        rest: &'t str,
        section: &str,
        value: &mut String,
        open: &mut Vec<String>,
    ) -> Result<&'t str, String> {
        let closing = match rest.chars().next() {
            Some('{') => Some('}'),
            Some('(') => Some(')'),
            _ => None,
        };
        let (name, after) = match closing {
            Some(end) => rest[1..]
                .split_once(end)
                .ok_or_else(|| format!("there is no {end} behind the name of a variable"))?,
            None => {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let first = rest.find(|c| !fits(c)).unwrap_or(rest.len());
                let end = match rest[first..].strip_prefix("::") {
                    Some(behind) => first + 2 + behind.find(|c| !fits(c)).unwrap_or(behind.len()),
                    None => first,
                };
                rest.split_at(end)
            }
        };
        if name.is_empty() {
            value.push('$');
            return Ok(rest);
        }
        let (of, short) = name.split_once("::").unwrap_or((section, name));
        let found = self.value(of, short).or_else(|| self.value(DEFAULT, short));
        match found {
            Some((known, unknown)) if of != "ENV" => {
                value.push_str(known);
                open.extend(unknown.iter().cloned());
            }
            _ => {
                value.push_str(&format!("${{{name}}}"));
                open.push(name.to_owned());
            }
        }
        Ok(after)
    }

    fn value(&self, section: &str, name: &str) -> Option<&(String, Vec<String>)> {
        self.values.get(&(section.to_owned(), name.to_owned()))
    }
}

/// Adds the character that a backslash means; returns what follows.
fn escape<'t>(rest: &'t str, value: &mut String) -> &'t str {
    let Some(c) = rest.chars().next() else { return rest };
    value.push(match c {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        c => c,
    });
    &rest[c.len_utf8()..]
}

/// What stands up to the closing quote, and what follows it.
fn quoted(rest: &str, quote: char) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => inside.extend(characters.next().map(|(_, c)| c)),
            c if c == quote => return Some((inside, &rest[at + c.len_utf8()..])),
            c => inside.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str, section: &str, name: &str) -> String {
        Conf::parse(text).unwrap().value(section, name).unwrap().value.clone()
    }

    #[test]
    fn sections_values_comments_and_continued_lines() {
        let text = "a = 1 # one\n[ s ]\r\nb=  two words \\\n  and more\nc = 'it''s # no comment'\n\
            d = \"say \\\"x\\\"\"\ne = a\\tb\\#c\nt::f = 6\n[t]\n g =\n[s]\nb = again\n";
        let conf = Conf::parse(text).unwrap();
        let names: Vec<&str> = conf.sections.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["default", "s", "t"]);
        assert_eq!(value(text, "default", "a"), "1");
        assert_eq!(conf.section("s").unwrap().entries[0].value, "two words   and more");
        assert_eq!(value(text, "s", "c"), "its # no comment");
        assert_eq!(value(text, "s", "d"), "say \"x\"");
        assert_eq!(value(text, "s", "e"), "a\tb#c");
        assert_eq!((value(text, "t", "f"), value(text, "t", "g")), ("6".into(), String::new()));
        // The last one counts, and what a section does not have is looked for in `default`.
        assert_eq!((value(text, "s", "b"), value(text, "s", "a")), ("again".into(), "1".into()));
        assert_eq!(conf.section("s").unwrap().entries[0].line, 3);
    }

    #[test]
    fn variables_are_replaced_and_those_of_the_environment_are_named() {
        let text = "home = /h\n[x]\ndir = $home/ca\nfile = ${dir}/f.pem# here\nother = $y::v-${y::v}\n\
            [y]\nv = 1\n[z]\nall = $x::file $(x::dir)\nenv = $ENV::HOME/x\nvia = $env/y\nnone = $nobody";
        assert_eq!(value(text, "x", "file"), "/h/ca/f.pem");
        assert_eq!(value(text, "z", "all"), "/h/ca/f.pem /h/ca");
        let conf = Conf::parse(text).unwrap();
        for (name, open) in [("env", "ENV::HOME"), ("via", "ENV::HOME"), ("none", "nobody")] {
            assert_eq!(conf.value("z", name).unwrap().open, [open], "{name}");
        }
        // What comes later is not known yet.
        assert_eq!(conf.value("x", "other").unwrap().open, ["y::v", "y::v"]);
    }

    #[test]
    fn includes_are_named_and_faults_have_their_line() {
        let conf = Conf::parse(".include /etc/ssl/more.cnf\n.include = x.d\n.pragma dollarid:on\n")
            .unwrap();
        assert_eq!(conf.includes, [(1, "/etc/ssl/more.cnf".to_owned()), (2, "x.d".to_owned())]);
        for (text, line, problem) in [
            ("a = 1\n[ b", 2, "has no ]"),
            ("\nhello", 2, "neither a section"),
            ("= 1", 1, "no name in front"),
            ("a = 'x", 1, "no ' at the end"),
            ("a = ${x", 1, "no } behind"),
        ] {
            let error = Conf::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.problem.contains(problem), "{error}");
        }
    }

    #[test]
    fn values_that_hold_each_other_have_a_bound() {
        let mut text = "a0 = 0123456789\n".to_owned();
        for n in 1..40 {
            text.push_str(&format!("a{n} = $a{}$a{}\n", n - 1, n - 1));
        }
        assert!(Conf::parse(&text).unwrap_err().problem.contains("65536"));
        let long = format!("a = {}\n{}", "x".repeat(60_000), "b = $a\n".repeat(100));
        assert!(Conf::parse(&long).unwrap_err().problem.contains("together"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-c=\\[\\]$\\{\\}:\\\\'\"# \n\r.]{0,80}") {
            let _ = Conf::parse(&text);
        }

        #[test]
        fn any_octets_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Conf::parse(&String::from_utf8_lossy(&bytes));
        }
    }
}
