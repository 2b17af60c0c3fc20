//! The same labels in each form.

use super::*;

fn label(template: &str, id: &str) -> Label {
    let facts = Facts { id: id.into(), ..Facts::default() };
    Template::parse("t", template).unwrap().label(&facts).unwrap()
}

const BOTH: &str = "qr = \"{id}\"\n[[line]]\ntext = \"{id}\"\npoints = 12\nbold = true";

#[test]
fn names_are_text_in_every_form() {
    let hostile = "<svg onload=\"x\">&^XZ~JR";
    let label = label(BOTH, hostile);
    let size = Size { width: 100.0, height: 50.0 };
    let svg = svg(&label, size).unwrap();
    assert!(
        svg.contains("&lt;svg") && svg.contains("&amp;") && !svg.contains("<svg onload"),
        "{svg}"
    );
    let zpl =
        draw(std::slice::from_ref(&label), Form::Zpl { size, resolution: Resolution::Dpi203 })
            .unwrap();
    assert_eq!(String::from_utf8(zpl).unwrap().matches("^XZ").count(), 1);
    let csv = draw(&[label], Form::Csv).unwrap();
    let row = csv::Reader::from_reader(&csv[..]).records().next().unwrap().unwrap();
    assert_eq!(&row[0], hostile);
}

#[test]
fn a_table_begins_no_formula() {
    let csv = draw(&[label(BOTH, "=1+2")], Form::Csv).unwrap();
    assert_eq!(String::from_utf8(csv).unwrap(), "id,qr,line_1\n'=1+2,'=1+2,'=1+2\n");
}

#[test]
fn the_first_sheet_may_be_begun() {
    let labels: Vec<Label> = (0..22).map(|n| label(BOTH, &format!("gw-{n}"))).collect();
    let sheet: Sheet = "avery-l7160".parse().unwrap();
    let pages = |labels: &[Label], skip| {
        let pdf = draw(labels, Form::Pdf { sheet, skip }).unwrap();
        String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count()
    };
    assert_eq!(
        [pages(&labels[..21], 0), pages(&labels[..21], 1), pages(&labels, 0), pages(&labels, 20)],
        [1, 2, 2, 2]
    );
    let refused = draw(&labels, Form::Pdf { sheet, skip: 21 }).unwrap_err();
    assert_eq!(refused, LabelError::Skip { labels: 21, skip: 21 });
}

#[test]
fn pdf_refuses_what_it_cannot_write() {
    let text = "qr = \"x\"\n[[line]]\ntext = \"{id}\"\npoints = 12";
    let sheet: Sheet = "100x50".parse().unwrap();
    let refused = draw(&[label(text, "日本")], Form::Pdf { sheet, skip: 0 }).unwrap_err();
    assert_eq!(refused, LabelError::Font { id: "日本".into(), found: '日' });
    assert!(svg(&label(text, "日本"), sheet.label).unwrap().contains("日本"));
}
