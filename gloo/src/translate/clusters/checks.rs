//! What Gloo demands of an Upstream.

use crate::api::{HealthCheck, Open, ResourceRef, UpstreamSpec};
use crate::code::Code;
use crate::translate::mistake::Mistake;
use crate::translate::options::enterprise_only;
use crate::translate::view::{Presence, View};

/// The least that HTTP/2 allows for bytes under way.
const SMALLEST_WINDOW: u32 = 65_535;

/// What Gloo asks of health checks (gloo-conformance case 20-health-checks).
pub(super) fn health_checks(checks: &[HealthCheck], errors: &mut Vec<Mistake>) {
    let missing = checks.iter().enumerate().find_map(|(index, check)| {
        let fields = [
            ("HealthyThreshold", check.healthy_threshold.is_some()),
            ("UnhealthyThreshold", check.unhealthy_threshold.is_some()),
            ("HealthChecker", check.has_checker()),
        ];
        let (field, _) = fields.into_iter().find(|(_, there)| !there)?;
        Some(format!("The field HealthCheck[{index}].{field} cannot be nil"))
    });
    errors.extend(missing.map(|words| Mistake::new(Code::InvalidHealthCheck, words)));
}

/// What Gloo asks of connections.
pub(super) fn transport(spec: &UpstreamSpec, errors: &mut Vec<Mistake>) {
    let version = spec.proxy_protocol_version.as_deref();
    if version.is_some_and(|version| !["V1", "V2"].contains(&version)) {
        let words = "proxy protocol version is not supported";
        errors.push(Mistake::new(Code::InvalidProxyProtocol, words));
    }
    let windows = [
        ("Stream", spec.initial_stream_window_size),
        ("Connection", spec.initial_connection_window_size),
    ];
    for (what, size) in windows {
        if let Some(size) = size.filter(|size| *size < SMALLEST_WINDOW) {
            let words = format!("Invalid Initial {what} Window Size: {size}");
            errors.push(Mistake::new(Code::InvalidWindow, words));
        }
    }
    if let Some(policy) = &spec.preconnect_policy {
        let ratios = [policy.per_upstream_preconnect_ratio, policy.predictive_preconnect_ratio];
        if ratios.into_iter().flatten().any(|ratio| !(1.0..=3.0).contains(&ratio)) {
            let words = "preconnect ratios must be from 1 to 3";
            errors.push(Mistake::new(Code::InvalidPreconnect, words));
        }
    }
}

/// What only Gloo Enterprise has (gloo-conformance cases 20-failover, 20-static-options step 3).
pub(super) fn enterprise(spec: &UpstreamSpec, errors: &mut Vec<Mistake>) {
    let hosts = spec.fixed.iter().flat_map(|fixed| &fixed.hosts);
    let mut checks = hosts.filter_map(|host| host.health_check_config.as_ref());
    let advanced = checks.any(|check| !check.path.is_empty() || !check.method.is_empty());
    let features = [
        ("failover", spec.failover.is_some()),
        ("gcp", spec.gcp.is_some()),
        ("advanced_http", advanced),
    ];
    let used: Vec<&str> =
        features.into_iter().filter_map(|(name, used)| used.then_some(name)).collect();
    if !used.is_empty() {
        errors.push(Mistake::new(Code::EnterpriseOption, enterprise_only(&used)));
    }
}

/// The Secret with the account of AWS (gloo-conformance case 20-aws).
pub(super) fn functions(aws: &Open, view: &View, errors: &mut Vec<Mistake>) {
    let reference = aws.0.get("secretRef").cloned();
    let reference: Option<ResourceRef> = reference.and_then(|it| serde_json::from_value(it).ok());
    if let Some(reference) = reference.filter(|it| view.secret(it) == Presence::Absent) {
        let key = reference.key();
        let words = format!("retrieving aws secret: list did not find secret {key}");
        errors.push(Mistake::new(Code::MissingSecret, words));
    }
}
