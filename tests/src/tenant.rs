//! A sandbox in this process, with a directory beside it and curl, as an engineer would type it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use c8y_pki_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::openssl::OpenSsl;
use crate::{Tool, arg};

/// A sandbox on free ports, and a directory that holds its CA's certificate as `sandbox-ca.pem`.
#[derive(Debug)]
pub struct Tenant {
    sandbox: Sandbox,
    folder: TempDir,
}

impl Default for Tenant {
    fn default() -> Self {
        Self::start()
    }
}

impl Tenant {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Starts it with other settings.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let sandbox = Sandbox::start(settings).expect("a sandbox");
        let folder = TempDir::new().expect("a temporary directory");
        let tenant = Self { sandbox, folder };
        tenant.write("sandbox-ca.pem", tenant.sandbox.ca_pem());
        tenant
    }

    /// The sandbox.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// The password of all its users.
    pub fn password(&self) -> &str {
        self.sandbox.password().expose()
    }

    /// What the sandbox knows of its first tenant.
    pub fn state(&self) -> Value {
        self.sandbox.state()["tenants"][self.sandbox.tenant()].clone()
    }

    /// Runs a program of others with the tenant in its environment, the CA's certificate where
    /// each of them looks for one; returns its lines of JSON.
    ///
    /// # Panics
    ///
    /// When it fails, tells the password, or says anything but JSON.
    pub fn client(&self, tool: &Tool, args: &[&str]) -> Vec<Value> {
        self.client_with(tool, &[], args)
    }

    /// As [`Tenant::client`], with more variables.
    ///
    /// # Panics
    ///
    /// As [`Tenant::client`].
    pub fn client_with(&self, tool: &Tool, more: &[(&str, &str)], args: &[&str]) -> Vec<Value> {
        let ca = self.path("sandbox-ca.pem");
        let mut command = Command::new(tool.path());
        command.args(args).envs(self.sandbox.environment()).env("LC_ALL", "C.UTF-8");
        command.envs(more.iter().copied()).env("C8Y_MTLS", self.sandbox.mtls_url());
        command.env("C8Y_MANAGEMENT", self.sandbox.management_url());
        for name in ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
            command.env(name, &ca);
        }
        let output = command.output().unwrap_or_else(|e| panic!("{args:?}: {e}"));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {}\n{said}{errors}", output.status);
        assert!(!format!("{said}{errors}").contains(self.password()), "tells the password");
        let parse = |line| serde_json::from_str(line);
        let lines: Result<_, _> = said.lines().map(parse).collect();
        lines.unwrap_or_else(|e| panic!("{args:?}: {e}\n{said}"))
    }

    /// Runs curl with a command line, in which `'…'` keeps spaces; a path that starts with `/`
    /// is one of the tenant's. It trusts the sandbox's CA and nothing else, and works in the directory.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub fn curl(&self, curl: &Tool, line: &str) -> Answer {
        let told = self.try_curl(curl, line);
        told.unwrap_or_else(|error| panic!("curl {line}: {error}"))
    }

    /// As [`Tenant::curl`], as the tenant's administrator.
    pub fn admin(&self, curl: &Tool, line: &str) -> Answer {
        self.curl(
            curl,
            &format!("--user {}/admin:{} {line}", self.sandbox.tenant(), self.password()),
        )
    }

    /// Uploads a CA of the directory, enabled and registering devices by itself.
    ///
    /// # Panics
    ///
    /// When the tenant does not take it.
    pub fn trust(&self, curl: &Tool, openssl: &OpenSsl, ca: &str) {
        let pem = openssl.text(&format!("{ca}.pem"));
        let value = json!({
            "name": ca, "status": "ENABLED", "autoRegistrationEnabled": true, "certInPemFormat": pem,
        });
        let list = format!("/tenant/tenants/{}/trusted-certificates", self.sandbox.tenant());
        self.send(curl, "POST", &list, &value).expect(201);
    }

    /// Sends JSON as the tenant's administrator, with curl.
    ///
    /// # Panics
    ///
    /// As [`Tenant::curl`].
    pub fn send(&self, curl: &Tool, method: &str, path: &str, value: &Value) -> Answer {
        self.write("body.json", value.to_string());
        let json = "--header 'Content-Type: application/json' --header 'Accept: application/json'";
        self.admin(curl, &format!("--request {method} {json} --data @body.json {path}"))
    }

    /// As [`Tenant::curl`], for requests that may end without an answer.
    ///
    /// # Errors
    ///
    /// What curl says.
    ///
    /// # Panics
    ///
    /// When curl cannot be run, or what it has written cannot be read.
    pub fn try_curl(&self, curl: &Tool, line: &str) -> Result<Answer, String> {
        let base = self.sandbox.url();
        let words = crate::cli::words(line)
            .into_iter()
            .map(|word| if word.starts_with('/') { format!("{base}{word}") } else { word });
        let (headers, body) = (self.path("curl.headers"), self.path("curl.body"));
        for file in [&headers, &body] {
            let _ = std::fs::remove_file(file);
        }
        let output = Command::new(curl.path())
            .current_dir(self.folder())
            .args(["--silent", "--show-error", "--max-time", "30", "--cacert", "sandbox-ca.pem"])
            .args(["--dump-header", arg(&headers), "--output", arg(&body)])
            .args(["--write-out", "%{http_code}"])
            .args(words)
            .output()
            .expect("curl starts");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let status = String::from_utf8_lossy(&output.stdout);
        Ok(Answer {
            line: line.to_owned(),
            status: status.trim().parse().expect("a status"),
            headers: String::from_utf8_lossy(&std::fs::read(headers).expect("headers"))
                .into_owned(),
            body: std::fs::read(body).unwrap_or_default(),
        })
    }
}

/// What the tenant has answered.
pub struct Answer {
    line: String,
    /// The HTTP status.
    pub status: u16,
    headers: String,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "curl {}\n{}\n{}", self.line, self.headers, self.text())
    }
}

impl Answer {
    /// Holds it to a status.
    ///
    /// # Panics
    ///
    /// When it has another one.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Holds it to a status and an error of the platform's form; returns its `error`.
    ///
    /// # Panics
    ///
    /// When it is anything else.
    pub fn refused(self, status: u16) -> String {
        let json = self.expect(status).json();
        for member in ["error", "message", "info"] {
            assert!(json[member].is_string(), "no {member}: {json}");
        }
        json["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The value of a header, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.headers.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is not JSON, or not said to be.
    pub fn json(&self) -> Value {
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.contains("json"), "curl {}: {kind}\n{}", self.line, self.text());
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("curl {}: {e}\n{}", self.line, self.text()))
    }
}
