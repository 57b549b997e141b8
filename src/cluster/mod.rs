//! The cluster as it is: reading, server-side apply and deletion. The only file that talks to the
//! API server about objects.

mod connection;
mod error;
mod namespaces;
mod raw_object;
mod watched_kind;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use http::HeaderValue;
use kube::Client;
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions,
    ValidationDirective,
};
use kube::core::{GroupVersionKind, Request};
use kube::discovery::verbs::{DELETE, LIST};
use kube::discovery::{ApiResource, Discovery, Scope, pinned_kind};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

pub use coalmine_core::reason::ClusterError;
use connection::WATCH_SECONDS;
use error::{translate, translate_as, watch_error, without_values};
pub use namespaces::Namespaces;
use raw_object::RawObject;
pub use watched_kind::WatchedKind;

use crate::hint::advised;
use crate::report::Requests;
use coalmine_core::kind::Kind;
use coalmine_core::labels::{FIELD_MANAGER, HANDOVER_MANAGER, INSTANCE, SERVICE, writer};
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::identify;

/// How many objects are written or tried at the same time. An API server turns requests away when it
/// has too many, and each takes a connection and its buffers; more at once is no quicker.
const WRITES_AT_ONCE: usize = 32;

/// A handle on one cluster; cloning is cheap.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    kinds: Arc<Mutex<Kinds>>,
    writes: Arc<Semaphore>,
    namespaces: Namespaces,
}

/// What the API server said about each API version and kind.
type Kinds = BTreeMap<(String, String), (ApiResource, Scope)>;

impl Cluster {
    /// Uses KUBECONFIG when it is set, the in-cluster configuration otherwise. The requests are
    /// counted, and each has a deadline.
    ///
    /// # Errors
    /// When neither describes a cluster. The API server need not answer yet.
    pub async fn connect(requests: &Requests) -> anyhow::Result<Self> {
        let config = kube::Config::infer().await.map_err(|error| {
            advised(
                format_args!("no cluster configuration: {error}"),
                "set KUBECONFIG to a kubeconfig file, or run inside a cluster",
            )
        })?;
        Ok(Self::behind(connection::connect(config, requests)?))
    }

    /// The cluster that this client reaches.
    pub fn behind(client: Client) -> Self {
        let writes = Arc::new(Semaphore::new(WRITES_AT_ONCE));
        Self { client, kinds: Arc::default(), writes, namespaces: Namespaces::default() }
    }

    /// The same, of which nothing is read or written but in these namespaces. What is asked of any other object is
    /// an error, and no request.
    #[must_use]
    pub fn within(self, namespaces: Namespaces) -> Self {
        Self { namespaces, ..self }
    }

    /// Where objects are read and written.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// The client beneath.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The object as it is, or `None`.
    pub async fn get(&self, id: &ObjectId) -> Result<Option<Value>, ClusterError> {
        let api = self.api(id).await?;
        let found = api.get_opt(&id.name).await.map_err(|error| translate(id, error))?;
        Ok(found.map(RawObject::into_value))
    }

    /// Server-side apply with force; returns the object as stored. It is written as the service account that the
    /// manifest names, if it names one.
    ///
    /// A dry run changes nothing and returns what would be stored. It is as well the place of strict field
    /// validation: what is written was tried, or was there before, and reading it strictly once more would
    /// cost the API server a quarter of the whole.
    pub async fn apply(&self, manifest: &Manifest, dry_run: bool) -> Result<Value, ClusterError> {
        use ValidationDirective::{Ignore, Strict};
        let id = manifest.id();
        let parameters = PatchParams {
            dry_run,
            force: true,
            field_manager: Some(FIELD_MANAGER.into()),
            field_validation: Some(if dry_run { Strict } else { Ignore }),
        };
        let api = self.api(id).await?;
        let request = Request::new(api.resource_url())
            .patch(&id.name, &parameters, &Patch::Apply(manifest.object()))
            .map_err(|error| translate(id, kube::Error::BuildRequest(error)))?;
        let user = writer(manifest.object());
        let request = impersonated(request, user.as_deref());
        // The semaphore is never closed.
        let _turn = self.writes.acquire().await.ok();
        let answer = self.client.request(request).await;
        answer.map_err(|error| translate_as(user.as_deref(), id, without_values(manifest, error)))
    }

