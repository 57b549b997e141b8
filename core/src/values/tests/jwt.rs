//! Which tokens lead to the canary.

use super::{listed, outcome, service};
use crate::phase::Phase;
use crate::values::{Jwt, ValueMatch};

/// A file that is good but for `jwt`, and for more keys below `routes`.
fn values(jwt: &str, gateway: &str) -> String {
    format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  apiGroup: example\n  primary: {{version: v1}}\n  \
         gateway: {gateway}\n  canary:\n    version: v2\n    jwt: {jwt}\n"
    )
}

const KGATEWAY: &str = "{api: gateway-api, profile: kgateway}";
/// Keys of RFC 7517 (appendix A.1) and RFC 8037 (appendix A.2).
const KEYS: &str = "{keys: [{kty: OKP, crv: Ed25519, kid: 1, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo, x5c: [abc]}]}";
const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

fn with(jwks: &str, claims: &str) -> String {
    values(&format!("{{issuer: me, jwks: {jwks}, claims: {claims}}}"), KGATEWAY)
}

fn problems(values: &str) -> Vec<String> {
    listed(&outcome(values).expect_err("a values file with a mistake"))
}

#[test]
fn claims_are_text_lists_and_nested() {
    let service =
        service(&with(KEYS, "{stage: canary, admin: true, tier: [gold, 1], realm: {a: {b: c}}}"));
    let Jwt { issuer, jwks, claims } = service.routes.canary.as_ref().unwrap().jwt.clone().unwrap();
    assert_eq!(issuer, "me");
    assert_eq!(
        jwks,
        r#"{"keys":[{"kty":"OKP","kid":"1","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        "what makes a public key"
    );
    let exact = |text: &str| ValueMatch::Exact(text.into());
    let expected = [
        ("admin", exact("true")),
        ("realm.a.b", exact("c")),
        ("stage", exact("canary")),
        ("tier", ValueMatch::Regex("gold|1".into())),
    ];
    assert_eq!(claims, expected.map(|(name, value)| (name.to_owned(), value)).into());
    assert_eq!((Phase::of(&service), service.warnings().len()), (Phase::CanaryTest, 0));
}

#[test]
fn keys_may_be_json_text() {
    let text = format!(
        r#"'{{"keys": [{{"kty": "EC", "crv": "P-256", "x": "{X}", "y": "{Y}", "alg": "ES256"}}, {{"kty": "RSA", "n": "{N}", "e": "AQAB"}}]}}'"#
    );
    let service = service(&with(&text, "{a: b}"));
    let jwks = service.routes.canary.unwrap().jwt.unwrap().jwks;
    let expected = format!(
        r#"{{"keys":[{{"kty":"EC","alg":"ES256","crv":"P-256","x":"{X}","y":"{Y}"}},{{"kty":"RSA","n":"{N}","e":"AQAB"}}]}}"#
    );
    assert_eq!(jwks, expected);
}

#[test]
fn keys_that_are_none_are_refused_and_never_shown() {
    let secret = "c2VjcmV0LXNlY3JldA";
    for (jwks, expected) in [
        ("'no json c2VjcmV0LXNlY3JldA'", "the JSON Web Key Set is no JSON"),
        ("[c2VjcmV0LXNlY3JldA]", "expected a JSON Web Key Set"),
        ("'-----BEGIN PRIVATE KEY----- c2VjcmV0LXNlY3JldA'", "the JSON Web Key Set is no JSON"),
        ("{keys: []}", "the JSON Web Key Set has no key"),
        ("{keys: c2VjcmV0LXNlY3JldA}", "a JSON Web Key Set has a list `keys`"),
        ("'[]'", "a JSON Web Key Set has a list `keys`"),
        ("{kty: oct, k: c2VjcmV0LXNlY3JldA}", "a single key is no JSON Web Key Set"),
        ("https://id.example/keys", "this is the address of a JSON Web Key Set"),
        ("{keys: [c2VjcmV0LXNlY3JldA]}", "key 1 of the JSON Web Key Set is no mapping"),
        ("{keys: [{kty: oct, k: c2VjcmV0LXNlY3JldA}]}", "key 1 of the JSON Web Key Set is private"),
        (
            &format!(
                "{{keys: [{{kty: RSA, n: {N}, e: AQAB}}, {{kty: RSA, n: {N}, e: AQAB, d: c2VjcmV0LXNlY3JldA}}]}}"
            ),
            "key 2 of the JSON Web Key Set is private",
        ),
        (
            "{keys: [{kty: EC, crv: P-256, x: AQ, y: AQ, d: c2VjcmV0LXNlY3JldA}]}",
            "key 1 of the JSON Web Key Set is private",
        ),
        ("{keys: [{kty: RSA, n: AQ, e: AQ, dp: }]}", "key 1 of the JSON Web Key Set is private"),
        (
            "{keys: [{kty: DSA, n: c2VjcmV0LXNlY3JldA}]}",
            "key 1 of the JSON Web Key Set has no `kty` that Envoy knows",
        ),
        ("{keys: [{n: AQ, e: AQ}]}", "key 1 of the JSON Web Key Set has no `kty` that Envoy knows"),
        (
            &format!("{{keys: [{{kty: EC, crv: P-256, x: {Y}, y: {X}}}]}}"),
            "key 1 of the JSON Web Key Set has numbers that are no key",
        ),
        (
            &format!("{{keys: [{{kty: EC, crv: P-384, x: {X}, y: {Y}}}]}}"),
            "key 1 of the JSON Web Key Set has numbers that are no key",
        ),
        (
            "{keys: [{kty: OKP, crv: Ed25519, x: AQAB}]}",
            "key 1 of the JSON Web Key Set has numbers that are no key",
        ),
        (
            "{keys: [{kty: RSA, n: AQAB, e: AQAB}]}",
            "key 1 of the JSON Web Key Set has fewer than 2048 bits",
        ),
        (
            &format!("{{keys: [{{kty: RSA, n: {N}, e: AQ}}]}}"),
            "key 1 of the JSON Web Key Set has numbers that are no key",
        ),
        (
            "{keys: [{kty: EC, crv: secp256k1, x: AQ, y: AQ}]}",
            "key 1 of the JSON Web Key Set has no `crv` that Envoy knows for EC",
        ),
        (
            "{keys: [{kty: OKP, crv: Ed25519}]}",
            "key 1 of the JSON Web Key Set has no `x` in base64url",
        ),
        (
            "{keys: [{kty: RSA, n: 'a+/=', e: AQ}]}",
            "key 1 of the JSON Web Key Set has no `n` in base64url",
        ),
    ] {
        let found = problems(&with(jwks, "{a: b}"));
        let at = "services/echo.yaml:8:29: routes.canary.jwt.jwks: ";
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{at}{expected}")),
            "{jwks}: {found:?}"
        );
        assert!(!found[0].contains(secret) && !found[0].contains("BEGIN"), "{found:?}");
    }
    let long = format!("{{keys: [{{kty: RSA, n: {N}, e: AQAB, kid: {}}}]}}", "a".repeat(17_000));
    assert!(problems(&with(&long, "{a: b}"))[0].contains("more than 16384 bytes"));
}

