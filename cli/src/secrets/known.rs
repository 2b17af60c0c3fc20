//! Every secret that a command takes, with its option and its variable.

use std::path::PathBuf;

use super::source::Source;

const PASSWORD: &str = "password";
const CA_FILE: &str = "--ca-password-file";
const PARENT_FILE: &str = "--parent-password-file";
const KEY_FILE: &str = "--key-password-file";
/// The password of a file wherever the file itself is the command's object: `key show`, `cert show`.
const OWN_FILE: &str = "--password-file";
const KEY_VARIABLE: &str = "C8Y_PKI_KEY_PASSWORD";
const STORE_VARIABLE: &str = "C8Y_PKI_STORE_PASSWORD";

type File<'a> = Option<&'a PathBuf>;

/// The password of a CA's key in a file.
pub(crate) fn ca_key(file: File<'_>) -> Source<'_> {
    Source::new(PASSWORD, "the CA's key").file(CA_FILE, file).variable("C8Y_PKI_CA_PASSWORD")
}

/// The PIN of the token with a CA's key.
pub(crate) fn ca_pin<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    pin(CA_FILE, file, what)
}

/// The password of the key of the CA above, in a file.
pub(super) fn parent_key<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    Source::new(PASSWORD, what).file(PARENT_FILE, file).variable("C8Y_PKI_PARENT_PASSWORD")
}

/// The PIN of the token with the key of the CA above.
pub(super) fn parent_pin<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    pin(PARENT_FILE, file, what)
}

/// The same where the lower key is in another token, whose PIN has the usual variable.
pub(super) fn second_pin<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    parent_pin(file, what).variable("C8Y_PKI_PARENT_PIN")
}

/// The password of `--key`.
pub(crate) fn key<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    Source::new(PASSWORD, what).file(KEY_FILE, file).variable(KEY_VARIABLE)
}

/// The PIN of the token with `--key`.
pub(super) fn key_pin(file: File<'_>) -> Source<'_> {
    pin(KEY_FILE, file, "the token with the key")
}

/// The password of the key that a command is about.
pub(crate) fn own_key<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    Source::new(PASSWORD, what).file(OWN_FILE, file).variable(KEY_VARIABLE)
}

/// The PIN of the token with the key that a command is about.
pub(super) fn own_pin(file: File<'_>) -> Source<'_> {
    pin(OWN_FILE, file, "the token with the key")
}

/// The password that a key gets in place of the one that it has.
pub(crate) fn new_key(file: File<'_>) -> Source<'_> {
    let source = Source::new(PASSWORD, "the key from now on");
    source.file("--new-password-file", file).variable("C8Y_PKI_NEW_PASSWORD")
}

/// The password of a file of any kind that is shown.
pub(crate) fn shown<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    Source::new(PASSWORD, what).file(OWN_FILE, file).variable("C8Y_PKI_PASSWORD")
}

/// The password of keystores and truststores.
pub(crate) fn store(file: File<'_>) -> Source<'_> {
    Source::new(PASSWORD, "the store").file("--store-password-file", file).variable(STORE_VARIABLE)
}

/// The password of a store from which only certificates are taken: no option names its file.
pub(crate) fn store_of_certificates(what: &str) -> Source<'_> {
    Source::new(PASSWORD, what).variable(STORE_VARIABLE)
}

/// The password of the store whose entries are taken over.
pub(crate) fn former_store<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    let source = Source::new(PASSWORD, what);
    source.file("--from-password-file", file).variable("C8Y_PKI_FROM_PASSWORD")
}

