use super::account::RefusedAccount;
use super::code::Code;

/// Who keeps the API server from what it is asked for, by the words of its answer.
///
/// The reason and the code of an answer do not say it: permissions, quotas, policies and a namespace that is
/// being deleted are all `Forbidden`, and a webhook chooses the code of its denial itself. The words are those
/// of Kubernetes 1.35; the source of each stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The account lacks a permission.
    Permission,
    /// A service account as which a folder's objects are written lacks a permission, or the daemon lacks that to
    /// impersonate it.
    Account(Box<RefusedAccount>),
    /// A ResourceQuota.
    Quota {
        /// Whether it requires requests or limits that the object does not have.
        is_unspecified: bool,
    },
    /// An admission plugin that does not know enough yet.
    NotReady,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// The pod security level of the namespace.
    PodSecurity,
    /// An admission policy of this name.
    Policy(String),
    /// An admission webhook of this name.
    Webhook(String),
    /// An admission webhook of this name, or the webhook that converts a kind, which cannot be called.
    WebhookFailed {
        /// The webhook's name, or the kind.
        webhook: String,
        /// Namespace and name of the Service that is called, when the answer tells.
        service: Option<(String, String)>,
    },
    /// An admission webhook of this name that does not allow dry runs.
    WebhookWithoutDryRun(String),
    /// An admission plugin, in its own words.
    Plugin,
}

impl Denial {
    /// Recognizes the words of an answer; `None` when they are nobody's in particular.
    pub fn of(words: &str) -> Option<Self> {
        webhook(words).or_else(|| policy(words)).or_else(|| plugin(words))
    }

    /// The same, where the request was made as this user by impersonation: then a missing permission is the
    /// account's.
    pub fn to_user(self, user: &str, words: &str) -> Self {
        match self {
            Self::Permission => RefusedAccount::of(user, words)
                .map_or(self, |refused| Self::Account(refused.into())),
            other => other,
        }
    }

    /// The stable name of the reason, when an object of the daemon's is denied.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Permission => Code::PermissionDenied,
            Self::Account(refused) => refused.code(),
            Self::Quota { .. } => Code::QuotaExceeded,
            Self::NotReady => Code::ApiServerUnreachable,
            Self::NamespaceTerminating => Code::NamespaceTerminating,
            Self::WebhookFailed { .. } => Code::WebhookFailed,
            Self::PodSecurity
            | Self::Policy(_)
            | Self::Webhook(_)
            | Self::WebhookWithoutDryRun(_)
            | Self::Plugin => Code::AdmissionDenied,
        }
    }

    /// Whether it is likely to pass by itself.
    pub fn passes(&self) -> bool {
        matches!(self, Self::NotReady | Self::NamespaceTerminating | Self::WebhookFailed { .. })
    }

    /// What to do about it. The namespace is that of the denied object.
    pub(super) fn hint(&self, namespace: Option<&str>) -> String {
        let name = namespace.unwrap_or("default");
        match self {
            Self::Permission => {
                "extend the daemon's Role; `coalmine doctor` lists all that is missing".to_owned()
            }
            Self::Account(refused) => refused.hint(namespace),
            Self::Quota { is_unspecified: true } => {
                "write the requests and limits that it names into `resources` of the values"
                    .to_owned()
            }
            Self::Quota { is_unspecified: false } => format!(
                "raise the quota of the namespace, or ask for less; `kubectl describe resourcequota -n {name}` \
                 shows what is used"
            ),
            Self::NotReady => "the next attempt follows by itself".to_owned(),
            Self::NamespaceTerminating => format!(
                "the next attempt follows by itself once the namespace is gone; `kubectl get namespace {name} \
                 -o jsonpath='{{.status.conditions}}'` shows what keeps it"
            ),
            Self::PodSecurity => format!(
                "write what it names into the pods by `patch` in the values, or lower the label \
                 pod-security.kubernetes.io/enforce; `kubectl get namespace {name} --show-labels` shows it"
            ),
            Self::Policy(policy) => format!(
                "correct what the policy names, or have its owner change it; `kubectl get \
                 validatingadmissionpolicy {policy} -o yaml` shows it"
            ),
            Self::Webhook(_) => format!(
                "correct what the webhook names, or have its owner change it; `{WEBHOOKS}` shows whose it is"
            ),
            Self::WebhookFailed { service: Some((namespace, service)), .. } => format!(
                "have its owner repair it, the next attempt follows by itself; `kubectl get service,endpoints,pods \
                 -n {namespace}` shows what serves Service {service}"
            ),
            Self::WebhookFailed { service: None, .. } => format!(
                "have its owner repair it, the next attempt follows by itself; `{WEBHOOKS}` shows whose it is"
            ),
            Self::WebhookWithoutDryRun(_) => format!(
                "every object is tried by a dry run first, so have its owner set `sideEffects: NoneOnDryRun`; \
                 `{WEBHOOKS}` shows whose it is"
            ),
            Self::Plugin => "correct what it names".to_owned(),
        }
    }
}

