//! What a service account lacks that objects are written as (`serviceAccountName` of a folder).

use super::code::Code;

/// The user names of service accounts begin with this (authentication/serviceaccount of Kubernetes).
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// A request that was made as a service account, by impersonation, and that the API server did not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAccount {
    /// The account's namespace.
    namespace: String,
    /// The account's name.
    name: String,
    /// What is not allowed, as far as the answer says it.
    request: Option<RefusedRequest>,
}

/// The request in the answer's words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RefusedRequest {
    /// Who may not: the account, or the daemon that may not impersonate it.
    user: String,
    /// For example `patch`.
    verb: String,
    /// With its API group, for example `routetables.gateway.solo.io`.
    resource: String,
    /// Where; none stands for the whole cluster.
    place: Option<String>,
}

impl RefusedAccount {
    /// What the answer to a request means that was made as this user; `None` for a user that is no service account. What
    /// could not stand in a command as it is counts as not said.
    pub fn of(user: &str, words: &str) -> Option<Self> {
        let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
        let is_plain = is_plain(namespace) && is_plain(name);
        let request = RefusedRequest::of(words);
        is_plain.then(|| Self { namespace: namespace.to_owned(), name: name.to_owned(), request })
    }

    /// Whether it is the daemon that may not do what it has to do to become the account.
    fn is_impersonation(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.verb == "impersonate")
    }

    pub(super) fn code(&self) -> Code {
        Code::PermissionDenied
    }

    /// What is not allowed, for a message.
    pub(super) fn verb(&self) -> String {
        let Self { namespace, name, request } = self;
        let account = format!("the service account {namespace}/{name}");
        match request {
            Some(_) if self.is_impersonation() => {
                format!("not allowed, because the daemon may not impersonate {account}")
            }
            Some(RefusedRequest { verb, resource, place, .. }) => format!(
                "not allowed to {account}, which may not {verb} {resource} {}",
                place.as_ref().map_or("in the whole cluster".to_owned(), |place| format!(
                    "in the namespace {place}"
                ))
            ),
            None => format!("not allowed to {account}"),
        }
    }

    /// What to do about it; `namespace` is that of the object that was to be written.
    pub(super) fn hint(&self, namespace: Option<&str>) -> String {
        let Self { namespace: home, name, request } = self;
        if let Some(RefusedRequest { user, .. }) =
            request.as_ref().filter(|_| self.is_impersonation())
        {
            return format!(
                "give the daemon's ClusterRole the verb `impersonate` for serviceaccounts of the name {name}, as \
                 deploy/overlays/lockdown does; `kubectl auth can-i impersonate serviceaccounts/{name} -n {home} --as \
                 {user}` answers yes then"
            );
        }
        let place = request.as_ref().map_or(namespace, |request| request.place.as_deref());
        let (kind, at) = match place {
            Some(place) => ("rolebinding", format!(" -n {place}")),
            None => ("clusterrolebinding", String::new()),
        };
        let asked = match request {
            Some(RefusedRequest { verb, resource, .. }) => format!("{verb} {resource}"),
            None => "--list".to_owned(),
        };
        format!(
            "let the account write there, by a role of your own or by that of deploy/overlays/lockdown: `kubectl create \
             {kind} {name}{at} --clusterrole=coalmine-deployer --serviceaccount={home}:{name}`; `kubectl auth can-i \
             {asked}{at} --as {SERVICE_ACCOUNT}{home}:{name}` shows what it may"
        )
    }
}

