//! The keys of `folders` in `coalmine.yaml`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::mapping::mapping;
use super::scalars::scalar;

/// The entries by the folders below `services/` that they are for.
pub(super) struct Folders;

/// A folder below `services/`, `*` for each right below it, or `.` for the files that are in no folder.
const FOLDER_KEY: &str = r"^(\*|\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$";

impl JsonSchema for Folders {
    fn schema_name() -> Cow<'static, str> {
        "Folders".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["object", "null"],
            "propertyNames": {"pattern": FOLDER_KEY},
            "additionalProperties": generator.subschema_for::<Option<Folder>>()
        })
    }
}

mapping! {
    /// What the services of a folder may do. What is not listed is refused.
    Folder {
        /// The namespaces that its services may be in.
        namespaces: Option<Vec<NamespacePattern>>,
        /// The apiGroups that its routes may join.
        api_groups as "apiGroups": Option<Vec<ApiGroupPattern>>,
        /// The domains that its VirtualServices may have.
        domains: Option<Vec<DomainPattern>>,
        /// The prefixes below which its paths are, in any apiGroup.
        paths: Option<Vec<PathPrefix>>,
        /// Upstreams of others that its routes may use, written `namespace/name`.
        upstreams: Option<Vec<UpstreamPattern>>,
        /// Gateways of the Gateway API that its services may name in `routes.gateway`, written `namespace/name`; none by
        /// default, and then no service of the folder says `routes.gateway`.
        gateways: Option<Vec<GatewayPattern>>,
        /// Hosts that `autopilot.tests` of its services may call by a webhook; none by default.
        webhooks: Option<Vec<DomainPattern>>,
        /// Gloo's route options that its services may set, by their names; `rest` for `paths[].rest`.
        options: Option<Vec<OptionName>>,
        /// Fields of an Upstream's spec that its services may set in `upstream`.
        upstream_options as "upstreamOptions": Option<Vec<OptionName>>,
        /// Whether its services may take over objects that exist; false by default.
        adopt: Option<bool>,
        /// The service account, in the objects' namespace, as which its objects are written; the daemon's own by
        /// default.
        service_account_name as "serviceAccountName": Option<AccountName>,
        /// Service accounts that its pods may have beside `default`.
        pod_service_accounts as "podServiceAccounts": Option<Vec<AccountPattern>>,
        /// JSON pointers into a Deployment at or below which its services may patch; none by default.
        patch: Option<Vec<Pointer>>,
        /// The Pod Security Standard that its pods meet; baseline by default.
        pod_security as "podSecurity": Option<PodSecurity>,
    }
}

/// A Pod Security Standard.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum PodSecurity {
    /// Hardened pods.
    Restricted,
    /// No known privilege escalation.
    Baseline,
    /// Everything.
    Privileged,
}

scalar! {
    /// A namespace; `*` stands for any characters, `{folder}` for the folder's name.
    NamespacePattern: {"type": "string", "pattern": NAMESPACE_PATTERN, "maxLength": MAX_PATTERN}

    /// An apiGroup; `*` stands for any characters, `{folder}` for the folder's name.
    ApiGroupPattern: {"type": "string", "pattern": API_GROUP_PATTERN, "maxLength": MAX_PATTERN}

    /// A domain, with a `*` alone or at one end; `{folder}` stands for the folder's name.
    DomainPattern: {"type": "string", "pattern": DOMAIN_PATTERN, "maxLength": MAX_PATTERN}

    /// A path and all below it; `{folder}` stands for the folder's name.
    PathPrefix: {
        "type": "string",
        "pattern": PATH_PREFIX,
        "not": {"pattern": PATH_PREFIX_NOT},
        "maxLength": MAX_PATTERN
    }

    /// An Upstream, `namespace/name`; `*` stands for any characters, `{folder}` for the folder's name.
    UpstreamPattern: {"type": "string", "pattern": UPSTREAM_PATTERN, "maxLength": MAX_PATTERN}

    /// A Gateway, `namespace/name`; `*` stands for any characters, `{folder}` for the folder's name.
    GatewayPattern: {"type": "string", "pattern": UPSTREAM_PATTERN, "maxLength": MAX_PATTERN}

    /// The name of an option, or `*` for any.
    OptionName: {"type": "string", "pattern": OPTION_NAME, "maxLength": MAX_PATTERN}

    /// A service account; `{folder}` stands for the folder's name.
    AccountName: {"type": "string", "pattern": ACCOUNT_NAME, "maxLength": MAX_PATTERN}

    /// A service account; `*` stands for any characters, `{folder}` for the folder's name.
    AccountPattern: {"type": "string", "pattern": ACCOUNT_PATTERN, "maxLength": MAX_PATTERN}

    /// A JSON pointer (RFC 6901) that begins with `/`.
    Pointer: {"type": "string", "pattern": POINTER, "maxLength": MAX_PATTERN}
}

/// No item is longer than this, in characters.
pub(in crate::values) const MAX_PATTERN: usize = 253;
const NAMESPACE_PATTERN: &str = r"^([a-z0-9*-]|\{folder\})+$";
const API_GROUP_PATTERN: &str = r"^([A-Za-z0-9._*-]|\{folder\})+$";
const DOMAIN_PATTERN: &str =
    r"^(\*([A-Za-z0-9._:\[\]-]|\{folder\})*|([A-Za-z0-9._:\[\]-]|\{folder\})+\*?)$";
const PATH_PREFIX: &str = r"^/([A-Za-z0-9/:@._~!$&'()+,;=-]|\{folder\})*$";
const PATH_PREFIX_NOT: &str = r"//|/\.\.?/|/\.\.?$";
const UPSTREAM_PATTERN: &str = r"^([a-z0-9*-]|\{folder\})+/([a-z0-9.*-]|\{folder\})+$";
const OPTION_NAME: &str = r"^(\*|[A-Za-z][A-Za-z0-9]*)$";
const ACCOUNT_NAME: &str = r"^([a-z0-9.-]|\{folder\})+$";
const ACCOUNT_PATTERN: &str = r"^([a-z0-9.*-]|\{folder\})+$";
const POINTER: &str = r"^(/([^~/]|~[01])*)+$";
