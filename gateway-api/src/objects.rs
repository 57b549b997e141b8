//! Objects with what counts of them beside their content.

use std::collections::BTreeMap;
use std::sync::Arc;

use gloo::Table;

use crate::ResourceRef;

/// What counts of an object beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Labels, by which others select it.
    pub(crate) labels: BTreeMap<String, String>,
    /// Annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// When it was made, as the API server writes it. Empty for one that is yet to be made: it is the youngest.
    pub(crate) created: String,
    /// Counts the changes of its content.
    pub(crate) generation: i64,
}

impl Meta {
    /// Orders by age, the oldest first.
    pub(crate) fn age(&self) -> (bool, &str) {
        (self.created.is_empty(), &self.created)
    }
}

/// An object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<S> {
    pub(crate) meta: Meta,
    pub(crate) spec: S,
    /// The fields that the CustomResourceDefinition does not know, for example `spec.rules[0].retry`.
    pub(crate) unknown: Vec<String>,
}

/// Puts in every object of `other`, as it stands once it was written. One that is there keeps its age, and the labels and
/// annotations that others gave it.
pub(crate) fn write_over<S: Clone + PartialEq>(
    table: &mut Table<Object<S>>,
    other: &Table<Object<S>>,
) {
    for (name, wanted) in other.iter() {
        let written = match table.get(name) {
            Some(known) => known.overwritten(wanted),
            None => Object::clone(wanted),
        };
        table.put(ResourceRef::clone(name), written);
    }
}

/// Whether there is the object, as `other` wants it.
pub(crate) fn has<S: Clone + PartialEq>(
    table: &Table<Object<S>>,
    other: &Table<Object<S>>,
    name: &ResourceRef,
) -> bool {
    match (table.get(name), other.get(name)) {
        (Some(known), Some(wanted)) => known.overwritten(wanted) == **known,
        (None, None) => true,
        _ => false,
    }
}

impl<S: Clone> Object<S> {
    /// The same after `wanted` was written over it.
    fn overwritten(&self, wanted: &Self) -> Self {
        let mut meta = self.meta.clone();
        meta.labels.extend(wanted.meta.labels.clone());
        meta.annotations.extend(wanted.meta.annotations.clone());
        Self { meta, spec: wanted.spec.clone(), unknown: wanted.unknown.clone() }
    }
}

/// `namespace/name`.
pub(crate) fn slashed(reference: &ResourceRef) -> String {
    format!("{}/{}", reference.namespace, reference.name)
}

/// The objects of one kind, oldest first, then by `namespace/name`: the order of the Gateway API for ties.
pub(crate) fn by_age<S>(table: &Table<Object<S>>) -> Vec<(&Arc<ResourceRef>, &Arc<Object<S>>)> {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_by(|(a, one), (b, other)| {
        one.meta.age().cmp(&other.meta.age()).then_with(|| slashed(a).cmp(&slashed(b)))
    });
    all
}
