//! Which request goes to whom by HTTPRoutes, from what they say themselves.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::routes::{Requests, Row};
use crate::kind::Kind;
use crate::object::Manifest;
use crate::object_state::HttpRoute;
use crate::plan::Job;
use crate::traffic::UpstreamNames;

/// The rows of a job's HTTPRoutes, the more particular first, as the Gateway API tries them.
pub(super) fn table(job: &Job, names: &UpstreamNames) -> Vec<Row> {
    let mut rows = Vec::new();
    let claims = claims(job);
    for route in routes(job) {
        let spec = &route.object()["spec"];
        let domains: Vec<String> = list(&spec["hostnames"]).iter().filter_map(text).collect();
        let domains = if domains.is_empty() { vec!["*".to_owned()] } else { domains };
        for rule in list(&spec["rules"]) {
            let (shares, copies) = (shares(job, rule, names), copies(job, rule, names));
            for matcher in list(&rule["matches"]) {
                let requests = Requests { domains: domains.clone(), ..requests(matcher, &claims) };
                let row = Row { requests, shares: shares.clone(), copies: copies.clone() };
                rows.push((precedence(matcher), row));
            }
        }
    }
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The Gateways that a job's HTTPRoutes attach to, `<namespace>/<name>`.
pub(super) fn gateways(job: &Job) -> BTreeSet<String> {
    routes(job).flat_map(|route| HttpRoute::of(route.object()).gateways).collect()
}

fn routes(job: &Job) -> impl Iterator<Item = &Manifest> {
    job.desired.routes.iter().filter(|manifest| manifest.id().is(Kind::HttpRoute))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The order of the Gateway API, which the implementations follow as far as a service's own rules go.
fn precedence(matcher: &Value) -> impl Ord + use<> {
    let path = &matcher["path"];
    let length = path["value"].as_str().map_or(0, str::len);
    let (kind, length) = match path["type"].as_str() {
        Some("Exact") => (0, 0),
        Some("RegularExpression") => (1, 0),
        _ => (2, length),
    };
    let count = |key: &str| Reverse(list(&matcher[key]).len());
    (kind, Reverse(length), matcher["method"].is_null(), count("headers"), count("queryParams"))
}

/// What is said of a request with a claim in a header, by the name of the header.
fn claims(job: &Job) -> BTreeMap<String, String> {
    let policies =
        job.desired.workloads.iter().map(|manifest| &manifest.object()["spec"]["jwt"]["providers"]);
    let providers = policies.filter_map(Value::as_array).flatten();
    let of_provider = |provider: &Value| {
        let issuer = text(&provider["issuer"]).unwrap_or_default();
        let lists = [("claimsToHeaders", "name"), ("claimToHeaders", "claim")];
        let entries = lists.iter().flat_map(|(key, name)| {
            list(&provider[*key])
                .iter()
                .filter_map(|it| Some((text(&it["header"])?, text(&it[*name])?)))
        });
        let words =
            |(header, claim)| (header, format!("a token of {issuer} with the claim {claim}"));
        entries.map(words).collect::<Vec<_>>()
    };
    providers.flat_map(of_provider).collect()
}

fn requests(matcher: &Value, claims: &BTreeMap<String, String>) -> Requests {
    let path = &matcher["path"];
    let value = path["value"].as_str().unwrap_or("/");
    let path = match path["type"].as_str() {
        Some("Exact") => value.to_owned(),
        Some("RegularExpression") => format!("~{value}"),
        _ => format!("{}/*", value.trim_end_matches('/')),
    };
    let condition = |before: &'static str| {
        move |it: &Value| {
            let (name, value) = (text(&it["name"])?, text(&it["value"])?);
            let name = claims.get(&name).cloned().unwrap_or_else(|| format!("{before}{name}"));
            Some(match (it["type"] == "RegularExpression", value.as_str()) {
                (true, ".*") => name,
                (true, _) => format!("{name}: ~{value}"),
                (false, _) => format!("{name}: {value}"),
            })
        }
    };
    let method = text(&matcher["method"]).map(|method| format!("method: {method}"));
    let headers = list(&matcher["headers"]).iter().filter_map(condition(""));
    let query = list(&matcher["queryParams"]).iter().filter_map(condition("?"));
    Requests { domains: Vec::new(), path, conditions: headers.chain(method).chain(query).collect() }
}

fn shares(job: &Job, rule: &Value, names: &UpstreamNames) -> BTreeMap<String, u32> {
    let backends = list(&rule["backendRefs"]);
    let weight = |backend: &Value| backend["weight"].as_u64().unwrap_or(1);
    let sum: u64 = backends.iter().map(weight).sum();
    let mut shares = BTreeMap::new();
    for backend in backends {
        let share = (weight(backend) * 100).checked_div(sum).unwrap_or(0);
        *shares.entry(version(job, backend, names)).or_default() +=
            u32::try_from(share).unwrap_or(100);
    }
    shares
}

fn copies(job: &Job, rule: &Value, names: &UpstreamNames) -> BTreeMap<String, u32> {
    let mirrors = list(&rule["filters"]).iter().map(|filter| &filter["requestMirror"]);
    let copies = mirrors.filter(|mirror| mirror.is_object()).map(|mirror| {
        let percent = mirror["percent"].as_u64().and_then(|it| u32::try_from(it).ok());
        (version(job, &mirror["backendRef"], names), percent.unwrap_or(100))
    });
    copies.collect()
}

fn version(job: &Job, backend: &Value, names: &UpstreamNames) -> String {
    let name = backend["name"].as_str().unwrap_or_default();
    names.version(&job.service, name).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Owner;
    use crate::values::tests::service;

    fn job(more: &str) -> (Job, UpstreamNames) {
        let service = service(&format!(
            "deployment: {{1.0: {{}}, v2: {{}}}}\nroutes: {{primary: {{version: 1.0}}, {more}, gateway: \
             {{api: gateway-api, profile: kgateway, gateways: [{{name: edge, namespace: infra}}, {{name: own}}]}}}}\n"
        ));
        let owner = Owner { instance: "default".into(), revision: "r".into() };
        (Job::for_service(&service, &owner), UpstreamNames::of(&service))
    }

    #[test]
    fn requests_are_shown_in_the_order_in_which_they_are_tried() {
        let (job, names) = job(
            "domains: [a.example], paths: [{prefix: /a}, {prefix: /a/b/, methods: [GET]}, {exact: /a}], \
             canary: {version: v2, weight: 10, shadow: 5, headers: {stage: canary, x: {present: true}, y: {regex: z+}}}",
        );
        let rows: Vec<(String, String)> = table(&job, &names)
            .iter()
            .map(|row| (row.requests.to_string(), format!("{:?} {:?}", row.shares, row.copies)))
            .collect();
        let with = "with stage: canary, x, y: ~z+";
        let canary = || "{\"v2\": 100} {}".to_owned();
        let both = || "{\"1.0\": 90, \"v2\": 10} {\"v2\": 5}".to_owned();
        let expected = [
            (format!("a.example/a {with}"), canary()),
            ("a.example/a".to_owned(), both()),
            (format!("a.example/a/b/* {with}, method: GET"), canary()),
            ("a.example/a/b/* with method: GET".to_owned(), both()),
            (format!("a.example/a/* {with}"), canary()),
            ("a.example/a/*".to_owned(), both()),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_claim_is_shown_as_what_a_token_says() {
        for profile in ["kgateway", "envoy-gateway"] {
            let service = service(&format!(
                "deployment: {{v1: {{}}, v2: {{}}}}\nroutes:\n  domains: [a.example]\n  primary: {{version: v1}}\n  gateway: \
                 {{api: gateway-api, profile: {profile}, gateways: [{{name: edge}}]}}\n  canary: {{version: v2, jwt: {{issuer: me, \
                 claims: {{realm: {{stage: canary}}}}, jwks: {{keys: [{{kty: OKP, crv: Ed25519, \
                 x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}}]}}}}}}\n"
            ));
            let owner = Owner { instance: "default".into(), revision: "r".into() };
            let rows = table(&Job::for_service(&service, &owner), &UpstreamNames::of(&service));
            let rows: Vec<String> = rows.iter().map(|row| row.requests.to_string()).collect();
            let expected = "a.example/echo/* with a token of me with the claim realm.stage: canary";
            assert_eq!(rows, [expected, "a.example/echo/*"], "{profile}");
        }
    }

    #[test]
    fn gateways_are_those_that_routes_attach_to() {
        let (attached, _) = job("domains: ['*']");
        assert!(gateways(&attached).iter().eq(["echo/own", "infra/edge"]));
        let (child, _) = job("apiGroup: a");
        assert!(gateways(&child).is_empty(), "its parent does");
    }
}
