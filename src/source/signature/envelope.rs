//! A commit as git stores it, taken apart into its signature and what was signed.

/// The header that holds the signature; its further lines begin with a space (gitformat-signature).
const HEADER: &str = "gpgsig ";

/// The signature, and the commit without it; nothing if the commit is not signed.
///
/// Only headers count: what looks like a signature in the message was written by anybody.
///
/// # Errors
/// A commit with two signatures, which different readers would read differently.
pub(super) fn open(commit: &[u8]) -> Result<Option<(String, Vec<u8>)>, String> {
    let end =
        commit.windows(2).position(|pair| pair == b"\n\n").map_or(commit.len(), |end| end + 1);
    let (headers, message) = commit.split_at(end);
    let mut signature: Option<Vec<u8>> = None;
    let mut payload = Vec::with_capacity(commit.len());
    let mut inside = false;
    for line in headers.split_inclusive(|byte| *byte == b'\n') {
        match (&mut signature, line) {
            (Some(signature), [b' ', rest @ ..]) if inside => signature.extend(rest),
            (None, _) if line.starts_with(HEADER.as_bytes()) => {
                signature = Some(line[HEADER.len()..].to_vec());
                inside = true;
            }
            (Some(_), _) if line.starts_with(HEADER.as_bytes()) => {
                return Err("it has two signatures".to_owned());
            }
            _ => {
                payload.extend(line);
                inside = false;
            }
        }
    }
    payload.extend(message);
    let Some(signature) = signature else { return Ok(None) };
    let signature = String::from_utf8(signature).map_err(|_| "its signature is no text")?;
    Ok(Some((signature, payload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(commit: &str) -> Option<(String, String)> {
        let (signature, payload) = open(commit.as_bytes()).unwrap()?;
        Some((signature, String::from_utf8(payload).unwrap()))
    }

    #[test]
    fn the_signature_is_taken_out_and_the_rest_stays_as_it_is() {
        let commit = "tree 1\nauthor A\ngpgsig one\n two\n  three\n \nencoding x\n folded\n\nsubject\n\n indented\n";
        let (signature, payload) = opened(commit).unwrap();
        assert_eq!(signature, "one\ntwo\n three\n\n");
        assert_eq!(payload, "tree 1\nauthor A\nencoding x\n folded\n\nsubject\n\n indented\n");
    }

    #[test]
    fn a_signature_in_the_message_is_none() {
        assert_eq!(opened("tree 1\n\nsubject\n\ngpgsig one\n two\n"), None);
        assert_eq!(opened("tree 1\ngpgsignature one\n\nsubject\n"), None);
        assert_eq!(opened(""), None);
    }

    #[test]
    fn two_signatures_are_refused() {
        let error = open(b"tree 1\ngpgsig one\ngpgsig two\n\nsubject\n").unwrap_err();
        assert_eq!(error, "it has two signatures");
    }

    #[test]
    fn a_commit_without_a_message_has_headers_all_the_same() {
        let (signature, payload) = opened("tree 1\ngpgsig one\n two").unwrap();
        assert_eq!((signature.as_str(), payload.as_str()), ("one\ntwo", "tree 1\n"));
    }
}