/// A password of its own for the key inside a store.
pub(crate) fn store_entry(file: File<'_>) -> Source<'_> {
    let source = Source::new(PASSWORD, "the key in the store");
    source.file("--entry-password-file", file).variable("C8Y_PKI_ENTRY_PASSWORD")
}

/// The password of the key pool.
pub(crate) fn pool(file: File<'_>) -> Source<'_> {
    let source = Source::new(PASSWORD, "the key pool");
    source.file("--pool-password-file", file).variable("C8Y_PKI_POOL_PASSWORD")
}

/// The password of a user of the tenant.
pub(crate) fn tenant_user<'a>(file: File<'a>, what: &'a str) -> Source<'a> {
    Source::new(PASSWORD, what).file("--tenant-password-file", file).variable("C8Y_PASSWORD")
}

/// A token for the tenant's REST interface.
pub(crate) fn tenant_token(file: File<'_>) -> Source<'_> {
    Source::new("token", "the tenant").file("--token-file", file).variable("C8Y_TOKEN")
}

/// The token of a device.
pub(crate) fn device_token<'a>(file: File<'a>, device: &'a str) -> Source<'a> {
    Source::new("token", device).file("--token-file", file).variable("C8Y_PKI_DEVICE_TOKEN")
}

/// The one-time password with which a device gets its first certificate.
pub(crate) fn one_time<'a>(file: File<'a>, device: &'a str) -> Source<'a> {
    registered_one_time(file, device).variable("C8Y_PKI_OTP")
}

/// The one-time password with which a device is registered: only from a file.
pub(crate) fn registered_one_time<'a>(file: File<'a>, device: &'a str) -> Source<'a> {
    Source::new("one-time password", device).file("--otp-file", file)
}

/// The password of the user that registers devices which have no credentials yet.
pub(crate) fn bootstrap_user(file: File<'_>) -> Source<'_> {
    let source = Source::new(PASSWORD, "the bootstrap user");
    source.file("--bootstrap-password-file", file).variable("C8Y_BOOTSTRAP_PASSWORD")
}

/// The password that a device sends over MQTT beside its certificate.
pub(crate) fn mqtt_user(file: File<'_>) -> Source<'_> {
    let source = Source::new(PASSWORD, "the MQTT user");
    source.file("--mqtt-password-file", file).variable("C8Y_PKI_MQTT_PASSWORD")
}

/// What signs the messages to a webhook.
pub(crate) fn webhook(file: File<'_>) -> Source<'_> {
    let source = Source::new("secret", "the webhook");
    source.file("--webhook-secret-file", file).variable("C8Y_PKI_WEBHOOK_SECRET")
}

/// The PIN of a token. It is never what was given for a key's file: tokens count wrong ones.
fn pin<'a>(option: &'static str, file: File<'a>, what: &'a str) -> Source<'a> {
    Source::new("PIN", what).file(option, file).variable("C8Y_PKI_TOKEN_PIN")
}

/// Whether a variable holds a secret, as those of all the sources above: not for programs that this one starts.
pub(crate) fn is_secret_variable(name: &str) -> bool {
    // The last three are go-c8y-cli's: a session's header field, and what its sessions are encrypted with.
    let ends =
        ["PASSWORD", "TOKEN", "PIN", "OTP", "SECRET", "HEADER", "AUTHORIZATION", "PASSPHRASE"];
    name.starts_with("C8Y_") && ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::is_secret_variable;

    #[test]
    fn every_variable_with_a_secret_is_known_as_one() {
        let sources = include_str!("known.rs").split("#[cfg(test)]").next().unwrap();
        let named = sources.split('"').filter(|text| {
            text.starts_with("C8Y_")
                && text.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c == '8')
        });
        let named: Vec<&str> = named.filter(|name| *name != "C8Y_").collect();
        assert!(named.len() > 12, "{named:?}");
        for name in named {
            assert!(is_secret_variable(name), "{name}");
        }
        for foreign in ["C8Y_HEADER", "C8Y_HEADER_AUTHORIZATION", "C8Y_PASSPHRASE"] {
            assert!(is_secret_variable(foreign), "{foreign}");
        }
        for open in ["C8Y_HOST", "C8Y_USER", "C8Y_TENANT", "C8Y_PKI_DIR", "PATH", "PASSWORD"] {
            assert!(!is_secret_variable(open), "{open}");
        }
    }
}
