//! The command line of `--exec`: words as a shell makes them, but no shell; places for what a device has.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::provision::bundle::Bundle;

use crate::failure::{Failure, Result};

/// What a place stands for: a file of the device by one of these names, whichever its bundle has.
const FILES: [(&str, &[&str]); 7] = [
    ("key", &["key.pem", "tedge-private-key.pem"]),
    ("cert", &["cert.pem"]),
    ("chain", &["chain.pem", "tedge-certificate.pem"]),
    ("p12", &["keystore.p12"]),
    ("jks", &["keystore.jks"]),
    ("truststore-p12", &["truststore.p12"]),
    ("truststore-jks", &["truststore.jks"]),
];

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Id,
    Dir,
    /// A file in the device's directory.
    File(&'static str),
}

/// A program with its arguments, once for all devices.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    program: PathBuf,
    words: Vec<Vec<Part>>,
}

impl Tool {
    /// Reads the command line; `bundle` is what the devices get.
    pub(super) fn parse(text: &str, bundle: &[Bundle]) -> Result<Self> {
        let words = shlex::split(text).ok_or_else(|| {
            refused("--exec has a quote that is not closed", "close it, or write \\\" for a quote")
        })?;
        let Some((program, arguments)) = words.split_first() else {
            return Err(refused(
                "--exec is empty",
                "name a program, for example 'flash {key} {chain}'",
            ));
        };
        if program.contains(['{', '}']) {
            let message =
                format!("--exec begins with {program:?}: the program is the same for all devices");
            return Err(refused(message, "put placeholders into its arguments only"));
        }
        let words: Vec<Vec<Part>> =
            arguments.iter().map(|word| parts(word, bundle)).collect::<Result<_>>()?;
        if words.iter().flatten().all(|part| matches!(part, Part::Text(_))) {
            let message = "--exec names nothing of the device: it would do the same for each";
            return Err(refused(message, "add a placeholder, for example {dir} or {id}"));
        }
        Ok(Self { program: find(program)?, words })
    }

    /// The program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments for a device whose directory that is; an error is why it cannot be run for it.
    pub(super) fn arguments(
        &self,
        id: &DeviceId,
        dir: &Path,
    ) -> std::result::Result<Vec<String>, String> {
        let mut arguments = Vec::with_capacity(self.words.len());
        for word in &self.words {
            let mut argument = String::new();
            for part in word {
                match part {
                    Part::Text(text) => argument.push_str(text),
                    Part::Id => argument.push_str(id.as_str()),
                    Part::Dir => argument.push_str(path_text(dir)?),
                    Part::File(name) => {
                        let path = dir.join(name);
                        if !path.is_file() {
                            return Err(format!("{} is not there", path.display()));
                        }
                        argument.push_str(path_text(&path)?);
                    }
                }
            }
            let is_written_so =
                matches!(word.first(), Some(Part::Text(text)) if text.starts_with('-'));
            if argument.starts_with('-') && !is_written_so {
                return Err(format!("the tool would take {argument:?} for an option"));
            }
            arguments.push(argument);
        }
        Ok(arguments)
    }
}

fn refused(message: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure::usage(message, hint)
}

fn path_text(path: &Path) -> std::result::Result<&str, String> {
    path.to_str().ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
}

