//! What one message means. Pure: headers and bytes in, a verdict out, and nothing is parsed before the
//! sender has shown that it knows the secret.
//!
//! The signatures: GitHub's `X-Hub-Signature-256` ("Validating webhook deliveries"), Gitea's
//! `X-Gitea-Signature` and Forgejo's `X-Forgejo-Signature` ("Webhooks" in their manuals) are all the
//! body's HMAC-SHA256 in hexadecimal digits; GitLab's `X-Gitlab-Token` ("Webhooks", "Validate payloads
//! by using a secret token") is the secret itself. GitHub's older SHA-1 signature does not count.

use axum::http::HeaderMap;
use serde::Deserialize;

use crate::secret::Secret;

/// Headers with the body's HMAC-SHA256, and what stands before the digits.
const SIGNATURES: [(&str, &str); 3] =
    [("x-hub-signature-256", "sha256="), ("x-forgejo-signature", ""), ("x-gitea-signature", "")];
/// The header with the secret itself.
const TOKEN: &str = "x-gitlab-token";
/// Headers that name the event, and how each server calls a push.
const EVENTS: [(&str, &[&str]); 4] = [
    ("x-github-event", &["push"]),
    ("x-forgejo-event", &["push"]),
    ("x-gitea-event", &["push"]),
    ("x-gitlab-event", &["Push Hook", "System Hook"]),
];

/// What an authenticated message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Our branch moved.
    Fetch,
    /// A push to another branch or of a tag.
    OtherBranch,
    /// A ping, an issue, or whatever else is no push.
    OtherEvent,
}

/// Why a message is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing shows that the sender knows the secret.
    #[error("no signature: give the webhook the secret of --webhook-secret-file")]
    Unsigned,
    /// The sender does not know the secret, or the message was changed in transit.
    #[error("wrong signature: the webhook's secret is not that of --webhook-secret-file")]
    WrongSignature,
    /// A push in a form that is not understood.
    #[error("not a push in JSON: choose the content type application/json")]
    Unreadable,
}

/// What a push says that matters here. The rest is neither read nor trusted.
#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    reference: String,
}

/// What a message means to whoever follows `branch`.
///
/// # Errors
/// See [`Refused`].
pub fn judge(
    headers: &HeaderMap,
    body: &[u8],
    secret: &Secret,
    branch: &str,
) -> Result<Verdict, Refused> {
    authenticate(headers, body, secret)?;
    let named = EVENTS.iter().find_map(|(header, pushes)| Some((headers.get(*header)?, *pushes)));
    if named.is_some_and(|(event, pushes)| !pushes.iter().any(|push| event == push)) {
        return Ok(Verdict::OtherEvent);
    }
    let push: Push = match serde_json::from_slice(body) {
        Ok(push) => push,
        // GitLab's system hooks tell of everything under one name.
        Err(error) if error.is_data() && headers.contains_key("x-gitlab-event") => {
            return Ok(Verdict::OtherEvent);
        }
        Err(_) => return Err(Refused::Unreadable),
    };
    let ours = push.reference.strip_prefix("refs/heads/") == Some(branch);
    Ok(if ours { Verdict::Fetch } else { Verdict::OtherBranch })
}

/// One right proof is enough: whoever gave it knows the secret, whatever else stands in the headers.
fn authenticate(headers: &HeaderMap, body: &[u8], secret: &Secret) -> Result<(), Refused> {
    let signatures = SIGNATURES.iter().flat_map(|(name, prefix)| {
        headers.get_all(*name).iter().map(|value| {
            let digits = value.as_bytes().strip_prefix(prefix.as_bytes());
            digits.and_then(bytes).is_some_and(|signature| secret.signed(body, &signature))
        })
    });
    let tokens = headers.get_all(TOKEN).iter().map(|token| secret.is(token.as_bytes()));
    let mut proofs = signatures.chain(tokens).peekable();
    if proofs.peek().is_none() {
        return Err(Refused::Unsigned);
    }
    if proofs.any(|right| right) { Ok(()) } else { Err(Refused::WrongSignature) }
}

