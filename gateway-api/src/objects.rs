//! Objects by name, shared between copies.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use crate::ResourceRef;

/// Things by the name of their object, in the order of namespace and name. A copy shares them; what is put in and is
/// equal to what is there changes nothing.
#[derive(Debug, PartialEq)]
pub(crate) struct Table<T>(Arc<BTreeMap<Arc<ResourceRef>, Arc<T>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Table<T> {
    type Target = BTreeMap<Arc<ResourceRef>, Arc<T>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: PartialEq> Table<T> {
    pub(crate) fn put(&mut self, reference: ResourceRef, thing: T) {
        if self.0.get(&reference).is_some_and(|known| **known == thing) {
            return;
        }
        Arc::make_mut(&mut self.0).insert(Arc::new(reference), Arc::new(thing));
    }

    /// Says whether there was one.
    pub(crate) fn remove(&mut self, reference: &ResourceRef) -> bool {
        self.0.contains_key(reference)
            && Arc::make_mut(&mut self.0).remove(Borrow::<ResourceRef>::borrow(reference)).is_some()
    }
}

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
