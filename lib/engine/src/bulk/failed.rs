//! The list of devices that could not be issued, for people with a spreadsheet.

use super::{BadRow, BulkError};
use crate::failure::Hint;
use crate::shown;

/// A CSV with a header: line, id, what is wrong, what to do about it.
pub fn failed_csv(faults: &[BadRow]) -> Result<Vec<u8>, BulkError> {
    let fail = |e: String| BulkError::List { file: "the list of faults".to_owned(), problem: e };
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |cells: [&str; 4]| {
        let cells = cells.map(|text| shown::cell(&shown::one_line(text)).into_owned());
        csv.write_record(cells).map_err(|e| fail(e.to_string()))
    };
    row(["line", "id", "problem", "remedy"])?;
    for fault in faults {
        let line = fault.line.map_or_else(String::new, |line| line.to_string());
        let hint = fault.hint.as_ref().map(Hint::to_string).unwrap_or_default();
        row([&line, &fault.id, &fault.message, &hint])?;
    }
    csv.into_inner().map_err(|e| fail(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_fault() {
        let fault = |id: &str, line| BadRow {
            id: id.to_owned(),
            line,
            message: format!("device id {id:?} is odd"),
            hint: None,
        };
        let odd = BadRow { hint: Some("-x\nerror: y".into()), ..fault("a", None) };
        let csv = failed_csv(&[fault("a,b", Some(3)), fault("=1+1", None), odd]).unwrap();
        let expected = "line,id,problem,remedy\n3,\"a,b\",\"device id \"\"a,b\"\" is odd\",\n\
                        ,'=1+1,\"device id \"\"=1+1\"\" is odd\",\n\
                        ,a,\"device id \"\"a\"\" is odd\",'-x\\nerror: y\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
    }
}