impl RefusedRequest {
    /// Reads `User "U" cannot VERB resource "R" in API group "G" in the namespace "N"`, or `at the cluster scope`
    /// (apiserver/pkg/endpoints/handlers/responsewriters).
    fn of(words: &str) -> Option<Self> {
        let (user, rest) = words.split_once("User \"")?.1.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (group, rest) = rest.split_once('"')?;
        let place = rest.strip_prefix(" in the namespace \"").and_then(|rest| rest.split_once('"'));
        let place = place.map(|(place, _)| place.to_owned());
        let resource = match (group, resource.split_once('/')) {
            ("", _) => resource.to_owned(),
            (_, Some((resource, part))) => format!("{resource}.{group}/{part}"),
            (_, None) => format!("{resource}.{group}"),
        };
        let plain = [user, verb, &resource].into_iter().chain(place.as_deref()).all(is_plain);
        plain.then(|| Self { user: user.to_owned(), verb: verb.to_owned(), resource, place })
    }
}

/// Whether a shell takes the text as it is.
fn is_plain(text: &str) -> bool {
    let first = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    first && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:/@_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "system:serviceaccount:payments:coalmine-deployer";

    fn cannot(user: &str, rest: &str) -> String {
        format!(
            "routetables.gateway.solo.io \"echo-routes\" is forbidden: User \"{user}\" cannot {rest}"
        )
    }

    #[test]
    fn an_account_that_may_not_is_named_with_what_it_may_not_and_how_to_let_it() {
        let words = cannot(
            USER,
            "patch resource \"routetables\" in API group \"gateway.solo.io\" in the namespace \"echo\"",
        );
        let refused = RefusedAccount::of(USER, &words).expect("an account");
        assert_eq!(
            refused.verb(),
            "not allowed to the service account payments/coalmine-deployer, which may not patch \
             routetables.gateway.solo.io in the namespace echo"
        );
        assert_eq!(
            refused.hint(Some("echo")),
            "let the account write there, by a role of your own or by that of deploy/overlays/lockdown: `kubectl create \
             rolebinding coalmine-deployer -n echo --clusterrole=coalmine-deployer \
             --serviceaccount=payments:coalmine-deployer`; `kubectl auth can-i patch routetables.gateway.solo.io -n echo \
             --as system:serviceaccount:payments:coalmine-deployer` shows what it may"
        );
        let words =
            cannot(USER, "create resource \"namespaces\" in API group \"\" at the cluster scope");
        let refused = RefusedAccount::of(USER, &words).expect("an account");
        assert!(refused.verb().ends_with("may not create namespaces in the whole cluster"));
        let hint = refused.hint(None);
        assert!(
            hint.contains("`kubectl create clusterrolebinding coalmine-deployer --clusterrole="),
            "{hint}"
        );
        assert!(hint.contains("can-i create namespaces --as"), "{hint}");
    }

    #[test]
    fn a_daemon_that_may_not_impersonate_the_account_is_told_apart() {
        let words = cannot(
            "system:serviceaccount:coalmine:coalmine",
            "impersonate resource \"serviceaccounts\" in API group \"\" in the namespace \"payments\"",
        );
        let refused = RefusedAccount::of(USER, &words).expect("an account");
        assert_eq!(
            refused.verb(),
            "not allowed, because the daemon may not impersonate the service account payments/coalmine-deployer"
        );
        let hint = refused.hint(Some("payments"));
        let command = "`kubectl auth can-i impersonate serviceaccounts/coalmine-deployer -n payments --as \
                       system:serviceaccount:coalmine:coalmine`";
        assert!(hint.contains(command), "{hint}");
    }

    #[test]
    fn nothing_gets_into_a_command_that_a_shell_would_read_as_more() {
        let words = cannot(
            USER,
            "patch resource \"a;reboot\" in API group \"gateway.solo.io\" in the namespace \"echo\"",
        );
        let refused = RefusedAccount::of(USER, &words).expect("an account");
        let hint = refused.hint(Some("echo"));
        assert!(!hint.contains("reboot") && hint.contains("can-i --list -n echo"), "{hint}");
        assert_eq!(RefusedAccount::of("system:serviceaccount:a:$(b)", &words), None);
        assert_eq!(RefusedAccount::of("ada", &words), None, "no service account");
    }
}
