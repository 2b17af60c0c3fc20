//! The library names no command and no flag: a hint says what to do as a value, and the application has the words.

use std::fs;
use std::path::{Path, PathBuf};

/// Texts that look like a command or a flag and are none of ours, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("which c8y-pki cannot read", "the product as a TLS client"),
    ("the most that c8y-pki reads", "the product as a TLS client"),
    ("c8y-pki presented the certificate", "the product as a TLS client"),
    ("which are the versions that c8y-pki has", "the product as a TLS client"),
    ("is not a c8y-pki registry", "the kind of a file"),
    ("<!-- c8y-pki rollout -->", "the mark of a file"),
    ("c8y-pki backup 1", "the mark of a file"),
    ("c8y-pki self-test ", "the name of a CA that is removed again"),
    ("c8y-pki sandbox", "names of certificates and the realm of a sandbox"),
    ("curl --user ", "what is typed where no program of ours helps"),
];

/// Variables that the sandbox hands to programs of all kinds, under the names that the platform's own tools use.
const VARIABLES: &[&str] =
    &["C8Y_HOST", "C8Y_TENANT", "C8Y_USER", "C8Y_PASSWORD", "$C8Y_USER:$C8Y_PASSWORD"];

/// The sources of the library, and of what is carved out of it.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_test = ["tests", "tests.rs", "testing.rs", "target", "benches", "examples"];
        if is_test.contains(&name.as_str()) || name.ends_with("_tests.rs") {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && path.components().any(|c| c.as_os_str() == "src") {
            found.push(path);
        }
    }
}

/// The string literals of a source without its comments, lines that go on put together.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let tail = &rest[at..];
        if tail.starts_with("//") {
            rest = tail.split_once('\n').map_or("", |(_, next)| next);
        } else if let Some(quoted) =
            ["'\"'", "'\\\"'", "b'\"'"].iter().find(|q| tail.starts_with(**q))
        {
            rest = &tail[quoted.len()..];
        } else if let Some(body) = tail.strip_prefix('"') {
            let before = &rest[..at];
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with('r');
            let end = match is_raw {
                true => body.find(&format!("\"{}", "#".repeat(hashes))),
                false => closing(body),
            };
            let (text, next) = body.split_at(end.unwrap_or(body.len()));
            found.push(joined(text));
            rest = next.get(1..).unwrap_or_default();
        } else {
            rest = &tail[1..];
        }
    }
    found
}

/// Where a literal ends.
fn closing(body: &str) -> Option<usize> {
    let mut escaped = false;
    body.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn joined(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| all + line.trim_start())
}

/// What a text names of a command line, if anything.
fn named(text: &str) -> Option<&str> {
    let flag = |(at, _): (usize, &str)| {
        let letter = text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase());
        let begins = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-');
        (letter && begins).then(|| &text[at..])
    };
    let command = |(at, word): (usize, &str)| {
        let rest = &text[at + word.len()..];
        rest.starts_with(|c: char| c.is_ascii_lowercase()).then(|| &text[at..])
    };
    let variable = || (text.contains("C8Y_")).then_some(text);
    let flags = text.match_indices("--").find_map(flag);
    flags.or_else(|| text.match_indices("c8y-pki ").find_map(command)).or_else(variable)
}

#[test]
fn the_library_names_no_command_and_no_flag() {
    let mut files = Vec::new();
    sources(Path::new(env!("CARGO_MANIFEST_DIR")), &mut files);
    assert!(files.len() > 200, "only {} sources were found", files.len());
    let (mut seen, mut wrong) = (0, Vec::new());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for literal in literals(code) {
            seen += 1;
            let is_excepted = EXCEPTIONS.iter().any(|(part, _)| literal.contains(part))
                || VARIABLES.contains(&literal.as_str());
            if let Some(what) = named(&literal).filter(|_| !is_excepted) {
                wrong.push(format!("{}: {what}", path.display()));
            }
        }
    }
    assert!(seen > 5000, "only {seen} literals were found: the test looks in the wrong place");
    assert!(wrong.is_empty(), "say it with a Hint:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_looked_for_is_found() {
    let source = "f(\"see `c8y-pki ca \\\n    list`\"); // \"--none\"\n g('\"', \"run it with --at\", r#\"a --b\"#)";
    let found = literals(source);
    assert_eq!(found, ["see `c8y-pki ca list`", "run it with --at", "a --b"]);
    assert!(found.iter().all(|text| named(text).is_some()), "{found:?}");
    for harmless in ["c8y-pki", "-----BEGIN", "a -- b", "#c8y-pki ", "x509--y"] {
        assert_eq!(named(harmless), None, "{harmless}");
    }
}
