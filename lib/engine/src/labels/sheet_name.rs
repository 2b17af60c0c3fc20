//! A sheet by its name, a roll by its size.

use std::str::FromStr;

use super::LabelError;
use super::sheet::{SHEETS, SIDES, Sheet, Size};

impl FromStr for Sheet {
    type Err = LabelError;

    /// A name of [`SHEETS`] in any case, or the size of a roll's labels: `100x50`.
    fn from_str(text: &str) -> Result<Self, LabelError> {
        let wanted = text.trim().to_ascii_lowercase();
        if let Some((_, _, sheet)) = SHEETS.iter().find(|(name, _, _)| *name == wanted) {
            return Ok(*sheet);
        }
        let size = || -> Option<Size> {
            let (width, height) = wanted.split_once('x')?;
            // Numbers as people write them: 57.5, and not 5e1.
            let plain = |text: &&str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let side = |text: &str| {
                let number = Some(text.trim()).filter(plain)?.parse().ok()?;
                SIDES.contains(&number).then_some(number)
            };
            Some(Size { width: side(width)?, height: side(height)? })
        };
        size().map(Self::roll).ok_or_else(|| LabelError::Sheet { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_is_a_size() {
        let roll: Sheet = "100x50".parse().unwrap();
        assert_eq!((roll.page, roll.labels()), (Size { width: 100.0, height: 50.0 }, 1));
        assert_eq!("57.5 x 31.75".parse::<Sheet>().unwrap().label.to_string(), "57.5 x 31.75");
        for wrong in [
            "", "100", "100x", "4x50", "100x1001", "NaNx50", "infx50", "-100x50", "1e2x50", "l7160",
        ] {
            assert_eq!(wrong.parse::<Sheet>(), Err(LabelError::Sheet { text: wrong.to_owned() }));
        }
    }
}
