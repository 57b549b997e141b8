//! Who we are to a git server.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Cred, CredentialType, ErrorClass, ErrorCode};
use serde::{Deserialize, Serialize};

use super::error::SourceError;
use super::location::Transport;
use coalmine_core::reason::Advice;

/// The user name when none is configured. Servers that take tokens mostly ignore it.
const USERNAME: &str = "git";

/// What credentials are for, and so which flags name them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To fetch: `--git-token-file` and its neighbours.
    #[default]
    Read,
    /// To push: `--autopilot-token-file` and its neighbours.
    Write,
}

impl Purpose {
    /// The flag that names the file of the token.
    pub(super) fn token_flag(self) -> &'static str {
        match self {
            Self::Read => "--git-token-file",
            Self::Write => "--autopilot-token-file",
        }
    }

    /// The flag that names the private key.
    pub(super) fn key_flag(self) -> &'static str {
        match self {
            Self::Read => "--git-ssh-key-file",
            Self::Write => "--autopilot-ssh-key-file",
        }
    }

    /// What they have to be allowed, after `may`.
    pub(super) fn right(self) -> &'static str {
        match self {
            Self::Read => "read the repository",
            Self::Write => "push to the repository",
        }
    }
}

/// Credentials by the path of their file: the content is read anew for every fetch, so a rotated
/// token is used at once, and no secret is ever an argument or a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The user name for https, and for ssh when the address has none; `git` if absent. GitHub's app
    /// tokens want `x-access-token`.
    pub username: Option<String>,
    /// https: a file whose only line is the token or password.
    pub token_file: Option<PathBuf>,
    /// ssh: the private key, without a passphrase.
    pub ssh_key_file: Option<PathBuf>,
    /// ssh: the servers' keys, in OpenSSH's format. Without it no ssh server is talked to.
    pub known_hosts_file: Option<PathBuf>,
    /// What they are for.
    #[serde(default)]
    pub purpose: Purpose,
}

impl Credentials {
    /// Checks that the credentials suit the transport.
    pub(super) fn fit(&self, repository: &str, transport: Transport) -> Result<(), SourceError> {
        let problem: Advice = match transport {
            Transport::Http if self.token_file.is_some() => Advice::new(
                "would send the token in clear over http",
                format_args!("use https, or drop {}", self.purpose.token_flag()),
            ),
            Transport::Ssh if self.known_hosts_file.is_none() => {
                "needs --git-known-hosts-file: without it nobody could tell the server from an impostor"
                    .to_owned()
                    .into()
            }
            Transport::Ssh if self.ssh_key_file.is_none() => {
                let (flag, right) = (self.purpose.key_flag(), self.purpose.right());
                format!("needs {flag}, a private key that may {right}").into()
            }
            _ => return Ok(()),
        };
        let detail = problem.reworded(|problem| format!("git repository {repository} {problem}"));
        Err(SourceError::Configuration { detail })
    }
}

/// Answers libgit2's questions for credentials during one fetch.
///
/// libgit2 asks again for as long as the server says no, so each secret is offered once.
#[derive(Debug)]
pub(super) struct Answers {
    username: String,
    token: Option<String>,
    ssh_key: Option<PathBuf>,
    purpose: Purpose,
    offered: bool,
    /// Why there was none; of an error of a callback libgit2 passes on the words only.
    denial: Option<Advice>,
}

impl Answers {
    /// Reads the token, so that an unusable file is reported before anything is connected.
    pub(super) fn new(credentials: &Credentials) -> Result<Self, SourceError> {
        if let Some(key) = &credentials.ssh_key_file {
            fs::metadata(key).map_err(|error| unusable(key, error.to_string().into()))?;
        }
        Ok(Self {
            username: credentials.username.clone().unwrap_or_else(|| USERNAME.to_owned()),
            token: credentials.token_file.as_deref().map(token).transpose()?,
            ssh_key: credentials.ssh_key_file.clone(),
            purpose: credentials.purpose,
            offered: false,
            denial: None,
        })
    }

