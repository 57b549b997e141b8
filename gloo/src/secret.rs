//! Secrets, as far as TLS looks at them.

use std::fmt;

use serde_json::Value;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a Secret is good for.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Certificate and key, or a root certificate. Whether the key fits the certificate is not looked
    /// at here.
    Tls {
        /// The certificates, in PEM; empty where there are none.
        certificate: String,
        /// The key, in PEM; empty where there is none.
        key: String,
        /// Who has to have signed certificates of the other side, in PEM; empty where nobody has.
        root: String,
    },
    /// It is one for TLS and cannot be used, for this reason in Go's words.
    Broken(String),
    /// Anything else.
    Other,
}

impl fmt::Debug for Secret {
    /// The key is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls { .. } => f.write_str("Tls"),
            Self::Broken(reason) => f.debug_tuple("Broken").field(reason).finish(),
            Self::Other => f.write_str("Other"),
        }
    }
}

impl Secret {
    /// Reads a Secret of Kubernetes.
    pub fn read(object: &Value) -> Self {
        let data = |name: &str| {
            let plain = object["stringData"][name].as_str().map(str::to_owned);
            plain.or_else(|| decode(object["data"][name].as_str()?))
        };
        let certificate = data("tls.crt").unwrap_or_default();
        let key = data("tls.key").unwrap_or_default();
        let root = data("ca.crt").unwrap_or_default();
        let has_pair = object["type"] == "kubernetes.io/tls" || !certificate.is_empty();
        if !has_pair {
            return if root.is_empty() {
                Self::Other
            } else {
                Self::Tls { certificate, key, root }
            };
        }
        for (pem, what) in [(&certificate, "certificate"), (&key, "key")] {
            if !pem.contains("-----BEGIN ") {
                let reason = format!("tls: failed to find any PEM data in {what} input");
                return Self::Broken(reason);
            }
        }
        Self::Tls { certificate, key, root }
    }
}

/// Base64 of a text; `None` if it is no text or no Base64.
fn decode(text: &str) -> Option<String> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::with_capacity(text.len() / 4 * 3));
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == byte)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn base64_is_read_with_and_without_padding() {
        assert_eq!(decode("anVuaw==").as_deref(), Some("junk"));
        assert_eq!(decode("anVu\nas").as_deref(), Some("junj"));
        assert_eq!(decode("-"), None);
    }

    #[test]
    fn only_a_secret_with_certificate_and_key_is_one_for_tls() {
        let secret =
            |kind: &str, data: Value| Secret::read(&json!({"type": kind, "stringData": data}));
        let pem = "-----BEGIN X-----";
        let pair = json!({"tls.crt": pem, "tls.key": pem});
        assert!(matches!(secret("kubernetes.io/tls", pair.clone()), Secret::Tls { .. }));
        assert!(matches!(secret("Opaque", pair), Secret::Tls { .. }));
        assert_eq!(secret("Opaque", json!({"foo": "bar"})), Secret::Other);
        let half = secret("kubernetes.io/tls", json!({"tls.crt": pem}));
        assert_eq!(half, Secret::Broken("tls: failed to find any PEM data in key input".into()));
        assert!(!format!("{:?}", secret("Opaque", json!({"ca.crt": pem}))).contains("BEGIN"));
    }
}
