//! Text from outside at a terminal and in files for people. That nothing hidden is said is held by
//! [`c8y_pki_tests::cli::Outcome::of`], for every command that any test runs; here is the text.

use c8y_pki_tests::cli::{CA_PW, Cli, HOSTILE, hidden};
use c8y_pki_tests::openssl::OpenSsl;
#[cfg(unix)]
use c8y_pki_tests::talking::Talking;
#[cfg(unix)]
use c8y_pki_tests::tool;

/// As it is shown.
const SHOWN: &str = r"\u{1b}]0;owned\u{7}\u{1b}[2J\nerror: fake\r\u{9b}31m\u{202e}\u{200b}\u{2028}";

#[test]
fn arguments_are_shown_as_they_are() {
    let cli = Cli::with_cas();
    let name = format!("'{HOSTILE}'");
    for line in [
        format!("{name} list"),
        format!("ca list --{name}"),
        format!("key new --out k.pem --type {name}"),
        format!("device issue gw-1 --ca line --out out --days {name}"),
        format!("ca show {name}"),
        format!("ca init {name} --subject 'CN=x' {CA_PW}"),
        format!("cert show {name}"),
        format!("cert verify --trust {name} {name}"),
        format!("cert chain pki/ca/line/chain.pem --leaf {name}"),
        format!("key new --plain --type ec-p256 --out {name}/x"),
        format!("key show pki/ca/line/key.pem --password-file {name}"),
        format!("device show {name}"),
        format!("device issue {name} --ca line --out out {CA_PW}"),
        format!("device list --batch {name}"),
        format!("store show {name}"),
        format!("store fetch {name}"),
        format!("registration check {name}"),
        format!("registration create --from {name}"),
        format!("rollout {name}"),
        format!("profile show {name}"),
        format!("registry check --head {name}"),
        format!("tenant status --host {name} --user {name}"),
        format!("sandbox --fault {name}"),
        format!("--pki {name} ca list"),
    ] {
        let said = cli.run(&line);
        assert!((1..=3).contains(&said.code), "{said:?}");
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(text.contains(r"\u{202e}"), "{said:?}");
        // Not a word of it begins a line.
        assert!(!text.lines().any(|line| line.starts_with("error: fake")), "{said:?}");
        // JSON too has it as escapes, with the value as it was.
        let json = cli.run(&format!("--json {line}"));
        assert_eq!(hidden(&format!("{}{}", json.stdout, json.stderr)), None);
        let last = json.stderr.lines().last().or(json.stdout.lines().last()).unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(last).expect(last);
        assert!(value.is_object(), "{last}");
    }
}

#[cfg(unix)]
#[test]
fn files_may_be_called_anything() {
    let cli = Cli::with_cas();
    let name = format!("'{}'", HOSTILE.replace('/', ""));
    let line = format!("key new --plain --type ec-p256 --out {name}");
    let made = cli.run(&line).expect(0);
    assert_eq!(made.stdout, format!("EC P-256 private key, not encrypted: {SHOWN}\n"));
    let again = cli.run(&line).expect(2);
    assert_eq!(again.error(), format!("cannot write {SHOWN}: it exists already"));
    let json = cli.run(&format!("key passwd {name} --plain --json")).expect(0).json();
    assert_eq!(json["file"], HOSTILE);
    cli.write(HOSTILE, "id;name\n");
    let said = cli.run(&format!("registration check {name}")).expect(1);
    assert!(said.stdout.contains(SHOWN), "{said:?}");
    assert!(said.stdout.lines().all(|line| !line.starts_with("error: fake")), "{said:?}");
}

#[test]
fn lists_may_hold_anything() {
    let cli = Cli::with_cas();
    let quoted = format!("\"{HOSTILE}\"");
    cli.write("header.csv", format!("id,{quoted},\"other {HOSTILE}\"\ngw-1,a,b\n"));
    cli.write("ids.csv", format!("id,name\n{quoted},x\n=1+1,y\n\"+\n1\",z\n@a,z\n"));
    cli.write("reg.csv", format!("ID;AUTH_TYPE;{quoted};NAME\n{quoted};{quoted};x;\u{202e}\n"));
    for (list, code) in [("header.csv", 0), ("ids.csv", 2)] {
        // Columns that nobody knows are kept, and shown.
        let line = format!("device issue --from {list} --ca line --out out --failed f.csv {CA_PW}");
        let said = cli.run(&line).expect(code);
        assert_eq!(said.stderr.contains(r"\u{202e}"), code > 0, "{said:?}");
        assert!(!said.stderr.contains("\nerror: fake"), "{said:?}");
        cli.run(&format!("registration create --from {list} --out r.csv"));
    }
    let shown = cli.ok("device show gw-1");
    assert!(shown.contains(r"\u{202e}") && !shown.contains("\nerror: fake"), "{shown}");
    let failed = cli.text("f.csv");
    assert_eq!(hidden(&failed), None, "{failed}");
    assert!(failed.contains(",'=1+1,") && failed.contains(r",'+\n1,"), "{failed}");
    assert!(failed.contains(",'@a,") && failed.contains(SHOWN), "{failed}");
    let said = cli.run("registration check reg.csv").expect(1);
    assert!(said.stdout.contains(r"\u{202e}"), "{said:?}");
    assert!(!said.stdout.contains("\nerror: fake"), "{said:?}");
}

