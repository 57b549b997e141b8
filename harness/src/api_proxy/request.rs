//! What a request to an API server asks for, in Kubernetes' own words.

use std::fmt;

use hyper::{HeaderMap, Method, body::Bytes, header};
use serde_json::json;

/// A request as the proxy saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub verb: Verb,
    /// To what; `None` for what is no resource: discovery, `/readyz`, `/version`.
    pub resource: Option<Resource>,
    /// Whether the API server is asked to change nothing (`dryRun=All`).
    pub dry_run: bool,
    /// Path and query.
    pub target: String,
    /// How the client calls itself; empty when it does not.
    pub user_agent: String,
}

/// The verbs of Kubernetes' authorization, and `apply` for a patch that is a server-side apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Apply,
    Delete,
    DeleteCollection,
}

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core.
    pub group: String,
    /// The plural, such as `deployments`.
    pub plural: String,
    /// The part of the object after its name, such as `status`.
    pub subresource: Option<String>,
    /// `None` for what has no namespace and for requests about all of them.
    pub namespace: Option<String>,
    /// `None` for collections and for an object that is being created.
    pub name: Option<String>,
}

impl Request {
    /// Reads a request's head.
    pub(super) fn read(method: &Method, target: &str, headers: &HeaderMap) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let says = |key: &str, values: &[&str]| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .any(|(name, value)| name == key && values.contains(&value))
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let resource = Resource::of(path);
        let named = resource.as_ref().is_none_or(|resource| resource.name.is_some());
        let verb = match (method.as_str(), named) {
            ("POST", _) => Verb::Create,
            ("PUT", _) => Verb::Update,
            ("PATCH", _) if text(header::CONTENT_TYPE).contains("apply-patch") => Verb::Apply,
            ("PATCH", _) => Verb::Patch,
            ("DELETE", true) => Verb::Delete,
            ("DELETE", false) => Verb::DeleteCollection,
            _ if says("watch", &["true", "1"]) => Verb::Watch,
            (_, true) => Verb::Get,
            (_, false) => Verb::List,
        };
        Self {
            verb,
            resource,
            dry_run: says("dryRun", &["All"]),
            target: target.to_owned(),
            user_agent: text(header::USER_AGENT).to_owned(),
        }
    }

    /// Whether it may change something: no dry run, and neither `get`, `list` nor `watch`.
    pub fn is_write(&self) -> bool {
        !self.dry_run && !matches!(self.verb, Verb::Get | Verb::List | Verb::Watch)
    }

    /// The target and the body of the dry run of this write.
    pub(super) fn as_dry_run(&self, body: Bytes) -> (String, Bytes) {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        let target = format!("{}{separator}dryRun=All", self.target);
        if !matches!(self.verb, Verb::Delete | Verb::DeleteCollection) {
            return (target, body);
        }
        // The options of a deletion count where they stand in its body, and then only there.
        let mut options = serde_json::from_slice(&body)
            .unwrap_or_else(|_| json!({"kind": "DeleteOptions", "apiVersion": "v1"}));
        options["dryRun"] = json!(["All"]);
        (target, options.to_string().into())
    }

    /// Whether it costs the API server a look at objects: every request about a resource but the
    /// watches, and but Leases and Events, which say something about the client and not about what
    /// it looks after.
    pub fn is_about_objects(&self) -> bool {
        let Some(resource) = &self.resource else { return false };
        self.verb != Verb::Watch
            && resource.plural != "events"
            && !(resource.plural == "leases" && resource.group == "coordination.k8s.io")
    }

    /// Whether it is about this kind of object, by its plural.
    pub fn is_about(&self, plural: &str) -> bool {
        self.resource.as_ref().is_some_and(|resource| resource.plural == plural)
    }
}

