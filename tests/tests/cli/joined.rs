//! Stations that have only a database and the keys that they may use; psql and OpenSSL are the judges.

use std::sync::{Mutex, OnceLock, PoisonError};

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::postgres::Cluster;

static CLUSTER: OnceLock<Option<Mutex<Cluster>>> = OnceLock::new();

const PW: &str = "--ca-password-file pw";
const EC: &str = "--key-type ec-p256";

/// An owner with two CAs in a database, and the station `st` that has joined it under a login of its own.
struct Plant {
    cli: Cli,
    openssl: OpenSsl,
    database: String,
    /// The address of the station.
    station: String,
}

impl Plant {
    fn new() -> Option<Self> {
        let plant = Self::without_station()?;
        plant.cli.ok(&format!("--pki st registry join {}", plant.station));
        Some(plant)
    }

    /// The CA line signs devices GW-*, and has a list of revocations.
    fn without_station() -> Option<Self> {
        let cluster = CLUSTER.get_or_init(|| Cluster::start().map(Mutex::new)).as_ref()?;
        let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
        let database = cluster.database();
        let address = cluster.address(&database);
        let station = cluster.address_as(&format!("line_{database}"), &database);
        drop(cluster);
        let cli = Cli::new();
        let openssl = OpenSsl::at(&cli.path(""))?;
        cli.ok(&format!("ca init root --subject CN=Root --registry {address} {EC} {PW}"));
        cli.open_quickly("pki/ca/root/key.pem");
        cli.ok(&format!("ca add line --parent root --subject CN=Line {EC} {PW}"));
        cli.open_quickly("pki/ca/line/key.pem");
        let plant = Self { cli, openssl, database, station };
        plant.policy("ids = [\"GW-*\"]");
        plant.cli.ok("registry publish");
        plant.cli.ok(&format!("ca crl line {PW}"));
        plant.psql(&plant.cli.ok("registry roles"));
        plant.psql(&format!("CREATE ROLE line_{} LOGIN IN ROLE c8y_pki_station", plant.database));
        Some(plant)
    }

    /// Writes the policy of line into the owner's pki.toml.
    fn policy(&self, table: &str) {
        let text = self.cli.text("pki/pki.toml");
        let above = text.split("\n[policy.line]").next().expect("a text").to_owned();
        self.cli.write("pki/pki.toml", format!("{above}\n[policy.line]\n{table}\n"));
    }

    fn psql_as(&self, user: &str, sql: &str) -> Result<String, String> {
        let cluster = CLUSTER.get().and_then(Option::as_ref).expect("a cluster");
        let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.psql_as(user, &self.database, sql)
    }

    fn psql(&self, sql: &str) -> String {
        self.psql_as("owner", sql).expect("an answer of psql")
    }

    /// Takes the key of a CA from the owner to the station, as a person does.
    fn bring_key(&self, ca: &str, to: &str) {
        let (from, to) = (
            self.cli.path(&format!("pki/ca/{ca}/key.pem")),
            self.cli.path(&format!("{to}/key.pem")),
        );
        std::fs::copy(from, to).expect("a key");
    }

    /// What OpenSSL says of a list of revocations.
    fn crl(&self, file: &str) -> String {
        let verified = format!("crl -in @{file} -noout -crlnumber -CAfile @pki/ca/line/cert.pem");
        self.openssl.run(&verified)
    }

    /// A device that a station has made, as OpenSSL sees it.
    fn is_valid(&self, folder: &str) {
        let said = self.openssl.run(&format!(
            "verify -CAfile @pki/ca/root/cert.pem -untrusted @pki/ca/line/cert.pem @{folder}/cert.pem"
        ));
        assert!(said.contains("OK"), "{said}");
    }

    fn good(&self, pki: &str) {
        let said = self.cli.run(&format!("--pki {pki} registry check --json")).expect(0).json();
        assert_eq!(said["good"], true, "{said}");
    }
}

