//! Where single namespaces are watched.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::cluster::Namespaces;

/// A cluster of which `echo` and `payments` are watched and `echo` is known, and how often its API server is asked.
fn limited() -> (Reconciler, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let answer = move |method: &Method, path: &str, body: Value| {
        count.fetch_add(1, Ordering::SeqCst);
        away(method, path, body)
    };
    let whole = reconciler(&[], Arc::new(answer));
    let namespaces = Namespaces::named(["echo".to_owned(), "payments".to_owned()]);
    let (cache, _) = Cache::within("default", namespaces.clone(), Arc::new(|_, _| ()));
    let cluster = whole.cluster.within(namespaces);
    for kind in WatchedKind::of_services() {
        let unread = kind.clone().within("payments");
        assert!(cache.watch(&cluster, unread, Duration::from_secs(600)).is_some());
        let kind = kind.within("echo");
        cache.receive(&kind, Event::Init);
        cache.receive(&kind, Event::InitDone);
    }
    let preflight = PreflightService::new(cache.clone());
    (Reconciler { cluster, cache, preflight, ..whole }, asked)
}

async fn stalled(reconciler: &Reconciler, job: &Job) -> Option<(Code, String)> {
    let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
    let settings = rollout_settings(Drift::Repair);
    let outcome = reconciler.pass(job, &settings, &mut memory, &|| false, &|_| ()).await;
    match outcome {
        ReconcileOutcome::Stalled { reason, .. } => Some((reason.code(), reason.line())),
        _ => None,
    }
}

/// The work of a service in a namespace, with an Upstream of somebody else's.
fn service(namespace: &str, upstream: &str) -> Job {
    let values = format!(
        "namespace: {namespace}\ndeployment: {{v1: {{}}, vm: {{external: {{upstream: {{name: vm, namespace: \
         {upstream}}}}}}}}}\nroutes: {{apiGroup: a, split: upstream, primary: {{version: v1}}, canary: {{version: vm, weight: 1}}}}\n"
    );
    let files = [("services/it.yaml".to_owned(), values.as_str().into())].into();
    let read = Repository::parse(&Tree { revision: "r".into(), files });
    let service = read.services.into_values().next().expect("one").expect("valid");
    Job::for_service(&service, &Owner { instance: "default".into(), revision: "r".into() })
}

#[tokio::test]
async fn what_is_outside_is_refused_by_name_before_anything_is_asked_for() {
    let (reconciler, asked) = limited();
    for (job, named) in [
        (service("shop", "gloo-system"), "Deployment shop/it-v1, "),
        (service("echo", "shop"), "Upstream shop/vm: "),
    ] {
        let (code, line) = stalled(&reconciler, &job).await.expect("refused");
        assert_eq!(code, Code::NamespaceNotWatched, "{line}");
        assert!(line.starts_with(named), "{line}");
        assert!(line.contains("(echo, payments)") && line.contains("add shop to"), "{line}");
    }
    let manifests = ["Namespace", "PersistentVolume"].map(|kind| {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "it"}});
        Manifest::new(object).expect("complete")
    });
    let platform = Platform { manifests: manifests.into(), ..Platform::default() };
    let owner = Owner { instance: "default".into(), revision: "r".into() };
    let job = Job::for_platform(&platform, &owner);
    assert!(reconciler.make_namespaces(&job).await.is_ok(), "it makes none");
    let (code, line) = stalled(&reconciler, &job).await.expect("refused");
    assert_eq!(code, Code::NamespaceNotWatched, "{line}");
    assert!(line.starts_with("Namespace it, PersistentVolume it: "), "{line}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "{line}");
    // Not even by whoever forgets to ask first.
    for manifest in job.desired.manifests() {
        assert!(reconciler.cluster.apply(manifest, true).await.is_err());
        assert!(reconciler.cluster.could_create(manifest).await.is_err());
        assert!(reconciler.cluster.get(manifest.id()).await.is_err());
        assert!(reconciler.cluster.delete(manifest.id(), None, None).await.is_err());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nothing_is_done_in_a_namespace_that_is_not_known_yet() {
    let (reconciler, asked) = limited();
    assert_eq!(stalled(&reconciler, &service("payments", "gloo-system")).await, None, "it waits");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // Nor is anything deleted of a service of which something is known there.
    let kind = WatchedKind::of_services().find(|kind| kind.kind == "Upstream").expect("watched");
    let upstream = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
        "metadata": {"name": "old", "namespace": "payments", "resourceVersion": "1", "uid": "u",
            "labels": {"coalmine.dev/instance": "default", "coalmine.dev/service": "old"}}});
    let kind = kind.within("payments");
    reconciler.cache.receive(&kind, Event::Init);
    reconciler.cache.receive(&kind, Event::InitApply(upstream));
    reconciler.cache.receive(&kind, Event::InitDone);
    assert_eq!(reconciler.cache.of_service("old").len(), 1);
    assert_eq!(stalled(&reconciler, &Job::removal("old")).await, None, "it waits");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // Where all is known it goes on, and asks.
    let (code, _) = stalled(&reconciler, &service("echo", "gloo-system")).await.expect("away");
    assert_eq!(code, Code::ApiServerUnreachable);
    assert!(asked.load(Ordering::SeqCst) > 0);
}
