//! How the devices of an order are made: what it says takes the place of options.

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::failure::Task;
use c8y_pki_core::name::NameBuilder;
use c8y_pki_core::profile::Profile;
use c8y_pki_engine::list::Devices;
use c8y_pki_engine::orders::{self, OrderOptions};
use c8y_pki_engine::registry::{OrderRecord, Registry};

use super::options::OutputArgs;
use crate::failure::{Failure, Result};
use crate::hint;
use crate::output::Output;
use crate::render::quoted;
use crate::values::SubjectArgs;

/// Refuses devices that would lose what their order says, since they are not all in one order: a profile, or days.
pub(super) fn refuse_unlike(
    registry: &Registry,
    devices: &Devices,
    given: &OutputArgs,
) -> Result<()> {
    let unlike = match given.profile {
        Some(_) => None,
        None => orders::unlike(registry, devices.each_id(), |said| said.profile.is_some())?,
    };
    let (unlike, what, flag) = match (unlike, given.days) {
        (Some(unlike), _) => (unlike, "which profile its devices have", "--profile NAME"),
        (None, None) => {
            match orders::unlike(registry, devices.each_id(), |said| said.days.is_some())? {
                Some(unlike) => (unlike, "how many days its devices are valid", "--days N"),
                None => return Ok(()),
            }
        }
        (None, Some(_)) => return Ok(()),
    };
    let name = &unlike.order.name;
    Err(Failure::usage(
        format!(
            "the order {name} says {what}, but not all of these devices are in it ({:?} is not)",
            unlike.id.as_str()
        ),
        format!(
            "take the devices of each order by themselves (--order {}), or say it for all of them: {flag}",
            quoted(name)
        ),
    ))
}

/// What an order says, or nothing.
pub(super) struct Ordered<'a> {
    order: Option<(&'a OrderRecord, OrderOptions)>,
    /// Whether the order was named: then options that say something else are refused. Devices that are named by their
    /// ids may be made in another way.
    is_named: bool,
}

impl<'a> Ordered<'a> {
    pub(super) fn of(order: Option<&'a OrderRecord>, is_named: bool) -> Result<Self> {
        let read = |order| Ok::<_, Failure>((order, OrderOptions::of(order)?));
        Ok(Self { order: order.map(read).transpose()?, is_named })
    }

    fn refuse(&self, flag: &str, given: bool) -> Result<()> {
        let Some((order, _)) = self.order.as_ref().filter(|_| self.is_named && given) else {
            return Ok(());
        };
        Err(Failure::usage(
            format!("{flag} is given, but the order {} says how its devices are made", order.name),
            format!(
                "leave out {flag}: `{}` shows what it says",
                hint::with_pki(&format!("order show {} --json", quoted(&order.name)))
            ),
        ))
    }

    /// The issuing CA.
    pub(super) fn ca(&self, given: Option<&str>) -> Result<String> {
        let own = self.order.as_ref().map(|(order, _)| order.ca.as_str());
        self.refuse("--ca", given.is_some() && given != own)?;
        given.or(own).map(str::to_owned).ok_or_else(|| {
            Failure::usage(
                "the issuing CA is not named",
                format!(
                    "give --ca NAME: {} shows them; or name an order with --order",
                    hint::run(&Task::ListCas)
                ),
            )
        })
    }

    /// The options with what the order says.
    pub(super) fn output(&self, given: &OutputArgs) -> Result<OutputArgs> {
        let mut output = given.clone();
        let Some((_, options)) = &self.order else { return Ok(output) };
        self.refuse("--profile", given.profile.is_some())?;
        self.refuse("--key-type", given.key_type.is_some())?;
        self.refuse("--days", given.days.is_some())?;
        self.refuse("--bundle", !given.bundle.is_empty())?;
        let key_type = options.key_type.as_deref().map(str::parse::<KeyType>).transpose()?;
        if output.profile.is_none() {
            output.ordered_profile = options.read_profile()?;
        }
        output.key_type = output.key_type.or(key_type);
        output.days = output.days.or(options.days);
        if output.bundle.is_empty() {
            output.bundle.clone_from(&options.bundle);
        }
        Ok(output)
    }

    /// The fields of the subject beside the common name.
    pub(super) fn subject(&self, given: &SubjectArgs, profile: &Profile) -> Result<NameBuilder> {
        self.refuse("a subject", given.is_given())?;
        let own = match &self.order {
            Some((_, options)) if !given.is_given() => options.read_subject()?,
            _ => None,
        };
        let subject = own.map_or_else(|| given.builder(profile), Ok)?;
        if subject.has("CN") {
            return Err(Failure::usage(
                "the subject has a common name, but a device's common name is its id",
                "leave CN out of --subject",
            ));
        }
        Ok(subject)
    }

    /// Says that an order counts that was not named.
    pub(super) fn tell(&self, out: Output) {
        if let Some((order, _)) = self.order.as_ref().filter(|_| !self.is_named) {
            let name = &order.name;
            out.note(&format!(
                "in the order {name}: what is not given on the command line is as that says"
            ));
        }
    }
}
