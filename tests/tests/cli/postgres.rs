//! The registry in a PostgreSQL database: the main job through the command line, with psql and Python as judges.

use std::process::Stdio;
use std::sync::{Mutex, OnceLock, PoisonError};

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::postgres::Cluster;
use c8y_pki_tests::talking::Talking;
use c8y_pki_tests::{Tool, tool};

static CLUSTER: OnceLock<Option<Mutex<Cluster>>> = OnceLock::new();

/// A database of the cluster that all tests here share; its name and its address.
fn database() -> Option<(String, String)> {
    let cluster = CLUSTER.get_or_init(|| Cluster::start().map(Mutex::new)).as_ref()?;
    let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
    let name = cluster.database();
    let address = cluster.address(&name);
    Some((name, address))
}

fn psql(database: &str, sql: &str) -> String {
    let cluster = CLUSTER.get().and_then(Option::as_ref).expect("a cluster");
    let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
    cluster.psql_as("owner", database, sql).expect("an answer of psql")
}

const CA: &str = "--key-type ec-p256 --ca-password-file pw";

/// A PKI directory with two CAs, whose registry is in a database.
fn on_server(address: &str) -> Cli {
    let cli = Cli::new();
    cli.ok(&format!("ca init root --subject CN=Root --registry {address} {CA}"));
    cli.ok(&format!("ca add line --parent root --subject CN=Line {CA}"));
    cli
}

/// What Python says of an audit log.
fn recomputed(cli: &Cli, python: &Tool, rows: &str) -> String {
    cli.write("audit.tsv", rows);
    let (script, file) = (
        concat!(env!("CARGO_MANIFEST_DIR"), "/python/audit_chain.py"),
        cli.path("audit.tsv").display().to_string(),
    );
    let said = python.output(&[script, &file]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

const LOG: &str = "COPY (SELECT sequence, at, encode(convert_to(action, 'UTF8'), 'hex'),
    encode(convert_to(detail, 'UTF8'), 'hex'), encode(hash, 'hex')
    FROM c8y_pki.audit ORDER BY sequence) TO STDOUT";

const SQLITE_LOG: &str =
    "SELECT sequence || char(9) || at || char(9) || hex(action) || char(9) || hex(detail)
    || char(9) || hex(hash) FROM audit ORDER BY sequence";

#[test]
fn the_main_job_on_a_server_and_back_into_a_file() {
    let (Some((name, address)), Some(python), Some(sqlite)) =
        (database(), tool("python3"), tool("sqlite3"))
    else {
        return;
    };
    let cli = on_server(&address);
    let toml = cli.text("pki/pki.toml");
    assert!(toml.contains(&address) && !cli.path("pki/registry.sqlite").exists(), "{toml}");

    // An order of 100 devices, one of which is made again, and one revoked.
    let rows: String = (0..100).map(|n| format!("gw-{n:03}\n")).collect();
    cli.write("list.csv", format!("id\n{rows}"));
    cli.ok("order create acme --from list.csv --ca line --key-type ec-p256");
    cli.ok("device issue --order acme --out out --ca-password-file pw");
    cli.ok("device renew gw-007 --out out --ca-password-file pw");
    cli.ok("device revoke gw-008 --reason keyCompromise --yes");
    cli.ok("ca crl line --ca-password-file pw --out line.crl");
    let order = cli.run("order show acme --json").expect(0).stdout;
    assert!(order.contains("\"issued\":99"), "{order}");
    let listed = cli.run("device list --json").expect(0).json_lines();
    assert_eq!(listed.len(), 99);
    let checked = cli.run("registry check --json").expect(0).json();
    assert_eq!((&checked["good"], &checked["certificates"]), (&true.into(), &103.into()));

    // psql reads what is there; Python comes to the same hashes.
    let counts = "SELECT status, count(*) FROM c8y_pki.certificate WHERE role = 'device' GROUP BY 1 ORDER BY 1";
    assert_eq!(psql(&name, counts), "live|99\nrevoked|1\nsuperseded|1");
    let log = psql(&name, LOG);
    let head = checked["head"].as_str().expect("a hash").to_owned();
    let count = log.lines().count();
    assert_eq!(recomputed(&cli, &python, &log), format!("{count} {head}"));

    // Somebody changes a row.
    psql(
        &name,
        "UPDATE c8y_pki.certificate_row SET location = 'elsewhere' WHERE folded_id = 'gw-009'",
    );
    let said = cli.run("registry check").expect(1).stdout;
    assert!(said.contains("(gw-009) was changed after it was recorded"), "{said}");
    let refused = cli.run("registry migrate --to moved.sqlite").expect(1).stdout;
    assert!(refused.contains("stays in"), "{refused}");
    std::fs::remove_file(cli.path("pki/moved.sqlite")).expect("the copy");
    psql(
        &name,
        "UPDATE c8y_pki.certificate_row SET location = replace((SELECT location FROM c8y_pki.certificate_row
             WHERE folded_id = 'gw-010'), 'gw-010', 'gw-009') WHERE folded_id = 'gw-009'",
    );

    // Into a file, which goes on with the same log, and to another database.
    let moved = cli.run("registry migrate --to moved.sqlite --json").expect(0).json();
    assert_eq!((&moved["certificates"], &moved["head"]), (&103.into(), &head.into()));
    let file = cli.path("pki/moved.sqlite").display().to_string();
    let said = sqlite.output(&[&file, SQLITE_LOG]);
    let log = String::from_utf8_lossy(&said.stdout).into_owned();
    let head = recomputed(&cli, &python, &log);
    let checked = cli.run("registry check --json").expect(0).json();
    assert_eq!(head, format!("{} {}", count + 1, checked["head"].as_str().expect("a hash")));
    cli.ok(&format!("device issue more-1 --ca line --out out --key-type ec-p256 {CA_PW_FILE}"));
    let (other, there) = database().expect("a database");
    cli.ok(&format!("registry migrate --to {there}"));
    cli.ok(&format!("device issue more-2 --ca line --out out --key-type ec-p256 {CA_PW_FILE}"));
    assert_eq!(cli.run("registry check --json").expect(0).json()["certificates"], 105);
    recomputed(&cli, &python, &psql(&other, LOG));

    // The first database is not written to any more.
    cli.write("pki/pki.toml", toml);
    let said = cli.fails(2, "device list");
    assert!(said.contains("was taken to"), "{said}");
}

