//! A label as SVG 1.1, for laser engravers and programs that lay out by themselves.

use super::layout::{Layout, POINT, lay_out};
use super::template::Label;
use super::{Result, Size, millimetres, push};

pub(super) fn draw(label: &Label, size: Size) -> Result<String> {
    let Layout { code, texts } = lay_out(label, size)?;
    let (width, height) = (millimetres(size.width), millimetres(size.height));
    let mut out = String::new();
    push(
        &mut out,
        format_args!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" \
             width=\"{width}mm\" height=\"{height}mm\" viewBox=\"0 0 {width} {height}\">\n<rect width=\"{width}\" \
             height=\"{height}\" fill=\"#fff\"/>\n"
        ),
    );
    if let Some(placed) = code {
        // The unit is a module, so that all numbers are whole ones.
        let (x, y, module) = (millimetres(placed.x), millimetres(placed.y), placed.module);
        push(
            &mut out,
            format_args!(
                "<path transform=\"translate({x} {y}) scale({module:.5})\" shape-rendering=\"crispEdges\" d=\""
            ),
        );
        for (row, column, length) in placed.code.runs() {
            push(&mut out, format_args!("M{column} {row}h{length}v1h-{length}z"));
        }
        out.push_str("\"/>\n");
    }
    for text in &texts {
        let (x, y, height) =
            (millimetres(text.x), millimetres(text.baseline), millimetres(text.points * POINT));
        let weight = if text.bold { " font-weight=\"bold\"" } else { "" };
        push(
            &mut out,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-family=\"Courier New, Liberation Mono, Courier, monospace\" \
                 font-size=\"{height}\"{weight} xml:space=\"preserve\">{}</text>\n",
                escaped(&text.text)
            ),
        );
    }
    out.push_str("</svg>\n");
    Ok(out)
}

/// Text in which XML sees nothing of its own (XML 1.0, 2.4). What XML cannot hold at all, control characters, is
/// made visible before it comes here.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
