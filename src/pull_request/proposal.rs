//! What a pull request says.

use coalmine_core::sanitize::sanitize;
use sha2::{Digest, Sha256};

use crate::source::Edit;

/// A pull request as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The branch of our own.
    pub(super) branch: String,
    /// The branch that the daemon follows.
    pub(super) base: String,
    pub(super) title: String,
    pub(super) body: String,
    mark: String,
}

/// The branch for the pull requests of a service. `instance` is that of the daemon.
pub fn branch(instance: &str, service: &str) -> String {
    format!("coalmine/{instance}/{service}")
}

impl Proposal {
    /// The pull request for an edit whose commit is on `branch`.
    pub fn of(edit: &Edit, branch: &str, base: &str) -> Self {
        let mut mark = Sha256::new();
        for part in [&edit.file, &edit.trailers.step, &edit.trailers.started_by] {
            mark.update(part.as_bytes());
            mark.update([0]);
        }
        let mark: String = mark.finalize().iter().take(8).map(|it| format!("{it:02x}")).collect();
        let mark = format!("<!-- coalmine: {mark} -->");
        let message = edit.message();
        let (title, rest) = message.split_once('\n').unwrap_or((&message, ""));
        // The text of the commit as it is: what looks like markup in it has no effect.
        let fence = "`".repeat(longest_run(rest, '`').max(2) + 1);
        let body = format!(
            "The daemon proposes the next step of this rollout. Merge it to go on; close it to stay at this step. \
             An abort needs no merge.\n\n{fence}text\n{}\n{fence}\n\n{mark}\n",
            rest.trim()
        );
        let title = sanitize(title).into_owned();
        Self { branch: branch.to_owned(), base: base.to_owned(), title, body, mark }
    }

    /// Whether a body is about the same step of the same rollout.
    pub(super) fn is_about(&self, body: &str) -> bool {
        body.contains(&self.mark)
    }

    /// Whether a body is this one; forges change line ends and the space around it.
    pub(super) fn is_body(&self, body: &str) -> bool {
        let plain = |text: &str| text.replace('\r', "").trim().to_owned();
        plain(body) == plain(&self.body)
    }
}

/// The length of the longest run of a character.
fn longest_run(text: &str, wanted: char) -> usize {
    let runs = text.split(|character| character != wanted);
    runs.map(str::len).max().unwrap_or(0)
}
