//! Taking a cluster back to what it was before the scenarios.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    discovery::{Discovery, Scope, verbs},
};
use serde_json::{Value, json};

use super::{gateway_api, gloo_system, leftovers, objects};
use crate::{
    names::Names,
    wait::{self, Seen},
};

const DEADLINE: Duration = Duration::from_secs(180);
/// How long the namespace controller does nothing about a namespace that is to go: 5 s, of which some are
/// left for the last request.
const BEFORE_CONTROLLER: Duration = Duration::from_secs(3);

/// What was there when the bed started.
#[derive(Debug)]
pub(super) struct Baseline {
    whose: RemovalScope,
    namespaces: BTreeSet<String>,
    /// By kind, as in [`swept`].
    objects: Vec<BTreeSet<(Option<String>, String)>>,
    /// The objects that are there for everybody and that scenarios change, with their specs.
    specs: Vec<(Shared, Value)>,
    /// Every kind that lives in namespaces and can be deleted.
    kinds: Vec<ApiResource>,
}

/// Whose objects are removed, of those that were not there.
#[derive(Clone, Debug)]
pub(super) enum RemovalScope {
    /// Everybody's: the cluster is the bed's.
    All,
    /// Those of coalmine, and those with names of our own.
    Ours(Names),
}

impl RemovalScope {
    fn includes(&self, namespace: Option<&str>, name: &str, made_by_coalmine: bool) -> bool {
        let namespace = namespace.unwrap_or(name);
        match self {
            Self::All => true,
            Self::Ours(names) => {
                made_by_coalmine || namespace == leftovers::NAMESPACE || names.is_ours(namespace)
            }
        }
    }
}

impl Baseline {
    /// Looks at the cluster as it is.
    pub(super) async fn take(client: &Client, whose: RemovalScope) -> Result<Self> {
        // Of a kind that is only just defined the API server knows at first no more than that it will have it.
        let discovery = wait::until("the kinds of the API server", DEADLINE, || async {
            Seen::from_result(Discovery::new(client.clone()).run_aggregated().await)
        });
        let discovery = discovery.await?;
        let kinds = discovery
            .groups()
            .flat_map(|group| group.recommended_resources())
            .filter(|(_, can)| {
                can.scope == Scope::Namespaced && can.supports_operation(verbs::DELETE_COLLECTION)
            })
            .map(|(kind, _)| kind)
            .collect();
        let swept = swept();
        let everybodys = RemovalScope::All;
        let objects = try_join_all(swept.iter().map(|kind| async {
            let listed = names(client, kind, &everybodys).await;
            listed.with_context(|| format!("cannot list {}", kind.plural))
        }));
        let (namespaces, objects, specs) =
            futures::try_join!(namespaces(client, &everybodys), objects, specs(client))?;
        Ok(Self { whose, namespaces, objects, specs, kinds })
    }

    /// Removes what was not there, and waits until it is gone.
    pub(super) async fn restore(&self, client: &Client) -> Result<()> {
        self.restore_specs(client).await?;
        // Rules for everybody first; then routes, and then what they point to, as in any orderly removal.
        for (kind, before) in swept().iter().zip(&self.objects) {
            let now = names(client, kind, &self.whose).await?;
            let added = now.difference(before).map(|(namespace, name)| async move {
                delete(&objects::api(client, kind, namespace.as_deref()), name).await
            });
            try_join_all(added).await?;
        }
        let now = namespaces(client, &self.whose).await?;
        let added = now.difference(&self.namespaces);
        try_join_all(added.map(|name| self.remove_namespace(client, name))).await?;
        wait::until("the cluster to be as it was", DEADLINE, || self.compare(client)).await
    }

    async fn restore_specs(&self, client: &Client) -> Result<()> {
        for (shared, spec) in &self.specs {
            if shared.spec(client).await?.as_ref() == Some(spec) {
                continue;
            }
            let patch = json!([{"op": "replace", "path": "/spec", "value": spec}]);
            let patch = serde_json::from_value(patch).map(Patch::<()>::Json)?;
            let (api, name) = (shared.api(client), shared.name);
            let patched = api.patch(name, &PatchParams::default(), &patch).await;
            patched.with_context(|| format!("{} {name}", shared.kind))?;
        }
        Ok(())
    }

    /// Empties a namespace and lets it go. The namespace controller would do the same, but begins
    /// only after 5 seconds, for the sake of API servers that are several.
    ///
    /// Once it has begun, it is left to end the namespace: it deletes by names, and would go on with what is
    /// in the next namespace of this name.
    async fn remove_namespace(&self, client: &Client, name: &str) -> Result<()> {
        let begun = Instant::now();
        let api = Api::<Namespace>::all(client.clone());
        // From here on nothing new can be made in it.
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            other => drop(other.with_context(|| format!("cannot delete Namespace {name}"))?),
        }
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::background() };
        let everything = ListParams::default();
        try_join_all(self.kinds.iter().map(|kind| {
            let (api, now, everything) =
                (objects::api(client, kind, Some(name)), &now, &everything);
            async move {
                match api.delete_collection(now, everything).await {
                    // Kinds whose collections cannot be deleted have nothing to delete.
                    Err(kube::Error::Api(status)) if [404, 405].contains(&status.code) => Ok(()),
                    other => other.map(drop),
                }
            }
        }))
        .await
        .with_context(|| format!("cannot empty Namespace {name}"))?;
        wait::until(&format!("Namespace {name} to be empty"), DEADLINE, || async {
            let lists = self.kinds.iter().map(|kind| left_in(client, kind, name));
            match try_join_all(lists).await {
                Ok(lists) => {
                    let left: Vec<_> = lists.into_iter().flatten().collect();
                    Seen::when(left.is_empty(), format!("still there: {}", left.join(", ")))
                }
                Err(error) => Seen::NotYet(format!("{error:#}")),
            }
        })
        .await?;
        if begun.elapsed() > BEFORE_CONTROLLER {
            return Ok(());
        }
        let finalized = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name}, "spec": {"finalizers": []},
        });
        let path = format!("/api/v1/namespaces/{name}/finalize");
        let request = hyper::Request::put(path).header("content-type", "application/json");
        match client.request::<Value>(request.body(finalized.to_string().into_bytes())?).await {
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                Ok(())
            }
            other => other.map(drop).with_context(|| format!("cannot finalize Namespace {name}")),
        }
    }

    async fn compare(&self, client: &Client) -> Seen<()> {
        let look = async {
            let mut left: Vec<String> = namespaces(client, &self.whose)
                .await?
                .difference(&self.namespaces)
                .cloned()
                .collect();
            for (kind, before) in swept().iter().zip(&self.objects) {
                let now = names(client, kind, &self.whose).await?;
                left.extend(
                    now.difference(before).map(|(_, name)| format!("{} {name}", kind.kind)),
                );
            }
            anyhow::Ok(left)
        };
        match look.await {
            Ok(left) => Seen::when(left.is_empty(), format!("still there: {}", left.join(", "))),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        }
    }
}

