//! Who signed a commit, and whether that is somebody whose commits may be accepted.

mod allowed_signers;
mod certificate;
mod envelope;
mod openpgp;
mod ssh;

use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::SourceError;
use allowed_signers::AllowedSigners;
pub(super) use allowed_signers::NAMESPACE;
use coalmine_core::reason::Advice;
use openpgp::Keyring;

/// A file of keys whose owners' commits are accepted. It is read anew for every commit that has to be
/// judged, so a key that is taken out counts no more at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustedKeys {
    /// ssh keys in the format of `ssh-keygen`'s allowed signers, as git's `gpg.ssh.allowedSignersFile`.
    Ssh(PathBuf),
    /// OpenPGP public keys, armored or binary, as `gpg --export` writes them.
    OpenPgp(PathBuf),
}

impl FromStr for TrustedKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("ssh", file)) if !file.is_empty() => Ok(Self::Ssh(file.into())),
            Some(("openpgp", file)) if !file.is_empty() => Ok(Self::OpenPgp(file.into())),
            _ => Err("expected ssh:ALLOWED_SIGNERS_FILE or openpgp:KEYRING_FILE".to_owned()),
        }
    }
}

/// The keys of all files.
#[derive(Default)]
pub struct Signers {
    ssh: Vec<AllowedSigners>,
    openpgp: Vec<Keyring>,
}

impl Signers {
    /// Reads the files.
    ///
    /// # Errors
    /// [`SourceError::KeyFile`].
    pub fn load(files: &[TrustedKeys]) -> Result<Self, SourceError> {
        let mut signers = Self::default();
        for file in files {
            let (TrustedKeys::Ssh(path) | TrustedKeys::OpenPgp(path)) = file;
            let unusable = |detail: Advice| SourceError::KeyFile { path: path.clone(), detail };
            let content = fs::read(path).map_err(|error| unusable(error.to_string().into()))?;
            signers.add(file, content).map_err(unusable)?;
        }
        Ok(signers)
    }

    /// Adds the keys of a file with this content.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, file: &TrustedKeys, content: Vec<u8>) -> Result<(), Advice> {
        match file {
            TrustedKeys::Ssh(_) => {
                let text =
                    String::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())?;
                self.ssh.push(AllowedSigners::parse(&text)?);
            }
            TrustedKeys::OpenPgp(_) => self.openpgp.push(Keyring::parse(&content)?),
        }
        Ok(())
    }

    /// Whether a commit, given as git stores it, is signed by one of these keys, which has to be valid
    /// both `now` and when the commit says that it was `committed`.
    ///
    /// The second alone would not do: whoever got hold of a key that expired could date a commit back.
    ///
    /// # Errors
    /// Why it is not, with the key that made the signature.
    pub fn judge(&self, commit: &[u8], committed: Timestamp, now: Timestamp) -> Result<(), String> {
        let Some((signature, payload)) = envelope::open(commit)? else {
            return Err("it is not signed".to_owned());
        };
        if signature.starts_with("-----BEGIN SSH SIGNATURE-----") {
            if self.ssh.is_empty() {
                return Err("it is signed with ssh, and --verify names no ssh keys".to_owned());
            }
            return first(&self.ssh, |signers| {
                ssh::judge(&signature, &payload, signers, &[committed, now])
            });
        }
        if signature.starts_with("-----BEGIN PGP SIGNATURE-----") {
            if self.openpgp.is_empty() {
                return Err(
                    "it is signed with OpenPGP, and --verify names no OpenPGP keys".to_owned()
                );
            }
            return first(&self.openpgp, |ring| ring.judge(&signature, &payload, now));
        }
        Err("its signature is neither ssh's nor OpenPGP's".to_owned())
    }
}

/// Ok if any file says so, else what the last one says.
fn first<K>(files: &[K], judge: impl Fn(&K) -> Result<(), String>) -> Result<(), String> {
    let mut verdict = Err(String::new());
    for file in files {
        verdict = verdict.or_else(|_| judge(file));
    }
    verdict
}

