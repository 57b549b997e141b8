//! From a VirtualService to a virtual host of a proxy.

use std::sync::Arc;

use super::delegation::Resolver;
use super::findings::Remark;
use super::mistake::Mistake;
use super::proxy::ProxyVirtualHost;
use super::reports::Reports;
use super::unmodelled;
use super::view::View;
use crate::api::{ObjectRef, Path, ResourceRef, VirtualHost, VirtualHostOptions};
use crate::code::Code;
use crate::pattern;

/// The virtual host of the VirtualService on this Gateway.
pub(super) fn virtual_host(
    view: &View,
    name: &Arc<ResourceRef>,
    gateway: &Arc<ObjectRef>,
    proxy: &str,
    reports: &mut Reports,
) -> ProxyVirtualHost {
    let root = Arc::new(ObjectRef::new("VirtualService", &name.namespace, &name.name));
    let spec = &view.virtual_services[name].spec;
    let notes = reports.notes_so_far();
    for words in unmodelled::of_virtual_service(spec) {
        reports.note(&root, words);
    }
    let none = VirtualHost::default();
    let written = spec.virtual_host.as_ref().unwrap_or(&none);
    let options = options(written, &root, view, reports);
    let gateway_name = (gateway.name.as_str(), proxy);
    let mut resolver = Resolver { view, root: Arc::clone(&root), gateway: gateway_name, reports };
    let routes = resolver.resolve(&written.routes);
    let host = ProxyVirtualHost {
        source: Arc::clone(name),
        gateway: Arc::clone(gateway),
        ssl: spec.ssl_config.is_some(),
        dynamic_forward_proxy: false,
        opaque: reports.notes_so_far() > notes,
        routes,
        domains: written.domains.clone(),
        options,
    };
    check_expressions(&host, &root, reports);
    host
}

/// Its own options, and where they say nothing those that it refers to (gloo-conformance case
/// 21-virtual-host-option).
fn options(
    host: &VirtualHost,
    root: &ObjectRef,
    view: &View,
    reports: &mut Reports,
) -> Option<VirtualHostOptions> {
    let mut options = host.options.clone();
    let references = host.options_config_refs.iter().flat_map(|refs| &refs.delegate_options);
    for reference in references {
        match view.virtual_host_options.get(reference) {
            Some(shared) => options.get_or_insert_default().inherit(&shared.spec.options),
            None if view.known.tells("VirtualHostOption", reference) => {
                let key = reference.key();
                let words = format!("list did not find virtualHostOption {key}");
                reports.warning(root, Mistake::new(Code::MissingOption, words));
            }
            None => reports.note(root, Remark::not_read("VirtualHostOption", reference)),
        }
    }
    options
}

/// Expressions that Go cannot compile reject the VirtualService (gloo-conformance case
/// 09-matcher-invalid). Those of headers and query parameters are not looked at: Envoy refuses them.
fn check_expressions(host: &ProxyVirtualHost, root: &ObjectRef, reports: &mut Reports) {
    for route in &host.routes {
        let options = route.options.iter();
        let rewrites = options.flat_map(|options| {
            [&options.host_rewrite_path_regex, &options.regex_rewrite].into_iter().flatten()
        });
        let rewrites = rewrites.map(|rewrite| rewrite.pattern.regex.as_str());
        let paths = route.matchers.iter().filter_map(|matcher| match matcher.path() {
            Some(Path::Regex(expression)) => Some(expression),
            _ => None,
        });
        for expression in rewrites.map(str::to_owned).chain(paths) {
            if let Err(fault) = pattern::check(&expression) {
                let name = host.name();
                let words = format!(
                    "virtual service [{name}] has a regex matcher with invalid regex, {fault}"
                );
                reports.error(root, Mistake::new(Code::InvalidExpression, words));
            }
        }
    }
}
