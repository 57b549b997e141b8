//! Signatures of our own commits, in the format of `git commit -S` with `gpg.format=ssh`.

use std::path::Path;

use jiff::Timestamp;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::error::PublishError;
use crate::source::signature::{NAMESPACE, Signers};
use coalmine_core::reason::Advice;

/// Reads a private key without a passphrase. It is read anew for every commit, so that it can be exchanged.
pub(super) fn read(path: &Path) -> Result<PrivateKey, PublishError> {
    let unusable = |detail: Advice| unusable(path, detail);
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string().into()))?;
    // The error of the library has no part of the text.
    let key = PrivateKey::from_openssh(&text).map_err(|error| {
        unusable(Advice::new(
            format_args!("it is no private key of OpenSSH ({error})"),
            "make one with `ssh-keygen -t ed25519 -N ''`",
        ))
    })?;
    if key.is_encrypted() {
        return Err(unusable(Advice::new(
            "it has a passphrase, and nobody is there to type it",
            format_args!(
                "take it off a copy of the key with `ssh-keygen -p -N '' -f {}`",
                path.display()
            ),
        )));
    }
    Ok(key)
}

/// The armored signature over a commit without one.
pub(super) fn sign(key: &PrivateKey, commit: &[u8]) -> Result<String, String> {
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, commit);
    let signature = signature.and_then(|signature| signature.to_pem(LineEnding::LF));
    let signature = signature.map_err(|error| format!("the commit cannot be signed: {error}"))?;
    Ok(signature.trim_end().to_owned())
}

/// Whether what the key signs would be accepted now.
pub(super) fn is_trusted(
    key: &PrivateKey,
    path: &Path,
    signers: &Signers,
) -> Result<(), PublishError> {
    let probe = b"tree 0\n\nprobe\n";
    let signature = sign(key, probe).map_err(|error| unusable(path, error.into()))?;
    let folded = signature.replace('\n', "\n ");
    let commit = format!("tree 0\ngpgsig {folded}\n\nprobe\n");
    let now = Timestamp::now();
    signers.judge(commit.as_bytes(), now, now).map_err(|why| {
        unusable(
            path,
            Advice::new(
                format_args!("the daemon would refuse its own commits: {why}"),
                format_args!(
                    "add `autopilot namespaces=\"git\" ` and the line that `ssh-keygen -y -f {}` prints to the file \
                     of --verify ssh:",
                    path.display()
                ),
            ),
        )
    })
}

fn unusable(path: &Path, detail: Advice) -> PublishError {
    PublishError::SigningKey { path: path.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::TrustedKeys;
    use coalmine_core::reason::Hinted;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]))
    }

    fn signers(key: &PrivateKey, options: &str) -> Signers {
        let mut signers = Signers::default();
        let public = key.public_key().to_openssh().expect("a line");
        let text = format!("autopilot {options} {public}\n");
        signers.add(&TrustedKeys::Ssh("allowed".into()), text.into_bytes()).expect("signers");
        signers
    }

    #[test]
    fn a_key_is_trusted_if_it_is_listed_for_git_now() {
        let path = Path::new("autopilot.key");
        let judge = |signers: &Signers| is_trusted(&key(1), path, signers);
        assert_eq!(judge(&signers(&key(1), "namespaces=\"git\"")), Ok(()));
        let error = judge(&signers(&key(2), "namespaces=\"git\"")).expect_err("unlisted").line();
        assert!(error.starts_with("signing key autopilot.key: the daemon would refuse"), "{error}");
        assert!(error.contains("is not among the allowed signers"), "{error}");
        let error = judge(&signers(&key(1), "namespaces=\"file\"")).expect_err("for files").line();
        assert!(error.contains("allows for file only"), "{error}");
        let error = judge(&signers(&key(1), "valid-before=\"20200101Z\"")).expect_err("expired");
        assert!(error.line().contains("allowed until"), "{error}");
    }

    #[test]
    fn a_key_that_cannot_be_used_is_told_without_any_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        assert!(read(&path).expect_err("missing").line().contains("No such file"));
        std::fs::write(&path, "hunter2\n").expect("written");
        let error = read(&path).expect_err("no key").line();
        assert!(error.contains("is no private key of OpenSSH"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        let good = key(1).to_openssh(LineEnding::LF).expect("text");
        std::fs::write(&path, good.as_bytes()).expect("written");
        assert_eq!(read(&path).expect("a key"), key(1));
    }
}
