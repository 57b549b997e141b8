//! What of a service's values the Gateway API cannot say, with what to write instead.

mod jwt;
mod options;

pub use options::{CorsRules, HeaderEdits, HttpOptions, Retries, Rewrite};

use std::collections::BTreeSet;

use super::model::{
    Binding, GatewayApi, HeaderMatch, Path, PathMatch, Profile, Service, ValueMatch, Workload,
};
use super::names::check_subdomain;
use super::places::Places;
use crate::problem::Problem;
use options::{Unsaid, is_token};

/// Methods that an HTTPRoute can name.
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
/// The most hostnames of an HTTPRoute, the most conditions on headers, and the most on query parameters.
const MOST_OF_EACH: usize = 16;
/// The longest path of an HTTPRoute, and the longest value of a query parameter.
const LONGEST_PATH: usize = 1024;
/// The longest value of a header.
const LONGEST_VALUE: usize = 4096;

/// What of the values the Gateway API cannot say; nothing for a service that is Gloo's alone.
pub(super) fn problems(service: &Service, places: &Places) -> Vec<Problem> {
    let Some(api) = service.routes.gateway.gateway_api() else {
        return jwt::problem_of_gloo(service, places).into_iter().collect();
    };
    let mut check = Check { service, api, places, problems: Vec::new() };
    check.binding();
    check.versions();
    check.fallback();
    check.options();
    check.paths();
    check.headers();
    check.jwt();
    let mut problems = check.problems;
    problems.sort_by_key(|problem| (problem.at.line, problem.at.column));
    problems
}

/// Whether the domain stands for every host.
fn is_any(domain: &str) -> bool {
    domain == "*"
}

/// The hostnames of routes with these domains; none for every host.
pub(crate) fn hostnames(domains: &[String]) -> Vec<String> {
    if domains.iter().any(|domain| is_any(domain)) {
        return Vec::new();
    }
    domains.iter().map(|domain| domain.to_ascii_lowercase()).collect()
}

