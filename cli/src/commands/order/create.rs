//! `order create`: a device list becomes an order.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::profile::Profile;
use c8y_pki_engine::list::ListFile;
use c8y_pki_engine::orders::{self, Draft, OrderOptions, Progress};
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::registration::{Settings, Survey};
use clap::Args;
use time::OffsetDateTime;

use super::view::View;
use super::view::issue_command;
use crate::clock;
use crate::device_list::FromArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::output::Output;
use crate::render::{as_line, count};
use crate::values::{self, SubjectArgs};

/// Arguments of `order create`.
#[derive(Debug, Args)]
#[command(after_help = "\
The registry keeps the list as it is read, so the file is not needed again. Every row has to be
good, and no device may be in another order. A device belongs to one order until that order is
taken back (`order revoke`).

Examples:
  c8y-pki order create acme-11 --from acme.xlsx --ca line-7 --customer 'Acme Inc.'
  c8y-pki order create acme-12 --from acme.csv --ca line-7 --bundle pem,p12 --key-type rsa-2048
  c8y-pki device issue --order acme-11 --out out

Exit codes: 0 done; 2 the list or the name cannot be used: nothing was kept.")]
pub(crate) struct CreateArgs {
    /// The order's name: letters, digits, `.`, `_` and `-`
    name: String,
    /// CSV or .xlsx with a column `id`; - for standard input
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    columns: FromArgs,
    /// The CA that issues its devices
    #[arg(long, value_name = "NAME")]
    ca: String,
    /// Who has ordered, for people
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file; by default device
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// Type of the keys, in place of the profile's: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384,
    /// ec-p521, ed25519, ml-dsa-44, ml-dsa-65, ml-dsa-87
    #[arg(long = "key-type", value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    days: Option<u32>,
    /// What each device gets: pem, p12, jks, thin-edge, truststore-p12, truststore-jks; by default pem
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    bundle: Vec<Bundle>,
    #[command(flatten)]
    subject: SubjectArgs,
}

impl CreateArgs {
    /// The options of the order, held to what they are for.
    fn options(&self) -> Result<OrderOptions> {
        let name = self.profile.as_deref().unwrap_or("device");
        let (profile, profile_text) = values::profile_and_text(name, self.key_type)?;
        self.bundle.iter().try_for_each(|kind| kind.check_key(profile.key))?;
        let subject = match self.subject.is_given() {
            true => {
                let builder = self.subject.builder(&profile)?;
                if builder.has("CN") {
                    return Err(Failure::usage(
                        "the subject has a common name, but a device's common name is its id",
                        "leave CN out of --subject",
                    ));
                }
                Some(builder.build()?.to_string())
            }
            false => None,
        };
        Ok(OrderOptions {
            profile: self.profile.as_deref().map(whole_path).transpose()?,
            profile_text,
            key_type: self.key_type.map(|key| key.name().to_owned()),
            days: self.days,
            subject,
            bundle: self.bundle.clone(),
        })
    }
}

/// A built-in profile's name, or a file's path from the root on, for those who look for it later.
fn whole_path(name: &str) -> Result<String> {
    match Profile::built_in(name) {
        Some(_) => Ok(name.to_owned()),
        None => {
            let path = std::path::absolute(name).map_err(Failure::Input)?;
            Ok(path.to_string_lossy().into_owned())
        }
    }
}

pub(super) fn run(args: &CreateArgs, dir: &Path, out: Output) -> Result {
    let options = args.options()?;
    let list = args.columns.open(&args.from, out)?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let draft = Draft {
        name: &args.name,
        customer: args.customer.as_deref(),
        ca: &args.ca,
        options: &options,
        list: list.name(),
    };
    let order = orders::create(&mut pki, &draft, &list, now)?;
    warn_of_registration(&list, out)?;
    let progress: Progress = orders::progress(pki.registry(), &order)?;
    let view = View::of(&order, options, progress);
    out.result(&view, |view| {
        let devices = count(usize::try_from(view.progress.devices).unwrap_or(usize::MAX), "device");
        as_line(&format!("order {}: {devices} from {}", view.name, view.list))
    })?;
    if view.progress.before > 0 {
        out.warning(&format!(
            "{} of them had a certificate before this order was made, and keep it: the command below skips them",
            view.progress.before
        ));
    }
    out.note(&format!("issue them: `{}`", issue_command(&view.name, &view.options)));
    Ok(Outcome::Done)
}

/// Says if no registration file can be made of the list as it is. Its devices can be issued all the same.
fn warn_of_registration(list: &ListFile, out: Output) -> Result<()> {
    let settings = Settings::default();
    let (mut survey, mut fault) = (Survey::new(&settings), None);
    list.each(|device| -> Result<()> {
        if fault.is_none() {
            fault = survey.add(&device).err();
        }
        Ok(())
    })?;
    if let Some(fault) = fault {
        out.warning(&format!("no registration CSV can be made of this order: {fault}"));
    }
    Ok(())
}
