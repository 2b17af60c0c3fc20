//! Labels as ZPL II, the language of Zebra's label printers and of others that understand it.
//!
//! The printer makes the QR code (`^BQ`) and the letters (`^A0`). Fields are UTF-8 (`^CI28`), and what the language
//! means something by (`^`, `~`, and the `_` of `^FH` itself) is written as hex, so no field ends early and no
//! command of a name or id is obeyed.

use std::str::FromStr;

use super::layout::{LEAST_MODULE, Layout, POINT, lay_out};
use super::template::Label;
use super::{LabelError, Result, Size, push};

/// The most dots of a module (ZPL II Programming Guide, `^BQ`).
const MOST_DOTS: u32 = 10;
/// How much lower than asked for firmware draws a QR code, in dots: seen on many printers; `^BQ`'s text has no word of it.
const LOWER: u32 = 10;

/// How fine a label printer prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolution {
    /// 8 dots in a millimetre.
    #[default]
    Dpi203,
    /// 12 dots in a millimetre.
    Dpi300,
    /// 24 dots in a millimetre.
    Dpi600,
}

impl Resolution {
    /// Dots in a millimetre (ZPL II Programming Guide, `^JM`).
    fn dots(self) -> f64 {
        match self {
            Self::Dpi203 => 8.0,
            Self::Dpi300 => 12.0,
            Self::Dpi600 => 24.0,
        }
    }
}

impl FromStr for Resolution {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "203" => Ok(Self::Dpi203),
            "300" => Ok(Self::Dpi300),
            "600" => Ok(Self::Dpi600),
            _ => Err("a label printer has 203, 300 or 600 dots in an inch"),
        }
    }
}

pub(super) fn draw(
    out: &mut String,
    label: &Label,
    size: Size,
    resolution: Resolution,
) -> Result<()> {
    let Layout { code, texts } = lay_out(label, size)?;
    let dots = |millimetres: f64| whole(millimetres * resolution.dots());
    push(
        out,
        format_args!("^XA\n^CI28\n^PW{}\n^LL{}\n^LH0,0\n", dots(size.width), dots(size.height)),
    );
    if let Some(placed) = code {
        // A module has whole dots; those that are over go around the code.
        let fine = placed.module * resolution.dots();
        let module = whole_down(fine).min(MOST_DOTS);
        if f64::from(module) < LEAST_MODULE * resolution.dots() {
            let least = (LEAST_MODULE * resolution.dots()).ceil() / resolution.dots();
            return Err(LabelError::CodeSize {
                id: label.id.clone(),
                room: super::millimetres(placed.module * placed.code.whole() as f64),
                needed: super::millimetres(placed.code.whole() as f64 * least),
            });
        }
        let spare = (fine - f64::from(module)) * placed.code.side as f64 / 2.0;
        let x = whole(placed.x * resolution.dots() + spare);
        let y = whole(placed.y * resolution.dots() + spare).saturating_sub(LOWER);
        // M: 15 % of error correction; A: the printer finds the encoding.
        push(
            out,
            format_args!("^FO{x},{y}^BQN,2,{module}^FH^FDMA,{}^FS\n", field(&placed.code.text)),
        );
    }
    for text in &texts {
        let height = dots(text.points * POINT).max(1);
        // ^FO names the top of the letters' box.
        let top = dots(text.baseline).saturating_sub(height * 4 / 5);
        // The bold condensed font is as wide as Courier at nine tenths of its width at most.
        let width = height * 9 / 10;
        push(
            out,
            format_args!(
                "^FO{},{top}^A0N,{height},{width}^FH^FD{}^FS\n",
                dots(text.x),
                field(&text.text)
            ),
        );
    }
    out.push_str("^XZ\n");
    Ok(())
}

/// A field's data for `^FH`: what ZPL means something by, as hex.
fn field(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '^' | '~' | '_' | '\\' | '>' => push(&mut out, format_args!("_{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a label has a few thousand dots"
)]
fn whole(dots: f64) -> u32 {
    dots.round().max(0.0) as u32
}

fn whole_down(dots: f64) -> u32 {
    // What is a whole number but for the last digit is one.
    whole((dots + 1e-6).floor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{Facts, Template};

    #[test]
    fn nothing_in_a_field_is_a_command() {
        assert_eq!(field("gw^XZ~JR_a\\b>c"), "gw_5EXZ_7EJR_5Fa_5Cb_3Ec");
        let template = "qr = \"{id}\"\n[[line]]\ntext = \"{id}\"\npoints = 8";
        let facts = Facts { id: "a^XZ^XA~JR".into(), ..Facts::default() };
        let label = Template::parse("t", template).unwrap().label(&facts).unwrap();
        let mut out = String::new();
        draw(&mut out, &label, Size { width: 100.0, height: 50.0 }, Resolution::Dpi300).unwrap();
        assert_eq!((out.matches("^XA").count(), out.matches("^XZ").count()), (1, 1), "{out}");
        assert!(!out.contains('~') && out.contains("^PW1200\n^LL600\n"), "{out}");
    }
}
