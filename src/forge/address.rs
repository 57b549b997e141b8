//! What a repository's address says about its forge: where the API is, and how the repository is called
//! there.

use reqwest::Url;

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Forge {
    /// GitHub, and GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
    /// Bitbucket Cloud, and Bitbucket Data Center from 7.4 on.
    Bitbucket,
    /// Azure DevOps Services, and Azure DevOps Server from 2019 on.
    AzureDevops,
}

/// How a forge is reached, and how it calls the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Where the API's paths begin; ends with `/`.
    pub(crate) api: String,
    /// What the API calls the repository: `owner/name`, for GitLab with its groups, for Azure DevOps
    /// `project/name`.
    pub(crate) project: String,
    /// Where people see the repository.
    pub(crate) web: String,
    /// Whether this is Atlassian's own Bitbucket, whose API is another than that of Data Center.
    pub(crate) is_cloud: bool,
}

/// An address of git, taken apart.
struct Parts {
    /// `https` for ssh as well: the API is there.
    scheme: String,
    /// With the port of an http or https address. That of ssh says nothing about the API.
    host: String,
    path: Vec<String>,
    /// Whether the path begins where that of web pages does.
    is_web: bool,
}

impl Parts {
    fn of(repository: &str) -> Option<Self> {
        let (scheme, host, path, is_web) = match repository.split_once("://") {
            Some((scheme @ ("https" | "http" | "ssh"), rest)) => {
                let (authority, path) = rest.split_once('/')?;
                let host = authority.rsplit('@').next()?;
                match scheme {
                    "ssh" => ("https", without_port(host), path, false),
                    scheme => (scheme, host, path, true),
                }
            }
            Some(_) => return None,
            None => {
                let (server, path) = repository.split_once(':')?;
                let host = server.rsplit('@').next()?;
                ("https", host, path, false)
            }
        };
        let path = path.trim_matches('/').trim_end_matches(".git");
        let path: Vec<String> =
            path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let host = host.to_ascii_lowercase();
        let is_one = !host.is_empty() && path.len() > 1;
        is_one.then(|| Self { scheme: scheme.to_owned(), host, path, is_web })
    }

    /// The address of a folder of the server.
    fn below(&self, folders: &[String]) -> String {
        let mut address = format!("{}://{}/", self.scheme, self.host);
        for folder in folders {
            address.push_str(folder);
            address.push('/');
        }
        address
    }

    /// What stands before the last two names, and these. Before them an address of ssh has nothing that
    /// web pages have.
    fn split_last_two(&self) -> (&[String], &[String]) {
        let (before, last) = self.path.split_at(self.path.len().saturating_sub(2));
        (if self.is_web { before } else { &[] }, last)
    }
}

