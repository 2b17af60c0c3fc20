//! What servers say to chains and lists that break one rule each. docs/how-to/check-a-chain.md has the tables
//! that are measured here; tests/python/duties.py makes the inputs byte by byte.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::{Tool, arg, java_dir, python_dir, python_with, tool};

/// Cases without lists, and what is found in them.
const CHAINS: [(&str, &str); 33] = [
    ("good", "nothing"),
    ("constraints-not-critical", "basic constraints of a CA are not critical"),
    ("names-not-critical", "name constraints of a CA are not critical"),
    ("usage-not-critical", "key usage of a CA is not critical (RFC 5280 only recommends it)"),
    ("authority-key-missing", "no authority key identifier"),
    ("subject-key-missing", "a CA without subject key identifier"),
    ("version-1", "the device's certificate is of version 1"),
    ("serial-negative", "a negative serial number"),
    ("serial-zero", "the serial number 0"),
    ("serial-long", "a serial number of 21 bytes"),
    ("ecdsa-null", "NULL parameters beside ecdsa-with-SHA256"),
    ("pss-usual", "RSA-PSS with a salt as long as the hash"),
    ("pss-20", "RSA-PSS with SHA-256 and a salt of 20 bytes"),
    ("pss-none", "RSA-PSS with SHA-256 and no salt"),
    ("pss-longest", "RSA-PSS with SHA-256 and the longest salt"),
    ("key-id-of-another", "authority key identifier of another key, below an intermediate"),
    ("key-id-of-another-trusted", "the same, directly below the trusted CA"),
    (
        "serial-of-another",
        "authority key identifier with another serial number, below an intermediate",
    ),
    ("serial-of-another-trusted", "the same, directly below the trusted CA"),
    ("issuer-of-another", "authority key identifier with another issuer, below an intermediate"),
    ("outside-of-names", "a subject outside of a CA's name constraints"),
    ("ca-for-servers", "a CA's extended key usage without clientAuth"),
    ("device-for-servers", "the device's extended key usage without clientAuth"),
    ("sha-1", "a signature with SHA-1"),
    ("rsa-1024", "a CA with an RSA key of 1024 bits"),
    ("ca-without-subject", "a CA without a subject"),
    ("no-cert-sign", "a CA's key usage without keyCertSign"),
    ("no-ca", "an issuer with CA:FALSE"),
    ("no-constraints", "an issuer without basic constraints"),
    ("path-length", "more CAs below a CA than its path length allows"),
    ("expired", "the device's certificate has expired"),
    ("ca-expired", "the certificate of a CA has expired"),
    ("unknown-critical", "an unknown critical extension"),
];

/// Cases with lists, and what the lists are.
const LISTS: [(&str, &str); 24] = [
    ("list-good", "a list without the certificate"),
    ("list-revoked", "a list with the certificate"),
    ("list-without-next", "a list without nextUpdate"),
    ("list-without-next-revoked", "a list without nextUpdate, with the certificate"),
    ("list-without-number", "a list without a number"),
    ("list-ecdsa-null", "a list with NULL parameters beside ecdsa-with-SHA256"),
    ("list-of-point", "a list of the certificate's distribution point"),
    (
        "list-of-point-revoked",
        "a list of the certificate's distribution point, with the certificate",
    ),
    ("list-of-other-point", "a list of another distribution point"),
    ("list-for-users", "a list for certificates that are not of CAs"),
    ("root-list-for-users", "a list of the intermediate, and one of the root that is not for CAs"),
    ("list-for-cas", "a list for certificates of CAs"),
    ("lists-for-all-reasons", "two lists, which are for all reasons together"),
    ("list-for-some-reasons", "a list for some reasons"),
    ("list-indirect", "an indirect list of the certificate's cRLIssuer"),
    (
        "list-indirect-revoked",
        "an indirect list of the certificate's cRLIssuer, with the certificate",
    ),
    ("list-of-maker-not-indirect", "a list of the certificate's cRLIssuer that is not indirect"),
    ("delta", "a list and a delta list"),
    ("delta-revoked", "a list and a delta list with the certificate"),
    ("delta-ends-hold", "a list with the certificate on hold, a delta list takes it out"),
    ("delta-of-later-base", "a list and a delta list that changes a later one"),
    ("list-of-other-key", "a list by another key of the CA, whose certificate is given"),
    ("list-of-other-key-revoked", "a list by another key of the CA, with the certificate"),
    ("list-of-other-key-without-sign", "a list by another key of the CA without cRLSign"),
];

