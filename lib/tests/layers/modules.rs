//! The modules of a source tree, and what each of them uses of the others. Read from the syntax, tests left out;
//! what is inside of macros is read as words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// `chain::revocation` as its words; the root of a tree has none.
pub(crate) type Module = Vec<String>;

/// One source tree.
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<Module, PathBuf>,
    /// For each module the modules of whose items it uses, itself left out.
    pub(crate) uses: BTreeMap<Module, BTreeSet<Module>>,
    /// Lines of functions in each file.
    pub(crate) function_lines: BTreeMap<Module, usize>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        find(root, &mut Vec::new(), &mut files);
        let parsed: BTreeMap<Module, Parsed> = files
            .iter()
            .map(|(module, path)| (module.clone(), Parsed::of(&fs::read_to_string(path).unwrap())))
            .collect();
        let exported = parsed
            .iter()
            .map(|(module, parsed)| (module.clone(), parsed.exported(module, &files)))
            .collect();
        let names = Names { files: &files, exported };
        let uses = parsed
            .iter()
            .map(|(module, parsed)| {
                let found = parsed.paths.iter().filter_map(|path| names.home(module, path));
                (module.clone(), found.filter(|used| used != module).collect())
            })
            .collect();
        let function_lines = parsed.iter().map(|(m, p)| (m.clone(), p.function_lines)).collect();
        Self { files, uses, function_lines }
    }

    /// Modules that have others below them.
    pub(crate) fn folders(&self) -> BTreeSet<Module> {
        let parents = self.files.keys().filter(|module| !module.is_empty());
        parents.map(|module| module[..module.len() - 1].to_vec()).collect()
    }

    /// Which of its children each child of a directory uses, in whatever file below it.
    pub(crate) fn siblings(&self, folder: &[String]) -> BTreeMap<String, BTreeSet<String>> {
        let child = |module: &Module| {
            module.starts_with(folder).then(|| module.get(folder.len()).cloned()).flatten()
        };
        let mut siblings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (module, used) in &self.uses {
            let Some(own) = child(module) else { continue };
            let others = used.iter().filter_map(child).filter(|other| *other != own);
            siblings.entry(own.clone()).or_default().extend(others);
        }
        siblings
    }
}

/// Files by their modules; what is only compiled for tests is no part of the house.
fn find(dir: &Path, module: &mut Module, found: &mut BTreeMap<Module, PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name.ends_with("tests") || name == "testing" {
            continue;
        }
        if path.is_dir() {
            module.push(name);
            find(&path, module, found);
            module.pop();
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let mut own = module.clone();
            if !["mod", "lib", "main"].contains(&name.as_str()) {
                own.push(name);
            }
            found.insert(own, path);
        }
    }
}

/// One file.
#[derive(Default)]
struct Parsed {
    /// Paths that are used; the first word may be `crate`, `self`, `super`, a child or a foreign crate.
    paths: Vec<Vec<String>>,
    /// What is offered under a name of its own.
    offered: Vec<(String, Vec<String>)>,
    function_lines: usize,
}

impl Parsed {
    fn of(text: &str) -> Self {
        let mut parsed = Self::default();
        parsed.visit_file(&syn::parse_file(text).unwrap());
        parsed
    }

    fn exported(
        &self,
        module: &Module,
        files: &BTreeMap<Module, PathBuf>,
    ) -> BTreeMap<String, Module> {
        let offered = self.offered.iter();
        offered
            .filter_map(|(name, path)| Some((name.clone(), whole(module, path, files)?)))
            .collect()
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree, is_offered: bool) {
        let with = |word: &syn::Ident| [prefix, &[word.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => {
                self.add_tree(&with(&path.ident), &path.tree, is_offered);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(prefix, tree, is_offered);
                }
            }
            syn::UseTree::Name(name) => self.add_use(with(&name.ident), &name.ident, is_offered),
            syn::UseTree::Rename(name) => {
                self.add_use(with(&name.ident), &name.rename, is_offered);
            }
            syn::UseTree::Glob(_) => self.paths.push(prefix.to_vec()),
        }
    }

    fn add_use(&mut self, path: Vec<String>, name: &syn::Ident, is_offered: bool) {
        match is_offered {
            true => self.offered.push((name.to_string(), path)),
            false => self.paths.push(path),
        }
    }

    /// Words with `::` between them.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let (mut words, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.paths.push(std::mem::take(&mut words));
                    }
                    words.push(word.to_string());
                }
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                _ => self.paths.push(std::mem::take(&mut words)),
            }
            colons = 0;
        }
        self.paths.push(words);
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Parsed {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree, !matches!(item.vis, syn::Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|word| word.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// `pub(in super::super)` is no use.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.add_tokens(item.tokens.clone());
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function_lines += lines(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function_lines += lines(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

fn lines(signature: &syn::Signature, block: &syn::Block) -> usize {
    let start = signature.fn_token.span.start().line;
    block.brace_token.span.close().end().line - start + 1
}

/// A path from the root of the tree; none if it leads into another crate.
fn whole(module: &Module, path: &[String], files: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut from = match first.as_str() {
        "crate" => return Some(rest.to_vec()),
        "self" => module.clone(),
        "super" => module.split_last()?.1.to_vec(),
        child => {
            let child = [module.as_slice(), &[child.to_owned()]].concat();
            // A name alone may be a function's.
            let is_child = !rest.is_empty() && files.contains_key(&child);
            return is_child.then(|| [child.as_slice(), rest].concat());
        }
    };
    let supers = rest.iter().take_while(|word| *word == "super").count();
    from.truncate(from.len().checked_sub(supers)?);
    from.extend_from_slice(&rest[supers..]);
    Some(from)
}

struct Names<'a> {
    files: &'a BTreeMap<Module, PathBuf>,
    exported: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Names<'_> {
    /// The module in which a name has its home, also where another one offers it.
    fn home(&self, module: &Module, path: &[String]) -> Option<Module> {
        let mut path = whole(module, path, self.files)?;
        // Names are offered through a few modules at most.
        for _ in 0..8 {
            let length = (0..=path.len()).rev().find(|n| self.files.contains_key(&path[..*n]))?;
            let offered =
                path.get(length).and_then(|name| self.exported[&path[..length]].get(name));
            let Some(elsewhere) = offered else { return Some(path[..length].to_vec()) };
            path = [elsewhere.as_slice(), &path[length + 1..]].concat();
        }
        None
    }
}