#[test]
fn what_a_gateway_cannot_look_up_is_refused_by_name() {
    for (claims, key, expected) in [
        ("{}", "", "no claim is named; say which tokens are meant: `claims: {stage: canary}`"),
        ("{realm: {}}", ".realm", "no claim is named"),
        (
            "{a.b: c}",
            ".a.b",
            "\"a.b\" is not the name of a claim that the gateway can look up; to the gateway a dot",
        ),
        (
            "{'https://id.example/stage': canary}",
            ".https://id.example/stage",
            "\"https://id.example/stage\" is not the name",
        ),
        ("{'': a}", ".", "\"\" is not the name of a claim"),
        ("{a: []}", ".a", "the list is empty"),
        ("{a: ''}", ".a", "an empty value"),
        ("{a: }", ".a", "expected text, a list of texts or a mapping, found nothing"),
        ("{a: [{b: c}]}", ".a[0]", "expected text"),
        ("stage", "", "expected a mapping"),
    ] {
        let found = problems(&with(KEYS, claims));
        let expected = format!(": routes.canary.jwt.claims{key}: {expected}");
        assert!(found.len() == 1 && found[0].contains(&expected), "{claims}: {found:?}");
    }
    let found =
        problems(&with(KEYS, &format!("{{stage: {{a: \"b\\nc\"}}, b: {}}}", "x".repeat(4097))));
    let keys: Vec<bool> = ["routes.canary.jwt.claims.b: ", "routes.canary.jwt.claims.stage.a: "]
        .iter()
        .map(|key| {
            found.iter().any(|it| it.contains(key) && it.contains("in one line with at most 4096"))
        })
        .collect();
    assert_eq!(keys, [true, true], "{found:?}");
}

#[test]
fn what_a_token_has_to_be_is_said_whole() {
    let found = problems(&values("{claim: {stage: canary}}", KGATEWAY));
    let expected = [
        "issuer: the key is required",
        "jwks: the key is required",
        "claims: the key is required",
        "claim: unknown key; did you mean `claims`?",
    ];
    assert!(found.len() == 4, "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(&format!("routes.canary.jwt.{expected}")), "{found}");
    }
    for issuer in ["''", "\"a\\nb\"", &"x".repeat(254)] {
        let found = problems(&values(
            &format!("{{issuer: {issuer}, jwks: {KEYS}, claims: {{a: b}}}}"),
            KGATEWAY,
        ));
        assert!(found.len() == 1 && found[0].contains("routes.canary.jwt.issuer: "), "{found:?}");
    }
}

#[test]
fn a_gateway_that_checks_no_token_leads_to_no_canary_by_one() {
    let jwt = format!("{{issuer: me, jwks: {KEYS}, claims: {{stage: canary}}}}");
    for (gateway, expected) in [
        ("{api: gloo}", vec!["Gloo's open source edition checks no token"]),
        ("{api: both, profile: kgateway}", vec!["Gloo's open source edition checks no token"]),
        (
            "{api: gateway-api, gateways: [{name: edge}]}",
            vec!["implementations have different policies that check tokens"],
        ),
    ] {
        let found = problems(&values(&jwt, gateway));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                found.starts_with(&format!(
                    "services/echo.yaml:8:10: routes.canary.jwt: {expected}"
                )),
                "{found}"
            );
            assert!(
                found.contains("profile: kgateway") || found.contains("name a `profile`"),
                "{found}"
            );
        }
    }
    let many: Vec<String> = (0..17).map(|index| format!("c{index}: a")).collect();
    let found = problems(&with(KEYS, &format!("{{{}}}", many.join(", "))));
    assert!(
        found[0].contains("routes.canary.jwt: an HTTPRoute has at most 16 conditions on headers"),
        "{found:?}"
    );
}
