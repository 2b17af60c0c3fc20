//! The server of a registry that is in a database: what libpq's variables say of it, and that it is waited for.

use std::path::PathBuf;
use std::time::Duration;

use c8y_pki_core::secret::Password;
use c8y_pki_engine::registry::Surroundings;

use crate::output;

/// Tells the library what the environment says, once for the whole process.
pub(crate) fn look_around() {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let home = variable("HOME").or_else(|| variable("USERPROFILE"));
    Surroundings {
        host: variable("PGHOST"),
        port: variable("PGPORT"),
        user: variable("PGUSER").or_else(|| variable("USER")).or_else(|| variable("LOGNAME")),
        database: variable("PGDATABASE"),
        password: variable("PGPASSWORD").map(Password::new),
        passfile: variable("PGPASSFILE").map(PathBuf::from),
        sslmode: variable("PGSSLMODE"),
        sslrootcert: variable("PGSSLROOTCERT"),
        home: home.map(PathBuf::from),
        waiting: Some(waiting),
    }
    .install();
}

fn waiting(server: &str, patience: Duration) {
    let seconds = patience.as_secs();
    output::say(&format!(
        "the registry {server} does not answer: it is waited for, for up to {seconds} s"
    ));
}
