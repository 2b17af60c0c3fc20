//! Who works with registries in this process: each row of the audit log says it.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::Value;

static WHO: OnceLock<Who> = OnceLock::new();

/// Who works here, as he says himself. A registry in PostgreSQL also notes the user of the database, which he cannot
/// choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    /// What the station is called.
    pub station: Option<String>,
    /// The person.
    pub operator: Option<String>,
}

impl Who {
    /// Says it, once for the whole process.
    pub fn install(self) {
        let _ = WHO.set(self);
    }

    /// The details of a row of the audit log, and who has written it.
    pub(super) fn sign(detail: &Value) -> Cow<'_, Value> {
        WHO.get().map_or(Cow::Borrowed(detail), |who| who.add_to(detail))
    }

    fn add_to<'d>(&self, detail: &'d Value) -> Cow<'d, Value> {
        let mut signed = Cow::Borrowed(detail);
        for (key, value) in [("station", &self.station), ("operator", &self.operator)] {
            if let (Some(value), true) = (value, detail.is_object()) {
                signed.to_mut()[key] = value.as_str().into();
            }
        }
        signed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_who_has_written_it() {
        let (station, operator) = (Some("line-7".to_owned()), Some("Ada".to_owned()));
        let detail = serde_json::json!({ "ca": "root" });
        let signed = Who { station, operator: operator.clone() }.add_to(&detail).into_owned();
        assert_eq!(signed.to_string(), r#"{"ca":"root","operator":"Ada","station":"line-7"}"#);
        let nobody = Who::default();
        assert_eq!(*nobody.add_to(&detail), detail);
    }
}
