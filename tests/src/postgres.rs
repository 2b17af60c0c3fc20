//! A PostgreSQL server for tests: its own cluster in a temporary directory, reached over a socket there. No service of
//! the machine is needed, and no port is taken.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where Debian and others put the server's programs.
const PLACES: [&str; 3] = ["/usr/lib/postgresql", "/usr/pgsql", "/usr/local/pgsql"];

/// The superuser of the cluster, whose role the tests have.
const OWNER: &str = "owner";

/// A running cluster. It ends with the process that has started it.
#[derive(Debug)]
pub struct Cluster {
    dir: TempDir,
    programs: PathBuf,
    server: Option<Child>,
    databases: AtomicU32,
    /// Its number is in the name of the socket too.
    port: u16,
}

/// PostgreSQL's own: of a server that only has a socket it is a part of the socket's name.
const PORT: u16 = 5432;

impl Cluster {
    /// Starts one; none if the server's programs are not installed, which is said.
    ///
    /// # Panics
    ///
    /// When it does not start, or when it is missing and `C8Y_PKI_REQUIRE_TOOLS` is 1.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var("C8Y_PKI_REQUIRE_TOOLS").is_ok_and(|v| v == "1");
            assert!(!required, "PostgreSQL's server is missing");
            eprintln!("left out: PostgreSQL's server is not installed");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("pg").tempdir().expect("a directory");
        if is_root() {
            let owned = Command::new("chown").arg(USER).arg(dir.path()).status();
            assert!(owned.expect("chown").success());
        }
        let data = dir.path().join("data");
        let made = as_user(&programs.join("initdb"))
            .args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"])
            .arg(format!("--username={OWNER}"))
            .arg("--pgdata")
            .arg(&data)
            .current_dir(dir.path())
            .output()
            .expect("initdb");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut cluster =
            Self { dir, programs, server: None, databases: AtomicU32::new(0), port: PORT };
        cluster.run(&[]);
        Some(cluster)
    }

    /// Starts the server with settings, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn run(&mut self, settings: &[&str]) {
        let data = self.dir.path().join("data");
        let mut all = vec!["fsync=off", "listen_addresses=", "max_connections=200"];
        all.extend(["shared_buffers=32MB", "max_wal_size=256MB", "log_min_messages=fatal"]);
        all.extend(settings);
        let settings: Vec<String> = all.iter().map(|setting| format!("-c {setting}")).collect();
        // The shell waits for the end of this process, which closes the pipe, and ends the server then.
        let script = format!(
            "'{}' -D '{}' -k '{}' {} & server=$!; read -r _; kill -INT $server; wait $server",
            self.programs.join("postgres").display(),
            data.display(),
            self.dir.path().display(),
            settings.join(" "),
        );
        let log =
            std::fs::File::options().append(true).create(true).open(self.dir.path().join("log"));
        let server = as_user(Path::new("/bin/sh"))
            .args(["-c", &script])
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn();
        self.server = Some(server.expect("a server"));
        let given_up = Instant::now() + Duration::from_secs(60);
        while self.psql("postgres", "SELECT 1").is_none_or(|answer| answer != "1") {
            assert!(Instant::now() < given_up, "the server does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts the server anew: over TCP at a free port, which is returned, only with TLS and a password.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn run_over_tls(&mut self, chain: &[u8], key: &[u8]) -> u16 {
        self.kill();
        self.port = free_port();
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        let files = [("tls.crt", chain), ("tls.key", key), ("rules", rules.as_bytes())];
        for (name, bytes) in files {
            let path = self.dir.path().join(name);
            std::fs::write(&path, bytes).expect("a file of the server");
            let done = Command::new("chmod").arg("0600").arg(&path).status();
            assert!(done.expect("chmod").success());
            if is_root() {
                let owned = Command::new("chown").arg(USER).arg(&path).status();
                assert!(owned.expect("chown").success());
            }
        }
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("tls.crt")),
            format!("ssl_key_file={}", file("tls.key")),
            format!("hba_file={}", file("rules")),
        ];
        self.run(&settings.each_ref().map(String::as_str));
        self.port
    }

    /// Starts the server anew, reached at an address of this machine too, without TLS and passwords; its port, which
    /// stays the same the next time.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn run_at(&mut self, host: &str) -> u16 {
        self.kill();
        if self.port == PORT {
            self.port = free_port();
        }
        let rules = self.dir.path().join("rules");
        let text = format!("local all all trust\nhost all all {host}/30 trust\n");
        std::fs::write(&rules, text).expect("a file of the server");
        self.run(&[
            &format!("listen_addresses={host}"),
            &format!("port={}", self.port),
            &format!("hba_file={}", rules.display()),
        ]);
        self.port
    }

    /// Whether psql reaches a database by a connection string, with a password and what is in the user's directory.
    ///
    /// # Panics
    ///
    /// When there is no psql.
    pub fn psql_connects(&self, to: &str, password: &str, home: &Path) -> bool {
        let said = Command::new(self.programs.join("psql"))
            .args(["-X", "-w", "-c", "SELECT 1", to])
            .env("PGPASSWORD", password)
            .env("HOME", home)
            .output();
        said.expect("psql").status.success()
    }

    /// Ends the server at once, as when its machine loses power.
    ///
    /// # Panics
    ///
    /// When it was not running.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.dir.path().join("data/postmaster.pid"));
        let pid = pid.expect("a running server").lines().next().expect("its pid").to_owned();
        let ended = Command::new("kill").args(["-QUIT", &pid]).status();
        assert!(ended.expect("kill").success());
        let mut shell = self.server.take().expect("a running server");
        drop(shell.stdin.take());
        let _ = shell.wait();
    }

    /// What the server has written.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// A new, empty database; its name.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.psql("postgres", &format!("CREATE DATABASE {name}"));
        assert!(made.is_some(), "{}", self.log());
        name
    }

    /// The directory with the server's socket.
    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The address of a database, as pki.toml names it.
    pub fn address(&self, database: &str) -> String {
        self.address_as(OWNER, database)
    }

    /// The same for another user.
    pub fn address_as(&self, user: &str, database: &str) -> String {
        let port = if self.port == PORT { String::new() } else { format!("&port={}", self.port) };
        format!("postgres:///{database}?host={}&user={user}{port}", self.dir.path().display())
    }

    /// What psql answers, in plain lines; none if it is refused.
    pub fn psql(&self, database: &str, sql: &str) -> Option<String> {
        self.psql_as(OWNER, database, sql).ok()
    }

    /// The same for another user; an error is what psql has said.
    ///
    /// # Errors
    ///
    /// What the server has refused.
    ///
    /// # Panics
    ///
    /// When there is no psql.
    pub fn psql_as(&self, user: &str, database: &str, sql: &str) -> Result<String, String> {
        let said = Command::new(self.programs.join("psql"))
            .args([
                "-X",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                user,
                "-d",
                database,
                "-p",
                &self.port.to_string(),
                "-h",
            ])
            .arg(self.dir.path())
            .args(["-c", sql])
            .output()
            .expect("psql");
        match said.status.success() {
            true => Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&said.stderr).into_owned()),
        }
    }
}

