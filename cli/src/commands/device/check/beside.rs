//! User and password that a device sends beside its certificate.

use std::path::PathBuf;

use c8y_pki_engine::device::check::PasswordLogin;
use clap::Args;

use crate::failure::{Failure, Result};
use crate::secrets::known;

/// What the device sends beside its certificate. `--user` is that of the tenant's REST interface.
#[derive(Debug, Args)]
pub(super) struct BesideArgs {
    /// The user that the device sends over MQTT in addition to its certificate, as tenant/user. The check then says
    /// what the platform does with both, and with user and password alone
    #[arg(long, value_name = "NAME")]
    mqtt_user: Option<String>,
    /// File whose first line is that user's password [env: C8Y_PKI_MQTT_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "mqtt_user")]
    mqtt_password_file: Option<PathBuf>,
}

impl BesideArgs {
    /// User and password; none if there is no user.
    pub(super) fn login(&self, at_service: bool) -> Result<Option<PasswordLogin>> {
        let Some(user) = self.mqtt_user.clone() else { return Ok(None) };
        if at_service {
            return Err(Failure::usage(
                "--mqtt-user is for port 8883: at the MQTT Service the MQTT user is the tenant's id",
                "leave it out, and give --tenant",
            ));
        }
        let password = known::mqtt_user(self.mqtt_password_file.as_ref());
        Ok(Some(PasswordLogin { user, password: password.existing()? }))
    }
}

/// One device has one user.
pub(super) fn of_one() -> Failure {
    Failure::usage(
        "--mqtt-user is for one device, but several are to be checked",
        "name one device",
    )
}
