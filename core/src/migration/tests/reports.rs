//! The forms of the report.

use super::super::{markdown, text};
use super::migrated;
use crate::values::Profile;

const OBJECTS: &str = "
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: echo}
spec: {ports: [{port: 80}], selector: {app: echo}}
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: echo, namespace: gloo-system}
spec: {kube: {serviceName: echo, serviceNamespace: echo, servicePort: 80}}
---
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matchers: [{prefix: /echo}]
      routeAction: {single: {upstream: {name: echo, namespace: gloo-system}}}
      options:
        retries: {retryOn: 5xx}
";

#[test]
fn the_text_has_the_line_the_request_and_what_to_do() {
    let text = text(&migrated(OBJECTS, Profile::Kgateway));
    for part in [
        "; 1 thing is not carried over\n",
        "  gloo.yaml:22: VirtualService gloo-system/app spec.virtualHost.routes[0].options.retries\n",
        "  curl 'http://anything.example/echomore'\n",
        "    now:        Service echo/echo\n    afterwards: 404\n    → nothing, if nobody asks",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn markdown_is_a_table_whose_cells_nothing_breaks() {
    let objects = OBJECTS.replace("prefix: /echo", "regex: '/echo|/e`'");
    let markdown = markdown(&migrated(&objects, Profile::Kgateway));
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 3, "{markdown}");
    for row in rows {
        let bars = row.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 5, "{row}");
        assert_eq!(row.matches('`').count() % 2, 0, "{row}");
    }
}

#[test]
fn the_json_has_the_objects_and_a_command_for_each_difference() {
    let json = serde_json::to_value(migrated(OBJECTS, Profile::Kgateway)).unwrap();
    assert_eq!(json["objects"][0]["kind"], "ReferenceGrant");
    assert_eq!(json["objects"][1]["kind"], "HTTPRoute");
    let differences = json["differences"].as_array().unwrap();
    assert_eq!(differences[0]["kind"], "prefix-by-element");
    assert!(differences.iter().all(|it| it["request"].as_str().unwrap().starts_with("curl ")));
    assert!(differences.iter().all(|it| !it["next"].as_str().unwrap().is_empty()));
}
