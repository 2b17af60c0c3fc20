//! Holds each crate of the library to its order: a module imports only from modules that stand before it.
//! What one crate may take from another is held by Cargo; the rules inside of directories are in `layers/rooms.rs`.

#[path = "layers/modules.rs"]
mod modules;
#[path = "layers/rooms.rs"]
mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

/// The crates below `lib/`, and their modules in order. The sandbox is one room: no module of it stands
/// above another.
const CRATES: [(&str, &[&str]); 3] = [
    (
        "core",
        &[
            "failure",
            "secret",
            "shown",
            "der",
            "ber",
            "crypto",
            "armor",
            "client_id",
            "clock",
            "name",
            "cert",
            "profile",
            "key",
            "csr",
            "issue",
            "crl",
            "chain",
            "openssl",
            "store",
            "in_memory",
            "read",
        ],
    ),
    (
        "engine",
        &[
            "files",
            "net",
            "numbers",
            "registry",
            "pki",
            "backup",
            "list",
            "provision",
            "orders",
            "servers",
            "registration",
            "labels",
            "manifest",
            "rollback",
            "serve",
            "platform",
            "device",
            "inspect",
            "status",
            "enrolment",
            "rollout",
            "selftest",
            "error",
        ],
    ),
    ("sandbox", &[]),
];

/// A file: its crate, its top module, and its text up to the unit tests.
struct File {
    krate: &'static str,
    module: String,
    path: PathBuf,
    code: String,
}

fn source(krate: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(krate).join("src")
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

fn files() -> Vec<File> {
    let is_test = |path: &Path| {
        path.components().any(|c| c.as_os_str() == "tests")
            || path.file_stem().is_some_and(|s| s == "tests" || s == "testing")
    };
    let mut all = Vec::new();
    for (krate, _) in CRATES {
        let (folder, mut found) = (source(krate), Vec::new());
        rust_files(&folder, &mut found);
        for path in found.into_iter().filter(|path| !is_test(path)) {
            let top = path.strip_prefix(&folder).unwrap().components().next().unwrap();
            let module = top.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            all.push(File { krate, module, path, code });
        }
    }
    assert!(
        all.len() > 200,
        "only {} files were found: the test looks in the wrong place",
        all.len()
    );
    all
}

fn order(krate: &str) -> &'static [&'static str] {
    CRATES.iter().find(|(name, _)| *name == krate).map_or(&[], |(_, order)| order)
}

fn rank(krate: &str, module: &str) -> Option<usize> {
    order(krate).iter().position(|name| *name == module)
}

/// Those of the files that the order is about: a crate's root only names its modules.
fn ordered() -> impl Iterator<Item = File> {
    files().into_iter().filter(|file| !order(file.krate).is_empty() && file.module != "lib")
}

#[test]
fn every_module_has_its_place() {
    for File { krate, module, path, .. } in ordered() {
        assert!(rank(krate, &module).is_some(), "{} is not in the order", path.display());
    }
}

#[test]
fn imports_point_down() {
    let mut checked = 0;
    for File { krate, module, path, code } in ordered() {
        for (number, line) in code.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for part in line.split("crate::").skip(1) {
                let used: String =
                    part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let Some(used_rank) = rank(krate, &used) else { continue };
                checked += 1;
                assert!(
                    used == module || Some(used_rank) < rank(krate, &module),
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
/// signer, not a PKI directory; what issuing and registering both need of a device list stands below them, in `list`;
/// and nothing but the error of all knows the sandbox, which must not share a misunderstanding with the client.
const STRANGERS: [(&str, &[&str]); 4] = [
    ("provision", &["registration"]),
    ("registration", &["provision"]),
    ("platform", &["registry", "pki", "provision"]),
    ("device", &["registry", "pki", "provision"]),
];

#[test]
fn strangers_stay_strangers() {
    for File { module, path, code, .. } in ordered() {
        let list = STRANGERS.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, s)| s);
        for stranger in list {
            let met = code.contains(&format!("crate::{stranger}"));
            assert!(!met, "{}: {module} must not use {stranger}", path.display());
        }
        let knows = code.contains("crate::sandbox") || code.contains("c8y_pki_sandbox");
        assert!(!knows || module == "error", "{}: uses the sandbox", path.display());
    }
}

/// The core has no file system, network, process, thread or clock. What comes with a crate is kept out by its
/// Cargo.toml, calls of the standard library by its clippy.toml too; this holds without Clippy.
#[test]
fn the_core_touches_no_world() {
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
        "rustls::Client",
        "TcpStream",
    ];
    let mut checked = 0;
    for File { path, code, .. } in files().iter().filter(|file| file.krate == "core") {
        checked += 1;
        for word in worldly {
            assert!(!code.contains(word), "{} uses {word}", path.display());
        }
    }
    assert!(checked > 80, "only {checked} files of the core were found");
}

/// What the crates may depend on of the workspace and of the world, so that nobody adds it by the way.
#[test]
fn crates_stand_on_those_below_them() {
    let manifest = |krate: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(krate).join("Cargo.toml");
        let text = fs::read_to_string(path).unwrap();
        let (_, from) = text.split_once("[dependencies]").unwrap();
        from.split("[dev-dependencies]").next().unwrap().to_owned()
    };
    let worldly = ["tokio", "reqwest", "rusqlite", "axum", "hyper", "rustix", "tempfile"];
    let forbidden = [
        ("core", &["c8y-pki"][..]),
        ("core", &worldly[..]),
        (
            "sandbox",
            &["c8y-pki-engine", "c8y-pki.", "reqwest", "rusqlite", "rustix", "tempfile"][..],
        ),
        ("engine", &["c8y-pki.", "axum"][..]),
    ];
    // A server is in it only with the feature `serve`.
    let engine = manifest("engine");
    let mut servers = engine.lines().filter(|line| line.starts_with("hyper"));
    assert!(servers.all(|line| line.contains("optional = true")), "{engine}");
    for (krate, names) in forbidden {
        let dependencies = manifest(krate);
        for name in names {
            let met = dependencies.lines().any(|line| line.starts_with(name));
            assert!(!met, "lib/{krate}/Cargo.toml depends on {name}");
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for File { path, code, .. } in files() {
        assert!(code.starts_with("//!"), "{} does not begin with //!", path.display());
    }
}

/// docs/architecture.md begins with a picture of crates and rooms; a room stands in it above those that it uses.
#[test]
fn the_picture_shows_the_order() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let page = fs::read_to_string(page).unwrap();
    let picture = page.split("```").nth(1).expect("the page begins with the picture");
    for krate in ["core", "engine"] {
        let (_, below) = picture.split_once(&format!("lib/{krate} ")).expect("the crate");
        let mut shown = Vec::new();
        for line in below.lines().skip(1).take_while(|line| !line.starts_with("lib/")) {
            let line = line.trim_start_matches([' ', '│', '├', '▼', '─']);
            let rooms = line.split("  ").next().unwrap_or_default().split(", ");
            // The picture is read from the top, and a line from the left; the order begins at the bottom.
            let known: Vec<&str> = rooms.filter(|room| rank(krate, room).is_some()).collect();
            shown.splice(0..0, known.into_iter().rev());
        }
        assert_eq!(shown, order(krate), "{krate}");
    }
}

/// DER is written by `der` alone; what another implementation writes is for tests to compare with.
#[test]
fn one_module_writes_der() {
    for File { path, code, .. } in files() {
        assert!(!code.contains("construct_der"), "{} writes DER by yasna", path.display());
    }
}