#[test]
fn a_station_with_a_database_and_one_key_issues_devices() {
    let Some(plant) = Plant::without_station() else { return };
    let cli = &plant.cli;
    let joined = cli.run(&format!("--pki st registry join {} --json", plant.station)).expect(0);
    let joined = joined.json();
    for (at, (ca, subject)) in [("line", "CN=Line"), ("root", "CN=Root")].iter().enumerate() {
        let one = &joined["cas"][at];
        assert_eq!((&one["name"], &one["subject"]), (&(*ca).into(), &(*subject).into()));
        assert_eq!(one["key_here"], false);
        // OpenSSL sees that certificate in the database, and in both directories.
        let chain = plant.psql(&format!("SELECT chain FROM c8y_pki.ca WHERE name = '{ca}'"));
        cli.write("there.pem", chain);
        for file in [
            "there.pem".to_owned(),
            format!("pki/ca/{ca}/cert.pem"),
            format!("st/ca/{ca}/cert.pem"),
        ] {
            let print = plant.openssl.run(&format!("x509 -in @{file} -noout -fingerprint -sha256"));
            let print = print.trim().rsplit('=').next().expect("a print").replace(':', "");
            assert_eq!(print.to_lowercase(), one["sha256"].as_str().expect("a print"), "{file}");
        }
    }
    assert_eq!(cli.text("st/ca/line/policy.toml"), "ids = [\"GW-*\"]\n");
    assert_eq!(plant.crl("st/ca/line/crl.pem").trim(), plant.crl("pki/ca/line/crl.pem").trim());
    let everywhere =
        "SELECT count(*) FROM c8y_pki.ca WHERE chain LIKE '%PRIVATE%' OR policy LIKE '%PRIVATE%'";
    assert_eq!(plant.psql(everywhere), "0");
    let keys: Vec<String> = cli.names("st/ca/line");
    assert_eq!(keys, ["cert.pem", "chain.pem", "crl.pem", "last-list.json", "policy.toml"]);

    // The key that it may use.
    plant.bring_key("line", "st/ca/line");
    cli.ok(&format!("--pki st device issue GW-1 --ca line --out out {EC} {PW}"));
    plant.is_valid("out/GW-1");
    let refused = cli
        .run(&format!("--pki st device issue other --ca line --out out {EC} {PW}"))
        .expect(2)
        .stderr;
    assert!(refused.contains("does not let it sign the device id \"other\""), "{refused}");
    plant.good("st");
    plant.good("pki");
    let who = "SELECT detail::json ->> 'db_user' FROM c8y_pki.audit ORDER BY sequence DESC LIMIT 1";
    assert_eq!(plant.psql(who), format!("line_{}", plant.database));

    // Another CA's key in its place signs nothing.
    plant.bring_key("root", "st/ca/line");
    let refused = cli.run(&format!("--pki st device issue GW-2 --ca line --out out {EC} {PW}"));
    assert_ne!(refused.code, 0, "{refused:?}");
    let refused = format!("{refused:?}");
    assert!(refused.contains("key"), "{refused}");
    assert_eq!(cli.run("device list --json").expect(0).json_lines().len(), 1);
}

