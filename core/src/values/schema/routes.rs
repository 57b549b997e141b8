//! The keys of `routes`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::autopilot::MAX_REASON;
use super::gateway::Gateway;
use super::jwt::Jwt;
use super::mapping::mapping;
use super::one_of::OneOf;
use super::rules::{exactly_one, present};
use super::scalars::{
    Domain, FilledText, LabelValue, Method, Open, Percent, Text, True, UrlPath, scalar,
};

mapping! {
    /// Who gets the requests.
    #[schemars(extend("not" = {"anyOf": [
        present(&["apiGroup", "domains"]),
        {
            "required": ["split", "fallback"],
            "properties": {"split": {"const": "upstream"}, "fallback": {"const": "any"}}
        }
    ]}))]
    Routes {
        /// Label of the RouteTable, by which the platform's VirtualService finds it.
        api_group as "apiGroup": Option<LabelValue>,
        /// Instead of apiGroup: a VirtualService of the service's own with these domains.
        #[schemars(length(min = 1))]
        domains: Option<Vec<Domain>>,
        /// The paths that the service answers; `[{prefix: /<service>}]` by default.
        #[schemars(length(min = 1, max = MAX_PATHS))]
        paths: Option<Vec<Path>>,
        /// Gloo's route options for every route, passed through.
        options: Option<Open>,
        /// The version that gets what the canary does not.
        primary: Option<Primary>,
        /// The version that is being tried.
        canary: Option<Canary>,
        /// How versions are told apart.
        split: Option<Split>,
        /// What happens to the share of a version that has no ready pod.
        fallback: Option<Fallback>,
        /// Whether services of other folders may have paths or domains within these; false by default.
        allow_carve_out as "allowCarveOut": Option<bool>,
        /// Which API the routes are written in, and who serves them; as coalmine.yaml says by default.
        gateway: Option<Gateway>,
    }
}

/// No service has more paths than this: each is compared with every other.
pub(in crate::values) const MAX_PATHS: usize = 500;

mapping! {
    /// The version that gets what the canary does not.
    Primary {
        /// A version of `deployment`.
        version: Option<Text>,
    }
}

mapping! {
    /// The version that is being tried.
    Canary {
        /// A version of `deployment`, another one than the primary.
        version: Option<Text>,
        /// Phase 1: requests that carry all of these go to the canary.
        headers: Option<Headers>,
        /// Phase 1 with the Gateway API: requests whose token fits go to the canary.
        jwt: Option<Jwt>,
        /// Phase 2: the canary's share of the other requests, in percent.
        weight: Option<Percent>,
        /// The percentage of requests of which the canary gets a copy.
        shadow: Option<Percent>,
        /// Why the autopilot leaves this canary as it is.
        held: Option<Reason>,
    }
}

scalar! {
    /// A reason, in one line.
    Reason: {"type": ["string", "number", "boolean"], "pattern": r"\S", "maxLength": MAX_REASON}
}

/// A token or a pseudo-header.
const HEADER_NAME: &str = "^([A-Za-z0-9!#$%&'*+.^_`|~-]+|:(authority|method|path|scheme))$";

/// Conditions by the names of headers; `null` leaves the default of coalmine.yaml.
struct Headers;

impl JsonSchema for Headers {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": {"pattern": HEADER_NAME},
            "additionalProperties": generator.subschema_for::<Option<Condition>>()
        })
    }
}

/// A condition on a header or query parameter.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Condition {
    /// It has this value, or one of these.
    Value(OneOf),
    /// Something else.
    Match(Match),
}

mapping! {
    /// A condition; one of value, regex and present.
    #[schemars(extend("oneOf" = exactly_one(&["value", "regex", "present"])))]
    Match {
        /// It has this value, or one of these.
        value: Option<OneOf>,
        /// It has a value that the expression (RE2) matches as a whole.
        regex: Option<FilledText>,
        /// It is there.
        present: Option<True>,
        /// The condition does not hold.
        invert: Option<bool>,
    }
}

/// A condition on a query parameter, which Gloo cannot invert.
struct QueryCondition;

impl JsonSchema for QueryCondition {
    fn schema_name() -> Cow<'static, str> {
        "QueryCondition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let upright = json_schema!({"properties": {"invert": {"enum": [false, null]}}});
        json_schema!({"allOf": [generator.subschema_for::<Condition>(), upright]})
    }
}

mapping! {
    /// A path; one of prefix, exact and regex.
    #[schemars(extend("oneOf" = exactly_one(&["prefix", "exact", "regex"])))]
    Path {
        /// Every path that begins with this text.
        prefix: Option<UrlPath>,
        /// This path alone.
        exact: Option<UrlPath>,
        /// Every path that the expression (RE2) matches as a whole.
        regex: Option<Text>,
        /// The methods, upper case; every one by default.
        methods: Option<Vec<Method>>,
        /// Conditions on query parameters.
        query_parameters as "queryParameters": Option<BTreeMap<String, QueryCondition>>,
        /// Gloo's route options for this path.
        options: Option<Open>,
        /// A function of a REST Upstream: `destinationSpec.rest`.
        rest: Option<Open>,
    }
}

/// How versions are told apart.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Split {
    /// One Upstream, versions by their pods' label.
    Subset,
    /// An Upstream per version.
    Upstream,
}

/// What happens to the share of a version that has no ready pod.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Fallback {
    /// The other versions' pods answer.
    Any,
    /// The gateway answers 503.
    None,
}
