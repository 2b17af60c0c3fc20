//! A QR code as text for a terminal: two rows of modules in each line, by half blocks.

use clap::ValueEnum;
use fast_qr::{ECL, QRBuilder};

/// Modules of nothing around a code (ISO/IEC 18004, 6.3.8).
const MARGIN: usize = 4;

/// How a QR code is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Qr {
    /// For a terminal with a dark background
    Dark,
    /// For a terminal with a light background
    Light,
    /// Not at all
    None,
}

/// The code of a text; none if it is not wanted, or the text is too long for one (2,953 bytes).
pub(crate) fn draw(text: &str, how: Qr) -> Option<String> {
    if how == Qr::None {
        return None;
    }
    let code = QRBuilder::new(text).ecl(ECL::L).build().ok()?;
    let inside = MARGIN..MARGIN + code.size;
    let is_dark = |row: usize, column: usize| {
        inside.contains(&row)
            && inside.contains(&column)
            && code[row - MARGIN][column - MARGIN].value()
    };
    // A character is drawn where the terminal's background is not what a module is to be.
    let is_drawn = |row, column| is_dark(row, column) != (how == Qr::Dark);
    let side = code.size + 2 * MARGIN;
    let mut drawn = String::new();
    for row in (0..side).step_by(2) {
        for column in 0..side {
            // What is below the last row is margin.
            drawn.push(match (is_drawn(row, column), is_drawn(row + 1, column)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        drawn.push('\n');
    }
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_each_others_opposite_and_have_a_margin() {
        let dark = draw("https://acme.example/", Qr::Dark).unwrap();
        let light = draw("https://acme.example/", Qr::Light).unwrap();
        let opposite: String = dark
            .chars()
            .map(|c| match c {
                '█' => ' ',
                ' ' => '█',
                '▀' => '▄',
                '▄' => '▀',
                other => other,
            })
            .collect();
        assert_eq!(light, opposite);
        let lines: Vec<&str> = dark.lines().collect();
        assert!(lines[0].chars().all(|c| c == '█') && lines[1] == lines[0]);
        assert!(lines.iter().all(|line| line.starts_with("████") && line.ends_with("████")));
        assert_eq!(draw("x", Qr::None), None);
        assert_eq!(draw(&"x".repeat(3000), Qr::Dark), None);
    }
}
