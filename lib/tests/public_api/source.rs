//! The crates as syntax: modules, what they define, and what a name in one of them stands for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A module: its crate, then its words.
pub(crate) type Module = Vec<String>;

/// Where something is defined: its module, and its name in it.
pub(crate) type Home = (Module, String);

/// One module.
#[derive(Default)]
pub(crate) struct Content {
    /// Whether it is declared as `pub mod`, as far as its parent is concerned; the root is.
    pub(crate) is_public: bool,
    pub(crate) items: BTreeMap<String, syn::Item>,
    /// What is imported or offered, by the name it has here.
    pub(crate) uses: BTreeMap<String, Vec<String>>,
    /// What is offered, in the order of the file: name, and path.
    pub(crate) offered: Vec<(String, Vec<String>)>,
    pub(crate) impls: Vec<syn::ItemImpl>,
}

/// All crates.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) modules: BTreeMap<Module, Content>,
}

impl Source {
    /// Reads a crate from its `lib.rs`, without what is only there for tests.
    pub(crate) fn add(&mut self, name: &str, root: &Path) {
        self.file(vec![name.to_owned()], &root.join("lib.rs"), root);
        self.publish(&[name.to_owned()]);
    }

    fn file(&mut self, module: Module, path: &Path, children: &Path) {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        self.items(module, file.items, children);
    }

    fn items(&mut self, module: Module, items: Vec<syn::Item>, children: &Path) {
        let mut content = Content::default();
        for item in items {
            if is_for_tests(attributes(&item)) {
                continue;
            }
            match item {
                syn::Item::Mod(inner) => self.module(&module, inner, children),
                syn::Item::Use(import) => {
                    let offered = matches!(import.vis, syn::Visibility::Public(_));
                    content.add_use(&[], &import.tree, offered);
                }
                syn::Item::Impl(block) => content.impls.push(block),
                item => {
                    if let Some(name) = name(&item) {
                        content.items.insert(name, item);
                    }
                }
            }
        }
        self.modules.insert(module, content);
    }

    fn module(&mut self, parent: &Module, inner: syn::ItemMod, children: &Path) {
        let name = inner.ident.to_string();
        let module = [parent.as_slice(), std::slice::from_ref(&name)].concat();
        let below = children.join(&name);
        let is_public = matches!(inner.vis, syn::Visibility::Public(_));
        match inner.content {
            Some((_, items)) => self.items(module.clone(), items, &below),
            None => {
                let (flat, folder) = (children.join(format!("{name}.rs")), below.join("mod.rs"));
                let path = if flat.exists() { flat } else { folder };
                self.file(module.clone(), &path, &below);
            }
        }
        if is_public {
            self.publish(&module);
        }
    }

    fn publish(&mut self, module: &[String]) {
        if let Some(content) = self.modules.get_mut(module) {
            content.is_public = true;
        }
    }

    /// Where the thing is defined that a path in `module` names. None for what is of another crate, of the
    /// language, or a parameter.
    pub(crate) fn home(&self, module: &Module, path: &[String]) -> Option<Home> {
        let (first, rest) = path.split_first()?;
        let step = |module: Module| match rest {
            [] => None,
            rest => self.home(&module, rest),
        };
        match first.as_str() {
            "crate" => step(module[..1].to_vec()),
            "self" => step(module.clone()),
            "super" => step(module[..module.len() - 1].to_vec()),
            name => {
                let content = self.modules.get(module)?;
                let child = [module.as_slice(), std::slice::from_ref(first)].concat();
                if rest.is_empty() && content.items.contains_key(name) {
                    return Some((module.clone(), name.to_owned()));
                }
                if !rest.is_empty() && self.modules.contains_key(&child) {
                    return step(child);
                }
                if let Some(target) = content.uses.get(name) {
                    let whole = [target.as_slice(), rest].concat();
                    // `use verify::verify`, `use time::macros::time`: the first is a module, or a crate.
                    return match target.first() == Some(first) {
                        true if self.modules.contains_key(&child) => self.home(&child, &whole[1..]),
                        true => self.home(&vec![name.to_owned()], &whole[1..]),
                        false => self.home(module, &whole),
                    };
                }
                if self.modules.contains_key(&child) {
                    return step(child);
                }
                let other = vec![first.clone()];
                if self.modules.contains_key(&other) { step(other) } else { None }
            }
        }
    }