/// Shows every admission webhook.
const WEBHOOKS: &str =
    "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml";

/// What admission webhooks and conversion webhooks say (apiserver/pkg/admission/plugin/webhook/errors and
/// pkg/util/webhook, apiextensions-apiserver/pkg/apiserver/conversion).
fn webhook(words: &str) -> Option<Denial> {
    if let Some((webhook, rest)) = quoted_after(words, "admission webhook \"", '"') {
        if rest.starts_with(" denied the request") {
            return Some(Denial::Webhook(webhook));
        }
        if rest.starts_with(" does not support dry run") {
            return Some(Denial::WebhookWithoutDryRun(webhook));
        }
        // It answers with a patch that is none, or not allowed.
        if rest.starts_with(" attempted to modify") {
            return Some(Denial::WebhookFailed { webhook, service: None });
        }
    }
    let failed = quoted_after(words, "failed calling webhook \"", '"')
        .or_else(|| quoted_after(words, "conversion webhook for ", ' ').map(conversion));
    failed.map(|(webhook, rest)| Denial::WebhookFailed { webhook, service: service(rest) })
}

/// The kind in `gateway.solo.io/v1, Kind=RouteTable failed: ...`, of which the API version is known.
fn conversion((version, rest): (String, &str)) -> (String, &str) {
    let kind = rest.strip_prefix("Kind=").and_then(|rest| rest.split_once(' '));
    match kind {
        Some((kind, rest)) => (format!("{} {kind}", version.trim_end_matches(',')), rest),
        None => (version, rest),
    }
}

/// The Service in `https://NAME.NAMESPACE.svc:PORT/...`.
fn service(words: &str) -> Option<(String, String)> {
    let (_, address) = words.split_once("https://")?;
    let mut labels = address.split([':', '/', '?', '"']).next()?.split('.');
    let (name, namespace) = (labels.next()?, labels.next()?);
    (labels.next()? == "svc").then(|| (namespace.to_owned(), name.to_owned()))
}

/// What admission policies say (apiserver/pkg/admission/plugin/policy).
fn policy(words: &str) -> Option<Denial> {
    let denied = |(policy, rest): (String, &str)| {
        rest.contains("denied request").then_some(Denial::Policy(policy))
    };
    let validating = || quoted_after(words, "ValidatingAdmissionPolicy '", '\'').and_then(denied);
    let any = || quoted_after(words, "policy '", '\'').and_then(denied);
    let unbound = || quoted_after(words, "policy \"", '"').and_then(denied);
    validating().or_else(any).or_else(unbound)
}

