//! What stands on a label: `templates/label*.toml` and files of the user's own.

use std::borrow::Cow;

use serde::Deserialize;

use super::code::Code;
use super::sheet::Own;
use super::{Facts, LabelError, Placeholder, Result, Sheet};
use crate::client_id::DeviceId;
use crate::profile::toml_fault;
use crate::shown::{Foreign, one_line};

/// The templates that are built in: their name, and their text.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("label.toml", include_str!("../../templates/label.toml")),
    ("label-registration.toml", include_str!("../../templates/label-registration.toml")),
    ("label-small.toml", include_str!("../../templates/label-small.toml")),
];

/// Sizes of letters that can be asked for, in points.
const POINTS: std::ops::RangeInclusive<f64> = 4.0..=72.0;

/// What stands on labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    code: Option<Text>,
    lines: Vec<(Text, f64, bool)>,
    sheet: Option<Sheet>,
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Words(String),
    Value(Placeholder),
}

/// A label.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The device's identifier.
    pub id: String,
    pub(super) code: Option<Code>,
    /// The lines of its template, the first at the top; none where no value is known.
    pub lines: Vec<Option<Line>>,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// The size of its letters at most, in points.
    pub points: f64,
    /// Whether it is bold.
    pub bold: bool,
}

impl Label {
    /// The name of a file of its own: that of the device's directory.
    pub fn file_name(&self) -> String {
        DeviceId::known(self.id.as_str()).file_name()
    }

    /// What its QR code holds, if it has one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(|code| code.text.as_str())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    qr: Option<String>,
    #[serde(default)]
    line: Vec<OfLine>,
    sheet: Option<Choice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfLine {
    text: String,
    points: f64,
    #[serde(default)]
    bold: bool,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected the name of a sheet in quotes, or a table with its measures"
)]
enum Choice {
    Name(String),
    Own(Own),
}

impl Template {
    /// Reads a template; `file` is what messages call it.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let wrong = |problem: String| LabelError::Template {
            file: file.to_owned(),
            problem: Foreign::new(problem),
        };
        let read: File = toml::from_str(text).map_err(|e| {
            let (line, problem) = toml_fault(text, &e);
            wrong(format!("line {line}: {problem}"))
        })?;
        let lines = read.line.iter().map(|line| {
            if !POINTS.contains(&line.points) {
                return Err(wrong(format!(
                    "points = {}: letters have {} to {}",
                    line.points,
                    POINTS.start(),
                    POINTS.end()
                )));
            }
            Ok((Text::parse(&line.text)?, line.points, line.bold))
        });
        let lines: Vec<_> = lines.collect::<Result<_>>()?;
        let code = read.qr.as_deref().filter(|qr| !qr.is_empty()).map(Text::parse).transpose()?;
        if lines.is_empty() && code.is_none() {
            return Err(wrong("it has neither a qr nor a [[line]]".to_owned()));
        }
        let sheet = match read.sheet {
            None => None,
            Some(Choice::Name(name)) => Some(name.parse()?),
            Some(Choice::Own(own)) => Some(own.sheet().map_err(|e| wrong(format!("sheet: {e}")))?),
        };
        Ok(Self { code, lines, sheet })
    }

    /// The same with another text in the QR code; an empty one: no code.
    pub fn with_code(self, text: &str) -> Result<Self> {
        let code = (!text.is_empty()).then(|| Text::parse(text)).transpose()?;
        Ok(Self { code, ..self })
    }

    /// The sheet for which it was made, if it names one.
    pub fn sheet(&self) -> Option<Sheet> {
        self.sheet
    }

    /// What of a device it shows.
    pub fn placeholders(&self) -> Vec<Placeholder> {
        let texts = self.code.iter().chain(self.lines.iter().map(|(text, ..)| text));
        let mut found: Vec<Placeholder> = Vec::new();
        for placeholder in texts.flat_map(Text::placeholders) {
            if !found.contains(&placeholder) {
                found.push(placeholder);
            }
        }
        found
    }

    /// Whether the labels show secrets, so that their file is one.
    pub fn is_secret(&self) -> bool {
        self.placeholders().iter().any(|placeholder| placeholder.is_secret())
    }

    /// The label of a device. A line of which no value is known is left out.
    ///
    /// Errors: what the label is to show is not known; a QR code that cannot be.
    pub fn label(&self, facts: &Facts) -> Result<Label> {
        let mut lines = Vec::new();
        for (text, points, bold) in &self.lines {
            lines.push(text.filled(facts)?.map(|text| Line {
                text: one_line(&text).into_owned(),
                points: *points,
                bold: *bold,
            }));
        }
        let code = match &self.code {
            None => None,
            Some(text) => {
                let unknown =
                    || LabelError::Unknown { id: facts.id.clone(), what: "value in the QR code" };
                Some(Code::new(&facts.id, &text.filled(facts)?.ok_or_else(unknown)?)?)
            }
        };
        Ok(Label { id: facts.id.clone(), code, lines })
    }
}

