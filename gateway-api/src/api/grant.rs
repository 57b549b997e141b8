use serde::Deserialize;

/// A ReferenceGrant: who may refer to what in its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GrantSpec {
    /// Who.
    pub from: Vec<GrantFrom>,
    /// To what.
    pub to: Vec<GrantTo>,
}

/// Who may refer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GrantFrom {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
}

/// What may be referred to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GrantTo {
    /// The API group; empty for Services and Secrets.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// One object; all unless said.
    pub name: Option<String>,
}

impl GrantSpec {
    /// Whether it allows an object of `from` (group, kind, namespace) to refer to `to` (group, kind, name).
    pub fn allows(&self, from: [&str; 3], to: [&str; 3]) -> bool {
        let [group, kind, namespace] = from;
        let from = self
            .from
            .iter()
            .any(|it| it.group == group && it.kind == kind && it.namespace == namespace);
        let [group, kind, name] = to;
        from && self.to.iter().any(|it| {
            let group = it.group == group || (it.group == "core" && group.is_empty());
            group && it.kind == kind && it.name.as_deref().is_none_or(|only| only == name)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_names_kind_and_namespace_and_maybe_one_object() {
        let from = json!([{ "group": "g", "kind": "HTTPRoute", "namespace": "team-a" }]);
        let grant = |to| {
            crate::api::decode::<GrantSpec>(&json!({ "from": from, "to": to })).expect("a grant")
        };
        let all = grant(json!([{ "group": "", "kind": "Service" }]));
        let one = grant(json!([{ "group": "", "kind": "Service", "name": "v1" }]));
        let route = ["g", "HTTPRoute", "team-a"];
        assert!(all.allows(route, ["", "Service", "v2"]));
        assert!(one.allows(route, ["", "Service", "v1"]));
        assert!(!one.allows(route, ["", "Service", "v2"]));
        assert!(!all.allows(["g", "HTTPRoute", "team-b"], ["", "Service", "v2"]));
        assert!(!all.allows(["g", "GRPCRoute", "team-a"], ["", "Service", "v2"]));
        assert!(!all.allows(route, ["", "Secret", "v2"]));
    }
}
