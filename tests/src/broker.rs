//! MQTT servers to connect to: a real mosquitto, and one on paper that answers as told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::cli::Cli;
use crate::openssl::{EC, OpenSsl};
use crate::{arg, ports, tool};

/// How long a broker may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the server's certificate for `localhost` with OpenSSL: `server.pem`, `server.key` and
/// their CA, `server-ca.pem`, which is not the devices'. None when OpenSSL is not installed.
pub fn server_certificate(cli: &Cli) -> Option<()> {
    let openssl = OpenSsl::at(&cli.path("."))?;
    openssl.root("server-ca", EC);
    openssl.request("server");
    cli.write("server.ext", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n");
    openssl.run(
        "x509 -req -in @server.csr -CA @server-ca.pem -CAkey @server-ca.key -CAcreateserial -days 20 \
         -extfile @server.ext -out @server.pem",
    );
    Some(())
}

/// The same with a certificate that is valid from so many days from now on, up to so many.
///
/// # Panics
///
/// When OpenSSL does not make it.
pub fn server_certificate_for(cli: &Cli, from: i64, to: i64) -> Option<()> {
    server_certificate(cli)?;
    let openssl = OpenSsl::at(&cli.path("."))?;
    cli.write("index.txt", "");
    let (index, folder) = (cli.arg("index.txt"), cli.arg("."));
    cli.write(
        "dated.cnf",
        format!(
            "[ca]\ndefault_ca = dated\n[dated]\ndatabase = {index}\nrand_serial = yes\nnew_certs_dir = {folder}\n\
             default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n"
        ),
    );
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]Z");
    let day = |days| {
        let at = time::OffsetDateTime::now_utc() + time::Duration::days(days);
        at.format(format).expect("a time can be written")
    };
    openssl.run(&format!(
        "ca -batch -notext -config @dated.cnf -extfile @server.ext -in @server.csr \
         -cert @server-ca.pem -keyfile @server-ca.key -startdate {} -enddate {} -out @server.pem",
        day(from),
        day(to)
    ));
    Some(())
}
/// A mosquitto that wants client certificates.
#[derive(Debug)]
pub struct Mosquitto {
    child: Child,
    /// Where it listens, on localhost.
    pub port: u16,
}

