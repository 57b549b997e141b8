//! Follows delegation from a VirtualService through RouteTables to the routes it ends in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::child::{self, Head, Parent};
use super::findings::{Finding, Remark};
use super::mistake::Mistake;
use super::proxy::{ProxyAction, ProxyRoute};
use super::reports::Reports;
use super::view::View;
use super::{selector, sort, unmodelled};
use crate::api::{
    Action, DelegateAction, Matcher, ObjectRef, ResourceRef, Route, RouteAction, RouteOptions,
};
use crate::code::Code;
use crate::snapshot::Known;

/// Resolves one VirtualService.
pub(super) struct Resolver<'a> {
    pub(super) view: &'a View,
    /// The VirtualService: it is told of everything wrong below it.
    pub(super) root: Arc<ObjectRef>,
    /// Names of Gateway and proxy, for the names of routes.
    pub(super) gateway: (&'a str, &'a str),
    pub(super) reports: &'a mut Reports,
}

impl Resolver<'_> {
    /// The routes of the VirtualService, in order.
    pub(super) fn resolve(&mut self, routes: &[Route]) -> Vec<ProxyRoute> {
        let root = Arc::clone(&self.root);
        self.visit(&root, routes, None, &[])
    }

    fn visit(
        &mut self,
        holder: &Arc<ObjectRef>,
        routes: &[Route],
        parent: Option<&Parent>,
        path: &[Arc<ResourceRef>],
    ) -> Vec<ProxyRoute> {
        let mut found = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let named = !route.name.is_empty() || parent.is_some_and(|parent| parent.named);
            for words in unmodelled::of_route(route) {
                self.reports.note(holder, words);
            }
            let options = self.options(holder, route);
            let head = match child::join(route, options, parent) {
                Ok(head) => head,
                Err(mistake) => {
                    self.warning(holder, mistake);
                    continue;
                }
            };
            match route.action() {
                Some(Action::Delegate(action)) => {
                    let name = self.route_name(holder, route, parent, index);
                    let Some(next) = self.parent_of_tables(holder, head, name, named) else {
                        continue;
                    };
                    found.extend(self.delegate(holder, action, &next, path));
                }
                action => match simple(action, &holder.namespace) {
                    Some(action) => found.push(ProxyRoute {
                        holder: Arc::clone(holder),
                        name: if named {
                            self.route_name(holder, route, parent, index)
                        } else {
                            String::new()
                        },
                        matchers: matchers_or_all(head.matchers),
                        options: head.options,
                        action,
                    }),
                    None => self.error(
                        holder,
                        Mistake::new(Code::NoAction, "invalid route: route must specify an action"),
                    ),
                },
            }
        }
        found
    }

    /// The route's own options, and where they say nothing those that it refers to (gloo-conformance
    /// case 21-route-option-errors).
    fn options(&mut self, holder: &Arc<ObjectRef>, route: &Route) -> Option<Box<RouteOptions>> {
        let mut options = route.options.clone();
        let references = route.options_config_refs.iter().flat_map(|refs| &refs.delegate_options);
        for reference in references {
            match self.view.route_options.get(reference) {
                Some(shared) => options.get_or_insert_default().inherit(&shared.spec.options),
                None if self.view.known.tells("RouteOption", reference) => {
                    let words = format!("list did not find routeOption {}", reference.key());
                    self.warning(holder, Mistake::new(Code::MissingOption, words));
                }
                None => self.reports.note(holder, Remark::not_read("RouteOption", reference)),
            }
        }
        options
    }

    /// What a delegating route hands down; `None` if its matchers do not allow delegation.
    fn parent_of_tables(
        &mut self,
        holder: &ObjectRef,
        head: Head,
        name: String,
        named: bool,
    ) -> Option<Parent> {
        match delegating_matcher(&head.matchers) {
            Ok(matcher) => Some(Parent {
                matcher,
                options: head.options,
                name,
                named,
                inheritable_matchers: head.inheritable_matchers,
                inheritable_path_matchers: head.inheritable_path_matchers,
            }),
            Err(mistake) => {
                self.error(holder, mistake);
                None
            }
        }
    }

    fn delegate(
        &mut self,
        holder: &ObjectRef,
        action: &DelegateAction,
        parent: &Parent,
        path: &[Arc<ResourceRef>],
    ) -> Vec<ProxyRoute> {
        let tables = match selector::select(action, &holder.namespace, &self.view.route_tables) {
            Ok(tables) => tables,
            Err(mistake) => {
                match unread(action, &holder.namespace, &mistake, &self.view.known) {
                    Some(remark) => self.reports.note(holder, remark),
                    None => self.warning(holder, mistake),
                }
                return Vec::new();
            }
        };
        let mut by_weight: BTreeMap<i32, Vec<Arc<ResourceRef>>> = BTreeMap::new();
        for table in tables {
            let weight = self.view.route_tables[&table].spec.weight.unwrap_or_default();
            by_weight.entry(weight).or_default().push(table);
        }
        let mut found = Vec::new();
        for tables in by_weight.values() {
            let mut routes = Vec::new();
            for table in tables {
                routes.extend(self.table(table, parent, path));
            }
            if tables.len() > 1 {
                sort::by_path(&mut routes);
            }
            found.extend(routes);
        }
        found
    }

    fn table(
        &mut self,
        table: &Arc<ResourceRef>,
        parent: &Parent,
        path: &[Arc<ResourceRef>],
    ) -> Vec<ProxyRoute> {
        let holder = Arc::new(ObjectRef::new("RouteTable", &table.namespace, &table.name));
        let path: Vec<Arc<ResourceRef>> = path.iter().chain([table]).cloned().collect();
        if path[..path.len() - 1].contains(table) {
            let names: Vec<String> = path.iter().map(|t| format!("[{}]", t.key())).collect();
            let cycle = names.join(" -> ");
            let words = format!("invalid route: delegation cycle detected: {cycle}");
            self.error(&holder, Mistake::new(Code::DelegationCycle, words));
            return Vec::new();
        }
        let view = self.view;
        self.visit(&holder, &view.route_tables[table].spec.routes, Some(parent), &path)
    }

    /// Gloo's name for a route.
    fn route_name(
        &self,
        holder: &ObjectRef,
        route: &Route,
        parent: Option<&Parent>,
        index: usize,
    ) -> String {
        let (gateway, proxy) = self.gateway;
        let head = match parent {
            Some(parent) => format!("{}_rt:", parent.name),
            None => format!("vs:{gateway}_{proxy}_"),
        };
        let own = match route.name.as_str() {
            "" => format!("<unnamed-{index}>"),
            name => name.to_owned(),
        };
        format!("{head}{}_{}_route:{own}", holder.namespace, holder.name)
    }

    fn error(&mut self, holder: &ObjectRef, mistake: Mistake) {
        let finding = self.reports.error(holder, mistake);
        self.tell_root(holder, &finding);
    }

    fn warning(&mut self, holder: &ObjectRef, mistake: Mistake) {
        let finding = self.reports.warning(holder, mistake);
        self.tell_root(holder, &finding);
    }

    fn tell_root(&mut self, holder: &ObjectRef, finding: &Finding) {
        if *holder != *self.root {
            let words = format!("{}{}", on_table(holder), finding.words);
            self.reports.relay(&self.root, finding, words);
        }
    }
}

