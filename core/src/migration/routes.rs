//! From virtual hosts to HTTPRoutes.

use std::collections::BTreeSet;

use gloo::config::{Match, Route, VirtualHost};
use gloo::{ObjectRef, Translation};
use serde_json::{Map, Value, json};

use super::backends::{Backends, label};
use super::conditions;
use super::delegation::Delegation;
use super::fields::{self, Lack, Scan};
use super::grants::grants;
use super::holding::{Holding, push};
use super::hostnames::hostnames;
use super::not_carried::{Cause, NotCarried};
use super::rules;
use super::source::Sources;
use super::target::Target;
use super::unsaid::Unsaid;
use crate::labels::DELEGATION_LABEL;
use crate::render::gateway_api::split;

/// The most rules that are written to keep requests from rules with a longer path.
const MOST_OVERLAPS: usize = 400;

/// What is written.
pub(super) struct Written {
    pub(super) objects: Vec<Value>,
    pub(super) not_carried: Vec<NotCarried>,
    pub(super) notes: Vec<String>,
}

/// Writes Services, ReferenceGrants and HTTPRoutes.
pub(super) fn write(
    sources: &Sources,
    target: &Target,
    translation: &Translation,
    scan: &Scan,
    delegation: &Delegation,
) -> Written {
    let mut writer = Writer {
        sources,
        target,
        scan,
        delegation,
        backends: Backends::new(sources, translation),
        names: BTreeSet::new(),
        routes: Vec::new(),
        not_carried: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(desired) = translation.desired.iter().find(|desired| !desired.tls) {
        desired.virtual_hosts.iter().for_each(|host| writer.virtual_host(host));
    }
    writer.finish()
}

struct Writer<'a> {
    sources: &'a Sources,
    target: &'a Target,
    scan: &'a Scan,
    delegation: &'a Delegation,
    backends: Backends<'a>,
    names: BTreeSet<(String, String)>,
    routes: Vec<Value>,
    not_carried: Vec<NotCarried>,
    notes: Vec<String>,
}