fn plugin(words: &str) -> Option<Denial> {
    let has = |text: &str| words.contains(text);
    // apiserver/pkg/endpoints/handlers/responsewriters, pkg/registry/rbac/validation, plugin/pkg/admission/gc
    let is_permission = has("User \"") && has(" cannot ")
        || has("is attempting to grant RBAC permissions not currently held")
        || has("cannot set an ownerRef on a resource you can't delete")
        || has("a resource you can't set finalizers on");
    if is_permission {
        return Some(Denial::Permission);
    }
    // apiserver/pkg/admission/plugin/namespace/lifecycle
    if has("because it is being terminated") {
        return Some(Denial::NamespaceTerminating);
    }
    // apiserver/pkg/admission/plugin/resourcequota
    if has("failed quota:") {
        return Some(Denial::Quota { is_unspecified: has("must specify") });
    }
    if has("exceeded quota:") || has("insufficient quota to ") {
        return Some(Denial::Quota { is_unspecified: false });
    }
    if has("status unknown for quota:") || has("not yet ready to handle request") {
        return Some(Denial::NotReady);
    }
    // pod-security-admission
    if has("violates PodSecurity") || has("Not allowed by PodSecurity") {
        return Some(Denial::PodSecurity);
    }
    // A namespace gets its default ServiceAccount a moment after it is made (plugin/pkg/admission/serviceaccount).
    if has("error looking up service account") && has("serviceaccount \"default\" not found") {
        return Some(Denial::NotReady);
    }
    // apimachinery/pkg/api/errors: every plugin's denial has this form.
    has(" is forbidden: ").then_some(Denial::Plugin)
}

