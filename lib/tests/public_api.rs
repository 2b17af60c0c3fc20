//! What users of the crate can reach through it: `lib/public-api.txt` lists it, and a change there is a decision.
//!
//! It is read from the syntax of the crates, so it needs no certain toolchain and compiles nothing. What rustdoc calls
//! hidden is left out, as rustdoc does.

#[path = "public_api/listing.rs"]
mod listing;
#[path = "public_api/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use listing::Listing;
use source::Source;

/// Modules, types, traits, functions, methods, constants and variants.
const MOST_ITEMS: usize = 350;

/// Public fields of structs and variants.
const MOST_FIELDS: usize = 80;

const FACADE: &str = "c8y_pki";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn source() -> Source {
    let mut source = Source::default();
    for (name, path) in [
        (FACADE, "src"),
        ("c8y_pki_core", "core/src"),
        ("c8y_pki_engine", "engine/src"),
        ("c8y_pki_sandbox", "sandbox/src"),
    ] {
        source.add(name, &folder().join(path));
    }
    source
}

#[test]
fn the_listing_of_what_is_public_is_up_to_date() {
    let listing = Listing::of(&source(), FACADE);
    let count = format!("{} items, {} fields", listing.items, listing.fields);
    let text = format!("{count}\n\n{}\n", listing.lines.join("\n"));
    let path = folder().join("public-api.txt");
    let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("public-api.txt");
    fs::write(&new, &text).unwrap();
    assert!(listing.items <= MOST_ITEMS, "{count}; at most {MOST_ITEMS} items");
    assert!(listing.fields <= MOST_FIELDS, "{count}; at most {MOST_FIELDS} fields");
    let old = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        old == text,
        "what is public has changed; if that is meant: cp {} {}\n{}",
        new.display(),
        path.display(),
        difference(&old, &text)
    );
}

#[test]
fn no_signature_names_what_the_facade_does_not_offer() {
    let listing = Listing::of(&source(), FACADE);
    let lines: Vec<String> = listing
        .unnamed
        .iter()
        .map(|((module, name), place)| format!("{}::{name} in {place}", module.join("::")))
        .collect();
    assert!(lines.is_empty(), "{} things:\n{}", lines.len(), lines.join("\n"));
}

fn difference(old: &str, new: &str) -> String {
    let gone = old.lines().filter(|line| !new.lines().any(|other| other == *line));
    let come = new.lines().filter(|line| !old.lines().any(|other| other == *line));
    let lines: Vec<String> =
        gone.map(|line| format!("- {line}")).chain(come.map(|line| format!("+ {line}"))).collect();
    lines.join("\n")
}
