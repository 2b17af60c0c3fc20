//! MQTT clients of others, which connect as a device with what we issue: mosquitto_pub and Eclipse Paho
//! for Python with PEM files, Java's own TLS with PKCS#12 and with JKS. All of them publish with QoS 1 when
//! they are accepted, and answer in the same words: `accepted`, `refused` with the code of the CONNACK, `files`
//! or `failed` with what they say.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::cli::{Cli, PASSWORD};
use crate::{Ended, Tool, arg, java_dir, python_dir, python_with, tool};

/// The directory with the server's CA that clients trust.
pub const SERVER: &str = "server";

/// The files that a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// `key.pem` and `chain.pem`; `ca.pem`.
    Pem,
    /// `keystore.p12`; `truststore.p12`.
    Pkcs12,
    /// `keystore.jks`; `truststore.jks`.
    Jks,
}

impl Files {
    /// What a device presents.
    fn chain(self) -> &'static str {
        match self {
            Self::Pem => "chain.pem",
            Self::Pkcs12 => "keystore.p12",
            Self::Jks => "keystore.jks",
        }
    }

    /// Whom it trusts.
    fn trusted(self) -> &'static str {
        match self {
            Self::Pem => "ca.pem",
            Self::Pkcs12 => "truststore.p12",
            Self::Jks => "truststore.jks",
        }
    }

    /// Whether certificates are sent in the order in which they stand in the file. Java links those of
    /// PKCS#12 by itself, from issuer to subject.
    pub fn keep_order(self) -> bool {
        self != Self::Pkcs12
    }
}

/// How a client comes.
#[derive(Debug, Clone, Copy)]
pub struct Guise {
    /// The directory of what it presents; none to come without certificate.
    pub folder: Option<&'static str>,
    /// The directory of whom it trusts.
    pub trust: &'static str,
    /// The ClientId.
    pub client_id: &'static str,
    /// `3.1` or `3.1.1`.
    pub version: &'static str,
}

impl Guise {
    /// With what is in a directory, by MQTT 3.1.1.
    pub const fn of(folder: &'static str, client_id: &'static str) -> Self {
        Self { folder: Some(folder), trust: SERVER, client_id, version: "3.1.1" }
    }
}

/// A client of others.
#[derive(Debug)]
pub struct Client {
    /// What it is called.
    pub name: &'static str,
    /// The kinds of files that it reads.
    pub reads: &'static [Files],
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// A process for each connection.
    Mosquitto(Tool),
    /// One that gets a line for each.
    Program(Program),
}

impl Client {
    /// All that are installed.
    pub fn all(cli: &Cli) -> Vec<Self> {
        [Self::java(cli), Self::paho(cli), Self::mosquitto()].into_iter().flatten().collect()
    }

    /// mosquitto_pub, if it is installed.
    pub fn mosquitto() -> Option<Self> {
        let way = Way::Mosquitto(tool("mosquitto_pub")?);
        Some(Self { name: "mosquitto_pub", reads: &[Files::Pem], way })
    }

    /// Eclipse Paho for Python, if it is installed; it works in the directory of `cli`.
    pub fn paho(cli: &Cli) -> Option<Self> {
        let mut command = Command::new(python_with("paho.mqtt.client")?.path());
        command.arg(python_dir().join("device.py"));
        let way = Way::Program(Program::start(command, cli));
        Some(Self { name: "Paho", reads: &[Files::Pem], way })
    }

    /// Java, if a JDK is installed; it works in the directory of `cli`.
    pub fn java(cli: &Cli) -> Option<Self> {
        let way = Way::Program(Program::start(java(cli, &[])?, cli));
        Some(Self { name: "Java", reads: &[Files::Pkcs12, Files::Jks], way })
    }

    /// Connects to a port of this machine; returns the answer.
    ///
    /// # Panics
    ///
    /// When it cannot be run.
    pub fn connect(&mut self, cli: &Cli, port: u16, files: Files, guise: &Guise) -> String {
        let trusted = format!("{}/{}", guise.trust, files.trusted());
        match &mut self.way {
            Way::Mosquitto(publish) => mosquitto(publish, cli, port, &trusted, guise),
            Way::Program(program) => {
                let chain = guise.folder.map(|folder| format!("{folder}/{}", files.chain()));
                let chain = chain.as_deref().unwrap_or("-");
                let Guise { client_id, version, .. } = guise;
                program.ask(&format!("localhost {port} {chain} {trusted} {client_id} {version}"))
            }
        }
    }

    /// Gives a line of its own to a client that takes lines; returns the answer.
    ///
    /// # Panics
    ///
    /// When it takes none, or has ended.
    pub fn ask(&mut self, line: &str) -> String {
        match &mut self.way {
            Way::Mosquitto(_) => panic!("{} takes no lines", self.name),
            Way::Program(program) => program.ask(line),
        }
    }
}

/// `java` with the class `MqttDevice` in the directory of `cli`, where it works; arguments of Java's own go
/// before it. None if there is no JDK.
///
/// # Panics
///
/// When it does not compile.
pub fn java(cli: &Cli, options: &[&str]) -> Option<Command> {
    let (javac, java) = (tool("javac")?, tool("java")?);
    // What runs so briefly is not worth the better compiler.
    let quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
    if !cli.path("MqttDevice.class").is_file() {
        let source = java_dir().join("MqttDevice.java");
        let own = quick.map(|option| format!("-J{option}"));
        javac.run(&[&own[0], &own[1], "-encoding", "UTF-8", "-d", &cli.arg("."), arg(&source)]);
    }
    let mut command = Command::new(java.path());
    command.current_dir(cli.path("")).env("STORE_PASSWORD", PASSWORD);
    command.args(quick).args(["-cp", "."]).args(options).arg("MqttDevice");
    Some(command)
}

fn mosquitto(publish: &Tool, cli: &Cli, port: u16, trusted: &str, guise: &Guise) -> String {
    let version = format!("mqttv{}", guise.version.replace('.', ""));
    let mut command = Command::new(publish.path());
    command.current_dir(cli.path("")).args(["-h", "localhost", "-p", &port.to_string()]);
    command.args(["--cafile", trusted, "-i", guise.client_id, "-V", &version]);
    command.args(["-q", "1", "-t", "s/us", "-m", "100,A device of mosquitto,c8y_Mosquitto"]);
    if let Some(folder) = guise.folder {
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| format!("{folder}/{name}"));
        command.args(["--cert", &chain, "--key", &key]);
    }
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let code = |words: &str, code| said.contains(words).then(|| format!("refused {code}"));
    if output.status.success() {
        return "accepted".to_owned();
    }
    code("Refused: not authorised", 5)
        .or_else(|| code("Refused: bad user name or password", 4))
        .unwrap_or_else(|| format!("failed {said}"))
}

/// A program that answers a line with a line.
#[derive(Debug)]
struct Program {
    /// First, so that it is closed before the end is waited for.
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _process: Ended,
}

impl Program {
    fn start(mut command: Command, cli: &Cli) -> Self {
        command.current_dir(cli.path("")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child: Child = command.spawn().expect("it starts");
        let stdin = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { stdin, answers, _process: Ended(child) }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").unwrap_or_else(|e| panic!("{line}: {e}"));
        let answer = self.answers.next().unwrap_or_else(|| panic!("no answer to {line}"));
        answer.expect("text")
    }
}
