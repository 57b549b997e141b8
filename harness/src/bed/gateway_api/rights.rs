//! What a controller's chart lets it do. Of the templates only what is no template is read: lists of rules.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use regex::Regex;
use serde_json::{Value, json};

/// The rules of a controller's account.
#[derive(Debug, Default)]
pub(super) struct Rights {
    /// Everywhere.
    cluster: Vec<Value>,
    /// In its own namespace.
    own: Vec<Value>,
}

/// Those of a chart's one ClusterRole.
pub(super) fn of_role(template: &str) -> Result<Rights> {
    let rules = template.split_once("\nrules:\n").context("no rules")?.1;
    let rules = rules.split("{{").next().unwrap_or_default();
    Ok(Rights { cluster: list(rules)?, own: Vec::new() })
}

/// Those of Envoy Gateway's chart, in which each template has one rule, or, for its own namespace, a list of
/// them.
pub(super) fn of_named_templates(templates: &str) -> Result<Rights> {
    let template = Regex::new(r#"\{\{-? define "([^"]+)" -?\}\}([^{]*)\{\{-? end -?\}\}"#)?;
    let found: BTreeMap<&str, &str> = template
        .captures_iter(templates)
        .map(|found| found.extract())
        .map(|(_, [name, text])| (name, text))
        .filter(|(_, text)| !text.trim().is_empty())
        .collect();
    let mut rights = Rights::default();
    for (name, text) in found {
        if name.starts_with("eg.rbac.cluster.") || name.starts_with("eg.rbac.namespaced.") {
            rights.cluster.push(serde_yaml::from_str(text).with_context(|| name.to_owned())?);
        } else if name == "eg.rbac.infra.basic" {
            rights.own = list(text)?;
        }
    }
    ensure!(!rights.cluster.is_empty() && !rights.own.is_empty(), "no rules");
    Ok(rights)
}

fn list(text: &str) -> Result<Vec<Value>> {
    let rules: Vec<Value> = serde_yaml::from_str(text)?;
    ensure!(!rules.is_empty(), "no rules");
    Ok(rules)
}

impl Rights {
    /// The account, and then the roles and their bindings, all of one name.
    pub(super) fn objects(self, name: &str, namespace: &str) -> Vec<Value> {
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        });
        let mut objects = vec![account];
        for (kind, rules) in [("ClusterRole", self.cluster), ("Role", self.own)] {
            if rules.is_empty() {
                continue;
            }
            let metadata = match kind {
                "Role" => json!({"name": name, "namespace": namespace}),
                _ => json!({"name": name}),
            };
            objects.push(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": kind,
                "metadata": metadata,
                "rules": rules,
            }));
            objects.push(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": format!("{kind}Binding"),
                "metadata": metadata,
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name,
                },
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            }));
        }
        objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "apiGroups:\n- apps\nresources:\n- deployments\nverbs:\n- get\n";

    #[test]
    fn the_rules_of_a_chart_s_role_are_read_without_its_templates() {
        let rule = RULE.replace('\n', "\n  ");
        let template = format!(
            "{{{{- if .Values.rbac.create }}}}\nkind: ClusterRole\nmetadata:\n  name: x-{{{{ .N }}}}\nrules:\n- {}\n\
             {{{{- end }}}}",
            rule.trim_end()
        );
        let objects = of_role(&template).unwrap().objects("x", "x-system");
        let kinds: Vec<&str> = objects.iter().filter_map(|it| it["kind"].as_str()).collect();
        assert_eq!(kinds, ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"]);
        assert_eq!(objects[1]["rules"][0]["resources"], json!(["deployments"]));
        assert!(of_role("kind: ClusterRole\n").is_err());
    }

    #[test]
    fn the_rules_of_named_templates_are_told_apart_by_where_they_count() {
        let named = |name: &str, text: &str| {
            format!("{{{{- define \"{name}\" -}}}}\n{text}{{{{- end }}}}\n")
        };
        let rules = format!("- {}\n", RULE.replace('\n', "\n  ").trim_end());
        let text = [
            named("eg.rbac.cluster", "- {{ include \"eg.rbac.cluster.basic\" . }}\n"),
            named("eg.rbac.cluster.basic", RULE),
            named("eg.rbac.namespaced.apps", RULE),
            named("eg.rbac.namespaced.none", ""),
            named("eg.rbac.infra.basic", &rules),
            named("eg.rbac.infra.tokenreview", &rules),
        ]
        .concat();
        let rights = of_named_templates(&text).unwrap();
        assert_eq!((rights.cluster.len(), rights.own.len()), (2, 1));
        let objects = rights.objects("x", "x-system");
        assert_eq!(objects[3]["metadata"], json!({"name": "x", "namespace": "x-system"}));
        assert!(of_named_templates("").is_err());
    }
}
