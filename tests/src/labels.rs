//! Printed labels as a camera sees them: sheets are drawn by Poppler, and codes are read by zbar.

use std::path::PathBuf;

use c8y_pki_engine::labels::Sheet;

use crate::cli::Cli;
use crate::{arg, tool};

/// What the codes of pictures say: each has exactly one, in this order. None without zbar.
///
/// # Panics
///
/// When a picture has no code that is read.
pub fn codes(pictures: &[PathBuf]) -> Option<Vec<String>> {
    let zbar = tool("zbarimg")?;
    let read = |some: &[PathBuf]| -> Vec<String> {
        let options = ["-q", "--raw", "-Sdisable", "-Sqrcode.enable"];
        let args: Vec<&str> =
            options.into_iter().chain(some.iter().map(|picture| arg(picture))).collect();
        let output = zbar.output(&args);
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    };
    let mut all = Vec::with_capacity(pictures.len());
    // A command line has an end, and a picture without a code says nothing: then it is looked for.
    for some in pictures.chunks(200) {
        let said = read(some);
        if said.len() != some.len() {
            let none = some.iter().find(|picture| read(&[(*picture).clone()]).len() != 1);
            panic!("{} codes in {} pictures, and not one in {none:?}", said.len(), some.len());
        }
        all.extend(said);
    }
    Some(all)
}

/// A picture of Poppler's: PGM, 8 bits (Netpbm, `pgm`).
struct Gray {
    width: usize,
    pixels: Vec<u8>,
}

impl Gray {
    fn read(bytes: &[u8]) -> Self {
        let mut at = 0;
        let mut word = || {
            let start = at + bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
            at = start + bytes[start..].iter().take_while(|b| !b.is_ascii_whitespace()).count();
            String::from_utf8_lossy(&bytes[start..at]).into_owned()
        };
        assert_eq!(word(), "P5");
        let (width, _, most) = (word(), word(), word());
        assert_eq!(most, "255");
        Self { width: width.parse().expect("a width"), pixels: bytes[at + 1..].to_vec() }
    }

    /// A part of it as a PGM.
    fn part(&self, left: usize, top: usize, width: usize, height: usize) -> Vec<u8> {
        let rows = self.pixels.chunks(self.width).skip(top).take(height);
        let mut part = format!("P5 {width} {height} 255\n").into_bytes();
        rows.for_each(|row| part.extend(&row[left..left + width]));
        part
    }
}

/// The labels of a PDF, cut from its sheets, as pictures in a directory. `dpi` is how finely they are drawn, `skip` how
/// many places of the first sheet have no label. None without Poppler.
///
/// # Panics
///
/// When the sheets are not as many as the labels need.
pub fn cut(
    cli: &Cli,
    pdf: &str,
    sheet: Sheet,
    dpi: u32,
    skip: usize,
    labels: usize,
) -> Option<Vec<PathBuf>> {
    let to = format!("{pdf}.cut");
    std::fs::create_dir(cli.path(&to)).expect("a directory");
    let root = cli.arg(&format!("{to}/page"));
    tool("pdftoppm")?.run(&["-gray", "-r", &dpi.to_string(), &cli.arg(pdf), &root]);
    let mut pages: Vec<String> = cli.names(&to);
    pages.sort();
    assert_eq!(pages.len(), (labels + skip).div_ceil(sheet.labels()));
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a page has a few thousand dots"
    )]
    let dots = |mm: f64| (mm / 25.4 * f64::from(dpi)) as usize;
    let mut pictures = Vec::with_capacity(labels);
    for (page, name) in pages.iter().enumerate() {
        let drawn = Gray::read(&cli.read(&format!("{to}/{name}")));
        let first = page * sheet.labels();
        for at in 0..sheet.labels() {
            let Some(label) = (first + at).checked_sub(skip).filter(|label| *label < labels) else {
                continue;
            };
            let left = dots(sheet.left + sheet.pitch_x * (at % sheet.columns) as f64);
            let top = dots(sheet.top + sheet.pitch_y * (at / sheet.columns) as f64);
            let part = drawn.part(left, top, dots(sheet.label.width), dots(sheet.label.height));
            let name = format!("{to}/label-{label:04}.pgm");
            cli.write(&name, part);
            pictures.push(cli.path(&name));
        }
    }
    Some(pictures)
}