#[test]
fn a_station_without_a_key_reports_and_says_that_it_has_none() {
    let Some(plant) = Plant::new() else { return };
    let cli = &plant.cli;
    cli.ok(&format!("device issue GW-1 --ca line --out out {EC} {PW}"));
    let listed = cli.run("--pki st device list --json").expect(0).json_lines();
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &"GW-1".into()));
    let cas = cli.ok("--pki st ca list");
    assert!(cas.contains("EC P-256, not here") && cas.contains("CN=Line"), "{cas}");
    let shown = cli.run("--pki st ca show line --json").expect(0).json();
    assert_eq!((&shown["key_here"], &shown["policy"]["ids"][0]), (&false.into(), &"GW-*".into()));
    plant.good("st");
    cli.run("--pki st status").expect(0);
    cli.ok("--pki st registry export --out all.csv");
    cli.ok("--pki st registry backup saved.tar");

    let before = plant.psql("SELECT count(*) FROM c8y_pki.audit");
    for line in [
        "device issue GW-2 --ca line --out more",
        "device renew GW-1 --out out",
        "ca crl line",
        "ca renew line",
        "ca add lower --parent line --subject CN=Lower",
    ] {
        // No password is asked for: there is no terminal here, and no file is given.
        let refused = cli.fails(2, &format!("--pki st {line}"));
        let ca = if line == "ca renew line" { "root" } else { "line" };
        assert!(
            refused.contains(&format!("the key of the CA {ca} is not here")),
            "{line}: {refused}"
        );
        assert!(refused.contains(&format!("st/ca/{ca}/key.pem, with the mode 0600")), "{refused}");
    }
    assert_eq!(plant.psql("SELECT count(*) FROM c8y_pki.audit"), before);
}

#[test]
fn the_owners_policy_binds_a_station_at_its_next_command() {
    let Some(plant) = Plant::new() else { return };
    let cli = &plant.cli;
    plant.bring_key("line", "st/ca/line");
    let issue =
        |id: &str| cli.run(&format!("--pki st device issue {id} --ca line --out out {EC} {PW}"));
    issue("GW-1").expect(0);

    // A station's own changes do not count.
    cli.write("st/ca/line/policy.toml", "ids = [\"*\"]\n");
    let toml = cli.text("st/pki.toml");
    cli.write("st/pki.toml", format!("{toml}\n[policy.line]\nids = [\"X-*\"]\n"));
    let refused = issue("X-1").expect(2).stderr;
    assert!(refused.contains("[policy.line] in pki.toml does not count"), "{refused}");
    assert!(refused.contains("it signs GW-*"), "{refused}");
    assert_eq!(cli.text("st/ca/line/policy.toml"), "ids = [\"GW-*\"]\n");
    let found = cli.run("--pki st registry check").expect(1).stdout;
    assert!(found.contains("[policy.line] in pki.toml does not count"), "{found}");
    let refused = cli.fails(2, "--pki st registry publish");
    assert!(refused.contains("permission denied"), "{refused}");
    cli.write("st/pki.toml", toml);
    for sql in ["UPDATE ca SET policy = NULL", "UPDATE ca SET chain = ''", "DELETE FROM ca"] {
        let sql = format!("SET search_path = c8y_pki; {sql}");
        let refused = plant.psql_as(&format!("line_{}", plant.database), &sql).expect_err(&sql);
        assert!(refused.contains("permission denied"), "{refused}");
    }

    // The owner's draft counts once it is published: for himself, too.
    cli.write("ids.txt", "# special\nSP-7\n");
    std::fs::rename(cli.path("ids.txt"), cli.path("pki/ids.txt")).expect("a list");
    plant.policy("ids = [\"SN-*\"]\nids_from = \"ids.txt\"");
    let own = cli.run(&format!("device issue SN-1 --ca line --out out {EC} {PW}")).expect(2).stderr;
    assert!(own.contains("does not count") && own.contains("it signs GW-*"), "{own}");
    assert_eq!(issue("GW-2").expect(0).code, 0);
    let said = cli.run("registry publish --json").expect(0).json();
    assert_eq!(said["policies"], serde_json::json!(["line"]));
    assert_eq!(
        cli.run("registry publish --json").expect(0).json()["policies"],
        serde_json::json!([])
    );
    let refused = issue("GW-3").expect(2).stderr;
    assert!(
        refused.contains("the registry has another signing policy of the CA line"),
        "{refused}"
    );
    issue("SP-7").expect(0);
    issue("SN-1").expect(0);
    let kept = plant.psql("SELECT policy FROM c8y_pki.ca WHERE name = 'line'");
    assert_eq!(kept, "ids = [\"SN-*\"]\nexact_ids = [\"SP-7\"]");
    plant.good("st");

    // By another way than a command: the audit log does not tell of it.
    plant.psql("UPDATE c8y_pki.ca SET policy = NULL WHERE name = 'line'");
    let found = cli.run("--pki st registry check").expect(1).stdout;
    assert!(
        found.contains("line: its policy in the database is not that of the audit log"),
        "{found}"
    );
}