const CA_PW_FILE: &str = "--ca-password-file pw";

/// A backup is the same whatever the registry is in: it is restored into a file, and taken to a database from there.
#[test]
fn a_backup_of_a_database_is_restored_into_a_file_and_goes_back() {
    let (Some((_, address)), Some(sqlite), Some((_, empty))) =
        (database(), tool("sqlite3"), database())
    else {
        return;
    };
    let cli = on_server(&address);
    cli.ok(&format!("device issue gw-1 gw-2 --ca line --out out --key-type ec-p256 {CA_PW_FILE}"));
    let made = cli.run("registry backup b --with-keys --json").expect(0).json();
    let held = sqlite.output(&[&cli.arg("b/registry.sqlite"), "SELECT count(*) FROM certificate"]);
    assert_eq!(String::from_utf8_lossy(&held.stdout).trim(), "4", "{made}");
    assert!(!cli.text("b/pki.toml").contains("postgres"), "{}", cli.text("b/pki.toml"));

    let refused = cli.fails(2, "registry restore b --yes");
    assert!(refused.contains("in a database") && refused.contains("registry migrate"), "{refused}");
    cli.ok("--pki new registry restore b");
    assert_eq!(cli.run("--pki new registry check --json").expect(0).json()["certificates"], 4);
    cli.ok(&format!("--pki new registry migrate --to {empty}"));
    cli.ok(&format!("--pki new device renew gw-1 --out out {CA_PW_FILE}"));
    assert_eq!(cli.run("--pki new registry check --json").expect(0).json()["certificates"], 5);
    // What was issued since the backup is not known there: the lists tell.
    assert_eq!(cli.run("device list --json").expect(0).json_lines().len(), 2);
}

#[test]
fn a_server_that_is_not_there_is_said_and_nothing_is_made() {
    let cli = Cli::new();
    let dir = cli.path("nowhere").display().to_string();
    let address = format!("postgres:///pki?host={dir}&user=x");
    let said = cli.fails(3, &format!("ca init root --subject CN=Root --registry {address} {CA}"));
    assert!(said.contains("cannot be reached"), "{said}");
    assert!(!cli.path("pki").exists());
    let with_password = "postgres://x:secret@db/pki";
    let said =
        cli.fails(2, &format!("ca init root --subject CN=Root --registry {with_password} {CA}"));
    assert!(said.contains("holds a password") && !said.contains("secret"), "{said}");
}