/// The 32 bytes of 64 hexadecimal digits.
fn bytes(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const PUSH: &[u8] = br#"{"ref": "refs/heads/main", "after": "0123", "commits": [{"id": 1}]}"#;

    fn secret() -> Secret {
        Secret::parse(b"It's a Secret to Everybody").unwrap()
    }

    /// Digits that this very code did not make: `openssl dgst -sha256 -hmac` over [`PUSH`].
    const SIGNATURE: &str = "53cffa1e20b8fd75e92f28abff09778611496f09613e85063e989b80196c5ffd";

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        given.iter().map(pair).collect()
    }

    fn judged(given: &[(&'static str, &str)], body: &[u8]) -> Result<Verdict, Refused> {
        judge(&headers(given), body, &secret(), "main")
    }

    fn github(event: &str, body: &[u8], branch: &str) -> Result<Verdict, Refused> {
        let given =
            headers(&[("x-github-event", event), ("x-gitlab-token", "It's a Secret to Everybody")]);
        judge(&given, body, &secret(), branch)
    }

    #[test]
    fn every_server_s_proof_is_understood() {
        let github = format!("sha256={SIGNATURE}");
        for given in [
            [("x-hub-signature-256", github.as_str()), ("x-github-event", "push")],
            [("x-gitea-signature", SIGNATURE), ("x-gitea-event", "push")],
            [("x-forgejo-signature", SIGNATURE), ("x-forgejo-event", "push")],
            [("x-gitlab-token", "It's a Secret to Everybody"), ("x-gitlab-event", "Push Hook")],
        ] {
            assert_eq!(judged(&given, PUSH), Ok(Verdict::Fetch), "{given:?}");
        }
        assert_eq!(judged(&[("x-gitea-signature", SIGNATURE)], PUSH), Ok(Verdict::Fetch));
    }

    #[test]
    fn without_a_proof_or_with_a_wrong_one_nothing_is_heard() {
        assert_eq!(judged(&[("x-github-event", "push")], PUSH), Err(Refused::Unsigned));
        let sha1 = "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6";
        assert_eq!(judged(&[("x-hub-signature", sha1)], PUSH), Err(Refused::Unsigned));
        let (short, github) = (&SIGNATURE[..62], format!("sha256={SIGNATURE}"));
        let changed = SIGNATURE.replacen(|digit: char| digit != '0', "0", 1);
        for (name, value) in [
            ("x-gitea-signature", short),
            ("x-gitea-signature", ""),
            ("x-gitea-signature", &changed),
            ("x-gitea-signature", &github),
            ("x-hub-signature-256", SIGNATURE),
            ("x-gitlab-token", "It's a Secret"),
            ("x-gitlab-token", ""),
        ] {
            assert_eq!(
                judged(&[(name, value)], PUSH),
                Err(Refused::WrongSignature),
                "{name} {value}"
            );
        }
        let signed = [("x-gitea-signature", SIGNATURE)];
        assert_eq!(judged(&signed, b"{}"), Err(Refused::WrongSignature), "another body");
    }

    #[test]
    fn only_a_push_to_the_followed_branch_asks_for_a_fetch() {
        let tag = br#"{"ref": "refs/tags/main"}"#;
        assert_eq!(github("push", PUSH, "main"), Ok(Verdict::Fetch));
        assert_eq!(github("push", PUSH, "mai"), Ok(Verdict::OtherBranch));
        assert_eq!(github("push", PUSH, "release/main"), Ok(Verdict::OtherBranch));
        assert_eq!(github("push", tag, "main"), Ok(Verdict::OtherBranch));
    }

    #[test]
    fn another_event_is_ignored_whatever_it_holds() {
        assert_eq!(github("ping", br#"{"zen": "Keep it"}"#, "main"), Ok(Verdict::OtherEvent));
        assert_eq!(github("issues", b"payload=%7B%7D", "main"), Ok(Verdict::OtherEvent));
        let token = ("x-gitlab-token", "It's a Secret to Everybody");
        let system = [token, ("x-gitlab-event", "System Hook")];
        assert_eq!(judged(&system, br#"{"event_name": "key_create"}"#), Ok(Verdict::OtherEvent));
        assert_eq!(judged(&system, PUSH), Ok(Verdict::Fetch));
    }

    #[test]
    fn a_push_that_cannot_be_read_is_told_so() {
        for body in [&b""[..], b"payload=%7B%7D", b"{", b"[]", br#"{"ref": 1}"#, b"\xff"] {
            assert_eq!(github("push", body, "main"), Err(Refused::Unreadable), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_secret_opens_the_door(
            name in prop::sample::select(vec!["x-hub-signature-256", "x-gitea-signature", TOKEN]),
            value in "(sha256=)?[0-9a-f]{0,70}|[ -~]{0,40}",
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let refused = judged(&[(name, &value)], &body);
            prop_assert_eq!(refused, Err(Refused::WrongSignature));
        }

        #[test]
        fn no_body_upsets_who_knows_the_secret(body in prop::collection::vec(any::<u8>(), 0..200)) {
            // Any verdict will do; a panic would not.
            let _ = github("push", &body, "main");
        }
    }
}
