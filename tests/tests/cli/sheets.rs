//! Device lists as spreadsheets leave them.

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::python_with;

pub(crate) fn issue(list: &str) -> String {
    format!("device issue --from {list} --ca line --out out {CA_PW}")
}

/// What is said, all faults of a list.
pub(crate) fn refused(cli: &Cli, line: &str) -> String {
    cli.run(line).expect(2).stderr
}

/// What was issued, sorted.
pub(crate) fn issued(cli: &Cli) -> Vec<String> {
    cli.names("out").into_iter().filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn a_rounded_number_is_refused_in_any_column() {
    let cli = Cli::with_cas();
    cli.write("iccid.csv", "id;ICCID\ngw-1;8949020000000000000\ngw-2;8,94902E+18\n");
    let said = refused(&cli, &issue("iccid.csv"));
    assert!(said.contains("\"8,94902E+18\" in the column \"ICCID\" of iccid.csv line 3"), "{said}");
    assert!(said.contains("1 of 2 devices cannot be issued; nothing was made"), "{said}");
    // A MAC address, an order number: an E alone is no exponent.
    cli.write("fine.csv", "id;order\n12E456;1E5\n");
    cli.ok(&issue("fine.csv"));
}

#[test]
fn what_spreadsheets_add_is_left_out() {
    let cli = Cli::with_cas();
    let rows = "sep=;\r\nid;name;;\r\n=\"000123\";\"=\"\"0007\"\"\";;\r\n;;;\r\n000124;b;;;;;\r\n;;;;;\r\n";
    cli.write("list.csv", rows);
    cli.ok(&issue("list.csv"));
    assert_eq!(issued(&cli), ["000123", "000124"]);
    let shown = cli.ok("device show 000123 --json");
    assert!(shown.contains("\"0007\""), "{shown}");
    // Lines are counted from the first one of the file.
    cli.write("bad.csv", "sep=;\r\nid;name\r\n;;\r\na:b;x\r\n");
    let said = refused(&cli, &issue("bad.csv"));
    assert!(said.contains("bad.csv line 4"), "{said}");
    cli.write("headless.csv", "id;;\nx;;y\n");
    let said = refused(&cli, &issue("headless.csv"));
    assert!(said.contains("the value \"y\" of headless.csv line 2 is in column 3"), "{said}");
}

#[test]
fn another_encoding_is_one_sentence_for_the_whole_file() {
    let cli = Cli::with_cas();
    let latin: Vec<u8> = "id;name\ngw-1;Halle\ngw-2;M\u{fc}nchen\ngw-3;K\u{f6}ln\n"
        .chars()
        .map(|c| c as u8)
        .collect();
    std::fs::write(cli.path("latin.csv"), latin).expect("written");
    let said = refused(&cli, &issue("latin.csv"));
    assert!(said.contains("latin.csv is not UTF-8, first in line 3"), "{said}");
    assert!(said.contains("save it as CSV UTF-8"), "{said}");
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
}

#[test]
fn ids_that_look_the_same_are_one() {
    let cli = Cli::with_cas();
    let (composed, decomposed) = ("M\u{fc}nchen-1", "Mu\u{308}nchen-1");
    cli.write("twins.csv", format!("id\n{composed}\n{decomposed}\n"));
    let said = refused(&cli, &issue("twins.csv"));
    assert!(said.contains("line 3) looks like"), "{said}");
    // In the next run, too.
    cli.write("first.csv", format!("id\n{decomposed}\n"));
    cli.ok(&issue("first.csv"));
    cli.write("second.csv", format!("id\n{composed}\n"));
    let said = refused(&cli, &issue("second.csv"));
    assert!(said.contains("looks like that of a device that has a certificate"), "{said}");
}

/// Another case is another device for the platform, and the same one for a file system.
#[test]
fn an_id_in_another_case_than_that_of_an_earlier_run_is_refused() {
    let cli = Cli::with_cas();
    cli.write("first.csv", "id\nmeter-7\n");
    cli.ok(&issue("first.csv"));
    cli.write("second.csv", "id\nMETER-7\nmeter-8\n");
    let twin = "looks like that of a device that has a certificate: only the case";
    for line in [
        issue("second.csv"),
        format!("device issue METER-7 --ca line --out out --existing replace {CA_PW}"),
        "order create o --from second.csv --ca line".to_owned(),
    ] {
        let said = refused(&cli, &line);
        assert!(said.contains("\"METER-7\"") && said.contains(twin), "{line}: {said}");
    }
    let request = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=METER-7 -out r";
    if c8y_pki_tests::tool("openssl").is_some() {
        let mut made = std::process::Command::new("sh");
        let made = made.args(["-c", request]).current_dir(cli.path("")).output();
        assert!(made.expect("openssl").status.success());
        let line = format!("device sign r --ca line --out signed {CA_PW}");
        let said = cli.run(&line).expect(1);
        assert!(said.stdout.contains(twin), "{said:?}");
    }
    assert_eq!(issued(&cli), ["meter-7"]);
}

/// A device and a server with one common name would be taken for each other.
#[test]
fn the_name_of_a_server_is_no_id_of_a_device() {
    let cli = Cli::with_cas();
    cli.ok(&format!("server issue b7 --ca line --san DNS:b7.example --out servers {CA_PW}"));
    cli.write("list.csv", "id\nB7\ngw-1\n");
    for line in [
        issue("list.csv"),
        format!("device issue b7 --ca line --out out {CA_PW}"),
        "order create o --from list.csv --ca line".to_owned(),
    ] {
        let said = refused(&cli, &line);
        assert!(said.contains("is the name of a server"), "{line}: {said}");
    }
}

#[test]
fn the_column_of_ids_has_the_name_that_it_has() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "Serial number,ID\nsn-1,7\nsn-2,8\n");
    cli.ok(&format!("{} --id-column 'Serial number'", issue("list.csv")));
    assert_eq!(issued(&cli), ["sn-1", "sn-2"]);
    let said = refused(&cli, &format!("{} --id-column Serial", issue("list.csv")));
    assert!(said.contains("no column named Serial: only Serial number, ID"), "{said}");
    let csv = cli.ok("registration create --from list.csv --id-column 'Serial number'");
    assert!(csv.contains("sn-1"), "{csv}");
}

