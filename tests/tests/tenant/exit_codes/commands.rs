//! Every command, and how it is called where something fails.

/// What a command meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meets {
    /// The platform over HTTPS.
    Rest,
    /// The platform over MQTT, with the files of a device.
    Mqtt,
    /// A TLS server of any kind.
    Tls,
    /// A PKI directory.
    Pki,
    /// A file that it reads: `{in}`.
    File,
    /// A CA whose key is in a token.
    Token,
}

/// A call: the command, what follows it, and what it meets.
pub(super) type Call = (&'static str, &'static str, Meets);

use Meets::{File, Mqtt, Pki, Rest, Tls, Token};

/// `{port}` is where the other side is, `{host}` its name.
pub(super) const CALLS: &[Call] = &[
    ("rollout", "demo/rollout.toml {rest}", Rest),
    ("rollout", "{in}", File),
    ("ca init", "x --ca-password-file {in} --subject CN=X", File),
    ("ca init", "y --subject CN=Y --token 'pkcs11:token=Factory;object=y'", Token),
    ("ca add", "x --parent line --subject CN=X --ca-password-file pw", Pki),
    ("ca add", "x --import {in}", File),
    ("ca list", "", Pki),
    ("ca renew", "line --ca-password-file pw", Pki),
    ("ca renew", "root", Token),
    ("ca rename", "line line-9", Pki),
    ("ca request", "line --ca-password-file pw", Pki),
    ("ca request", "root", Token),
    ("ca show", "line", Pki),
    ("ca crl", "line --ca-password-file pw", Pki),
    ("ca crl", "root --out x.crl", Token),
    ("device issue", "x --ca line --out o --ca-password-file pw", Pki),
    ("device issue", "--from {in} --ca line --out o --ca-password-file pw", File),
    ("device issue", "x --ca root --out o", Token),
    ("device sign", "bad.csv --ca line --out o --ca-password-file pw", Pki),
    ("device sign", "{in} --ca line --out o --ca-password-file pw", File),
    ("device renew", "gw-1 --ca line --out o --ca-password-file pw", Pki),
    ("device renew", "--from {in} --ca line --out o --ca-password-file pw", File),
    ("device refresh", "--out out", Pki),
    ("device enrol", "gw-3 --out e --otp-file otp {rest}", Rest),
    ("device enrol", "gw-4 --out e --otp-file {in} --host localhost", File),
    (
        "device enrol",
        "gw-1 --out out --renew --over mqtt --host {host} --port {port} --cacert {trusted} --timeout {timeout}",
        Mqtt,
    ),
    ("device import", "out/gw-1/chain.pem", Pki),
    ("device import", "{in}", File),
    ("device revoke", "gw-1 --yes", Pki),
    ("device revoke", "--from {in} --yes", File),
    ("device list", "", Pki),
    ("device check", "gw-1 --attempts 1 {device}", Mqtt),
    ("device check", "--keystore {in} --host localhost", File),
    ("device token", "gw-1 --raw {device}", Mqtt),
    ("device token", "gw-1 --raw --https {https}", Rest),
    ("device token", "--keystore {in} --host localhost", File),
    ("device connect", "gw-1 --no-reconnect --exit-at-eof {device}", Mqtt),
    ("device connect", "--keystore {in} --host localhost", File),
    ("device bootstrap", "gw-9 --raw --wait 1 --bootstrap-password-file pw {device}", Mqtt),
    ("device bootstrap", "gw-9 --raw --bootstrap-password-file {in} --host localhost", File),
    ("device show", "gw-1", Pki),
    ("device manifest", "--out m --ca-password-file pw", Pki),
    ("cert show", "{in}", File),
    ("cert verify", "{in} --trust pki/ca/root/cert.pem", File),
    ("cert chain", "{in}", File),
    ("key new", "--type ec-p256 --out k.pem --password-file {in}", File),
    ("key show", "{in}", File),
    ("key passwd", "{in} --plain --out k2.pem", File),
    ("key list", "--module {in}", File),
    ("key pool fill", "--type ec-p256 --count 1 --pool-password-file pw", Pki),
    ("key pool show", "", Pki),
    ("store create", "new.p12 --key {in} --cert out/gw-1/chain.pem --store-password-file pw", File),
    ("store add", "{in} --trusted pki/ca/root/cert.pem --store-password-file pw", File),
    ("store show", "{in} --store-password-file pw", File),
    ("store fetch", "{host}:{port} --timeout {timeout}", Tls),
    ("registration create", "--type t --name n", Pki),
    ("registration create", "--from {in} --type t --name n", File),
    ("registration check", "{in}", File),
    ("registration upload", "reg.csv --result r-{port}.csv {rest}", Rest),
    ("registration upload", "{in} --dry-run", File),
    ("registration add", "gw-9 --otp-file otp {rest}", Rest),
    ("registration list", "{rest}", Rest),
    ("registration withdraw", "gw-9 --yes {rest}", Rest),
    ("tenant status", "{rest}", Rest),
    ("tenant trust add", "--ca line {rest}", Rest),
    ("tenant trust add", "{in} --dry-run", File),
    ("tenant trust list", "{rest}", Rest),
    ("tenant trust show", "Line {rest}", Rest),
    ("tenant trust update", "Line --name x {rest}", Rest),
    ("tenant trust remove", "Line --yes {rest}", Rest),
    ("tenant authority status", "{rest}", Rest),
    ("tenant authority create", "{rest}", Rest),
    ("tenant authority renew", "{rest}", Rest),
    ("tenant authority enable", "{rest}", Rest),
    ("tenant verify", "out/gw-1/chain.pem {rest}", Rest),
    ("tenant verify", "{in} --host localhost --user u --tenant-password-file pw", File),
    ("tenant crl upload", "{rest}", Rest),
    ("tenant crl download", "{rest}", Rest),
    ("tenant crl status", "{rest}", Rest),
    ("tenant crl enable", "{rest}", Rest),
    ("tenant crl disable", "{rest}", Rest),
    ("tenant selftest", "--disposable-ca --yes {rest}", Rest),
    ("pop prove", "--ca line --ca-password-file pw {rest}", Rest),
    ("pop code", "--ca line {rest}", Rest),
    ("pop sign", "{in} --ca line --ca-password-file pw", File),
    ("pop sign", "code --ca root", Token),
    ("pop submit", "signed.txt --ca line {rest}", Rest),
    ("registry check", "", Pki),
    ("registry repair", "", Pki),
    ("registry repair", "--against {in}", File),
    ("registry export", "", Pki),
    ("registry revocations", "--out r", Pki),
    ("profile import", "--openssl-conf {in}", File),
];

/// Commands that meet nothing that can fail in one of these ways.
pub(super) const OTHERS: &[&str] =
    &["sandbox", "profile list", "profile show", "completions", "man"];
