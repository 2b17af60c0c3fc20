//! What of the crates is public through the facade, a line for each item.

use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::source::{Home, Module, Source, attributes, is_hidden, is_public, words};

/// What the facade offers.
#[derive(Default)]
pub(crate) struct Listing {
    /// One for each module, type, trait, function, method, constant and variant, and `impl` lines, which do not
    /// count as items.
    pub(crate) lines: Vec<String>,
    /// Modules, types, traits, functions, methods, constants, variants.
    pub(crate) items: usize,
    /// Public fields of structs, and of variants.
    pub(crate) fields: usize,
    /// Things in signatures that the facade does not offer, each with the first place.
    pub(crate) unnamed: BTreeMap<Home, String>,
    /// What is offered, by where it is defined.
    offered: BTreeMap<Home, String>,
    /// What is in signatures, and in which.
    mentioned: Vec<(Home, String)>,
}

impl Listing {
    /// Of the crate `root` and its public modules.
    pub(crate) fn of(source: &Source, root: &str) -> Self {
        let mut listing = Self::default();
        let root = vec![root.to_owned()];
        let modules: Vec<&Module> =
            source.modules.keys().filter(|module| module.starts_with(&root)).collect();
        for module in &modules {
            listing.offer(source, module);
        }
        let offered = listing.offered.clone();
        for (home, name) in &offered {
            listing.thing(source, home, name);
        }
        let mentioned = std::mem::take(&mut listing.mentioned);
        for (home, place) in mentioned {
            if !listing.offered.contains_key(&home) && !source.has(&home, "Failure") {
                listing.unnamed.entry(home).or_insert(place);
            }
        }
        listing.lines.sort();
        listing
    }

    /// The names that one module of the facade offers.
    fn offer(&mut self, source: &Source, module: &Module) {
        let content = &source.modules[module];
        if !content.is_public {
            return;
        }
        if module.len() > 1 {
            self.item(format!("mod {}", module.join("::")));
        }
        for name in content.items.iter().filter(|(_, item)| is_public(item)).map(|(name, _)| name) {
            let home = (module.clone(), name.clone());
            self.offered.insert(home, format!("{}::{name}", module.join("::")));
        }
        for (name, path) in &content.offered {
            let full = format!("{}::{name}", module.join("::"));
            match source.home(module, path) {
                Some(home) => self.offered.entry(home).or_insert(full),
                None => panic!("{full} is no item: modules are not offered as a whole"),
            };
        }
    }

    fn item(&mut self, line: String) {
        self.items += 1;
        self.lines.push(line);
    }

    fn field(&mut self, line: String) {
        self.fields += 1;
        self.lines.push(line);
    }

    fn thing(&mut self, source: &Source, home: &Home, name: &str) {
        let item = source.item(home).unwrap();
        match item {
            syn::Item::Struct(item) => self.structure(source, home, name, item),
            syn::Item::Enum(item) => self.variants(source, home, name, item),
            syn::Item::Trait(item) => self.methods(source, home, name, item),
            syn::Item::Fn(item) => {
                self.mention(source, &home.0, name, &item.sig);
                self.item(format!("{name}: {}", flat(&item.sig)));
            }
            syn::Item::Const(item) => {
                self.mention(source, &home.0, name, item.ty.as_ref());
                self.item(format!("{name}: const {}", flat(&item.ty)));
            }
            syn::Item::Type(item) => {
                self.mention(source, &home.0, name, item.ty.as_ref());
                self.item(format!("{name}: type {}", flat(&item.ty)));
            }
            _ => panic!("{name}: neither type nor trait nor function"),
        }
        if matches!(item, syn::Item::Struct(_) | syn::Item::Enum(_)) {
            self.blocks(source, home, name, attributes(item));
        }
    }

    fn structure(&mut self, source: &Source, home: &Home, name: &str, item: &syn::ItemStruct) {
        self.item(format!("{name}: struct{}", marks(&item.attrs)));
        for (at, field) in item.fields.iter().enumerate() {
            if !matches!(field.vis, syn::Visibility::Public(_)) || is_hidden(&field.attrs) {
                continue;
            }
            let own = field.ident.as_ref().map_or(at.to_string(), ToString::to_string);
            self.mention(source, &home.0, name, &field.ty);
            self.field(format!("{name}.{own}: {}", flat(&field.ty)));
        }
    }

