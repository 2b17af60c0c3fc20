//! Numbers for Prometheus, in its text exposition format (version 0.0.4).

use time::OffsetDateTime;

/// A family of numbers.
pub(crate) struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Family {
    /// Numbers that go up and down.
    pub(crate) fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: "gauge", help, samples: Vec::new() }
    }

    /// Numbers that only grow while a program runs.
    #[cfg(feature = "serve")]
    pub(crate) fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: "counter", help, samples: Vec::new() }
    }

    pub(crate) fn add(&mut self, labels: &[(&'static str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.samples.push((labels, value));
    }

    fn write(&self, out: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let Self { name, kind, help, .. } = self;
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (labels, value) in &self.samples {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            out.push_str(&format!("{name}{labels} {value}\n"));
        }
    }
}

/// Families, as text. One without a sample is left out.
pub(crate) fn text(families: &[Family]) -> String {
    let mut out = String::new();
    families.iter().for_each(|family| family.write(&mut out));
    out
}

/// A moment.
pub(crate) fn seconds(at: OffsetDateTime) -> f64 {
    at.unix_timestamp() as f64
}

/// A label's value: backslash, quotation mark and line end are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
