//! Who answers a request, without asking Envoy.

mod balance;
mod command;
mod cors;
mod domain;
mod entry;
mod matching;
mod outcome;
mod path;
mod rewrite;
mod token;

pub use entry::Entry;
pub use outcome::{Answer, Copied, Forwarded, Outcome};
pub use token::{Token, Tokens, Verdict};

use self::path::Read;
use self::token::Checked;
use crate::Request;
use crate::config::{
    Action, Chain, Forward, JwtRequirement, Listener, Route, Session, Target, VirtualHost,
    WeightedCluster,
};
use crate::translate::Translation;

/// Says who answers `request`, by Envoy's rules: listener, filter chain, host, path, first matching route, weights.
pub fn answer(translation: &Translation, entry: &Entry, request: &Request) -> Answer {
    answer_with(translation, entry, request, &Tokens::new())
}

/// The same where the tokens that requests carry are known.
pub fn answer_with(
    translation: &Translation,
    entry: &Entry,
    request: &Request,
    tokens: &Tokens,
) -> Answer {
    let Some(listener) = entry.listener(&translation.listeners) else {
        return Answer::certain(Outcome::Refused);
    };
    let Some(chain) = entry.chain(listener) else { return Answer::certain(Outcome::Closed) };
    let path = match path::read(request, listener.redirects_escaped_slashes) {
        Read::Path(path) => path,
        Read::Answered(outcome) => return Answer::certain(outcome),
    };
    let request = Request { path, ..request.clone() };
    let serving = Serving { translation, listener, chain, tokens };
    let Some(host) = domain::find(serving.hosts(), &request.host) else {
        return Answer::certain(Outcome::status(404, ""));
    };
    let mut answer = serving.virtual_host(host, request);
    answer.virtual_host = Some(host.name.clone());
    answer
}

/// Where a request came in.
struct Serving<'a> {
    translation: &'a Translation,
    listener: &'a Listener,
    chain: &'a Chain,
    tokens: &'a Tokens,
}

