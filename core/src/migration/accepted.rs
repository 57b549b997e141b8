//! What a person has accepted that is otherwise afterwards.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::Migration;
use super::difference::Kind;
use super::not_carried::Cause;

/// One word of `--accept`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepted {
    /// Requests that are answered otherwise in this way.
    Answered(Kind),
    /// Things that are not carried over for this reason.
    NotCarried(Cause),
    /// That not every class of requests was asked.
    Unasked,
}

/// The word for [`Accepted::Unasked`].
pub(super) const UNASKED: &str = "unasked";

impl FromStr for Accepted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == text).map(Self::Answered);
        let cause = || Cause::ALL.into_iter().find(|it| it.as_str() == text).map(Self::NotCarried);
        let unasked = || (text == UNASKED).then_some(Self::Unasked);
        kind.or_else(cause).or_else(unasked).ok_or_else(|| {
            let kinds = Kind::ALL.into_iter().map(Kind::as_str);
            let causes = Cause::ALL.into_iter().map(Cause::as_str);
            let all: Vec<&str> = kinds.chain(causes).chain([UNASKED]).collect();
            format!("expected one of {}", all.join(", "))
        })
    }
}

/// What a migration comes to, after what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is carried over and answered alike, or accepted.
    Same,
    /// Requests are answered otherwise.
    Differs,
    /// Something is not carried over.
    Lacking,
}

impl Migration {
    /// Marks what is accepted.
    pub fn accept(&mut self, accepted: &BTreeSet<Accepted>) {
        for it in &mut self.not_carried {
            it.accepted = accepted.contains(&Accepted::NotCarried(it.code));
        }
        for it in &mut self.differences {
            it.accepted = accepted.contains(&Accepted::Answered(it.kind));
        }
        self.is_cut_accepted = accepted.contains(&Accepted::Unasked);
    }

    /// What is left after what is accepted; what is not carried over weighs more than what is answered otherwise.
    pub fn outcome(&self) -> Outcome {
        if self.not_carried.iter().any(|it| !it.accepted) {
            Outcome::Lacking
        } else if self.differences.iter().any(|it| !it.accepted)
            || self.is_cut && !self.is_cut_accepted
        {
            Outcome::Differs
        } else {
            Outcome::Same
        }
    }

    /// The words of `--accept` for what is not accepted yet.
    pub fn to_accept(&self) -> Vec<&'static str> {
        let mut words: BTreeSet<&str> = BTreeSet::new();
        let lacks = self.not_carried.iter().filter(|it| !it.accepted);
        words.extend(lacks.map(|it| it.code.as_str()));
        let differences = self.differences.iter().filter(|it| !it.accepted);
        words.extend(differences.map(|it| it.kind.as_str()));
        words.extend((self.is_cut && !self.is_cut_accepted).then_some(UNASKED));
        words.into_iter().collect()
    }
}