/// What OpenSSL's configuration says of a CA that comes from there counts for stations at once.
#[test]
fn the_policy_of_an_openssl_configuration_goes_into_the_database_with_its_ca() {
    let Some(plant) = Plant::new() else { return };
    let cli = &plant.cli;
    plant.openssl.root("own", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let conf = "[ca]\ndefault_ca = d\n[d]\npolicy = p\ndefault_md = sha256\nx509_extensions = e\n[p]\n\
                commonName = supplied\norganizationName = match\n[e]\nbasicConstraints = CA:false\n";
    cli.write("own.cnf", conf);
    let add = "--import own.pem --key own.key --openssl-conf own.cnf";
    cli.ok(&format!("ca add own {add} {PW}"));
    let kept = plant.psql("SELECT policy FROM c8y_pki.ca WHERE name = 'own'");
    assert!(kept.contains("CN = \"supplied\"") && kept.contains("O = \"match\""), "{kept}");
    let policy = cli.run("--pki st ca show own --json").expect(0).json()["policy"].clone();
    assert_eq!(policy["fields"]["O"], "match", "{policy}");
    assert_eq!(cli.run("ca show own --json").expect(0).json()["policy"], policy);
    plant.good("st");
}

#[test]
fn a_list_that_one_station_makes_is_the_others_and_an_older_one_is_never_taken() {
    let Some(plant) = Plant::new() else { return };
    let cli = &plant.cli;
    plant.bring_key("line", "st/ca/line");
    let older = plant.psql("SELECT encode(list, 'hex') FROM c8y_pki.ca WHERE name = 'line'");
    cli.ok(&format!("--pki st device issue GW-1 --ca line --out out {EC} {PW}"));
    cli.ok("--pki st device revoke GW-1 --reason keyCompromise --yes");
    cli.ok(&format!("--pki st ca crl line {PW} --out made.crl"));
    assert!(plant.crl("pki/ca/line/crl.pem").contains("crlNumber=0x01"));

    // The owner's next command.
    let said = cli.run("status").stderr;
    assert!(said.contains("list 2 of the CA line"), "{said}");
    assert!(plant.crl("pki/ca/line/crl.pem").contains("crlNumber=0x02"));
    assert_eq!(cli.text("pki/ca/line/crl.pem"), cli.text("st/ca/line/crl.pem"));
    let text = plant.openssl.run("crl -in @pki/ca/line/crl.pem -noout -text");
    assert!(text.contains("Key Compromise"), "{text}");
    cli.write(
        "there.b64",
        plant.psql("SELECT encode(list, 'base64') FROM c8y_pki.ca WHERE name = 'line'"),
    );
    plant.openssl.run("base64 -d -in @there.b64 -out @there.crl");
    let there = plant.openssl.run("crl -inform DER -in @there.crl -noout -crlnumber -lastupdate");
    assert_eq!(
        there,
        plant.openssl.run("crl -in @pki/ca/line/crl.pem -noout -crlnumber -lastupdate")
    );
    cli.ok(&format!("ca crl line {PW}"));
    assert!(plant.crl("pki/ca/line/crl.pem").contains("crlNumber=0x03"));

    // A file that is lost comes back; an older list, and what is none, does not come.
    std::fs::remove_file(cli.path("pki/ca/line/crl.pem")).expect("a list");
    cli.run("status");
    assert!(plant.crl("pki/ca/line/crl.pem").contains("crlNumber=0x03"));
    let put = |number: u32, list: &str| {
        plant.psql(&format!(
            "UPDATE c8y_pki.ca SET list = '\\x{list}', list_number = {number} WHERE name = 'line'"
        ));
    };
    put(1, &older);
    cli.run("status");
    assert!(plant.crl("pki/ca/line/crl.pem").contains("crlNumber=0x03"));
    // The next command that writes puts it right.
    cli.ok(&format!("device issue GW-5 --ca line --out out {EC} {PW}"));
    assert_eq!(plant.psql("SELECT list_number FROM c8y_pki.ca WHERE name = 'line'"), "3");
    plant.good("st");
    for (number, list) in [(9, "00"), (9, older.as_str())] {
        put(number, list);
        let said = cli.run("status").stderr;
        assert!(said.contains("list 9 of the registry is not taken"), "{said}");
        let found = cli.run("registry check").expect(1).stdout;
        assert!(found.contains("list"), "{found}");
    }
    assert!(plant.crl("pki/ca/line/crl.pem").contains("crlNumber=0x03"));
}

#[test]
fn cas_that_are_renewed_renamed_and_added_elsewhere_come_to_a_station() {
    let Some(plant) = Plant::new() else { return };
    let cli = &plant.cli;
    plant.bring_key("line", "st/ca/line");
    cli.ok(&format!("--pki st device issue GW-1 --ca line --out out {EC} {PW}"));

    // The root is renewed: what stands above line changes, too.
    cli.ok(&format!("ca renew root {PW}"));
    cli.ok(&format!("ca renew line {PW}"));
    let said = cli.run("--pki st ca list").expect(0).stderr;
    assert!(said.contains("newer certificates of the CA root"), "{said}");
    for file in ["root/cert.pem", "root/chain.pem", "line/cert.pem", "line/chain.pem"] {
        assert_eq!(
            cli.text(&format!("st/ca/{file}")),
            cli.text(&format!("pki/ca/{file}")),
            "{file}"
        );
    }
    assert!(cli.names("st/ca/line").iter().any(|name| name.starts_with("former-")));
    cli.ok(&format!("--pki st device issue GW-2 --ca line --out out {EC} {PW}"));
    plant.is_valid("out/GW-2");

    // A station does not renew one: all of that is taken back.
    plant.bring_key("root", "st/ca/root");
    let before = plant.psql("SELECT count(*), max(sequence) FROM c8y_pki.audit");
    let refused = cli.fails(2, &format!("--pki st ca renew line {PW}"));
    assert!(refused.contains("permission denied"), "{refused}");
    assert_eq!(plant.psql("SELECT count(*), max(sequence) FROM c8y_pki.audit"), before);
    assert_eq!(cli.text("st/ca/line/cert.pem"), cli.text("pki/ca/line/cert.pem"));
    plant.good("st");

    // It adds one, and the owner gives names.
    cli.ok(&format!("--pki st ca add press --parent line --subject CN=Press {EC} {PW}"));
    let said = cli.run("ca list").expect(0);
    assert!(said.stdout.contains("CN=Press") && said.stderr.contains("new CA, press"), "{said:?}");
    cli.ok("ca rename line line-7");
    cli.ok("ca rename press line");
    let said = cli.run("--pki st ca list").expect(0).stderr;
    assert!(said.contains("the CA line is called line-7"), "{said}");
    assert!(said.contains("the CA press is called line in"), "{said}");
    assert_eq!(cli.text("st/ca/line-7/cert.pem"), cli.text("pki/ca/line-7/cert.pem"));
    assert_eq!(cli.text("st/ca/line/cert.pem"), cli.text("pki/ca/line/cert.pem"));
    assert!(cli.path("st/ca/line-7/key.pem").exists() && cli.path("st/ca/line/key.pem").exists());
    cli.ok(&format!("--pki st device issue GW-3 --ca line-7 --out out {EC} {PW}"));
    cli.ok(&format!("--pki st ca crl line-7 {PW}"));
    plant.good("st");
    plant.good("pki");
}

#[test]
fn a_database_that_somebody_has_changed_puts_no_other_ca_in_place_of_one_that_is_trusted() {
    let Some(plant) = Plant::new() else { return };
    let cli = &plant.cli;
    let trusted = cli.snapshot("st/ca");
    // Others of the same names.
    cli.ok(&format!("--pki evil ca init root --subject CN=Root {EC} {PW}"));
    cli.ok(&format!("--pki evil ca add line --parent root --subject CN=Line {EC} {PW}"));
    let put = |ca: &str, chain: &str| {
        plant.psql(&format!("UPDATE c8y_pki.ca SET chain = '{chain}' WHERE name = '{ca}'"));
    };
    let right = cli.text("pki/ca/line/chain.pem");
    for (chain, words) in [
        (cli.text("evil/ca/line/chain.pem"), "is not recorded"),
        (
            format!("{}{}", cli.text("pki/ca/line/cert.pem"), cli.text("evil/ca/root/cert.pem")),
            "was not signed",
        ),
        ("none".to_owned(), "cannot be used"),
        (cli.text("pki/ca/root/chain.pem"), "another key for CN=Line"),
    ] {
        put("line", &chain);
        for command in ["ca list", "registry check", "device list"] {
            let refused = cli.run(&format!("--pki st {command}")).expect(1);
            assert!(format!("{refused:?}").contains(words), "{words}: {refused:?}");
        }
        assert_eq!(cli.snapshot("st/ca"), trusted);
    }
    put("line", &right);
    plant.good("st");
    // A new directory takes none of them either.
    put("line", &cli.text("evil/ca/line/chain.pem"));
    let refused = cli.fails(1, &format!("--pki new registry join {}", plant.station));
    assert!(refused.contains("is not recorded"), "{refused}");
}

#[test]
fn policies_go_with_a_registry_into_a_file_and_into_a_backup() {
    let Some(plant) = Plant::new() else { return };
    let cli = &plant.cli;
    // The station has no table in its pki.toml.
    cli.ok("--pki st registry backup saved.tar");
    cli.ok("--pki restored registry restore saved.tar");
    assert!(cli.text("restored/pki.toml").contains("[policy.line]\nids = [\"GW-*\"]"));
    let shown = cli.run("--pki restored ca show line --json").expect(0).json();
    assert_eq!(shown["policy"]["ids"], serde_json::json!(["GW-*"]));
    plant.bring_key("line", "restored/ca/line");
    let refused = cli
        .run(&format!("--pki restored device issue x --ca line --out o {EC} {PW}"))
        .expect(2)
        .stderr;
    assert!(refused.contains("it signs GW-*"), "{refused}");

    // The owner's draft, which was not published, does not count there either.
    plant.policy("ids = [\"*\"]");
    cli.ok("registry migrate --to file.sqlite");
    assert!(cli.text("pki/pki.toml").contains("[policy.line]\nids = [\"GW-*\"]"));
    assert!(!cli.path("pki/ca/line/policy.toml").exists());
    let refused = cli.run(&format!("device issue x --ca line --out o {EC} {PW}")).expect(2).stderr;
    assert!(refused.contains("it signs GW-*"), "{refused}");
    plant.policy("ids = [\"Y-*\"]");
    cli.ok(&format!("device issue Y-1 --ca line --out o {EC} {PW}"));
    let refused = cli.fails(2, "registry publish");
    assert!(refused.contains("the registry is a file"), "{refused}");

    // And to another database: its stations get all of it.
    let cluster = CLUSTER.get().and_then(Option::as_ref).expect("a cluster");
    let address = {
        let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.address(&cluster.database())
    };
    let refused = cli.fails(2, &format!("--pki next registry join {address}"));
    assert!(refused.contains("registry"), "{refused}");
    assert!(!cli.path("next").exists());
    cli.ok(&format!("registry migrate --to {address}"));
    cli.ok(&format!("--pki next registry join {address}"));
    assert_eq!(cli.text("next/ca/line/policy.toml"), "ids = [\"Y-*\"]\n");
    assert_eq!(cli.text("next/ca/line/crl.pem"), cli.text("pki/ca/line/crl.pem"));
    plant.good("next");
}
