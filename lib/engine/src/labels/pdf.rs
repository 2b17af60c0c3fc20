//! Labels as PDF 1.7 (ISO 32000-1): sheets, or pages of a roll.
//!
//! Letters are Courier and Courier-Bold, which every reader has (9.6.2.2); so nothing is embedded, and characters
//! outside of WinAnsiEncoding (annex D) are refused. A QR code is one path, so that no reader smooths it.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use super::layout::{Layout, POINT, Placed, Text, lay_out};
use super::template::Label;
use super::{LabelError, Result, Sheet};

const PLAIN: Name<'_> = Name(b"C");
const BOLD: Name<'_> = Name(b"B");

/// What stands at 0x80 to 0x9F of WinAnsiEncoding (ISO 32000-1, annex D.2); a blank stands for none.
const SPECIAL: [char; 32] = [
    '€', ' ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', ' ', 'Ž', ' ', ' ', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', ' ', 'ž', 'Ÿ',
];

pub(super) fn draw(labels: &[Label], sheet: Sheet, skip: usize) -> Result<Vec<u8>> {
    if skip >= sheet.labels() {
        return Err(LabelError::Skip { labels: sheet.labels(), skip });
    }
    let mut next = 0;
    let mut new = || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, tree, plain, bold, info) = (new(), new(), new(), new(), new());
    let (mut pdf, mut pages) = (Pdf::new(), Vec::new());
    pdf.catalog(catalog).pages(tree);
    pdf.document_info(info).producer(TextStr("c8y-pki")).title(TextStr("Labels"));
    for (font, name) in [(plain, &b"Courier"[..]), (bold, b"Courier-Bold")] {
        pdf.type1_font(font).base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let mut rest = labels;
    let mut first = skip;
    while !rest.is_empty() {
        let (these, others) = rest.split_at(rest.len().min(sheet.labels() - first));
        let (page, content) = (new(), new());
        let mut written = pdf.page(page);
        let size = [sheet.page.width, sheet.page.height].map(points);
        written.media_box(Rect::new(0.0, 0.0, size[0], size[1])).parent(tree).contents(content);
        written.resources().fonts().pair(PLAIN, plain).pair(BOLD, bold);
        written.finish();
        let bytes = compressed(&page_of(these, sheet, first)?);
        pdf.stream(content, &bytes).filter(Filter::FlateDecode);
        pages.push(page);
        (rest, first) = (others, 0);
    }
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(pages).count(count);
    Ok(pdf.finish())
}

/// The content of a page.
fn page_of(labels: &[Label], sheet: Sheet, first: usize) -> Result<Vec<u8>> {
    let mut content = Content::new();
    for (at, label) in (first..).zip(labels) {
        let Layout { code, texts } = lay_out(label, sheet.label)?;
        let (left, top) = sheet.corner(at);
        // Pages of PDF begin at the bottom.
        let place = |x: f64, y: f64| (points(left + x), points(sheet.page.height - top - y));
        if let Some(placed) = code {
            draw_code(&mut content, &placed, place(placed.x, placed.y));
        }
        for text in &texts {
            draw_text(&mut content, text, place(text.x, text.baseline), &label.id)?;
        }
    }
    Ok(content.finish().into_vec())
}

/// A code, whose first module is left and above.
fn draw_code(content: &mut Content, placed: &Placed<'_>, (x, y): (f32, f32)) {
    let module = points(placed.module);
    content.save_state().transform([module, 0.0, 0.0, -module, x, y]);
    for (row, column, length) in placed.code.runs() {
        content.rect(column as f32, row as f32, length as f32, 1.0);
    }
    content.fill_nonzero().restore_state();
}

#[allow(clippy::cast_possible_truncation, reason = "letters have at most 72 points")]
fn draw_text(content: &mut Content, text: &Text, (x, y): (f32, f32), id: &str) -> Result<()> {
    let encoded = text
        .text
        .chars()
        .map(|c| in_win_ansi(c).ok_or_else(|| LabelError::Font { id: id.to_owned(), found: c }));
    let encoded: Vec<u8> = encoded.collect::<Result<_>>()?;
    let font = if text.bold { BOLD } else { PLAIN };
    content.begin_text().set_font(font, text.points as f32).next_line(x, y);
    content.show(Str(&encoded)).end_text();
    Ok(())
}

fn in_win_ansi(c: char) -> Option<u8> {
    match c {
        ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{ff}' => u8::try_from(u32::from(c)).ok(),
        _ => {
            let at = SPECIAL.iter().position(|special| *special == c)?;
            u8::try_from(0x80 + at).ok()
        }
    }
}

/// Millimetres as points.
#[allow(clippy::cast_possible_truncation, reason = "a page has a few thousand points")]
fn points(millimetres: f64) -> f32 {
    (millimetres / POINT) as f32
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Into memory: neither fails.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_their_place_in_the_encoding() {
        assert_eq!(in_win_ansi('A'), Some(b'A'));
        assert_eq!(in_win_ansi('ä'), Some(0xe4));
        assert_eq!(in_win_ansi('€'), Some(0x80));
        assert_eq!(in_win_ansi('Ÿ'), Some(0x9f));
        assert_eq!(in_win_ansi('日'), None);
        assert_eq!(in_win_ansi('\u{ad}'), None);
    }
}
