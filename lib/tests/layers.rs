//! Holds the library to its layers: a module imports only from modules that stand before it.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in order, with the layer of docs/architecture.md.
const ORDER: [(&str, u8); 36] = [
    ("secret", 0),
    ("shown", 0),
    ("der", 0),
    ("crypto", 0),
    ("ber", 0),
    ("armor", 0),
    ("client_id", 0),
    ("clock", 0),
    ("name", 0),
    ("cert", 0),
    ("profile", 0),
    ("key", 1),
    ("csr", 2),
    ("issue", 2),
    ("crl", 2),
    ("chain", 2),
    ("openssl", 2),
    ("files", 3),
    ("net", 3),
    ("store", 3),
    ("read", 3),
    ("registry", 4),
    ("authority", 4),
    ("list", 4),
    ("provision", 5),
    ("registration", 5),
    ("manifest", 5),
    ("rollback", 5),
    ("platform", 6),
    ("device", 6),
    ("describe", 6),
    ("enrolment", 7),
    ("sandbox", 7),
    ("rollout", 7),
    ("selftest", 7),
    ("error", 8),
];

/// Layers whose code has no file system, network, database or clock.
const PURE: u8 = 2;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The top module of a file, and its text up to the unit tests.
fn modules() -> Vec<(String, PathBuf, String)> {
    let mut files = Vec::new();
    rust_files(&source(), &mut files);
    let tests = |path: &Path| {
        path.components().any(|c| c.as_os_str() == "tests")
            || path.file_stem().is_some_and(|s| s == "tests" || s == "testing")
    };
    files
        .into_iter()
        .filter(|path| !path.ends_with("lib.rs") && !tests(path))
        .map(|path| {
            let relative = path.strip_prefix(source()).unwrap();
            let top = relative.components().next().unwrap().as_os_str().to_string_lossy();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            (top.trim_end_matches(".rs").to_owned(), path, code.to_owned())
        })
        .collect()
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|(name, _)| *name == module)
}

#[test]
fn every_module_has_its_place() {
    for (module, path, _) in modules() {
        assert!(rank(&module).is_some(), "{} is not in the table of layers", path.display());
    }
}

#[test]
fn imports_point_down() {
    let mut checked = 0;
    for (module, path, code) in modules() {
        for (number, line) in code.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for part in line.split("crate::").skip(1) {
                let used: String =
                    part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let Some(used_rank) = rank(&used) else { continue };
                checked += 1;
                assert!(
                    used == module || Some(used_rank) < rank(&module),
                    "{}:{}: {module} imports {used}, which stands above it",
                    path.display(),
                    number + 1
                );
            }
        }
    }
    assert!(checked > 100, "only {checked} imports were found: the test looks in the wrong place");
}

/// Pairs that must not meet, though the order would allow it: the clients take certificates and a
/// signer, not a PKI folder; the sandbox must not share a misunderstanding with the client; what issuing and
/// registering both need of a device list stands below them, in `list`.
const STRANGERS: [(&str, &[&str]); 5] = [
    ("provision", &["registration"]),
    ("registration", &["provision"]),
    ("platform", &["registry", "authority", "provision"]),
    ("device", &["registry", "authority", "provision", "sandbox"]),
    ("sandbox", &["platform", "device", "registration", "registry", "authority", "provision"]),
];

#[test]
fn strangers_stay_strangers() {
    for (module, path, code) in modules() {
        let Some((_, strangers)) = STRANGERS.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        for stranger in *strangers {
            let met = code.contains(&format!("crate::{stranger}"));
            assert!(!met, "{}: {module} must not use {stranger}", path.display());
        }
    }
}

#[test]
fn pure_layers_touch_no_world() {
    let worldly = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "ToSocketAddrs",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "now_utc",
        "now_local",
        "Instant",
        "rusqlite",
        "rustls::Client",
        "TcpStream",
    ];
    for (module, path, code) in modules() {
        let pure = rank(&module).is_some_and(|r| ORDER[r].1 <= PURE);
        for word in worldly.iter().filter(|_| pure) {
            assert!(!code.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (_, path, code) in modules() {
        assert!(code.starts_with("//!"), "{} does not begin with //!", path.display());
    }
}
