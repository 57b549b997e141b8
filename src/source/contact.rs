//! One conversation with the server, and what its failures mean.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{
    AutotagOption, ErrorClass, ErrorCode, FetchOptions, Oid, ProxyOptions, PushOptions,
    RemoteCallbacks, RemoteRedirect, Repository,
};

use super::credentials::{Answers, unusable};
use super::error::{SourceError, has_other_object_ids};
use super::host_key::{ShownKey, names_host};
use super::location::{Transport, local_path, ssh_host, transport};
use super::patience::Heartbeat;
use super::request::{Failure, Request};
use coalmine_core::reason::Advice;

/// How servers say that a repository is not there, in small letters.
const ABSENT: [&str; 5] =
    ["404", "not found", "not exported", "does not exist", "not appear to be a git"];

/// How many commits of a branch's history come where none is needed: the first is as many as the status shows
/// of the past, and the next ones are tried when that is too much for the memory.
pub(super) const DEPTHS: [i32; 2] = [50, 1];

/// The most that is kept of what a server says beside its answer, in bytes.
const LONGEST_WORDS: usize = 4 << 10;

/// What a server did with a push.
#[derive(Debug)]
pub(super) enum Pushed {
    /// It says that the branch is moved.
    Done,
    /// The branch was elsewhere already, so nothing was sent.
    Moved,
    /// It did not move the branch.
    Refused {
        /// Its one line, such as `pre-receive hook declined`.
        status: String,
        /// What it said beside: the output of hooks.
        words: String,
    },
}

/// One conversation with the server.
pub(super) struct Contact<'a> {
    request: &'a Request,
    transport: Transport,
    answers: Answers,
    key: ShownKey,
    known_hosts: Option<(PathBuf, String)>,
    life: Heartbeat,
}

impl<'a> Contact<'a> {
    pub(super) fn new(request: &'a Request) -> Result<Self, SourceError> {
        let transport = transport(&request.repository)?;
        let known_hosts = match (&request.credentials.known_hosts_file, transport) {
            (Some(path), Transport::Ssh) => Some((path.clone(), trust(path, &request.home())?)),
            _ => None,
        };
        let answers = Answers::new(&request.credentials)?;
        let (key, life) = (ShownKey::default(), Heartbeat::default());
        Ok(Self { request, transport, answers, key, known_hosts, life })
    }

