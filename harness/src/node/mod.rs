//! The process node: a Kubernetes node whose pods are processes.
//!
//! What a kubelet does for the rest of the cluster it does too: it registers, renews its Lease,
//! starts what is bound to it, probes, restarts with back-off, reports through the status
//! subresource, and stops in order. There are no containers: an image is a local program, and what
//! keeps pods apart is that each has an address of its own.

mod container;
mod images;
mod options;
mod pod;
mod probe;
mod registration;
mod restart;
mod spec;
mod status;

use std::{collections::HashMap, net::Ipv4Addr, sync::Arc};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher, watcher::Event},
};
use tokio::{sync::watch, task::JoinHandle};

pub use images::{Image, Images};
pub use options::NodeOptions;
pub use restart::BackOff;

use crate::namespace::PODS;

/// A running node. Dropping it kills its pods' processes.
#[derive(Debug)]
pub struct Node {
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// Registers the node and starts to look after its pods.
    ///
    /// # Errors
    /// The API server refuses the Node.
    pub async fn start(client: Client, options: NodeOptions) -> Result<Self> {
        std::fs::create_dir_all(&options.logs)
            .with_context(|| format!("cannot make {}", options.logs.display()))?;
        registration::register(&client, &options.name).await?;
        let heartbeat = registration::keep_alive(client.clone(), options.name.clone());
        let pods = Pods { client, options: Arc::new(options), runners: HashMap::new(), next: 0 };
        Ok(Self { tasks: vec![tokio::spawn(heartbeat), tokio::spawn(pods.run())] })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The pods of the node, each looked after by a task of its own.
struct Pods {
    client: Client,
    options: Arc<NodeOptions>,
    runners: HashMap<String, Runner>,
    /// Addresses given out so far. One is used again only after all others, so nobody who still
    /// holds an old address meets a new pod.
    next: u32,
}

struct Runner {
    /// The newest the API server said about the pod. Dropped when the pod is gone from there.
    pod: watch::Sender<Pod>,
    address: Ipv4Addr,
}

impl Pods {
    async fn run(mut self) {
        let api = Api::<Pod>::all(self.client.clone());
        let ours =
            watcher::Config::default().fields(&format!("spec.nodeName={}", self.options.name));
        let mut events = watcher(api, ours).default_backoff().boxed();
        let mut listed = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(pod)) => {
                    listed.push(uid(&pod));
                    self.changed(pod);
                }
                // What vanished while we did not look.
                Ok(Event::InitDone) => self.runners.retain(|uid, _| listed.contains(uid)),
                Ok(Event::Apply(pod)) => self.changed(pod),
                Ok(Event::Delete(pod)) => drop(self.runners.remove(&uid(&pod))),
                Err(error) => tracing::warn!(%error, "the watch on pods was interrupted"),
            }
            self.runners.retain(|_, runner| !runner.pod.is_closed());
        }
    }

    fn changed(&mut self, pod: Pod) {
        if let Some(runner) = self.runners.get(&uid(&pod)) {
            runner.pod.send_replace(pod);
            return;
        }
        let address = self.free_address();
        let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
        let uid = uid(&pod);
        let (sender, receiver) = watch::channel(pod);
        let runner = pod::run(self.client.clone(), self.options.clone(), receiver, address);
        tokio::spawn(async move {
            if let Err(error) = runner.await {
                tracing::error!(pod = name, error = format!("{error:#}"), "lost a pod");
            }
        });
        self.runners.insert(uid, Runner { pod: sender, address });
    }

    /// The next address that no pod has. The first 256 of the network are left to the node.
    fn free_address(&mut self) -> Ipv4Addr {
        let size = (1_u32 << (32 - PODS.1)) - 512;
        loop {
            let address = Ipv4Addr::from_bits(PODS.0.to_bits() + 256 + self.next % size);
            self.next = self.next.wrapping_add(1);
            if self.runners.values().all(|runner| runner.address != address) {
                return address;
            }
        }
    }
}

fn uid(pod: &Pod) -> String {
    pod.uid().unwrap_or_default()
}
