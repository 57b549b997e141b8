//! From Gloo's objects to coalmine's values.
//!
//! What the values render is what is proven: nothing is said of a file that was not read by the reader of values.

mod deployment;
mod draft;
mod options;
mod route;

use std::collections::{BTreeMap, BTreeSet};

use gloo::config::{Route, VirtualHost};
use gloo::{ObjectRef, Translation};
use serde_json::{Map, Value, json};

use super::backends::Upstream;
use super::conditions;
use super::delegation::{self, Delegation};
use super::fields::{self, Lack, Scan};
use super::hostnames::hostnames;
use super::not_carried::{Cause, NotCarried};
use super::pods::Pods;
use super::source::Sources;
use super::target::Target;
use super::unsaid::Unsaid;
use crate::kind::Kind;
use crate::object::object;
use crate::proposal::Expected;
use crate::tree::Tree;
use draft::{Attached, Draft};

/// What values are made of.
pub(super) struct World<'a> {
    pub(super) sources: &'a Sources,
    pub(super) target: &'a Target,
    pub(super) scan: &'a Scan,
    pub(super) pods: &'a Pods,
    /// The Upstreams of Services, by the names of their clusters.
    pub(super) upstreams: BTreeMap<String, Upstream<'a>>,
}

/// What is written.
#[derive(Default)]
pub(super) struct Written {
    /// The files of the repository.
    pub(super) files: BTreeMap<String, Value>,
    /// What they render, as far as requests go.
    pub(super) objects: Vec<Value>,
    pub(super) not_carried: Vec<NotCarried>,
    pub(super) notes: Vec<String>,
}

/// Writes a repository of values.
pub(super) fn write(
    world: &World<'_>,
    translation: &Translation,
    delegation: &Delegation,
) -> Written {
    let mut written = Written::default();
    written.files.insert("coalmine.yaml".to_owned(), settings(world.target));
    let drafts = drafts(world, translation, delegation, &mut written);
    let mut holders: BTreeMap<String, ObjectRef> = BTreeMap::new();
    for draft in drafts {
        let file = format!("services/{}.yaml", draft.service.name);
        let values = match written.files.contains_key(&file) {
            true => Err(Unsaid::new(
                format!(
                    "the values of {} are written already, for other hosts",
                    draft.service.name
                ),
                "write the routes of one of the two by hand, with --to gateway-api",
            )),
            false => draft.values(world),
        };
        match values {
            Ok(values) => {
                holders.insert(file.clone(), draft.holder.clone());
                written.files.insert(file, values);
            }
            Err(unsaid) => {
                written.not_carried.push(of_object(world.sources, &draft.holder, unsaid))
            }
        }
    }
    deployment::fill(world, &mut written);
    render(world, &holders, &mut written);
    written
}

/// `coalmine.yaml`: who serves the routes.
fn settings(target: &Target) -> Value {
    json!({"gateway": {
        "api": "gateway-api",
        "profile": target.profile.as_str(),
        "gateways": [target.named()],
    }})
}

/// The routes, by the Service that they lead to and the object that holds them. Parents are written at once.
fn drafts(
    world: &World<'_>,
    translation: &Translation,
    delegation: &Delegation,
    written: &mut Written,
) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut labels: BTreeMap<String, ObjectRef> = BTreeMap::new();
    let desired = translation.desired.iter().find(|desired| !desired.tls);
    for host in desired.into_iter().flat_map(|desired| &desired.virtual_hosts) {
        let routes = readable(world, translation, host, written);
        let services: BTreeSet<&ObjectRef> = routes.iter().map(|(_, read)| &read.service).collect();
        // A host belongs to one service, unless something above the services has it.
        let is_shared = services.len() > 1;
        let own = own_label(&host.holder, &mut labels);
        let mut parents: Vec<Map<String, Value>> = Vec::new();
        for (route, read) in routes {
            let selected = delegation.label(&route.holder);
            let has_parent = world.target.profile.delegates();
            let is_any = host.domains.iter().any(|domain| domain == "*");
            let attached = match selected {
                Some(label) => Attached::ApiGroup(label.to_owned()),
                None if is_shared && (has_parent || is_any) => Attached::ApiGroup(own.clone()),
                None => Attached::Domains(host.domains.clone()),
            };
            if has_parent && matches!(attached, Attached::ApiGroup(_)) {
                let rules = match selected {
                    Some(_) => delegation.rules(&host.holder),
                    None => vec![delegation::parent(&["/"], &own, &["*"])],
                };
                let more: Vec<_> = rules.into_iter().filter(|it| !parents.contains(it)).collect();
                parents.extend(more);
            }
            let is_same = |it: &&mut Draft| {
                it.service == read.service && it.holder == *route.holder && it.attached == attached
            };
            match drafts.iter_mut().find(is_same) {
                Some(draft) => draft.routes.push(read),
                None => drafts.push(Draft {
                    service: read.service.clone(),
                    holder: ObjectRef::clone(&route.holder),
                    attached,
                    routes: vec![read],
                }),
            }
        }
        if !parents.is_empty() {
            parent(world, &host.holder, &host.domains, parents, written);
        }
    }
    drafts
}

