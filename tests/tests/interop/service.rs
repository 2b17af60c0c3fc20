//! The example `service`: requests that OpenSSL makes, sent by curl, answered with chains that OpenSSL judges.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use c8y_pki_tests::cli::{CA_PW, Cli, example};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::{Tool, tool};

/// The service of a PKI directory; killed when dropped, as by a power cut.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(cli: &Cli) -> Self {
        let mut command = Command::new(example("service"));
        command.args([&cli.arg("pki"), "line", &cli.arg("pw"), "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the service starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its standard output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address =
            line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
        Self { address: address.to_owned(), child }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for a certificate for `id` with the request `<name>.csr`; what comes back goes to `<to>`. Returns the
/// status, 000 if there is no whole answer.
fn ask(curl: &Tool, cli: &Cli, service: &str, (id, name): (&str, &str), to: &str) -> String {
    let (data, to) = (format!("@{}", cli.arg(&format!("{name}.csr"))), cli.arg(to));
    let url = format!("http://{service}/devices/{id}");
    let args = ["-sS", "--noproxy", "*", "--max-time", "60", "--data-binary", &data];
    let output = curl.output(&[&args[..], &["-o", &to, "-w", "%{http_code}", &url]].concat());
    match output.status.success() {
        true => String::from_utf8_lossy(&output.stdout).into_owned(),
        false => "000".to_owned(),
    }
}

fn tools(cli: &Cli) -> Option<(OpenSsl, Tool)> {
    Some((OpenSsl::at(&cli.path("."))?, tool("curl")?))
}

fn assert_valid(openssl: &OpenSsl, name: &str, chain: &str) {
    let said = openssl.run(&format!(
        "verify -x509_strict -purpose sslclient -CAfile @pki/ca/root/cert.pem -untrusted @{chain} @{chain}"
    ));
    assert!(said.trim_end().ends_with(": OK"), "{said}");
    let of_request = openssl.run(&format!("req -in @{name}.csr -noout -pubkey"));
    let of_certificate = openssl.run(&format!("x509 -in @{chain} -noout -pubkey"));
    assert_eq!(of_request, of_certificate);
}

#[test]
fn requests_come_in_over_http_and_valid_chains_go_back() {
    let cli = Cli::with_cas();
    let Some((openssl, curl)) = tools(&cli) else { return };
    let names: Vec<String> = (0..24).map(|number| format!("gw-{number}")).collect();
    names.iter().for_each(|name| openssl.request(name));
    openssl.request("other");
    let service = Service::start(&cli);
    let ask = |id: &str, name: &str, to: &str| ask(&curl, &cli, &service.address, (id, name), to);
    // All at the same time, each twice: one of the two makes it, the other gets the same one.
    thread::scope(|scope| {
        for name in &names {
            let ask = &ask;
            let twice = ["a", "b"]
                .map(|turn| scope.spawn(move || ask(name, name, &format!("{name}.{turn}.pem"))));
            scope.spawn(move || {
                let mut said = twice.map(|turn| turn.join().unwrap());
                said.sort();
                assert_eq!(said, ["200", "201"], "{name}");
            });
        }
    });
    for name in &names {
        assert_eq!(cli.text(&format!("{name}.a.pem")), cli.text(&format!("{name}.b.pem")));
        assert_valid(&openssl, name, &format!("{name}.a.pem"));
    }
    let text = cli.text("gw-0.a.pem");
    assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "the device, its CA and the root");

    // What is refused says why, and is an answer of the service, not its end.
    assert_eq!(ask("gw-0", "other", "said"), "409");
    assert!(cli.text("said").contains("has a live certificate already"), "{}", cli.text("said"));
    assert_eq!(ask("gw-99", "gw-0", "said"), "409");
    assert!(cli.text("said").contains("is that of the device \"gw-0\" too"));
    assert_eq!(ask("a:b", "other", "said"), "422");
    cli.write("broken.csr", cli.text("other.csr").replace("REQUEST", "NOTHING"));
    assert_eq!(ask("gw-98", "broken", "said"), "422");
    cli.write("large.csr", "x".repeat(100_000));
    assert_eq!(ask("gw-98", "large", "said"), "413");
    // Its id is what the address says: the common name of the request does not count.
    assert_eq!(ask("gw-97", "other", "gw-97.pem"), "201");
    assert_valid(&openssl, "other", "gw-97.pem");
    let subject = openssl.run("x509 -in @gw-97.pem -noout -subject");
    assert!(subject.contains("gw-97") && !subject.contains("other"), "{subject}");
    cli.ok("registry check");
}

#[test]
fn the_command_line_works_beside_the_service() {
    let cli = Cli::with_cas();
    let Some((openssl, curl)) = tools(&cli) else { return };
    ["gw-1", "gw-2", "gw-3"].iter().for_each(|name| openssl.request(name));
    let service = Service::start(&cli);
    let ask = |name: &str| ask(&curl, &cli, &service.address, (name, name), "said");
    assert_eq!(ask("gw-1"), "201");
    cli.ok(&format!("device issue gw-2 --ca line --out out {CA_PW}"));
    assert_eq!(ask("gw-2"), "409");
    let said = cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    assert!(!cli.path("out/gw-1").exists(), "{said}");
    // What the operator decides counts at once.
    cli.ok("device revoke gw-1 --reason cessationOfOperation");
    assert_eq!(ask("gw-1"), "422");
    let toml = cli.text("pki/pki.toml") + "\n[policy.line]\nids = [\"SN-*\"]\n";
    cli.write("pki/pki.toml", toml);
    assert_eq!(ask("gw-3"), "422");
    assert!(cli.text("said").contains("does not let it sign"), "{}", cli.text("said"));
    cli.ok("registry check");
}

#[test]
fn what_a_killed_service_has_handed_out_is_recorded() {
    let cli = Cli::with_cas();
    let Some((openssl, curl)) = tools(&cli) else { return };
    let names: Vec<String> = (0..30).map(|number| format!("gw-{number}")).collect();
    names.iter().for_each(|name| openssl.request(name));
    let service = Service::start(&cli);
    let address = service.address.clone();
    let mut service = Some(service);
    let answered: Vec<&String> = thread::scope(|scope| {
        let asked: Vec<_> = names
            .iter()
            .map(|name| {
                let (curl, cli, address) = (&curl, &cli, &address);
                let to = format!("{name}.pem");
                (name, scope.spawn(move || ask(curl, cli, address, (name, name), &to)))
            })
            .collect();
        // In the middle of them: when the first has its answer.
        while !names.iter().any(|name| cli.path(&format!("{name}.pem")).exists()) {
            thread::sleep(std::time::Duration::from_millis(1));
        }
        drop(service.take());
        let whole = |(name, asked): (_, thread::ScopedJoinHandle<'_, String>)| {
            (asked.join().unwrap() == "201").then_some(name)
        };
        asked.into_iter().filter_map(whole).collect()
    });
    assert!(!answered.is_empty());
    let listed = cli.run("device list --json").expect(0).json_lines();
    for name in &answered {
        let serial = openssl.run(&format!("x509 -in @{name}.pem -noout -serial"));
        let serial = serial.trim().strip_prefix("serial=").unwrap().to_lowercase();
        let row = listed.iter().find(|row| row["id"] == name.as_str());
        assert_eq!(row.unwrap_or_else(|| panic!("{name}"))["serial"], serial.as_str());
    }
    cli.ok("registry check");
    // The others ask again, with the same requests.
    let service = Service::start(&cli);
    for name in &names {
        let status = ask(&curl, &cli, &service.address, (name, name), "again.pem");
        assert!(status == "200" || status == "201", "{name}: {status}");
        assert_valid(&openssl, name, "again.pem");
    }
    assert_eq!(cli.run("device list --json").expect(0).json_lines().len(), names.len());
}