impl Resource {
    /// Kubernetes' own rule (`RequestInfo`): `/api/v1` and `/apis/GROUP/VERSION`, then maybe
    /// `namespaces/NAMESPACE`, then `RESOURCE/NAME/SUBRESOURCE` as far as they are there.
    fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _, rest @ ..] => ("", rest),
            ["apis", group, _, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // A Namespace and its own parts, not something in it.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let (plural, rest) = rest.split_first()?;
        Some(Self {
            group: group.to_owned(),
            plural: (*plural).to_owned(),
            namespace: namespace.map(str::to_owned),
            name: rest.first().map(|name| (*name).to_owned()),
            subresource: (rest.len() > 1).then(|| rest[1..].join("/")),
        })
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Apply => "apply",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.dry_run { "dry-run " } else { "" }, self.verb)?;
        let Some(resource) = &self.resource else { return write!(f, " {}", self.target) };
        write!(f, " {}", resource.plural)?;
        let Resource { namespace, name, subresource, .. } = resource;
        [namespace, name, subresource]
            .into_iter()
            .flatten()
            .try_for_each(|part| write!(f, "/{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, target: &str) -> Request {
        let mut headers = HeaderMap::new();
        if let Some(("PATCH", kind)) = method.split_once(' ') {
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        let method = method.split(' ').next().unwrap();
        Request::read(&method.parse().unwrap(), target, &headers)
    }

    #[test]
    fn requests_are_told_in_kubernetes_words() {
        let tables = "/apis/gateway.solo.io/v1/namespaces/echo/routetables";
        for (method, target, told) in [
            ("GET", "/apis/apps/v1/deployments?labelSelector=a%3Db", "list deployments"),
            ("GET", "/apis/apps/v1/deployments?watch=true&resourceVersion=7", "watch deployments"),
            ("GET", &format!("{tables}/echo-routes"), "get routetables/echo/echo-routes"),
            (
                "PATCH application/json-patch+json",
                &format!("{tables}/e"),
                "patch routetables/echo/e",
            ),
            (
                "PATCH application/apply-patch+yaml",
                &format!("{tables}/e?dryRun=All&force=true"),
                "dry-run apply routetables/echo/e",
            ),
            ("POST", &format!("{tables}?fieldManager=x"), "create routetables/echo"),
            ("DELETE", &format!("{tables}/e"), "delete routetables/echo/e"),
            ("DELETE", tables, "deletecollection routetables/echo"),
            ("PUT", "/api/v1/namespaces/a/pods/b/status", "update pods/a/b/status"),
            ("GET", "/api/v1/namespaces/a", "get namespaces/a"),
            ("PUT", "/api/v1/namespaces/a/finalize", "update namespaces/a/finalize"),
            ("GET", "/api/v1/namespaces/a/services", "list services/a"),
            ("GET", "/apis/apps/v1", "get /apis/apps/v1"),
            ("GET", "/readyz", "get /readyz"),
        ] {
            assert_eq!(read(method, target).to_string(), told);
        }
    }

    #[test]
    fn only_what_may_change_something_is_a_write() {
        let apply = "PATCH application/apply-patch+yaml";
        assert!(read(apply, "/api/v1/namespaces/a/services/b?force=true").is_write());
        assert!(!read(apply, "/api/v1/namespaces/a/services/b?dryRun=All").is_write());
        assert!(!read("GET", "/api/v1/services?watch=1").is_write());
        assert!(read("DELETE", "/api/v1/namespaces/a/services/b").is_write());
    }

    #[test]
    fn the_dry_run_of_a_deletion_stands_in_its_options() {
        let delete = read("DELETE", "/api/v1/namespaces/a/services/b");
        let target = "/api/v1/namespaces/a/services/b?dryRun=All";
        let options = |body: &'static str| {
            let (dry, body) = delete.as_dry_run(Bytes::from_static(body.as_bytes()));
            assert_eq!(dry, target);
            serde_json::from_slice::<serde_json::Value>(&body).unwrap()
        };
        let all = json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]});
        assert_eq!(options(""), all);
        let known = r#"{"preconditions":{"uid":"1"}}"#;
        assert_eq!(options(known), json!({"preconditions": {"uid": "1"}, "dryRun": ["All"]}));
        let apply = read("PATCH application/apply-patch+yaml", "/api/v1/namespaces/a?force=true");
        let (dry, body) = apply.as_dry_run(Bytes::from_static(b"{}"));
        assert_eq!(
            (dry.as_str(), &*body),
            ("/api/v1/namespaces/a?force=true&dryRun=All", &b"{}"[..])
        );
    }

    #[test]
    fn watches_leases_events_and_discovery_are_not_about_objects() {
        for target in [
            "/api/v1/services?watch=true",
            "/apis/coordination.k8s.io/v1/namespaces/a/leases/b",
            "/apis/events.k8s.io/v1/namespaces/a/events",
            "/apis/apps/v1",
        ] {
            assert!(!read("GET", target).is_about_objects(), "{target}");
        }
        assert!(read("GET", "/api/v1/services").is_about_objects());
        assert!(read("PATCH x", "/api/v1/namespaces/a/services/b?dryRun=All").is_about_objects());
    }
}