impl Text {
    /// Reads it; `{{` and `}}` stand for braces.
    fn parse(text: &str) -> Result<Self> {
        let (mut parts, mut words, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            words.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            if let Some(after) = rest[at + 1..].strip_prefix(brace) {
                words.push_str(brace);
                rest = after;
                continue;
            }
            let alone = |missing| LabelError::Brace { text: Foreign::new(text), missing };
            if brace == "}" {
                return Err(alone('{'));
            }
            let (name, after) = rest[at + 1..].split_once('}').ok_or_else(|| alone('}'))?;
            let found = Placeholder::ALL.into_iter().find(|p| p.name() == name);
            let value =
                found.ok_or_else(|| LabelError::Placeholder { name: Foreign::new(name) })?;
            rest = after;
            if !words.is_empty() {
                parts.push(Part::Words(std::mem::take(&mut words)));
            }
            parts.push(Part::Value(value));
        }
        words.push_str(rest);
        if !words.is_empty() {
            parts.push(Part::Words(words));
        }
        Ok(Self(parts))
    }

    fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(*placeholder),
            Part::Words(_) => None,
        })
    }

    /// The text of a device; none if it has placeholders and no value for any of them.
    fn filled(&self, facts: &Facts) -> Result<Option<String>> {
        let (mut text, mut known, mut asked) = (String::new(), 0, 0);
        for part in &self.0 {
            let value = match part {
                Part::Words(words) => Cow::from(words),
                Part::Value(placeholder) => {
                    asked += 1;
                    let value = placeholder.of(facts).filter(|value| !value.is_empty());
                    if let (None, Some(what)) = (&value, placeholder.needed(facts)) {
                        return Err(LabelError::Unknown { id: facts.id.clone(), what });
                    }
                    known += usize::from(value.is_some());
                    value.unwrap_or_default()
                }
            };
            text.push_str(&value);
        }
        Ok((asked == 0 || known > 0).then_some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts { id: "gw-1".into(), order: Some("po-7".into()), ..Facts::default() }
    }

    #[test]
    fn the_built_in_ones_can_be_read() {
        for (name, text) in BUILT_IN {
            let template = Template::parse(name, text).unwrap();
            assert_eq!(template.is_secret(), name == "label-registration.toml", "{name}");
            assert!(template.placeholders().contains(&Placeholder::Id), "{name}");
        }
    }

    #[test]
    fn values_take_the_place_of_their_names() {
        let fill = |text: &str| Text::parse(text).and_then(|text| text.filled(&facts()));
        assert_eq!(fill("a{{{id}}}b"), Ok(Some("a{gw-1}b".into())));
        assert_eq!(fill("{order}/{id}"), Ok(Some("po-7/gw-1".into())));
        assert_eq!(fill("plain"), Ok(Some("plain".into())));
        assert_eq!(fill("type {type}"), Ok(None));
        let needs = |what| LabelError::Unknown { id: "gw-1".into(), what };
        assert_eq!(fill("{id} {sha256}"), Err(needs("live certificate")));
        assert_eq!(fill("{otp}"), Err(needs("one-time password")));
        for wrong in ["{ID}", "{}", "{nothing}", "{{{x}"] {
            assert!(matches!(Text::parse(wrong), Err(LabelError::Placeholder { .. })), "{wrong}");
        }
        for (wrong, missing) in [("a {id", '}'), ("{", '}'), ("id} b", '{'), ("}", '{')] {
            let text = Foreign::new(wrong);
            assert_eq!(Text::parse(wrong), Err(LabelError::Brace { text, missing }));
        }
    }

    #[test]
    fn faults_of_a_template_are_named() {
        let fault = |text: &str| Template::parse("my.toml", text).unwrap_err().to_string();
        let odd = "the label template my.toml: line 2: `qr` is 1, but must be a text in quotes";
        assert_eq!(fault("\nqr = 1"), odd);
        assert!(!fault("qr = [").contains("\\n"));
        assert!(fault("").contains("neither a qr nor a [[line]]"));
        assert!(fault("qr = \"x\"\ncolour = \"red\"").contains("colour"));
        assert!(fault("[[line]]\ntext = \"x\"\npoints = 2").contains("letters have 4 to 72"));
        assert!(fault("qr = \"x\"\nsheet = \"nosuch\"").contains("\"nosuch\" is no label sheet"));
        let own = "qr = \"x\"\n[sheet]\npage = [210, 297]\nlabel = [50, 50]\ncolumns = 5\nrows = 1\nleft = 0\ntop = 0\npitch = [50, 50]";
        assert!(fault(own).contains("do not lie on the page"), "{}", fault(own));
        let fits = own.replace("columns = 5", "columns = 4");
        assert_eq!(Template::parse("my.toml", &fits).unwrap().sheet().map(|s| s.labels()), Some(4));
    }
}
