//! Which of a service's paths answers where several fit.
//!
//! Gloo takes the routes of one table as they stand, and sorts those of several that are joined in one
//! VirtualService (gloo-conformance cases 10-*). A service's routes stand in the order in which Gloo
//! would sort them, so it means the same whoever else has a table there.

use std::cmp::Reverse;

use gloo::config;

use super::entry::{Entry, Problems};
use super::model::{Path, PathMatch};

impl PathMatch {
    /// Whether some request is claimed by both on equal terms, so that only chance decides.
    pub(super) fn collides(&self, other: &Self) -> bool {
        self.path == other.path
            && self.query_parameters == other.query_parameters
            && self.shares_methods(other)
    }

    /// Whether some method is taken by both.
    pub(super) fn shares_methods(&self, other: &Self) -> bool {
        self.methods.is_empty()
            || other.methods.is_empty()
            || !self.methods.is_disjoint(&other.methods)
    }

    /// Whether Gloo puts it before the other one, or may: of two that differ in the values of methods or parameters
    /// alone, it is not known which one takes what both match.
    pub(super) fn may_come_before(&self, other: &Self) -> bool {
        self.rank() <= other.rank()
    }

    fn rank(&self) -> impl Ord + '_ {
        let kind = match self.path {
            Path::Exact(_) => 0,
            Path::Regex(_) => 1,
            Path::Prefix(_) => 2,
        };
        let parameters = Reverse(self.query_parameters.len());
        (Reverse(self.methods.len()), kind, Reverse(self.path.text()), parameters)
    }

    /// Gloo's order: more methods come first, then exact paths, expressions and prefixes, then the text
    /// that is greater letter by letter, which of two prefixes of one path is the longer. Of what is
    /// left, and stays as it is written, the one with more conditions comes first.
    fn precedence(&self) -> impl Ord + '_ {
        (self.rank(), &self.methods, &self.query_parameters)
    }

    /// A text that all its paths begin with.
    pub(super) fn beginning(&self) -> String {
        match &self.path {
            Path::Exact(text) | Path::Prefix(text) => text.clone(),
            Path::Regex(text) => config::PathMatch::Regex(text.clone()).beginning(),
        }
    }
}

/// A path, where it is written, and a text that all its paths begin with.
struct Claim<'a> {
    claim: &'a PathMatch,
    at: &'a Entry,
    beginning: String,
}

impl Claim<'_> {
    /// Whether this one asks for requests that the other asks for too, and for no more than a part of
    /// them.
    fn is_part_of(&self, other: &Self) -> bool {
        let (part, whole) = (self.claim, other.claim);
        let is_below = match (&part.path, &whole.path) {
            (part, whole) if part == whole => true,
            (_, Path::Prefix(_)) | (Path::Exact(_), Path::Regex(_)) => {
                self.beginning.starts_with(&other.beginning)
            }
            _ => false,
        };
        let mut conditions = whole.query_parameters.iter();
        is_below
            && conditions.all(|(name, value)| part.query_parameters.get(name) == Some(value))
            && part.shares_methods(whole)
    }

    fn answers_like(&self, other: &Self) -> bool {
        self.claim.options == other.claim.options && self.claim.rest == other.claim.rest
    }
}

/// Puts the paths in the order of their routes. A path is refused that would lose requests to a wider one
/// which Gloo puts first, because it names more methods, and which has them answered in another way.
pub(super) fn sort(paths: &mut Vec<(PathMatch, &Entry)>, problems: &mut Problems) {
    paths.sort_by(|(one, _), (other, _)| one.precedence().cmp(&other.precedence()));
    let claims = paths.iter().map(|(claim, at)| Claim { claim, at, beginning: claim.beginning() });
    let claims: Vec<Claim<'_>> = claims.collect();
    for (index, late) in claims.iter().enumerate() {
        let mut earlier = claims[..index].iter();
        if let Some(early) = earlier.find(|it| late.is_part_of(it) && !late.answers_like(it)) {
            let (kind, text) = (early.claim.path.kind(), early.claim.path.text());
            let message = format!(
                "the {kind} path {text:?} would take its requests: Gloo puts the path with more \
                 methods first"
            );
            let help = "name as many methods here, or give both the same `options` and `rest`";
            problems.push(late.at.problem(message).help(help));
        }
    }
}