/// Where our answer is not that of OpenSSL and Java together (for chains), or of OpenSSL (for lists).
const DEPARTURES: [(&str, &str); 2] = [
    (
        "delta-of-later-base",
        "a delta list that cannot be applied may know more; OpenSSL passes it over",
    ),
    (
        "root-list-for-users",
        "the CA is looked up too, as its issuer's lists are there; OpenSSL's -crl_check is about the device",
    ),
];

/// The programs that judge.
struct Judges {
    openssl: Tool,
    certtool: Tool,
    java: Tool,
}

/// What all say to a case.
#[derive(Debug)]
struct Said {
    ours: &'static str,
    strict: &'static str,
    openssl: bool,
    java: bool,
    gnutls: bool,
}

impl Judges {
    fn found() -> Option<Self> {
        tool("javac")?;
        Some(Self { openssl: tool("openssl")?, certtool: tool("certtool")?, java: tool("java")? })
    }

    /// Their versions, as far as the tables name them.
    fn are_those_of_the_tables(&self) -> bool {
        let said = |tool: &Tool, line: &[&str]| {
            let output = tool.output(line);
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        said(&self.openssl, &["version"]).starts_with("OpenSSL 3.0")
            && said(&self.certtool, &["--version"]).starts_with("certtool 3.7")
            && said(&self.java, &["-version"]).contains("version \"17.")
    }

    fn openssl(&self, case: &Path) -> bool {
        let file = |name: &str| arg(&case.join(name)).to_owned();
        let [root, above, leaf, lists] =
            ["root.pem", "above.pem", "leaf.pem", "lists.pem"].map(file);
        let mut line = vec!["verify", "-purpose", "sslclient", "-auth_level", "2"];
        line.extend(["-CAfile", &root, "-untrusted", &above]);
        if case.join("lists.pem").is_file() {
            line.extend(["-crl_check", "-extended_crl", "-use_deltas", "-CRLfile", &lists]);
        }
        line.push(&leaf);
        // It tells some errors of a list's signer and goes on: its status does not show them.
        let output = self.openssl.output(&line);
        output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("error ")
    }

    fn gnutls(&self, case: &Path) -> bool {
        let file = |name: &str| arg(&case.join(name)).to_owned();
        let [root, chain, lists] = ["root.pem", "chain.pem", "lists.pem"].map(file);
        let mut line = vec!["--verify", "--verify-purpose", "1.3.6.1.5.5.7.3.2"];
        line.extend(["--load-ca-certificate", &root, "--infile", &chain]);
        if case.join("lists.pem").is_file() {
            line.extend(["--load-crl", &lists]);
        }
        let said = self.certtool.output(&line).stdout;
        let said = String::from_utf8_lossy(&said);
        said.contains("Chain verification output: Verified. The certificate is trusted.")
    }

    /// Java is started once for all.
    fn java(&self, cases: &[&Path]) -> Vec<bool> {
        let mut command = Command::new(self.java.path());
        command.arg(java_dir().join("ChainJudge.java"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = String::new();
        for case in cases {
            let lists = case.join("lists.pem");
            let lists = if lists.is_file() { arg(&lists).to_owned() } else { "-".to_owned() };
            let [root, chain, above] =
                ["root.pem", "chain.pem", "above.pem"].map(|n| arg(&case.join(n)).to_owned());
            writeln!(lines, "{root}\t{chain}\t{above}\t{lists}").unwrap();
        }
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<bool> = said.lines().map(|line| line == "accepted").collect();
        assert_eq!(answers.len(), cases.len(), "{said}");
        answers
    }
}

/// What the command line says.
fn ours(cli: &Cli, case: &str, strict: &str) -> &'static str {
    let lists = match cli.path(&format!("cases/{case}/lists.pem")).is_file() {
        true => format!("--crl cases/{case}/lists.pem"),
        false => String::new(),
    };
    let verify = format!("cert verify --trust cases/{case}/root.pem cases/{case}/chain.pem");
    let outcome =
        cli.run(&format!("{verify} --untrusted cases/{case}/above.pem {lists} {strict} --json"));
    let json = outcome.json();
    let warnings = json["warnings"].as_array().unwrap();
    match (json["valid"].as_bool().unwrap(), warnings.is_empty()) {
        (true, true) => "accepted",
        // What is only recommended is in the JSON alone.
        (true, false) if warnings.iter().all(|w| w["rule"] == "key-usage-not-critical") => {
            "accepted"
        }
        (true, false) => "warning",
        (false, _) => "refused",
    }
}

fn measured(rows: &[(&str, &str)]) -> Option<(Judges, Vec<Said>)> {
    let python = python_with("cryptography")?;
    let judges = Judges::found()?;
    let cli = Cli::new();
    python.run(&[arg(&python_dir().join("duties.py")), &cli.arg("cases")]);
    let paths: Vec<_> = rows.iter().map(|(case, _)| cli.path(&format!("cases/{case}"))).collect();
    let java = judges.java(&paths.iter().map(|path| path.as_path()).collect::<Vec<_>>());
    let said = rows.iter().zip(&paths).zip(java).map(|(((case, _), path), java)| Said {
        ours: ours(&cli, case, ""),
        strict: ours(&cli, case, "--strict"),
        openssl: judges.openssl(path),
        java,
        gnutls: judges.gnutls(path),
    });
    let said = said.collect();
    Some((judges, said))
}

fn table(first: &str, rows: &[(&str, &str)], said: &[Said]) -> String {
    let word = |accepted: bool| if accepted { "accepted" } else { "refused" };
    let mut out =
        format!("| {first} | c8y-pki | `--strict` | OpenSSL 3.0 | Java 17 | GnuTLS 3.7 |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for ((_, words), s) in rows.iter().zip(said) {
        let [openssl, java, gnutls] = [s.openssl, s.java, s.gnutls].map(word);
        writeln!(out, "| {words} | {} | {} | {openssl} | {java} | {gnutls} |", s.ours, s.strict)
            .unwrap();
    }
    out
}

/// Holds the page to what was measured, if these are the versions that it names.
fn is_in_the_page(judges: &Judges, table: &str) {
    if !judges.are_those_of_the_tables() {
        eprintln!("left out: the page's tables are about OpenSSL 3.0, Java 17 and GnuTLS 3.7");
        return;
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-to/check-a-chain.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains(table),
        "docs/how-to/check-a-chain.md does not have this table:\n{table}"
    );
}

fn departures(rows: &[(&str, &str)], said: &[Said], wanted: impl Fn(&Said) -> bool) {
    for ((case, _), s) in rows.iter().zip(said) {
        let agree = (s.ours != "refused") == wanted(s);
        let named = DEPARTURES.iter().any(|(name, _)| name == case);
        assert_eq!(agree, !named, "{case}: {s:?}");
        // A strict check is never laxer, and refuses what is warned about.
        assert!(s.strict == "refused" || s.ours == "accepted", "{case}: {s:?}");
    }
}

#[test]
fn chains_are_judged_as_openssl_and_java_do() {
    let Some((judges, said)) = measured(&CHAINS) else { return };
    departures(&CHAINS, &said, |s| s.openssl && s.java);
    is_in_the_page(&judges, &table("what is found", &CHAINS, &said));
}

#[test]
fn lists_are_judged_as_openssl_does() {
    let Some((judges, said)) = measured(&LISTS) else { return };
    departures(&LISTS, &said, |s| s.openssl);
    is_in_the_page(&judges, &table("what the lists are", &LISTS, &said));
}