impl Writer<'_> {
    fn virtual_host(&mut self, host: &VirtualHost) {
        let hostnames = match hostnames(&host.domains) {
            Ok(hostnames) => hostnames,
            Err(domain) => {
                let why = format!("no hostname can be {domain:?}: nothing of it is written");
                let lack = Lack::new(Cause::Route, why, "name the hosts one by one");
                let field = ["spec", "virtualHost", "domains"];
                self.not_carried.push(fields::of_field(self.sources, &host.holder, &field, lack));
                return;
            }
        };
        let mut holdings: Vec<Holding> = Vec::new();
        let mut taken: Vec<&Route> = Vec::new();
        let mut overlaps = 0;
        for (index, route) in host.routes.iter().enumerate() {
            if let Some(earlier) =
                taken.iter().find(|it| conditions::covers(&it.matcher, &route.matcher))
            {
                self.notes.push(format!(
                    "{}: a route for {} gets no request, because one of {} before it takes them all; it is not written",
                    route.holder,
                    path(&route.matcher),
                    earlier.holder
                ));
                continue;
            }
            taken.push(route);
            self.rule(host, route, &route.matcher, &mut holdings);
            for later in &host.routes[index + 1..] {
                let Some(both) = conditions::overlap(&route.matcher, &later.matcher) else {
                    continue;
                };
                let is_taken = taken
                    .iter()
                    .any(|it| !std::ptr::eq(*it, route) && conditions::covers(&it.matcher, &both));
                if is_taken || overlaps == MOST_OVERLAPS {
                    continue;
                }
                overlaps += 1;
                self.rule(host, route, &both, &mut holdings);
            }
        }
        // A parent of routes that are not there would take requests for them.
        let has_children = holdings.iter().any(|it| self.delegation.label(&it.object).is_some());
        let parents = self.delegation.rules(&host.holder);
        if has_children && !parents.is_empty() && !self.scan.blocks(&host.holder) {
            self.holding(&host.holder, &mut holdings).extend(parents);
        }
        holdings.into_iter().for_each(|holding| self.http_routes(host, &hostnames, holding));
    }

    fn rule(
        &mut self,
        host: &VirtualHost,
        route: &Route,
        matcher: &Match,
        holdings: &mut Vec<Holding>,
    ) {
        if self.scan.blocks(&host.holder) || self.scan.blocks(&route.holder) {
            return;
        }
        let namespace = &route.holder.namespace;
        let rule = match rules::rule(route, host, matcher, namespace, &mut self.backends) {
            Ok(rule) => rule,
            Err(Unsaid::Elsewhere(mut lack)) => {
                // Of what is not there the route is shown that names it.
                let of_route =
                    || fields::of_route(self.sources, route, Lack::new(lack.code, "", ""));
                lack.at = lack.at.take().or_else(|| of_route().at);
                self.not_carried.push(*lack);
                return;
            }
            Err(Unsaid::Route { words, next }) => {
                let lack = Unsaid::lack(&words, next);
                self.not_carried.push(fields::of_route(self.sources, route, lack));
                return;
            }
        };
        push(self.holding(&route.holder, holdings), rule);
    }

    /// The rules of an object, none at first.
    fn holding<'h>(
        &self,
        object: &ObjectRef,
        holdings: &'h mut Vec<Holding>,
    ) -> &'h mut Vec<Map<String, Value>> {
        let known = holdings.iter().position(|it| it.object == *object);
        let index = known.unwrap_or_else(|| {
            holdings.push(Holding { object: object.clone(), rules: Vec::new() });
            holdings.len() - 1
        });
        &mut holdings[index].rules
    }

    fn http_routes(&mut self, host: &VirtualHost, hostnames: &[String], holding: Holding) {
        let namespace = holding.object.namespace.as_str();
        let rules = holding.rules.into_iter().map(Value::Object).collect();
        for (index, rules) in split(rules).into_iter().enumerate() {
            let mut name = holding.object.name.clone();
            if self.names.contains(&(namespace.to_owned(), name.clone())) && index == 0 {
                name = label(&format!("{name}-{}", host.holder.name));
            }
            let mut attempt = index + 1;
            while !self.names.insert((namespace.to_owned(), numbered(&name, attempt))) {
                attempt += 1;
            }
            let mut metadata = json!({"namespace": namespace, "name": numbered(&name, attempt)});
            let mut spec = json!({"rules": rules});
            match self.delegation.label(&holding.object) {
                // It has the Gateway and the hosts of the parent that selects it.
                Some(value) => metadata["labels"] = json!({DELEGATION_LABEL: value}),
                None => {
                    spec["parentRefs"] = json!([self.target.parent()]);
                    if !hostnames.is_empty() {
                        spec["hostnames"] = hostnames.into();
                    }
                }
            }
            self.routes.push(json!({
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": metadata,
                "spec": spec,
            }));
        }
    }

    fn finish(mut self) -> Written {
        let channel = self.target.environment().channel;
        let refused = |route: &Value| gateway_api::admit(route, channel, true).err();
        for (route, violations) in
            self.routes.iter().filter_map(|route| Some((route, refused(route)?)))
        {
            let words: Vec<String> = violations.iter().map(ToString::to_string).collect();
            let name = &route["metadata"];
            self.not_carried.push(NotCarried {
                at: None,
                object: format!("HTTPRoute {}/{}", text(&name["namespace"]), text(&name["name"])),
                field: String::new(),
                code: Cause::Refused,
                why: format!("the API server would refuse it: {}", words.join("; ")),
                next: "change the object that it comes from, or write it by hand".to_owned(),
                accepted: false,
            });
        }
        self.routes.retain(|route| refused(route).is_none());
        let grants = grants(&self.routes);
        let mut objects = self.backends.into_services();
        objects.extend(grants);
        objects.append(&mut self.routes);
        Written { objects, not_carried: self.not_carried, notes: self.notes }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn path(matcher: &Match) -> &str {
    matcher.path.as_ref().map_or("no path", gloo::config::PathMatch::text)
}

fn numbered(name: &str, number: usize) -> String {
    if number == 1 { name.to_owned() } else { format!("{name}-{number}") }
}
