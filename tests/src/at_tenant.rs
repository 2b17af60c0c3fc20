//! The binary against a sandbox tenant. The tenant's password is [`PASSWORD`], which no output of the
//! binary may hold.

use c8y_pki_core::secret::Password;
use c8y_pki_sandbox::{Faults, Sandbox, Settings};
use serde_json::Value;

use crate::cli::{Cli, Outcome, PASSWORD};

/// A directory to work in, and a tenant to talk to.
#[derive(Debug)]
pub struct AtTenant {
    /// The directory; `sandbox-ca.pem` is the CA of the tenant's TLS certificate.
    pub cli: Cli,
    /// The tenant.
    pub sandbox: Sandbox,
}

impl AtTenant {
    /// A sandbox for what is in a directory.
    pub fn new(cli: Cli) -> Self {
        Self::with(cli, Settings::default())
    }

    /// A sandbox with settings; its password is [`PASSWORD`] in any case.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn with(cli: Cli, settings: Settings) -> Self {
        let settings = Settings { password: Some(Password::new(PASSWORD)), ..settings };
        let sandbox = Sandbox::start(settings).expect("a sandbox");
        cli.write("sandbox-ca.pem", sandbox.ca_pem());
        Self { cli, sandbox }
    }

    /// Makes a share of its answers go wrong, the same for the same seed.
    pub fn faults(&self, share: f64, seed: u64) {
        self.sandbox.set_faults(Faults::evenly(share, seed));
    }

    /// Runs a command line as the administrator of the sandbox's tenant.
    pub fn run(&self, line: &str) -> Outcome {
        self.run_as("admin", line)
    }

    /// Runs a command line as a user, `name` or `tenant/name`.
    pub fn run_as(&self, user: &str, line: &str) -> Outcome {
        self.run_with(line, &[("C8Y_USER", user)])
    }

    /// Runs a command line with variables over those that reach the tenant.
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Outcome {
        let url = self.sandbox.url();
        let mut all = vec![
            ("C8Y_HOST", url.as_str()),
            ("C8Y_USER", "admin"),
            ("C8Y_PASSWORD", PASSWORD),
            ("C8Y_PKI_CACERT", "sandbox-ca.pem"),
        ];
        all.extend_from_slice(variables);
        self.cli.run_with(line, &all, b"")
    }

    /// Runs a command that has to succeed; returns its standard output.
    pub fn ok(&self, line: &str) -> String {
        self.run(line).expect(0).stdout
    }

    /// What a tenant has, by the name of a list in the sandbox's state.
    ///
    /// # Panics
    ///
    /// When there is no such list.
    pub fn list_of(&self, tenant: &str, list: &str) -> Vec<Value> {
        let state = self.sandbox.state();
        let found = state["tenants"][tenant][list].as_array();
        found.unwrap_or_else(|| panic!("no {list} of {tenant} in {state}")).clone()
    }

    /// What the sandbox's own tenant has.
    pub fn list(&self, list: &str) -> Vec<Value> {
        self.list_of(self.sandbox.tenant(), list)
    }
}
