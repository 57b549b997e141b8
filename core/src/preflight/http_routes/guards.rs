//! Rules whose policy requires a token: none is served without it, at no point of a change.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_api::ObjectRef;
use gateway_api::config::{Action, JwtProvider, JwtRequirement, Match, Route};

use super::super::ownership::Owners;
use super::claims::{Hosts, Place, hosts, name, path};
use super::world::World;
use crate::reason::Refusal;

/// Compares what guards a route of ours at a stage with what guards it before the changes and after them. Nobody knows how
/// much time is between two writes, so at no stage may a route have less than both.
///
/// # Errors
/// A route of ours that would be reached without the token that is required for it before and after, as far as it is there.
pub(super) fn kept(
    base: &World,
    stage: &World,
    last: &World,
    owners: &Owners,
) -> Result<(), Refusal> {
    if owners.objects().all(|(object, _)| matches!(object.kind.as_str(), "HTTPRoute" | "Service")) {
        return Ok(());
    }
    for model in &stage.models {
        let known = [base, last].map(|world| {
            let hosts = world.model(model.profile).map(|it| hosts(&it.translation));
            Guards::of(&hosts.unwrap_or_default(), owners)
        });
        for (place, host) in hosts(&model.translation) {
            for route in host.routes.iter().filter(|it| owners.has(&it.holder) && is_reached(it)) {
                let mut wanted = known.iter().filter_map(|it| it.of_route(place, route)).peekable();
                let has = required(route);
                if wanted.peek().is_some() && !wanted.any(|it| it.is_none() || it == has) {
                    return Err(Refusal::Unguarded {
                        object: Arc::clone(&route.holder),
                        path: path(&route.matcher),
                        host: name(host),
                    });
                }
            }
        }
    }
    Ok(())
}

/// Whose tokens routes require, if they require one.
type Required<'a> = Option<&'a [JwtProvider]>;

/// What guards the routes of the changes, by place and HTTPRoute.
struct Guards<'a>(HashMap<(Place<'a>, &'a ObjectRef), Vec<(&'a Match, Required<'a>)>>);

impl<'a> Guards<'a> {
    fn of(hosts: &Hosts<'a>, owners: &Owners) -> Self {
        let mut guards: HashMap<_, Vec<_>> = HashMap::new();
        for (place, host) in hosts {
            for route in host.routes.iter().filter(|it| owners.has(&it.holder)) {
                let own = guards.entry((*place, &*route.holder)).or_default();
                own.push((&route.matcher, required(route)));
            }
        }
        Self(guards)
    }

    /// What guards the route that takes the same requests; `None`: there is none.
    fn of_route(&self, place: Place<'_>, route: &Route) -> Option<Required<'a>> {
        let mut own = self.0.get(&(place, &*route.holder))?.iter();
        own.find(|(matcher, _)| **matcher == route.matcher).map(|(_, required)| *required)
    }
}

fn required(route: &Route) -> Required<'_> {
    let token = route.jwt.as_deref().filter(|it| !it.allow_missing);
    token.map(|JwtRequirement { providers, .. }| providers.as_slice())
}

/// Whether requests reach what is behind it: one with a broken policy answers 500.
fn is_reached(route: &Route) -> bool {
    matches!(route.action, Action::Forward(_))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::object::Manifest;
    use crate::plan::Desired;
    use crate::preflight::change::Change;
    use crate::preflight::tests::http_routes::{BOTH, gateway, live, snapshot};
    use crate::preflight::tests::http_routes_policies::job;

    const WITHOUT: &str = "primary: {version: v1}";
    const WITH: &str = "primary: {version: v1}, canary: {version: v2, JWT{stage: canary}}}";

    /// The objects of a service that implementations look at, those of `routes` as they are there.
    fn world(controller: &str, others: &Desired, routes: &Desired) -> World {
        let is_seen = |it: &&Manifest| it.id().kind != "Deployment";
        let own = others.workloads.iter().chain(&routes.routes).filter(is_seen);
        let own = own.map(|it| live(it.object().clone()));
        let objects: Vec<_> = gateway(controller).into_iter().chain(own).collect();
        World::read(snapshot(&objects), None, None)
    }

    fn owners(desired: &Desired) -> Owners {
        let change = Arc::new(Change::new("echo", desired, &BTreeSet::new()));
        Owners::of_http_routes(&[change]).expect("one change")
    }

    #[test]
    fn a_rule_that_comes_before_its_policy_or_goes_after_it_is_seen() {
        for controller in BOTH {
            let [without, with] = [WITHOUT, WITH].map(|state| job(controller, state).desired);
            let owners = owners(&with);
            let none = world(controller, &without, &without);
            let all = world(controller, &with, &with);
            let policies_alone = world(controller, &with, &without);
            let rule_alone = world(controller, &without, &with);
            for (before, after) in [(&none, &all), (&all, &none)] {
                let judge = |stage: &World| kept(before, stage, after, &owners);
                for stage in [&none, &policies_alone, &all] {
                    assert_eq!(judge(stage), Ok(()), "{controller}");
                }
                let refusal = judge(&rule_alone).expect_err(controller);
                assert!(matches!(&refusal, Refusal::Unguarded { path, .. } if path == "/"));
                assert_eq!(refusal.object().to_string(), "HTTPRoute echo/echo");
            }
        }
    }

    #[test]
    fn a_policy_that_somebody_has_deleted_may_come_again() {
        for controller in BOTH {
            let [without, with] = [WITHOUT, WITH].map(|state| job(controller, state).desired);
            let unguarded = world(controller, &without, &with);
            let all = world(controller, &with, &with);
            for stage in [&unguarded, &all] {
                assert_eq!(kept(&unguarded, stage, &all, &owners(&with)), Ok(()), "{controller}");
            }
        }
    }
}
