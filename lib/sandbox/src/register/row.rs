//! One row of a bulk registration, and why it fails: no id, a colon in it, an unknown AUTH_TYPE, BASIC
//! without credentials, certificates with some, a one-time password of the wrong form, a cell that its
//! column does not take.

use csv::StringRecord;
use serde_json::{Map, Value};

use super::super::names;
use super::super::state::{AuthType, Device};
use super::table::{DEMANDING, EXTERNAL, KNOWN, Table};
use crate::secret::Password;

const AGENT: &str = "com_cumulocity_model_Agent.active";

/// The device that a row asks for.
pub(super) struct Wanted {
    pub(super) id: String,
    /// Its tenant, for the management tenant.
    pub(super) tenant: Option<String>,
    pub(super) device: Device,
    /// With which it may enrol.
    pub(super) one_time: Option<Password>,
}

/// Reads a row.
pub(super) fn read(table: &Table, row: &StringRecord) -> Result<Wanted, String> {
    if row.len() > table.headers.len() {
        let (cells, columns) = (row.len(), table.headers.len());
        return Err(format!("the row has {cells} cells for {columns} columns"));
    }
    let text = |column: &str| {
        Some(table.cell(row, column)).filter(|cell| !cell.is_empty()).map(str::to_owned)
    };
    let id = text("ID").filter(|id| !id.trim().is_empty()).ok_or("the ID is empty")?;
    names::check_id(&id)?;
    // Since 2025.0.131 a full registration makes users whatever their names are.
    if !["TYPE", "NAME"].iter().all(|column| table.has(column)) {
        names::check_user(&id)?;
    }
    let mut device = Device::new(auth_type(table.cell(row, "AUTH_TYPE"))?);
    device.credentials = text("CREDENTIALS").map(Password::new);
    let one_time = text("ENROLLMENT_OTP").map(Password::new);
    check_secrets(&mut device, one_time.as_ref())?;
    device.device_type = text("TYPE");
    device.name = text("NAME");
    if let Some(column) = DEMANDING.into_iter().find(|column| text(column).is_some())
        && (device.device_type.is_none() || device.name.is_none())
    {
        return Err(format!("{column} is given, but not both TYPE and NAME"));
    }
    device.iccid = text("ICCID");
    if let Some(id_type) = text("IDTYPE") {
        device.id_type = id_type;
    }
    let path = text("PATH").unwrap_or_default();
    device.groups = path.split('/').filter(|g| !g.is_empty()).map(str::to_owned).collect();
    device.shell = choice(table, row, "SHELL", "0", "1")?;
    device.agent = choice(table, row, AGENT, "false", "true")?;
    let external = table.headers.iter().find_map(|header| header.strip_prefix(EXTERNAL));
    device.external =
        external.and_then(|kind| Some((kind.to_owned(), text(&format!("{EXTERNAL}{kind}"))?)));
    device.properties = properties(table, row);
    Ok(Wanted { id, tenant: text("TENANT"), device, one_time })
}

fn auth_type(cell: &str) -> Result<AuthType, String> {
    match cell {
        "" | "BASIC" => Ok(AuthType::Basic),
        "CERTIFICATES" => Ok(AuthType::Certificates),
        other => Err(format!("the AUTH_TYPE {other:?} is not BASIC or CERTIFICATES")),
    }
}

fn check_secrets(device: &mut Device, one_time: Option<&Password>) -> Result<(), String> {
    if let Some(one_time) = one_time {
        // Beside it the credentials are skipped, which is no error.
        device.credentials = None;
        device.auth_type = AuthType::Certificates;
        return names::check_one_time(one_time);
    }
    match (device.auth_type, &device.credentials) {
        (AuthType::Basic, None) => Err("CREDENTIALS are missing".to_owned()),
        (AuthType::Certificates, Some(_)) => {
            Err("CREDENTIALS are given with AUTH_TYPE CERTIFICATES".to_owned())
        }
        _ => Ok(()),
    }
}