/// A label for the routes of a VirtualService: its name, or with its namespace where another has that.
fn own_label(holder: &ObjectRef, labels: &mut BTreeMap<String, ObjectRef>) -> String {
    let known = labels.entry(holder.name.clone()).or_insert_with(|| holder.clone());
    match *known == *holder {
        true => holder.name.clone(),
        false => format!("{}-{}", holder.namespace, holder.name),
    }
}

/// The routes of a host that values can say, without those that get no request.
fn readable<'a>(
    world: &World<'_>,
    translation: &Translation,
    host: &'a VirtualHost,
    written: &mut Written,
) -> Vec<(&'a Route, route::Read)> {
    let mut taken: Vec<&Route> = Vec::new();
    let mut readable = Vec::new();
    for route in &host.routes {
        if taken.iter().any(|it| conditions::covers(&it.matcher, &route.matcher)) {
            written.notes.push(format!(
                "{}: a route gets no request, because others before it take them all; it is not written",
                route.holder
            ));
            continue;
        }
        taken.push(route);
        if world.scan.blocks(&host.holder) || world.scan.blocks(&route.holder) {
            continue;
        }
        match route::read(world, translation, route, host) {
            Ok(read) => readable.push((route, read)),
            Err(Unsaid::Elsewhere(lack)) => written.not_carried.push(*lack),
            Err(Unsaid::Route { words, next }) => {
                let lack = Lack::new(Cause::Route, format!("{words}: no values say it"), next);
                written.not_carried.push(fields::of_route(world.sources, route, lack));
            }
        }
    }
    readable
}

/// The HTTPRoute that selects the services' routes, for `platform/`.
fn parent(
    world: &World<'_>,
    holder: &ObjectRef,
    domains: &[String],
    rules: Vec<Map<String, Value>>,
    written: &mut Written,
) {
    let rules: Vec<Value> = rules.into_iter().map(Value::Object).collect();
    let mut spec = json!({"parentRefs": [world.target.parent()], "rules": rules});
    match hostnames(domains) {
        Ok(hostnames) if hostnames.is_empty() => {}
        Ok(hostnames) => spec["hostnames"] = hostnames.into(),
        Err(domain) => {
            let why = format!("no hostname can be {domain:?}: nothing of it is written");
            let lack = Lack::new(Cause::Route, why, "name the hosts one by one");
            let field = ["spec", "virtualHost", "domains"];
            written.not_carried.push(fields::of_field(world.sources, holder, &field, lack));
            return;
        }
    }
    let route = object(Kind::HttpRoute, &holder.namespace, &holder.name, spec);
    let file = format!("platform/{}-{}.yaml", holder.namespace, holder.name);
    written.files.insert(file, route);
}

fn of_object(sources: &Sources, object: &ObjectRef, unsaid: Unsaid) -> NotCarried {
    match unsaid {
        Unsaid::Elsewhere(lack) => *lack,
        Unsaid::Route { words, next } => {
            let lack =
                Lack::new(Cause::Route, format!("{words}: no values are written for it"), next);
            fields::of_field(sources, object, &["spec"], lack)
        }
    }
}

/// The files as the daemon reads them.
fn tree(files: &BTreeMap<String, Value>) -> Tree {
    // JSON is YAML too.
    let files = files.iter().map(|(path, value)| (path.clone(), value.to_string().as_str().into()));
    Tree { revision: "migration".to_owned(), files: files.collect() }
}

/// Renders the files. Those with mistakes are left out and named.
fn render(world: &World<'_>, holders: &BTreeMap<String, ObjectRef>, written: &mut Written) {
    let expected = loop {
        let expected = Expected::of(&tree(&written.files));
        let repository = &expected.repository;
        let services = repository.services.values().filter_map(|it| it.as_ref().err()).flatten();
        let problems = repository.problems.iter().chain(&repository.platform.problems);
        let mut removed = false;
        for problem in services.chain(problems) {
            let file = problem.at.file.to_string();
            let key = if problem.key.is_empty() { "" } else { ": " };
            let words = format!("{}{key}{}", problem.key, problem.message);
            let next = problem.help.clone().unwrap_or_else(|| "write it by hand".to_owned());
            let object = holders.get(&file).cloned();
            let lack = Lack::new(Cause::Refused, format!("values cannot say it: {words}"), next);
            written.not_carried.push(match object {
                Some(object) => fields::of_field(world.sources, &object, &["spec"], lack),
                None => NotCarried {
                    at: None,
                    object: file.clone(),
                    field: problem.key.clone(),
                    code: lack.code,
                    why: lack.why,
                    next: lack.next,
                    accepted: false,
                },
            });
            removed |= written.files.remove(&file).is_some();
        }
        if !removed {
            break expected;
        }
    };
    let jobs = expected.names().filter_map(|name| expected.job(name));
    let manifests = jobs.flat_map(|job| job.desired.manifests());
    let is_routing = |kind: &str| matches!(kind, "HTTPRoute" | "Service");
    let routing = manifests.filter(|it| is_routing(&it.id().kind));
    written.objects.extend(routing.map(|it| it.object().clone()));
}
