//! What one message means. Pure: headers and bytes in, a verdict out, and nothing is parsed before the
//! sender has shown that it knows the secret.
//!
//! The signatures: GitHub's `X-Hub-Signature-256` ("Validating webhook deliveries"), Bitbucket's
//! `X-Hub-Signature` ("Manage webhooks", Cloud and Data Center), Gitea's `X-Gitea-Signature`, Forgejo's
//! `X-Forgejo-Signature` and Gogs's `X-Gogs-Signature` ("Webhooks" in their manuals) are all the body's
//! HMAC-SHA256 in hexadecimal digits; GitLab's `X-Gitlab-Token` ("Webhooks", "Validate payloads by using
//! a secret token") is the secret itself, as is what `Authorization` carries: Azure DevOps knows only
//! HTTP Basic ("Webhooks", service hooks). GitHub's older SHA-1 signature does not count.

use axum::http::{HeaderMap, header};
use serde_json::Value;

use crate::secret::Secret;

/// Headers with the body's HMAC-SHA256, and what stands before the digits.
const SIGNATURES: [(&str, &str); 5] = [
    ("x-hub-signature-256", "sha256="),
    ("x-hub-signature", "sha256="),
    ("x-forgejo-signature", ""),
    ("x-gitea-signature", ""),
    ("x-gogs-signature", ""),
];
/// A signature that does not count, and that GitHub sends beside the one that does.
const WEAK: &[u8] = b"sha1=";
/// The header with the secret itself.
const TOKEN: &str = "x-gitlab-token";
/// Headers that name the event, and how each server calls a push.
const EVENTS: [(&str, &[&str]); 6] = [
    ("x-github-event", &["push"]),
    ("x-forgejo-event", &["push"]),
    ("x-gitea-event", &["push"]),
    ("x-gogs-event", &["push"]),
    ("x-gitlab-event", &["Push Hook", "System Hook"]),
    ("x-event-key", &["repo:push", "repo:refs_changed", "mirror:repo_synchronized"]),
];
/// What an authenticated message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Our branch moved, or may have: the message is in no form that is known.
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
}

/// What a message means to whoever follows `branch`. A fetch too many costs one question to the server,
/// so what is not understood asks for one.
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
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Ok(Verdict::Fetch) };
    if is_another_event(headers, &body) {
        return Ok(Verdict::OtherEvent);
    }
    let references = references(&body);
    let is_ours = |reference: &String| reference.strip_prefix("refs/heads/") == Some(branch);
    let fetch = references.is_empty() || references.iter().any(is_ours);
    Ok(if fetch { Verdict::Fetch } else { Verdict::OtherBranch })
}

/// Whether the body names an event that is no push: GitLab's system hooks tell of everything under one
/// header, and Azure DevOps under none. The same fields of an unknown sender may mean anything.
fn is_another_event(headers: &HeaderMap, body: &Value) -> bool {
    let differs = |field: &str, pushes: &[&str]| {
        body[field].as_str().is_some_and(|event| !pushes.contains(&event))
    };
    let is_gitlab = headers.contains_key("x-gitlab-event");
    let is_azure = body["publisherId"] == "tfs";
    is_gitlab && differs("event_name", &["push", "repository_update"])
        || is_azure && differs("eventType", &["git.push"])
}

/// The references that a push moved, as far as its form is known; the rest is neither read nor trusted.
fn references(push: &Value) -> Vec<String> {
    let items = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    // GitHub, GitLab, Gitea, Forgejo and Gogs; GitLab's system hook of a repository has a list.
    found.extend(full_name(&push["ref"], "branch"));
    found.extend(items(&push["refs"]).iter().filter_map(|name| full_name(name, "branch")));
    // Bitbucket Data Center, and GitLab's system hook again.
    for change in items(&push["changes"]) {
        let name = [&change["refId"], &change["ref"]["id"], &change["ref"]];
        found.extend(name.iter().find_map(|name| full_name(name, "branch")));
    }
    // Bitbucket Cloud: of a branch that is gone there is only the old one.
    for change in items(&push["push"]["changes"]) {
        let (new, old) = (&change["new"], &change["old"]);
        let moved = if new.is_null() { old } else { new };
        found.extend(full_name(&moved["name"], moved["type"].as_str().unwrap_or("branch")));
    }
    // Azure DevOps.
    let updates = items(&push["resource"]["refUpdates"]);
    found.extend(updates.iter().filter_map(|update| full_name(&update["name"], "branch")));
    found
}

/// The whole name of a reference; a short one is that of a branch, or of a tag.
fn full_name(name: &Value, kind: &str) -> Option<String> {
    let name = name.as_str().filter(|name| !name.is_empty())?;
    Some(match kind {
        _ if name.starts_with("refs/") => name.to_owned(),
        "tag" => format!("refs/tags/{name}"),
        _ => format!("refs/heads/{name}"),
    })
}

