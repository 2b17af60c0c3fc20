//! Where everything goes on a label, in millimetres from its left top corner.

use super::code::{Code, MARGIN};
use super::template::{Label, Line};
use super::{LabelError, Result, Size, millimetres};

/// Millimetres of a point: an inch has 72.
pub(super) const POINT: f64 = 25.4 / 72.0;
/// The smallest letters, in points. Ours: what can still be read without a glass.
const LEAST_POINTS: f64 = 4.0;
/// The smallest module of a QR code, in millimetres. Ours: three dots of a printer with 300 dpi, two with 203.
pub(super) const LEAST_MODULE: f64 = 0.25;
/// The height of a line, in heights of its letters.
const LINE: f64 = 1.2;
/// How far the line on which letters stand is below the top of their line, in heights of letters.
const ASCENT: f64 = 0.9;
/// The width of a letter in heights of it: that of Courier, of which all widths are the same.
const WIDTH: f64 = 0.6;
/// The width of Chinese, Japanese and Korean letters, which are as wide as high.
const WIDE: f64 = 1.0;
/// So much smaller are letters made until they fit.
const STEP: f64 = 0.04;

/// Everything in its place.
#[derive(Debug)]
pub(super) struct Layout<'l> {
    pub(super) code: Option<Placed<'l>>,
    pub(super) texts: Vec<Text>,
}

/// A QR code: where its first module is, and how wide each is.
#[derive(Debug)]
pub(super) struct Placed<'l> {
    pub(super) code: &'l Code,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) module: f64,
}

/// A line of text, as wide as it may be.
#[derive(Debug, PartialEq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) x: f64,
    /// The line on which it stands.
    pub(super) baseline: f64,
    pub(super) points: f64,
    pub(super) bold: bool,
}

/// A place on a label.
#[derive(Debug, Clone, Copy)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Lays a label out. The code is left of the text, or above it on labels that are not wider than high.
pub(super) fn lay_out(label: &Label, size: Size) -> Result<Layout<'_>> {
    // What printers and cutters are off by; small labels have none to spare.
    let edge = if size.height < 20.0 || size.width < 20.0 { 0.8 } else { 1.5 };
    let inside =
        Area { x: edge, y: edge, width: size.width - 2.0 * edge, height: size.height - 2.0 * edge };
    let Some(code) = &label.code else {
        return Ok(Layout { code: None, texts: texts(label, inside, size)? });
    };
    let alone = label.lines.iter().flatten().next().is_none();
    let beside = inside.width >= 1.2 * inside.height;
    let side = match (alone, beside) {
        (true, _) => inside.width.min(inside.height),
        (false, true) => inside.height.min(0.55 * inside.width),
        (false, false) => inside.width.min(0.65 * inside.height),
    };
    let whole = code.whole();
    let module = side / whole as f64;
    if module < LEAST_MODULE {
        return Err(LabelError::CodeSize {
            id: label.id.clone(),
            room: millimetres(side),
            needed: millimetres(whole as f64 * LEAST_MODULE),
        });
    }
    let (left, top) = match beside || alone {
        true => (inside.x, inside.y + (inside.height - side) / 2.0),
        false => (inside.x + (inside.width - side) / 2.0, inside.y),
    };
    let margin = MARGIN as f64 * module;
    let placed = Placed { code, x: left + margin, y: top + margin, module };
    let rest = match beside {
        true => Area { x: inside.x + side, width: inside.width - side, ..inside },
        false => Area { y: inside.y + side, height: inside.height - side, ..inside },
    };
    Ok(Layout { code: Some(placed), texts: texts(label, rest, size)? })
}

/// The lines of a label, as large as they are to be or as they can.
fn texts(label: &Label, area: Area, size: Size) -> Result<Vec<Text>> {
    let (lines, mut scale): (Vec<&Line>, _) = (label.lines.iter().flatten().collect(), 1.0);
    loop {
        let points = |line: &Line| (line.points * scale).max(LEAST_POINTS.min(line.points));
        let smallest = lines.iter().all(|line| points(line) <= LEAST_POINTS);
        let texts = stacked(&lines, points, area);
        match texts {
            Some(texts) => return Ok(texts),
            None if smallest => {
                let least = millimetres(LEAST_POINTS);
                return Err(LabelError::Text {
                    id: label.id.clone(),
                    size: size.to_string(),
                    least,
                });
            }
            None => scale -= STEP,
        }
    }
}

/// The lines below each other, in the middle of their area; none if they do not fit.
fn stacked(lines: &[&Line], points: impl Fn(&Line) -> f64, area: Area) -> Option<Vec<Text>> {
    let (mut texts, mut y) = (Vec::new(), area.y);
    for line in lines {
        let (points, height) = (points(line), points(line) * POINT);
        for text in wrapped(&line.text, area.width / height)? {
            let baseline = y + ASCENT * height;
            texts.push(Text { text, x: area.x, baseline, points, bold: line.bold });
            y += LINE * height;
        }
    }
    let spare = area.y + area.height - y;
    if spare < 0.0 {
        return None;
    }
    texts.iter_mut().for_each(|text| text.baseline += spare / 2.0);
    Some(texts)
}

