//! Judges a service by the policy of its folder.

use serde_json::{Map, Value};

use super::entry::{self, Entry, Found};
use super::{paths, pattern, pods, references};
use crate::domain;
use crate::object::Manifest;
use crate::problem::{Location, Problem};
use crate::render::{DEFAULT_INSTANCE, Owner, render};
use crate::traffic::Traffic;
use crate::values::{
    Binding, Deployment, Listed, PathMatch, Places, Service, Settings, Version, Workload,
};

/// The namespaces of Kubernetes itself.
const OF_KUBERNETES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// What the settings do not allow the service, each with the line of the service's file, and in the message that of
/// the policy. What they give it is entered.
pub(super) fn judge(settings: &Settings, service: &mut Service, places: &Places) -> Vec<Problem> {
    let file = service.file.clone();
    let entry = match entry::of(&settings.folders, &file) {
        Found::Free => None,
        Found::Entry(entry) => Some(entry),
        Found::Nothing(folder) => return vec![no_entry(settings, folder, places)],
    };
    let mut problems: Vec<Problem> =
        reserved_namespace(settings, service, places, entry.as_ref()).into_iter().collect();
    if let Some(entry) = entry {
        let judge = Judge { entry: &entry, service, places };
        problems.extend(judge.problems());
        let account = entry.policy.service_account_name.as_deref();
        service.grants.service_account = account.map(|account| entry.resolved(account));
        service.grants.carve_outs = true;
    }
    problems
}

/// The problem that others have policies and this folder has none.
fn no_entry(settings: &Settings, folder: &str, places: &Places) -> Problem {
    let first = settings.folders.first().map(|policy| &policy.at);
    let place = first.map(|at| format!(" since {}:{}", at.file, at.line)).unwrap_or_default();
    let message = format!(
        "folders have policies{place}, and services/{folder} has none, so that nothing is allowed in it"
    );
    Problem::new(&places.of(&[]), "", message).help(format!(
        "ask the platform team for an entry `folders.{folder}` in coalmine.yaml, or move the file to its folder"
    ))
}

/// The problem that the namespace is Kubernetes' own, Gloo's or the daemon's.
fn reserved_namespace(
    settings: &Settings,
    service: &Service,
    places: &Places,
    entry: Option<&Entry<'_>>,
) -> Option<Problem> {
    let namespace = service.namespace.as_str();
    let whose = if OF_KUBERNETES.contains(&namespace) {
        "Kubernetes' own"
    } else if namespace == settings.gloo_namespace {
        "Gloo's"
    } else if namespace == settings.daemon_namespace {
        "the daemon's"
    } else {
        return None;
    };
    if entry.is_some_and(|entry| entry.names(&entry.policy.namespaces, namespace)) {
        return None;
    }
    let folder = entry.map(|entry| entry.policy.folder.as_str());
    let folder = folder.or_else(|| crate::values::folder_of(&service.file)).unwrap_or(".");
    let message =
        format!("the namespace {namespace} is {whose}, and no service's unless it is named");
    Some(Problem::new(&places.of(&["namespace"]), "namespace", message).help(format!(
        "choose another namespace, or let the platform team write it without wildcards into \
         `folders.{folder}.namespaces` of coalmine.yaml"
    )))
}

struct Judge<'a> {
    entry: &'a Entry<'a>,
    service: &'a Service,
    places: &'a Places,
}

