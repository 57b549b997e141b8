//! The pairs of routes that may have requests in common, found without comparing each with each.

use std::collections::BTreeMap;

use gloo::config::{Match, PathMatch, ValueMatch};

/// A condition that only one value fulfils, and that value.
type Exact<'a> = (Condition<'a>, &'a str);

/// The matcher of a route, as far as pairs are found by it.
pub(super) trait Matcher {
    /// What every path begins with that it takes.
    fn beginning(&self) -> String;

    /// The conditions that only one value fulfils.
    fn exact_conditions(&self) -> Vec<Exact<'_>>;
}

/// Calls `found` with the positions `(i, j)`, `i < j`, of matchers that may have requests in common, of which
/// `concerns` one at least.
///
/// Sorted by the beginnings of their paths, such routes lie behind one another; of those with one beginning, the ones
/// whose exact condition on a header or a parameter has another value are passed over. So this takes as long as there
/// are routes and pairs to tell, not the square of the routes.
pub(super) fn pairs<M: Matcher, E>(
    matchers: &[&M],
    concerns: impl Fn(usize) -> bool,
    mut found: impl FnMut(usize, usize) -> Result<(), E>,
) -> Result<(), E> {
    let beginning = |matcher: &M| matcher.beginning().to_ascii_lowercase();
    let mut order: Vec<(String, usize)> =
        matchers.iter().enumerate().map(|(at, it)| (beginning(it), at)).collect();
    order.sort();
    let mut outer: Vec<(&str, Level<'_>)> = Vec::new();
    for (beginning, at) in &order {
        while outer.last().is_some_and(|(last, _)| !beginning.starts_with(last)) {
            outer.pop();
        }
        let (matcher, concerned) = (matchers[*at], concerns(*at));
        let conditions: BTreeMap<Condition<'_>, &str> =
            matcher.exact_conditions().into_iter().collect();
        for (_, level) in &outer {
            level.meets(&conditions, concerned, |other| found(other.min(*at), other.max(*at)))?;
        }
        match outer.last_mut().filter(|(last, _)| last == beginning) {
            Some((_, level)) => level.add(matcher, *at, concerned),
            None => {
                let mut level = Level::default();
                level.add(matcher, *at, concerned);
                outer.push((beginning, level));
            }
        }
    }
    Ok(())
}

/// Routes whose paths have one beginning.
#[derive(Default)]
struct Level<'a> {
    /// By the name of an exact condition, then by its value: no request fulfils two of one name.
    exact: BTreeMap<Condition<'a>, BTreeMap<&'a str, Members>>,
    others: Members,
}

/// What an exact condition is about.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition<'a> {
    /// A header, in small letters.
    Header(String),
    /// A parameter of the query.
    Query(&'a str),
}

/// Positions of routes.
#[derive(Default)]
struct Members {
    all: Vec<usize>,
    concerned: Vec<usize>,
}

impl<'a> Level<'a> {
    fn add(&mut self, matcher: &'a impl Matcher, at: usize, concerned: bool) {
        let members = match matcher.exact_conditions().into_iter().next() {
            Some((condition, value)) => {
                self.exact.entry(condition).or_default().entry(value).or_default()
            }
            None => &mut self.others,
        };
        members.all.push(at);
        if concerned {
            members.concerned.push(at);
        }
    }

    /// Those that may take requests of a matcher with these exact conditions; only the concerned ones unless it is
    /// concerned itself.
    fn meets<E>(
        &self,
        conditions: &BTreeMap<Condition<'_>, &str>,
        concerned: bool,
        mut found: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tell = |members: &Members| {
            let members = if concerned { &members.all } else { &members.concerned };
            members.iter().try_for_each(|at| found(*at))
        };
        tell(&self.others)?;
        for (condition, by_value) in &self.exact {
            match conditions.get(condition) {
                Some(value) => by_value.get(value).map_or(Ok(()), &mut tell)?,
                None => by_value.values().try_for_each(&mut tell)?,
            }
        }
        Ok(())
    }
}

impl Matcher for Match {
    fn beginning(&self) -> String {
        self.path.as_ref().map(PathMatch::beginning).unwrap_or_default()
    }

    fn exact_conditions(&self) -> Vec<Exact<'_>> {
        let headers = self.headers.iter().filter(|it| !it.invert && it.name != ":method");
        let headers = headers.filter_map(|it| match &it.value {
            ValueMatch::Exact(value) => {
                Some((Condition::Header(it.name.to_ascii_lowercase()), value))
            }
            ValueMatch::Regex(_) | ValueMatch::Present => None,
        });
        let query = self.query.iter().filter_map(|it| match &it.value {
            ValueMatch::Exact(value) => Some((Condition::Query(&it.name), value)),
            ValueMatch::Regex(_) | ValueMatch::Present => None,
        });
        headers.chain(query).map(|(condition, value)| (condition, value.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use gloo::config::{HeaderMatch, QueryMatch};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::overlap::{covers, meet, takes_from};
    use super::*;

    fn value() -> impl Strategy<Value = ValueMatch> {
        prop_oneof![
            3 => select(vec!["one", "two"]).prop_map(|it| ValueMatch::Exact(it.into())),
            1 => Just(ValueMatch::Regex("o.*".into())),
            1 => Just(ValueMatch::Present),
        ]
    }

    fn matcher() -> impl Strategy<Value = Match> {
        let text =
            || select(vec!["/", "/a", "/A/b", "/a/b", "/a/b/c", "/d"]).prop_map(str::to_owned);
        let path = prop_oneof![
            text().prop_map(PathMatch::Prefix),
            text().prop_map(PathMatch::Exact),
            text().prop_map(|it| PathMatch::Regex(format!("{it}[a-z/]*"))),
            Just(PathMatch::Connect),
        ];
        let name = || select(vec!["stage", "Stage", "tenant", ":method"]).prop_map(str::to_owned);
        let header = (name(), value(), any::<bool>());
        let header = header.prop_map(|(name, value, invert)| HeaderMatch { name, value, invert });
        let query = (select(vec!["q", "Q"]), value());
        let query = query.prop_map(|(name, value)| QueryMatch { name: name.into(), value });
        let blind = select(vec![None, Some(true), Some(false)]);
        (path, blind, vec(header, 0..3), vec(query, 0..2)).prop_map(
            |(path, case_sensitive, headers, query)| Match {
                path: Some(path),
                case_sensitive,
                headers,
                query,
            },
        )
    }

    proptest! {
        #[test]
        fn every_pair_with_requests_in_common_is_told_once(
            matchers in vec((matcher(), any::<bool>()), 0..12)
        ) {
            let (matchers, concerned): (Vec<Match>, Vec<bool>) = matchers.into_iter().unzip();
            let matchers: Vec<&Match> = matchers.iter().collect();
            let mut told = BTreeSet::new();
            let end = pairs(&matchers, |at| concerned[at], |i, j| {
                assert!(told.insert((i, j)), "twice");
                assert!(i < j && (concerned[i] || concerned[j]), "{i} {j}");
                Ok::<(), Infallible>(())
            });
            prop_assert_eq!(end, Ok(()));
            for (i, one) in matchers.iter().enumerate() {
                for (j, other) in matchers.iter().enumerate().skip(i + 1) {
                    let common = meet(one, other) || takes_from(one, other) || covers(one, other);
                    let expected = common && (concerned[i] || concerned[j]);
                    prop_assert!(!expected || told.contains(&(i, j)), "{:?} {:?}", one, other);
                }
            }
        }
    }
}
