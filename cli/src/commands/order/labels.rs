//! `order labels`: stickers for the devices of an order, or of a list.

use c8y_pki_core::shown;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::labels::{
    self, Facts, Form, Label, LabelError, Placeholder, Resolution, Sheet, Template,
};
use c8y_pki_engine::orders;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::platform::host_and_port;
use c8y_pki_engine::registration::{self, OneTimePassword};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::labelled::{self, Labelled, Owner};
use super::secrets::{self, StorePasswords};
use crate::device_list::FromArgs;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{as_line, count};
use crate::{clock, outlet};

/// In which form labels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormArg {
    /// Sheets for office printers, or a page for each label of a roll
    Pdf,
    /// A file for each label, in a directory: for laser engravers and layout programs
    Svg,
    /// For label printers (ZPL II)
    Zpl,
    /// A table for programs that lay labels out: id, qr, line_1, …
    Csv,
}

/// Arguments of `order labels`.
#[derive(Debug, Args)]
#[command(after_help = "\
A template says what stands on a label: `c8y-pki profile show label.toml` prints the usual one, with all
that can stand in braces; label-small.toml and label-registration.toml are built in too. --qr changes the
QR code alone.
Labels with {otp}, {registration} or {store_password} are secrets: their file gets mode 0600 and has to be
new. Their values come from --one-time-passwords and --secrets, the files that have them already.

Sheets: avery-l7160 (21 on A4), avery-l7161 (18), avery-l7163 (14), avery-l7651 (65), avery-l4732 (80),
avery-l4770 (40), avery-5160 (30 on US Letter), avery-5163 (10); or a roll's size in mm, as 100x50.
Print PDF at 100 % (\"actual size\"), not fitted to the page.

Examples:
  c8y-pki order labels acme-11 --out labels.pdf
  c8y-pki order labels acme-11 --from spoiled.csv --out again.pdf   some of the order once more
  c8y-pki order labels --from box-3.csv --out box-3.pdf             whatever orders they are in
  c8y-pki order labels acme-11 --format zpl --sheet 57x32 --dpi 300 --out labels.zpl
  c8y-pki order labels acme-11 --format svg --qr 'https://acme.example/d/{id}' --out labels
  c8y-pki order labels acme-11 --template label-registration.toml --one-time-passwords registration.csv \\
    --domain acme.eu-latest.cumulocity.com --out secret-labels.pdf

Exit codes: 0 a label for every device; 1 some have no certificate, which the label shows: nothing is
written without --partial; 2 wrong template, size, order or list.")]
pub(crate) struct LabelsArgs {
    /// The order; not needed with --from
    name: Option<String>,
    /// Only the devices of this CSV or .xlsx with a column `id`; - for standard input. Without an order, its devices
    /// whatever orders they are in
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    columns: FromArgs,
    /// The form
    #[arg(long, value_enum, default_value = "pdf")]
    format: FormArg,
    /// The file, or the directory with --format svg; - for standard output
    #[arg(long, value_name = "FILE|DIR")]
    out: PathBuf,
    /// What stands on a label: a built-in template (label.toml, label-small.toml, label-registration.toml) or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "label.toml")]
    template: String,
    /// What the QR code holds, in place of the template's; '' for none
    #[arg(long, value_name = "TEXT")]
    qr: Option<String>,
    /// The sheet, or the size of a roll's labels in mm, in place of the template's
    #[arg(long, value_name = "NAME|WxH")]
    sheet: Option<Sheet>,
    /// How many labels of the first sheet are used up, for --format pdf
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,
    /// Dots in an inch of a label printer, for --format zpl: 203, 300 or 600; by default 203
    #[arg(long, value_name = "N")]
    dpi: Option<Resolution>,
    /// File with the devices' one-time passwords: a list or registration CSV with a column ENROLLMENT_OTP
    #[arg(long, value_name = "FILE")]
    one_time_passwords: Option<PathBuf>,
    /// File with the devices' store passwords, as `device issue --secrets` writes it; may be repeated
    #[arg(long, value_name = "FILE")]
    secrets: Vec<PathBuf>,
    /// Domain of the tenant, for {registration}, e.g. acme.eu-latest.cumulocity.com [env: C8Y_HOST]
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Leave out the devices that have no certificate
    #[arg(long)]
    partial: bool,
}

#[derive(Serialize)]
struct Made {
    order: Option<String>,
    labels: usize,
    left_out: usize,
    pages: Option<usize>,
    secret: bool,
    file: String,
}

/// Refuses to draw over a file that is read; the directory of single files replaces none.
fn refuse_own_input(args: &LabelsArgs) -> Result<()> {
    let own = [("--from", &args.from), ("--one-time-passwords", &args.one_time_passwords)];
    let secrets = args.secrets.iter().map(|path| ("--secrets", path.as_path()));
    let read = own.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)));
    read.chain(secrets)
        .try_for_each(|(option, path)| outlet::check_not_read(Some(&args.out), option, path))
}

