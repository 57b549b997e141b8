use crate::api::{self, HostRewrite as Wanted, RetryPolicy, RouteOptions};
use crate::code::Code;
use crate::config::{Action, Forward, HostRewrite, PathRewrite, Retry, Route, UpgradeConfig};
use crate::translate::header_edits;
use crate::translate::mistake::Mistake;
use crate::translate::proxy::ProxyRoute;
use crate::translate::reports;

/// Rewrites, timeouts, retries, upgrades: of routes that forward only. What comes after the first
/// fault in this order is left out.
pub(super) fn apply(route: &ProxyRoute, out: &mut Route) -> Result<(), Mistake> {
    let (Some(options), Action::Forward(forward)) = (&route.options, &mut out.action) else {
        return Ok(());
    };
    if let Some(prefix) = &options.prefix_rewrite
        && !prefix.is_empty()
    {
        forward.path_rewrites.push(PathRewrite::Prefix(prefix.clone()));
    }
    if let Some(rewrite) = &options.regex_rewrite {
        forward.path_rewrites.push(PathRewrite::Regex {
            pattern: rewrite.pattern.regex.clone(),
            substitution: rewrite.substitution.clone(),
        });
    }
    forward.timeout = options.timeout;
    forward.idle_timeout = options.idle_timeout;
    forward.max_stream_duration = options.max_stream_duration;
    forward.retry = options.retries.as_ref().map(retry).transpose()?;
    host_rewrite(options, forward)?;
    upgrades(options, forward)
}

/// Envoy's retry policy.
pub(super) fn retry(policy: &RetryPolicy) -> Result<Retry, Mistake> {
    let back_off = match &policy.retry_back_off {
        None => None,
        Some(back_off) => {
            let (base, max) = (back_off.base_interval, back_off.max_interval);
            check_back_off(base, max)?;
            Some((base, max))
        }
    };
    Ok(Retry {
        on: policy.retry_on.clone(),
        count: policy.num_retries.max(1),
        per_try_timeout: policy.per_try_timeout,
        back_off,
        statuses: policy.retriable_status_codes.clone(),
    })
}

fn check_back_off(base: Option<api::Duration>, max: Option<api::Duration>) -> Result<(), Mistake> {
    let invalid = |words: String| Err(Mistake::new(Code::InvalidRetries, words));
    match (base.map(api::Duration::millis), max.map(api::Duration::millis)) {
        (Some(base), Some(max)) if base > max => {
            invalid(format!("base interval: {base} is > max interval: {max}"))
        }
        (None, Some(_)) => {
            invalid("max interval was defined, but the base interval was not".into())
        }
        (Some(base), _) if base <= 0 => {
            invalid(format!("base interval for retry backoff was <= than 0 | you provided: {base}"))
        }
        (_, Some(max)) if max <= 0 => {
            invalid(format!("max interval for retry backoff was <= than 0 | you provided: {max}"))
        }
        _ => Ok(()),
    }
}

fn host_rewrite(options: &RouteOptions, forward: &mut Forward) -> Result<(), Mistake> {
    let Some(wanted) = options.host_rewrite() else { return Ok(()) };
    forward.host_rewrite = Some(match wanted {
        Wanted::Literal(host) => HostRewrite::Literal(host.to_owned()),
        Wanted::Auto(auto) => HostRewrite::Auto(auto),
        Wanted::Header(name) => {
            header_edits::check_name(name)?;
            HostRewrite::Header(name.to_owned())
        }
        Wanted::PathRegex(rewrite) => HostRewrite::PathRegex {
            pattern: rewrite.pattern.regex.clone(),
            substitution: rewrite.substitution.clone(),
        },
    });
    forward.append_x_forwarded_host = options.append_x_forwarded_host.unwrap_or_default();
    Ok(())
}

fn upgrades(options: &RouteOptions, forward: &mut Forward) -> Result<(), Mistake> {
    for upgrade in &options.upgrades {
        let config = if let Some(spec) = upgrade.connect_terminate {
            UpgradeConfig { protocol: "CONNECT".into(), enabled: spec.enabled, terminate: true }
        } else if let Some(spec) = upgrade.connect {
            UpgradeConfig { protocol: "CONNECT".into(), enabled: spec.enabled, terminate: false }
        } else if let Some(spec) = upgrade.websocket {
            UpgradeConfig { protocol: "websocket".into(), enabled: spec.enabled, terminate: false }
        } else {
            let words = "unimplemented upgrade type: <nil>";
            return Err(Mistake::new(Code::InvalidUpgrade, words));
        };
        forward.upgrades.push(config);
    }
    let protocols: Vec<&String> = forward.upgrades.iter().map(|u| &u.protocol).collect();
    let repeated = protocols.iter().enumerate().filter(|(i, p)| protocols[..*i].contains(p));
    let texts: Vec<String> =
        repeated.map(|(_, protocol)| format!("upgrade config {protocol} is not unique")).collect();
    if texts.is_empty() {
        return Ok(());
    }
    Err(Mistake::new(Code::InvalidUpgrade, reports::list(&texts)))
}
