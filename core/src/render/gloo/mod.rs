//! A service in Gloo's own kinds: Upstreams, and a RouteTable or a VirtualService.

mod routes;
mod upstream;

use super::{Objects, Routes};
use crate::traffic::Traffic;
use crate::values::Service;

/// Renders what Gloo needs beside the Service, which holds the pods of all versions.
pub(super) fn objects(service: &Service, traffic: &Traffic) -> Objects {
    Objects {
        services: Vec::new(),
        upstreams: upstream::render(service, traffic),
        policies: Vec::new(),
        routes: vec![Routes {
            object: routes::render(service, traffic),
            versions: traffic.upstream_names().annotation(),
        }],
    }
}
