//! Lists of devices, as `--from` names them.

use std::path::Path;

use c8y_pki_engine::list::{DeviceList, ListFile, ListOptions};
use clap::Args;

use crate::failure::Result;
use crate::input;
use crate::output::Output;

/// How a device list is read.
#[derive(Debug, Default, Args)]
pub(crate) struct FromArgs {
    /// The header of the column of ids in --from, if it is not id, client_id, device_id or serial
    #[arg(long, value_name = "HEADER", requires = "from")]
    id_column: Option<String>,
}

impl FromArgs {
    fn options(&self) -> ListOptions {
        ListOptions { id_column: self.id_column.clone() }
    }

    /// Reads a device list from a file, or from standard input for `-`, with all that it says.
    pub(crate) fn read(&self, path: &Path, out: Output) -> Result<DeviceList> {
        let name = match path == Path::new("-") {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        };
        let list = DeviceList::from_csv_with(&name, &input::read(path)?, &self.options())?;
        list.remarks.iter().for_each(|remark| out.warning(remark));
        Ok(list)
    }

    /// Opens a device list that may be longer than memory.
    pub(crate) fn open(&self, path: &Path, out: Output) -> Result<ListFile> {
        let list = match path == Path::new("-") {
            true => ListFile::take("standard input", std::io::stdin().lock(), self.options())?,
            false => ListFile::open(path, self.options())?,
        };
        list.remarks().iter().for_each(|remark| out.warning(remark));
        Ok(list)
    }
}