    /// Fetches branches, overwriting whatever the clone had, and returns the names that the server
    /// has. A branch that it does not have is no error to libgit2. With a depth no more than so many commits
    /// of its history come.
    pub(super) fn fetch(
        mut self,
        repository: &Repository,
        names: &[&str],
        depth: Option<i32>,
    ) -> Result<Vec<String>, Failure> {
        let mut remote = repository
            .remote_anonymous(&self.request.repository)
            .map_err(|error| Failure::Clone(error.message().to_owned()))?;
        let (answers, key, life) = (&mut self.answers, &self.key, &self.life);
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(|_, username, allowed| answers.answer(username, allowed));
        callbacks.certificate_check(|certificate, _| Ok(key.note(certificate)));
        callbacks.sideband_progress(|_| {
            life.give();
            true
        });
        callbacks.transfer_progress(|_| {
            life.give();
            true
        });
        let mut proxy = ProxyOptions::new();
        proxy.auto();
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).proxy_options(proxy);
        options.download_tags(AutotagOption::None).update_fetchhead(false);
        // To another path of the same host alone, or to its https: somebody named this server and trusts it,
        // and what is fetched is applied.
        options.follow_redirects(RemoteRedirect::None);
        options.depth(depth.unwrap_or(0));
        let specs: Vec<String> = names.iter().map(|name| format!("+{name}:{name}")).collect();
        let fetched = remote.fetch(&specs, Some(&mut options), None);
        drop(options);
        fetched.map_err(|error| self.failure(&error))?;
        let heads = remote.list().map_err(|error| self.failure(&error))?;
        Ok(heads.iter().map(|head| head.name().to_owned()).collect())
    }

    /// Moves a branch of the server from `before` to a commit. Whether that is a step forward is the caller's to
    /// know: a branch that is anywhere else by now is not moved.
    pub(super) fn push(
        mut self,
        repository: &Repository,
        name: &str,
        commit: Oid,
        before: Option<Oid>,
    ) -> Result<Pushed, Failure> {
        let mut remote = repository
            .remote_anonymous(&self.request.repository)
            .map_err(|error| Failure::Clone(error.message().to_owned()))?;
        let (answers, key, life) = (&mut self.answers, &self.key, &self.life);
        let (mut refusal, mut words, mut moved) = (None, Vec::new(), false);
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(|_, username, allowed| answers.answer(username, allowed));
        callbacks.certificate_check(|certificate, _| Ok(key.note(certificate)));
        callbacks.sideband_progress(|text| {
            life.give();
            let room = LONGEST_WORDS.saturating_sub(words.len());
            words.extend_from_slice(&text[..text.len().min(room)]);
            true
        });
        callbacks.push_transfer_progress(|_, _, _| life.give());
        callbacks.push_negotiation(|updates| {
            let expected = before.unwrap_or(Oid::ZERO_SHA1);
            moved = updates.iter().any(|update| update.src() != expected);
            match moved {
                true => Err(git2::Error::from_str("the branch has moved")),
                false => Ok(()),
            }
        });
        callbacks.push_update_reference(|_, status| {
            refusal = status.map(str::to_owned);
            Ok(())
        });
        let mut proxy = ProxyOptions::new();
        proxy.auto();
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks).proxy_options(proxy);
        options.follow_redirects(RemoteRedirect::None);
        // With the plus libgit2 leaves the old commit to the server, which is told it and compares: the branch moves
        // from that commit or not at all.
        let pushed = remote.push(&[format!("+{commit}:{name}")], Some(&mut options));
        drop(options);
        let words = String::from_utf8_lossy(&words).into_owned();
        match pushed {
            _ if moved => Ok(Pushed::Moved),
            Ok(()) => Ok(refusal.map_or(Pushed::Done, |status| Pushed::Refused { status, words })),
            // The server has not even kept the objects, and says why beside its answer.
            Err(error) if error.message().contains("unpacking the sent packfile failed") => {
                Ok(Pushed::Refused {
                    status: "the server could not store the commit".to_owned(),
                    words,
                })
            }
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// Goes as far as a push of this commit goes before anything is sent.
    pub(super) fn may_push(
        self,
        repository: &Repository,
        name: &str,
        commit: Oid,
    ) -> Result<(), Failure> {
        // Where no branch can be, so every branch is elsewhere.
        let nowhere = Oid::from_bytes(&[0xff; 20]).ok();
        self.push(repository, name, commit, nowhere).map(drop)
    }

    /// What libgit2's error means to a person.
    fn failure(&self, error: &git2::Error) -> Failure {
        let repository = self.request.repository.clone();
        let detail = error.message().trim().to_owned();
        let text = detail.to_lowercase();
        let local = self.transport == Transport::Local;
        if has_other_object_ids(&text) {
            return Failure::Final(SourceError::ObjectFormat { repository });
        }
        if let Some(error) = self.request.lack(&detail) {
            return Failure::Final(error);
        }
        // libgit2 has several errors for a folder that is no repository, down to "unsupported protocol".
        if local && let Err(error) = Repository::open(local_path(&repository)) {
            let detail = error.message().to_owned();
            if has_other_object_ids(&detail) {
                return Failure::Final(SourceError::ObjectFormat { repository });
            }
            return Failure::Final(SourceError::RepositoryMissing { repository, detail });
        }
        let connection = matches!(
            error.class(),
            ErrorClass::Net | ErrorClass::Http | ErrorClass::Ssh | ErrorClass::Os
        );
        Failure::Final(match (error.class(), error.code()) {
            (_, ErrorCode::Auth) => {
                let denial = self.answers.denial().cloned();
                let detail = denial.unwrap_or_else(|| detail.into());
                SourceError::Authentication { repository, detail }
            }
            (ErrorClass::Ssh, ErrorCode::Certificate) => self.host_key(),
            _ if connection && text.contains("status code: 403") => {
                let purpose = self.request.credentials.purpose;
                let (flag, right) = (purpose.token_flag(), purpose.right());
                SourceError::Authentication {
                    repository,
                    detail: Advice::new(
                        "it answers 403",
                        format_args!(
                            "check that the owner of {flag} may {right}, and the scopes of the token"
                        ),
                    ),
                }
            }
            _ if text.contains("cannot redirect") => SourceError::Redirected { repository, detail },
            (ErrorClass::Ssl, _) | (_, ErrorCode::Certificate) => {
                SourceError::Certificate { repository, detail }
            }
            _ if connection && !local && ABSENT.iter().any(|word| text.contains(word)) => {
                SourceError::RepositoryMissing { repository, detail }
            }
            _ if connection && !local => SourceError::Unreachable { repository, detail },
            (ErrorClass::Invalid | ErrorClass::Net | ErrorClass::Http | ErrorClass::Ssh, _) => {
                SourceError::Git { repository, detail }
            }
            // What is left is about objects, packs, references and their files: most likely ours.
            _ => return Failure::Clone(detail),
        })
    }

    fn host_key(&self) -> SourceError {
        let (host, port) = ssh_host(&self.request.repository);
        let (known_hosts, text) = self.known_hosts.clone().unwrap_or_default();
        SourceError::HostKey {
            changed: names_host(&text, &host, port),
            host: if port == 22 { host } else { format!("{host}:{port}") },
            fingerprint: self.key.fingerprint().unwrap_or_else(|| "no key".to_owned()),
            known_hosts,
        }
    }
}

