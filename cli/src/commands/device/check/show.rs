//! A check as text.

use c8y_pki::device::check::{Report, StepOutcome};

use crate::render::{printable, table};

/// All steps, then what is likely wrong.
pub(super) fn whole(report: &Report) -> String {
    let device = report.device.as_deref().unwrap_or("the device");
    let mut text = match report.failed() {
        None => format!("{device} connects to {}\n", report.target),
        Some(_) => format!("{device} does not connect to {}\n", report.target),
    };
    let row = |outcome, step: String, detail: &str| {
        let word = match outcome {
            StepOutcome::Ok => "ok",
            StepOutcome::Failed => "FAILED",
            StepOutcome::Skipped => "-",
        };
        vec![word.to_owned(), step, printable(detail)]
    };
    let steps = report.steps.iter();
    text.push_str(&table(
        &[],
        steps.map(|s| row(s.outcome, s.step.to_string(), &s.detail)).collect(),
    ));
    for note in &report.notes {
        text.push_str(&format!("note: {}\n", printable(note)));
    }
    match report.causes.as_slice() {
        [] => {}
        [cause] => {
            let (cause, remedy) = (printable(&cause.cause), printable(&cause.remedy));
            text.push_str(&format!("\ncause: {cause}\nremedy: {remedy}\n"));
        }
        causes => {
            text.push_str("\nlikely causes, the first to check first:\n");
            for (index, cause) in causes.iter().enumerate() {
                let (number, words) = (index + 1, printable(&cause.cause));
                let remedy = printable(&cause.remedy);
                text.push_str(&format!("{number:>2}. {words}\n    remedy: {remedy}\n"));
            }
        }
    }
    text
}

/// One line for one of many devices.
pub(super) fn line(name: &str, report: &Report) -> String {
    match report.failed() {
        None => format!("ok      {name}\n"),
        Some(step) => {
            let cause = report.causes.first().map_or("", |cause| cause.code);
            format!("FAILED  {name}  {}: {} [{cause}]\n", step.step, printable(&step.detail))
        }
    }
}
