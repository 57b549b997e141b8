//! The repository that is measured: many services without pods, of which one gets some, whose weight
//! moves.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::observer::Id;

/// Namespaces that the services are spread over.
const NAMESPACES: u16 = 10;
/// The service whose weight moves: in the middle, for tools that go through all objects in their
/// order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moving(u16);

impl Moving {
    /// The one of a fleet of so many services.
    pub(super) fn among(services: u16) -> Self {
        Self(services / 2)
    }

    /// Its file in the repository.
    pub(super) fn file(self) -> String {
        file(self.0)
    }

    /// The object that has the weights.
    pub(super) fn table(self) -> Id {
        let (team, name) = (team(self.0), name(self.0));
        Id::new("RouteTable", &format!("fleet-{team}"), &format!("{name}-routes"))
    }

    /// Its values without pods and with this label.
    pub(super) fn labelled(self, label: usize) -> String {
        format!(
            "namespace: fleet-{}
deployment: {{v1: {{replicas: 0, labels: {{round: \"{label}\"}}}}}}
routes: {{apiGroup: fleet, primary: {{version: v1}}}}
",
            team(self.0)
        )
    }

    /// Its values with so many pods of each version and this weight.
    pub(super) fn values(self, replicas: u8, weight: u8) -> String {
        format!(
            "namespace: fleet-{}
deployment: {{v1: {{replicas: {replicas}}}, v2: {{replicas: {replicas}}}}}
routes:
  apiGroup: fleet
  primary: {{version: v1}}
  canary: {{version: v2, weight: {weight}}}
",
            team(self.0)
        )
    }
}

fn team(number: u16) -> u16 {
    number % NAMESPACES
}

fn name(number: u16) -> String {
    format!("service-{number:04}")
}

fn file(number: u16) -> String {
    format!("services/team-{}/{}.yaml", team(number), name(number))
}

/// The namespaces and names of so many services.
pub(super) fn services(count: u16) -> impl Iterator<Item = (String, String)> {
    (0..count).map(|number| (format!("fleet-{}", team(number)), name(number)))
}

/// What objects ask for, by their names.
pub(super) type Objects = BTreeMap<Id, Value>;

/// Writes the repository's first tree.
pub(super) fn write(folder: &Path, services: u16) -> Result<()> {
    let write = |path: &str, content: &str| {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    };
    write("platform/way-in.yaml", &platform(services))?;
    for number in 0..services {
        let team = team(number);
        let values = format!(
            "namespace: fleet-{team}
deployment: {{v1: {{replicas: 0}}}}
routes:
  apiGroup: fleet
  primary: {{version: v1}}
"
        );
        write(&file(number), &values)?;
    }
    let moving = Moving::among(services);
    write(&moving.file(), &moving.values(0, 1))
}

/// The weight of the `n`-th push: never the one before, and never what another push leaves over for
/// the other version.
pub(super) fn weight(n: usize) -> u8 {
    2 + u8::try_from(n % 47).expect("a remainder of 47 is a u8")
}

/// The namespaces and the VirtualService that selects every RouteTable.
pub(super) fn platform(services: u16) -> String {
    way_in("fleet", (0..NAMESPACES.min(services)).map(|team| format!("fleet-{team}")))
}

/// A VirtualService that selects every RouteTable of an apiGroup, and namespaces.
pub(super) fn way_in(group: &str, namespaces: impl IntoIterator<Item = String>) -> String {
    let mut text = format!(
        "apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: app, namespace: gloo-system}}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{{prefix: /}}]
        delegateAction:
          selector: {{labels: {{apiGroup: {group}}}, namespaces: ['*']}}
"
    );
    for namespace in namespaces {
        text += &format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
    }
    text
}

/// What `coalmine render` makes of a tree, as YAML.
pub(super) fn render(coalmine: &Path, folder: &Path) -> Result<String> {
    let output = Command::new(coalmine).arg("render").arg(folder).output();
    let output = output.with_context(|| format!("cannot run {}", coalmine.display()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "coalmine render: {complaint}");
    String::from_utf8(output.stdout).context("coalmine render: not UTF-8")
}

/// The objects in a text.
pub(super) fn documents(text: &str) -> Result<Vec<Value>> {
    // One by one: a reader of many documents in one text has a limit.
    let documents = text.split("\n---\n").map(serde_yaml::from_str);
    documents.collect::<Result<_, _>>().context("an object that cannot be read")
}

/// What rendered objects ask for.
pub(super) fn objects(rendered: &str) -> Result<Objects> {
    let entry = |mut object: Value| {
        let id = Id::of(&object).context("a rendered object without a kind or name")?;
        Ok((id, object["spec"].take()))
    };
    documents(rendered)?.into_iter().map(entry).collect()
}

/// Whether `live` has everything that is `asked` for, whatever else it has.
pub(super) fn covers(live: &Value, asked: &Value) -> bool {
    match (live, asked) {
        (Value::Object(live), Value::Object(asked)) => {
            asked.iter().all(|(key, asked)| live.get(key).is_some_and(|live| covers(live, asked)))
        }
        (Value::Array(live), Value::Array(asked)) => {
            live.len() == asked.len()
                && live.iter().zip(asked).all(|(live, asked)| covers(live, asked))
        }
        _ => live == asked,
    }
}

/// Whether a destination anywhere below has this weight.
pub(super) fn has_weight(spec: &Value, weight: u8) -> bool {
    match spec {
        Value::Object(fields) => {
            fields.get("weight").is_some_and(|found| *found == weight)
                || fields.values().any(|field| has_weight(field, weight))
        }
        Value::Array(items) => items.iter().any(|item| has_weight(item, weight)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_api_server_adds_does_not_matter_and_what_it_lacks_does() {
        let asked = json!({"replicas": 0, "containers": [{"image": "echo"}]});
        let live = json!({"replicas": 0, "paused": false,
            "containers": [{"image": "echo", "tty": false}]});
        assert!(covers(&live, &asked));
        assert!(!covers(&json!({"replicas": 1, "containers": [{"image": "echo"}]}), &asked));
        assert!(!covers(&json!({"replicas": 0, "containers": []}), &asked));
        assert!(!covers(&Value::Null, &asked));
    }

    #[test]
    fn no_push_is_taken_for_another() {
        for n in 0..200 {
            let (before, after) = (weight(n), weight(n + 1));
            assert_ne!(before, after);
            assert_ne!(100 - before, after);
            let spec = json!({"routes": [{"destinations": [{"weight": before}]}]});
            assert!(has_weight(&spec, before) && !has_weight(&spec, after));
        }
    }
}
