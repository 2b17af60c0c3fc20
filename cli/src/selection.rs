//! Which devices a command is about: those of a list, or those of an order.

use std::path::PathBuf;

use c8y_pki_engine::list::DeviceList;
use c8y_pki_engine::orders;
use c8y_pki_engine::registry::{OrderRecord, Registry};
use clap::Args;

use crate::device_list::FromArgs;
use crate::failure::Result;
use crate::output::Output;
use crate::render::day;

/// A list of devices, or an order; where a command takes ids too, its ids conflict with both.
#[derive(Debug, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Devices of a CSV or .xlsx with a column `id`; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) columns: FromArgs,
    /// The devices of an order (`c8y-pki order list`)
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub(crate) order: Option<String>,
}

/// The devices that are meant.
pub(crate) struct Selected {
    /// What the list says of them, with the faults of its rows.
    pub(crate) list: DeviceList,
    /// The order whose list it is.
    pub(crate) order: Option<OrderRecord>,
    /// The name of the list's file.
    file: Option<String>,
}

impl Selected {
    /// What messages call it.
    pub(crate) fn named(&self) -> String {
        match &self.order {
            Some(order) => format!("order {}", order.name),
            None => match &self.file {
                Some(name) => format!("list {name}"),
                None => "list".to_owned(),
            },
        }
    }
}

impl SelectionArgs {
    /// Whether a list or an order is named.
    pub(crate) fn is_given(&self) -> bool {
        self.from.is_some() || self.order.is_some()
    }

    /// The same for what nothing is done for once an order was taken back.
    pub(crate) fn read_open(&self, registry: &Registry, out: Output) -> Result<Option<Selected>> {
        if let Some(name) = &self.order {
            orders::check_open(&orders::named(registry, name)?)?;
        }
        self.read(registry, out)
    }

    /// Reads what is named, if anything is.
    pub(crate) fn read(&self, registry: &Registry, out: Output) -> Result<Option<Selected>> {
        if let Some(name) = &self.order {
            let order = orders::named(registry, name)?;
            if let Some(at) = order.taken_back {
                out.note(&format!("the order {name} was taken back on {}", day(at)));
            }
            let list = orders::list_of(registry, &order)?;
            return Ok(Some(Selected { list, order: Some(order), file: None }));
        }
        let Some(path) = &self.from else { return Ok(None) };
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let file = file.filter(|name| name != "-");
        Ok(Some(Selected { list: self.columns.read(path, out)?, order: None, file }))
    }
}
