//! The vendor's description of REST, and the real `c8y-pki sandbox` that is held to it.
//!
//! The description is no part of this repository: it is read from `C8Y_PKI_CONTRACT`, or from
//! `shared/data/platform-api.json` beside the checkout.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::Ended;
use crate::cli::Cli;

/// One method of a path.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `GET`, `POST` …
    pub method: String,
    /// The path, with `{names}` for what changes.
    pub path: String,
    /// Any of these roles lets a user in; none: every user.
    pub roles: Vec<String>,
    /// For each status, the schema of each type of body.
    pub answers: BTreeMap<u16, BTreeMap<String, Value>>,
    /// What a request may have besides its body.
    pub parameters: Vec<Parameter>,
    /// The schema of each type of body that a request may have; none if it has no body.
    pub bodies: BTreeMap<String, Value>,
}

/// A parameter of a request.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `query`, `header` or `path`.
    pub place: String,
    /// Whether it has to be there.
    pub required: bool,
    /// What its value has to be.
    pub schema: Value,
}

impl Operation {
    /// Whether that is its path: how many of its parts stand for themselves.
    pub fn fits(&self, path: &str) -> Option<usize> {
        let (mine, other) = (self.path.split('/'), path.split('/'));
        let is_name = |part: &str| part.starts_with('{');
        if mine.clone().count() != other.clone().count() {
            return None;
        }
        let mut pairs = mine.zip(other);
        let own = self.path.split('/').filter(|part| !is_name(part)).count();
        pairs
            .all(|(part, given)| is_name(part) && !given.is_empty() || part == given)
            .then_some(own)
    }
}

/// The operation of a request; of several that fit, the one that names it best.
pub fn operation_of<'a>(all: &'a [Operation], method: &str, path: &str) -> Option<&'a Operation> {
    let fitting = all.iter().filter(|o| o.method == method);
    fitting.filter_map(|o| Some((o.fits(path)?, o))).max_by_key(|(own, _)| *own).map(|(_, o)| o)
}

/// All operations of the description; none where it is not at hand, which is said.
///
/// # Panics
///
/// When it cannot be read, or when it is missing and `C8Y_PKI_REQUIRE_TOOLS` is 1.
pub fn operations() -> Option<Vec<Operation>> {
    let named = std::env::var_os("C8Y_PKI_CONTRACT").map(PathBuf::from);
    let beside = || {
        let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        own.join("../../shared/data/platform-api.json")
    };
    let path = named.unwrap_or_else(beside);
    if !path.is_file() {
        return crate::left_out("the description of REST (C8Y_PKI_CONTRACT)");
    }
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let description: Value = serde_json::from_slice(&text).expect("the description is JSON");
    let paths = description["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").iter();
        methods.map(|(method, value)| operation(path, method, value)).collect::<Vec<_>>()
    };
    Some(paths.iter().flat_map(of_path).collect())
}

fn operation(path: &str, method: &str, value: &Value) -> Operation {
    let roles = value["x-roles"].as_array().into_iter().flatten();
    let answer =
        |(status, answer): (&String, &Value)| (status.parse().expect("a status"), types(answer));
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        roles: roles.filter_map(|role| role.as_str().map(str::to_owned)).collect(),
        answers: value["responses"].as_object().into_iter().flatten().map(answer).collect(),
        parameters: value["parameters"].as_array().into_iter().flatten().map(parameter).collect(),
        bodies: types(&value["requestBody"]),
    }
}

/// The schema of each type of body.
fn types(value: &Value) -> BTreeMap<String, Value> {
    let types = value["content"].as_object().into_iter().flatten();
    types.map(|(name, schema)| (name.clone(), schema.clone())).collect()
}

fn parameter(value: &Value) -> Parameter {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Parameter {
        name: text("name"),
        place: text("in"),
        required: value["required"] == true,
        schema: value["schema"].clone(),
    }
}

/// A running `c8y-pki sandbox`.
#[derive(Debug)]
pub struct Running {
    /// The directory in which it was started.
    pub cli: Cli,
    started: Value,
    _process: Ended,
}

