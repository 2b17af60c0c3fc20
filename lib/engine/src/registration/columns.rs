//! The platform's columns, and what the columns of a device list mean.

/// The header that makes a device an agent.
pub const AGENT: &str = "com_cumulocity_model_Agent.active";

/// The platform's own columns in the order in which they are written.
pub(super) const KNOWN: [&str; 10] =
    ["ID", "AUTH_TYPE", OTP, "TENANT", "TYPE", "NAME", "ICCID", "IDTYPE", "PATH", "SHELL"];

/// The one-time password with which a device enrols at the platform's own CA.
pub(super) const OTP: &str = "ENROLLMENT_OTP";

/// Columns of devices that have a password.
pub(super) const OF_PASSWORDS: [&str; 2] = ["CREDENTIALS", OTP];

/// Columns that the platform accepts only together with TYPE and NAME.
pub(super) const NEED_TYPE_AND_NAME: [&str; 4] = ["ICCID", "IDTYPE", "PATH", "SHELL"];

/// Whether a column of a device list has a password of the device, which is not to be kept with a certificate.
pub(crate) fn has_password(header: &str) -> bool {
    OF_PASSWORDS.contains(&column_of(header).as_str())
}

/// The separators that the platform detects.
pub const SEPARATORS: [(char, &str); 3] = [(';', "semicolon"), (',', "comma"), ('\t', "tab")];

/// The platform's column that a column of a device list means: `type`, `name`, `iccid`, `idtype`,
/// `shell`, `tenant` in any case, `group` for `PATH`, `otp` and `one-time-password` for `ENROLLMENT_OTP`; everything else stays as it is.
pub fn column_of(header: &str) -> String {
    let upper = header.to_uppercase();
    if upper == "GROUP" {
        return "PATH".to_owned();
    }
    if ["OTP", "ONE-TIME-PASSWORD", "ONE_TIME_PASSWORD"].contains(&upper.as_str()) {
        return OTP.to_owned();
    }
    if KNOWN.iter().chain(&OF_PASSWORDS).any(|known| *known == upper) {
        return upper;
    }
    header.to_owned()
}
