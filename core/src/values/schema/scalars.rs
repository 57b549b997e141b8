//! Single values: text, numbers, durations.

use serde_json::{Map, Value};

/// Whatever Kubernetes or Gloo takes here.
pub(super) type Open = Map<String, Value>;

/// What counts as text: an unquoted number or boolean is the text it is written as.
const TEXT: [&str; 3] = ["string", "number", "boolean"];

/// Lower-case letters, digits and `-` between them.
const LABEL: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";

/// Letters, digits, `-`, `_` and `.`, a letter or digit at both ends.
pub(super) const LABEL_VALUE: &str = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$";

macro_rules! scalar {
    ($($(#[$about:meta])* $name:ident: $schema:tt)*) => {$(
        $(#[$about])*
        pub(super) struct $name;

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    )*};
}

pub(super) use scalar;

scalar! {
    /// Text.
    Text: {"type": TEXT}

    /// Text that is not empty.
    FilledText: {"type": TEXT, "minLength": 1}

    /// A DNS label, such as a namespace's name.
    Label: {"type": TEXT, "pattern": LABEL, "maxLength": 63}

    /// A DNS subdomain, such as the name of a Gateway.
    Subdomain: {
        "type": TEXT,
        "pattern": r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        "maxLength": 253
    }

    /// The value of a Kubernetes label.
    LabelValue: {
        "type": TEXT,
        "pattern": LABEL_VALUE,
        "maxLength": 63
    }

    /// The name of an object in the cluster.
    ObjectName: {
        "type": TEXT,
        "pattern": r"^[!$&-.0->@-\[\]-~]+$",
        "not": {"enum": [".", ".."]},
        "maxLength": 253
    }

    /// The name of a container port.
    PortName: {"type": "string", "pattern": LABEL, "maxLength": 63}

    /// A domain; `*` alone or at one end.
    Domain: {
        "type": TEXT,
        "pattern": r"^(\*[A-Za-z0-9._:\[\]-]*|[A-Za-z0-9._:\[\]-]+\*?)$"
    }

    /// A path that Gloo takes.
    UrlPath: {
        "type": "string",
        "pattern": "^/([A-Za-z0-9/:@._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*$",
        "not": {"pattern": r"//|/\.\.?/|/\.\.?$|%2[fF]"}
    }

    /// An HTTP method.
    Method: {"type": "string", "pattern": "^[A-Z]+$"}

    /// A duration.
    Duration: {"type": "string", "examples": ["5m", "3s", "1m 30s"]}

    /// A whole number from 0 to 100.
    Percent: {"type": "integer", "minimum": 0, "maximum": 100}

    /// A whole number from 1 to 100.
    Step: {"type": "integer", "minimum": 1, "maximum": 100}

    /// A TCP port.
    Port: {"type": "integer", "minimum": 1, "maximum": 65535}

    /// A kind of objects, with its group unless it is one of Kubernetes' own: `Secret`, `Certificate.cert-manager.io`.
    Kind: {
        "type": ["string", "boolean"],
        "pattern": r"^[A-Za-z][A-Za-z0-9]*(\.[a-z0-9-]+)*$",
        "not": {"const": "Namespace"}
    }

    /// A number of things.
    Count: {"type": "integer", "minimum": 0, "maximum": u32::MAX}

    /// Nothing but `true`.
    True: {"const": true}

    /// Nothing but `false`.
    False: {"const": false}
}
