//! Which names devices and their users may have, and which one-time passwords (platform: "Rules that
//! certificates must meet", "Bulk registration").
//!
//! A device identifier holds no `/`, `\\`, `$`, white space or control characters, and no `:`, since it is
//! part of a ClientId. The user is `device_<id>`; the name of a user holds none of `+ $ :` besides.

use crate::secret::Password;

/// What the names of devices' users begin with.
pub(super) const OF_DEVICE: &str = "device_";

/// Allowed lengths of a one-time password, in characters.
const ONE_TIME: std::ops::RangeInclusive<usize> = 8..=32;

/// Refuses what is no device identifier.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("the ID is empty".to_owned());
    }
    let forbidden =
        |c: &char| matches!(c, '/' | '\\' | '$' | ':') || c.is_whitespace() || c.is_control();
    match id.chars().find(forbidden) {
        Some(c) => Err(format!("the ID contains {c:?}")),
        None => Ok(()),
    }
}

/// Refuses a device whose user could not be called after it.
pub(super) fn check_user(id: &str) -> Result<(), String> {
    match id.chars().find(|c| matches!(c, '/' | '\\' | '+' | '$' | ':') || c.is_whitespace()) {
        Some(c) => Err(format!("the name of its user would contain {c:?}")),
        None => Ok(()),
    }
}

/// Refuses what is no one-time password.
pub(super) fn check_one_time(password: &Password) -> Result<(), String> {
    let chars = password.expose().chars().count();
    if !ONE_TIME.contains(&chars) {
        return Err(format!("the ENROLLMENT_OTP has {chars} characters, not 8 to 32"));
    }
    if password.expose().contains('"') {
        return Err("the ENROLLMENT_OTP contains '\"'".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_may_hold() {
        for good in ["gw-1", "a.b_c", "\u{e4}", "gw+1", "a@b,c"] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a/b", r"a\b", "a$b", "AA:BB", "a\u{7}", "a\u{a0}b"] {
            assert!(check_id(bad).is_err(), "{bad:?}");
        }
        assert!(check_user("gw+1").is_err() && check_user("gw-1").is_ok());
    }
}
