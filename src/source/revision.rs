//! One commit, as reports show it.

use serde::{Deserialize, Serialize};

/// The longest subject or author kept, in characters.
const LONGEST: usize = 120;

/// One commit of the followed branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit's full id.
    pub id: String,
    /// The author's name.
    pub author: String,
    /// The first line of the message.
    pub subject: String,
    /// When it was committed.
    pub committed: jiff::Timestamp,
}

impl Revision {
    /// The first seven digits of the id, as git shows it.
    pub fn short(&self) -> &str {
        coalmine_core::tree::short(&self.id)
    }

    /// What a commit says about itself. Anybody who can push chooses these texts and they end up on
    /// terminals, so control characters are dropped and the length is bounded.
    pub(crate) fn of(commit: &git2::Commit<'_>) -> Self {
        let author = commit.author();
        Self {
            id: commit.id().to_string(),
            author: printable(author.name_bytes()),
            subject: printable(commit.summary_bytes().unwrap_or_default()),
            committed: jiff::Timestamp::from_second(commit.time().seconds())
                .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        }
    }
}

fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_message_cannot_steer_the_terminal() {
        assert_eq!(printable(b"ship \x1b[2Jit\x07 now\xff"), "ship [2Jit now\u{fffd}");
        assert_eq!(printable("ä".repeat(500).as_bytes()).chars().count(), LONGEST);
    }
}
