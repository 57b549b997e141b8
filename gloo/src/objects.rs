//! Objects by name, shared between copies.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use crate::api::{ObjectRef, ResourceRef};

/// Things by the name of their object, in the order of namespace and name. A copy shares them; what
/// is put in and is equal to what is there changes nothing.
#[derive(Debug, PartialEq)]
pub struct Table<T>(Arc<BTreeMap<Arc<ResourceRef>, Arc<T>>>);

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
    /// Puts it in, unless an equal one is there.
    pub fn put(&mut self, reference: ResourceRef, thing: T) {
        if self.0.get(&reference).is_some_and(|known| **known == thing) {
            return;
        }
        Arc::make_mut(&mut self.0).insert(Arc::new(reference), Arc::new(thing));
    }

    /// Puts in what another table has; the two share it.
    pub fn extend(&mut self, other: &Self) {
        for (reference, thing) in other.iter() {
            if !self.0.get(reference).is_some_and(|known| known == thing) {
                Arc::make_mut(&mut self.0).insert(Arc::clone(reference), Arc::clone(thing));
            }
        }
    }

    /// Says whether there was one.
    pub fn remove(&mut self, reference: &ResourceRef) -> bool {
        self.0.contains_key(reference)
            && Arc::make_mut(&mut self.0).remove(Borrow::<ResourceRef>::borrow(reference)).is_some()
    }

    /// Whether one is an unchanged copy of the other.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The names of what the two have otherwise. Both are gone through once, in their order.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a ResourceRef> {
        let both = (!self.is(other)).then_some((self, other)).into_iter();
        both.flat_map(|(one, other)| {
            let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
            std::iter::from_fn(move || {
                loop {
                    let order = match (one.peek(), other.peek()) {
                        (None, None) => return None,
                        (Some(_), None) => Ordering::Less,
                        (None, Some(_)) => Ordering::Greater,
                        (Some((here, _)), Some((there, _))) if Arc::ptr_eq(here, there) => {
                            Ordering::Equal
                        }
                        (Some((here, _)), Some((there, _))) => here.cmp(there),
                    };
                    match order {
                        Ordering::Less => return one.next().map(|(name, _)| &**name),
                        Ordering::Greater => return other.next().map(|(name, _)| &**name),
                        Ordering::Equal => {
                            let ((name, here), (_, there)) = one.next().zip(other.next())?;
                            if !Arc::ptr_eq(here, there) && here != there {
                                return Some(name);
                            }
                        }
                    }
                }
            })
        })
    }
}

/// An object that Gloo can decode.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<S> {
    /// Labels that something may select it by.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) spec: S,
}

/// The objects of one of Gloo's kinds.
#[derive(Clone, Debug)]
pub(crate) struct Objects<S> {
    /// As they are, or were when they could last be decoded.
    decoded: Table<Object<S>>,
    /// Why the others cannot be decoded.
    faults: Table<String>,
}

impl<S> Default for Objects<S> {
    fn default() -> Self {
        Self { decoded: Table::default(), faults: Table::default() }
    }
}

impl<S: PartialEq> Objects<S> {
    pub(crate) fn put(
        &mut self,
        reference: ResourceRef,
        labels: BTreeMap<String, String>,
        spec: Result<S, String>,
    ) {
        match spec {
            Ok(spec) => {
                self.faults.remove(&reference);
                self.decoded.put(reference, Object { labels, spec });
            }
            Err(fault) => self.faults.put(reference, fault),
        }
    }

    /// Puts in what another has, as if one after the other.
    pub(crate) fn extend(&mut self, other: &Self) {
        for reference in other.decoded.keys() {
            self.faults.remove(reference);
        }
        self.decoded.extend(&other.decoded);
        self.faults.extend(&other.faults);
    }

    /// Says whether there was one.
    pub(crate) fn remove(&mut self, reference: &ResourceRef) -> bool {
        let faulty = self.faults.remove(reference);
        self.decoded.remove(reference) || faulty
    }

    pub(crate) fn contains(&self, reference: &ResourceRef) -> bool {
        self.decoded.contains_key(reference) || self.faults.contains_key(reference)
    }

    /// Whether both have the object alike.
    pub(crate) fn agrees(&self, other: &Self, reference: &ResourceRef) -> bool {
        self.decoded.get(reference) == other.decoded.get(reference)
            && self.faults.get(reference) == other.faults.get(reference)
    }

    /// All of them, if Gloo can decode all that it sees.
    pub(crate) fn readable(&self, sees: impl Fn(&str) -> bool) -> Option<&Table<Object<S>>> {
        let frozen = self.faults.keys().any(|reference| sees(&reference.namespace));
        (!frozen).then_some(&self.decoded)
    }

    /// Those that can be decoded, and those that could, as they were then.
    pub(crate) fn decoded(&self) -> &Table<Object<S>> {
        &self.decoded
    }

    pub(crate) fn repaired(&self) -> Self {
        Self { decoded: self.decoded.clone(), faults: Table::default() }
    }

    pub(crate) fn undecodable(&self, kind: &str) -> impl Iterator<Item = (ObjectRef, &str)> {
        self.faults.iter().map(move |(reference, fault)| {
            (ObjectRef::new(kind, &reference.namespace, &reference.name), fault.as_str())
        })
    }

    /// The objects that the two have otherwise; one that only one of them can decode, twice.
    pub(crate) fn differing<'a>(
        &'a self,
        other: &'a Self,
        kind: &'a str,
    ) -> impl Iterator<Item = ObjectRef> {
        let references = self.decoded.differing(&other.decoded);
        let references = references.chain(self.faults.differing(&other.faults));
        references.map(move |it| ObjectRef::new(kind, &it.namespace, &it.name))
    }

    /// Whether one is an unchanged copy of the other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.decoded.is(&other.decoded) && self.faults.is(&other.faults)
    }
}