/// The keys of an entry by which a message names it.
type Keys<'a> = &'a [&'a str];

impl Judge<'_> {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.namespace(&mut problems);
        self.binding(&mut problems);
        self.options(&mut problems);
        self.upstream(&mut problems);
        self.adopt(&mut problems);
        self.gateway(&mut problems);
        self.jwt(&mut problems);
        self.webhooks(&mut problems);
        let owner = Owner { instance: DEFAULT_INSTANCE.into(), revision: String::new() };
        let rendered = render(self.service, &Traffic::of(self.service), &owner);
        let mut deployments = rendered.deployments.iter();
        for (version, workload) in &self.service.versions {
            match workload {
                Workload::External => {}
                Workload::Upstream(upstream) => {
                    let keys = ["deployment", version.as_str(), "external", "upstream"];
                    let (namespace, name) = (&upstream.namespace, &upstream.name);
                    problems.extend(self.upstream_of_others(&keys, namespace, name));
                }
                Workload::Deployed(deployment) => {
                    self.patch(version, &mut problems);
                    if let Some(manifest) = deployments.next() {
                        self.pods(version, deployment, manifest, &mut problems);
                    }
                }
            }
        }
        problems
    }

    /// The problem that something is not in a list of the policy.
    fn denied(&self, keys: Keys<'_>, what: &str, name: &str, list: &Listed) -> Problem {
        self.denied_at(&self.places.of(keys), &dotted(keys), what, name, list)
    }

    fn denied_at(
        &self,
        at: &Location,
        key: &str,
        what: &str,
        name: &str,
        list: &Listed,
    ) -> Problem {
        let shown = self.entry.shown(list);
        let allowed = if shown.is_empty() { "none".to_owned() } else { shown };
        let Location { file, line, .. } = &list.at;
        let folder = &self.entry.policy.folder;
        let message = format!("{what} is not allowed here, {file}:{line} allows {allowed}");
        Problem::new(at, key, message).help(format!(
            "stay within that, or ask the platform team for it in `folders.{folder}.{name}` of coalmine.yaml"
        ))
    }

    fn namespace(&self, problems: &mut Vec<Problem>) {
        let (namespace, list) = (&self.service.namespace, &self.entry.policy.namespaces);
        if !self.entry.lists(list, namespace) {
            let what = format!("the namespace {namespace}");
            problems.push(self.denied(&["namespace"], &what, "namespaces", list));
        }
    }

    /// Whether the value of these keys comes from `coalmine.yaml`, and so is the platform team's own.
    fn is_default(&self, keys: Keys<'_>) -> bool {
        self.places.json(keys).is_some() && !self.places.is_own(keys)
    }

    fn binding(&self, problems: &mut Vec<Problem>) {
        let policy = self.entry.policy;
        match &self.service.routes.binding {
            Binding::ApiGroup(group) => {
                let keys = ["routes", "apiGroup"];
                if !self.is_default(&keys) && !self.entry.lists(&policy.api_groups, group) {
                    let what = format!("the apiGroup {group}");
                    problems.push(self.denied(&keys, &what, "apiGroups", &policy.api_groups));
                }
                if !self.is_default(&["routes", "paths"]) {
                    self.paths(problems);
                }
            }
            // Its paths meet nobody else's: a domain belongs to one service.
            Binding::Domains(_) if self.is_default(&["routes", "domains"]) => {}
            Binding::Domains(domains) => {
                let patterns = &policy.domains.items;
                let patterns: Vec<_> = patterns.iter().map(|it| self.entry.resolved(it)).collect();
                for (index, domain) in domains.iter().enumerate() {
                    if !patterns.iter().any(|pattern| domain::covers(pattern, domain)) {
                        let keys = ["routes", "domains", &index.to_string()];
                        let what = format!("the domain {domain}");
                        problems.push(self.denied(&keys, &what, "domains", &policy.domains));
                    }
                }
            }
        }
    }

    fn paths(&self, problems: &mut Vec<Problem>) {
        let list = &self.entry.policy.paths;
        let prefixes: Vec<_> = list.items.iter().map(|item| self.entry.resolved(item)).collect();
        for PathMatch { path, .. } in &self.service.routes.paths {
            if prefixes.iter().any(|prefix| paths::covers(prefix, path)) {
                continue;
            }
            let mut keys = self.places.path(path);
            keys.push(path.kind().to_owned());
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let what = format!("the {} path {:?}", path.kind(), path.text());
            problems.push(self.denied(&keys, &what, "paths", list));
        }
    }

    fn options(&self, problems: &mut Vec<Problem>) {
        let routes = &self.service.routes;
        self.passed(&["routes", "options"], &routes.options, problems);
        for path in &routes.paths {
            let mut keys = self.places.path(&path.path);
            keys.push("options".to_owned());
            let own: Vec<&str> = keys.iter().map(String::as_str).collect();
            self.passed(&own, &path.options, problems);
            let Some(rest) = &path.rest else { continue };
            let list = &self.entry.policy.options;
            keys.pop();
            keys.push("rest".to_owned());
            let own: Vec<&str> = keys.iter().map(String::as_str).collect();
            if self.is_default(&own) {
                continue;
            }
            if !self.entry.lists(list, "rest") {
                problems.push(self.denied(&own, "`rest`", "options", list));
            }
            self.references(&own, &Value::Object(rest.clone()), problems);
        }
    }

    /// Route options that the service's own file sets.
    fn passed(&self, keys: Keys<'_>, options: &Map<String, Value>, problems: &mut Vec<Problem>) {
        let list = &self.entry.policy.options;
        for (name, value) in options {
            let keys = [keys, &[name]].concat();
            if self.is_default(&keys) {
                continue;
            }
            if !self.entry.lists(list, name) {
                let what = format!("the route option {name:?}");
                problems.push(self.denied(&keys, &what, "options", list));
            } else {
                self.references(&keys, value, problems);
            }
        }
    }

    fn upstream(&self, problems: &mut Vec<Problem>) {
        let list = &self.entry.policy.upstream_options;
        for (name, value) in &self.service.upstream {
            let keys = ["upstream", name];
            if self.is_default(&keys) {
                continue;
            }
            if !self.entry.lists(list, name) {
                let what = format!("the field {name:?} of an Upstream");
                problems.push(self.denied(&keys, &what, "upstreamOptions", list));
            } else {
                self.references(&keys, value, problems);
            }
        }
    }

    /// Objects of other namespaces, and Upstreams of others, that a value names.
    fn references(&self, keys: Keys<'_>, value: &Value, problems: &mut Vec<Problem>) {
        for reference in references::of(value) {
            let below: Vec<&str> = reference.keys.iter().map(String::as_str).collect();
            let keys = [keys, &below].concat();
            let names_upstream =
                keys.iter().any(|key| key.to_ascii_lowercase().contains("upstream"));
            let is_near = reference.namespace == self.service.namespace && !names_upstream;
            if !is_near {
                let (namespace, name) = (&reference.namespace, &reference.name);
                problems.extend(self.upstream_of_others(&keys, namespace, name));
            }
        }
    }

    /// The problem of an Upstream, or another object, that is not the service's own.
    fn upstream_of_others(&self, keys: Keys<'_>, namespace: &str, name: &str) -> Option<Problem> {
        let own = self.service.versions.keys().any(|it| self.service.version_name(it) == name)
            || name == self.service.name.as_str();
        let is_made = self.service.versions.values().any(|it| !matches!(it, Workload::Upstream(_)));
        if own && is_made && namespace == self.service.namespace {
            return None;
        }
        let list = &self.entry.policy.upstreams;
        let full = format!("{namespace}/{name}");
        let is_listed = self.lists_object(list, namespace, name);
        (!is_listed).then(|| self.denied(keys, &format!("{full} of others"), "upstreams", list))
    }

    fn adopt(&self, problems: &mut Vec<Problem>) {
        let policy = self.entry.policy;
        if self.service.adopt && !policy.adopt {
            let list = Listed { items: Vec::new(), at: policy.at.clone() };
            let what = "`adopt: true`, which takes over objects of others,";
            problems.push(self.denied(&["adopt"], what, "adopt", &list));
        }
    }

    /// Which Gateways serve a folder, and by which API, is the platform team's: a Gateway has other teams' requests too.
    /// A folder with a list of some chooses among these.
    fn gateway(&self, problems: &mut Vec<Problem>) {
        let keys = ["routes", "gateway"];
        let list = &self.entry.policy.gateways;
        if !self.places.is_own(&keys) {
            return;
        }
        if list.items.is_empty() {
            let Location { file, line, .. } = &list.at;
            let folder = &self.entry.policy.folder;
            let message =
                format!("is not allowed here, {file}:{line} allows no gateway of a service's own");
            let help = format!(
                "remove it, `gateway` of coalmine.yaml says it for all; or ask the platform team for \
                 `folders.{folder}.gateways` there"
            );
            problems.push(Problem::new(&self.places.of(&keys), dotted(&keys), message).help(help));
            return;
        }
        // Those of coalmine.yaml are the platform team's own.
        if !self.places.is_own(&["routes", "gateway", "gateways"]) {
            return;
        }
        let api = self.service.routes.gateway.gateway_api();
        for (index, gateway) in api.into_iter().flat_map(|api| &api.gateways).enumerate() {
            let namespace = gateway.namespace.as_deref().unwrap_or(&self.service.namespace);
            if !self.lists_object(list, namespace, &gateway.name) {
                let keys = ["routes", "gateway", "gateways", &index.to_string()];
                let what = format!("the Gateway {namespace}/{}", gateway.name);
                problems.push(self.denied(&keys, &what, "gateways", list));
            }
        }
    }

    /// Whether an item `namespace/name` of the list matches the object; a `*` in it stands for no slash.
    fn lists_object(&self, list: &Listed, namespace: &str, name: &str) -> bool {
        list.items.iter().any(|item| {
            let item = self.entry.resolved(item);
            let Some((of, called)) = item.split_once('/') else { return false };
            pattern::matches(of, namespace) && pattern::matches(called, name)
        })
    }

    /// A policy for a rule takes the place of one that the platform has for the whole Gateway.
    fn jwt(&self, problems: &mut Vec<Problem>) {
        let (keys, list) = (["routes", "canary", "jwt"], &self.entry.policy.options);
        if self.service.has_token() && !self.is_default(&keys) && !self.entry.lists(list, "jwt") {
            problems.push(self.denied(&keys, "`jwt`", "options", list));
        }
    }

    /// The daemon calls a webhook from where it runs, and may reach there what a team does not.
    fn webhooks(&self, problems: &mut Vec<Problem>) {
        let list = &self.entry.policy.webhooks;
        let is_listed = |host: &str| {
            let host = host.to_ascii_lowercase();
            list.items.iter().any(|item| {
                pattern::matches(&self.entry.resolved(item).to_ascii_lowercase(), &host)
            })
        };
        let tests = self.service.autopilot.iter().flat_map(|autopilot| &autopilot.tests);
        for (name, test) in tests {
            let keys = ["autopilot", "tests", name, "webhook"];
            if let Some(host) = test.host()
                && !self.is_default(&keys)
                && !is_listed(host)
            {
                problems.push(self.denied(&keys, &format!("the host {host}"), "webhooks", list));
            }
        }
    }

    fn patch(&self, version: &Version, problems: &mut Vec<Problem>) {
        let list = &self.entry.policy.patch;
        let keys = ["deployment", version.as_str(), "patch"];
        let allowed = |pointer: &str| {
            list.items.iter().any(|item| {
                pointer
                    .strip_prefix(&self.entry.resolved(item))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        for (pointer, at) in self.places.own_leaves(&keys) {
            if !allowed(&pointer) {
                let key = format!("{}{}", dotted(&keys), pointer.replace('/', "."));
                let what = format!("a patch of {pointer:?}");
                problems.push(self.denied_at(&at, &key, &what, "patch", list));
            }
        }
    }

    fn pods(
        &self,
        version: &Version,
        deployment: &Deployment,
        manifest: &Manifest,
        problems: &mut Vec<Problem>,
    ) {
        let policy = self.entry.policy;
        let template = &manifest.object()["spec"]["template"];
        let version = version.as_str();
        let account_key = ["deployment", version, "serviceAccountName"];
        for field in ["serviceAccountName", "serviceAccount"] {
            let account = match &template["spec"][field] {
                Value::Null => continue,
                Value::String(account) => account.clone(),
                other => other.to_string(),
            };
            let default = deployment.service_account_name.as_ref() == Some(&account)
                && self.is_default(&account_key);
            let list = &policy.pod_service_accounts;
            if ["", "default"].contains(&account.as_str())
                || default
                || self.entry.lists(list, &account)
            {
                continue;
            }
            let patched = ["deployment", version, "patch", "spec", "template", "spec", field];
            let keys: Keys<'_> =
                if self.places.json(&patched).is_some() { &patched } else { &account_key };
            let what = format!("the service account {account} for pods");
            problems.push(self.denied(keys, &what, "podServiceAccounts", list));
        }
        let Location { file, line, .. } = &policy.pod_security_at;
        let standard = policy.pod_security;
        for violation in pods::violations(template, standard) {
            let keys = self.place_of(version, &violation.field);
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let message = format!(
                "{} of the pods does not meet the Pod Security Standard {} of {file}:{line}, which allows {}",
                violation.field,
                standard.name(),
                violation.allowed
            );
            let folder = &policy.folder;
            problems.push(Problem::new(&self.places.of(&keys), dotted(&keys), message).help(format!(
                "set it by `securityContext` or `podSecurityContext`, or ask the platform team for another \
                 `folders.{folder}.podSecurity` in coalmine.yaml"
            )));
        }
    }

    /// The keys that most likely set a field of the pod template.
    fn place_of(&self, version: &str, field: &str) -> Vec<String> {
        let base = ["deployment".to_owned(), version.to_owned()];
        let field: Vec<String> =
            field.replace('[', ".").replace(']', "").split('.').map(str::to_owned).collect();
        let patched = ["patch", "spec", "template"].map(str::to_owned);
        let patched = [&base[..], &patched, &field].concat();
        let in_container = field.get(1).is_some_and(|list| list == "containers");
        let of_context = |key: &str, rest: &[String]| [&base[..], &[key.to_owned()], rest].concat();
        let own = match in_container {
            true if field.get(3).is_some_and(|key| key == "securityContext") => {
                of_context("securityContext", &field[4..])
            }
            false if field.get(1).is_some_and(|key| key == "securityContext") => {
                of_context("podSecurityContext", &field[2..])
            }
            _ => base.to_vec(),
        };
        let is_there = |keys: &[String]| {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            self.places.json(&keys).is_some()
        };
        let until = |keys: &[String]| {
            let mut keys = keys.to_vec();
            while !is_there(&keys) && keys.len() > 2 {
                keys.pop();
            }
            keys
        };
        let (patched, own) = (until(&patched), until(&own));
        if patched.len() > 5 && patched.len() - 5 >= own.len().saturating_sub(3) {
            patched
        } else {
            own
        }
    }
}

/// The keys as messages name them.
fn dotted(keys: Keys<'_>) -> String {
    let mut dotted = String::new();
    for key in keys {
        let is_index = key.bytes().all(|byte| byte.is_ascii_digit());
        let is_list = ["paths", "domains", "gateways"].iter().any(|list| dotted.ends_with(list));
        if is_index && is_list {
            dotted += &format!("[{key}]");
            continue;
        }
        if !dotted.is_empty() {
            dotted.push('.');
        }
        dotted += key;
    }
    dotted
}