/// Python's openpyxl writes what is read.
#[test]
fn a_workbook_is_a_list() {
    let Some(python) = python_with("openpyxl") else { return };
    let cli = Cli::with_cas();
    let script = "\
import datetime, sys, openpyxl
book = openpyxl.Workbook()
sheet = book.active
for row in [['id', 'name', 'made', 'count'], ['000123', 'Halle \u{fc}, \"A\"', datetime.date(2026, 3, 1), 7],
            [None, None, None, None], ['gw\\t2'.replace('\\t', '-'), 'x;y', None, 1.5], [4711, None, None, None]]:
    sheet.append(row)
book.create_sheet('other').append(['id'])
book.save(sys.argv[1])
big = openpyxl.Workbook()
big.active.append(['id', 'ICCID'])
big.active.append(['gw-3', 89490200001234567890])
big.save(sys.argv[2])
";
    let (list, big) = (cli.arg("list.xlsx"), cli.arg("big.xlsx"));
    python.run(&["-c", script, &list, &big]);
    let said = cli.run(&issue("list.xlsx")).expect(0).stderr;
    assert_eq!(issued(&cli), ["000123", "4711", "gw-2"]);
    assert!(said.contains("the first of its 2 sheets is read"), "{said}");
    assert!(said.contains("of its cells are numbers, the first in row 2"), "{said}");
    let shown = cli.ok("device show 000123 --json");
    for value in ["2026-03-01", "Halle \u{fc}, \\\"A\\\"", "\"7\""] {
        assert!(shown.contains(value), "{value}: {shown}");
    }
    let said = refused(&cli, &issue("big.xlsx"));
    assert!(
        said.contains(
            "89490200001234570000 in the column \"ICCID\" of big.xlsx row 2 is a number of 20 digits"
        ),
        "{said}"
    );
    // Whatever else begins as a zip archive does.
    std::fs::write(cli.path("torn.xlsx"), &std::fs::read(&list).expect("a file")[..400])
        .expect("written");
    let said = refused(&cli, &issue("torn.xlsx"));
    assert!(said.contains("torn.xlsx: it is no workbook that can be read"), "{said}");
}

