//! Any message at all, from somebody who does not know the secret and from somebody who does: the first
//! is never heard, and neither does harm.
#![no_main]

use coalmine::secret::Secret;
use coalmine::webhook::{Refused, judge};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fuzz_target!(|input: &[u8]| {
    let (mut headers, body) = message(input);
    let secret = Secret::parse(SECRET).expect("a secret");
    let knows = headers.iter().any(|(name, value)| match name.as_str() {
        "x-gitlab-token" => value.as_bytes() == SECRET,
        "authorization" => secret.authorizes(value.as_bytes()),
        _ => false,
    });
    let verdict = judge(&headers, body, &secret, "main");
    if !knows {
        assert!(matches!(verdict, Err(Refused::Unsigned | Refused::WrongSignature)), "{verdict:?}");
    }
    headers.append("x-gitlab-token", HeaderValue::from_bytes(SECRET).expect("a value"));
    let verdict = judge(&headers, body, &secret, "main");
    assert!(!matches!(verdict, Err(Refused::Unsigned | Refused::WrongSignature)), "{verdict:?}");
});

/// Lines `name: value`, an empty line, the body: as in HTTP.
fn message(input: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = input;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    (headers, rest)
}
