//! Rules inside of a directory, for every directory of every source tree: its modules use each other in one direction
//! only, and the file that lists them is a map.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::modules::{Module, Tree};

/// Where the sources are, seen from this crate, and what stands before their modules below. The sandbox is one room.
const ROOTS: [(&str, &[&str]); 4] =
    [("core/src", &[]), ("engine/src", &[]), ("sandbox/src", &["sandbox"]), ("../cli/src", &[])];

/// Lines of functions that a map may have.
const MOST: usize = 60;

/// Modules with others below them that are no map yet: their types, and what these do, stand beside the list.
const NO_MAPS: [&str; 20] = [
    // What stands here calls the files below, and these use types or functions that stand here: these have to get a
    // file of their own first.
    "cert",
    "client_id",
    "crypto",
    "crypto::rsa",
    "device::check",
    "files",
    "issue",
    "key",
    "key::pbe",
    "key::pkcs11",
    "name",
    "openssl::wanted",
    "platform::register",
    "rollback",
    "rollout::report",
    "store",
    "store::jks",
    // Nothing below uses what stands here.
    "device::connection",
    "platform::trusted",
    // What users of the crate have, which its own documentation describes.
    "sandbox",
];

/// The source trees, and what stands before their modules.
fn trees() -> Vec<(&'static [&'static str], Tree)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The published crate has no neighbours.
    let roots = ROOTS.iter().map(|(root, before)| (*before, here.join(root)));
    roots.filter(|(_, root)| root.is_dir()).map(|(b, root)| (b, Tree::read(&root))).collect()
}

fn named(before: &[&str], folder: &Module) -> String {
    let words = before.iter().copied().chain(folder.iter().map(String::as_str));
    words.collect::<Vec<_>>().join("::")
}

/// Modules that can be reached from themselves.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    uses.keys().filter(|module| reached(uses, module).contains(*module)).cloned().collect()
}

fn reached<'a>(
    uses: &'a BTreeMap<String, BTreeSet<String>>,
    from: &'a String,
) -> BTreeSet<&'a String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        next.extend(uses.get(module).into_iter().flatten().filter(|used| seen.insert(*used)));
    }
    seen
}

#[test]
fn modules_of_a_folder_use_each_other_in_one_direction() {
    let mut found = BTreeMap::new();
    let mut checked = 0;
    for (before, tree) in trees() {
        for folder in tree.folders() {
            let siblings = tree.siblings(&folder);
            checked += siblings.values().map(BTreeSet::len).sum::<usize>();
            let circle = circle(&siblings);
            if !circle.is_empty() {
                found.insert(named(before, &folder), circle);
            }
        }
    }
    assert!(checked > 200, "only {checked} uses were found: the test looks in the wrong place");
    assert!(found.is_empty(), "modules use each other in a circle: {found:#?}");
}

#[test]
fn a_file_that_lists_modules_is_a_map() {
    let mut found = BTreeMap::new();
    for (before, tree) in trees() {
        for folder in tree.folders() {
            let lines = tree.function_lines.get(&folder).copied().unwrap_or(0);
            if lines > MOST {
                found.insert(named(before, &folder), lines);
            }
        }
    }
    for module in NO_MAPS {
        assert!(found.remove(module).is_some(), "{module} is a map: take it off the list");
    }
    assert!(
        found.is_empty(),
        "more than {MOST} lines of functions beside the list of modules: {found:#?}"
    );
}

/// The command line goes further: no two files use each other, also not a directory's and one in it.
#[test]
fn files_of_the_command_line_use_each_other_in_one_direction() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/src");
    if !here.is_dir() {
        return;
    }
    let tree = Tree::read(&here);
    let name = |module: &Module| match module.is_empty() {
        true => "main".to_owned(),
        false => module.join("::"),
    };
    let named = |used: &BTreeSet<Module>| used.iter().map(name).collect();
    let uses = tree.uses.iter().map(|(module, used)| (name(module), named(used))).collect();
    let circle = circle(&uses);
    assert!(circle.is_empty(), "files use each other in a circle: {circle:#?}");
}

#[test]
fn the_search_for_circles_finds_them() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b; mod c; mod d;");
    write("a/mod.rs", "mod inner; pub(crate) use inner::Thing;");
    write("a/inner.rs", "use crate::b; pub(crate) struct Thing;");
    // By way of a name that another module offers, and of a macro.
    write("b.rs", "fn f() { println!(\"{}\", crate::c::VALUE); }");
    write("c.rs", "pub(in super::super) const VALUE: u8 = 1; fn f(_: super::a::Thing) {}");
    write("d.rs", "use crate::a; #[cfg(test)] mod tests { use crate::b; } fn crate_b() {}");
    let tree = Tree::read(dir.path());
    let siblings = tree.siblings(&[]);
    let all = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(siblings["d"], all(&["a"]));
    assert_eq!(circle(&siblings), all(&["a", "b", "c"]));
    let home = |from: &str, to: &[&str]| {
        tree.uses[&vec![from.to_owned()]]
            .contains(&to.iter().map(|w| (*w).to_owned()).collect::<Module>())
    };
    assert!(home("c", &["a", "inner"]), "{:?}", tree.uses);
}
