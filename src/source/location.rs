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

/// Whether it is the address of a folder, whose transport of libgit2 knows no part of a history.
pub(super) fn is_local(repository: &str) -> bool {
    matches!(transport(repository), Ok(Transport::Local))
}

/// The transport of an address.
///
/// # Errors
/// An unknown scheme, a mixture of the two spellings of ssh addresses, or a password or token inside the
/// address: it would end in logs and in the status, so it belongs in a file.
pub(super) fn transport(repository: &str) -> Result<Transport, SourceError> {
    if repository.trim().is_empty() {
        return Err(refused(Advice::new("no repository is given", "set --repo")));
    }
    let Some((scheme, rest)) = repository.split_once("://") else {
        return without_scheme(repository);
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let transport = match scheme {
        "https" => Transport::Https,
        "http" => Transport::Http,
        "ssh" => Transport::Ssh,
        "git" => Transport::Git,
        "file" => return Ok(Transport::Local),
        "git+ssh" | "ssh+git" if !has_password(authority) => {
            return Err(refused(Advice::new(
                format_args!("cannot fetch over `{scheme}://`"),
                format_args!("write ssh://{rest}"),
            )));
        }
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
        // What stands before the `@` may be a secret, and is not repeated, but for the user of ssh.
        let path = &rest[authority.len()..];
        let name = user.and_then(|user| user.split(':').next()).filter(|name| !name.is_empty());
        let name = name.filter(|_| transport == Transport::Ssh);
        let name = name.map_or(String::new(), |name| format!("{name}@"));
        return Err(refused(Advice::new(
            format_args!(
                "the address of the repository on {host} carries a user or a password, which would show in \
                 logs"
            ),
            format_args!(
                "write {scheme}://{name}{host}{path}, put the token in a file and name it with --git-token-file"
            ),
        )));
    }
    if let Some(advice) = bare_ipv6(scheme, authority, rest) {
        return Err(refused(advice));
    }
    if let Some(port) = port(authority).filter(|port| port.parse().unwrap_or(0_u16) == 0) {
        return Err(refused(not_a_port(scheme, authority, rest, port)));
    }
    Ok(transport)
}

/// What to say of an IPv6 address without brackets: nobody can tell its last part from a port.
fn bare_ipv6(scheme: &str, authority: &str, rest: &str) -> Option<Advice> {
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.starts_with('[') || host.matches(':').count() < 2 {
        return None;
    }
    let user = &authority[..authority.len() - host.len()];
    let path = &rest[authority.len()..];
    Some(Advice::new(
        format_args!("the address of the repository has the IPv6 address {host} without brackets"),
        format_args!("write {scheme}://{user}[{host}]{path}"),
    ))
}

/// The text after the colon of an authority, which should be a port.
fn port(authority: &str) -> Option<&str> {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (_, port) = host.rsplit_once(':')?;
    // The colons of an IPv6 address stand in brackets.
    (!port.contains(']')).then_some(port)
}

/// `ssh://git@host:group/repo.git` has the colon of one spelling and the scheme of the other.
fn not_a_port(scheme: &str, authority: &str, rest: &str, port: &str) -> Advice {
    let server = authority.strip_suffix(port).unwrap_or(authority).trim_end_matches(':');
    let (_, path) = rest.split_once('/').unwrap_or_default();
    let found = if port.is_empty() { "nothing".to_owned() } else { format!("`{port}`") };
    let wrong = format!(
        "the address of the repository has {found} where `{scheme}://` has a port, after {server}:"
    );
    if port.is_empty() || port.bytes().all(|digit| digit.is_ascii_digit()) {
        return Advice::new(wrong, format_args!("write {scheme}://{server}/{path}"));
    }
    let path = format!("{port}/{path}");
    Advice::new(
        wrong,
        match scheme {
            "ssh" => format!("write ssh://{server}/{path}, or {server}:{path} without ssh://"),
            _ => format!("write {scheme}://{server}/{path}"),
        },
    )
}

fn has_password(authority: &str) -> bool {
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// `git@host:path` is ssh as git reads it: a colon before the first slash.
fn without_scheme(repository: &str) -> Result<Transport, SourceError> {
    let head = repository.split('/').next().unwrap_or_default();
    if let Some(advice) = of_windows(repository).or_else(|| in_brackets(repository)) {
        return Err(refused(advice));
    }
    let Some((server, first)) = head.split_once(':') else {
        return match missing_colon(repository) {
            Some(advice) => Err(refused(advice)),
            None => Ok(Transport::Local),
        };
    };
    let Some((_, path)) = repository.split_once('/') else { return Ok(Transport::Ssh) };
    // git reads it as a folder, and most people who write it mean a port.
    if first.parse().is_ok_and(|port: u16| port > 0) {
        return Err(refused(Advice::new(
            format_args!("{repository} does not say whether {first} is a port or a folder"),
            format_args!(
                "for the port write ssh://{server}:{first}/{path}, and for the folder \
                 ssh://{server}/{first}/{path}"
            ),
        )));
    }
    Ok(Transport::Ssh)
}

/// What to say of a path on Windows, `C:\repos\rollouts`, which git elsewhere takes for the host `C`.
fn of_windows(repository: &str) -> Option<Advice> {
    let (drive, rest) = repository.split_once(':')?;
    let is_drive = drive.len() == 1 && drive.starts_with(|sign: char| sign.is_ascii_alphabetic());
    (is_drive && rest.starts_with(['\\', '/'])).then(|| {
        Advice::new(
            format_args!("{repository} is a path of Windows"),
            "give --repo a folder of the machine on which coalmine runs, or an address such as \
             https://HOST/PATH",
        )
    })
}

/// What to say of `git@[::1]:p/r.git` and of git's `[git@host:7999]:p/r.git`: the other spelling says the same.
fn in_brackets(repository: &str) -> Option<Advice> {
    let (before, rest) = repository.split_once('[')?;
    let (inside, path) = rest.split_once("]:")?;
    if !(before.is_empty() || before.ends_with('@')) || before.contains(['/', ':']) {
        return None;
    }
    let path = path.trim_start_matches('/');
    // Of an IPv6 address the brackets are a part.
    let host = match inside.matches(':').count() > 1 {
        true => format!("{before}[{inside}]"),
        false => format!("{before}{inside}"),
    };
    Some(Advice::new(
        format_args!("brackets in an address without a scheme are not read: {repository}"),
        format_args!("write ssh://{host}/{path}"),
    ))
}

/// What to say of an address that is neither a path on this machine nor an address of git.
fn missing_colon(repository: &str) -> Option<Advice> {
    let (head, path) = repository.split_once('/')?;
    let is_host = match head.split_once('@') {
        Some((user, host)) => !user.is_empty() && !host.is_empty(),
        None => {
            head.contains('.')
                && !head.starts_with('.')
                && head.contains(|sign: char| sign.is_alphabetic())
        }
    };
    if !is_host || path.is_empty() || Path::new(repository).exists() {
        return None;
    }
    let wrong = format!("there is no folder {repository}, and as an address it is incomplete");
    Some(match head.split_once('@') {
        Some(_) => Advice::new(wrong, format_args!("write {head}:{path} or ssh://{head}/{path}")),
        None => Advice::new(wrong, format_args!("write https://{repository}")),
    })
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
    fn a_mixture_of_the_two_spellings_of_ssh_is_refused_with_the_right_ones() {
        for (repository, message) in [
            (
                "ssh://git@host:group/repo.git",
                "the address of the repository has `group` where `ssh://` has a port, after git@host:; \
                 write ssh://git@host/group/repo.git, or git@host:group/repo.git without ssh://",
            ),
            (
                "ssh://git@host:/group/repo.git",
                "the address of the repository has nothing where `ssh://` has a port, after git@host:; \
                 write ssh://git@host/group/repo.git",
            ),
            (
                "ssh://git@host:99999/group/repo.git",
                "the address of the repository has `99999` where `ssh://` has a port, after git@host:; \
                 write ssh://git@host/group/repo.git",
            ),
            (
                "https://host:group/sub/repo.git",
                "the address of the repository has `group` where `https://` has a port, after host:; \
                 write https://host/group/sub/repo.git",
            ),
            (
                "git@host:7999/p/r.git",
                "git@host:7999/p/r.git does not say whether 7999 is a port or a folder; for the port write \
                 ssh://git@host:7999/p/r.git, and for the folder ssh://git@host/7999/p/r.git",
            ),
            (
                "host:2222/repo.git",
                "host:2222/repo.git does not say whether 2222 is a port or a folder; for the port write \
                 ssh://host:2222/repo.git, and for the folder ssh://host/2222/repo.git",
            ),
            (
                "git+ssh://git@host/group/repo.git",
                "cannot fetch over `git+ssh://`; write ssh://git@host/group/repo.git",
            ),
            (
                "git@host.example.com/group/repo.git",
                "there is no folder git@host.example.com/group/repo.git, and as an address it is incomplete; \
                 write git@host.example.com:group/repo.git or ssh://git@host.example.com/group/repo.git",
            ),
            (
                "github.com/team/rollouts",
                "there is no folder github.com/team/rollouts, and as an address it is incomplete; write \
                 https://github.com/team/rollouts",
            ),
        ] {
            assert_eq!(transport(repository).unwrap_err().line(), message);
        }
        for repository in [
            "git@host:group7/repo.git",
            "git@host:2024-rollouts/repo.git",
            "git@host:7999",
            "ssh://git@[::1]/repo.git",
            "ssh://[::1]:22/repo.git",
        ] {
            assert_eq!(transport(repository).unwrap(), Transport::Ssh, "{repository}");
        }
        for repository in ["srv/a.git", "../a.git", "./a.git", ".git/a"] {
            assert_eq!(transport(repository).unwrap(), Transport::Local, "{repository}");
        }
    }

    #[test]
    fn other_spellings_of_addresses_are_told_how_to_be_written() {
        for (repository, hint) in [
            ("git@[::1]:p/r.git", "write ssh://git@[::1]/p/r.git"),
            ("[git@host:7999]:p/r.git", "write ssh://git@host:7999/p/r.git"),
            ("git@[host]:p/r.git", "write ssh://git@host/p/r.git"),
            ("ssh://git@2001:db8::1/p/r.git", "write ssh://git@[2001:db8::1]/p/r.git"),
            ("https://2001:db8::1/p/r.git", "write https://[2001:db8::1]/p/r.git"),
            (r"C:\repos\rollouts", "or an address such as https://HOST/PATH"),
            ("C:/repos/rollouts", "or an address such as https://HOST/PATH"),
            (
                "https://org@dev.azure.com/org/project/_git/rollouts",
                "write https://dev.azure.com/org/project/_git/rollouts, put the token in a file and name it with \
                 --git-token-file",
            ),
        ] {
            let line = transport(repository).unwrap_err().line();
            assert!(line.ends_with(hint), "{line}");
        }
        for (repository, expected) in [
            ("git@host:~team/r.git", Transport::Ssh),
            ("ssh://git@host/~team/r", Transport::Ssh),
            ("ssh://git@[2001:db8::1]:7999/p/r.git", Transport::Ssh),
            ("https://host/p/r/", Transport::Https),
            ("git://host/p/r", Transport::Git),
            ("./[a]:b", Transport::Local),
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
        for repository in ["ssh://git:s3cret@host:group/a.git", "git+ssh://git:s3cret@host/a.git"] {
            let error = transport(repository).unwrap_err().line();
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