/// Over a network: each way to check the server comes to the same end as with psql.
#[test]
fn over_a_network_the_server_is_judged_as_psql_judges_it() {
    let Some(mut cluster) = Cluster::start() else { return };
    const SECRET: &str = "Tk-93-not-told";
    let made = Cli::with_cas();
    made.ok(&format!("server issue db --ca line --san DNS:localhost --out servers {CA_PW_FILE}"));
    let port =
        cluster.run_over_tls(&made.read("servers/db/chain.pem"), &made.read("servers/db/key.pem"));
    cluster
        .psql("postgres", &format!("CREATE ROLE pki LOGIN PASSWORD '{SECRET}'"))
        .expect("a role");
    let (root, other) = (made.arg("pki/ca/root/cert.pem"), made.arg("servers/other.pem"));
    made.ok(&format!("--pki other ca init root --subject CN=Other {CA}"));
    std::fs::copy(made.path("other/ca/root/cert.pem"), made.path("servers/other.pem"))
        .expect("copy");

    // The exit code: 0, 2 where the server says no or a file is missing, 3 where there is no connection.
    let cases = [
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}"), SECRET, 0, None),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={root}"), SECRET, 3, None),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={root}"), SECRET, 0, None),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), SECRET, 3, None),
        ("localhost", format!("sslmode=require&sslrootcert={other}"), SECRET, 3, None),
        ("localhost", "sslmode=require".to_owned(), SECRET, 0, None),
        ("localhost", "sslmode=verify-full".to_owned(), SECRET, 2, None),
        ("localhost", "sslmode=verify-ca".to_owned(), SECRET, 2, None),
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}.not"), SECRET, 2, None),
        ("localhost", "sslmode=disable".to_owned(), SECRET, 2, None),
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}"), "wrong-1234", 2, None),
        // With roots in ~/.postgresql/root.crt.
        ("localhost", "sslmode=verify-full".to_owned(), SECRET, 0, Some(&root)),
        ("localhost", "sslmode=verify-full".to_owned(), SECRET, 3, Some(&other)),
        ("localhost", "sslmode=require".to_owned(), SECRET, 0, Some(&root)),
        ("localhost", "sslmode=require".to_owned(), SECRET, 3, Some(&other)),
    ];
    for (host, options, password, code, in_home) in cases {
        let name = cluster.database();
        cluster.psql("postgres", &format!("ALTER DATABASE {name} OWNER TO pki")).expect("an owner");
        let address = format!("postgresql://pki@{host}:{port}/{name}?{options}");
        let wanted = code == 0;
        let cli = Cli::new();
        if let Some(roots) = in_home {
            cli.write(".postgresql/root.crt", std::fs::read(roots).expect("roots"));
        }
        let home = cli.path("").display().to_string();
        let as_psql = cluster.psql_connects(&address, password, &cli.path(""));
        assert_eq!(as_psql, wanted, "psql: {address}");
        let line = format!("ca init root --subject CN=Root --registry {address} {CA}");
        let said = cli.run_with(&line, &[("PGPASSWORD", password), ("HOME", &home)], b"");
        assert_eq!(said.code, code, "{address}: {said:?}");
        assert!(!said.stderr.contains(password), "{said:?}");
        assert_eq!(cli.path("pki/pki.toml").exists(), wanted, "{address}");
        if wanted {
            assert!(
                cli.text("pki/pki.toml").contains(&address)
                    && !cli.text("pki/pki.toml").contains(SECRET)
            );
        }
    }
}

