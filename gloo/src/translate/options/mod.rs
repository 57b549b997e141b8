//! Options of routes and virtual hosts, in the order in which Gloo's plugins apply them.

mod basic;
mod cors;
mod enterprise;
mod faults;
mod functions;
mod hashing;
mod headers;
mod shadowing;
mod statistics;

use super::header_edits;
use super::mistake::Mistake;
use super::proxy::{ProxyRoute, ProxyVirtualHost};
use super::route_findings::RouteFindings;
use super::unmodelled;
use super::view::View;
use crate::config::{Route, VirtualHost};

/// Applies a route's options. Each plugin that fails leaves its part out and reports an error.
pub(super) fn apply_to_route(
    route: &ProxyRoute,
    out: &mut Route,
    view: &View,
    findings: &mut RouteFindings,
) {
    let name = out.name.clone();
    let mut run = |plugin: &str, result: Result<(), Mistake>| {
        if let Err(mistake) = result {
            findings.plugin_error(plugin, mistake, &name);
        }
    };
    run("loadbalancer.plugin", hashing::apply(route, out));
    run("azure.plugin", functions::azure(route, out, view));
    run("aws.Plugin", functions::aws(route, out, view));
    run("rest.plugin", functions::rest(route, out, view));
    run("faultinjection.plugin", faults::apply(route, out, view));
    run("basicroute.plugin", basic::apply(route, out));
    run("cors.plugin", cors::apply(route, out));
    run("shadowing.plugin", shadowing::apply(route, out));
    let headers = headers::apply(route, out, view, findings);
    if let Err(mistake) = headers {
        findings.plugin_error("headers.plugin", mistake, &name);
    }
    if let Some(options) = &route.options {
        let edition = view.environment.edition;
        if let Err(mistake) = enterprise::of_route(&options.unsupported, edition) {
            findings.plugin_error("enterprise_warning.plugin", mistake, &name);
        }
        enterprise::judge(&options.unsupported, "options", true, view.environment, findings);
        if let Some(retries) = &options.retries {
            unmodelled::of_options(&retries.unsupported, "options.retries", |_| false)
                .into_iter()
                .for_each(|words| findings.note(words));
        }
        out.transforms = enterprise::transforms(&options.unsupported);
        out.metadata =
            options.envoy_metadata.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect();
    }
}

/// Applies a virtual host's options and returns the errors.
pub(super) fn apply_to_virtual_host(
    host: &ProxyVirtualHost,
    out: &mut VirtualHost,
    view: &View,
    findings: &mut RouteFindings,
) -> Vec<Mistake> {
    let Some(options) = &host.options else { return Vec::new() };
    let mut errors = Vec::new();
    let mut run = |plugin: &str, result: Result<(), Mistake>| {
        if let Err(mistake) = result {
            let name = &out_name(host);
            let mistake = mistake.within(|text| {
                format!(
                    "VirtualHost Error: ProcessingError. Reason: invalid virtual host [{name}] while \
                     processing plugin {plugin}: {text}"
                )
            });
            errors.extend([mistake.clone(), mistake]);
        }
    };
    let retry = options.retries.as_ref().map(basic::retry).transpose();
    run("basic_route", retry.map(|retry| out.retry = retry));
    let cors = options.cors.as_ref().map(cors::policy).transpose();
    run(
        "cors",
        cors.map(|cors| out.cors = cors)
            .map_err(|mistake| mistake.within(|e| format!("invalid cors config\n{e}"))),
    );
    let edits = options.header_manipulation.as_ref();
    let edits = edits.map(|it| header_edits::translate(it, view, |it| findings.note(it)));
    let edits = edits.transpose();
    run("headers", edits.map(|edits| out.headers = edits.unwrap_or_default()));
    run("stat", statistics::of_virtual_host(&options.unsupported));
    let edition = view.environment.edition;
    run("enterprise_warning", enterprise::of_virtual_host(&options.unsupported, edition));
    let within = "virtualHost.options";
    enterprise::judge(&options.unsupported, within, false, view.environment, findings);
    out.transforms = enterprise::transforms(&options.unsupported);
    out.include_request_attempt_count = options.include_request_attempt_count.unwrap_or_default();
    out.include_attempt_count_in_response =
        options.include_attempt_count_in_response.unwrap_or_default();
    errors
}

/// Gloo's words for features that only Gloo Enterprise has.
pub(super) fn enterprise_only(features: &[&str]) -> String {
    format!(
        "Could not load configuration for the following Enterprise features: [{}]",
        features.join(" ")
    )
}

fn out_name(host: &ProxyVirtualHost) -> String {
    host.name().replace('.', "_")
}