    /// The next credential to try, or an authentication error that ends the fetch.
    pub(super) fn answer(
        &mut self,
        username: Option<&str>,
        allowed: CredentialType,
    ) -> Result<Cred, git2::Error> {
        let username = username.unwrap_or(&self.username);
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(username);
        }
        let again = std::mem::replace(&mut self.offered, true);
        let (token_flag, key_flag) = (self.purpose.token_flag(), self.purpose.key_flag());
        let right = self.purpose.right();
        // A server of ssh may take passwords as well, and a token is none of these.
        if allowed.contains(CredentialType::SSH_KEY) {
            return match &self.ssh_key {
                None => Err(self.deny(Advice::new(
                    "it asks for a key",
                    format_args!("name its file with {key_flag}"),
                ))),
                Some(_) if again => Err(self.deny(Advice::new(
                    "it does not accept the key",
                    format_args!(
                        "check that the public half of {key_flag} is registered there{}",
                        match self.purpose {
                            Purpose::Read => "",
                            Purpose::Write => " with the right to push",
                        }
                    ),
                ))),
                Some(key) => Cred::ssh_key(username, None, key, None),
            };
        }
        if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
            return match &self.token {
                None => Err(self.deny(Advice::new(
                    "it asks for a token",
                    format_args!("name its file with {token_flag}"),
                ))),
                Some(_) if again => Err(self.deny(Advice::new(
                    "it does not accept the token",
                    format_args!("check that {token_flag} is current and may {right}"),
                ))),
                Some(token) => Cred::userpass_plaintext(username, token),
            };
        }
        let unsupported = "it asks for a kind of credential that is not supported".to_owned();
        Err(self.deny(unsupported.into()))
    }

    /// Why there was no credential the last time.
    pub(super) fn denial(&self) -> Option<&Advice> {
        self.denial.as_ref()
    }

    fn deny(&mut self, denial: Advice) -> git2::Error {
        let words = denial.to_string();
        self.denial = Some(denial);
        git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, words)
    }
}

const ONE_LINE: &str = "its only line should be the token";

/// The only line of a token's file.
pub(crate) fn token(path: &Path) -> Result<String, SourceError> {
    let text =
        fs::read_to_string(path).map_err(|error| unusable(path, error.to_string().into()))?;
    let token = text.trim();
    match token {
        "" => Err(unusable(path, Advice::new("it is empty", ONE_LINE))),
        _ if token.chars().any(char::is_control) => {
            let wrong = "it has more than one line or control characters";
            Err(unusable(path, Advice::new(wrong, ONE_LINE)))
        }
        _ => Ok(token.to_owned()),
    }
}

