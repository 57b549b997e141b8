//! Counts the requests to the API server, by the verbs and resources that its own audit log and
//! roles speak of.

use std::task::{Context, Poll};

use http::{Method, Request, Uri};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tower::{Layer, Service};

/// The requests that were sent so far. A layer of the Kubernetes client counts them:
/// `ClientBuilder::try_from(config)?.with_layer(&requests).build()`. Cloning gives another handle on
/// the same counts.
#[derive(Clone, Debug, Default)]
pub struct Requests(pub(super) Family<RequestLabels, Counter>);

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    /// `get`, `list`, `watch`, `create`, `update`, `patch` or `delete`; `dry-run` for a dry run.
    verb: &'static str,
    /// Such as `deployments`; `none` for a path that is about no object, such as discovery.
    resource: String,
}

impl Requests {
    /// How many requests with this verb (see docs/metrics.md) were sent for this resource.
    pub fn sent(&self, verb: &'static str, resource: &str) -> u64 {
        let asked = RequestLabels { verb, resource: resource.to_owned() };
        self.0.get(&asked).map_or(0, |counter| counter.get())
    }

    fn count(&self, method: &Method, uri: &Uri) {
        self.0.get_or_create(&RequestLabels::of(method, uri)).inc();
    }
}

impl RequestLabels {
    /// The rules are those of Kubernetes' request info: `/api/v1/...` and `/apis/GROUP/VERSION/...`,
    /// then optionally `namespaces/NAMESPACE`, then the resource and a name.
    fn of(method: &Method, uri: &Uri) -> Self {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        let version = match parts.next() {
            Some("api") => parts.next(),
            Some("apis") => parts.nth(1),
            _ => None,
        };
        let mut parts: Vec<&str> = version.map(|_| parts.collect()).unwrap_or_default();
        if parts.len() > 2 && parts[0] == "namespaces" {
            parts.drain(..2);
        }
        let has = |wanted: &str| {
            uri.query().into_iter().flat_map(|query| query.split('&')).any(|part| part == wanted)
        };
        let named = parts.len() > 1;
        let verb = match *method {
            _ if has("dryRun=All") => "dry-run",
            Method::GET if has("watch=true") || has("watch=1") => "watch",
            Method::GET if named || parts.is_empty() => "get",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "other",
        };
        Self { verb, resource: parts.first().map_or("none", |resource| resource).to_owned() }
    }
}

impl<S> Layer<S> for Requests {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, requests: self.clone() }
    }
}

/// A client whose requests are counted.
#[derive(Clone)]
pub struct Counted<S> {
    inner: S,
    requests: Requests,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.requests.count(request.method(), request.uri());
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_as_the_audit_log_names_it() {
        let told = |method: Method, uri: &str| {
            let RequestLabels { verb, resource } =
                RequestLabels::of(&method, &uri.parse().expect("a URI"));
            format!("{verb} {resource}")
        };
        for (method, uri, expected) in [
            (Method::GET, "/api/v1/namespaces/echo/pods?labelSelector=a%3Db", "list pods"),
            (Method::GET, "/api/v1/namespaces/echo/services/echo", "get services"),
            (Method::GET, "/api/v1/namespaces/echo", "get namespaces"),
            (Method::GET, "/api/v1/namespaces", "list namespaces"),
            (
                Method::GET,
                "/apis/gateway.solo.io/v1/routetables?&watch=true&timeoutSeconds=290",
                "watch routetables",
            ),
            (
                Method::PATCH,
                "/apis/apps/v1/namespaces/echo/deployments/echo-v1?fieldManager=coalmine",
                "patch deployments",
            ),
            (
                Method::PATCH,
                "https://localhost:6443/apis/apps/v1/namespaces/echo/deployments/e?&dryRun=All",
                "dry-run deployments",
            ),
            (Method::DELETE, "/api/v1/namespaces/echo/services/echo", "delete services"),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/echo/events", "create events"),
            (Method::GET, "/apis/gateway.solo.io/v1", "get none"),
            (Method::GET, "/version", "get none"),
        ] {
            assert_eq!(told(method, uri), expected, "{uri}");
        }
    }
}