/// Writes a workbook with openpyxl: a script that has `sheet`, the first one, and `book`.
pub(crate) fn workbook(cli: &Cli, name: &str, script: &str) -> bool {
    let Some(python) = python_with("openpyxl") else { return false };
    let whole = format!(
        "import datetime, sys, openpyxl\nbook = openpyxl.Workbook()\nsheet = book.active\n{script}\nbook.save(sys.argv[1])\n"
    );
    python.run(&["-c", &whole, &cli.arg(name)]);
    true
}

#[test]
fn faults_are_named_by_the_row_or_line_that_their_program_shows() {
    let cli = Cli::with_cas();
    let script = "\
for row, cells in {3: ['id', 'name'], 4: ['gw-1', 'two\\nlines'], 6: [None, None], 8: ['b:b', 'x'], 9: ['gw-1', 'y']}.items():
    for column, value in enumerate(cells):
        sheet.cell(row, column + 1, value)";
    if !workbook(&cli, "list.xlsx", script) {
        return;
    }
    let said = refused(&cli, &issue("list.xlsx"));
    assert!(said.contains("\"b:b\" (list.xlsx row 8)"), "{said}");
    assert!(said.contains("\"gw-1\" (list.xlsx row 9) is there already in row 4"), "{said}");
    // What is said later, of a list that was read before.
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    workbook(&cli, "twin.xlsx", "[sheet.append(row) for row in [['id'], [None], ['GW-1']]]");
    let said = refused(&cli, &issue("twin.xlsx"));
    assert!(said.contains("device id \"GW-1\" (row 3) looks like"), "{said}");
    workbook(&cli, "new.xlsx", "[sheet.append(row) for row in [['id'], [None], ['gw 9']]]");
    let said = refused(&cli, &issue("new.xlsx"));
    assert!(said.contains("device id \"gw 9\" (row 3)"), "{said}");
    for end in ["\n", "\r\n", "\r"] {
        let lines = ["", ",,", "id,name", "gw-1,\"two", "lines\"", ",", "", "b:b,x"];
        cli.write("list.csv", lines.join(end));
        let said = refused(&cli, &issue("list.csv"));
        assert!(said.contains("\"b:b\" (list.csv line 8)"), "{end:?}: {said}");
    }
}

#[test]
fn empty_rows_before_the_header_are_ignored() {
    let cli = Cli::with_cas();
    for (number, text) in [
        "\n\nid;name\na0;x\n",
        ",,\n,,\nid,name,\na1,x,\n",
        "sep=;\n\n;\nid;name\na2;x\n",
        "\"\"\t\"\"\nid\tname\na3\tx\n",
    ]
    .into_iter()
    .enumerate()
    {
        cli.write("list.csv", text);
        cli.ok(&issue("list.csv"));
        assert!(issued(&cli).contains(&format!("a{number}")), "{text:?}");
    }
    for empty in ["", "\n\n", ",,\n;;\n", "sep=;\n"] {
        cli.write("empty.csv", empty);
        let said = refused(&cli, &issue("empty.csv"));
        assert!(said.contains("empty.csv: it is empty"), "{empty:?}: {said}");
    }
    cli.write("other.csv", "\nname;type\na;b\n");
    let said = refused(&cli, &issue("other.csv"));
    assert!(
        said.contains("the header in line 2 has no column named id: only name, type"),
        "{said}"
    );
    let script = "sheet['A3'], sheet['B3'], sheet['A4'], sheet['B4'] = 'id', 'name', 'gw-x', 'X'";
    if workbook(&cli, "list.xlsx", script) {
        cli.ok(&issue("list.xlsx"));
        assert!(issued(&cli).contains(&"gw-x".to_owned()));
    }
}