fn swept() -> Vec<ApiResource> {
    leftovers::RULES
        .iter()
        .chain(&leftovers::KINDS)
        .map(|(group, version, kind)| objects::kind(group, version, kind))
        .collect()
}

/// An object that is there for everybody.
#[derive(Clone, Copy, Debug)]
struct Shared {
    group: &'static str,
    kind: &'static str,
    namespace: &'static str,
    name: &'static str,
}

/// Of which a cluster has the one of its gateway.
const SHARED: [Shared; 2] = [
    Shared {
        group: "gloo.solo.io",
        kind: "Settings",
        namespace: gloo_system::NAMESPACE,
        name: "default",
    },
    Shared {
        group: "gateway.networking.k8s.io",
        kind: "Gateway",
        namespace: gateway_api::NAMESPACE,
        name: gateway_api::GATEWAY,
    },
];

impl Shared {
    fn api(&self, client: &Client) -> Api<DynamicObject> {
        let kind = objects::kind(self.group, "v1", self.kind);
        objects::api(client, &kind, Some(self.namespace))
    }

    /// What it says; `None` where there is no such object or kind.
    async fn spec(&self, client: &Client) -> Result<Option<Value>> {
        match self.api(client).get(self.name).await {
            Ok(object) => Ok(object.data.get("spec").cloned()),
            Err(error) if objects::is_unknown(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

async fn specs(client: &Client) -> Result<Vec<(Shared, Value)>> {
    let mut specs = Vec::new();
    for shared in SHARED {
        specs.extend(shared.spec(client).await?.map(|spec| (shared, spec)));
    }
    Ok(specs)
}

async fn namespaces(client: &Client, whose: &RemovalScope) -> Result<BTreeSet<String>> {
    let list = Api::<Namespace>::all(client.clone()).list_metadata(&ListParams::default()).await?;
    // A namespace that coalmine labels may be shared; it is told by its name.
    let names = list.items.iter().map(kube::ResourceExt::name_any);
    Ok(names.filter(|name| whose.includes(None, name, false)).collect())
}

async fn names(
    client: &Client,
    kind: &ApiResource,
    whose: &RemovalScope,
) -> Result<BTreeSet<(Option<String>, String)>> {
    let list = match objects::api(client, kind, None).list_metadata(&ListParams::default()).await {
        Ok(list) => list,
        Err(error) if objects::is_unknown(&error) => return Ok(BTreeSet::new()),
        Err(error) => return Err(error.into()),
    };
    let names = list.items.into_iter().filter(|object| {
        let name = object.name_any();
        let (label, value) = leftovers::LABEL.split_once('=').unwrap_or_default();
        let ours = object.labels().get(label).is_some_and(|of| of == value);
        // The root certificate is put into every namespace again and again.
        name != "kube-root-ca.crt" && whose.includes(object.namespace().as_deref(), &name, ours)
    });
    Ok(names.map(|object| (object.namespace(), object.name_any())).collect())
}

/// What is left of a kind in a namespace. Finalizers are taken off: whoever would do so is gone.
async fn left_in(client: &Client, kind: &ApiResource, namespace: &str) -> Result<Vec<String>> {
    let api = objects::api(client, kind, Some(namespace));
    let list = match api.list_metadata(&ListParams::default()).await {
        Ok(list) => list,
        Err(kube::Error::Api(status)) if [404, 405].contains(&status.code) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    for object in list.items.iter().filter(|object| !object.finalizers().is_empty()) {
        let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        match api.patch_metadata(&object.name_any(), &PatchParams::default(), &none).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            other => drop(other?),
        }
    }
    Ok(list.items.iter().map(|object| format!("{} {}", kind.kind, object.name_any())).collect())
}

async fn delete(api: &Api<DynamicObject>, name: &str) -> Result<()> {
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::background() };
    match api.delete(name, &now).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other.map(drop).with_context(|| format!("cannot delete {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_cluster_that_is_not_ours_only_what_we_made_is_removed() {
        let whose = RemovalScope::Ours(Names::unique());
        assert!(!whose.includes(Some("shop"), "basket", false));
        assert!(!whose.includes(None, "shop", false));
        assert!(whose.includes(Some("gloo-system"), "app", true));
        assert!(whose.includes(None, "coalmine", false));
        assert!(RemovalScope::All.includes(Some("shop"), "basket", false));
    }
}