/// A run that goes on while another process takes the registry away ends with the way to it, and the same command makes
/// the rest there.
#[test]
fn a_run_beside_a_migration_loses_nothing() {
    let (Some((name, address)), Some(sqlite)) = (database(), tool("sqlite3")) else { return };
    const DEVICES: usize = 1_500;
    let cli = Cli::new();
    cli.ok(&format!("ca init root --subject CN=Root {CA}"));
    cli.ok(&format!("ca add line --parent root --subject CN=Line {CA}"));
    let rows: String = (0..DEVICES).map(|n| format!("gw-{n}\n")).collect();
    cli.write("list.csv", format!("id\n{rows}"));
    let issue =
        format!("device issue --from list.csv --ca line --out out --key-type ec-p256 {CA_PW_FILE}");
    let run = cli.command(&issue).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let run = run.expect("the program");
    let recorded = "SELECT count(*) FROM certificate WHERE role = 'device'";
    let former = || {
        let said = sqlite.output(&[&cli.arg("pki/registry.sqlite"), recorded]);
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    while former() == "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    cli.ok(&format!("registry migrate --to {address}"));
    let ended = run.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("was taken to {address}")), "{said}");
    assert!(said.contains(&format!("registry = \"{address}\"")), "{said}");

    let there = "SELECT count(*) FROM c8y_pki.certificate WHERE role = 'device'";
    assert_eq!(psql(&name, there), former());
    cli.ok(&issue);
    assert_eq!(psql(&name, there), DEVICES.to_string());
    assert_eq!(cli.run("registry check --json").expect(0).json()["good"], true);
}

/// pki.toml is the user's: only the place of the registry changes in it, however it is written.
#[test]
fn only_the_place_of_the_registry_changes_in_pki_toml() {
    let Some(python) = tool("python3") else { return };
    let cli = Cli::new();
    cli.ok(&format!("ca init root --subject CN=Root {CA}"));
    let spellings = [
        "  \"registry\"='PLACE' # registry = \"elsewhere\"",
        "'registry' =\t\"\"\"PLACE\"\"\"",
        "registry=\"\\u0050LACE\" # ours",
    ];
    let mut place = "registry.sqlite".to_owned();
    for (number, line) in spellings.iter().enumerate() {
        let next = format!("next-{number}.sqlite");
        // The first letter of the third is an escape.
        let written = match line.contains("\\u0050LACE") {
            true => {
                line.replace("\\u0050LACE", &format!("\\u{:04x}{}", u32::from('n'), &place[1..]))
            }
            false => line.replace("PLACE", &place),
        };
        let toml =
            |line: &str| format!("# Ours.\r\nversion = 1 # the form\n\n{line}\n\n# The end.");
        cli.write("pki/pki.toml", toml(&written));
        cli.ok(&format!("registry migrate --to {next}"));
        let read = "import sys,tomllib; print(tomllib.load(open(sys.argv[1],'rb'))['registry'])";
        let said = python.output(&["-c", read, &cli.arg("pki/pki.toml")]);
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), next);
        let (text, before) = (cli.text("pki/pki.toml"), toml(&written));
        let (head, tail) = before.split_once(written.as_str()).expect("the line");
        assert!(text.starts_with(head) && text.ends_with(tail), "{text}");
        let comment = written.split_once(" #").map_or("", |(_, comment)| comment);
        assert!(text.contains(comment), "{text}");
        cli.ok("device list");
        place = next;
    }
}

/// However a password gets into an address, it is told nowhere.
#[test]
fn a_password_in_an_address_is_told_nowhere() {
    let addresses = [
        "postgres://u:geheim@db/p",
        "postgres://u:ge%68eim@db/p",
        "postgres://db/p?password=geheim",
        "postgres://db/p?sslmode=require&%70assword=geheim",
        "postgres://db/p?sslpassword=geheim",
        "postgres://db/p?password%3Dgeheim",
        "postgres://db/p?geheim",
        "postgres://u:x/geheim@db/p",
        "postgres://u:x?geheim@db/p",
        "postgres://u:x@geheim@db/p",
        "postgres://u:geheim",
        "postgres://u:geheim@db:x/p",
        "Postgres://u:geheim@db/p",
        "postgre://u:geheim@db/p",
        "host=db password=geheim",
        "postgres://u:geheim@db/p\" # not closed",
    ];
    let made = Cli::new();
    made.ok(&format!("ca init root --subject CN=Root {CA}"));
    let toml = made.text("pki/pki.toml");
    let init = format!("--pki new ca init root --subject CN=Root {CA} --registry");
    let variable = [("PGSSLMODE", "disable")];
    for address in addresses {
        for options in ["", "-vv ", "--json "] {
            let as_option = |line: &str| {
                let mut command = made.command(&format!("{options}{line}"));
                command.arg(address.replace('"', "")).envs(variable);
                command.stdin(Stdio::null()).output().expect("the program")
            };
            let mut said = vec![as_option(&init), as_option("registry migrate --to")];
            made.write("pki/pki.toml", toml.replace("registry.sqlite", address));
            for line in ["device list", "status", "ca list"] {
                said.push(made.command(&format!("{options}{line}")).output().expect("the program"));
            }
            let again = format!("{options}ca init other --subject CN=Other {CA} --registry");
            let mut other = made.command(&again);
            said.push(other.arg("postgres://db/other").output().expect("the program"));
            made.write("pki/pki.toml", &toml);
            for said in said {
                assert_ne!(said.status.code(), Some(0), "{address}: {said:?}");
                for text in [&said.stdout, &said.stderr] {
                    let text = String::from_utf8_lossy(text).into_owned();
                    assert!(
                        !text.contains("geheim") && !text.contains("ge%68eim"),
                        "{address}: {text}"
                    );
                }
            }
        }
    }
    let made: Vec<String> = made.names("pki");
    assert!(made.iter().all(|name| !name.contains("geheim")), "{made:?}");
}