pub(super) fn run(args: &LabelsArgs, dir: &Path, out: Output) -> Result {
    refuse_other_form(args)?;
    refuse_nobody(args)?;
    refuse_own_input(args)?;
    let template = template(args)?;
    if args.format == FormArg::Svg {
        outlet::check_folder(&args.out)?;
    } else if template.is_secret() {
        outlet::check_secret(&args.out)?;
    }
    let out = out.beside(Some(&args.out));
    let pki = clock::open_to_read(dir, out)?;
    let Labelled { of, devices, issuing } = labelled(args, &pki, out)?;
    let needs_certificate = needs_certificate(&template);
    if !needs_certificate {
        labelled::warn_of_revoked(&devices, out);
    }
    let all = facts(args, &template, devices)?;
    let (with, without): (Vec<Facts>, Vec<Facts>) =
        all.into_iter().partition(|facts| !needs_certificate || facts.certificate.is_some());
    if !without.is_empty() && !args.partial {
        return Err(missing((&of, &issuing), &without, with.len()));
    }
    let drawn: std::result::Result<Vec<Label>, LabelError> =
        with.iter().map(|facts| template.label(facts)).collect();
    let labels = drawn.map_err(explained)?;
    if labels.is_empty() {
        return Err(Failure::no(
            format!("no device of {of} has a certificate for its label"),
            format!("issue them: {issuing}"),
        ));
    }
    let sheet = sheet(args, &template);
    write(args, &labels, sheet, template.is_secret(), out)?;
    let made = Made {
        order: args.name.clone(),
        labels: labels.len(),
        left_out: without.len(),
        pages: (args.format == FormArg::Pdf)
            .then(|| (labels.len() + args.skip).div_ceil(sheet.labels())),
        secret: template.is_secret(),
        file: args.out.display().to_string(),
    };
    out.result(&made, text)?;
    Ok(Outcome::Done)
}

/// Refuses options that change nothing in the form that is asked for.
fn refuse_other_form(args: &LabelsArgs) -> Result<()> {
    let (is_pdf, is_zpl) = (args.format == FormArg::Pdf, args.format == FormArg::Zpl);
    let (option, form) = match () {
        () if args.dpi.is_some() && !is_zpl => ("--dpi", "zpl"),
        () if args.skip > 0 && !is_pdf => ("--skip", "pdf"),
        () => return Ok(()),
    };
    Err(Failure::usage(
        format!("{option} is for labels with --format {form}"),
        format!("leave {option} out, or give --format {form}"),
    ))
}

/// Refuses a command that names no devices.
fn refuse_nobody(args: &LabelsArgs) -> Result<()> {
    match (&args.name, &args.from) {
        (None, None) => Err(Failure::usage(
            "neither an order nor a list of devices is named",
            format!(
                "name an order, as in `{}`, or give a list with --from FILE",
                hint::with_pki("order labels NAME --out FILE")
            ),
        )),
        _ => Ok(()),
    }
}

/// Whether its labels show what only a device with a certificate has. A store password is that of a keystore, which has
/// one.
fn needs_certificate(template: &Template) -> bool {
    let needs = |p: Placeholder| p.is_of_certificate() || p == Placeholder::StorePassword;
    template.placeholders().into_iter().any(needs)
}

fn text(made: &Made) -> String {
    let pages = made.pages.map_or_else(String::new, |pages| format!(", {}", count(pages, "page")));
    let left_out = match made.left_out {
        0 => String::new(),
        n => format!("; {} without a certificate left out", count(n, "device")),
    };
    let secret = if made.secret { "; it is a secret" } else { "" };
    let file = outlet::name(Path::new(&made.file));
    as_line(&format!("{file}: {}{pages}{left_out}{secret}", count(made.labels, "label")))
}

/// The template, with another QR code if one is wanted.
fn template(args: &LabelsArgs) -> Result<Template> {
    let name = args.template.as_str();
    let built_in = labels::BUILT_IN.iter().find(|(known, _)| *known == name);
    let text = match built_in {
        Some((_, text)) => (*text).to_owned(),
        None => {
            let bytes = files::read(Path::new(name))?;
            String::from_utf8(bytes).map_err(|_| {
                Failure::usage(
                    format!("the label template {name} is not UTF-8"),
                    "save it as UTF-8",
                )
            })?
        }
    };
    let template = Template::parse(name, &text)?;
    match &args.qr {
        Some(text) => Ok(template.with_code(text)?),
        None => Ok(template),
    }
}

fn sheet(args: &LabelsArgs, template: &Template) -> Sheet {
    // The built-in templates name one; 21 labels of common size otherwise.
    let usual = || labels::SHEETS[0].2;
    args.sheet.or_else(|| template.sheet()).unwrap_or_else(usual)
}

/// Whose labels are written.
fn labelled(args: &LabelsArgs, pki: &Pki, out: Output) -> Result<Labelled> {
    let registry = pki.registry();
    let order = args.name.as_deref().map(|name| orders::named(registry, name)).transpose()?;
    order.as_ref().map(orders::check_open).transpose()?;
    let list = match &args.from {
        Some(file) => Some(args.columns.read(file, out)?.without_faults()?.devices),
        None => None,
    };
    match order {
        Some(order) => labelled::of_order(registry, &order, list),
        None => labelled::of_list(registry, list.unwrap_or_default()),
    }
}

