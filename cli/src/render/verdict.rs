//! The platform's verdict on a chain and ours, side by side.

use c8y_pki_engine::platform::verdict::Comparison;

use super::text::as_line;

/// A line for each, and one for what they mean together.
pub(crate) fn verdicts(compared: &Comparison) -> String {
    let ours = match compared.ours.accepted {
        Some(true) => "accepted: ",
        Some(false) => "refused: ",
        None => "not judged: ",
    };
    let mut lines = vec![
        format!("platform  {}", compared.platform),
        format!("c8y-pki   {ours}{}", compared.ours.detail),
    ];
    lines.extend(compared.remark());
    lines.iter().map(|line| as_line(line)).collect()
}
