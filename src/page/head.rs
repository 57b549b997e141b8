//! What every page begins with: where we are, and how the source is doing.

use askama::Template;
use jiff::Timestamp;

use super::moment::Moment;
use super::readable;
use crate::report::Summary;
use crate::source::Revision;

/// What every page begins with.
pub(super) struct Head {
    pub(super) title: String,
    /// The way from the page to `/`, so that the pages also work below a path of a proxy.
    pub(super) root: &'static str,
    /// The status store's number when the page was made.
    pub(super) number: u64,
    pub(super) made: Moment,
    pub(super) standby: bool,
    /// The commit that was accepted last.
    pub(super) commit: Option<Commit>,
    /// A newer commit that was refused, shortened.
    pub(super) refused: Option<String>,
    /// What is wrong with the source.
    pub(super) error: Option<String>,
}

/// A commit as people know it.
pub(super) struct Commit {
    pub(super) id: String,
    pub(super) short: String,
    pub(super) author: String,
    pub(super) subject: String,
    pub(super) committed: Moment,
}

/// The page of a service that there is not.
#[derive(Template)]
#[template(path = "lost.html")]
pub(super) struct NotFound {
    pub(super) head: Head,
    pub(super) name: String,
}

impl Head {
    pub(super) fn of(
        title: &str,
        root: &'static str,
        summary: &Summary,
        number: u64,
        now: Timestamp,
    ) -> Self {
        let source = &summary.source;
        let is_refused = source.last_attempted_revision != source.accepted_revision;
        let refused = source.last_attempted_revision.as_deref().filter(|_| is_refused);
        Self {
            title: title.to_owned(),
            root,
            number,
            made: Moment::of(now, now),
            standby: summary.standby,
            commit: source.commit.as_ref().map(|commit| Commit::of(commit, now)),
            refused: refused.map(short),
            error: source.error.as_deref().map(readable),
        }
    }
}

impl Commit {
    pub(super) fn of(revision: &Revision, now: Timestamp) -> Self {
        Self {
            id: readable(&revision.id),
            short: short(&revision.id),
            author: readable(&revision.author),
            subject: readable(&revision.subject),
            committed: Moment::of(revision.committed, now),
        }
    }
}

/// The first seven digits of a commit's id.
pub(super) fn short(id: &str) -> String {
    readable(coalmine_core::tree::short(id))
}