/// One right proof is enough: whoever gave it knows the secret, whatever else stands in the headers.
fn authenticate(headers: &HeaderMap, body: &[u8], secret: &Secret) -> Result<(), Refused> {
    let signatures = SIGNATURES.iter().flat_map(|(name, prefix)| {
        let values = headers.get_all(*name).iter();
        values.filter(|value| !value.as_bytes().starts_with(WEAK)).map(|value| {
            let digits = value.as_bytes().strip_prefix(prefix.as_bytes());
            digits.and_then(bytes).is_some_and(|signature| secret.signed(body, &signature))
        })
    });
    let tokens = headers.get_all(TOKEN).iter().map(|token| secret.is(token.as_bytes()));
    let credentials = headers.get_all(header::AUTHORIZATION).iter();
    let credentials = credentials.map(|credentials| secret.authorizes(credentials.as_bytes()));
    let mut proofs = signatures.chain(tokens).chain(credentials).peekable();
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

    /// `printf %s "ado:It's a Secret to Everybody" | base64`
    const BASIC: &str = "Basic YWRvOkl0J3MgYSBTZWNyZXQgdG8gRXZlcnlib2R5";

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
            [("x-hub-signature", github.as_str()), ("x-event-key", "repo:push")],
            [("x-gogs-signature", SIGNATURE), ("x-gogs-event", "push")],
            [("x-gitlab-token", "It's a Secret to Everybody"), ("x-gitlab-event", "Push Hook")],
            [("authorization", "Bearer It's a Secret to Everybody"), ("x-event-key", "repo:push")],
            [("authorization", BASIC), ("content-type", "application/json")],
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
            ("x-hub-signature", SIGNATURE),
            ("x-gogs-signature", short),
            ("x-gitlab-token", "It's a Secret"),
            ("x-gitlab-token", ""),
            ("authorization", "Bearer It's a Secret"),
            ("authorization", "Basic It's a Secret to Everybody"),
            ("authorization", "It's a Secret to Everybody"),
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
    fn a_push_of_unknown_form_asks_for_a_fetch() {
        for body in [
            &b""[..],
            b"payload=%7B%7D",
            b"{",
            b"[]",
            br#"{"ref": 1}"#,
            b"\xff",
            br#"{"repository": "rollouts"}"#,
            br#"{"push": {"changes": []}}"#,
            br#"{"event_name": "pushed", "eventType": "RepositoryPush"}"#,
        ] {
            assert_eq!(github("push", body, "main"), Ok(Verdict::Fetch), "{body:?}");
            let bearer = [("authorization", "Bearer It's a Secret to Everybody")];
            assert_eq!(judged(&bearer, body), Ok(Verdict::Fetch), "{body:?}");
        }
    }

    #[test]
    fn the_branches_of_every_server_s_push_are_understood() {
        let told = |body: &str, branch: &str| {
            let given = headers(&[("authorization", BASIC)]);
            judge(&given, body.as_bytes(), &secret(), branch).unwrap()
        };
        for body in [
            r#"{"ref": "main"}"#,
            // Bitbucket Data Center.
            r#"{"eventKey": "repo:refs_changed", "changes": [
                {"ref": {"id": "refs/heads/other", "type": "BRANCH"}, "refId": "refs/heads/other"},
                {"ref": {"id": "refs/heads/main", "type": "BRANCH"}, "type": "UPDATE"}]}"#,
            // Bitbucket Cloud.
            r#"{"push": {"changes": [{"new": {"type": "branch", "name": "main"}, "old": null}]}}"#,
            r#"{"push": {"changes": [{"new": null, "old": {"type": "branch", "name": "main"}}]}}"#,
            // Azure DevOps, and with the details of the resource turned off.
            r#"{"publisherId": "tfs", "eventType": "git.push",
                "resource": {"refUpdates": [{"name": "refs/heads/main"}]}}"#,
            r#"{"publisherId": "tfs", "eventType": "git.push", "resource": {"url": "https://x/o/p"}}"#,
            // A system hook of GitLab.
            r#"{"event_name": "repository_update", "refs": ["refs/heads/main"],
                "changes": [{"ref": "refs/heads/main"}]}"#,
        ] {
            assert_eq!(told(body, "main"), Verdict::Fetch, "{body}");
            if body.contains("main") {
                assert_eq!(told(body, "next"), Verdict::OtherBranch, "{body}");
            }
        }
        let tag = r#"{"push": {"changes": [{"new": {"type": "tag", "name": "main"}}]}}"#;
        assert_eq!(told(tag, "main"), Verdict::OtherBranch);
        let build = r#"{"publisherId": "tfs", "eventType": "build.complete", "resource": {}}"#;
        assert_eq!(told(build, "main"), Verdict::OtherEvent);
    }

    #[test]
    fn bitbucket_s_test_of_the_connection_is_no_push() {
        let token = ("authorization", BASIC);
        for event in ["diagnostics:ping", "pr:merged", "pullrequest:fulfilled"] {
            let given = [token, ("x-event-key", event)];
            assert_eq!(judged(&given, br#"{"test": true}"#), Ok(Verdict::OtherEvent), "{event}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_the_secret_opens_the_door(
            name in prop::sample::select(vec![
                "x-hub-signature-256", "x-gitea-signature", TOKEN, "authorization",
            ]),
            value in "(sha256=)?[0-9a-f]{0,70}|(Basic|Bearer)? ?[ -~]{0,40}",
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
