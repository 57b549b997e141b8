//! How the repository is reached: what `run` and `doctor` are told about it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::source::{
    CommitId, Credentials, Policy, Purpose, Rewind, Signatures, SourceConfig, TrustedKeys,
    branch_name, default_fetch_memory,
};

/// How the repository is reached, and which of its commits count.
#[derive(clap::Args)]
pub(super) struct Git {
    /// The branch to follow
    #[arg(long, default_value = "main")]
    branch: String,
    /// The folder inside the repository that holds coalmine.yaml, platform/ and services/
    #[arg(long, default_value = ".")]
    path: String,
    /// How long a fetch may get nothing from the server; all of it may take 60 times as long
    #[arg(long, default_value = "1m", value_parser = super::duration)]
    fetch_deadline: Duration,
    /// How much memory a fetch may take, such as 128Mi [default: half of the memory limit of the container, and
    /// 1Gi where there is none]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    fetch_memory: Option<u64>,
    /// User name for https, and for ssh when the address has none
    #[arg(long, value_name = "NAME")]
    git_username: Option<String>,
    /// https: file whose only line is the token
    #[arg(long, value_name = "FILE")]
    git_token_file: Option<PathBuf>,
    /// ssh: private key without a passphrase
    #[arg(long, value_name = "FILE")]
    git_ssh_key_file: Option<PathBuf>,
    /// ssh: the servers' keys; without it no ssh server is talked to
    #[arg(long, value_name = "FILE")]
    git_known_hosts_file: Option<PathBuf>,
    /// Accept only commits signed by a key of this file: ssh:ALLOWED_SIGNERS or openpgp:KEYRING. May be
    /// repeated
    #[arg(long, value_name = "KIND:FILE")]
    verify: Vec<TrustedKeys>,
    /// Ask for no signatures on this commit and its history
    #[arg(long, value_name = "COMMIT", requires = "verify")]
    verify_after: Option<CommitId>,
    /// Accept a history that was rewritten: with a commit that one and what descends from it, until the
    /// branch has moved on; without one any, for as long as this runs
    #[arg(long, value_name = "COMMIT", num_args = 0..=1, require_equals = true)]
    allow_rewind: Option<Option<CommitId>>,
}

impl Git {
    /// The source at this address, with its clone in this directory.
    pub(super) fn source(
        &self,
        repository: &str,
        directory: PathBuf,
    ) -> anyhow::Result<SourceConfig> {
        Ok(SourceConfig {
            repository: repository.to_owned(),
            branch: branch_name(&self.branch).to_owned(),
            path: self.path.clone(),
            directory,
            deadline: self.fetch_deadline,
            memory: self.fetch_memory.unwrap_or_else(default_fetch_memory),
            credentials: Credentials {
                username: self.git_username.clone(),
                token_file: self.git_token_file.clone(),
                ssh_key_file: self.git_ssh_key_file.clone(),
                known_hosts_file: self.git_known_hosts_file.clone(),
                purpose: Purpose::Read,
            },
            policy: Policy {
                rewind: match &self.allow_rewind {
                    None => Rewind::Refuse,
                    Some(Some(commit)) => Rewind::To(commit.clone()),
                    Some(None) => Rewind::Follow,
                },
                signatures: Signatures {
                    keys: self.verify.clone(),
                    after: self.verify_after.clone(),
                },
            },
            program: std::env::current_exe().context("cannot find the own program")?,
        })
    }
}

/// A number of bytes as Kubernetes writes it, in MiB or GiB.
fn size(text: &str) -> Result<u64, String> {
    let units = [("Mi", 20), ("Gi", 30)];
    let bytes = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(1 << shift)
    });
    let expected = "expected a number with Mi or Gi, of at least 32Mi, such as 128Mi";
    bytes.filter(|bytes| *bytes >= 32 << 20).ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_as_in_kubernetes() {
        assert_eq!((size("128Mi"), size("1Gi")), (Ok(128 << 20), Ok(1 << 30)));
        for wrong in ["128", "1.5Gi", "-1Mi", "1Mi", "Mi", "999999999999999999Gi"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
