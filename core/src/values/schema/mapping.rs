//! The declaration of a mapping's keys.

use std::marker::PhantomData;

/// A mapping whose keys are known. The macro `mapping!` declares one.
pub(in crate::values) trait Mapping: Sized + 'static {
    /// The names of its keys, in the order of the schema.
    const KEYS: &'static [&'static str];

    /// Its keys, in the order of the schema.
    fn keys() -> impl Iterator<Item = Key<Self>> {
        Self::KEYS.iter().map(|name| Key::new(name))
    }
}

/// A key of the mapping `M`, which stands in the schema.
pub(in crate::values) struct Key<M> {
    name: &'static str,
    mapping: PhantomData<fn() -> M>,
}

impl<M> Key<M> {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, mapping: PhantomData }
    }

    /// The name that the key has in a file.
    pub(in crate::values) fn name(&self) -> &'static str {
        self.name
    }
}

/// Declares a mapping: a struct for its schema, and for each key a function of the struct, by which the reader
/// takes the key's value. A key without such a function cannot be read, and the compiler reports a function that
/// no reader calls as dead code.
///
/// `field as "fieldName": Type` is a key whose name in a file differs from the field's.
macro_rules! mapping {
    ($(#[$about:meta])* $name:ident {
        $($(#[$meta:meta])* $field:ident $(as $key:literal)?: $type:ty,)*
    }) => {
        #[derive(schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$about])*
        #[expect(dead_code, reason = "only its schema is used")]
        pub(in crate::values) struct $name {
            $($(#[serde(rename = $key)])? $(#[$meta])* $field: $type,)*
        }

        impl $crate::values::schema::mapping::Mapping for $name {
            const KEYS: &'static [&'static str] = &[$([$($key,)? stringify!($field)][0]),*];
        }

        impl $name {
            $(
                pub(in crate::values) fn $field() -> $crate::values::schema::mapping::Key<Self> {
                    $crate::values::schema::mapping::Key::new([$($key,)? stringify!($field)][0])
                }
            )*
        }
    };
}

pub(super) use mapping;