/// What is said of a delegation that leads nowhere as far as RouteTables were read; `None` where all that it may mean
/// were.
fn unread(
    action: &DelegateAction,
    owner: &str,
    mistake: &Mistake,
    known: &Known,
) -> Option<Remark> {
    match mistake.code {
        Code::MissingRouteTable => {
            let table = selector::reference(action)?;
            let is_read = known.sees("RouteTable", &table.namespace);
            (!is_read).then(|| Remark::not_read("RouteTable", &table))
        }
        Code::NoRouteTableSelected => {
            let selector = action.selector.as_ref()?;
            let is_read = match selector.namespaces.as_slice() {
                [] => known.sees("RouteTable", owner),
                names if names.iter().any(|name| name == "*") => known.sees_everything(),
                names => names.iter().all(|name| known.sees("RouteTable", name)),
            };
            let words = "the RouteTables that a selector may select were not read in every namespace: what comes \
                         of it is not judged";
            (!is_read).then(|| words.into())
        }
        _ => None,
    }
}

fn on_table(holder: &ObjectRef) -> String {
    format!("on sub route table {}: ", holder.resource().key())
}

fn matchers_or_all(matchers: Vec<Matcher>) -> Vec<Matcher> {
    if matchers.is_empty() { vec![Matcher::all()] } else { matchers }
}

/// The matcher that child routes must fit. One without a path counts as prefix `/` and loses its
/// headers (gloo-conformance case 11-parent-matcher step 3).
fn delegating_matcher(matchers: &[Matcher]) -> Result<Matcher, Mistake> {
    let invalid = |words: &str| Err(Mistake::new(Code::InvalidParentMatcher, words));
    match matchers {
        [] => Ok(Matcher::all()),
        [matcher] if matcher.path().is_none() => Ok(Matcher::all()),
        [matcher] if matcher.path_prefix().unwrap_or_default().is_empty() => {
            invalid("invalid route: routes with delegate actions must use a prefix matcher")
        }
        [matcher] => Ok(matcher.clone()),
        _ => invalid(
            "invalid route: routes with delegate actions must omit or specify a single matcher",
        ),
    }
}

/// An action that is no delegation; destinations without a namespace get that of the holder
/// (gloo-conformance case 11-upstream-namespace-default).
fn simple(action: Option<Action<'_>>, namespace: &str) -> Option<ProxyAction> {
    match action? {
        Action::Route(action) => {
            let mut action = Box::new(action.clone());
            fill_namespaces(&mut action, namespace);
            Some(ProxyAction::Route(action))
        }
        Action::Redirect(action) => Some(ProxyAction::Redirect(action.clone())),
        Action::DirectResponse(action) => Some(ProxyAction::DirectResponse(action.clone())),
        Action::Delegate(_) => None,
    }
}

fn fill_namespaces(action: &mut RouteAction, namespace: &str) {
    let single = action.single.iter_mut();
    let multi = action.multi.iter_mut().flat_map(|multi| &mut multi.destinations);
    let destinations = single.chain(multi.filter_map(|weighted| weighted.destination.as_mut()));
    for upstream in destinations.filter_map(|destination| destination.upstream.as_mut()) {
        if upstream.namespace.is_empty() {
            upstream.namespace = namespace.to_owned();
        }
    }
}
