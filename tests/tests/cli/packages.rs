//! Each crate is published from its own directory: what it needs is in there, as files and not as links, which a clone
//! on Windows would break.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use c8y_pki_tests::cli::Cli;

/// The crates that are published, by their directories.
const CRATES: [&str; 5] = ["lib/core", "lib/engine", "lib/sandbox", "lib", "cli"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every file and link of the tree, not what is built or installed in it.
fn tree(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if [".git", "target", "node_modules"].iter().any(|other| name == *other) {
            continue;
        }
        match entry.file_type().unwrap().is_dir() {
            true => tree(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    tree(&root(), &mut found);
    assert!(found.len() > 500, "only {} files were found", found.len());
    found
}

#[test]
fn no_file_of_the_tree_is_a_symbolic_link() {
    let links: Vec<PathBuf> = all().into_iter().filter(|path| path.is_symlink()).collect();
    assert_eq!(links, Vec::<PathBuf>::new());
}

/// Where the original of a copy is, from the top of the tree.
fn original(copy: &Path) -> Option<PathBuf> {
    let name = copy.file_name()?.to_str()?;
    let folder = copy.parent()?.file_name()?.to_str()?;
    match (folder, name) {
        ("templates", _) => Some(Path::new("templates").join(name)),
        ("testdata", "caConfig.cnf") => {
            Some(PathBuf::from("tests/data/openssl-recipe/caCertificate").join(name))
        }
        ("testdata", _) => Some(Path::new("tests/data/keys").join(name)),
        (_, "LICENSE-MIT" | "LICENSE-APACHE") => Some(name.into()),
        _ => None,
    }
}

#[test]
fn copies_in_the_crates_are_equal_to_their_originals() {
    let (root, mut templates) = (root(), Vec::new());
    for krate in CRATES {
        let mut found = Vec::new();
        tree(&root.join(krate), &mut found);
        let mut licences = 0;
        for path in found {
            let inner = path.strip_prefix(root.join(krate)).unwrap();
            // `lib` has the directories of other crates in it, which are looked at by themselves.
            if krate == "lib"
                && ["core", "engine", "sandbox"].iter().any(|own| inner.starts_with(own))
            {
                continue;
            }
            let Some(original) = original(&path) else { continue };
            let (copy, wanted) =
                (fs::read(&path).unwrap(), fs::read(root.join(&original)).unwrap());
            assert!(copy == wanted, "{} is not {}: copy it", path.display(), original.display());
            licences += usize::from(inner.parent() == Some(Path::new("")));
            if original.starts_with("templates") {
                templates.push(original);
            }
        }
        assert_eq!(licences, 2, "{krate} has not both licences");
    }
    let mut wanted: Vec<PathBuf> = fs::read_dir(root.join("templates"))
        .unwrap()
        .map(|entry| Path::new("templates").join(entry.unwrap().file_name()))
        .collect();
    wanted.sort();
    templates.sort();
    assert_eq!(templates, wanted, "each template is in one crate");
}

/// What a source names beside itself, in `include_str!` and the like: `../../templates/root.toml`.
fn named_files(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("\"../") {
        let before = text[..at].trim_end();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let is_path = ["include_str!(", "include_bytes!(", "concat!("]
            .iter()
            .any(|end| before.ends_with(end))
            || line.trim_start().starts_with("#[path =");
        if is_path {
            found.push(text[at + 1..].split('"').next().unwrap().to_owned());
        }
    }
    found
}

/// The path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn sources_name_no_file_outside_of_their_crate() {
    let (root, mut checked) = (root(), 0);
    for krate in CRATES {
        for part in ["src", "benches", "examples"] {
            let dir = root.join(krate).join(part);
            let mut found = Vec::new();
            if dir.is_dir() {
                tree(&dir, &mut found);
            }
            for path in found.iter().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
                for named in named_files(&fs::read_to_string(path).unwrap()) {
                    let target = plain(&path.parent().unwrap().join(&named));
                    let inside = target.starts_with(root.join(krate));
                    assert!(inside, "{} names {named}, which is not in {krate}", path.display());
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 10, "only {checked} were found");
}

#[test]
fn files_outside_are_found() {
    let text = "const A: &str = include_str!(\n    \"../../../x.pem\"\n);\n#[path = \"../y.rs\"]\nlet z = \"../z\";";
    assert_eq!(named_files(text), ["../../../x.pem", "../y.rs"]);
}

/// What stands in `text` between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} after {before}")).0
}

/// What is downloaded can do what `cargo install` brings.
#[test]
fn packages_have_the_features_that_the_crate_has_by_default() {
    let crate_file = fs::read_to_string(root().join("cli/Cargo.toml")).unwrap();
    let build = fs::read_to_string(root().join("cli/packaging/build")).unwrap();
    let backend = between(&build, "${C8Y_PKI_BACKEND:-", "}");
    let features = between(&crate_file, "[features]\n", "\n[");
    let mut wanted: Vec<&str> = between(features, "default = [", "]")
        .split(',')
        .map(|feature| feature.trim().trim_matches('"'))
        .collect();
    assert!(wanted.contains(&backend), "{backend} is not one of {wanted:?}");
    wanted.retain(|feature| *feature != backend);
    let made: Vec<&str> = between(&build, " features=", " ").split(',').collect();
    let told: Vec<&str> =
        between(&build, "features besides the backend (", ")").split(',').collect();
    assert_eq!((&made, &told), (&wanted, &wanted));
    // The binary says what it has.
    let version = Cli::new().ok("--version");
    assert_eq!(between(&version, "features: ", "\n"), wanted.join(", "));
}

/// `1.85` and `1.85.1` as numbers.
fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|number| number.parse().unwrap()).collect()
}

/// What the sources use of the standard library Clippy compares with `rust-version` (its lint `incompatible_msrv`).
#[test]
fn no_crate_needs_a_younger_rust_than_we_declare() {
    let cargo = |arguments: &[&str]| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        let told = cargo.args(arguments).current_dir(root()).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap()
    };
    // Those of other systems were not fetched.
    let about = cargo(&["-vV"]);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let options = ["--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let told = cargo(&[&["metadata"][..], &options].concat());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let packages = told["packages"].as_array().unwrap();
    let own = packages.iter().find(|package| package["name"] == "c8y-pki").unwrap();
    let ours = version(own["rust_version"].as_str().unwrap());
    let mut told = 0;
    for package in packages {
        let Some(theirs) = package["rust_version"].as_str() else { continue };
        told += 1;
        assert!(version(theirs)[..2] <= ours[..2], "{} needs Rust {theirs}", package["name"]);
    }
    assert!(told > 100, "only {told} crates say what they need");
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The binary of the tests is built without what only tests depend on. If Cargo chose other features for it, it would
/// compile the libraries a second time while the tests wait, for minutes.
#[test]
fn the_binary_of_the_tests_shares_their_libraries() {
    let features = |edges: &str| -> BTreeSet<String> {
        let format = ["--prefix", "none", "--format", "{p} with {f}", "--edges", edges];
        let tree = cargo(&[&["tree", "--locked", "--workspace"][..], &format].concat());
        tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    let (binary, tests) = (features("normal,build"), features("normal,build,dev"));
    assert!(binary.len() > 200, "only {} packages", binary.len());
    let different: Vec<&String> = binary.difference(&tests).collect();
    assert_eq!(different, [""; 0], "tests/Cargo.toml has to ask for what the tests' features are");
}