impl<'a> Serving<'a> {
    fn hosts(&self) -> &'a [std::sync::Arc<VirtualHost>] {
        let mut all = self.translation.routes.iter();
        let named =
            all.find(|it| it.gateway == self.listener.gateway && it.name == self.chain.routes);
        named.map(|routes| routes.virtual_hosts.as_slice()).unwrap_or_default()
    }

    fn virtual_host(&self, host: &VirtualHost, mut request: Request) -> Answer {
        if host.require_tls && !self.chain.tls {
            let location = Some(format!("https://{}{}", request.host, request.path));
            return Answer::certain(Outcome::Status { status: 301, body: String::new(), location });
        }
        let pick = |request: &Request| {
            host.routes.iter().find(|route| matching::takes(&route.matcher, request))
        };
        let Some(mut route) = pick(&request) else {
            return Answer::certain(Outcome::status(404, ""));
        };
        if route.opaque {
            return Answer { route: Some(route.name.clone()), ..Answer::certain(Outcome::Unknown) };
        }
        let mut preflight = cors::preflight(route, &request);
        if preflight.is_none() && route.jwt.is_none() {
            self.sanitize(&mut request);
        }
        if preflight.is_none() {
            let mut picked = route;
            for requirement in requirements(host, route) {
                // A filter that is not there asks for nothing.
                if requirement.policy.is_some() && self.chain.tokens.is_empty() {
                    continue;
                }
                match token::check(requirement, &request, self.tokens, self.chain.tls) {
                    Checked::Passed { request: passed, recompute } => {
                        request = passed;
                        match pick(&request) {
                            Some(other) if recompute => picked = other,
                            None if recompute => {
                                return Answer::certain(Outcome::status(404, ""));
                            }
                            _ => {}
                        }
                    }
                    Checked::Rejected(outcome, headers) => {
                        let mut answer = Answer::certain(outcome);
                        answer.route = Some(route.name.clone());
                        answer.response_headers = headers;
                        return answer;
                    }
                    Checked::Unknown => return Answer::certain(Outcome::Unknown),
                }
            }
            route = picked;
        }
        if route.opaque {
            preflight = Some((Outcome::Unknown, Vec::new()));
        }
        let mut answer = match preflight {
            Some((outcome, headers)) => {
                Answer { response_headers: headers, ..Answer::certain(outcome) }
            }
            None => self.route(route, &request),
        };
        answer.route = Some(route.name.clone());
        answer
    }

    /// Envoy Gateway's one filter takes the headers that stand for claims off requests to routes that ask for no token,
    /// too (case 09-jwt-two-routes).
    fn sanitize(&self, request: &mut Request) {
        let providers = self.chain.tokens.iter().flat_map(|it| &it.providers);
        for (_, header) in providers.flat_map(|it| &it.claims) {
            request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(header));
        }
    }

    fn route(&self, route: &Route, request: &Request) -> Answer {
        let has_tls = self.chain.tls;
        let mut answer = match &route.action {
            Action::DirectResponse { status, body } => {
                let location = rewrite::location_of_direct_response(*status, request, has_tls);
                let body = body.clone().unwrap_or_default();
                Answer::certain(Outcome::Status { status: *status, body, location })
            }
            Action::Redirect(redirect) => {
                Answer::certain(rewrite::redirect(redirect, &route.matcher, request, has_tls))
            }
            Action::Forward(forward) => self.forward(forward, route, request),
        };
        let endpoint = |(outcome, _): &(Outcome, f64)| matches!(outcome, Outcome::Endpoint { .. });
        if !answer.outcomes.iter().any(endpoint) {
            command::evaluated(&route.response_headers, request)
                .apply(&mut answer.response_headers);
        }
        answer.response_headers.extend(cors::added(route, request));
        answer
    }

    fn forward(&self, forward: &Forward, route: &Route, request: &Request) -> Answer {
        let (translation, gateway) = (self.translation, &*self.listener.gateway);
        let mut answer = Answer {
            outcomes: balance::targets(translation, gateway, forward),
            ..Answer::default()
        };
        // Only kgateway has Envoy tell its backends what path and host were.
        let tells = !route.name.starts_with("httproute/");
        let mut insert = |name: &str, cluster: Option<&WeightedCluster>| {
            let forwarded = rewrite::forwarded(forward, route, cluster, request, tells);
            answer.forwarded.entry(name.to_owned()).or_insert(forwarded);
            // The changes of a single backend come first, so that those of its rule have the last word.
            let edits = cluster.into_iter().map(|cluster| &cluster.response_headers);
            let edits = edits.chain([&route.response_headers]);
            let edits = edits.map(|edits| command::evaluated(edits, request)).collect();
            answer.response_edits.entry(name.to_owned()).or_insert(edits);
        };
        match &forward.target {
            Target::Cluster(name) => insert(name, None),
            Target::Weighted(clusters) => {
                clusters.iter().for_each(|cluster| insert(&cluster.name, Some(cluster)));
            }
        }
        let host = forward.host_rewrite.as_ref().unwrap_or(&request.host);
        for mirror in &forward.mirrors {
            let share = mirror.per_million.map_or(1.0, |it| f64::from(it.min(1_000_000)) / 1e6);
            if share > 0.0 {
                let outcomes = balance::pick(translation, gateway, &mirror.cluster, 503);
                let host = if mirror.keep_host { host.clone() } else { shadow(host) };
                answer.mirrors.push(Copied { share, outcomes, host });
            }
        }
        let found = answer.outcomes.iter().any(|(it, _)| matches!(it, Outcome::Endpoint { .. }));
        if let Some(header) = route.session.as_ref().filter(|_| found).map(session) {
            answer.response_headers.push(header);
        }
        answer
    }
}

/// Which tokens a request needs: of each filter the nearest requirement, in the order in which the filters ask.
fn requirements<'a>(host: &'a VirtualHost, route: &'a Route) -> Vec<&'a JwtRequirement> {
    let mut all: Vec<&JwtRequirement> = Vec::new();
    for one in [&route.jwt, &host.jwt, &host.jwt_of_all].into_iter().flatten() {
        if !all.iter().any(|known| known.filter == one.filter) {
            all.push(one);
        }
    }
    // One without providers says that none is needed.
    if all.iter().any(|it| it.providers.is_empty()) {
        return Vec::new();
    }
    all.sort_by(|a, b| a.filter.cmp(&b.filter));
    all
}

/// The host of a copy.
fn shadow(host: &str) -> String {
    let name = domain::without_port(host);
    format!("{name}-shadow{}", &host[name.len()..])
}

/// What a client gets to stay with its pod; what it says of the pod is left out.
fn session(session: &Session) -> (String, String) {
    match session {
        Session::Cookie { name, ttl, path } => {
            let ttl = ttl.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
            ("set-cookie".into(), format!("{name}=…{ttl}; Path={path}; HttpOnly"))
        }
        Session::Header(name) => (name.to_ascii_lowercase(), "…".into()),
    }
}

#[cfg(test)]
mod tests;
