//! What this daemon and somebody else both know: the git server that announces pushes, the people who
//! may see the status.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use coalmine_core::reason::Advice;

/// The fewest bytes a secret may have. A guess at one that can be guessed needs no signature.
const SHORTEST: usize = 16;

/// A shared secret.
pub struct Secret(Vec<u8>);

impl Secret {
    /// The text of a secret file, without the space around it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, Advice> {
        let secret = text.trim_ascii();
        if secret.len() < SHORTEST {
            return Err(Advice::new(
                format_args!("it has {} bytes, and at least {SHORTEST} are needed", secret.len()),
                "make one with `openssl rand -hex 32`, for this file and for the other side",
            ));
        }
        Ok(Self(secret.to_vec()))
    }

    /// Whether this is the message's HMAC-SHA256, in a time that does not tell how much of it is right.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.digest(message).verify_slice(signature).is_ok()
    }

    /// The message's HMAC-SHA256, in hexadecimal.
    pub(crate) fn signature(&self, message: &[u8]) -> String {
        let digest = self.digest(message).finalize().into_bytes();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether this is the secret itself, in a time that does not tell how much of it is right.
    pub fn is(&self, token: &[u8]) -> bool {
        let expected = self.digest(&self.0).finalize().into_bytes();
        self.signed(token, &expected)
    }

    /// Whether an `Authorization` header shows it: as a bearer token (RFC 6750), or as the password of any
    /// name (RFC 7617).
    pub fn authorizes(&self, credentials: &[u8]) -> bool {
        let Some(space) = credentials.iter().position(|byte| *byte == b' ') else { return false };
        let (scheme, given) = (&credentials[..space], credentials[space..].trim_ascii());
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.is(given);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Ok(pair) = BASE64_STANDARD.decode(given) else { return false };
        // A name has no colon, a password may have some.
        let colon = pair.iter().position(|byte| *byte == b':');
        colon.is_some_and(|colon| self.is(&pair[colon + 1..]))
    }

    fn digest(&self, message: &[u8]) -> Hmac<Sha256> {
        // A key of any length is a key to HMAC (RFC 2104, section 2).
        let Ok(keyed) = Hmac::<Sha256>::new_from_slice(&self.0) else { unreachable!() };
        keyed.chain_update(message)
    }
}

/// Where a secret is kept. It is read anew whenever it is needed, so a rotated one is used at once.
#[derive(Clone, Debug)]
pub struct SecretFile {
    /// What the secret is for, in messages: `webhook secret`.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
}

impl SecretFile {
    /// The secret as it is now.
    ///
    /// # Errors
    /// The file's name, and why it cannot be used.
    pub fn read(&self) -> Result<Secret, Advice> {
        let named = |detail: &str| format!("{} file {}: {detail}", self.what, self.path.display());
        let text = std::fs::read(&self.path).map_err(|error| named(&error.to_string()))?;
        Secret::parse(&text).map_err(|advice| advice.reworded(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_text_of_its_file_without_the_line_end() {
        let secret = Secret::parse(b"0123456789abcdef\n").unwrap();
        assert!(secret.is(b"0123456789abcdef"));
        assert!(!secret.is(b"0123456789abcdef\n"));
        assert!(!secret.is(b"0123456789abcdeg"));
        assert!(!secret.is(b""));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        let error = Secret::parse(b"  hunter2 \n").err().unwrap();
        assert!(
            error.to_string().starts_with("it has 7 bytes, and at least 16 are needed"),
            "{error}"
        );
    }

    /// RFC 4231, test case 6: a key longer than the block, which is hashed first.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let secret = Secret(vec![0xaa; 131]);
        let signature = [
            0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26, 0xaa, 0xcb, 0xf5,
            0xb7, 0x7f, 0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28, 0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f,
            0x0e, 0xe3, 0x7f, 0x54,
        ];
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert!(secret.signed(message, &signature));
        assert!(!secret.signed(message, &signature[..31]), "a part of it is not enough");
        assert!(!secret.signed(b"another", &signature));
    }
}