/// Puts known hosts where libgit2 looks for it: in the home directory, which is the child's own.
/// Returns its text.
fn trust(known_hosts: &Path, home: &Path) -> Result<String, SourceError> {
    let text = fs::read_to_string(known_hosts)
        .map_err(|error| unusable(known_hosts, error.to_string().into()))?;
    let folder = home.join(".ssh");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("known_hosts"), &text))
        .map_err(|error| SourceError::Disk { path: folder, detail: error.to_string().into() })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Credentials, Policy};
    use coalmine_core::reason::Hinted;

    /// What a failure at this address is told as; the state directory holds `known_hosts`.
    fn told(repository: &str, known_hosts: &str, error: &git2::Error) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        fs::write(&file, known_hosts).unwrap();
        let request = Request {
            repository: repository.to_owned(),
            branch: "main".to_owned(),
            path: String::new(),
            directory: folder.path().to_path_buf(),
            memory: 1 << 30,
            credentials: Credentials { known_hosts_file: Some(file), ..Credentials::default() },
            verify: false,
            policy: Policy::default(),
            accepted: None,
        };
        let contact = Contact::new(&request).unwrap();
        if contact.transport == Transport::Ssh {
            let trusted = fs::read_to_string(request.home().join(".ssh/known_hosts")).unwrap();
            assert_eq!(trusted, known_hosts, "libgit2 must find what was configured");
        }
        match contact.failure(error) {
            Failure::Final(error) => {
                error.line().replace(&folder.path().display().to_string(), "STATE")
            }
            Failure::Clone(detail) => format!("clone: {detail}"),
        }
    }

    fn error(class: ErrorClass, code: ErrorCode, message: &str) -> git2::Error {
        git2::Error::new(code, class, message)
    }

    #[test]
    fn a_host_key_that_is_refused_is_told_as_unknown_or_changed() {
        let refused = error(ErrorClass::Ssh, ErrorCode::Certificate, "invalid or unknown");
        assert_eq!(
            told("git@git.example.com:a.git", "other.example.com ssh-ed25519 AAAA\n", &refused),
            "host key of git.example.com is unknown: the server shows no key; nothing was sent to it. \
             Compare the fingerprint with the server's owner before you change STATE/known_hosts"
        );
        let known = "[git.example.com]:2222 ssh-ed25519 AAAA\n";
        let message = told("ssh://git@git.example.com:2222/a.git", known, &refused);
        assert!(message.starts_with("host key of git.example.com:2222 has changed"), "{message}");
    }

    #[test]
    fn each_kind_of_failure_has_its_own_words() {
        let generic = ErrorCode::GenericError;
        for (class, code, message, expected) in [
            (ErrorClass::Ssl, ErrorCode::Certificate, "self-signed", "TLS certificate of git"),
            (ErrorClass::Ssl, generic, "handshake", "is not trusted (handshake)"),
            (ErrorClass::Callback, ErrorCode::Auth, "no token", "refused us: no token"),
            (ErrorClass::Net, generic, "ERROR: Repository not found.", "does not exist, or these"),
            (ErrorClass::Http, generic, "unexpected http status code: 404", "does not exist"),
            (ErrorClass::Http, generic, "unexpected http status code: 502", "cannot be reached"),
            (ErrorClass::Net, generic, "cannot redirect from 'a' to 'b'", "give --repo the new"),
            (ErrorClass::Net, ErrorCode::Eof, "early EOF", "cannot be reached (early EOF)"),
            (ErrorClass::Odb, ErrorCode::NotFound, "no object", "clone: no object"),
            (ErrorClass::Reference, ErrorCode::Locked, "locked", "clone: locked"),
            (ErrorClass::Invalid, generic, "odd", "failed: odd"),
        ] {
            let message = told("https://git.example.com/a.git", "", &error(class, code, message));
            assert!(message.contains(expected), "{message}");
        }
    }
}
