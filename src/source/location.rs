//! What kind of address a repository has.

use std::path::Path;

use super::error::SourceError;
use coalmine_core::reason::Advice;

/// How the repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Https,
    Http,
    Ssh,
    Git,
    Local,
}

/// The transport of an address.
///
/// # Errors
/// An unknown scheme, or a password or token inside the address: it would end in logs and in the
/// status, so it belongs in a file.
pub(super) fn transport(repository: &str) -> Result<Transport, SourceError> {
    if repository.trim().is_empty() {
        return Err(refused(Advice::new("no repository is given", "set --repo")));
    }
    let Some((scheme, rest)) = repository.split_once("://") else {
        return Ok(without_scheme(repository));
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let transport = match scheme {
        "https" => Transport::Https,
        "http" => Transport::Http,
        "ssh" => Transport::Ssh,
        "git" => Transport::Git,
        "file" => Transport::Local,
        _ => {
            return Err(refused(Advice::new(
                format_args!("cannot fetch over `{scheme}://`"),
                "--repo takes https, ssh, http, git, file or a path",
            )));
        }
    };
    let secret = match (transport, user) {
        (Transport::Https | Transport::Http, Some(_)) => true,
        (_, Some(user)) => user.contains(':'),
        (_, None) => false,
    };
    if secret {
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        return Err(refused(Advice::new(
            format_args!(
                "the address of the repository on {host} carries a user or a password, which would show in \
                 logs"
            ),
            "put the token in a file and name it with --git-token-file",
        )));
    }
    Ok(transport)
}

/// `git@host:path` is ssh as git reads it: a colon before the first slash.
fn without_scheme(repository: &str) -> Transport {
    let head = repository.split('/').next().unwrap_or_default();
    if head.contains(':') { Transport::Ssh } else { Transport::Local }
}

/// The folder of an address whose transport is local.
pub(super) fn local_path(repository: &str) -> &Path {
    Path::new(repository.strip_prefix("file://").unwrap_or(repository))
}

/// The host and port of an ssh address, for messages and for looking it up in known hosts.
pub(super) fn ssh_host(repository: &str) -> (String, u16) {
    let Some((_, rest)) = repository.split_once("://") else {
        let head = repository.split(':').next().unwrap_or_default();
        return (head.rsplit('@').next().unwrap_or_default().to_owned(), 22);
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, port)) => (name, port.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    (name.to_owned(), port.and_then(|port| port.parse().ok()).unwrap_or(22))
}

fn refused(detail: Advice) -> SourceError {
    SourceError::Configuration { detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Hinted;

    #[test]
    fn every_kind_of_address_has_its_transport() {
        for (repository, expected) in [
            ("https://git.example.com/a.git", Transport::Https),
            ("http://git.example.com/a.git", Transport::Http),
            ("ssh://git@git.example.com:2222/a.git", Transport::Ssh),
            ("git@git.example.com:team/a.git", Transport::Ssh),
            ("git://127.0.0.1:9418/a.git", Transport::Git),
            ("file:///srv/a.git", Transport::Local),
            ("/srv/a.git", Transport::Local),
            ("./a:b", Transport::Local),
        ] {
            assert_eq!(transport(repository).unwrap(), expected, "{repository}");
        }
    }

    #[test]
    fn a_secret_in_the_address_is_refused_without_being_repeated() {
        for repository in [
            "https://s3cret@git.example.com/a.git",
            "https://user:s3cret@git.example.com/a.git",
            "ssh://git:s3cret@git.example.com/a.git",
        ] {
            let error = transport(repository).unwrap_err().line();
            assert!(error.contains("repository on git.example.com carries a user or a password"));
            assert!(error.contains("--git-token-file"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_unknown_scheme_is_refused_with_those_that_work() {
        let error = transport("ftp://host/a.git").unwrap_err().line();
        assert_eq!(
            error,
            "cannot fetch over `ftp://`; --repo takes https, ssh, http, git, file or a path"
        );
    }

    #[test]
    fn the_host_of_an_ssh_address_is_found_in_both_spellings() {
        let host = |address| ssh_host(address);
        assert_eq!(host("git@git.example.com:team/a"), ("git.example.com".to_owned(), 22));
        assert_eq!(host("ssh://git.example.com/a"), ("git.example.com".to_owned(), 22));
        assert_eq!(host("ssh://git@git.example.com:2222/a"), ("git.example.com".to_owned(), 2222));
        assert_eq!(host("ssh://git@[::1]:2222/a"), ("::1".to_owned(), 2222));
    }
}