    /// Hands fields of the object's `spec` over to [`HANDOVER_MANAGER`], with these values, which they have now. A
    /// field that somebody has changed since is somebody's already, and stays so.
    ///
    /// # Errors
    /// When the API server does not do what we ask.
    pub async fn hand_over(
        &self,
        manifest: &Manifest,
        spec: Map<String, Value>,
    ) -> Result<(), ClusterError> {
        let id = manifest.id();
        let parameters = PatchParams::apply(HANDOVER_MANAGER);
        let mut metadata = json!({"name": id.name});
        if let Some(namespace) = &id.namespace {
            metadata["namespace"] = namespace.as_str().into();
        }
        let part = json!({"apiVersion": id.api_version, "kind": id.kind, "metadata": metadata,
            "spec": spec});
        let api = self.api(id).await?;
        let request = Request::new(api.resource_url())
            .patch(&id.name, &parameters, &Patch::Apply(part))
            .map_err(|error| translate(id, kube::Error::BuildRequest(error)))?;
        let user = writer(manifest.object());
        let request = impersonated(request, user.as_deref());
        // The semaphore is never closed.
        let _turn = self.writes.acquire().await.ok();
        match self.client.request_text(request).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
            Err(error) => Err(translate_as(user.as_deref(), id, error)),
        }
    }

    /// Whether the API server would make the object anew, by a dry run with strict field validation;
    /// false when there is one of its name.
    ///
    /// This costs the API server three fifths of an [apply](Self::apply) as a dry run. What it would make can
    /// be applied as well, unless a list has two entries with the same key: that is refused in what is
    /// applied only.
    pub async fn could_create(&self, manifest: &Manifest) -> Result<bool, ClusterError> {
        let id = manifest.id();
        let parameters = PostParams { dry_run: true, field_manager: Some(FIELD_MANAGER.into()) };
        let api = self.api(id).await?;
        let request = Request::new(api.resource_url())
            .create(&parameters, manifest.object().to_string().into_bytes());
        let mut request =
            request.map_err(|error| translate(id, kube::Error::BuildRequest(error)))?;
        let target = format!("{}&fieldValidation=Strict", request.uri());
        *request.uri_mut() = target.parse().expect("a target and a parameter more");
        let user = writer(manifest.object());
        let request = impersonated(request, user.as_deref());
        // The semaphore is never closed.
        let _turn = self.writes.acquire().await.ok();
        match self.client.request_text(request).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
            Err(error) => Err(translate_as(user.as_deref(), id, without_values(manifest, error))),
        }
    }

    /// Deletes the object this uid names, in the background, as this user or as the daemon itself; already gone is
    /// fine.
    pub async fn delete(
        &self,
        id: &ObjectId,
        uid: Option<String>,
        user: Option<&str>,
    ) -> Result<(), ClusterError> {
        let api = self.api(id).await?;
        let preconditions = uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None });
        let parameters = DeleteParams { preconditions, ..DeleteParams::background() };
        let request = Request::new(api.resource_url())
            .delete(&id.name, &parameters)
            .map_err(|error| translate(id, kube::Error::BuildRequest(error)))?;
        match self.client.request_text(impersonated(request, user)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                Ok(())
            }
            Err(error) => Err(translate_as(user, id, error)),
        }
    }

    /// Every object of a service's kinds that carries our instance label, or those of one service.
    pub async fn inventory(
        &self,
        instance: &str,
        service: Option<&str>,
    ) -> Result<BTreeMap<ObjectId, Value>, ClusterError> {
        let service = service.map(|service| format!(",{SERVICE}={service}")).unwrap_or_default();
        let selector = format!("{INSTANCE}={instance}{service}");
        let mut found = BTreeMap::new();
        for kind in Kind::OF_SERVICES {
            match self.list_known(kind, None, &selector).await {
                Ok(objects) => found.extend(objects),
                // A cluster need not have both Gloo and the Gateway API.
                Err(ClusterError::KindNotServed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Objects of a known kind by label selector (empty: all), in one namespace or in all that are watched.
    ///
    /// # Errors
    /// As [`Cluster::list`].
    pub async fn list_known(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<(ObjectId, Value)>, ClusterError> {
        self.list(kind.api_version(), kind.as_str(), namespace, selector).await
    }

    /// Objects of one kind by label selector (empty: all), in one namespace or in all that are watched.
    ///
    /// # Errors
    /// When the API server does not list them, in one of the namespaces.
    pub async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<(ObjectId, Value)>, ClusterError> {
        if namespace.is_some() {
            return self.list_in(api_version, kind, namespace, selector).await;
        }
        let mut all = Vec::new();
        for namespace in self.namespaces.each() {
            all.extend(self.list_in(api_version, kind, namespace, selector).await?);
        }
        Ok(all)
    }

    /// The same in one namespace, or in the whole cluster.
    async fn list_in(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<(ObjectId, Value)>, ClusterError> {
        let anything = ObjectId::new(api_version, kind, namespace, "*");
        let api = self.collection(&anything).await?;
        let listed = api
            .list(&ListParams::default().labels(selector))
            .await
            .map_err(|error| translate(&anything, error))?;
        Ok(listed
            .into_iter()
            .map(|object| {
                let object = object.into_value_of(api_version, kind);
                (identify(&object, api_version, kind), object)
            })
            .collect())
    }

    /// The objects of a kind and their changes: the list first, then what happens. A broken watch is
    /// accepted again with back-off; its errors are passed on and do not end it.
    ///
    /// # Errors
    /// When the API server does not say how the kind is called.
    pub async fn watch(
        &self,
        kind: &WatchedKind,
        instance: &str,
    ) -> Result<BoxStream<'static, Result<Event<Value>, ClusterError>>, ClusterError> {
        let namespace = kind.namespace.as_deref();
        let anything = ObjectId::new(&kind.api_version, &kind.kind, namespace, "*");
        let api = self.collection(&anything).await?;
        let selector =
            if kind.only_ours { format!("{INSTANCE}={instance}") } else { String::new() };
        let config = watcher::Config::default().labels(&selector).timeout(WATCH_SECONDS);
        let events = watcher::watcher(api, config).default_backoff();
        let kind = kind.clone();
        let events = events.map(move |event| {
            let value = |object: RawObject| object.into_value_of(&kind.api_version, &kind.kind);
            Ok(match event.map_err(|error| watch_error(&anything, error))? {
                Event::Apply(object) => Event::Apply(value(object)),
                Event::Delete(object) => Event::Delete(value(object)),
                Event::Init => Event::Init,
                Event::InitApply(object) => Event::InitApply(value(object)),
                Event::InitDone => Event::InitDone,
            })
        });
        Ok(events.boxed())
    }

    /// The kinds of which an object in this namespace carries our instance label and belongs to nobody else; without a
    /// namespace, of the whole cluster. Kinds that we may not list are passed over: we cannot have made any of them.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn labelled_kinds(
        &self,
        instance: &str,
        namespace: Option<&str>,
    ) -> Result<Vec<WatchedKind>, ClusterError> {
        let unreachable = |error: kube::Error| translate(&nothing(), error);
        let discovery = Discovery::new(self.client.clone()).run().await.map_err(unreachable)?;
        let resources = discovery.groups().flat_map(|group| group.recommended_resources());
        let listable = resources.filter(|(_, capabilities)| {
            let is_there = namespace.is_none() || capabilities.scope == Scope::Namespaced;
            is_there
                && capabilities.supports_operation(LIST)
                && capabilities.supports_operation(DELETE)
        });
        let selector = ListParams::default().labels(&format!("{INSTANCE}={instance}"));
        let mut kinds = Vec::new();
        for (resource, _) in listable {
            let known = Kind::of(&resource.api_version, &resource.kind);
            if known.is_some_and(Kind::is_made_by_kubernetes) {
                continue;
            }
            let api = self.collection_of(&resource, namespace);
            match api.list_metadata(&selector).await {
                Ok(found) if found.items.iter().any(|o| o.metadata.owner_references.is_none()) => {
                    kinds.push(WatchedKind::ours(&resource.api_version, &resource.kind));
                }
                Ok(_) => {}
                Err(kube::Error::Api(status)) if (401..500).contains(&status.code) => {}
                Err(error) => return Err(unreachable(error)),
            }
        }
        Ok(kinds)
    }

    /// All objects of a kind, in the namespace of `anything` or in the whole cluster.
    async fn collection(&self, anything: &ObjectId) -> Result<Api<RawObject>, ClusterError> {
        let (resource, scope) = self.resource(anything).await?;
        if scope == Scope::Cluster && anything.namespace.is_some() {
            return Err(misplaced(anything, BELONGS_TO_NONE));
        }
        Ok(self.collection_of(&resource, anything.namespace.as_deref()))
    }

    fn collection_of(&self, resource: &ApiResource, namespace: Option<&str>) -> Api<RawObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    async fn api(&self, id: &ObjectId) -> Result<Api<RawObject>, ClusterError> {
        self.namespaces.check([id])?;
        let (resource, scope) = self.resource(id).await?;
        match (id.namespace.as_deref(), scope) {
            (None, Scope::Namespaced) => Err(misplaced(id, "metadata.namespace is required")),
            (Some(_), Scope::Cluster) => Err(misplaced(id, BELONGS_TO_NONE)),
            (namespace, _) => Ok(self.collection_of(&resource, namespace)),
        }
    }

    /// Asks the API server how the resource of a kind is called, unless it is known. Whoever asks
    /// meanwhile asks for themselves: nobody waits for the answer to somebody else.
    async fn resource(&self, id: &ObjectId) -> Result<(ApiResource, Scope), ClusterError> {
        let key = (id.api_version.clone(), id.kind.clone());
        let kinds = || self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kinds().get(&key).cloned() {
            return Ok(known);
        }
        let (group, version) = id.api_version.split_once('/').unwrap_or(("", &id.api_version));
        let gvk = GroupVersionKind::gvk(group, version, &id.kind);
        let not_served = || ClusterError::KindNotServed {
            api_version: id.api_version.clone(),
            kind: id.kind.clone(),
        };
        match pinned_kind(&self.client, &gvk).await {
            Ok((resource, capabilities)) => {
                let entry = (resource, capabilities.scope);
                kinds().insert(key, entry.clone());
                Ok(entry)
            }
            Err(kube::Error::Discovery(_)) => Err(not_served()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Err(not_served()),
            Err(error) => Err(translate(id, error)),
        }
    }
}

/// The request as this user, whose rights are the only ones that count for it then; as the daemon without one.
/// Kubernetes adds the groups of a service account by itself.
fn impersonated<B>(mut request: http::Request<B>, user: Option<&str>) -> http::Request<B> {
    if let Some(user) = user {
        // What cannot be written into a header is nobody: it must not become the daemon.
        let nobody = HeaderValue::from_static("coalmine.dev:no-such-account");
        let user = HeaderValue::from_str(user).unwrap_or(nobody);
        request.headers_mut().insert("impersonate-user", user);
    }
    request
}

/// What is said of an object of the cluster's own that has a namespace.
const BELONGS_TO_NONE: &str = "it belongs to no namespace, so metadata.namespace has to go";

/// An object somewhere else than its name says would never be found again.
fn misplaced(id: &ObjectId, message: &str) -> ClusterError {
    ClusterError::Refused { id: id.clone(), message: message.to_owned() }
}

/// Stands for the API server as a whole.
fn nothing() -> ObjectId {
    ObjectId::new("v1", "APIGroup", None, "*")
}

#[cfg(test)]
mod tests {
    use super::error::tests::{failure, table};
    use super::*;
    use coalmine_core::reason::Hinted;
    use http::{Request, Response};
    use kube::client::Body;

    /// A cluster whose API server gives the same answer to everything.
    fn cluster(status: u16, body: &Value) -> Cluster {
        let body = body.to_string().into_bytes();
        let service = tower::service_fn(move |_: Request<Body>| {
            let answer = Response::builder().status(status).body(Body::from(body.clone()));
            std::future::ready(answer)
        });
        Cluster::behind(Client::new(service, "default"))
    }

    #[tokio::test]
    async fn what_is_there_cannot_be_created_and_what_is_refused_says_why() {
        let manifest =
            Manifest::new(json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
            "metadata": {"name": "echo-routes", "namespace": "echo"}}));
        let manifest = manifest.expect("complete");
        let answered = async |status, body: Value| {
            let cluster = cluster(status, &body);
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
                "gateway.solo.io",
                "v1",
                "RouteTable",
            ));
            let key = ("gateway.solo.io/v1".to_owned(), "RouteTable".to_owned());
            cluster.kinds.lock().expect("whole").insert(key, (resource, Scope::Namespaced));
            cluster.could_create(&manifest).await.map_err(|error| error.to_string())
        };
        assert_eq!(answered(201, manifest.object().clone()).await, Ok(true));
        let there = failure(409, "AlreadyExists", "echo-routes already exists", "routetables");
        assert_eq!(answered(409, there).await, Ok(false));
        let unknown = failure(400, "BadRequest", "unknown field \"spec.x\"", "");
        let refused = answered(400, unknown).await.expect_err("refused");
        assert!(refused.contains("unknown field"), "{refused}");
    }

    #[tokio::test]
    async fn every_write_is_made_as_the_account_of_its_object() {
        let object = |account: Option<&str>| {
            let annotations =
                account.map(|account| json!({"coalmine.dev/service-account": account}));
            let object = json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "echo", "namespace": "shop", "annotations": annotations}});
            Manifest::new(object).expect("complete")
        };
        /// A request's method, and whom it is made as.
        type Asked = (String, Option<String>);
        let seen: Arc<std::sync::Mutex<Vec<Asked>>> = Arc::default();
        let record = seen.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let user = request.headers().get("impersonate-user");
            let user = user.map(|user| user.to_str().expect("text").to_owned());
            let dry = request.uri().query().is_some_and(|query| query.contains("dryRun"));
            let what = format!("{}{}", request.method(), if dry { " dry" } else { "" });
            record.lock().expect("the record").push((what, user));
            let answer = Response::builder().status(200).body(Body::from(b"{}".to_vec()));
            std::future::ready(answer)
        });
        let cluster = Cluster::behind(Client::new(service, "default"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Service"));
        let key = ("v1".to_owned(), "Service".to_owned());
        cluster.kinds.lock().expect("whole").insert(key, (resource, Scope::Namespaced));
        for account in [Some("deployer"), None] {
            let manifest = object(account);
            let user = account.map(|account| coalmine_core::labels::user("shop", account));
            cluster.apply(&manifest, false).await.expect("applied");
            cluster.apply(&manifest, true).await.expect("tried");
            cluster.could_create(&manifest).await.expect("tried");
            cluster.hand_over(&manifest, Map::new()).await.expect("handed over");
            cluster.delete(manifest.id(), None, user.as_deref()).await.expect("deleted");
            let seen = std::mem::take(&mut *seen.lock().expect("the record"));
            let whats: Vec<_> = seen.iter().map(|(what, _)| what.as_str()).collect();
            assert_eq!(whats, ["PATCH", "PATCH dry", "POST dry", "PATCH", "DELETE"]);
            assert!(seen.iter().all(|(_, by)| *by == user), "{seen:?}");
        }
        // What is read is read by the daemon.
        cluster.get(object(Some("deployer")).id()).await.expect("read");
        assert_eq!(*seen.lock().expect("the record"), [("GET".to_owned(), None)]);
    }

    #[tokio::test]
    async fn a_write_that_an_account_may_not_make_names_the_account_and_how_to_let_it() {
        let user = coalmine_core::labels::user("shop", "deployer");
        let words = format!(
            "services \"echo\" is forbidden: User \"{user}\" cannot patch resource \"services\" in API group \"\" \
             in the namespace \"shop\""
        );
        let cluster = cluster(403, &failure(403, "Forbidden", &words, "services"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Service"));
        let key = ("v1".to_owned(), "Service".to_owned());
        cluster.kinds.lock().expect("whole").insert(key, (resource, Scope::Namespaced));
        let object = |annotations: Value| {
            let object = json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "echo", "namespace": "shop", "annotations": annotations}});
            Manifest::new(object).expect("complete")
        };
        let theirs = object(json!({"coalmine.dev/service-account": "deployer"}));
        let refused = [
            cluster.apply(&theirs, false).await.map(drop),
            cluster.could_create(&theirs).await.map(drop),
            cluster.hand_over(&theirs, Map::new()).await,
            cluster.delete(theirs.id(), None, Some(&user)).await,
        ];
        for refused in refused {
            let line = refused.expect_err("refused").line();
            for part in [
                "Service shop/echo: not allowed to the service account shop/deployer, which may not patch services",
                "`kubectl create rolebinding deployer -n shop --clusterrole=coalmine-deployer --serviceaccount=shop:deployer`",
                "`kubectl auth can-i patch services -n shop --as system:serviceaccount:shop:deployer`",
            ] {
                assert!(line.contains(part), "{part}: {line}");
            }
            assert!(!line.contains("daemon's Role"), "{line}");
        }
        let own = cluster.apply(&object(Value::Null), false).await.expect_err("refused").line();
        assert!(own.contains("extend the daemon's Role"), "{own}");
    }

    #[tokio::test]
    async fn a_cluster_without_gloo_is_told_what_to_install() {
        let without_the_group = failure(404, "NotFound", "404 page not found", "");
        let without_the_kind = json!({"kind": "APIResourceList", "groupVersion": "gateway.solo.io/v1",
            "resources": []});
        for (status, body) in [(404, without_the_group), (200, without_the_kind)] {
            let error = cluster(status, &body).get(&table()).await.expect_err("not served");
            assert_eq!(
                error.line(),
                "the cluster does not serve gateway.solo.io/v1 RouteTable; install the \
                 CustomResourceDefinitions of Gloo (its Helm chart brings them), then the next \
                 attempt succeeds"
            );
        }
    }
}