#[test]
fn what_a_formula_could_not_count_is_no_value() {
    let cli = Cli::with_cas();
    cli.write("list.csv", "id;name\ngw-1;#BEZUG!\n#N/A;x\ngw-3;fine #N/A\n");
    let said = refused(&cli, &issue("list.csv"));
    assert!(
        said.contains(
            "\"#BEZUG!\" in the column \"name\" of list.csv line 2 is the error of a formula"
        ),
        "{said}"
    );
    assert!(
        said.contains("\"#N/A\" in the column \"id\" of list.csv line 3 is the error of a formula"),
        "{said}"
    );
    assert!(said.contains("2 of 3 devices cannot be issued"), "{said}");
    let cells = "[sheet.append(row) for row in [['id', 'name'], ['gw-1', '#REF!'], ['gw-2', 'x']]]";
    if !workbook(&cli, "list.xlsx", cells) {
        return;
    }
    let said = refused(&cli, &issue("list.xlsx"));
    assert!(
        said.contains(
            "\"#REF!\" in the column \"name\" of list.xlsx row 2 is the error of a formula"
        ),
        "{said}"
    );
    // openpyxl writes formulas without their values.
    let cells =
        "[sheet.append(row) for row in [['id', 'name'], ['gw-1', 'x'], ['=\"gw-\"&2', '=1+1']]]";
    workbook(&cli, "raw.xlsx", cells);
    let said = refused(&cli, &issue("raw.xlsx"));
    assert!(
        said.contains(
            "2 of its formulas have no stored value: the first is in row 3, column A\nhint: open it"
        ),
        "{said}"
    );
    // An error is not a name of a column either.
    cli.write("head.csv", "id;#NAME?\ngw-1;x\n");
    let said = refused(&cli, &issue("head.csv"));
    assert!(
        said.contains("the header in line 1 has \"#NAME?\", which is the error of a formula"),
        "{said}"
    );
}

/// What a spreadsheet shows beside all rows of merged cells belongs to all of them; what it hides is told.
#[test]
fn what_a_spreadsheet_shows_and_hides_counts() {
    let cli = Cli::with_cas();
    let script = "\
sheet.title = 'Notes'
sheet.sheet_state = 'hidden'
sheet.append(['id'])
sheet.append(['wrong'])
sheet = book.create_sheet('Devices & <more>')
for row in [['id', 'group', 'made', 'at', 'for'],
            ['gw-1', 'Hall A', datetime.datetime(2026, 3, 1, 14, 30), datetime.time(6, 5), datetime.timedelta(hours=30)],
            ['gw-2', None, datetime.datetime(2026, 3, 2), None, None], ['gw-3'], ['gw-4', 'Hall B']]:
    sheet.append(row)
sheet.merge_cells('B2:B4')
sheet.merge_cells('B5:B900')
sheet.auto_filter.ref = 'A1:E5'
for row in (3, 5, 7): sheet.row_dimensions[row].hidden = True";
    if !workbook(&cli, "list.xlsx", script) {
        return;
    }
    let said = cli.run(&issue("list.xlsx")).expect(0).stderr;
    assert_eq!(issued(&cli), ["gw-1", "gw-2", "gw-3", "gw-4"]);
    assert!(
        said.contains("of its 2 sheets \"Devices & <more>\" is read, the first that is not hidden"),
        "{said}"
    );
    assert!(
        said.contains("2 rows are hidden, the first is row 3: hidden rows of a list are read too"),
        "{said}"
    );
    for (id, group) in
        [("gw-1", "Hall A"), ("gw-2", "Hall A"), ("gw-3", "Hall A"), ("gw-4", "Hall B")]
    {
        let shown = cli.run(&format!("device show {id} --json")).expect(0).json();
        assert_eq!(shown["details"]["group"], group, "{shown}");
    }
    let shown = cli.run("device show gw-1 --json").expect(0).json();
    let of = |name: &str| shown["details"][name].as_str().map(str::to_owned);
    assert_eq!(of("made").as_deref(), Some("2026-03-01 14:30:00"), "{shown}");
    assert_eq!(
        (of("at").as_deref(), of("for").as_deref()),
        (Some("06:05:00"), Some("30:00:00")),
        "{shown}"
    );
    let shown = cli.run("device show gw-2 --json").expect(0).json();
    assert_eq!(shown["details"]["made"], "2026-03-02", "{shown}");
}