/// What stands between the prefix and the end, and what comes after it.
fn quoted_after<'a>(words: &'a str, prefix: &str, end: char) -> Option<(String, &'a str)> {
    let (_, rest) = words.split_once(prefix)?;
    let (name, rest) = rest.split_once(end)?;
    Some((name.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of the API server 1.35, and who they come from.
    fn answers() -> Vec<(&'static str, Denial)> {
        let webhook_failed = |webhook: &str, service: Option<(&str, &str)>| {
            let service = service.map(|(namespace, name)| (namespace.into(), name.into()));
            Denial::WebhookFailed { webhook: webhook.into(), service }
        };
        let quota = |is_unspecified| Denial::Quota { is_unspecified };
        let (policy, webhook) =
            (|name: &str| Denial::Policy(name.into()), |name: &str| Denial::Webhook(name.into()));
        vec![
            (
                r#"routetables.gateway.solo.io "echo" is forbidden: User "system:serviceaccount:coalmine:coalmine" cannot patch resource "routetables" in API group "gateway.solo.io" in the namespace "echo""#,
                Denial::Permission,
            ),
            (
                r#"namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope"#,
                Denial::Permission,
            ),
            (r#"forbidden: User "ada" cannot get path "/apis""#, Denial::Permission),
            (
                r#"roles.rbac.authorization.k8s.io "echo" is forbidden: user "system:serviceaccount:coalmine:coalmine" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}"#,
                Denial::Permission,
            ),
            (
                r#"deployments.apps "echo-v1" is forbidden: exceeded quota: small, requested: count/deployments.apps=1, used: count/deployments.apps=2, limited: count/deployments.apps=2"#,
                quota(false),
            ),
            (
                r#"pods "echo-v1-6d4b" is forbidden: failed quota: small: must specify limits.cpu for: echo; limits.memory for: echo"#,
                quota(true),
            ),
            (
                r#"pods "echo" is forbidden: insufficient quota to consume: requests.storage"#,
                quota(false),
            ),
            (
                r#"pods "echo" is forbidden: status unknown for quota: small, resources: pods"#,
                Denial::NotReady,
            ),
            (r#"pods "echo" is forbidden: not yet ready to handle request"#, Denial::NotReady),
            (
                r#"pods "echo" is forbidden: error looking up service account echo/default: serviceaccount "default" not found"#,
                Denial::NotReady,
            ),
            (
                r#"pods "echo" is forbidden: error looking up service account echo/builder: serviceaccount "builder" not found"#,
                Denial::Plugin,
            ),
            (
                r#"deployments.apps "echo-v1" is forbidden: unable to create new content in namespace echo because it is being terminated"#,
                Denial::NamespaceTerminating,
            ),
            (
                r#"pods "echo-v1-6d4b" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "echo" must set securityContext.allowPrivilegeEscalation=false)"#,
                Denial::PodSecurity,
            ),
            (
                r#"deployments.apps "echo-v1" is forbidden: ValidatingAdmissionPolicy 'replicas' with binding 'all' denied request: failed expression: object.spec.replicas <= 5"#,
                policy("replicas"),
            ),
            (
                r#"deployments.apps "echo-v1" is forbidden: ValidatingAdmissionPolicy 'replicas' denied request: no User "x" cannot do it"#,
                policy("replicas"),
            ),
            (
                "policy 'sidecars' with binding 'all' denied request: failed to configure policy: no such kind",
                policy("sidecars"),
            ),
            (
                "policy \"sidecars\" denied request: failed to configure binding: no such object",
                policy("sidecars"),
            ),
            (
                r#"admission webhook "validate.kyverno.svc-fail" denied the request: exceeded quota: of labels"#,
                webhook("validate.kyverno.svc-fail"),
            ),
            (
                r#"admission webhook "gate.example.com" denied the request without explanation"#,
                webhook("gate.example.com"),
            ),
            (
                r#"admission webhook "gate.example.com" does not support dry run"#,
                Denial::WebhookWithoutDryRun("gate.example.com".into()),
            ),
            (
                r#"Internal error occurred: failed calling webhook "gate.example.com": failed to call webhook: Post "https://gate.security.svc:443/validate?timeout=10s": dial tcp 10.0.0.7:443: connect: connection refused"#,
                webhook_failed("gate.example.com", Some(("security", "gate"))),
            ),
            (
                r#"Internal error occurred: failed calling webhook "gate.example.com": failed to call webhook: Post "https://127.0.0.1:9443/?timeout=1s": context deadline exceeded"#,
                webhook_failed("gate.example.com", None),
            ),
            (
                r#"Internal error occurred: failed calling webhook "gate.example.com": could not get REST client: service "gate" not found"#,
                webhook_failed("gate.example.com", None),
            ),
            (
                r#"conversion webhook for gateway.solo.io/v1, Kind=RouteTable failed: Post "https://gloo.gloo-system.svc:443/?timeout=30s": EOF"#,
                webhook_failed("gateway.solo.io/v1 RouteTable", Some(("gloo-system", "gloo"))),
            ),
            (
                r#"pods "echo-v1-6d4b" is forbidden: [minimum memory usage per Container is 100Mi, but request is 50Mi]"#,
                Denial::Plugin,
            ),
            (
                r#"pods "echo-v1-6d4b" is forbidden: no PriorityClass with name high was found"#,
                Denial::Plugin,
            ),
        ]
    }

    #[test]
    fn who_denies_a_request_is_told_by_the_words_of_the_api_server() {
        for (words, expected) in answers() {
            assert_eq!(Denial::of(words), Some(expected), "{words}");
        }
        for nobody in ["slow down", "etcdserver: request timed out", "unknown field \"spec.x\"", ""]
        {
            assert_eq!(Denial::of(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn only_a_missing_permission_is_a_matter_of_the_role() {
        for (words, denial) in answers() {
            let hint = denial.hint(Some("echo"));
            assert_eq!(hint.contains("Role"), denial == Denial::Permission, "{words}: {hint}");
        }
    }

    #[test]
    fn a_command_in_a_hint_names_its_namespace() {
        for (_, denial) in answers() {
            let hint = denial.hint(Some("echo"));
            for command in hint.split('`').skip(1).step_by(2).filter(|it| it.starts_with("kubectl"))
            {
                let has_place = command.contains(" -n ")
                    || command.contains("namespace echo")
                    || command.contains("admissionpolicy ")
                    || command.contains("webhookconfigurations");
                assert!(has_place, "{command}");
            }
        }
    }
}
