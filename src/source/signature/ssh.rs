//! Signatures by ssh keys (OpenSSH's PROTOCOL.sshsig), as `git commit -S` makes them with
//! `gpg.format=ssh`.

use jiff::Timestamp;
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey, SshSig};

use super::allowed_signers::{AllowedSigners, NAMESPACE};

/// The shortest RSA key whose signature counts, in bits.
const SHORTEST_RSA: usize = 2048;

/// Whether the signature over `payload` is right and its key allowed at all of these `times`.
///
/// SHA-1 has no place here: the format's hash is SHA-256 or SHA-512, and RSA signatures without a hash
/// in their name are not read.
pub(super) fn judge(
    signature: &str,
    payload: &[u8],
    signers: &AllowedSigners,
    times: &[Timestamp],
) -> Result<(), String> {
    let signature = SshSig::from_pem(signature.trim_end())
        .map_err(|error| format!("its ssh signature cannot be read: {error}"))?;
    let key = signature.public_key();
    let name = format!("{} key {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
    if signature.namespace() != NAMESPACE {
        return Err(format!(
            "its signature by {name} was made for `{}` and not for a commit",
            signature.namespace()
        ));
    }
    if bits(key).is_some_and(|bits| bits < SHORTEST_RSA) {
        return Err(format!("its signature by {name} is weak: RSA needs {SHORTEST_RSA} bits"));
    }
    signers.allow(key, times).map_err(|why| format!("it is signed by {name}, {why}"))?;
    PublicKey::from(key.clone())
        .verify(NAMESPACE, payload, &signature)
        .map_err(|error| format!("its signature by {name} does not fit the commit: {error}"))
}

/// The length of an RSA key.
fn bits(key: &KeyData) -> Option<usize> {
    let modulus = key.rsa()?.n.as_positive_bytes()?;
    let unused = modulus.first()?.leading_zeros() as usize;
    Some(modulus.len() * 8 - unused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::signature::recorded;

    fn judge(signature: &str, payload: &[u8], signers: &str) -> Result<(), String> {
        let signature = String::from_utf8(recorded(signature)).unwrap();
        let signers = AllowedSigners::parse(signers).unwrap();
        super::judge(&signature, payload, &signers, &["2024-06-01T00:00:00Z".parse().unwrap()])
    }

    fn signers() -> String {
        String::from_utf8(recorded("allowed_signers")).unwrap()
    }

    #[test]
    fn what_ssh_keygen_signs_with_an_allowed_key_is_accepted() {
        for kind in ["ed25519", "ecdsa", "rsa"] {
            let verdict = judge(&format!("{kind}.ssh.sig"), &recorded("payload"), &signers());
            assert_eq!(verdict, Ok(()), "{kind}");
        }
    }

    #[test]
    fn another_text_does_not_fit() {
        let why = judge("ed25519.ssh.sig", b"something else", &signers()).unwrap_err();
        assert!(why.starts_with("its signature by ssh-ed25519 key SHA256:"), "{why}");
        assert!(why.contains("does not fit the commit"), "{why}");
    }

    #[test]
    fn a_signature_over_a_file_is_none_over_a_commit() {
        let why = judge("file.ssh.sig", &recorded("payload"), &signers()).unwrap_err();
        assert!(why.ends_with("was made for `file` and not for a commit"), "{why}");
    }

    #[test]
    fn a_short_rsa_key_is_weak_and_an_unlisted_key_unknown() {
        let why = judge("weak-rsa.ssh.sig", &recorded("payload"), &signers()).unwrap_err();
        assert!(why.ends_with("is weak: RSA needs 2048 bits"), "{why}");
        let others: Vec<_> =
            signers().lines().filter(|l| !l.contains("ed25519")).map(str::to_owned).collect();
        let why = judge("ed25519.ssh.sig", &recorded("payload"), &others.join("\n")).unwrap_err();
        assert!(why.ends_with("which is not among the allowed signers"), "{why}");
    }

    #[test]
    fn a_signature_that_cannot_be_read_is_refused() {
        let signers = AllowedSigners::parse(&signers()).unwrap();
        for text in [
            "-----BEGIN SSH SIGNATURE-----",
            "",
            "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----",
        ] {
            let why = super::judge(text, b"", &signers, &[]).unwrap_err();
            assert!(why.starts_with("its ssh signature cannot be read"), "{why}");
        }
    }
}
