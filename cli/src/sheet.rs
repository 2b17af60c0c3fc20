//! `-o csv`: results as CSV, a line for each. The columns are the fields of the JSON in their order; what is a list or
//! an object in it is JSON in its cell.

use std::fmt;

use c8y_pki_core::shown;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::failure::{Failure, Result};

/// The columns of a sheet, once its first row is known.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    columns: Vec<String>,
}

/// The fields of an object in the order in which they were written.
struct Row(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Row, A::Error> {
                let mut row = Vec::new();
                while let Some(field) = map.next_entry()? {
                    row.push(field);
                }
                Ok(Row(row))
            }
        }
        from.deserialize_map(Fields)
    }
}

fn row<T: Serialize>(value: &T) -> Result<Row> {
    let failed = |e: serde_json::Error| Failure::Output(e.into());
    let text = serde_json::to_string(value).map_err(failed)?;
    serde_json::from_str(&text).map_err(failed)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shown::cell(&shown::one_line(text)).into_owned(),
        other => shown::json(&other.to_string()).into_owned(),
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).map_err(|e| Failure::Output(e.into()))?;
    writer.into_inner().map_err(|e| Failure::Output(std::io::Error::other(e.to_string())))
}

impl Sheet {
    /// The lines of values that come one by one and have the same fields; the first with the header before it.
    pub(crate) fn add<T: Serialize>(&mut self, value: &T) -> Result<Vec<u8>> {
        let Row(fields) = row(value)?;
        let mut lines = Vec::new();
        if self.columns.is_empty() {
            self.columns = fields.iter().map(|(name, _)| name.clone()).collect();
            lines = line(self.columns.iter().map(String::as_str))?;
        }
        lines.extend(self.line(&fields)?);
        Ok(lines)
    }

    fn line(&self, fields: &[(String, Value)]) -> Result<Vec<u8>> {
        let value = |column: &String| fields.iter().find(|(name, _)| name == column);
        let cells: Vec<String> = self
            .columns
            .iter()
            .map(|c| value(c).map(|(_, v)| cell(v)).unwrap_or_default())
            .collect();
        line(cells.iter().map(String::as_str))
    }
}

/// All of them at once: a field that only some have is a column too.
pub(crate) fn of<T: Serialize>(values: &[T]) -> Result<Vec<u8>> {
    let rows: Vec<Row> = values.iter().map(row).collect::<Result<_>>()?;
    let mut sheet = Sheet::default();
    for (name, _) in rows.iter().flat_map(|Row(fields)| fields) {
        if !sheet.columns.contains(name) {
            sheet.columns.push(name.clone());
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut text = line(sheet.columns.iter().map(String::as_str))?;
    for Row(fields) in &rows {
        text.extend(sheet.line(fields)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        z: &'static str,
        a: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        more: Option<Vec<u8>>,
    }

    #[test]
    fn fields_are_columns_in_their_order() {
        let things = [
            Thing { z: "=1+1", a: 1, more: None },
            Thing { z: "x,\u{202e}y", a: 2, more: Some(vec![1, 2]) },
        ];
        let text = String::from_utf8(of(&things).unwrap()).unwrap();
        assert_eq!(text, "z,a,more\n'=1+1,1,\n\"x,\\u{202e}y\",2,\"[1,2]\"\n");
        let mut sheet = Sheet::default();
        assert_eq!(sheet.add(&things[0]).unwrap(), b"z,a\n'=1+1,1\n");
        assert_eq!(sheet.add(&things[0]).unwrap(), b"'=1+1,1\n");
    }
}
