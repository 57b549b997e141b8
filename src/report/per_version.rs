//! A number for each version of a service.

use serde::{Serialize, Serializer};

use coalmine_core::traffic::Traffic;
use coalmine_core::values::Version;

/// A number for each version, in the order of the versions' names. There are many services and each has
/// few versions: a tree's node would have room for eleven.
#[derive(Clone, Debug, PartialEq)]
pub struct PerVersion<N>(Box<[(Box<str>, N)]>);

impl<N: Copy> PerVersion<N> {
    /// Each version and its number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, N)> {
        self.0.iter().map(|(version, number)| (&**version, *number))
    }

    /// Another number for each version, or none.
    pub fn filter_map<M>(&self, number: impl Fn(&str, N) -> Option<M>) -> PerVersion<M> {
        let of = |(version, own): &(Box<str>, N)| Some((version.clone(), number(version, *own)?));
        PerVersion(self.0.iter().filter_map(of).collect())
    }
}

impl PerVersion<u8> {
    /// Each version's share of the requests without the canary's headers, in percent.
    pub fn of_weights(traffic: &Traffic) -> Self {
        traffic.weights().map(|(version, weight)| (version, weight.percent())).collect()
    }
}

impl<N> Default for PerVersion<N> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<'a, N> FromIterator<(&'a Version, N)> for PerVersion<N> {
    fn from_iter<I: IntoIterator<Item = (&'a Version, N)>>(numbers: I) -> Self {
        let numbers =
            numbers.into_iter().map(|(version, number)| (version.as_str().into(), number));
        let mut numbers: Box<[(Box<str>, N)]> = numbers.collect();
        numbers.sort_by(|a, b| a.0.cmp(&b.0));
        Self(numbers)
    }
}

impl<N: Copy + Serialize> Serialize for PerVersion<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    #[test]
    fn it_is_shown_as_a_mapping_in_the_order_of_the_names() {
        let service = service(
            "deployment: {v2: {}, v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n",
        );
        let names: Vec<_> = service.versions.keys().rev().collect();
        let numbers: PerVersion<u8> = names.into_iter().zip([2, 1]).collect();
        assert_eq!(serde_json::to_string(&numbers).expect("JSON"), r#"{"v1":1,"v2":2}"#);
    }
}