impl Cluster {
    /// Writes a database into a file with pg_dump.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn dump(&self, database: &str, file: &Path) {
        let done = Command::new(self.programs.join("pg_dump"))
            .args(["-U", OWNER, "-d", database, "-h"])
            .arg(self.dir.path())
            .arg("-f")
            .arg(file)
            .output()
            .expect("pg_dump");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Runs what pg_dump has written.
    ///
    /// # Panics
    ///
    /// When that fails.
    pub fn psql_file(&self, database: &str, text: &str) {
        use std::io::Write as _;
        let mut psql = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-U", OWNER, "-d", database, "-h"])
            .arg(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("psql");
        let mut input = psql.stdin.take().expect("a pipe");
        input.write_all(text.as_bytes()).expect("psql reads");
        drop(input);
        assert!(psql.wait().expect("psql").success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut shell) = self.server.take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

/// A port that was free a moment ago. This file is a part of the library's tests too, which have no other helper.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// The user that the server runs as when the tests are root's: PostgreSQL refuses to be root.
const USER: &str = "nobody";

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt as _;
        me.uid() == 0
    })
}

fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={USER}"), "--regid=nogroup", "--clear-groups", "--"])
        .arg(program);
    command
}

/// The directory of the newest server that is installed.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = PLACES
        .iter()
        .filter_map(|place| std::fs::read_dir(place).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}
