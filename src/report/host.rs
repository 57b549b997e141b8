//! By which names the status is asked for.
//!
//! A page of somebody else's can have its own name lead to the daemon's address once a browser has opened
//! it (DNS rebinding), and would read the status as if it were its own. The browser then still says that
//! name as the `Host`, so names that nobody gave the daemon are refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

/// The names by which the status may be asked for, beside addresses, `localhost`, names without a dot, and
/// those of Services in the cluster (`NAME.NAMESPACE.svc` and what may follow that).
#[derive(Clone, Debug, Default)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// These names too.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| plain(&name).to_ascii_lowercase()).collect())
    }

    /// Answers requests by other names with 421.
    pub(super) fn guard(self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self, check))
    }

    fn has(&self, host: &str) -> bool {
        let name = plain(host).to_ascii_lowercase();
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        address.unwrap_or(&name).parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || name.ends_with(".localhost")
            || name.ends_with(".svc")
            || name.ends_with(".svc.cluster.local")
            || self.0.contains(&name)
    }
}

/// A host without its port and the dot that may end it.
fn plain(host: &str) -> &str {
    let end = host.rfind(':').filter(|colon| !host[*colon..].contains(']'));
    let is_port = |colon: &usize| host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit());
    let name = end.filter(is_port).map_or(host, |colon| &host[..colon]);
    name.strip_suffix('.').unwrap_or(name)
}

async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let named = request.uri().host().map(str::as_bytes);
    let mut asked = named
        .into_iter()
        .chain(request.headers().get_all(header::HOST).into_iter().map(|host| host.as_bytes()));
    let is_known = |host: &[u8]| std::str::from_utf8(host).is_ok_and(|host| hosts.has(host));
    if asked.all(is_known) {
        return next.run(request).await;
    }
    let answer =
        "the status is not served by this name; `coalmine run --listen-host NAME` adds it\n";
    (StatusCode::MISDIRECTED_REQUEST, answer).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_anybody_can_own_have_to_be_given() {
        let hosts =
            Hosts::named(["Status.Example.com".to_owned(), "other.example.com:8081".into()]);
        for known in [
            "127.0.0.1:8081",
            "10.0.0.7",
            "[::1]:8081",
            "[fd00::1]",
            "localhost:8081",
            "LOCALHOST",
            "coalmine",
            "coalmine.coalmine.svc:8081",
            "coalmine.coalmine.svc.cluster.local",
            "a.localhost",
            "status.example.com",
            "STATUS.example.com.:443",
            "other.example.com",
        ] {
            assert!(hosts.has(known), "{known}");
        }
        for unknown in [
            "evil.example.com",
            "evil.example.com:8081",
            "127.0.0.1.evil.example.com",
            "status.example.com.evil.com",
            "localhost.evil.com",
            "coalmine.svc.evil.com",
            "evilstatus.example.com",
            "a.b:c",
            "1.2.3",
            "svc.cluster.local.",
            "coalmine.local",
        ] {
            assert!(!hosts.has(unknown), "{unknown}");
        }
    }
}
