//! The stable names of reasons.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares [`Code`] with the name, the meaning and the remedy of each code.
macro_rules! codes {
    ($($name:ident: $meaning:literal, $remedy:literal;)*) => {
        /// The stable name of a reason: the `reason` of a condition and of an Event, the label of a metric,
        /// `reasonCode` in JSON, and a row of docs/reasons.md. It does not change from one release to the
        /// next.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name, as programs read it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What a person can do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

codes! {
    WaitingForPods:
        "The rollout of a Deployment is not complete, or no pod of a version is ready",
        "Look at the pods with `kubectl describe pods -n NAMESPACE`";
    PodsUnschedulable:
        "A pod has no node",
        "Add nodes, or lower the requests of the container";
    PodsCrashing:
        "A container or init container of a pod ends again and again",
        "Read its log with `kubectl logs -n NAMESPACE POD -c CONTAINER --previous`, and push values that work";
    PodsFailed:
        "A pod has failed, was evicted, or its node did not take it",
        "Look at what the message names, such as the memory or the disk of the node";
    ImagePullFailed:
        "The image of a container cannot be pulled",
        "Correct `image`, or give the namespace access to the registry";
    ContainerConfigInvalid:
        "A container refers to a ConfigMap or Secret that is missing, or cannot be created",
        "Create what it refers to, or correct the values";
    QuotaExceeded:
        "A ResourceQuota forbids an object or a pod",
        "Raise the quota of the namespace, or lower `replicas` and requests: `kubectl describe resourcequota -n NAMESPACE`";
    PodsRefused:
        "The API server does not admit the pods of a Deployment",
        "Correct what the message names, such as the pod security level of the namespace";
    ProgressDeadlineExceeded:
        "A Deployment is past its progress deadline",
        "Look at the pods, and push values that work";
    WaitingForEndpoints:
        "Ready pods are not in the Endpoints of their Service yet",
        "Check that the Service selects the labels of the pods";
    UpstreamMissing:
        "An Upstream that is not managed by coalmine does not exist",
        "Create it, or name another one";
    WaitingForGloo:
        "Gloo has not written a status yet",
        "Check that Gloo runs, and read its log";
    GlooWarning:
        "Gloo serves the object and says Warning",
        "Correct what Gloo names";
    GlooRejected:
        "Gloo does not serve the object and says Rejected",
        "Correct what Gloo names";
    WaitingForGateway:
        "A Gateway has not written a status on the present generation of an HTTPRoute or a policy yet",
        "Check that the controller of the Gateway runs, and that the Gateway or a parent HTTPRoute allows the route";
    GatewayWarning:
        "A Gateway serves an HTTPRoute only in part, or with a backend that it does not find",
        "Correct what the message names";
    GatewayRejected:
        "A Gateway does not accept an HTTPRoute or a policy",
        "Correct what the message names";
    GlooBlocked:
        "A mistake in an object of another owner keeps changes from Envoy",
        "Repair that object; until then no route is changed and nothing is deleted";
    WaitingForProxies:
        "Every proxy is given time to learn of new pods, Upstreams and rules",
        "Nothing; it passes by itself";
    WaitingForRoutes:
        "Every proxy is given time to follow new routes before anything is deleted",
        "Nothing; it passes by itself";
    WaitingForDeletion:
        "An object is being deleted and is not gone yet",
        "Check whether it has a finalizer that nobody removes";
    WaitingForNamespace:
        "A namespace of `platform/` does not exist yet",
        "Nothing; it passes by itself";
    WaitingForPlatform:
        "No Gateway serves the service's routes yet, and `platform/`, which may bring what they rest on, is being carried out",
        "Look at `platform` in `coalmine status`";
    WaitingForSuccessor:
        "A service is to be removed, and the one that takes over its requests is not ready yet",
        "Look at the service that the message names with `coalmine status`";
    WaitingForPredecessor:
        "A domain of the service belongs still to a VirtualService of one that is removed",
        "Nothing; that one goes now, and the routes follow at once";
    WaitingForDefinition:
        "The API server does not serve a CustomResourceDefinition of `platform/` yet",
        "Nothing; it passes by itself unless the message says why the API server does not accept it";
    WaitingForCache:
        "The objects of a kind are not known, because they cannot be listed or watched",
        "Check that the API server answers, and the Role of the daemon";
    RolledBack:
        "The gateway did not accept the new routes, so the previous routes are applied",
        "Correct the values and push again";
    RollbackRefused:
        "The previous routes cannot be applied again, because that would harm another service",
        "Correct the values and push again";
    AheadOfGit:
        "The autopilot has aborted a canary in the cluster, and git cannot be told of it yet",
        "Make the git server reachable for the daemon, `coalmine doctor` looks at it; the commit is pushed until it arrives, and any commit to the file of the service ends this";
    MaxStepExceeded:
        "One commit gives a version more additional requests than `policy.maxStep` allows",
        "Push the weight that the message names first";
    HeaderPhaseRequired:
        "`policy.requireHeaderPhase` asks for a phase with headers and weight 0 first",
        "Push that phase first";
    VersionHandedOver:
        "A version with requests becomes `external`, and its pods would be deleted",
        "Route to another version first";
    VersionWithoutPods:
        "A version with `replicas: 0` would get requests",
        "Give it replicas, or remove it from the routes";
    ServicePortChanged:
        "The port of a Service with requests would change",
        "Keep the port, or bring the service out under another name";
    PreflightRefused:
        "The preflight finds that the change would harm this or another service",
        "Correct what the message names: [preflight.md](preflight.md)";
    PreflightFailed:
        "The preflight itself failed",
        "Read the log of the daemon, and report the error";
    ObjectNotManaged:
        "An object of this name exists and is not managed by coalmine",
        "Delete it, or adopt it";
    ObjectOfOtherService:
        "An object of this name belongs to another service",
        "Give one of the two another name";
    ObjectOfOtherInstance:
        "An object of this name belongs to another instance of coalmine",
        "Remove it there first";
    ApplyNotKept:
        "An object does not keep what is applied",
        "Look for a webhook that changes it";
    ApiServerUnreachable:
        "The API server does not answer, or asks to come back later",
        "Check that the cluster is up; the next attempt follows by itself";
    KindNotServed:
        "The API server does not serve a kind",
        "Install its CustomResourceDefinition";
    NamespaceMissing:
        "A namespace does not exist",
        "Add a Namespace to `platform/`, or create it";
    NamespaceNotWatched:
        "An object is in no namespace that the daemon watches",
        "Move it, or add its namespace to `--watch-namespaces` and give the daemon its Role there: [operations.md](operations.md#single-namespaces)";
    NamespaceTerminating:
        "A namespace is being deleted, so nothing can be created in it",
        "Look at the conditions of the namespace, which say what keeps it; it is tried again";
    PermissionDenied:
        "The account of the daemon, or the service account of a folder, lacks a permission",
        "Extend the Role of the daemon, `coalmine doctor` lists what is missing; or bind a role to the account that the message names";
    CredentialsRefused:
        "The API server does not accept the token or certificate of the daemon",
        "Renew it in KUBECONFIG, or that of the ServiceAccount; it is tried again";
    AdmissionDenied:
        "An admission policy, an admission webhook or another admission plugin does not allow an object",
        "Correct what the message names, or have the owner of the policy change it";
    WebhookFailed:
        "The API server cannot call an admission or conversion webhook",
        "Have the owner of the webhook repair it; it is tried again";
    ApiServerRefused:
        "The API server refuses an object",
        "Correct what the message names";
    PassPanicked:
        "A pass over the service panicked, which is a fault of coalmine",
        "Report it with the log of the daemon; the pass is tried again";
    PassTimedOut:
        "A pass over the service did not end in time",
        "Check that the API server answers; the pass is tried again";
    DriftReported:
        "An object differs from the repository, and drift is only reported",
        "Undo the change, or set `drift: repair`";
    DriftBackingOff:
        "Another field manager changes an object again and again, and the repair is delayed",
        "Find out who does it; the Events name the field manager";
    Invalid:
        "The values file has errors; what was applied before stays",
        "Correct the lines that the message names";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_exactly_the_codes_there_are() {
        let page = include_str!("../../../docs/reasons.md");
        let documented: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let row = |code: &Code| format!("| `{code}` | {} | {} |", code.meaning(), code.remedy());
        let rows: Vec<String> = Code::ALL.iter().map(row).collect();
        assert_eq!(documented, rows, "docs/reasons.md should have:\n{}", rows.join("\n"));
    }
}