/// What git, gpg and ssh-keygen made: see `recorded/record.sh`.
#[cfg(test)]
fn recorded(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/source/signature/recorded");
    fs::read(std::path::Path::new(folder).join(name)).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signers() -> Signers {
        let ring = Keyring::parse(&recorded("good.asc")).unwrap();
        let ssh = String::from_utf8(recorded("allowed_signers")).unwrap();
        Signers { ssh: vec![AllowedSigners::parse(&ssh).unwrap()], openpgp: vec![ring] }
    }

    #[test]
    fn commits_that_git_signed_are_accepted_and_altered_ones_are_not() {
        let committed = "2024-01-10T00:00:00Z".parse().unwrap();
        let now = "2024-06-01T00:00:00Z".parse().unwrap();
        for name in ["ssh.commit", "openpgp.commit"] {
            let commit = recorded(name);
            assert_eq!(signers().judge(&commit, committed, now), Ok(()), "{name}");
            let altered = String::from_utf8(commit).unwrap().replace("body", "Body");
            let why = signers().judge(altered.as_bytes(), committed, now).unwrap_err();
            assert!(why.contains("does not fit the commit"), "{name}: {why}");
        }
    }

    #[test]
    fn a_key_has_to_be_valid_when_the_commit_was_made_and_now() {
        let line = String::from_utf8(recorded("allowed_signers")).unwrap();
        let limited = line
            .replace(r#"namespaces="git""#, r#"valid-after="20240105Z",valid-before="20240601Z""#);
        let ssh = vec![AllowedSigners::parse(&limited).unwrap()];
        let signers = Signers { ssh, openpgp: Vec::new() };
        let judge = |committed: &str, now: &str| {
            signers.judge(&recorded("ssh.commit"), committed.parse().unwrap(), now.parse().unwrap())
        };
        assert_eq!(judge("2024-01-10T00:00:00Z", "2024-05-01T00:00:00Z"), Ok(()));
        let why = judge("2024-01-10T00:00:00Z", "2024-06-02T00:00:00Z").unwrap_err();
        assert!(why.contains("allowed until"), "a commit that was dated back: {why}");
        let why = judge("2024-01-01T00:00:00Z", "2024-05-01T00:00:00Z").unwrap_err();
        assert!(why.contains("allows from"), "{why}");
    }

    #[test]
    fn a_key_file_is_named_with_its_kind() {
        assert_eq!("ssh:a:b".parse(), Ok(TrustedKeys::Ssh("a:b".into())));
        assert_eq!("openpgp:ring.asc".parse(), Ok(TrustedKeys::OpenPgp("ring.asc".into())));
        for text in ["ring.asc", "ssh:", "x509:a", ""] {
            let error = text.parse::<TrustedKeys>().unwrap_err();
            assert_eq!(error, "expected ssh:ALLOWED_SIGNERS_FILE or openpgp:KEYRING_FILE");
        }
    }

    #[test]
    fn a_signature_of_a_kind_that_nobody_is_trusted_for_is_told_apart() {
        let time = Timestamp::UNIX_EPOCH;
        let judge = |signature: &str| {
            let commit = format!("tree 1\ngpgsig -----BEGIN {signature}-----\n\nmessage\n");
            Signers::default().judge(commit.as_bytes(), time, time).unwrap_err()
        };
        assert_eq!(judge("SSH SIGNATURE"), "it is signed with ssh, and --verify names no ssh keys");
        let openpgp = "it is signed with OpenPGP, and --verify names no OpenPGP keys";
        assert_eq!(judge("PGP SIGNATURE"), openpgp);
        assert_eq!(judge("SIGNED MESSAGE"), "its signature is neither ssh's nor OpenPGP's");
        let unsigned = Signers::default().judge(b"tree 1\n\nmessage\n", time, time).unwrap_err();
        assert_eq!(unsigned, "it is not signed");
    }
}