struct Check<'a> {
    service: &'a Service,
    api: &'a GatewayApi,
    places: &'a Places,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn add(&mut self, keys: &[&str], message: impl Into<String>, help: impl Into<String>) {
        let problem = Problem::new(&self.places.of(keys), dotted(keys), message);
        self.problems.push(problem.help(help));
    }

    fn binding(&mut self) {
        let needs_gateway = match &self.service.routes.binding {
            Binding::ApiGroup(_) => !self.api.profile.delegates(),
            Binding::Domains(_) => true,
        };
        if needs_gateway && self.api.gateways.is_empty() {
            let message = match &self.service.routes.binding {
                Binding::ApiGroup(_) => format!(
                    "no Gateway is named, and with the profile {} no other route selects these by `apiGroup`",
                    self.api.profile
                ),
                Binding::Domains(_) => "no Gateway is named that serves the routes".to_owned(),
            };
            self.add(
                &["routes"],
                message,
                "name it in coalmine.yaml or below `routes`: `gateway: {gateways: [{name: edge, namespace: infra}]}`",
            );
        }
        let Binding::Domains(domains) = &self.service.routes.binding else { return };
        let hosts = hostnames(domains);
        if hosts.len() > MOST_OF_EACH {
            let message = format!("an HTTPRoute has at most {MOST_OF_EACH} hostnames");
            self.add(&["routes", "domains"], message, "write fewer, or a wildcard `*.example.com`");
        }
        for (index, domain) in domains.iter().enumerate().filter(|(_, domain)| !is_any(domain)) {
            let host = domain.to_ascii_lowercase();
            let name = host.strip_prefix("*.").unwrap_or(&host);
            let is_address = name.parse::<std::net::IpAddr>().is_ok();
            if check_subdomain("a host", name).is_err() || is_address {
                let index = index.to_string();
                self.add(
                    &["routes", "domains", &index],
                    format!("{domain:?} is no hostname of an HTTPRoute"),
                    "write a name without a port, or with `*.` before it: `echo.example.com`, `*.example.com`",
                );
            }
        }
    }

    fn versions(&mut self) {
        for (version, workload) in &self.service.versions {
            if matches!(workload, Workload::Upstream(_)) {
                self.add(
                    &["deployment", version.as_str(), "external", "upstream"],
                    "an Upstream is Gloo's, and no HTTPRoute leads to one",
                    "write `external: true` for pods labelled `app` and `version`, or keep `gateway: {api: gloo}`",
                );
            }
        }
        if !self.service.upstream.is_empty() {
            self.add(
                &["upstream"],
                "Upstreams are Gloo's, and there are none with the Gateway API",
                "remove the key; a policy of the gateway's own in platform/, with the Services as its targets, may \
                 say the same",
            );
        }
    }

    /// What happens to a version without ready pods is the implementation's, unless no endpoint is left: then it is
    /// 503 in all (gateway-conformance case 04-no-endpoints).
    fn fallback(&mut self) {
        let Some(said) = self.places.json(&["routes", "fallback"]) else { return };
        let (can_say, does) = match self.api.profile {
            Profile::Kgateway => ("none", "kgateway answers 503 for a version without ready pods"),
            Profile::EnvoyGateway => (
                "any",
                "Envoy Gateway gives the share of a version without ready pods to the others",
            ),
            Profile::Portable => {
                ("", "implementations do different things for a version without ready pods")
            }
        };
        if said == can_say {
            return;
        }
        let help = match can_say {
            "" => "remove the key, or name a `profile`".to_owned(),
            word => format!("remove the key, or write `fallback: {word}`"),
        };
        self.add(&["routes", "fallback"], does, help);
    }

    fn options(&mut self) {
        let (_, unsaid) = HttpOptions::read(&self.service.routes.options);
        self.unsaid(&["routes", "options"], unsaid);
        for path in &self.service.routes.paths {
            let keys = self.places.path(&path.path);
            let keys: Vec<&str> = keys.iter().map(String::as_str).chain(["options"]).collect();
            let (own, unsaid) = HttpOptions::read(&path.options);
            self.unsaid(&keys, unsaid);
            let shared = HttpOptions::of(&self.service.routes.options);
            let (is_own, rewrite) = match own.rewrite.path {
                Some(rewrite) => (true, Some(rewrite)),
                None => (false, shared.rewrite.path),
            };
            let at: &[&str] = if is_own { &keys } else { &["routes", "options"] };
            let at: Vec<&str> = at.iter().copied().chain(["prefixRewrite"]).collect();
            match rewrite {
                Some(_) if matches!(path.path, Path::Regex(_)) => self.add(
                    &at,
                    format!(
                        "the path {:?} is an expression, which has no prefix to rewrite",
                        path.path.text()
                    ),
                    "write a prefix or an exact path",
                ),
                // `/api/` makes `/api//x` of `/x` in kgateway, and `/api/x` in Envoy Gateway (case
                // 05-rewrite-prefix).
                Some(path) if path.len() > 1 && path.ends_with('/') => self.add(
                    &at,
                    format!("implementations decide differently what comes after {path:?}"),
                    format!("leave the last slash away: `{}`", path.trim_end_matches('/')),
                ),
                _ => {}
            }
        }
    }

    fn unsaid(&mut self, options: &[&str], unsaid: Vec<Unsaid>) {
        for Unsaid { keys, message, help } in unsaid {
            let keys: Vec<&str> =
                options.iter().copied().chain(keys.iter().map(String::as_str)).collect();
            self.add(&keys, message, help);
        }
    }

    fn paths(&mut self) {
        for path in &self.service.routes.paths {
            let keys = self.places.path(&path.path);
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            self.path(&keys, path);
        }
        self.expressions();
    }

    fn path(&mut self, keys: &[&str], path: &PathMatch) {
        let at = |key: &'static str| [keys, &[key]].concat();
        if path.rest.is_some() {
            let help = "call the function by its own path, or keep `gateway: {api: gloo}`";
            self.add(&at("rest"), "functions of a REST Upstream are Gloo's", help);
        }
        if path.path.text().len() > LONGEST_PATH {
            let message = format!("a path of an HTTPRoute has at most {LONGEST_PATH} characters");
            self.add(&at(path.path.kind()), message, "match more with a shorter one");
        }
        // Other signs than those of RFC 3986 the reader refuses already.
        if let Some(method) = path.methods.iter().find(|it| !METHODS.contains(&it.as_str())) {
            let message = format!("an HTTPRoute has no method {method}");
            self.add(&at("methods"), message, format!("there are {}", METHODS.join(", ")));
        }
        let parameters = &path.query_parameters;
        if parameters.len() > MOST_OF_EACH {
            let message = format!("an HTTPRoute has at most {MOST_OF_EACH} query parameters");
            self.add(&at("queryParameters"), message, "ask for fewer");
        }
        for (name, value) in parameters {
            if !is_token(name) || is_too_long(value, LONGEST_PATH) {
                let name = name.escape_debug();
                let message = format!("an HTTPRoute has no condition like that on {name}");
                let help = format!(
                    "a name has letters, digits and `-`, a value at most {LONGEST_PATH} characters"
                );
                self.add(&at("queryParameters"), message, help);
            }
        }
    }

    /// Which of two expressions takes what both match is the implementation's (case 03-paths).
    fn expressions(&mut self) {
        let paths = self.service.routes.paths.iter();
        let expressions: Vec<&Path> =
            paths.map(|path| &path.path).filter(|path| matches!(path, Path::Regex(_))).collect();
        let texts: BTreeSet<&str> = expressions.iter().map(|path| path.text()).collect();
        let is_longest_first =
            expressions.windows(2).all(|two| two[0].text().len() >= two[1].text().len());
        let problem = match self.api.profile {
            Profile::Kgateway => return,
            Profile::EnvoyGateway if is_longest_first => return,
            Profile::EnvoyGateway => {
                "Envoy Gateway tries the longer of two expressions first, and the values mean another order"
            }
            Profile::Portable if texts.len() < 2 => return,
            Profile::Portable => {
                "implementations decide differently which of two expressions is tried first"
            }
        };
        self.add(
            &["routes", "paths"],
            problem,
            "write prefixes or exact paths, or one expression for all: `regex: /a/.*|/b/.*`",
        );
    }

    fn headers(&mut self) {
        let Some(canary) = &self.service.routes.canary else { return };
        let claims = canary.jwt.as_ref().map_or(0, |jwt| jwt.claims.len());
        if canary.headers.len() + claims > MOST_OF_EACH {
            let message = format!("an HTTPRoute has at most {MOST_OF_EACH} conditions on headers");
            let (key, help) = match claims {
                0 => ("headers", "ask for fewer"),
                _ => {
                    ("jwt", "ask for fewer: each claim of `jwt` is one, beside those of `headers`")
                }
            };
            self.add(&["routes", "canary", key], message, help);
        }
        for (name, header) in &canary.headers {
            self.header(name, header);
        }
    }

    fn header(&mut self, name: &str, header: &HeaderMatch) {
        let keys = ["routes", "canary", "headers", name];
        if header.invert {
            self.add(
                &keys,
                "an HTTPRoute cannot invert a condition",
                "write what the header has to be: text, a list of texts, or `{regex: ...}`",
            );
        }
        if let Some(pseudo) = name.strip_prefix(':') {
            let help = match pseudo {
                "method" => "write `methods` at the path",
                "path" => "write `paths`",
                "authority" => "write `domains`",
                _ => "name a header that clients send",
            };
            self.add(&keys, format!("an HTTPRoute has no condition on `{name}`"), help);
        }
        if is_too_long(&header.value, LONGEST_VALUE) {
            let message = format!("a value in an HTTPRoute has at most {LONGEST_VALUE} characters");
            self.add(&keys, message, "write a shorter one");
        }
    }
}

fn is_too_long(value: &ValueMatch, most: usize) -> bool {
    match value {
        ValueMatch::Exact(text) | ValueMatch::Regex(text) => text.len() > most,
        ValueMatch::Present => false,
    }
}

/// The keys as the messages of the reader write them: `routes.paths[0].methods`.
fn dotted(keys: &[&str]) -> String {
    let mut dotted = String::new();
    for key in keys {
        let is_index = key.bytes().all(|byte| byte.is_ascii_digit()) && !dotted.is_empty();
        match is_index && (dotted.ends_with("paths") || dotted.ends_with("domains")) {
            true => dotted += &format!("[{key}]"),
            false if dotted.is_empty() => dotted += key,
            false => dotted += &format!(".{key}"),
        }
    }
    dotted
}
