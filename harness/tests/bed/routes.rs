//! Routes of the Gateway API before a real controller: who answers, and what a change costs.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use harness::{
    Bed, BedOptions, Openings, Progress,
    distribution::{Expected, check},
    sample::{self, Target},
    wait::{self, Seen},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    inside::kubectl,
    load::{Order, under_load},
};

const DEADLINE: Duration = Duration::from_secs(60);
const BLUE: &str = "echo-blue";
const GREEN: &str = "echo-green";
const HEADER: (&str, &str) = ("stage", "canary");

/// The one route of a bed, and who asks it.
pub(crate) struct Routed {
    pub(crate) bed: Bed,
    routes: Api<DynamicObject>,
}

impl Routed {
    /// Starts a bed with two versions of a service, each with a Service of its own, and one of both.
    async fn start(inside: harness::Inside, folder: &Path) -> Result<Self> {
        let directory = Some(folder.join("bed"));
        let options = BedOptions { directory, ..BedOptions::new(inside) };
        let bed = Bed::start(options, &Progress::new()).await?;
        let manifest = folder.join("manifest.yaml");
        std::fs::write(&manifest, include_str!("two-services.yaml"))?;
        kubectl(&bed, &["apply", "--filename", &manifest.to_string_lossy()])?;
        for deployment in [BLUE, GREEN] {
            let deployment = format!("deployment/{deployment}");
            let rolled_out = ["--namespace=echo", "rollout", "status", &deployment];
            kubectl(&bed, &[&rolled_out[..], &["--timeout=60s"]].concat())?;
        }
        let routes = routes(bed.client());
        Ok(Self { bed, routes })
    }

    /// Gives the route these rules; its generation then.
    pub(crate) async fn set(&self, rules: &Value) -> Result<i64> {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "echo", "namespace": "echo"},
            "spec": {
                "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "http"}],
                "hostnames": ["echo.example"],
                "rules": rules,
            },
        });
        let parameters = PatchParams::apply("test").force();
        let route = self.routes.patch("echo", &parameters, &Patch::Apply(&route)).await?;
        route.metadata.generation.context("no generation")
    }

    /// Waits until the controller has accepted this generation.
    pub(crate) async fn accepted(&self, generation: i64) -> Result<()> {
        wait::until("the route to be accepted", DEADLINE, || async {
            match self.routes.get("echo").await {
                Ok(route) => Seen::when(accepts(&route.data["status"], generation), route.data),
                Err(error) => Seen::NotYet(error.to_string()),
            }
        })
        .await
    }

    pub(crate) fn target(&self, path: &str) -> Target {
        Target { host: Some("echo.example".to_owned()), ..Target::new(self.bed.proxy_url(), path) }
    }

    /// The same with the header that leads to the canary.
    pub(crate) fn marked(&self) -> Target {
        self.target("/").header(HEADER.0, HEADER.1)
    }

    /// Waits until answers are as they should be, and counts 2000 of them.
    pub(crate) async fn answered(&self, target: &Target, expected: &[(&str, u8)]) -> Result<()> {
        let expected = Expected::new(expected.iter().copied())?;
        sample::converge(target, &expected.versions(), DEADLINE).await?;
        let sample = sample::sample(target, sample::REQUESTS, sample::CONNECTIONS).await?;
        let verdict = check(&expected, &sample);
        ensure!(verdict.passed, "{}: {}", target.path, verdict.message);
        Ok(())
    }
}

fn routes(client: Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
    Api::namespaced_with(client, "echo", &ApiResource::from_gvk(&kind))
}

/// Whether the one parent accepts this generation, with all that it refers to.
fn accepts(status: &Value, generation: i64) -> bool {
    let mut parents = status["parents"].as_array().into_iter().flatten();
    parents.any(|parent| {
        ["Accepted", "ResolvedRefs"].iter().all(|wanted| {
            let mut conditions = parent["conditions"].as_array().into_iter().flatten();
            conditions.any(|condition| {
                condition["type"] == *wanted
                    && condition["status"] == "True"
                    && condition["observedGeneration"] == generation
            })
        })
    })
}

/// A rule of everybody's requests with these weights.
pub(crate) fn shares(blue: u8, green: u8) -> Value {
    json!({"backendRefs": [
        {"name": BLUE, "port": 80, "weight": blue},
        {"name": GREEN, "port": 80, "weight": green},
    ]})
}

/// A rule that leads requests with this value of the header to the green version.
pub(crate) fn canary(value: &str) -> Value {
    json!({
        "matches": [{"headers": [{"name": HEADER.0, "value": value}]}],
        "backendRefs": [{"name": GREEN, "port": 80}],
    })
}

/// Who answers is what the route says, before a change and after it, and after each part has crashed.
pub(crate) fn route(folder: &Path) -> Result<()> {
    let inside = harness::enter(&Openings::default())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let routed = Routed::start(inside, folder).await?;
        let all = json!({
            "matches": [{"path": {"type": "PathPrefix", "value": "/all"}}],
            "backendRefs": [{"name": "echo", "port": 80}],
        });
        let first = routed.set(&json!([all, canary(HEADER.1), shares(80, 20)])).await?;
        routed.accepted(first).await?;
        let plain = routed.target("/");
        routed.answered(&plain, &[(BLUE, 80), (GREEN, 20)]).await?;
        routed.answered(&routed.marked(), &[(GREEN, 100)]).await?;
        // Each pod is behind two Services.
        let both = [BLUE, GREEN].map(str::to_owned).into();
        sample::converge(&routed.target("/all"), &both, DEADLINE).await?;

        let second = routed.set(&json!([all, canary(HEADER.1), shares(30, 70)])).await?;
        ensure!(second > first, "the generation is still {second}");
        routed.accepted(second).await?;
        routed.answered(&plain, &[(BLUE, 30), (GREEN, 70)]).await?;

        // Envoy goes on without its controller, and learns what it missed from the next one.
        let restart = async { routed.bed.restart_gateway().await.map(|()| second) };
        let lost = under_load(&routed, restart).await?;
        ensure!(lost.is_empty(), "failed while the controller was started again: {lost:?}");
        let third = routed.set(&json!([all, canary(HEADER.1), shares(0, 100)])).await?;
        routed.accepted(third).await?;
        routed.answered(&plain, &[(BLUE, 0), (GREEN, 100)]).await?;

        // One that has lost everything is told it again.
        routed.bed.restart_envoy().await?;
        routed.answered(&plain, &[(BLUE, 0), (GREEN, 100)]).await?;
        routed.bed.stop().await
    })
}

/// No request is lost on the way there and back when a rule is first appended with a match that nobody sends.
pub(crate) fn keep_all(folder: &Path) -> Result<()> {
    let inside = harness::enter(&Openings::default())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let routed = Routed::start(inside, folder).await?;
        for round in 0..3 {
            let lost = Order::Warmed.walk(&routed).await?;
            ensure!(lost.iter().all(Vec::is_empty), "round {round}: {lost:?}");
        }
        routed.bed.stop().await
    })
}

/// Counts what each order of writes loses, and says it. It is no test: what is lost is up to the gateway.
pub(crate) fn measure(folder: &Path) -> Result<()> {
    let inside = harness::enter(&Openings::default())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let routed = Routed::start(inside, folder).await?;
        println!("{}", routed.bed.gateway());
        for order in [Order::Prepended, Order::Appended, Order::Warmed] {
            order.measure(&routed).await?;
        }
        routed.bed.stop().await
    })
}
