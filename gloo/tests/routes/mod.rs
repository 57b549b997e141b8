//! Routes of every shape, for what has to hold for any of them; the crate `coalmine-core` uses them, too.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// A condition on a header, inverted with this probability.
fn condition(invert: f64) -> impl Strategy<Value = Value> {
    let value = select(&["", "a", "b"][..]);
    (select(&["x", "y"][..]), value, any::<bool>(), prop::bool::weighted(invert)).prop_map(
        |(name, value, regex, invert)| {
            json!({ "name": name, "value": value, "regex": regex, "invertMatch": invert })
        },
    )
}

/// A route of a VirtualService in `gloo-system` to versions of the Upstream `echo` there, to one that is gone, or with an
/// answer of its own; its conditions are inverted with this probability.
pub(super) fn route(invert: f64) -> impl Strategy<Value = Value> {
    let matcher = (
        select(&["prefix", "exact", "regex"][..]),
        select(&["/", "/a", "/a/b", "/.*"][..]),
        prop::collection::vec(condition(invert), 0..3),
    )
        .prop_map(|(kind, path, headers)| json!({ kind: path, "headers": headers }));
    let destination = (select(&["echo", "gone"][..]), select(&["v1", "v2", "v3"][..]), 0..4_u32);
    let destination = destination.prop_map(|(upstream, version, weight)| {
        json!({
            "destination": { "upstream": { "name": upstream }, "subset": { "values": { "version": version } } },
            "weight": weight,
        })
    });
    let action = prop_oneof![
        prop::collection::vec(destination, 0..4)
            .prop_map(|all| json!({ "routeAction": { "multi": { "destinations": all } } })),
        (190..610_u32).prop_map(|status| json!({ "directResponseAction": { "status": status } })),
    ];
    (prop::collection::vec(matcher, 0..3), action).prop_map(|(matchers, action)| {
        let mut route = action;
        route["matchers"] = json!(matchers);
        route
    })
}