/// What is known of each device.
fn facts(args: &LabelsArgs, template: &Template, devices: Vec<Owner>) -> Result<Vec<Facts>> {
    let wants = |placeholder| template.placeholders().contains(&placeholder);
    let wants_one_time = wants(Placeholder::OneTime) || wants(Placeholder::Registration);
    let mut one_time: HashMap<String, OneTimePassword> = match &args.one_time_passwords {
        Some(file) if wants_one_time => secrets::one_time(file)?,
        _ => HashMap::new(),
    };
    let mut passwords = match wants(Placeholder::StorePassword) {
        true => StorePasswords::read(&args.secrets)?,
        false => StorePasswords::default(),
    };
    passwords.refuse_former(&devices)?;
    let domain = match wants(Placeholder::Registration) {
        true => args.domain.clone().or_else(|| crate::variables::variable("C8Y_HOST")),
        false => None,
    };
    let domain = domain.map(|host| host_and_port(&host)).transpose()?;
    let known = |device: Owner| {
        let listed = |column: &str| {
            let value = registration::column(&device.details, column)?;
            Some((column.to_owned(), value.to_owned()))
        };
        Facts {
            certificate: device.certificate,
            list: ["TYPE", "NAME", "PATH", "ICCID"].into_iter().filter_map(listed).collect(),
            domain: domain.clone(),
            one_time: one_time.remove(&device.id),
            // A password belongs to a keystore, and so to a serial number.
            store_password: device.serial.and_then(|serial| passwords.of(&serial)),
            id: device.id,
            order: device.order,
            customer: device.customer,
        }
    };
    Ok(devices.into_iter().map(known).collect())
}

fn missing((of, issuing): (&str, &str), without: &[Facts], with: usize) -> Failure {
    let ids: Vec<String> = without.iter().map(|facts| facts.id.clone()).collect();
    let (missing, all) = (without.len() as u64, (without.len() + with) as u64);
    Failure::no(
        format!(
            "of {of} {} no certificate, which the label needs: {}",
            shown::part(missing, all, "device", ("has", "have")),
            labelled::named(&ids)
        ),
        format!("issue them ({issuing}), or add --partial"),
    )
}

/// What is not known of a device, with the option that gives it.
fn explained(error: LabelError) -> Failure {
    let option = match &error {
        LabelError::Unknown { what, .. } if what.starts_with("domain") => {
            return Failure::usage(error.to_string(), "give --domain DOMAIN");
        }
        LabelError::Unknown { what, .. } if what.starts_with("one-time") => {
            "--one-time-passwords FILE"
        }
        LabelError::Unknown { what, .. } if what.starts_with("store") => "--secrets FILE",
        _ => return error.into(),
    };
    Failure::usage(error.to_string(), format!("give {option} with a row for each device"))
}

fn write(
    args: &LabelsArgs,
    labels: &[Label],
    sheet: Sheet,
    secret: bool,
    out: Output,
) -> Result<()> {
    let (access, existing) = match secret {
        true => (Access::Private, Existing::Refuse),
        false => (Access::Public, Existing::Replace),
    };
    let form = match args.format {
        FormArg::Svg => return write_each(args, labels, sheet, access, existing),
        FormArg::Pdf => Form::Pdf { sheet, skip: args.skip },
        FormArg::Zpl => Form::Zpl { size: sheet.label, resolution: args.dpi.unwrap_or_default() },
        FormArg::Csv => Form::Csv,
    };
    outlet::write(&args.out, &labels::draw(labels, form)?, access, existing, out)
}

/// A file for each label.
fn write_each(
    args: &LabelsArgs,
    labels: &[Label],
    sheet: Sheet,
    access: Access,
    existing: Existing,
) -> Result<()> {
    // All of them are drawn before the first is written.
    let drawn: Vec<(String, String)> = labels
        .iter()
        .map(|label| Ok((label.file_name(), labels::svg(label, sheet.label)?)))
        .collect::<std::result::Result<_, LabelError>>()?;
    files::create_private_dir(&args.out)?;
    refuse_others(&args.out, &drawn)?;
    for (name, text) in drawn {
        files::write(&args.out.join(format!("{name}.svg")), text.as_bytes(), access, existing)?;
    }
    Ok(())
}

/// Refuses a directory with labels of other devices: who prints all that is in it would print those too.
fn refuse_others(dir: &Path, drawn: &[(String, String)]) -> Result<()> {
    let ours: HashSet<String> = drawn.iter().map(|(name, _)| format!("{name}.svg")).collect();
    let mut others: Vec<String> = Vec::new();
    for path in files::list_dir(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".svg") && !ours.contains(&name) {
            others.push(name);
        }
    }
    if others.is_empty() {
        return Ok(());
    }
    others.sort_unstable();
    Err(Failure::usage(
        format!("{} has labels of other devices: {}", dir.display(), labelled::named(&others)),
        "name another directory with --out, or delete them",
    ))
}
