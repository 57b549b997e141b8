//! Where a backend reference leads, and the endpoints behind it.

use super::grants;
use crate::api::{BackendRef, ServicePortSpec};
use crate::config::Endpoint;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// What is wrong with a reference: the reason of a condition, and words.
pub(super) type Fault = (&'static str, String);

/// A reference that leads somewhere.
pub(super) enum Backend<'a> {
    /// A Service and one of its ports.
    Service { reference: ResourceRef, port: &'a ServicePortSpec },
    /// Something that is not modelled, or that nobody has read: the object, and why it is not judged.
    Unknown(ObjectRef, &'static str),
}

/// Why a backend is not judged.
const NOT_MODELLED: &str = "is not modelled";
const NOT_READ: &str = "was not read";

/// Kinds that the implementations know and this model does not.
const KNOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("gateway.kgateway.dev", "Backend"),
    ("networking.istio.io", "ServiceEntry"),
    ("networking.istio.io", "Hostname"),
    ("inference.networking.k8s.io", "InferencePool"),
];

/// Resolves a reference of an HTTPRoute.
pub(super) fn resolve<'a>(
    snapshot: &'a Snapshot,
    namespace: &str,
    backend: &BackendRef,
) -> Result<Backend<'a>, Fault> {
    let envoy_gateway = snapshot.environment.profile.is_envoy_gateway();
    let BackendRef { group, kind, name, port, .. } = backend;
    let target = backend.namespace.as_deref().unwrap_or(namespace);
    let permitted = || {
        let to = (group.as_str(), kind.as_str(), target, name.as_str());
        match grants::permits(snapshot, ("HTTPRoute", namespace), to) {
            true => Ok(true),
            false if !snapshot.is_complete_in("ReferenceGrant", target) => Ok(false),
            false => {
                let words = format!(
                    "backend ref to {kind} {target}/{name} not permitted by any ReferenceGrant"
                );
                Err(("RefNotPermitted", words))
            }
        }
    };
    let service = group.is_empty() && kind == "Service";
    let permitted = if envoy_gateway {
        let elsewhere = group == "multicluster.x-k8s.io" && kind == "ServiceImport";
        let own = group == "gateway.envoyproxy.io" && kind == "Backend";
        if !service && !elsewhere && !own {
            return Err(("InvalidKind", format!("{group}/{kind} is no kind of backend")));
        }
        let permitted = permitted()?;
        if own {
            return Err((
                "UnsupportedValue",
                "Backend is disabled in Envoy Gateway configuration".into(),
            ));
        }
        permitted
    } else {
        let permitted = permitted()?;
        if !service && !KNOWN_ELSEWHERE.contains(&(group.as_str(), kind.as_str())) {
            return Err(("InvalidKind", "unknown backend kind".into()));
        }
        permitted
    };
    if !permitted {
        return Ok(Backend::Unknown(ObjectRef::new("ReferenceGrant", target, "*"), NOT_READ));
    }
    if !service {
        let object = ObjectRef::new(kind, target, name);
        // An import is looked for, and may be there although it is not modelled.
        if envoy_gateway && !snapshot.contains(&object) && snapshot.is_complete(kind) {
            return Err(("BackendNotFound", format!("{kind} {target}/{name} not found")));
        }
        return Ok(Backend::Unknown(object, NOT_MODELLED));
    }
    let reference = ResourceRef::new(target, name);
    let missing = || ("BackendNotFound", format!("Service {target}/{name} not found"));
    let Some(spec) = snapshot.services.get(&reference) else {
        return match snapshot.is_complete_in("Service", target) {
            true => Err(missing()),
            false => Ok(Backend::Unknown(ObjectRef::new("Service", target, name), NOT_READ)),
        };
    };
    if spec.kind.as_deref() == Some("ExternalName") && envoy_gateway {
        let words = format!("Service {target}/{name} is of type ExternalName");
        return Err(("UnsupportedValue", words));
    }
    // kgateway takes a port of another protocol for one that nobody answers at.
    let fits = |it: &&ServicePortSpec| Some(it.port) == *port && (!envoy_gateway || it.is_tcp());
    match spec.ports.iter().find(fits) {
        Some(port) => Ok(Backend::Service { reference, port }),
        None if envoy_gateway => {
            let number = port.unwrap_or_default();
            let words = format!("TCP Port {number} not found on Service {target}/{name}");
            Err(("PortNotFound", words))
        }
        None => Err(missing()),
    }
}

/// The endpoints of a port of a Service, those that are not ready as draining.
pub(super) fn endpoints(
    snapshot: &Snapshot,
    service: &ResourceRef,
    port: &ServicePortSpec,
) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for slice in snapshot.slices.get(service).into_iter().flat_map(|slices| slices.values()) {
        for endpoint in &slice.endpoints {
            let conditions = &endpoint.conditions;
            let draining = match (conditions.serving, conditions.terminating) {
                (Some(serving), Some(terminating)) => terminating || !serving,
                _ => conditions.ready == Some(false),
            };
            let fits =
                slice.ports.iter().filter(|it| it.name.as_deref().unwrap_or_default() == port.name);
            for number in fits.filter_map(|it| it.port) {
                let pod = endpoint.target_ref.as_ref().filter(|it| it.kind == "Pod");
                let pod = pod.map(|it| ResourceRef::new(&it.namespace, &it.name));
                all.extend(endpoint.addresses.iter().map(|address| Endpoint {
                    pod: pod.clone(),
                    address: address.clone(),
                    port: number,
                    draining: draining || conditions.ready == Some(false),
                }));
            }
        }
    }
    all.sort_by(|a, b| (&a.pod, &a.address, a.port).cmp(&(&b.pod, &b.address, b.port)));
    all
}