/// The statements that are printed let a station work and an auditor read, and neither do more.
#[test]
fn a_station_and_an_auditor_do_what_their_roles_say() {
    let Some((name, address)) = database() else { return };
    let cli = on_server(&address);
    let roles = cli.ok("registry roles");
    let users = format!(
        "CREATE ROLE station_{name} LOGIN IN ROLE c8y_pki_station;
         CREATE ROLE auditor_{name} LOGIN IN ROLE c8y_pki_auditor"
    );
    // A second time changes nothing.
    for sql in [&roles, &roles, &users] {
        psql(&name, sql);
    }
    let toml = cli.text("pki/pki.toml");
    let work_as = |user: &str| {
        let user = format!("user={user}_{name}");
        cli.write("pki/pki.toml", toml.replace("user=owner", &user));
    };
    let issue =
        |id: &str| format!("device issue {id} --ca line --out out --key-type ec-p256 {CA_PW_FILE}");
    work_as("station");
    cli.ok(&issue("gw-1"));
    cli.ok(&format!("device renew gw-1 --out out {CA_PW_FILE}"));
    cli.ok("device revoke gw-1 --reason keyCompromise --yes");
    cli.ok("ca crl line --ca-password-file pw --out line.crl");
    assert_eq!(cli.run("registry check --json").expect(0).json()["good"], true);
    cli.ok(&format!("ca add other --parent root --subject CN=Other {CA}"));
    cli.write("list.csv", "id\ngw-9\n");
    for line in [
        "registry migrate --to away.sqlite",
        "order create acme --from list.csv --ca line",
        "ca rename line line-7",
    ] {
        let said = cli.fails(2, line);
        assert!(said.contains("may not do that"), "{line}: {said}");
    }

    work_as("auditor");
    assert_eq!(cli.run("registry check --json").expect(0).json()["certificates"], 5);
    let said = cli.fails(2, &issue("gw-2"));
    assert!(said.contains("may not do that"), "{said}");
    let count = "SELECT count(*) FROM c8y_pki.certificate WHERE role = 'device'";
    assert_eq!(psql(&name, count), "2");

    work_as("station");
    cli.ok(&format!("{} --operator Ada --station line-7", issue("gw-3")));
    let who =
        "SELECT detail::json ->> 'operator', detail::json ->> 'station', detail::json ->> 'db_user'
         FROM c8y_pki.audit ORDER BY sequence DESC LIMIT 1";
    assert_eq!(psql(&name, who), format!("Ada|line-7|station_{name}"));
    assert_eq!(cli.run("registry check --json").expect(0).json()["good"], true);
}