impl Running {
    /// Starts it with more arguments.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(arguments: &str) -> Self {
        let cli = Cli::new();
        let mut command = cli.command(&format!("--json sandbox {arguments}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(cli.path("sandbox.log")).expect("a log"));
        let mut process = Ended(command.spawn().expect("the sandbox starts"));
        let mut line = String::new();
        let out = process.0.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let started = serde_json::from_str(&line);
        let started = started.unwrap_or_else(|e| panic!("{e}: {line}{}", cli.text("sandbox.log")));
        Self { cli, started, _process: process }
    }

    /// Where it is and how to get in, as it has said.
    ///
    /// # Panics
    ///
    /// When it has not said that.
    pub fn told(&self, name: &str) -> &str {
        self.started[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.started))
    }

    /// A request of a user, `name` or `tenant/name`.
    pub fn as_user(&self, user: &str, method: &str, path: &str) -> Call<'_> {
        let password = self.told("password");
        self.call(method, path).basic(user, password)
    }

    /// A request of nobody.
    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        let headers = vec![("Accept".to_owned(), "application/json".to_owned())];
        let (method, path) = (method.to_owned(), path.to_owned());
        Call { running: self, method, path, headers, body: Vec::new(), identity: None }
    }
}

/// A request that is not yet sent.
#[derive(Debug)]
pub struct Call<'a> {
    running: &'a Running,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    identity: Option<(PathBuf, PathBuf)>,
}

impl Call<'_> {
    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With user and password.
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let value = STANDARD.encode(format!("{user}:{password}"));
        self.header("Authorization", &format!("Basic {value}"))
    }

    /// With a body of a type.
    #[must_use]
    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", kind)
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// With a form of parts: name, type, contents.
    #[must_use]
    pub fn form(self, parts: &[(&str, &str, &str)]) -> Self {
        let mut body = String::new();
        for (name, kind, contents) in parts {
            let file = if *name == "file" { "; filename=\"f\"" } else { "" };
            body += &format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\
                 Content-Type: {kind}\r\n\r\n{contents}\r\n"
            );
        }
        self.body("multipart/form-data; boundary=x", body + "--x--\r\n")
    }

    /// At the port with client certificates, with files of the directory: the chain, and the key.
    #[must_use]
    pub fn with(mut self, chain: &str, key: &str) -> Self {
        let cli = &self.running.cli;
        self.identity = Some((cli.path(chain), cli.path(key)));
        self
    }

    /// Sends it over TLS.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub fn send(self) -> Reply {
        let base = if self.identity.is_some() { "mtls_url" } else { "url" };
        let port = self.running.told(base).rsplit_once(':').expect("a port").1;
        let mut stream = self.connect(port.parse().expect("a port"));
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Connection: close\r\nContent-Length: {}\r\n\r\n", self.body.len());
        stream.write_all(&[head.as_bytes(), &self.body].concat()).expect("it is sent");
        stream.flush().expect("it is sent");
        let mut all = Vec::new();
        // Not every server says goodbye before it closes.
        let _ = stream.read_to_end(&mut all);
        Reply::read(format!("{} {}", self.method, self.path), &all)
    }

    fn connect(&self, port: u16) -> StreamOwned<ClientConnection, TcpStream> {
        let ca = CertificateDer::from_pem_file(self.running.told("ca_file")).expect("a CA");
        let mut roots = RootCertStore::empty();
        roots.add(ca).expect("a CA");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots);
        let tls = match &self.identity {
            None => tls.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_file_iter(chain).expect("a chain");
                let chain = chain.collect::<Result<_, _>>().expect("a chain");
                let key = PrivateKeyDer::from_pem_file(key).expect("a key");
                tls.with_client_auth_cert(chain, key).expect("a chain and its key")
            }
        };
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(tls), name).expect("TLS");
        StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).expect("a connection"))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// What it answers.
    pub to: String,
    /// Its status.
    pub status: u16,
    /// The type of its body; empty without one.
    pub kind: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    fn read(to: String, all: &[u8]) -> Self {
        let end = all.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{to}: {}", String::from_utf8_lossy(all)));
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        let kind = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind = kind.map(|(_, value)| value.trim().to_owned()).unwrap_or_default();
        Self { status: status.expect("a status"), kind, body: all[end + 4..].to_vec(), to }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body);
        json.unwrap_or_else(|e| panic!("{} {}: {e}\n{}", self.to, self.status, self.text()))
    }
}