/// The error for a credential file that cannot be used.
pub(super) fn unusable(path: &Path, detail: Advice) -> SourceError {
    SourceError::CredentialFile { path: path.to_path_buf(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Hinted;

    fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn fit(credentials: &Credentials, transport: Transport) -> Result<(), String> {
        credentials.fit("REPO", transport).map_err(|error| error.line())
    }

    #[test]
    fn a_token_never_goes_over_http() {
        let credentials = Credentials { token_file: Some("t".into()), ..Credentials::default() };
        assert_eq!(
            fit(&credentials, Transport::Http).unwrap_err(),
            "git repository REPO would send the token in clear over http; use https, or drop --git-token-file"
        );
        assert!(fit(&credentials, Transport::Https).is_ok());
        assert!(fit(&Credentials::default(), Transport::Http).is_ok());
    }

    #[test]
    fn ssh_is_refused_without_known_hosts_or_key() {
        let key = Credentials { ssh_key_file: Some("k".into()), ..Credentials::default() };
        let error = fit(&key, Transport::Ssh).unwrap_err();
        assert!(error.contains("needs --git-known-hosts-file"), "{error}");
        let hosts = Credentials { known_hosts_file: Some("h".into()), ..Credentials::default() };
        let error = fit(&hosts, Transport::Ssh).unwrap_err();
        assert!(error.contains("needs --git-ssh-key-file"), "{error}");
        assert!(fit(&Credentials { ..key.clone() }, Transport::Local).is_ok());
        let both = Credentials { known_hosts_file: Some("h".into()), ..key };
        assert!(fit(&both, Transport::Ssh).is_ok());
    }

    #[test]
    fn a_token_is_offered_once_and_then_the_fetch_ends() {
        let (_folder, path) = file("s3cret\n");
        let credentials = Credentials { token_file: Some(path), ..Credentials::default() };
        let mut answers = Answers::new(&credentials).unwrap();
        let first = answers.answer(None, CredentialType::USER_PASS_PLAINTEXT).unwrap();
        assert_eq!(first.credtype(), CredentialType::USER_PASS_PLAINTEXT.bits());
        let second = answers.answer(None, CredentialType::USER_PASS_PLAINTEXT).err().unwrap();
        assert_eq!(second.code(), ErrorCode::Auth);
        assert!(second.message().contains("does not accept the token"), "{second}");
    }

    #[test]
    fn a_key_is_offered_once_after_the_user_name() {
        let (_folder, path) = file("key");
        let credentials = Credentials { ssh_key_file: Some(path), ..Credentials::default() };
        let mut answers = Answers::new(&credentials).unwrap();
        let name = answers.answer(None, CredentialType::USERNAME).unwrap();
        assert_eq!(name.credtype(), CredentialType::USERNAME.bits());
        let allowed = CredentialType::SSH_KEY | CredentialType::SSH_CUSTOM;
        let key = answers.answer(Some("git"), allowed).unwrap();
        assert_eq!(key.credtype(), CredentialType::SSH_KEY.bits());
        let again = answers.answer(Some("git"), allowed).err().unwrap();
        assert!(again.message().contains("does not accept the key"), "{again}");
    }

    /// As sshd asks unless its owner turned passwords off.
    #[test]
    fn a_server_that_takes_keys_and_passwords_gets_the_key_and_never_the_token() {
        let (_folder, path) = file("s3cret");
        let credentials = Credentials {
            token_file: Some(path.clone()),
            ssh_key_file: Some(path),
            ..Credentials::default()
        };
        let mut answers = Answers::new(&credentials).unwrap();
        let allowed = CredentialType::USER_PASS_PLAINTEXT | CredentialType::SSH_KEY;
        let first = answers.answer(Some("git"), allowed).unwrap();
        assert_eq!(first.credtype(), CredentialType::SSH_KEY.bits());
        let again = answers.answer(Some("git"), allowed).err().unwrap();
        assert!(again.message().contains("does not accept the key"), "{again}");
    }

    #[test]
    fn without_credentials_the_flag_that_is_missing_is_named() {
        let mut answers = Answers::new(&Credentials::default()).unwrap();
        let mut ask = |allowed| {
            let error = answers.answer(None, allowed).err().unwrap();
            let denial = answers.denial().expect("it says why");
            assert_eq!(error.message(), denial.to_string());
            denial.line()
        };
        assert!(ask(CredentialType::USER_PASS_PLAINTEXT).contains("--git-token-file"));
        assert!(ask(CredentialType::SSH_KEY).contains("--git-ssh-key-file"));
        assert!(ask(CredentialType::DEFAULT).contains("not supported"));
    }

    #[test]
    fn a_token_file_that_cannot_be_used_is_named_before_connecting() {
        for (content, expected) in [(" \n", "it is empty"), ("a\nb", "more than one line")] {
            let (_folder, path) = file(content);
            let credentials =
                Credentials { token_file: Some(path.clone()), ..Credentials::default() };
            let error = Answers::new(&credentials).unwrap_err().line();
            assert!(error.starts_with(&format!("credential file {}", path.display())), "{error}");
            assert!(error.contains(expected), "{error}");
        }
        let credentials =
            Credentials { token_file: Some("no/such/token".into()), ..Credentials::default() };
        let error = Answers::new(&credentials).unwrap_err().line();
        assert!(error.starts_with("credential file no/such/token: No such file"), "{error}");
    }
}
