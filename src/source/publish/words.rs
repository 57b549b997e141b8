//! What the words of a git server mean. Of a refusal it says nothing else.

use coalmine_core::sanitize::sanitize;

/// The most of a server's words that a message has, in characters.
const LONGEST_WORDS: usize = 600;

/// Whether these are the words of a server that does not let us push: GitHub's of a key without write access,
/// GitLab's, Gitea's, and those of a git server of one's own.
pub(super) fn is_denial(words: &str) -> bool {
    let words = words.to_lowercase();
    [
        "marked as read only",
        "not allowed to push",
        "permission denied",
        "permission to",
        "write access",
        "access denied",
        "not authorized",
        "user permission denied for writing",
        "service not enabled",
    ]
    .iter()
    .any(|known| words.contains(known))
}

/// Whether a server says that the branch moves at this moment.
pub(super) fn is_race(status: &str) -> bool {
    [
        "failed to update ref",
        "cannot lock ref",
        "fetch first",
        "non-fast-forward",
        "incorrect old value",
    ]
    .iter()
    .any(|known| status.contains(known))
}

/// A server's words on one line, without what could steer a terminal, and of a length that can be read.
pub(super) fn shown(words: &str) -> String {
    let lines = words.split(['\n', '\r']).map(|line| line.trim_end().trim_start_matches("remote:"));
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    let words = sanitize(&lines.join("; ")).into_owned();
    match words.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_are_one_line_that_steers_no_terminal() {
        assert_eq!(
            shown("pre-receive hook declined\nremote: \u{1b}[31mno\u{1b}[0m\r\n\n  ask ops\n"),
            "pre-receive hook declined; \\u{1b}[31mno\\u{1b}[0m; ask ops"
        );
        let long = shown(&"é".repeat(LONGEST_WORDS + 1));
        assert_eq!(long.chars().count(), LONGEST_WORDS + 1);
        assert!(long.ends_with("é…"));
    }

    #[test]
    fn refusals_for_want_of_a_right_are_told_from_others() {
        for words in [
            "ERROR: The key you are authenticating with has been marked as read only.",
            "GitLab: You are not allowed to push code to this project.",
            "Gitea: User permission denied for writing.",
            "ERROR: Permission to team/rollouts.git denied to bot.",
        ] {
            assert!(is_denial(words), "{words}");
        }
        assert!(!is_denial("early EOF"));
        assert!(!is_denial("pre-receive hook declined"));
    }
}
