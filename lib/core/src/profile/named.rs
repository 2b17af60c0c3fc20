//! The profiles that come with the library, by their names.

use std::str::FromStr;

use super::reading::{BUILT_IN, Profile};
use crate::failure::{Failure, Fault, Hint};

/// No profile that comes with the library has that name.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("there is no profile {0:?}")]
pub struct UnknownProfile(String);

impl Failure for UnknownProfile {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        Some(format!("built-in profiles: {}", names.join(", ")).into())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    /// The built-in profile of that name; the text of a file is read by [`Profile::parse`].
    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::built_in(name).ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_profiles_have_names() {
        for (name, _) in BUILT_IN {
            assert_eq!(name.parse::<Profile>().unwrap().name, name);
        }
        let unknown = "devise".parse::<Profile>().unwrap_err();
        assert_eq!(unknown.to_string(), "there is no profile \"devise\"");
        let hint = unknown.hint().unwrap().to_string();
        assert!(hint.contains("device, "), "{hint}");
    }
}
