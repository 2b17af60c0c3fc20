//! Workbooks as people leave them: notes beside a table, a title above it, sheets before it, columns hidden in it. Python's
//! openpyxl writes them.

use c8y_pki_tests::cli::Cli;

use super::sheets::{issue, issued, refused, workbook};

const ROWS: &str = "\
def fill(sheet, *rows):
    for row in rows: sheet.append(list(row))
";

/// A workbook with the rows of a list, and what a script does besides.
fn table(cli: &Cli, name: &str, script: &str) -> bool {
    workbook(cli, name, &format!("{ROWS}{script}"))
}

const TWO: &str = "fill(sheet, ('id', 'name'), ('gw-1', 'One'), ('gw-2', 'Two'))\n";

#[test]
fn a_note_beside_or_below_a_table_is_named_by_its_cell() {
    let cli = Cli::with_cas();
    if !table(&cli, "beside.xlsx", &format!("{TWO}sheet['F3'] = 'checked by Jo'")) {
        return;
    }
    let said = refused(&cli, &issue("beside.xlsx"));
    let cell =
        "the value \"checked by Jo\" of beside.xlsx row 3 is in column F, which has no header";
    assert!(said.contains(cell) && said.contains("delete what stands in that cell"), "{said}");
    assert!(!said.contains("quotes") && !said.contains("(s)"), "{said}");
    table(&cli, "below.xlsx", &format!("{TWO}sheet['B9'] = 'total: 2'"));
    let said = refused(&cli, &issue("below.xlsx"));
    assert!(said.contains("below.xlsx row 9") && said.contains("or delete the row"), "{said}");
    // Cells at the end of a row that are empty are not in the file.
    table(&cli, "short.xlsx", "fill(sheet, ('Delivery 7',), ('id', 'name', 'type'), ('gw-3',))");
    cli.ok(&issue("short.xlsx"));
    assert_eq!(issued(&cli), ["gw-3"]);
}

#[test]
fn the_first_sheet_with_anything_in_it_is_read() {
    let cli = Cli::with_cas();
    let devices = "other = book.create_sheet('Devices')\nfill(other, ('id',), ('gw-1',))";
    if !table(&cli, "second.xlsx", devices) {
        return;
    }
    let said = cli.run(&issue("second.xlsx")).expect(0).stderr;
    let which = "of its 2 sheets \"Devices\" is read, the first that is neither hidden nor empty";
    assert!(said.contains(which), "{said}");
    assert_eq!(issued(&cli), ["gw-1"]);
    // One with other things is told with the error.
    table(&cli, "notes.xlsx", &format!("fill(sheet, ('Notes',), ('by Jo',))\n{devices}"));
    let said = refused(&cli, &issue("notes.xlsx"));
    assert!(said.contains("has no column named id: only Notes"), "{said}");
    assert!(said.contains("(the first of its 2 sheets is read, \"Sheet\")"), "{said}");
    table(&cli, "empty.xlsx", "book.create_sheet('Devices')");
    assert!(refused(&cli, &issue("empty.xlsx")).contains("empty.xlsx: it is empty (of its 2"));
}

#[test]
fn the_header_is_found_below_a_title() {
    let cli = Cli::with_cas();
    let title = "fill(sheet, ('Delivery 7', 'of 2026'), ())\n";
    if !table(&cli, "title.xlsx", &format!("{title}{TWO}")) {
        return;
    }
    let said = cli.run(&issue("title.xlsx")).expect(0).stderr;
    assert!(
        said.contains("title.xlsx: the header is in row 3: what stands above it was not read"),
        "{said}"
    );
    assert_eq!(issued(&cli), ["gw-1", "gw-2"]);
    let named = cli.ok("device show gw-2 --json");
    assert!(named.contains("\"Two\""), "{named}");
    // Faults are named by the rows that the program shows.
    table(&cli, "bad.xlsx", &format!("{title}{TWO}fill(sheet, ('a:b', 'x'))"));
    assert!(refused(&cli, &issue("bad.xlsx")).contains("\"a:b\" (bad.xlsx row 6)"));
    cli.write("bad.csv", "Delivery 7;;\r\n\r\nid;name;\r\ngw-9;x;\r\na:b;y;\r\n");
    let said = refused(&cli, &issue("bad.csv"));
    assert!(said.contains("bad.csv: the header is in line 3"), "{said}");
    assert!(said.contains("\"a:b\" (bad.csv line 5)"), "{said}");
    // The column that is named counts.
    cli.write("own.csv", "Order of id\nid of order,7\nSerial number,name\ngw-7,x\n");
    cli.ok(&format!("{} --id-column 'Serial number'", issue("own.csv")));
    assert!(issued(&cli).contains(&"gw-7".to_owned()));
}

#[test]
fn numbers_and_hidden_columns_are_told_as_they_are_seen() {
    let cli = Cli::with_cas();
    let long = "fill(sheet, ('id', 'order'), (1234567890123456, 'x'), ('gw-1', 'y'))";
    if !table(&cli, "long.xlsx", long) {
        return;
    }
    let said = refused(&cli, &issue("long.xlsx"));
    let number = "device id 1234567890123456 (long.xlsx row 2) is a number of 16 digits";
    assert!(said.contains(number) && !said.contains("E+"), "{said}");
    table(&cli, "one.xlsx", "fill(sheet, ('id', 'order'), ('gw-1', 7))");
    let said = cli.run(&issue("one.xlsx")).expect(0).stderr;
    assert!(said.contains("1 of its cells is a number, in row 2, column B: zeros"), "{said}");

    let hide = "for name in 'AC': sheet.column_dimensions[name].hidden = True";
    let three = "fill(sheet, ('id', 'name', 'type'), ('gw-2', 'Two', 'acme'))\n";
    table(&cli, "hidden.xlsx", &format!("{three}{hide}"));
    let said = cli.run(&issue("hidden.xlsx")).expect(0).stderr;
    let told = "2 columns are hidden, the first is A: hidden columns of a list are read too";
    assert!(said.contains(told), "{said}");
    assert!(cli.ok("device show gw-2 --json").contains("\"acme\""));
    // A hidden column with nothing in it is none of the list's.
    table(&cli, "beyond.xlsx", &format!("{TWO}sheet.column_dimensions['H'].hidden = True"));
    let said = cli.run("registration create --from beyond.xlsx").expect(0).stderr;
    assert!(!said.contains("hidden"), "{said}");
}