    /// The module that a path in `module` names.
    pub(crate) fn item(&self, home: &Home) -> Option<&syn::Item> {
        self.modules.get(&home.0)?.items.get(&home.1)
    }

    /// Whether a type has a trait of that name.
    pub(crate) fn has(&self, home: &Home, name: &str) -> bool {
        self.impls(home).any(|(_, block)| {
            let of = block.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
            of.is_some_and(|word| word.ident == name)
        })
    }

    /// The blocks that belong to a type, each with its module.
    pub(crate) fn impls<'a>(
        &'a self,
        home: &'a Home,
    ) -> impl Iterator<Item = (&'a Module, &'a syn::ItemImpl)> {
        let all = self.modules.iter().filter(|(module, _)| module[0] == home.0[0]);
        all.flat_map(|(module, content)| content.impls.iter().map(move |block| (module, block)))
            .filter(|(module, block)| {
                let syn::Type::Path(path) = block.self_ty.as_ref() else { return false };
                self.home(module, &words(&path.path)).as_ref() == Some(home)
            })
    }
}

impl Content {
    fn add_use(&mut self, prefix: &[String], tree: &syn::UseTree, offered: bool) {
        let with = |word: &syn::Ident| [prefix, &[word.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_use(&with(&path.ident), &path.tree, offered),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(prefix, tree, offered);
                }
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                let own = prefix.last().cloned().unwrap_or_default();
                self.add_name(own, prefix.to_vec(), offered);
            }
            syn::UseTree::Name(name) => {
                self.add_name(name.ident.to_string(), with(&name.ident), offered);
            }
            syn::UseTree::Rename(name) if name.ident == "self" => {
                self.add_name(name.rename.to_string(), prefix.to_vec(), offered);
            }
            syn::UseTree::Rename(name) => {
                self.add_name(name.rename.to_string(), with(&name.ident), offered);
            }
            syn::UseTree::Glob(_) => {}
        }
    }

    fn add_name(&mut self, name: String, path: Vec<String>, offered: bool) {
        if offered {
            self.offered.push((name.clone(), path.clone()));
        }
        self.uses.insert(name, path);
    }
}

/// A path's words, without parameters.
pub(crate) fn words(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|word| word.ident.to_string()).collect()
}

pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

/// Whether the documentation leaves it out.
pub(crate) fn is_hidden(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("doc") && list.tokens.to_string() == "hidden"
    })
}

pub(crate) fn is_public(item: &syn::Item) -> bool {
    let vis = match item {
        syn::Item::Const(item) => &item.vis,
        syn::Item::Enum(item) => &item.vis,
        syn::Item::Fn(item) => &item.vis,
        syn::Item::Static(item) => &item.vis,
        syn::Item::Struct(item) => &item.vis,
        syn::Item::Trait(item) => &item.vis,
        syn::Item::Type(item) => &item.vis,
        _ => return false,
    };
    matches!(vis, syn::Visibility::Public(_))
}

fn name(item: &syn::Item) -> Option<String> {
    Some(match item {
        syn::Item::Const(item) => item.ident.to_string(),
        syn::Item::Enum(item) => item.ident.to_string(),
        syn::Item::Fn(item) => item.sig.ident.to_string(),
        syn::Item::Static(item) => item.ident.to_string(),
        syn::Item::Struct(item) => item.ident.to_string(),
        syn::Item::Trait(item) => item.ident.to_string(),
        syn::Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}

pub(crate) fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
