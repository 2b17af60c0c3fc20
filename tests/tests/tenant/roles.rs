//! Roles: what our refusals name, what our pages name, and what is enough to read, held to the roles that the
//! vendor's description has for each call.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::cli::{Cli, Outcome, walk};
use c8y_pki_tests::contract::{Operation, operation_of, operations};

use c8y_pki_tests::recorder::Fate;

use crate::described::call_of;
use crate::journey::{Journey, STAGES, Stage, Step, step};

/// Roles of calls that the description does not have: those of the vendor's guides to the inventory and to
/// users.
const OTHER_ROLES: &[&str] = &["ROLE_INVENTORY_ADMIN", "ROLE_USER_MANAGEMENT_READ"];

/// Calls whose refusal is no error of the command, and why: method, path, command.
const BORNE: &[(&str, &str, &str, &str)] = &[
    (
        "GET",
        "/devicecontrol/newDeviceRequests/{requestId}",
        "registration add",
        "who may register devices need not have the right to see them",
    ),
    (
        "GET",
        "/user/currentUser",
        "tenant status",
        "it names this role, and those for what is not known without it",
    ),
];

/// The names of roles in a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words.filter(|w| w.starts_with("ROLE_") && w.len() > 5).map(str::to_owned).collect()
}

fn said(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stdout, outcome.stderr)
}

/// What is wrong with how a command takes it that one of its calls is refused.
fn judge(step: Step, outcome: &Outcome, operation: &Operation) -> Option<String> {
    let (call, names) = ((&operation.method, &operation.path), named(&said(outcome)));
    let known = |(method, path, command, _): &&(&str, &str, &str, &str)| {
        call == (&(*method).to_owned(), &(*path).to_owned()) && *command == step.command
    };
    let borne = BORNE.iter().any(|one| known(&one));
    let right = names.iter().any(|name| operation.roles.contains(name));
    let wrong: Vec<_> = names.iter().filter(|name| !operation.roles.contains(name)).collect();
    let what = format!("{} {}, {} {}", step.command, step.with, call.0, call.1);
    if borne || right && wrong.is_empty() {
        return None;
    }
    Some(format!(
        "{what}: it names {names:?}, the description {:?}\n    {}",
        operation.roles,
        said(outcome).trim_end()
    ))
}