#[test]
fn certificates_may_be_called_anything() {
    let cli = Cli::with_cas();
    let Some(openssl) = OpenSsl::at(&cli.path(".")) else { return };
    // Its configuration takes no such bytes, so they are written as escapes of it.
    cli.write(
        "odd.cnf",
        "[req]\ndistinguished_name=n\nprompt=no\nutf8=yes\nx509_extensions=e\n\
         [n]\nCN=\u{202e}a\u{200b}\\nerror: fake\nO=\u{9b}31m\n\
         [e]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
         subjectAltName=DNS:a\\nerror: fake\n",
    );
    openssl.run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8 -days 9 \
         -config @odd.cnf -keyout @odd.key -out @odd.pem",
    );
    // A CA with a dNSName that is none is not taken in: this one has the odd names only.
    let plain = cli.text("odd.cnf").replace("subjectAltName", "#subjectAltName");
    cli.write("plain.cnf", plain);
    openssl.run("req -x509 -new -key @odd.key -utf8 -days 9 -config @plain.cnf -out @plain.pem");
    for (line, code) in [
        ("cert show odd.pem", 0),
        ("cert chain odd.pem pki/ca/root/cert.pem", 2),
        ("cert verify --trust pki/ca/root/cert.pem odd.pem", 1),
        ("cert verify --trust odd.pem pki/ca/line/cert.pem", 1),
        ("store create odd.p12 --trusted odd.pem --alias \u{202e}odd --store-password-file pw", 0),
        ("store show odd.p12 --store-password-file pw", 0),
        ("cert show odd.p12 --password-file pw", 0),
        ("ca add odd --import plain.pem --key odd.key --ca-password-file pw", 0),
        ("ca list", 0),
        ("ca show odd", 0),
        ("device issue gw-1 --ca odd --days 3 --out out --ca-password-file pw", 0),
        ("device show gw-1", 0),
        ("ca crl odd --ca-password-file pw", 0),
        ("cert show pki/ca/odd/crl.pem", 0),
        ("registry export", 0),
        ("registry export --what audit", 0),
        ("registry check", 0),
    ] {
        let said = cli.run(line);
        assert!(said.code == code || said.code == 1 + code, "{said:?}");
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(!text.lines().any(|line| line.trim_start().starts_with("error: fake")), "{said:?}");
    }
    let shown = cli.ok("cert show odd.pem");
    assert!(shown.contains(r"\u{202e}a\u{200b}"), "{shown}");
    let listed = cli.run("cert show odd.pem --json").expect(0).json();
    assert!(listed["subject"].as_str().unwrap().contains('\u{202e}'), "{listed}");
    let exported = cli.ok("registry export");
    assert!(exported.contains(r"\u{202e}a\u{200b}"), "{exported}");
}

#[cfg(unix)]
#[test]
fn clients_of_the_sandbox_may_be_called_anything() {
    let Some(curl) = tool("curl") else { return };
    let cli = Cli::new();
    let mut sandbox = Talking::start(&cli, "sandbox --env-file s.env", &[]);
    sandbox.told("page ");
    let variables = cli.text("s.env");
    let host = variables.lines().find_map(|line| line.strip_prefix("export C8Y_HOST=")).unwrap();
    let user = format!("{}:x", HOSTILE.replace(['\n', ':'], ""));
    let ca = cli.arg("sandbox-ca.pem");
    curl.output(&["-s", "--cacert", &ca, "-u", &user, &format!("{host}/tenant/currentTenant")]);
    let line = sandbox.told("currentTenant");
    assert_eq!(hidden(&line), None, "{line}");
    assert!(line.contains(r"\u{202e}\u{200b}"), "{line}");
    sandbox.interrupt();
    assert_eq!(sandbox.finish().0, 0);
}
