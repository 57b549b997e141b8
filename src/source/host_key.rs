//! What to say about an ssh server's key.
//!
//! libgit2 itself compares the key with `~/.ssh/known_hosts`, hashed names included, and refuses
//! what does not match; the fetching child runs with a home of its own in which that file is the
//! configured one. Here the key is only noted, so that the refusal can name its fingerprint.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use git2::CertificateCheckStatus;
use git2::cert::Cert;

/// The key the server showed, for the message if it is refused.
#[derive(Debug, Default)]
pub(super) struct ShownKey(RefCell<Option<String>>);

impl ShownKey {
    /// The certificate callback: notes an ssh key, and leaves the decision, for ssh and TLS alike, to
    /// libgit2's own check.
    pub(super) fn note(&self, certificate: &Cert<'_>) -> CertificateCheckStatus {
        if let Some(key) = certificate.as_hostkey() {
            let kind = key.hostkey_type().map_or("unknown", |kind| kind.name());
            let digest = key.hash_sha256().map(|digest| STANDARD_NO_PAD.encode(digest));
            *self.0.borrow_mut() = Some(format!("{kind} SHA256:{}", digest.unwrap_or_default()));
        }
        CertificateCheckStatus::CertificatePassthrough
    }

    /// Key type and fingerprint as `ssh-keygen -l` shows them, if the server got that far.
    pub(super) fn fingerprint(&self) -> Option<String> {
        self.0.borrow().clone()
    }
}

/// Whether known hosts has a key for this host in plain writing: then another key is a *changed* one.
/// Hashed names cannot be told apart here and count as unknown.
pub(super) fn names_host(known_hosts: &str, host: &str, port: u16) -> bool {
    let wanted = match port {
        22 => host.to_owned(),
        port => format!("[{host}]:{port}"),
    };
    known_hosts
        .lines()
        .filter(|line| !line.starts_with(['#', '@']))
        .filter_map(|line| line.split_whitespace().next())
        .any(|names| names.split(',').any(|name| name.eq_ignore_ascii_case(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "\
# comment git.commented.example ssh-ed25519 AAAA
git.example.com,10.0.0.1 ssh-ed25519 AAAA
[git.example.com]:2222 ssh-rsa AAAA
@revoked old.example.com ssh-rsa AAAA
|1|c2FsdA==|aGFzaA== ssh-ed25519 AAAA
";

    #[test]
    fn a_host_is_known_by_any_of_its_names_and_by_its_port() {
        assert!(names_host(KNOWN, "git.example.com", 22));
        assert!(names_host(KNOWN, "GIT.example.com", 22));
        assert!(names_host(KNOWN, "10.0.0.1", 22));
        assert!(names_host(KNOWN, "git.example.com", 2222));
        assert!(!names_host(KNOWN, "git.example.com", 2200));
        assert!(!names_host(KNOWN, "10.0.0.1", 2222));
        assert!(!names_host(KNOWN, "example.com", 22));
        assert!(!names_host(KNOWN, "old.example.com", 22));
        assert!(!names_host("", "git.example.com", 22));
    }
}
