//! Sizes of sheets and rolls, in millimetres.

use std::fmt;

use serde::Deserialize;

use super::millimetres;

/// A4 (ISO 216).
const A4: Size = Size { width: 210.0, height: 297.0 };
/// US Letter: 8.5 by 11 inches (ANSI Y14.1).
const LETTER: Size = Size { width: 215.9, height: 279.4 };

/// The smallest and the largest side of a label or page, in millimetres. Ours, against typing errors.
pub(super) const SIDES: std::ops::RangeInclusive<f64> = 5.0..=1000.0;

/// A width and a height, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", millimetres(self.width), millimetres(self.height))
    }
}

/// How labels lie on a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sheet {
    /// The page.
    pub page: Size,
    /// A label.
    pub label: Size,
    /// How many lie beside each other.
    pub columns: usize,
    /// How many lie below each other.
    pub rows: usize,
    /// From the page's left edge to the first label.
    pub left: f64,
    /// From its top edge.
    pub top: f64,
    /// From the left edge of a label to that of the next.
    pub pitch_x: f64,
    /// From the top edge of a label to that of the next.
    pub pitch_y: f64,
}

/// Labels in the middle of a page, as those of all makers here lie: their margins follow.
const fn centred(
    page: Size,
    (columns, rows): (usize, usize),
    (width, height): (f64, f64),
    (pitch_x, pitch_y): (f64, f64),
) -> Sheet {
    let across = pitch_x * (columns - 1) as f64 + width;
    let down = pitch_y * (rows - 1) as f64 + height;
    let (left, top) = ((page.width - across) / 2.0, (page.height - down) / 2.0);
    Sheet { page, label: Size { width, height }, columns, rows, left, top, pitch_x, pitch_y }
}

/// Common sheets: their name, what they are, and their sizes. Labels and distances are those of the maker's
/// products; compared with the templates of gLabels (`avery-iso-templates.xml`, `avery-us-templates.xml`).
pub const SHEETS: [(&str, &str, Sheet); 8] = [
    (
        "avery-l7160",
        "A4, 21 labels of 63.5 x 38.1 mm",
        centred(A4, (3, 7), (63.5, 38.1), (66.04, 38.1)),
    ),
    (
        "avery-l7161",
        "A4, 18 labels of 63.5 x 46.6 mm",
        centred(A4, (3, 6), (63.5, 46.6), (66.04, 46.6)),
    ),
    (
        "avery-l7163",
        "A4, 14 labels of 99.1 x 38.1 mm",
        centred(A4, (2, 7), (99.1, 38.1), (101.6, 38.1)),
    ),
    (
        "avery-l7651",
        "A4, 65 labels of 38.1 x 21.2 mm",
        centred(A4, (5, 13), (38.1, 21.2), (40.6, 21.2)),
    ),
    (
        "avery-l4732",
        "A4, 80 labels of 35.6 x 16.9 mm",
        centred(A4, (5, 16), (35.6, 16.9), (38.1, 16.9)),
    ),
    (
        "avery-l4770",
        "A4, 40 labels of 45.7 x 25.4 mm",
        centred(A4, (4, 10), (45.7, 25.4), (48.3, 25.4)),
    ),
    (
        "avery-5160",
        "US Letter, 30 labels of 66.7 x 25.4 mm",
        centred(LETTER, (3, 10), (66.675, 25.4), (69.85, 25.4)),
    ),
    (
        "avery-5163",
        "US Letter, 10 labels of 101.6 x 50.8 mm",
        centred(LETTER, (2, 5), (101.6, 50.8), (106.36, 50.8)),
    ),
];

impl Sheet {
    /// A roll: each label is a page.
    pub fn roll(label: Size) -> Self {
        let Size { width, height } = label;
        Self {
            page: label,
            label,
            columns: 1,
            rows: 1,
            left: 0.0,
            top: 0.0,
            pitch_x: width,
            pitch_y: height,
        }
    }

    /// How many labels a page has.
    pub fn labels(&self) -> usize {
        self.columns * self.rows
    }

    /// Where the left top corner of a label is: `at` counts from 0, row by row.
    pub(super) fn corner(&self, at: usize) -> (f64, f64) {
        let (row, column) = (at / self.columns, at % self.columns);
        (self.left + self.pitch_x * column as f64, self.top + self.pitch_y * row as f64)
    }
}

/// A sheet of the user's own, as a template gives it; millimetres.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {
    page: [f64; 2],
    label: [f64; 2],
    columns: usize,
    rows: usize,
    left: f64,
    top: f64,
    pitch: [f64; 2],
}

impl Own {
    /// The sheet. Errors: labels that do not lie on it, in words.
    pub(super) fn sheet(&self) -> Result<Sheet, String> {
        let size = |[width, height]: [f64; 2]| Size { width, height };
        let sheet = Sheet {
            page: size(self.page),
            label: size(self.label),
            columns: self.columns,
            rows: self.rows,
            left: self.left,
            top: self.top,
            pitch_x: self.pitch[0],
            pitch_y: self.pitch[1],
        };
        let sides = [self.page, self.label].concat();
        if let Some(side) = sides.iter().find(|side| !SIDES.contains(side)) {
            return Err(format!(
                "a side of {side} mm: it has to be {} to {} mm",
                SIDES.start(),
                SIDES.end()
            ));
        }
        if !(1..=100).contains(&self.columns) || !(1..=100).contains(&self.rows) {
            return Err("a sheet has 1 to 100 columns and rows".to_owned());
        }
        let (right, bottom) = sheet.corner(sheet.labels() - 1);
        let ends = [
            right + sheet.label.width - sheet.page.width,
            bottom + sheet.label.height - sheet.page.height,
        ];
        let narrow = (self.columns > 1 && sheet.pitch_x < sheet.label.width)
            || (self.rows > 1 && sheet.pitch_y < sheet.label.height);
        if narrow {
            return Err("the pitch is smaller than a label, so labels overlap".to_owned());
        }
        // Sizes in inches become such in millimetres with a remainder.
        if self.left < 0.0 || self.top < 0.0 || !ends.iter().all(|over| *over <= 0.05) {
            return Err("the labels do not lie on the page".to_owned());
        }
        Ok(sheet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_lie_on_their_pages() {
        for (name, what, sheet) in SHEETS {
            let (x, y) = sheet.corner(sheet.labels() - 1);
            let (right, bottom) = (
                sheet.page.width - x - sheet.label.width,
                sheet.page.height - y - sheet.label.height,
            );
            assert!(
                (right - sheet.left).abs() < 1e-9 && (bottom - sheet.top).abs() < 1e-9,
                "{name}"
            );
            assert!(sheet.left >= 3.0 && sheet.top >= 8.0, "{name}: {sheet:?}");
            assert!(what.contains(&format!(", {} labels of ", sheet.labels())), "{name}: {what}");
            assert_eq!(name.parse(), Ok(sheet));
        }
        assert_eq!("Avery-L7160".parse::<Sheet>().unwrap().labels(), 21);
    }
}