/// In a file too: the person and the station that are given by variables, else this computer.
#[test]
fn the_audit_log_says_who_has_done_what() {
    let cli = Cli::with_cas();
    let issue = |id: &str| format!("device issue {id} --ca line --out out {CA_PW_FILE}");
    let last = || {
        let rows = cli.ok("registry export --what audit --format jsonl");
        let last = rows.lines().last().expect("a row");
        serde_json::from_str::<serde_json::Value>(last).expect("JSON")["detail"].clone()
    };
    let variables = [("C8Y_PKI_OPERATOR", "Grace Hopper"), ("C8Y_PKI_STATION", "line-8")];
    cli.run_with(&issue("gw-1"), &variables, b"").expect(0);
    let detail = last();
    assert_eq!(
        (&detail["operator"], &detail["station"]),
        (&"Grace Hopper".into(), &"line-8".into())
    );
    cli.ok(&issue("gw-2"));
    let detail = last();
    let computer = std::fs::read_to_string("/proc/sys/kernel/hostname");
    assert!(detail["operator"].is_null(), "{detail}");
    if let Ok(computer) = computer {
        assert_eq!(detail["station"], computer.trim());
    }
    assert!(
        cli.fails(2, &format!("{} --operator ''", issue("gw-3"))).contains("visible characters")
    );
    assert_eq!(cli.run("registry check --json").expect(0).json()["good"], true);
}

#[test]
fn a_service_on_a_server_knows_its_stations() {
    let (Some((_, address)), Some(curl)) = (database(), tool("curl")) else { return };
    let cli = on_server(&address);
    let Some(openssl) = OpenSsl::at(&cli.path("")) else { return };
    cli.ok("server issue est --ca root --san DNS:localhost --out servers --ca-password-file pw");
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.ok("order create acme --from list.csv --ca line");
    let token =
        cli.ok("serve token add station --role issue --role revoke --role read --order acme");
    cli.write("header", format!("Authorization: Bearer {}\n", token.trim()));
    openssl.run("req -new -config @openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=gw-1 -keyout @a.key -out @a.csr");
    cli.write("a.json", serde_json::json!({ "request": cli.text("a.csr") }).to_string());
    cli.write("why.json", r#"{"reason": "superseded"}"#);

    let line = "serve --ca line --server est --listen 127.0.0.1:0 --ca-password-file pw";
    let mut service = Talking::start(&cli, line, &[]);
    let first: serde_json::Value = serde_json::from_str(&service.hear()).expect("JSON");
    let port = first["address"].as_str().and_then(|at| at.rsplit(':').next()).expect("a port");
    let send = |path: &str, file: &str| {
        let (header, body) = (format!("@{}", cli.arg("header")), format!("@{}", cli.arg(file)));
        let answer = curl.run(&[
            "--silent",
            "--fail-with-body",
            "--max-time",
            "60",
            "--cacert",
            &cli.arg("pki/ca/root/cert.pem"),
            "--header",
            &header,
            "--header",
            "Content-Type: application/json",
            "--data-binary",
            &body,
            &format!("https://localhost:{port}{path}"),
        ]);
        serde_json::from_str::<serde_json::Value>(&answer).expect("JSON")
    };
    let path = "/v1/orders/acme/devices/gw-1";
    let made = send(path, "a.json");
    assert_eq!((&made["is_new"], &send(path, "a.json")["serial"]), (&true.into(), &made["serial"]));
    let revoked = send("/v1/devices/gw-1/revoke", "why.json");
    assert_eq!(revoked["certificates"][0]["status"], "revoked");
    cli.write("bundle.json", r#"{"bundle": "p12", "replace": true}"#);
    let path = "/v1/orders/acme/devices/gw-2";
    let made = send(path, "bundle.json");
    assert_eq!(send(path, "bundle.json")["replaced"], made["serial"]);
    let get = |path: &str| {
        let (root, header) = (cli.arg("pki/ca/root/cert.pem"), format!("@{}", cli.arg("header")));
        let words = ["--silent", "--fail-with-body", "--cacert", &root, "--header", &header];
        let answer =
            curl.run(&[&words[..], &[&format!("https://localhost:{port}{path}")]].concat());
        serde_json::from_str::<serde_json::Value>(&answer).expect("JSON")
    };
    assert_eq!(get(path)["state"], "issued");
    let recent = get("/v1/orders/acme/recent?since=2026-01-01T00:00:00Z");
    assert_eq!((&recent["count"], &recent["last"][0]["id"]), (&1.into(), &"gw-2".into()));
    service.interrupt();
    assert_eq!(service.finish().0, 0);
    let audit = cli.ok("registry export --what audit --json");
    assert_eq!(audit.matches(r#""by":"token station""#).count(), 4, "{audit}");
    cli.ok("registry check");
}
