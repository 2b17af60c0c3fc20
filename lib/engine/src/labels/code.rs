//! A QR code as modules.

use fast_qr::{ECL, QRBuilder};

use super::{LabelError, Result};

/// Modules of nothing around a code (ISO/IEC 18004, 6.3.8).
pub(super) const MARGIN: usize = 4;

/// A QR code.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code {
    /// What it holds: printable ASCII.
    pub(super) text: String,
    /// Modules on a side.
    pub(super) side: usize,
    dark: Vec<bool>,
}

impl Code {
    /// The code of a text, with 15 % of error correction (level M): labels get scratches.
    ///
    /// What is not ASCII is refused: without an ECI, which is not written here, readers guess its encoding, and zbar
    /// takes "ä" in UTF-8 for Chinese.
    pub(super) fn new(id: &str, text: &str) -> Result<Self> {
        if let Some(found) = text.chars().find(|c| !matches!(c, ' '..='~')) {
            return Err(LabelError::CodeText { id: id.to_owned(), found });
        }
        let too_long = |_| LabelError::CodeLength { id: id.to_owned(), bytes: text.len() };
        let code = QRBuilder::new(text).ecl(ECL::M).build().map_err(too_long)?;
        let side = code.size;
        let dark = (0..side * side).map(|at| code[at / side][at % side].value()).collect();
        Ok(Self { text: text.to_owned(), side, dark })
    }

    /// Modules on a side, with the margin.
    pub(super) fn whole(&self) -> usize {
        self.side + 2 * MARGIN
    }

    /// The runs of dark modules: row, first column, length. Rows and columns count without the margin.
    pub(super) fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        self.dark.chunks(self.side).enumerate().flat_map(|(row, modules)| {
            let mut column = 0;
            std::iter::from_fn(move || {
                let start = column + modules.get(column..)?.iter().position(|dark| *dark)?;
                let length = modules[start..].iter().take_while(|dark| **dark).count();
                column = start + length;
                Some((row, start, length))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_all_dark_modules() {
        let code = Code::new("x", "https://acme.example/#/a?b=c").unwrap();
        let all: usize = code.runs().map(|(_, _, length)| length).sum();
        assert_eq!(all, code.dark.iter().filter(|dark| **dark).count());
        // The finder pattern in the corner (ISO/IEC 18004, 6.3.3).
        let first: Vec<_> = code.runs().take(3).collect();
        assert_eq!(first[0], (0, 0, 7));
        assert!(code.runs().any(|run| run == (6, 0, 7)));
        assert_eq!(code.whole(), code.side + 8);
    }

    #[test]
    fn what_readers_guess_at_is_refused() {
        let refused = |text: &str| Code::new("gw", text).unwrap_err();
        assert_eq!(refused("gw-ä"), LabelError::CodeText { id: "gw".into(), found: 'ä' });
        assert_eq!(refused("a\nb"), LabelError::CodeText { id: "gw".into(), found: '\n' });
        assert_eq!(
            refused(&"x".repeat(3000)),
            LabelError::CodeLength { id: "gw".into(), bytes: 3000 }
        );
    }
}