/// A cell with two values; empty is `no`.
fn choice(
    table: &Table,
    row: &StringRecord,
    column: &str,
    no: &str,
    yes: &str,
) -> Result<bool, String> {
    match table.cell(row, column) {
        "" => Ok(false),
        cell if cell == no => Ok(false),
        cell if cell == yes => Ok(true),
        other => Err(format!("{column} is {other:?}, not {yes} or {no}")),
    }
}

/// All other columns, nested by their dots.
fn properties(table: &Table, row: &StringRecord) -> Map<String, Value> {
    let mut all = Map::new();
    for (header, cell) in table.headers.iter().zip(row) {
        let own = !KNOWN.contains(&header.as_str()) && !header.starts_with(EXTERNAL);
        if own && !cell.is_empty() {
            nest(&mut all, header, cell);
        }
    }
    all
}

fn nest(object: &mut Map<String, Value>, name: &str, value: &str) {
    let Some((outer, inner)) = name.split_once('.') else {
        object.insert(name.to_owned(), value.into());
        return;
    };
    let entry = object.entry(outer).or_insert_with(|| Map::new().into());
    if let Value::Object(entry) = entry {
        nest(entry, inner, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(file: &str) -> Result<Wanted, String> {
        let table = Table::read(file.as_bytes(), false).unwrap();
        read(&table, &table.rows[0].1)
    }

    #[test]
    fn a_row_with_everything() {
        let wanted = one("ID;AUTH_TYPE;ENROLLMENT_OTP;TYPE;NAME;ICCID;PATH;SHELL;\
            com_cumulocity_model_Agent.active;site.floor;site.hall;external-imei\n\
            gw-1;CERTIFICATES;otp-12345;t;n;894;Plant/Line 7;1;true;3;B;4711\n")
        .unwrap();
        let device = wanted.device;
        assert_eq!(wanted.id, "gw-1");
        assert_eq!(device.groups, ["Plant", "Line 7"]);
        assert!(device.shell && device.agent);
        assert_eq!(device.external, Some(("imei".to_owned(), "4711".to_owned())));
        let site = serde_json::json!({ "floor": "3", "hall": "B" });
        assert_eq!(device.properties["site"], site);
    }

    #[test]
    fn rows_that_fail_say_why() {
        let fails = |file: &str, part: &str| {
            let reason = one(file).map(|_| ()).unwrap_err();
            assert!(reason.contains(part), "{file}: {reason}");
        };
        fails("ID;AUTH_TYPE\n;CERTIFICATES\n", "ID is empty");
        fails("ID;AUTH_TYPE\nAA:BB;CERTIFICATES\n", "':'");
        fails("ID;AUTH_TYPE\na b;CERTIFICATES\n", "' '");
        fails("ID;AUTH_TYPE\na+b;CERTIFICATES\n", "user");
        assert!(one("ID;AUTH_TYPE;TYPE;NAME\na+b;CERTIFICATES;t;n\n").is_ok());
        let both = one("ID;CREDENTIALS;ENROLLMENT_OTP\na;Device-Secret-1;once-4711\n").unwrap();
        assert!(both.device.credentials.is_none() && both.one_time.is_some());
        fails("ID;AUTH_TYPE\na;certificates\n", "AUTH_TYPE");
        fails("ID\na\n", "CREDENTIALS are missing");
        fails("ID;AUTH_TYPE;CREDENTIALS\na;CERTIFICATES;x\n", "CREDENTIALS are given");
        fails("ID;AUTH_TYPE;ENROLLMENT_OTP\na;CERTIFICATES;short\n", "5 characters");
        fails("ID;AUTH_TYPE;ENROLLMENT_OTP\na;CERTIFICATES;\"abc\"\"defg\"\n", "'\"'");
        fails("ID;AUTH_TYPE;TYPE;NAME;PATH\na;CERTIFICATES;t;;x\n", "PATH");
        fails("ID;AUTH_TYPE;TYPE;NAME;SHELL\na;CERTIFICATES;t;n;yes\n", "SHELL");
        fails("ID;AUTH_TYPE\na;CERTIFICATES;x\n", "3 cells");
    }
}
