//! Files that are small beside what they would become in memory: refused, in little of it.

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::hostile::survive;
use c8y_pki_tests::tool;

/// 100 MiB over the size of the file, in KiB.
const MOST_MEMORY: u64 = 100 * 1024;

/// Runs a command that has to refuse; its sentence, in little memory beside a file of so many bytes.
fn refused(cli: &Cli, line: &str, bytes: usize, code: i32) -> String {
    let (outcome, memory) = survive(cli, line);
    let most = MOST_MEMORY + u64::try_from(bytes >> 10).unwrap();
    assert!(memory < most, "{memory} KiB, with {most} KiB allowed: {line}");
    eprintln!("{memory} KiB of {most}: {line}");
    let outcome = outcome.expect(code);
    format!("{}{}", outcome.stdout, outcome.stderr)
}

#[test]
fn a_bundle_of_very_many_certificates_is_refused_before_it_is_read() {
    let cli = Cli::with_cas();
    let one = cli.text("pki/ca/line/cert.pem");
    let many = one.repeat(60_000);
    cli.write("many.pem", &many);
    for line in [
        "cert show many.pem",
        "cert verify pki/ca/line/cert.pem --trust many.pem",
        "key show many.pem",
        "store show many.pem",
    ] {
        let said = refused(&cli, line, many.len(), 2);
        assert!(said.contains("more than 10000 blocks"), "{line}: {said}");
    }
    cli.write("enough.pem", one.repeat(10_000));
    let (outcome, memory) = survive(&cli, "cert verify pki/ca/line/chain.pem --trust enough.pem");
    assert!(outcome.code < 2 && memory < 2 * MOST_MEMORY, "{memory} KiB: {outcome:?}");
    let large = std::fs::File::create(cli.path("large.pem")).unwrap();
    large.set_len(1 << 40).unwrap();
    for line in ["cert show large.pem", "store show large.pem", "key show large.pem"] {
        let said = refused(&cli, line, 0, 2);
        assert!(
            said.contains("cannot read large.pem: it is larger than 67108864 bytes"),
            "{line}: {said}"
        );
    }
}

#[test]
fn a_csv_of_very_many_columns_is_refused() {
    let cli = Cli::with_cas();
    let header: String = (0..400_000).map(|n| format!(";p{n}")).collect();
    let csv = format!("ID;AUTH_TYPE{header}\nx;CERTIFICATES{}\n", ";".repeat(400_000));
    cli.write("wide.csv", &csv);
    let said = refused(&cli, "registration check wide.csv", csv.len(), 1);
    assert!(said.contains("a line has more than 10000 separators"), "{said}");
    let less: String = (0..5000).map(|n| format!(",p{n}")).collect();
    cli.write("less.csv", format!("id{less}\nx{}\n", ",1".repeat(5000)));
    for line in
        ["registration create --from less.csv", "device issue --from less.csv --ca line --out out"]
    {
        let said = refused(&cli, line, 0, 2);
        assert!(
            said.contains("the header in line 1 has 5001 columns; at most 1000 are read"),
            "{said}"
        );
    }
    cli.write("rows.csv", format!("ID;AUTH_TYPE\nx;CERTIFICATES{}\n", ";".repeat(4 << 20)));
    let said = refused(&cli, "registration check rows.csv", 4 << 20, 1);
    assert!(said.contains("a line has more than 10000 separators"), "{said}");
}

#[test]
fn scrypt_gets_the_memory_that_real_files_ask_for() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::new();
    let path = |name: &str| cli.arg(name);
    let curve = "ec_paramgen_curve:P-256";
    openssl.run(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", &path("k.pem")]);
    let pass = format!("file:{}", path("pw"));
    let (plain, sealed) = (path("k.pem"), path("k.der"));
    let files = ["-topk8", "-in", &plain, "-out", &sealed, "-outform", "DER"];
    openssl.run(&[&["pkcs8", "-scrypt", "-passout", &pass], &files[..]].concat());
    let show = |name: &str| survive(&cli, &format!("key show {name} --password-file pw"));
    let (opened, memory) = show("k.der");
    assert!(memory < MOST_MEMORY, "{memory} KiB");
    opened.expect(0);
    // N = 2^14, r = 8, p = 1, as OpenSSL writes them; it writes nothing that costs much more.
    let costs = [2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1];
    let der = cli.read("k.der");
    let at = der.windows(costs.len()).position(|found| found == costs).expect("the costs") + 6;
    // As much memory as N = 2^17 with r = 8, and a little more.
    for (r, problem) in [(64, "the password does not open"), (65, "136314880 bytes of memory")] {
        let mut changed = der.clone();
        changed[at] = r;
        cli.write("changed.der", &changed);
        let (outcome, memory) = show("changed.der");
        assert!(memory < 2 * MOST_MEMORY, "{memory} KiB for r = {r}");
        let outcome = outcome.expect(2);
        assert!(outcome.error().contains(problem), "{outcome:?}");
    }
}
