//! What stands below the options in a command's help: its lines are as wide as the source is, and terminals are not.

use clap::Command;

/// The command with paragraphs that take the width of the terminal, for it and all below it.
pub(crate) fn flowing(command: Command) -> Command {
    let text = command.get_after_help().map(|text| joined(&text.to_string()));
    let command = command.mut_subcommands(flowing);
    match text {
        Some(text) => command.after_help(text),
        None => command,
    }
}

/// The text with each paragraph on one line. Lines that begin with a space are examples and tables, and stay.
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = "";
    for line in text.lines() {
        let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
        if !out.is_empty() {
            let goes_on = is_prose(before) && is_prose(line);
            out.push(if goes_on { ' ' } else { '\n' });
        }
        out.push_str(line);
        before = line;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    #[test]
    fn paragraphs_are_joined_and_examples_stay() {
        let text = "One\ntwo.\nThree.\n\nExamples:\n  a b\n  c\n\nExit codes: 0;\n1.";
        let expected = "One two. Three.\n\nExamples:\n  a b\n  c\n\nExit codes: 0; 1.";
        assert_eq!(joined(text), expected);
    }

    /// Each line of prose is as long as the width lets it be.
    fn check(command: &mut Command, width: usize) {
        *command = command.clone().term_width(width);
        let help = command.render_help().to_string();
        let after = command.get_after_help().map(|text| text.to_string()).unwrap_or_default();
        let from = after.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        let start = help.rfind(&from).unwrap_or(help.len());
        let lines: Vec<&str> = help[start..].lines().collect();
        for pair in lines.windows(2) {
            let is_prose = pair.iter().all(|line| !line.is_empty() && !line.starts_with(' '));
            let next = pair[1].split(' ').next().unwrap_or_default();
            let fits = pair[0].len() + 1 + next.len() <= width;
            assert!(!(is_prose && fits), "{} at {width}: {pair:?}", command.get_name());
        }
        command.get_subcommands_mut().for_each(|below| check(below, width));
    }

    #[test]
    fn help_takes_the_width_of_the_terminal() {
        for width in [100, 61] {
            let mut root = flowing(Cli::command());
            root.build();
            check(&mut root, width);
        }
    }
}