impl Mosquitto {
    /// Starts it in a directory with [`server_certificate`]; devices have to lead to the CA in the
    /// file `ca`. `more` is a line for its configuration. None when it is not installed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(cli: &Cli, ca: &str, more: &str) -> Option<Self> {
        Self::start_at(cli, ca, more, ports::free_port())
    }

    /// The same at a port of choice: that of one that was stopped.
    ///
    /// # Panics
    ///
    /// As [`Mosquitto::start`].
    pub fn start_at(cli: &Cli, ca: &str, more: &str, port: u16) -> Option<Self> {
        let mosquitto = tool("mosquitto").or_else(|| tool_in_sbin("mosquitto"))?;
        let path = |name: &str| cli.arg(name);
        let configuration = format!(
            "user root\npersistence false\nlog_type all\nlistener {port} 127.0.0.1\n\
             allow_anonymous true\nrequire_certificate true\n\
             cafile {}\ncertfile {}\nkeyfile {}\n{more}\n",
            path(ca),
            path("server.pem"),
            path("server.key")
        );
        cli.write("mosquitto.conf", configuration);
        let log = std::fs::File::create(cli.path("mosquitto.log")).expect("a log");
        let child = Command::new(mosquitto.path())
            .args(["-c", arg(&cli.path("mosquitto.conf"))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mosquitto starts");
        let mut broker = Self { child, port };
        broker.wait(cli);
        Some(broker)
    }

    fn wait(&mut self, cli: &Cli) {
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let over = self.child.try_wait().expect("the system knows its children");
            let log = || cli.text("mosquitto.log");
            assert!(over.is_none() && Instant::now() < end, "mosquitto: {over:?}\n{}", log());
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian keeps daemons where the `PATH` of users does not lead.
fn tool_in_sbin(name: &str) -> Option<crate::Tool> {
    let path = std::path::Path::new("/usr/sbin").join(name);
    path.is_file().then_some(crate::Tool { path })
}

/// What a broker on paper does with a packet.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Sends these bytes.
    Octets(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Nothing.
    Nothing,
}

/// TLS with the certificate in the directory; no client certificate is asked for.
///
/// # Panics
///
/// When there is no [`server_certificate`].
pub fn server_config(cli: &Cli) -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_file(cli.path("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(cli.path("server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .expect("key and certificate fit");
    Arc::new(config)
}

/// A TLS server that answers the packets of MQTT as `answer` says: it gets the type (1 is CONNECT)
/// and the bytes behind the fixed header. It asks for no client certificate. Returns its port.
///
/// # Panics
///
/// When it cannot be started with the certificate in the directory.
pub fn paper_broker(cli: &Cli, answer: impl Fn(u8, &[u8]) -> Reply + Send + Sync + 'static) -> u16 {
    let (config, answer) = (server_config(cli), Arc::new(answer));
    listen(move |stream| {
        let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
        thread::spawn(move || serve(stream, config, &*answer));
    })
}

/// A tenant that answers each request as `answer` says: it gets method and path, and gives status and JSON.
/// Returns its port.
///
/// # Panics
///
/// When it cannot be started with the certificate in the directory.
pub fn paper_tenant(
    cli: &Cli,
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> u16 {
    let (config, answer) = (server_config(cli), Arc::new(answer));
    listen(move |stream| {
        let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
        thread::spawn(move || {
            let connection = ServerConnection::new(config).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            let Some(request) = head(&mut stream) else { return };
            let line = request.lines().next().unwrap_or_default();
            let (status, body) = answer(line.trim_end_matches(" HTTP/1.1"));
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ =
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        });
    })
}

/// A request of HTTP up to its end, its body included; none if it breaks off.
pub fn head(stream: &mut impl Read) -> Option<String> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}

/// A TLS server that does one thing with each connection, and then ends it in order. It asks for no client
/// certificate. Returns its port.
///
/// # Panics
///
/// When it cannot be started with the certificate in the directory.
pub fn tls_listen(
    cli: &Cli,
    each: impl Fn(&mut StreamOwned<ServerConnection, TcpStream>) + Send + Sync + 'static,
) -> u16 {
    let (config, each) = (server_config(cli), Arc::new(each));
    listen(move |stream| {
        let (config, each) = (Arc::clone(&config), Arc::clone(&each));
        thread::spawn(move || {
            let connection = ServerConnection::new(config).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            each(&mut stream);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        });
    })
}

/// A server on a port of its own that does one thing with each connection. Returns its port.
///
/// # Panics
///
/// When it cannot be started.
pub fn listen(each: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(each));
    port
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, answer: &dyn Fn(u8, &[u8]) -> Reply) {
    let connection = ServerConnection::new(config).expect("a connection");
    let mut stream = StreamOwned::new(connection, stream);
    while let Some((kind, body)) = packet(&mut stream) {
        match answer(kind, &body) {
            Reply::Octets(bytes) => {
                if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Reply::Close => {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                return;
            }
            Reply::Nothing => {}
        }
    }
}

/// The type of the next packet, and what is behind its fixed header; none at the end.
pub fn packet(stream: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut octet = || {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok().map(|()| octet[0])
    };
    let kind = octet()? >> 4;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let part = octet()?;
        length |= usize::from(part & 0x7f) << shift;
        shift += 7;
        if part & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((kind, body))
}

/// What a good broker says: accepts, acknowledges, grants.
pub fn polite(kind: u8, body: &[u8]) -> Reply {
    match kind {
        1 => Reply::Octets(vec![0x20, 2, 0, 0]),
        3 => {
            // QoS 1: the packet identifier is behind the topic.
            let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
            Reply::Octets(vec![0x40, 2, body[topic + 2], body[topic + 3]])
        }
        8 => granted(body),
        _ => Reply::Nothing,
    }
}

/// Grants each filter of a SUBSCRIBE, with QoS 0 (MQTT 3.1.1, 3.9).
fn granted(body: &[u8]) -> Reply {
    let (id, mut filters) = body.split_at(2);
    let mut codes = Vec::new();
    while let [high, low, ..] = *filters {
        // The filter, and the QoS that is asked for.
        let length = 2 + usize::from(u16::from_be_bytes([high, low])) + 1;
        filters = filters.get(length..).unwrap_or_default();
        codes.push(0);
    }
    let length = u8::try_from(2 + codes.len()).expect("a few filters");
    Reply::Octets([&[0x90, length][..], id, &codes].concat())
}
