//! Every command and flag that a page, a help text or a sentence of the program names exists: each is looked up in
//! the help of the command itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki_tests::cli::{Cli, walk};

/// Flags that are named for programs that are not ours.
const OF_OTHERS: &[(&str, &str)] = &[("--no-default-features", "cargo")];

/// What follows the program's name in a sentence about it.
const PROSE: &[&str] = &["makes", "says", "manifest"];

/// The program's commands, asked one by one.
struct Program {
    cli: Cli,
    known: BTreeMap<String, Option<Help>>,
}

#[derive(Clone)]
struct Help {
    usage: String,
    flags: BTreeSet<String>,
    /// Those of them that a value follows.
    valued: BTreeSet<String>,
    is_group: bool,
}

impl Program {
    fn new() -> Self {
        Self { cli: Cli::new(), known: BTreeMap::new() }
    }

    /// The help of a command; none if there is no such command.
    fn help(&mut self, path: &str) -> Option<Help> {
        if let Some(help) = self.known.get(path) {
            return help.clone();
        }
        let outcome = self.cli.run(format!("{path} --help").trim_start());
        let help = (outcome.code == 0).then(|| Help {
            usage: line_of(&outcome.stdout, "Usage: ").to_owned(),
            flags: flags(&outcome.stdout, ""),
            valued: flags(&outcome.stdout, "<"),
            is_group: outcome.stdout.contains("\nCommands:\n"),
        });
        self.known.insert(path.to_owned(), help.clone());
        help
    }

    /// What is wrong with a line as it is typed, without the program's name.
    fn wrong(&mut self, line: &str) -> Option<String> {
        let mut path = String::new();
        let mut help = self.help("").expect("help of the program");
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let word = word.trim_end_matches(['.', ',', ':', ';']);
            if word == "--" || ["|", "&&", ">", "<", "#", "&"].contains(&word) {
                return None;
            }
            if word.starts_with("--") {
                let flag = word.split('=').next().unwrap_or(word);
                if !help.flags.contains(flag) {
                    return Some(format!("`{path}` has no {flag}"));
                }
                // What follows it here is no command.
                if help.is_group && help.valued.contains(word) {
                    words.next();
                }
            } else if help.is_group && word.starts_with(|c: char| c.is_ascii_lowercase()) {
                path = format!("{path} {word}").trim_start().to_owned();
                match self.help(&path) {
                    Some(deeper) if deeper.usage != help.usage => help = deeper,
                    _ => return Some(format!("`{path}` is no command")),
                }
            }
        }
        None
    }
}

fn line_of<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find_map(|line| line.trim().strip_prefix(start)).unwrap_or_default()
}

/// The flags that a help text explains, and that such a text follows.
fn flags(help: &str, then: &str) -> BTreeSet<String> {
    let of = |line: &str| {
        let at = line.find("--").filter(|at| line[..*at].trim().len() <= 3)?;
        let flag = flag_at(&line[at..]);
        let rest = line[at + flag.len()..].trim_start();
        rest.starts_with(then).then(|| flag.to_owned())
    };
    help.lines().filter(|line| line.starts_with("  ")).filter_map(of).collect()
}

/// The flag with which a text begins.
fn flag_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-');
    text.get(..end.unwrap_or(text.len())).unwrap_or_default().trim_end_matches('-')
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is looked through, with its name.
fn texts(cli: &Cli) -> Vec<(String, String)> {
    let mut texts = vec![("the help".to_owned(), cli.ok("reference"))];
    let mut files = vec![root().join("README.md")];
    walk(&root().join("docs"), &mut |path| files.push(path.to_owned()));
    walk(&root().join("cli/src"), &mut |path| files.push(path.to_owned()));
    for path in files {
        let name = path.display().to_string();
        let wanted = name.ends_with(".md") || (name.ends_with(".rs") && !name.contains("tests"));
        if wanted && !name.ends_with("reference.md") {
            let text = fs::read_to_string(&path).unwrap();
            // Lines that go on are one.
            let text = text.replace("\r\n", "\n").replace("\\n\\\n", "\n");
            texts.push((name, one_line(&text)));
        }
    }
    texts
}

fn one_line(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| format!("{} {}", all.trim_end(), line.trim_start()))
}

/// The commands that a text names: in backquotes, and those at the beginning of a line that is typed.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, name) in line.match_indices("c8y-pki ") {
            let (before, after) = (&line[..at], &line[at + name.len()..]);
            let quoted = before.ends_with('`');
            let typed = before.trim().is_empty()
                || before.ends_with("$ ")
                || before.ends_with("&& ")
                || before.ends_with("| ");
            // What is typed may be explained behind two spaces.
            let end = if quoted { "`" } else { "  " };
            if quoted || typed {
                found.push(after.split(end).next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[test]
fn every_command_that_is_named_exists() {
    let mut program = Program::new();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (name, text) in texts(&Cli::new()) {
        for line in commands(&text) {
            let first = line.split_whitespace().next().unwrap_or_default();
            if PROSE.contains(&first) || first.starts_with(['[', '{']) {
                continue;
            }
            seen += 1;
            if let Some(what) = program.wrong(&line) {
                wrong.push(format!("{name}: c8y-pki {line}: {what}"));
            }
        }
    }
    assert!(seen > 400, "only {seen} commands were found: the test looks in the wrong place");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_flag_that_is_named_exists() {
    let cli = Cli::new();
    let known = flags(&cli.ok("reference"), "");
    assert!(known.len() > 150, "only {} flags", known.len());
    let (mut seen, mut wrong) = (0, Vec::new());
    for (name, text) in texts(&cli) {
        for (at, mark) in text.match_indices("`--") {
            let flag = flag_at(&text[at + mark.len() - 2..]);
            if flag.len() < 4 || OF_OTHERS.iter().any(|(other, _)| *other == flag) {
                continue;
            }
            seen += 1;
            if !known.contains(flag) {
                wrong.push(format!("{name}: {flag}"));
            }
        }
    }
    assert!(seen > 300, "only {seen} flags were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_and_a_flag_that_do_not_exist_are_found() {
    let mut program = Program::new();
    for (line, what) in [
        ("ca lisst", "`ca lisst` is no command"),
        ("ca list --al", "`ca list` has no --al"),
        ("--jsonn ca list", "`` has no --jsonn"),
        ("tenant trust", ""),
        ("key export x.p12 --plain", ""),
        ("--json device issue gw --ca line --out - | tar x --none", ""),
    ] {
        assert_eq!(program.wrong(line).unwrap_or_default(), what, "{line}");
    }
}
