/// The CustomResourceDefinitions of the kinds in scope, as YAML, one document each.
pub const CRDS: &[&str] = &[
    include_str!("../crds/upstreams.gloo.solo.io.yaml"),
    include_str!("../crds/settings.gloo.solo.io.yaml"),
    include_str!("../crds/virtualservices.gateway.solo.io.yaml"),
    include_str!("../crds/routetables.gateway.solo.io.yaml"),
    include_str!("../crds/gateways.gateway.solo.io.yaml"),
];
