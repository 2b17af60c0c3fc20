//! A device's life with the platform's own CA: it waits to be let in ([`waiting`]), and its directory changes
//! over to the next key and certificate in one step ([`folder`]).
//!
//! The directory is `<out>/<device>` with `key.pem`, `cert.pem` and `chain.pem`. The next files are prepared in
//! `<out>/<device>.new`, whole and durable, before the two directories change places; the former one is kept in
//! `<out>/.replaced/<device>/<number>`. So key and certificate in `<out>/<device>` belong together at any
//! moment, also when the process is killed; the next run finishes what one has begun.

pub mod folder;
pub mod waiting;
