use crate::ResourceRef;

/// A cluster: endpoints by locality.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// `kube_<namespace>_<name>_<port>` with kgateway, `httproute/<namespace>/<name>/rule/<n>` with Envoy Gateway.
    pub name: String,
    /// One for each backend.
    pub localities: Vec<Locality>,
}

/// The endpoints of one backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locality {
    /// Its share, where the cluster has several.
    pub weight: Option<u32>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod, where it is known.
    pub pod: Option<ResourceRef>,
    /// IP address.
    pub address: String,
    /// Port.
    pub port: u16,
    /// It is there, and gets nothing while others can be had.
    pub draining: bool,
}