/// Takes a word apart. `{{` and `}}` stand for braces.
fn parts(word: &str, bundle: &[Bundle]) -> Result<Vec<Part>> {
    let (mut parts, mut text) = (Vec::new(), String::new());
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let (name, after) = match (brace, rest.split_once('}')) {
            ("{", Some(found)) => found,
            _ => {
                let message = format!("--exec has a lone {brace} in {word:?}");
                return Err(refused(message, format!("write {brace}{brace} for a brace")));
            }
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(placeholder(name, bundle)?);
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() || parts.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

fn placeholder(name: &str, bundle: &[Bundle]) -> Result<Part> {
    match name {
        "id" => return Ok(Part::Id),
        "dir" => return Ok(Part::Dir),
        _ => {}
    }
    let Some((_, files)) = FILES.iter().find(|(known, _)| *known == name) else {
        let mut all = String::from("write one of {id}, {dir}");
        for (known, _) in FILES {
            let _ = write!(all, ", {{{known}}}");
        }
        return Err(refused(format!("--exec has a placeholder {{{name}}} that is not known"), all));
    };
    let made = |file: &&&str| bundle.iter().any(|kind| kind.file_names().contains(*file));
    match files.iter().find(made) {
        Some(file) => Ok(Part::File(file)),
        None => Err(refused(
            format!("--exec has {{{name}}}, but the devices get no {}", files.join(" or ")),
            "give a bundle that has it (--bundle; an order keeps its own), or use another placeholder",
        )),
    }
}

/// Where a program is, as a shell would find it.
fn find(program: &str) -> Result<PathBuf> {
    let places: Vec<PathBuf> = match program.contains(std::path::MAIN_SEPARATOR) {
        true => vec![PathBuf::from(program)],
        false => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|dir| dir.join(program)).collect()
        }
    };
    let found = places.iter().find(|path| is_program(path)).cloned();
    found.ok_or_else(|| {
        let message = format!("the program {program:?} of --exec is not there, or may not be run");
        refused(message, "give its path, or put its directory into PATH")
    })
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.with_extension("exe").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Tool::parse(text, &[Bundle::Pem]).unwrap_err().message()
    }

    fn arguments(text: &str, id: &str) -> std::result::Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        for name in ["key.pem", "chain.pem"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let tool = Tool::parse(text, &[Bundle::Pem]).unwrap();
        let here = dir.path().to_str().unwrap().to_owned();
        let given = tool.arguments(&DeviceId::parse(id).unwrap(), dir.path());
        given.map(|words| words.into_iter().map(|word| word.replace(&here, "D")).collect())
    }

    #[test]
    fn words_are_those_of_a_shell_and_placeholders_are_filled_in_afterwards() {
        let given =
            arguments(r#"sh -c 'cat "$1"' x {key} --id={id} "{dir}/a b" {{}} $HOME"#, "gw-1");
        let wanted = ["-c", "cat \"$1\"", "x", "D/key.pem", "--id=gw-1", "D/a b", "{}", "$HOME"];
        assert_eq!(given.unwrap(), wanted);
        // An id is one word, whatever is in it.
        assert_eq!(arguments("sh {id}", "a'b").unwrap(), ["a'b"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_before_anything_is_made() {
        for (text, part) in [
            ("", "is empty"),
            ("sh 'a {id}", "a quote that is not closed"),
            ("sh {serial}", "{serial} that is not known"),
            ("sh {p12}", "the devices get no keystore.p12"),
            ("sh {id", "a lone {"),
            ("sh id}", "a lone }"),
            ("sh a", "names nothing of the device"),
            ("{dir}/flash {id}", "the same for all devices"),
            ("no-such-program-here {id}", "\"no-such-program-here\" of --exec is not there"),
            ("/etc/passwd {id}", "may not be run"),
        ] {
            assert!(message(text).contains(part), "{text}: {}", message(text));
        }
    }

    #[test]
    fn nothing_of_a_device_is_taken_for_an_option() {
        // An id never begins with a hyphen; a directory may.
        let tool = Tool::parse("sh {dir} {id}", &[Bundle::Pem]).unwrap();
        let refused = tool.arguments(&DeviceId::parse("gw-1").unwrap(), Path::new("-rf"));
        assert!(refused.unwrap_err().contains("\"-rf\" for an option"));
        assert_eq!(arguments("sh -{id}", "rf").unwrap(), ["-rf"]);
        let missing = arguments("sh {cert}", "gw-1").unwrap_err();
        assert!(missing.ends_with("cert.pem is not there"), "{missing}");
    }
}
