//! The parts of the judgement. `tests/tenancy` has whole files.

use serde_json::{Value, json};

use super::paths::covers;
use super::pattern::matches;
use super::{pods, references};
use crate::domain;
use crate::values::{Path, PodSecurity};

#[test]
fn a_pattern_matches_whole_texts() {
    for (pattern, text, expected) in [
        ("team-a", "team-a", true),
        ("team-a", "team-ab", false),
        ("team-a", "xteam-a", false),
        ("team-a-*", "team-a-web", true),
        ("team-a-*", "team-a", false),
        ("*", "", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "a-c-b", false),
        ("a*bc", "abcbc", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn a_domain_is_covered_when_all_its_hosts_are() {
    for (pattern, domain, expected) in [
        ("a.example", "A.Example", true),
        ("*.a.example", "x.a.example", true),
        ("*.a.example", "*.a.example", true),
        ("*.a.example", "*.b.a.example", true),
        ("*.a.example", "*a.example", false),
        ("*.a.example", "a.example", false),
        ("*.a.example", ".a.example", false),
        ("*.a.example", "x.a.example.", false),
        ("*.a.example", "x.a.example:443", false),
        ("*.a.example", "xa.example", false),
        ("*.a.example", "*", false),
        ("*.a.example", "x.*", false),
        ("a.*", "a.example", true),
        ("a.*", "a.*", true),
        ("a.*", "a.b.*", true),
        ("a.*", "*.a.", false),
        ("a.example", "*.a.example", false),
        ("*", "*", true),
    ] {
        assert_eq!(domain::covers(pattern, domain), expected, "{pattern} {domain}");
    }
}

#[test]
fn no_path_gets_round_a_prefix() {
    let exact = |text: &str| Path::Exact(text.into());
    let prefix = |text: &str| Path::Prefix(text.into());
    let regex = |text: &str| Path::Regex(text.into());
    for (path, expected) in [
        (exact("/a"), true),
        (prefix("/a"), true),
        (prefix("/a/"), true),
        (exact("/a/b"), true),
        (exact("/a/%20b"), true),
        (regex("/a/.*"), true),
        (regex("/a(/.*)?"), true),
        (regex("^/a/(b|c)$"), true),
        (regex("/a"), true),
        (regex("/a/b|/a/c"), true),
        (exact("/ab"), false),
        (prefix("/ab"), false),
        (prefix("/"), false),
        (exact("/"), false),
        (exact("/A/b"), false),
        (exact("/a/../b"), false),
        (exact("/a/.."), false),
        (exact("/a/%2e%2e/b"), false),
        (exact("/a/.%2E/b"), false),
        (exact("/a/%252e%252e/b"), false),
        (exact("/a/..;/b"), false),
        (exact("/a/..;x=1/b"), false),
        (exact("/a/%5c..%5cb"), false),
        (exact("/a/%2fb"), false),
        (exact("/a%2f..%2fb"), false),
        (exact("/a/%00"), false),
        (exact("/a/%3f"), false),
        (exact("/a//b"), false),
        (exact("/%61/b"), false),
        (regex("/a.*"), false),
        (regex("/a/.*|/b"), false),
        (regex("/a/.*|"), false),
        (regex("/(a|b)/.*"), false),
        (regex("/a?/.*"), false),
        (regex("/a*/.*"), false),
        (regex("/a{0,1}/b"), false),
        (regex("/[a]/.*"), false),
        (regex("(?i)/a/.*"), false),
        (regex("(?i:/a)/.*"), false),
        (regex(r"/\x61/.*"), false),
        (regex(r"\Q/a/\E.*"), false),
        (regex("/a/../b"), true),
        (regex(r"/a/\.\./b"), false),
        (regex("/a/%2e%2e/b"), false),
        (regex(".*"), false),
        (regex(""), false),
        (regex("("), false),
    ] {
        assert_eq!(covers("/a", &path), expected, "{path:?}");
    }
    assert!(covers("/a/", &prefix("/a/")) && covers("/a/", &exact("/a/b")));
    assert!(!covers("/a/", &prefix("/a")) && !covers("/a/", &exact("/a")));
    assert!(covers("/", &regex("/.*")) && !covers("/", &regex(".*")));
}

#[test]
fn an_expression_of_many_alternatives_ends() {
    let many = format!("/a/{}", "(b|c|d)".repeat(50));
    assert!(covers("/a", &Path::Regex(many)));
    let wide = format!("/({})", (0..200).map(|n| format!("a/{n}")).collect::<Vec<_>>().join("|"));
    assert!(!covers("/a", &Path::Regex(wide)), "not followed, and so not taken");
}

#[test]
fn references_are_found_at_any_depth_and_by_any_name() {
    let value = json!({"sslConfig": {"secretRef": {"name": "s", "namespace": "other"}},
        "list": [{"upstream": {"name": "u"}}, {"x": {"namespace": 5}}], "plain": {"name": "n"}});
    let mut found: Vec<_> = references::of(&value)
        .into_iter()
        .map(|it| format!("{} {}/{}", it.keys.join("."), it.namespace, it.name))
        .collect();
    found.sort();
    assert_eq!(found, ["list.0.upstream /u", "list.1.x 5/", "sslConfig.secretRef other/s"]);
}

/// A pod that meets the restricted standard, with a change at a JSON pointer.
fn changed(pointer: &str, value: Value) -> Value {
    let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let container = json!({"name": "a", "image": "b", "securityContext": context});
    let mut template = json!({"metadata": {}, "spec": {
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }});
    let mut at = &mut template;
    for key in pointer.split('/').skip(1) {
        let key = key.replace("~1", "/");
        at = match key.parse::<usize>() {
            Ok(index) => {
                let items = match at {
                    Value::Array(items) => items,
                    other => {
                        *other = json!([]);
                        other.as_array_mut().expect("a list")
                    }
                };
                if items.len() <= index {
                    items.push(json!({}));
                }
                &mut items[index]
            }
            Err(_) => &mut at[&key],
        };
    }
    *at = value;
    template
}

fn standard_of(template: &Value) -> PodSecurity {
    let meets = |standard| pods::violations(template, standard).is_empty();
    match (meets(PodSecurity::Restricted), meets(PodSecurity::Baseline)) {
        (true, true) => PodSecurity::Restricted,
        (false, true) => PodSecurity::Baseline,
        (false, false) => PodSecurity::Privileged,
        (true, false) => panic!("restricted is baseline and more: {template}"),
    }
}

#[test]
fn each_field_of_the_pod_security_standards_is_judged() {
    use PodSecurity::{Baseline, Privileged, Restricted};
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        let at = |rest: &str| format!("/spec/{list}/0{rest}");
        for (field, value, expected) in [
            ("/securityContext/privileged", json!(true), Privileged),
            ("/securityContext/privileged", json!("true"), Privileged),
            ("/securityContext/procMount", json!("Unmasked"), Privileged),
            ("/securityContext/capabilities/add", json!(["SYS_ADMIN"]), Privileged),
            ("/securityContext/capabilities/add", json!("SYS_ADMIN"), Privileged),
            ("/securityContext/windowsOptions/hostProcess", json!(true), Privileged),
            ("/securityContext/seLinuxOptions/type", json!("spc_t"), Privileged),
            ("/securityContext/seLinuxOptions/user", json!("root"), Privileged),
            ("/securityContext/seLinuxOptions/role", json!("r"), Privileged),
            ("/securityContext/appArmorProfile/type", json!("Unconfined"), Privileged),
            ("/securityContext/seccompProfile/type", json!("Unconfined"), Privileged),
            ("/ports/0/hostPort", json!(80), Privileged),
            ("/livenessProbe/httpGet/host", json!("169.254.169.254"), Privileged),
            ("/readinessProbe/tcpSocket/host", json!("10.0.0.1"), Privileged),
            ("/startupProbe/httpGet/host", json!("a"), Privileged),
            ("/lifecycle/postStart/httpGet/host", json!("a"), Privileged),
            ("/lifecycle/preStop/tcpSocket/host", json!("a"), Privileged),
        ] {
            assert_eq!(standard_of(&changed(&at(field), value)), expected, "{list}{field}");
        }
    }
    let at = |rest: &str| format!("/spec/containers/0/securityContext{rest}");
    for (field, value, expected) in [
        ("/allowPrivilegeEscalation", json!(true), Baseline),
        ("/allowPrivilegeEscalation", json!(null), Baseline),
        ("/capabilities/drop", json!(["NET_RAW"]), Baseline),
        ("/capabilities/drop", json!(null), Baseline),
        ("/capabilities/add", json!(["NET_BIND_SERVICE"]), Restricted),
        ("/capabilities/add", json!(["CHOWN"]), Baseline),
        ("/runAsNonRoot", json!(false), Baseline),
        ("/runAsUser", json!(0), Baseline),
        ("/runAsUser", json!(1000), Restricted),
        ("/seccompProfile/type", json!("Localhost"), Restricted),
        ("/seLinuxOptions/type", json!("container_t"), Restricted),
        ("/appArmorProfile/type", json!("RuntimeDefault"), Restricted),
        ("/procMount", json!("Default"), Restricted),
    ] {
        assert_eq!(standard_of(&changed(&at(field), value)), expected, "{field}");
    }
    for (field, value, expected) in [
        ("/spec/hostNetwork", json!(true), Privileged),
        ("/spec/hostPID", json!(true), Privileged),
        ("/spec/hostIPC", json!(true), Privileged),
        ("/spec/hostNetwork", json!(false), Restricted),
        ("/spec/volumes/0/hostPath", json!({"path": "/"}), Privileged),
        ("/spec/volumes/0/nfs", json!({"server": "a"}), Baseline),
        ("/spec/volumes/0/emptyDir", json!({}), Restricted),
        ("/spec/securityContext/windowsOptions/hostProcess", json!(true), Privileged),
        ("/spec/securityContext/seccompProfile/type", json!("Unconfined"), Privileged),
        ("/spec/securityContext/seccompProfile", json!(null), Baseline),
        ("/spec/securityContext/appArmorProfile/type", json!("Unconfined"), Privileged),
        ("/spec/securityContext/seLinuxOptions/type", json!("spc_t"), Privileged),
        ("/spec/securityContext/runAsNonRoot", json!(false), Baseline),
        ("/spec/securityContext/runAsNonRoot", json!(null), Baseline),
        ("/spec/securityContext/runAsUser", json!(0), Baseline),
        ("/spec/securityContext/sysctls/0/name", json!("kernel.msgmax"), Privileged),
        ("/spec/securityContext/sysctls/0/name", json!("net.ipv4.tcp_syncookies"), Restricted),
        (
            "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1a",
            json!("unconfined"),
            Privileged,
        ),
        (
            "/metadata/annotations/container.apparmor.security.beta.kubernetes.io~1a",
            json!("runtime/default"),
            Restricted,
        ),
        (
            "/metadata/annotations/seccomp.security.alpha.kubernetes.io~1pod",
            json!("unconfined"),
            Privileged,
        ),
    ] {
        assert_eq!(standard_of(&changed(field, value)), expected, "{field}");
    }
    assert_eq!(standard_of(&changed("/metadata", json!({}))), Restricted);
    let privileged = changed("/spec/hostPID", json!(true));
    assert_eq!(pods::violations(&privileged, Privileged), []);
}