fn without_port(host: &str) -> &str {
    // The colons of an IPv6 address stand in brackets.
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

impl Address {
    /// What the repository's address says, and `api` where the API is elsewhere than such a forge has it
    /// on the repository's host. Scheme, port and a folder of the host are kept.
    pub(crate) fn of(forge: Forge, repository: &str, api: Option<&Url>) -> Option<Self> {
        let parts = Parts::of(repository)?;
        let mut address = match forge {
            Forge::Github => github(&parts),
            Forge::Gitlab => gitlab(&parts, api)?,
            Forge::Gitea => of_last_two(&parts, "api/v1/"),
            Forge::Bitbucket => bitbucket(&parts, api)?,
            Forge::AzureDevops => azure_devops(&parts)?,
        };
        if let Some(api) = api {
            address.api = format!("{}/", api.as_str().trim_end_matches('/'));
        }
        Some(address)
    }
}

fn of_last_two(parts: &Parts, api: &str) -> Address {
    let (before, project) = parts.split_last_two();
    let root = parts.below(before);
    let project = project.join("/");
    let (api, web) = (format!("{root}{api}"), format!("{root}{project}"));
    Address { api, project, web, is_cloud: false }
}

fn github(parts: &Parts) -> Address {
    let address = of_last_two(parts, "api/v3/");
    let api = match parts.host.as_str() {
        // Its ssh server for networks that allow port 443 only.
        "github.com" | "www.github.com" | "ssh.github.com" => "https://api.github.com/".to_owned(),
        // GitHub Enterprise Cloud with data residency.
        host if host.ends_with(".ghe.com") => format!("https://api.{host}/"),
        _ => return address,
    };
    Address { api, ..address }
}

/// A project may be in any number of groups, so only the API's address tells which folders are not groups
/// but the one that GitLab is served below.
fn gitlab(parts: &Parts, api: Option<&Url>) -> Option<Address> {
    let host = parts.host.strip_prefix("altssh.").filter(|host| *host == "gitlab.com");
    let api_path = api.map_or("", |api| api.path()).trim_matches('/');
    let root = api_path.strip_suffix("api/v4").unwrap_or_default().trim_matches('/');
    let root: Vec<String> =
        root.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let is_below = parts.is_web && parts.path.starts_with(&root);
    let project = if is_below { &parts.path[root.len()..] } else { &parts.path[..] };
    if project.len() < 2 {
        return None;
    }
    let origin = match host {
        Some(host) => format!("https://{host}/"),
        None => parts.below(if is_below { &root } else { &[] }),
    };
    let project = project.join("/");
    let (api, web) = (format!("{origin}api/v4/"), format!("{origin}{project}"));
    Some(Address { api, project, web, is_cloud: false })
}

fn bitbucket(parts: &Parts, api: Option<&Url>) -> Option<Address> {
    let (before, last) = parts.split_last_two();
    let [owner, name] = last else { return None };
    let is_atlassian = |host: &str| host == "bitbucket.org" || host.ends_with(".bitbucket.org");
    let is_cloud = is_atlassian(&parts.host)
        || api.is_some_and(|api| {
            api.host_str().is_some_and(is_atlassian)
                || api.path().trim_end_matches('/').ends_with("/2.0")
        });
    let project = format!("{owner}/{name}");
    if is_cloud {
        let api = "https://api.bitbucket.org/2.0/".to_owned();
        let web = format!("https://bitbucket.org/{project}");
        return Some(Address { api, project, web, is_cloud });
    }
    // Over http Data Center serves repositories below `scm`.
    let folders = before.strip_suffix(&["scm".to_owned()]).unwrap_or(before);
    let root = parts.below(folders);
    let web = format!("{root}projects/{owner}/repos/{name}");
    Some(Address { api: format!("{root}rest/api/latest/"), project, web, is_cloud })
}

fn azure_devops(parts: &Parts) -> Option<Address> {
    let (root, project, name) = match parts.path.as_slice() {
        // ssh, under the name of today and the one before.
        [version, organization, project, name] if version == "v3" => {
            (format!("https://dev.azure.com/{organization}/"), project, name)
        }
        path => {
            let git = path.iter().position(|folder| folder == "_git")?;
            let name = path.get(git + 1..)?.last()?;
            // The first repository of a project is called like it, and the address names it once.
            let is_collection = |name: &String| name.eq_ignore_ascii_case("DefaultCollection");
            let is_named_once = git == usize::from(parts.host == "dev.azure.com")
                || path[..git].last().is_some_and(is_collection);
            let (folders, project) = match path[..git].split_last() {
                Some((project, folders)) if !is_named_once => (folders, project),
                _ => (&path[..git], name),
            };
            (parts.below(folders), project, name)
        }
    };
    let web = format!("{root}{project}/_git/{name}");
    Some(Address { api: root, project: format!("{project}/{name}"), web, is_cloud: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(forge: Forge, repository: &str, api: Option<&str>) -> String {
        let api = api.map(|api| api.parse().expect("an address"));
        match Address::of(forge, repository, api.as_ref()) {
            Some(address) => format!("{} {}", address.api, address.project),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn scheme_port_and_folder_of_the_host_are_kept() {
        use Forge::{AzureDevops, Bitbucket, Gitea, Github, Gitlab};
        for (forge, repository, expected) in [
            (
                Github,
                "https://github.com/team/rollouts.git",
                "https://api.github.com/ team/rollouts",
            ),
            (Github, "git@github.com:team/rollouts.git", "https://api.github.com/ team/rollouts"),
            (
                Github,
                "ssh://git@ssh.github.com:443/team/rollouts.git",
                "https://api.github.com/ team/rollouts",
            ),
            (
                Github,
                "https://corp.ghe.com/team/rollouts",
                "https://api.corp.ghe.com/ team/rollouts",
            ),
            (
                Github,
                "https://git.corp:8443/team/rollouts",
                "https://git.corp:8443/api/v3/ team/rollouts",
            ),
            (
                Gitea,
                "http://git.corp:3000/gitea/team/rollouts.git",
                "http://git.corp:3000/gitea/api/v1/ team/rollouts",
            ),
            (
                Gitea,
                "ssh://git@git.corp:2222/team/rollouts.git",
                "https://git.corp/api/v1/ team/rollouts",
            ),
            (Gitea, "http://[::1]:3000/team/rollouts", "http://[::1]:3000/api/v1/ team/rollouts"),
            (Gitea, "ssh://git@[::1]:22/team/rollouts", "https://[::1]/api/v1/ team/rollouts"),
            (
                Gitlab,
                "http://git.corp:8080/group/sub/rollouts.git",
                "http://git.corp:8080/api/v4/ group/sub/rollouts",
            ),
            (
                Gitlab,
                "ssh://git@altssh.gitlab.com:443/group/rollouts.git",
                "https://gitlab.com/api/v4/ group/rollouts",
            ),
            (
                Bitbucket,
                "git@bitbucket.org:team/rollouts.git",
                "https://api.bitbucket.org/2.0/ team/rollouts",
            ),
            (
                Bitbucket,
                "https://git.corp:7990/bitbucket/scm/ops/rollouts.git",
                "https://git.corp:7990/bitbucket/rest/api/latest/ ops/rollouts",
            ),
            (
                Bitbucket,
                "ssh://git@git.corp:7999/~ada/rollouts.git",
                "https://git.corp/rest/api/latest/ ~ada/rollouts",
            ),
            (
                AzureDevops,
                "https://dev.azure.com/org/project/_git/rollouts",
                "https://dev.azure.com/org/ project/rollouts",
            ),
            (
                AzureDevops,
                "https://dev.azure.com/org/_git/rollouts",
                "https://dev.azure.com/org/ rollouts/rollouts",
            ),
            (
                AzureDevops,
                "git@ssh.dev.azure.com:v3/org/project/rollouts",
                "https://dev.azure.com/org/ project/rollouts",
            ),
            (
                AzureDevops,
                "https://org.visualstudio.com/project/_git/rollouts",
                "https://org.visualstudio.com/ project/rollouts",
            ),
            (
                AzureDevops,
                "https://org.visualstudio.com/_git/rollouts",
                "https://org.visualstudio.com/ rollouts/rollouts",
            ),
            (
                AzureDevops,
                "https://tfs.corp/tfs/DefaultCollection/_git/rollouts",
                "https://tfs.corp/tfs/DefaultCollection/ rollouts/rollouts",
            ),
            (
                AzureDevops,
                "http://tfs.corp:8080/tfs/DefaultCollection/project/_git/rollouts",
                "http://tfs.corp:8080/tfs/DefaultCollection/ project/rollouts",
            ),
        ] {
            assert_eq!(told(forge, repository, None), expected, "{repository}");
        }
    }

    #[test]
    fn an_api_elsewhere_keeps_its_own_scheme_port_and_folder() {
        use Forge::{Bitbucket, Gitea, Gitlab};
        for (forge, repository, api, expected) in [
            (
                Gitlab,
                "http://git.corp:8080/gitlab/group/rollouts.git",
                "http://git.corp:8080/gitlab/api/v4",
                "http://git.corp:8080/gitlab/api/v4/ group/rollouts",
            ),
            (
                Gitlab,
                "git@git.corp:gitlab/rollouts.git",
                "https://git.corp/gitlab/api/v4/",
                "https://git.corp/gitlab/api/v4/ gitlab/rollouts",
            ),
            (
                Gitea,
                "ssh://git@git.corp:2222/team/rollouts.git",
                "http://gitea.svc:3000/gitea/api/v1",
                "http://gitea.svc:3000/gitea/api/v1/ team/rollouts",
            ),
            (
                Bitbucket,
                "ssh://git@git.corp:7999/ops/rollouts.git",
                "http://git.corp:7990/bitbucket/rest/api/1.0",
                "http://git.corp:7990/bitbucket/rest/api/1.0/ ops/rollouts",
            ),
        ] {
            assert_eq!(told(forge, repository, Some(api)), expected, "{repository}");
        }
    }

    #[test]
    fn an_address_without_a_project_is_refused() {
        for repository in
            ["/srv/rollouts.git", "https://github.com/rollouts", "file:///srv/a/b.git"]
        {
            assert_eq!(told(Forge::Github, repository, None), "nothing", "{repository}");
        }
        let azure = "https://dev.azure.com/org/project/rollouts";
        assert_eq!(told(Forge::AzureDevops, azure, None), "nothing");
    }
}