#[test]
fn refusals_name_the_roles_of_the_description() {
    let Some(all) = operations() else { return };
    let Some(journey) = Journey::start(Settings::default()) else { return };
    // What each step asks first on the way is known from walking it once.
    let Some(other) = Journey::start(Settings::default()) else { return };
    let (mut seen, mut first) = (BTreeSet::new(), Vec::new());
    other.walk(|_, _, asked| {
        let calls = asked.iter().filter_map(|one| call_of(&all, one));
        let mut new: Vec<_> = calls.filter(|call| seen.insert(call.clone())).collect();
        // What changes something comes first: it is not asked again once it is done.
        new.sort_by_key(|(method, _)| method == "GET");
        first.push(new);
    });
    let (mut faults, mut new) = (Vec::new(), first.into_iter());
    for stage in STAGES {
        let Stage::Talks(step) = stage else {
            journey.between(*stage);
            continue;
        };
        for (method, path) in new.next().unwrap_or_default() {
            let Some(operation) = operation_of(&all, &method, &path) else { continue };
            if operation.roles.is_empty() {
                continue;
            }
            let (operations, wanted) = (all.clone(), operation.path.clone());
            journey.rest.decide(move |asked| {
                let found = operation_of(&operations, &asked.method, &asked.path);
                let is_it = found.is_some_and(|o| o.method == method && o.path == wanted);
                if is_it { Fate::Refuse } else { Fate::Pass }
            });
            let outcome = journey.run("admin", *step);
            journey.rest.let_pass();
            faults.extend(judge(*step, &outcome, operation));
        }
        journey.run("admin", *step).expect(step.code);
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Commands that change nothing, and the one role that is enough for each. The tenant's id is given, since to ask
/// for it is another role's.
const READING: &[(Step, &str)] = &[
    (step("tenant trust list", "--tenant t1001"), "ROLE_TENANT_MANAGEMENT_READ"),
    (step("tenant trust show", "Line --tenant t1001"), "ROLE_TENANT_MANAGEMENT_READ"),
    (step("tenant crl download", "--tenant t1001"), "ROLE_TENANT_MANAGEMENT_READ"),
    (step("tenant authority status", "--tenant t1001").ends(1), "ROLE_TENANT_MANAGEMENT_READ"),
    (step("tenant crl status", "--tenant t1001").ends(1), "ROLE_OPTION_MANAGEMENT_READ"),
    (step("registration list", "--tenant t1001"), "ROLE_DEVICE_CONTROL_READ"),
];

#[test]
fn reading_needs_the_reading_role_only() {
    let Some(journey) = Journey::start(Settings::default()) else { return };
    journey.run("admin", step("tenant trust add", "--ca root --ca line")).expect(0);
    for (step, role) in READING {
        journey.run(&format!("t1001/{role}"), *step).expect(step.code);
        let other = journey.run("t1001/ROLE_USER_MANAGEMENT_OWN_READ", *step);
        let said = said(&other);
        assert!(other.code != step.code && said.contains(role), "{}: {said}", step.command);
    }
    // The user of the sandbox who may read, and see who it is.
    for (step, role) in READING.iter().filter(|(_, role)| *role == "ROLE_TENANT_MANAGEMENT_READ") {
        let line = step.with.replace("--tenant t1001", "");
        let outcome = journey.run_line("reader", &format!("{} {line}", step.command));
        assert_eq!(outcome.code, step.code, "{role}: {outcome:?}");
    }
    journey.run("reader", step("tenant verify", "out/gw-1/chain.pem")).expect(0);
    // What may be known of it, by the role that lets a user see itself alone.
    let status =
        journey.run("t1001/ROLE_USER_MANAGEMENT_OWN_READ", step("tenant status", "").ends(1));
    assert!(status.stdout.contains("NOT allowed: ask an administrator for"), "{status:?}");
}

const TABLE: &str = include_str!("../../../docs/how-to/trust-at-the-tenant.md");
const FIRST: &str = include_str!("../../../docs/how-to/first-tenant.md");

/// Who asks is the device itself, with its own role.
const OF_DEVICES: &[&str] = &["device enrol", "device token"];

/// The roles that the page has for a command.
fn in_the_table(command: &str) -> Option<BTreeSet<String>> {
    let (_, table) = TABLE.split_once("\n## Roles\n").expect("a section about roles");
    let mut rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let (_, roles) = rows.find(|(commands, _)| commands.split('`').any(|c| c == command))?;
    // It refers to the page with the roles of the self-test.
    let mut named = named(if roles.contains("first-tenant.md") { FIRST } else { roles });
    named.extend(named_by(table.lines().take_while(|line| !line.starts_with('|'))));
    Some(named)
}

fn named_by<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    lines.flat_map(named).collect()
}

#[test]
fn the_table_of_roles_is_that_of_the_description() {
    let Some(all) = operations() else { return };
    let Some(journey) = Journey::start(Settings::default()) else { return };
    let mut faults = BTreeSet::new();
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    journey.walk(|step, _, asked| {
        for one in asked {
            let Some(operation) = operation_of(&all, &one.method, &one.path) else { continue };
            if operation.roles.is_empty() || OF_DEVICES.contains(&step.command) {
                continue;
            }
            let Some(named) = in_the_table(step.command) else {
                faults.insert(format!("{} is not in the table", step.command));
                continue;
            };
            used.entry(step.command).or_default().extend(operation.roles.iter().cloned());
            if !operation.roles.iter().any(|role| named.contains(role)) {
                let what = format!("{}: {} {}", step.command, operation.method, operation.path);
                faults.insert(format!("{what} takes one of {:?}", operation.roles));
            }
        }
    });
    for (command, roles) in used {
        let named = in_the_table(command).unwrap_or_default();
        let needless =
            named.iter().filter(|r| !roles.contains(*r) && !OTHER_ROLES.contains(&r.as_str()));
        // Without the tenant's id, all ask for it; a self-test removes with roles of other guides.
        let needless = needless.filter(|role| *role != "ROLE_USER_MANAGEMENT_OWN_READ");
        let needless: Vec<_> = needless.filter(|_| command != "tenant selftest").collect();
        if !needless.is_empty() {
            faults.insert(format!("{command} needs none of {needless:?}"));
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Where the sources are.
const SOURCES: [&str; 5] =
    ["lib/src", "lib/core/src", "lib/engine/src", "lib/sandbox/src", "cli/src"];

/// Files with a name that ends like that, below a directory of the repository.
fn texts(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut all = Vec::new();
    walk(&root, &mut |path| {
        if path.extension().is_some_and(|e| e == ending) {
            let text = fs::read_to_string(path).unwrap_or_default();
            all.push((path.display().to_string(), text));
        }
    });
    all
}

#[test]
fn no_page_and_no_help_names_a_role_that_there_is_not() {
    let Some(all) = operations() else { return };
    let mut known: BTreeSet<String> = all.iter().flat_map(|o| o.roles.clone()).collect();
    known.extend(OTHER_ROLES.iter().map(|&role| role.to_owned()));
    let mut pages = texts("docs", "md");
    pages.push(("--help".to_owned(), Cli::new().ok("reference")));
    let sources: Vec<_> = SOURCES.iter().flat_map(|folder| texts(folder, "rs")).collect();
    assert!(sources.len() > 200, "{}", sources.len());
    // Names of constants are no roles.
    for (_, text) in &sources {
        let constants = text.split("const ROLE_").skip(1);
        let name = |rest: &str| rest.split(':').next().unwrap_or_default().to_owned();
        known.extend(constants.map(|rest| format!("ROLE_{}", name(rest))));
    }
    pages.extend(sources);
    let mut faults = Vec::new();
    for (page, text) in pages {
        let unknown: Vec<String> = named(&text).difference(&known).cloned().collect();
        if !unknown.is_empty() {
            faults.push(format!("{page}: {unknown:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