    fn variants(&mut self, source: &Source, home: &Home, name: &str, item: &syn::ItemEnum) {
        self.item(format!("{name}: enum{}", marks(&item.attrs)));
        for variant in item.variants.iter().filter(|variant| !is_hidden(&variant.attrs)) {
            let full = format!("{name}::{}", variant.ident);
            self.item(match &variant.fields {
                syn::Fields::Unnamed(fields) => format!("{full}{}", flat(fields)),
                _ => full.clone(),
            });
            for field in &variant.fields {
                self.mention(source, &home.0, &full, &field.ty);
                if let Some(own) = &field.ident {
                    self.field(format!("{full}.{own}: {}", flat(&field.ty)));
                }
            }
        }
    }

    fn methods(&mut self, source: &Source, home: &Home, name: &str, item: &syn::ItemTrait) {
        self.item(format!("{name}: trait"));
        for inner in &item.items {
            let syn::TraitItem::Fn(method) = inner else { continue };
            if !is_hidden(&method.attrs) {
                self.mention(source, &home.0, name, &method.sig);
                self.item(format!("{name}::{}: {}", method.sig.ident, flat(&method.sig)));
            }
        }
    }

    /// Methods and constants of a type, and the traits that it has.
    fn blocks(&mut self, source: &Source, home: &Home, name: &str, attrs: &[syn::Attribute]) {
        let mut traits: BTreeSet<String> = derived(attrs);
        for (module, block) in source.impls(home) {
            if let Some((_, of, _)) = &block.trait_ {
                traits.insert(flat(of));
                continue;
            }
            for inner in &block.items {
                match inner {
                    syn::ImplItem::Fn(method)
                        if matches!(method.vis, syn::Visibility::Public(_))
                            && !is_hidden(&method.attrs) =>
                    {
                        let full = format!("{name}::{}", method.sig.ident);
                        self.mention(source, module, &full, &method.sig);
                        self.item(format!("{full}: {}", flat(&method.sig)));
                    }
                    syn::ImplItem::Const(constant)
                        if matches!(constant.vis, syn::Visibility::Public(_))
                            && !is_hidden(&constant.attrs) =>
                    {
                        self.mention(source, module, name, &constant.ty);
                        let full = format!("{name}::{}", constant.ident);
                        self.item(format!("{full}: const {}", flat(&constant.ty)));
                    }
                    _ => {}
                }
            }
        }
        let traits: Vec<String> = traits.into_iter().collect();
        self.lines.push(format!("{name}: impl {}", traits.join(", ")));
    }

    /// Notes the things of these crates in a signature.
    fn mention(&mut self, source: &Source, module: &Module, place: &str, part: &impl Visited) {
        let mut paths = Paths::default();
        part.visited(&mut paths);
        for path in paths.0 {
            let Some(home) = source.home(module, &path) else { continue };
            match source.item(&home) {
                // `Result` of a module: what stands behind it counts.
                Some(syn::Item::Type(alias))
                    if !matches!(alias.vis, syn::Visibility::Public(_)) =>
                {
                    self.mention(source, &home.0, place, alias.ty.as_ref());
                }
                _ => self.mentioned.push((home, place.to_owned())),
            }
        }
    }
}

/// The paths in a signature.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(words(path));
        visit::visit_path(self, path);
    }
}

trait Visited {
    fn visited(&self, paths: &mut Paths);
}

impl Visited for syn::Signature {
    fn visited(&self, paths: &mut Paths) {
        paths.visit_signature(self);
    }
}

impl Visited for syn::Type {
    fn visited(&self, paths: &mut Paths) {
        paths.visit_type(self);
    }
}

/// What is derived, as the traits' names.
fn derived(attributes: &[syn::Attribute]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        let parsed = attribute.parse_nested_meta(|meta| {
            found.extend(meta.path.segments.last().map(|word| word.ident.to_string()));
            Ok(())
        });
        parsed.expect("derive has a list of paths");
    }
    found
}

/// What a user notices of the attributes.
fn marks(attributes: &[syn::Attribute]) -> String {
    let of = |name: &str| attributes.iter().any(|attribute| attribute.path().is_ident(name));
    let mut text = String::new();
    for name in ["non_exhaustive", "must_use"] {
        if of(name) {
            text += &format!(" #[{name}]");
        }
    }
    text
}

/// The source of something on one line.
fn flat(part: &impl Spanned) -> String {
    let text = part.span().source_text().expect("it was read from a file");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("( ", "(").replace(", )", ")").replace(",)", ")")
}
