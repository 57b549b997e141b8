//! The modules of a crate, and what each imports from which other one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A module's path within its crate, such as `plan::ready`; empty for the root.
pub(crate) type Name = Vec<String>;

/// All modules of a crate that are files of their own, without those for tests.
pub(crate) struct Modules(BTreeMap<Name, Module>);

#[derive(Default)]
struct Module {
    /// What it names of others: paths as they are written, by segments.
    paths: BTreeSet<Name>,
    /// What it hands on: the name, and the path it stands for.
    exports: BTreeMap<String, Name>,
    /// What is brought into its scope by a name: modules among it.
    scope: BTreeMap<String, Name>,
}

impl Modules {
    /// Reads a crate's sources.
    pub(crate) fn read(sources: &Path) -> Self {
        let mut modules = BTreeMap::new();
        for root in ["lib.rs", "main.rs"].map(|name| sources.join(name)) {
            if root.exists() {
                read(&root, sources, Name::new(), &mut modules);
                break;
            }
        }
        Self(modules)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names of those right below the root.
    pub(crate) fn top_level(&self) -> BTreeSet<&str> {
        self.0.keys().filter_map(|name| name.first()).map(String::as_str).collect()
    }

    /// Who imports what from whom: importer, the module in which the name is defined, the name.
    pub(crate) fn imports(&self) -> Vec<(Name, Name, String)> {
        let mut imports = Vec::new();
        for (name, module) in &self.0 {
            for path in &module.paths {
                if let Some((target, leaf)) = self.resolve(name, path, 0)
                    && target != *name
                {
                    imports.push((name.clone(), target, leaf));
                }
            }
        }
        imports
    }

    /// The module that defines what a path in `from` means, and the path's last name; `None` for other crates.
    fn resolve(&self, from: &Name, path: &[String], depth: usize) -> Option<(Name, String)> {
        let (first, rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => Name::new(),
            "self" => from.clone(),
            "super" => parent(from)?,
            child => {
                let below = [from.as_slice(), &[child.to_owned()]].concat();
                let in_scope = self.0.get(from)?.scope.get(child);
                match in_scope.filter(|_| depth < DEEPEST && !self.0.contains_key(&below)) {
                    Some(meant) if meant.first() != Some(first) || meant.len() > 1 => {
                        let whole = [meant.as_slice(), rest].concat();
                        return self.resolve(from, &whole, depth + 1);
                    }
                    _ => self.0.contains_key(&below).then_some(below)?,
                }
            }
        };
        for (index, segment) in rest.iter().enumerate() {
            if segment == "super" {
                module = parent(&module)?;
                continue;
            }
            if segment == "self" {
                break;
            }
            let below = [module.as_slice(), std::slice::from_ref(segment)].concat();
            if self.0.contains_key(&below) {
                module = below;
                continue;
            }
            return match self.0.get(&module)?.exports.get(segment) {
                Some(path) if depth < DEEPEST => {
                    let whole = [path.as_slice(), &rest[index + 1..]].concat();
                    self.resolve(&module, &whole, depth + 1)
                }
                _ => Some((module, segment.clone())),
            };
        }
        let leaf = path.last()?.clone();
        Some((module, leaf))
    }
}

/// How often a name is followed from where it is handed on.
const DEEPEST: usize = 8;

fn parent(name: &Name) -> Option<Name> {
    let (_, above) = name.split_last()?;
    Some(above.to_vec())
}

fn read(file: &Path, folder: &Path, name: Name, modules: &mut BTreeMap<Name, Module>) {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let syntax: File =
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = Reader::default();
    reader.visit_file(&syntax);
    for child in reader.children {
        let single = folder.join(format!("{child}.rs"));
        let below = folder.join(&child);
        let file = if single.exists() { single } else { below.join("mod.rs") };
        read(&file, &below, [name.as_slice(), &[child]].concat(), modules);
    }
    modules.insert(name, reader.module);
}

/// Collects what a file names, but for its tests.
#[derive(Default)]
struct Reader {
    module: Module,
    children: Vec<String>,
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        match &item.content {
            None => self.children.push(item.ident.to_string()),
            Some(_) => visit::visit_item_mod(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_private = matches!(item.vis, Visibility::Inherited);
        for (name, path) in flat(&item.tree, &Name::new()) {
            if !is_private {
                self.module.exports.insert(name.clone(), path.clone());
            }
            self.module.scope.insert(name, path.clone());
            self.module.paths.insert(path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments = path.segments.iter().map(|segment| segment.ident.to_string());
            self.module.paths.insert(segments.collect());
        }
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        attribute.path().is_ident("test")
            || is_cfg && attribute.parse_args::<syn::Ident>().is_ok_and(|flag| flag == "test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The names that a `use` brings into scope, each with its whole path.
fn flat(tree: &UseTree, before: &Name) -> Vec<(String, Name)> {
    let with = |ident: &syn::Ident| [before.as_slice(), &[ident.to_string()]].concat();
    match tree {
        UseTree::Path(path) => flat(&path.tree, &with(&path.ident)),
        UseTree::Name(name) if name.ident == "self" => {
            vec![(before.last().cloned().unwrap_or_default(), before.clone())]
        }
        UseTree::Name(name) => vec![(name.ident.to_string(), with(&name.ident))],
        UseTree::Rename(rename) => vec![(rename.rename.to_string(), with(&rename.ident))],
        UseTree::Glob(_) => vec![("*".to_owned(), before.clone())],
        UseTree::Group(group) => group.items.iter().flat_map(|tree| flat(tree, before)).collect(),
    }
}
