//! The list of devices that could not be issued, for people with a spreadsheet.

use super::{BulkError, Fault};

/// A CSV with a header: line, id, what is wrong, what to do about it.
pub fn failed_csv(faults: &[Fault]) -> Result<Vec<u8>, BulkError> {
    let fail = |e: String| BulkError::List { file: "the list of faults".to_owned(), problem: e };
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut row = |cells: [&str; 4]| csv.write_record(cells).map_err(|e| fail(e.to_string()));
    row(["line", "id", "problem", "remedy"])?;
    for fault in faults {
        let line = fault.line.map_or_else(String::new, |line| line.to_string());
        let id = harmless(&fault.id);
        row([&line, &id, &fault.message, fault.hint.as_deref().unwrap_or_default()])?;
    }
    csv.into_inner().map_err(|e| fail(e.to_string()))
}

/// An id that was refused may be what a spreadsheet takes for a formula.
fn harmless(id: &str) -> String {
    match id.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{id}"),
        false => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_fault() {
        let fault = |id: &str, line| Fault {
            id: id.to_owned(),
            line,
            message: format!("device id {id:?} is odd"),
            hint: None,
        };
        let csv = failed_csv(&[fault("a,b", Some(3)), fault("=1+1", None)]).unwrap();
        let expected = "line,id,problem,remedy\n3,\"a,b\",\"device id \"\"a,b\"\" is odd\",\n\
                        ,'=1+1,\"device id \"\"=1+1\"\" is odd\",\n";
        assert_eq!(String::from_utf8(csv).unwrap(), expected);
    }
}
