//! Reads a JSON Web Key Set (RFC 7517). No message repeats anything of it: it may hold what nobody should see.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::entry::{Entry, Problems};
use crate::problem::Problem;

/// The longest text that kgateway takes.
const LONGEST: usize = 16 * 1024;
/// The fewest bits of an RSA key (RFC 7518, section 3.3).
const RSA_BITS: usize = 2048;
/// What a key has beside its numbers (RFC 7517, section 4).
const ABOUT: [&str; 5] = ["kty", "kid", "alg", "use", "key_ops"];
/// What only the owner of a key may know (RFC 7518, section 6; RFC 8037).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads the keys, as JSON text or as a mapping, and writes them as JSON text: of each what makes a public key, and
/// nothing else.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> Option<String> {
    match check(entry) {
        Ok(text) => Some(text),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn check(entry: &Entry) -> Result<String, Problem> {
    const FORM: &str =
        "write what the issuer's `jwks_uri` has: `{keys: [{kty: RSA, kid: ..., n: ..., e: AQAB}]}`";
    let set = match entry.node.is_mapping() {
        true => entry.node.to_json(),
        false => parse(entry)?,
    };
    let keys = match set.get("keys") {
        Some(Value::Array(keys)) => keys,
        _ if set.get("kty").is_some() => {
            let problem = entry.problem("a single key is no JSON Web Key Set");
            return Err(problem.help("put it into a list: `{keys: [...]}`"));
        }
        _ => return Err(entry.problem("a JSON Web Key Set has a list `keys`").help(FORM)),
    };
    if keys.is_empty() {
        let problem =
            entry.problem("the JSON Web Key Set has no key, so that no token would be valid");
        return Err(problem.help(FORM));
    }
    let public = keys.iter().enumerate().map(|(index, key)| {
        public(key).map_err(|(wrong, help)| {
            entry.problem(format!("key {} of the JSON Web Key Set {wrong}", index + 1)).help(help)
        })
    });
    let public = public.collect::<Result<Vec<_>, _>>()?;
    let text = json!({ "keys": public }).to_string();
    if text.len() > LONGEST {
        let message = format!("the JSON Web Key Set has more than {LONGEST} bytes");
        return Err(entry.problem(message).help("leave away keys that sign no tokens any more"));
    }
    Ok(text)
}

fn parse(entry: &Entry) -> Result<Value, Problem> {
    let Some(text) = entry.node.text() else {
        return Err(entry.problem("expected a JSON Web Key Set, as JSON text or as a mapping"));
    };
    let text = text.trim();
    if text.starts_with("http://") || text.starts_with("https://") {
        let problem = entry.problem(
            "this is the address of a JSON Web Key Set, and here the keys themselves stand",
        );
        return Err(problem.help(
            "write what it has, `curl -s ADDRESS`: kgateway fetches keys only by a backend in the cluster, Envoy Gateway \
             only by an address, and a change of keys is a commit so",
        ));
    }
    serde_json::from_str(text).map_err(|_| {
        let problem = entry.problem("the JSON Web Key Set is no JSON");
        problem.help("write what the issuer's `jwks_uri` has, in single quotes, or as a mapping")
    })
}

/// What makes a public key of this one, or what is wrong and what to write.
fn public(key: &Value) -> Result<Value, (String, &'static str)> {
    let Some(key) = key.as_object() else {
        return Err(("is no mapping".into(), "a key is for example `{kty: RSA, n: ..., e: AQAB}`"));
    };
    let kind = key.get("kty").and_then(Value::as_str).unwrap_or_default();
    if kind == "oct" || PRIVATE.iter().any(|member| key.contains_key(*member)) {
        return Err((
            "is private: whoever reads the repository could make tokens with it".into(),
            "write the public key alone, and let the issuer replace this one, which git remembers",
        ));
    }
    let numbers: &[&str] = match kind {
        "RSA" => &["n", "e"],
        "EC" => &["x", "y"],
        "OKP" => &["x"],
        _ => return Err(("has no `kty` that Envoy knows".into(), "there are RSA, EC and OKP")),
    };
    let mut bytes = Vec::new();
    for number in numbers {
        let decoded =
            key.get(*number).and_then(Value::as_str).and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
        let Some(decoded) = decoded.filter(|it| !it.is_empty()) else {
            return Err((
                format!("has no `{number}` in base64url"),
                "an RSA key has `n` and `e`, an EC key `x` and `y`, an OKP key `x` (RFC 7518, section 6)",
            ));
        };
        bytes.push(decoded);
    }
    let curve = key.get("crv").and_then(Value::as_str).unwrap_or_default();
    check_numbers(kind, curve, &bytes)?;
    let mut public = Map::new();
    for member in ABOUT.into_iter().chain(["crv"]).chain(numbers.iter().copied()) {
        let value = key.get(member).filter(|value| !value.is_null());
        // `kid: 1` is text, as everywhere in values.
        let text = |value: &Value| {
            if value.is_number() { value.to_string().into() } else { value.clone() }
        };
        public.extend(value.map(|value| (member.to_owned(), text(value))));
    }
    Ok(public.into())
}

/// Whether the numbers are a public key. One that is none makes kgateway refuse the policy, and answer 500 to everybody
/// whom it is for.
fn check_numbers(
    kind: &str,
    curve: &str,
    numbers: &[Vec<u8>],
) -> Result<(), (String, &'static str)> {
    let whole = "copy it again, whole, from what the issuer's `jwks_uri` has";
    let is_key = match (kind, curve, numbers) {
        ("RSA", _, [modulus, exponent]) => {
            if bits(modulus) < RSA_BITS {
                return Err((
                    format!("has fewer than {RSA_BITS} bits"),
                    "let the issuer make a longer one",
                ));
            }
            // An even number is no product of two primes, and has no inverse.
            let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
            is_odd(modulus) && is_odd(exponent) && (2..=32).contains(&bits(exponent))
        }
        ("EC", "P-256", [x, y]) => p256::PublicKey::from_sec1_bytes(&point(x, y, 32)).is_ok(),
        ("EC", "P-384", [x, y]) => p384::PublicKey::from_sec1_bytes(&point(x, y, 48)).is_ok(),
        ("EC", "P-521", [x, y]) => p521::PublicKey::from_sec1_bytes(&point(x, y, 66)).is_ok(),
        ("OKP", "Ed25519", [x]) => x.len() == 32,
        _ => {
            return Err((
                format!("has no `crv` that Envoy knows for {kind}"),
                "there are P-256, P-384 and P-521 for EC, and Ed25519 for OKP",
            ));
        }
    };
    is_key.then_some(()).ok_or_else(|| ("has numbers that are no key".into(), whole))
}

/// An uncompressed point (SEC 1, section 2.3.3); nothing when a number has another length than the curve's.
fn point(x: &[u8], y: &[u8], length: usize) -> Vec<u8> {
    match x.len() == length && y.len() == length {
        true => [&[4], x, y].concat(),
        false => Vec::new(),
    }
}

/// The length of a number, with the highest byte first.
fn bits(number: &[u8]) -> usize {
    let digits =
        number.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &number[first..]);
    digits.first().map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}
