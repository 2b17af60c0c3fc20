//! The label of a device of an order. It shows no secret, to no client.

use super::ask::Ask;
use super::orders;
use crate::labels::{self, BUILT_IN, Facts, OfCertificate, Template};
use crate::registration::column;
use crate::serve::answer::{Answer, Result, conflict, failed};

/// The media type of SVG.
pub(super) const KIND: &str = "image/svg+xml";

/// Columns of lists that labels can show.
const COLUMNS: [&str; 4] = ["TYPE", "NAME", "PATH", "ICCID"];

/// `GET /v1/orders/{order}/devices/{id}/label`: as the usual template has it, which has no placeholder for a secret.
pub(super) fn show(ask: &Ask<'_>) -> Result<Answer> {
    let (order, device) = orders::device_of(ask)?;
    let Some(live) = &device.live else {
        return Err(conflict(&format!("{} has no live certificate", device.ordered.id)));
    };
    let certificate = live.certificate().map_err(|e| failed(&e))?;
    let listed = |name: &str| {
        let value = column(device.details(), name)?;
        Some((name.to_owned(), value.to_owned()))
    };
    let facts = Facts {
        id: device.ordered.id.to_string(),
        certificate: Some(OfCertificate::from(&certificate)),
        list: COLUMNS.into_iter().filter_map(listed).collect(),
        order: Some(order.name),
        customer: order.customer,
        ..Facts::default()
    };
    let [(name, text), ..] = BUILT_IN;
    let template = Template::parse(name, text).map_err(|e| failed(&e))?;
    let size = template.sheet().unwrap_or(labels::SHEETS[0].2).label;
    let drawn = template.label(&facts).and_then(|label| labels::svg(&label, size));
    let svg = drawn.map_err(|e| conflict(&e.to_string()))?;
    Ok(Answer::of(KIND, svg.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_template_shows_no_secret() {
        let [(name, text), ..] = BUILT_IN;
        assert!(!Template::parse(name, text).unwrap().is_secret());
    }
}