/// A text in pieces of some width, in heights of letters: between words, or within one that is wider, in pieces of
/// one length. None if not one letter fits.
fn wrapped(text: &str, width: f64) -> Option<Vec<String>> {
    if width < WIDE {
        return None;
    }
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let whole = wide(word);
        if whole > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if whole > width {
            lines.extend(pieces(word, whole, width));
            continue;
        }
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        match wide(&longer) > width {
            true => lines.push(std::mem::replace(&mut line, word.to_owned())),
            false => line = longer,
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    Some(lines)
}

/// A word in as few pieces as it takes, all about as long as each other: no line has one last letter.
fn pieces(word: &str, whole: f64, width: f64) -> Vec<String> {
    let mut number = (whole / width).ceil();
    loop {
        let pieces = cut(word, whole / number);
        // Letters are whole, so a piece may be longer than its share.
        if pieces.iter().all(|piece| wide(piece) <= width) {
            return pieces;
        }
        number += 1.0;
    }
}

/// A word in pieces of this length, each to the nearest letter.
fn cut(word: &str, share: f64) -> Vec<String> {
    let (mut pieces, mut piece, mut used) = (Vec::new(), String::new(), 0.0);
    for letter in word.chars() {
        let more = width_of(letter);
        let end = share * (pieces.len() + 1) as f64;
        if !piece.is_empty() && used + more / 2.0 > end {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.push(letter);
        used += more;
    }
    pieces.push(piece);
    pieces
}

fn wide(text: &str) -> f64 {
    text.chars().map(width_of).sum()
}

/// From U+1100 on are the letters that are wide, and others of which fonts differ.
fn width_of(letter: char) -> f64 {
    if letter < '\u{1100}' { WIDTH } else { WIDE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{Facts, SHEETS, Template};

    #[test]
    fn words_stay_together_where_they_can() {
        let wrap = |text: &str, letters: f64| wrapped(text, letters * WIDTH + 0.001).unwrap();
        assert_eq!(wrap("ab cd ef", 5.0), ["ab cd", "ef"]);
        assert_eq!(wrap("ab cdefgh", 4.0), ["ab", "cde", "fgh"]);
        assert_eq!(wrap("0123456789", 4.0), ["012", "3456", "789"]);
        // No last line of one letter.
        let hex = "0123456789abcdef".repeat(4);
        let lines =
            |letters: f64| -> Vec<usize> { wrap(&hex, letters).iter().map(String::len).collect() };
        assert_eq!(lines(21.4), [16; 4]);
        for tenths in 50..640 {
            let lines = lines(f64::from(tenths) / 10.0);
            let last = *lines.last().unwrap();
            assert!(lines.len() == 1 || last + 1 >= lines[0], "{tenths}: {lines:?}");
        }
        assert_eq!(wrap("", 4.0), [""]);
        assert_eq!(wrapped("ab", 0.9), None);
        // A wide letter takes as much as it is high.
        assert_eq!(wrapped("日本", 1.9).unwrap(), ["日", "本"]);
    }

    #[test]
    fn nothing_leaves_its_label() {
        for id in ["g", "gw-0001", "0123456789abcdef-0123456789abcdef"] {
            let facts =
                Facts { id: id.into(), order: Some("po-2026-0815".into()), ..Facts::default() };
            let text = "qr = \"{id}\"\n[[line]]\ntext = \"{id}\"\npoints = 14\n[[line]]\ntext = \"{order}\"\npoints = 8";
            let label = Template::parse("t", text).unwrap().label(&facts).unwrap();
            for (name, _, sheet) in SHEETS {
                let layout = lay_out(&label, sheet.label).unwrap();
                let placed = layout.code.unwrap();
                let end = placed.code.side as f64 * placed.module;
                let margin = MARGIN as f64 * placed.module;
                assert!(placed.x + end + margin <= sheet.label.width, "{name}");
                assert!(placed.y + end + margin <= sheet.label.height, "{name}");
                for text in &layout.texts {
                    let height = text.points * POINT;
                    assert!(
                        text.x + wide(&text.text) * height <= sheet.label.width,
                        "{name} {text:?}"
                    );
                    assert!(text.x >= placed.x + end, "{name} {text:?}");
                    assert!(text.baseline - ASCENT * height >= 0.0, "{name} {text:?}");
                    assert!(text.baseline <= sheet.label.height, "{name} {text:?}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let facts = Facts { id: "gw-1".into(), ..Facts::default() };
        let label = |text: &str| Template::parse("t", text).unwrap().label(&facts).unwrap();
        let size = Size { width: 20.0, height: 10.0 };
        let long = format!("[[line]]\ntext = \"{}\"\npoints = 6", "x".repeat(200));
        let refused = lay_out(&label(&long), size).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the text on the label of device \"gw-1\" does not fit on 20 x 10 mm at 4 points"
        );
        let refused = lay_out(&label(&format!("qr = \"{}\"", "x".repeat(100))), size).unwrap_err();
        assert!(matches!(refused, LabelError::CodeSize { .. }), "{refused}");
        // 49 modules of 0.25 mm.
        assert!(refused.to_string().contains("needs a square of 12.25 mm"), "{refused}");
    }
}
