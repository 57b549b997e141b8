//! Whether a pod meets a Pod Security Standard.
//!
//! The rules are those of <https://kubernetes.io/docs/concepts/security/pod-security-standards>, with the fields and
//! values that are listed there. What has another type than the API takes counts as a value that is not allowed.

use std::fmt::Display;

use serde_json::Value;

use crate::values::PodSecurity;

/// A field with a value that the standard does not allow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The field within the pod template, as the standard writes it: `spec.containers[0].securityContext.privileged`.
    pub(super) field: String,
    /// What is allowed.
    pub(super) allowed: String,
}

/// What the pod template has that the standard does not allow.
pub(super) fn violations(template: &Value, standard: PodSecurity) -> Vec<Violation> {
    let mut judged = Judged { found: Vec::new() };
    if standard == PodSecurity::Privileged {
        return judged.found;
    }
    baseline(template, &mut judged);
    if standard == PodSecurity::Restricted {
        restricted(&template["spec"], &mut judged);
    }
    judged.found
}

struct Judged {
    found: Vec<Violation>,
}

impl Judged {
    fn refuse(&mut self, field: impl Display, allowed: impl Display) {
        self.found.push(Violation { field: field.to_string(), allowed: allowed.to_string() });
    }

    /// The value is absent or false.
    fn unset_or_false(&mut self, value: &Value, field: impl Display) {
        if !(value.is_null() || *value == Value::Bool(false)) {
            self.refuse(field, "false");
        }
    }

    /// The value is absent or one of these texts.
    fn unset_or(&mut self, value: &Value, texts: &[&str], field: impl Display) {
        let is_one = |text: &str| texts.contains(&text);
        if !(value.is_null() || value.as_str().is_some_and(is_one)) {
            let texts: Vec<_> =
                texts.iter().map(|text| if text.is_empty() { "\"\"" } else { text }).collect();
            self.refuse(field, texts.join(", "));
        }
    }
}

/// The three lists of containers.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// All containers with their fields' beginnings.
fn containers(spec: &Value) -> impl Iterator<Item = (String, &Value)> {
    CONTAINERS.into_iter().flat_map(|list| {
        let items = spec[list].as_array().into_iter().flatten().enumerate();
        items.map(move |(index, container)| (format!("spec.{list}[{index}]"), container))
    })
}

/// The pod and all containers, each with the beginning of its fields and its security context.
fn contexts(spec: &Value) -> impl Iterator<Item = (String, &Value)> {
    let pod = [("spec".to_owned(), spec)].into_iter();
    pod.chain(containers(spec))
        .map(|(at, it)| (format!("{at}.securityContext"), &it["securityContext"]))
}

const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

const SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];

const SELINUX_TYPES: [&str; 5] =
    ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

fn baseline(template: &Value, judged: &mut Judged) {
    let spec = &template["spec"];
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        judged.unset_or_false(&spec[field], format_args!("spec.{field}"));
    }
    for (at, context) in contexts(spec) {
        let windows = &context["windowsOptions"]["hostProcess"];
        judged.unset_or_false(windows, format_args!("{at}.windowsOptions.hostProcess"));
        let profile = ["RuntimeDefault", "Localhost"];
        for field in ["appArmorProfile", "seccompProfile"] {
            judged.unset_or(&context[field]["type"], &profile, format_args!("{at}.{field}.type"));
        }
        let selinux = &context["seLinuxOptions"];
        judged.unset_or(&selinux["type"], &SELINUX_TYPES, format_args!("{at}.seLinuxOptions.type"));
        for field in ["user", "role"] {
            judged.unset_or(&selinux[field], &[""], format_args!("{at}.seLinuxOptions.{field}"));
        }
    }
    for (at, container) in containers(spec) {
        let context = &container["securityContext"];
        judged.unset_or_false(
            &context["privileged"],
            format_args!("{at}.securityContext.privileged"),
        );
        judged.unset_or(
            &context["procMount"],
            &["Default"],
            format_args!("{at}.securityContext.procMount"),
        );
        added_capabilities(&at, context, &CAPABILITIES, judged);
        for (index, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
            let host = &port["hostPort"];
            if !(host.is_null() || host.as_u64() == Some(0)) {
                judged.refuse(format_args!("{at}.ports[{index}].hostPort"), "0");
            }
        }
        hosts(&at, container, judged);
    }
    for (index, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        if !volume["hostPath"].is_null() {
            judged.refuse(format_args!("spec.volumes[{index}].hostPath"), "no hostPath");
        }
    }
    let sysctls = &spec["securityContext"]["sysctls"];
    for (index, sysctl) in sysctls.as_array().into_iter().flatten().enumerate() {
        if !sysctl["name"].as_str().is_some_and(|name| SYSCTLS.contains(&name)) {
            let field = format!("spec.securityContext.sysctls[{index}].name");
            judged.refuse(field, SYSCTLS.join(", "));
        }
    }
    annotations(&template["metadata"]["annotations"], judged);
}

/// Capabilities beyond those that are allowed; a list that is no list is refused as well.
fn added_capabilities(at: &str, context: &Value, allowed: &[&str], judged: &mut Judged) {
    let added = &context["capabilities"]["add"];
    let is_allowed = |name: &Value| name.as_str().is_some_and(|name| allowed.contains(&name));
    let fine = match added {
        Value::Null => true,
        Value::Array(names) => names.iter().all(is_allowed),
        _ => false,
    };
    if !fine {
        judged.refuse(format_args!("{at}.securityContext.capabilities.add"), allowed.join(", "));
    }
}

/// Probes and hooks that ask another host than the pod.
fn hosts(at: &str, container: &Value, judged: &mut Judged) {
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"];
    let probes = probes.map(|probe| (probe.to_owned(), &container[probe]));
    let hooks = ["postStart", "preStop"];
    let hooks = hooks.map(|hook| (format!("lifecycle.{hook}"), &container["lifecycle"][hook]));
    for (name, handler) in probes.into_iter().chain(hooks) {
        for action in ["httpGet", "tcpSocket"] {
            let host = &handler[action]["host"];
            judged.unset_or(host, &[""], format_args!("{at}.{name}.{action}.host"));
        }
    }
}

/// The annotations that were there before the fields for AppArmor and seccomp, and that some clusters still honour.
fn annotations(annotations: &Value, judged: &mut Judged) {
    const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
    const SECCOMP: [&str; 2] = [
        "seccomp.security.alpha.kubernetes.io/pod",
        "container.seccomp.security.alpha.kubernetes.io/",
    ];
    for (key, value) in annotations.as_object().into_iter().flatten() {
        let seccomp = SECCOMP.iter().any(|name| key.starts_with(name));
        if !seccomp && !key.starts_with(APP_ARMOR) {
            continue;
        }
        let value = value.as_str().unwrap_or_default();
        let is_fine = ["", "runtime/default"].contains(&value)
            || value.starts_with("localhost/")
            || (seccomp && value == "docker/default");
        if !is_fine {
            judged.refuse(
                format_args!("metadata.annotations[{key}]"),
                "runtime/default, localhost/*",
            );
        }
    }
}

/// The kinds of volumes that a restricted pod may have.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn restricted(spec: &Value, judged: &mut Judged) {
    for (index, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        let kinds = volume.as_object().into_iter().flatten();
        let kinds = kinds.filter(|(key, value)| *key != "name" && !value.is_null());
        for (kind, _) in kinds.filter(|(kind, _)| !VOLUMES.contains(&kind.as_str())) {
            judged.refuse(format_args!("spec.volumes[{index}].{kind}"), VOLUMES.join(", "));
        }
    }
    let windows = spec["os"]["name"] == "windows";
    let pod = &spec["securityContext"];
    let seccomp = |context: &Value| {
        let profile = context["seccompProfile"]["type"].as_str();
        profile.is_some_and(|profile| ["RuntimeDefault", "Localhost"].contains(&profile))
    };
    for (at, container) in containers(spec) {
        let context = &container["securityContext"];
        let at = format!("{at}.securityContext");
        if !windows {
            if context["allowPrivilegeEscalation"] != Value::Bool(false) {
                judged.refuse(format_args!("{at}.allowPrivilegeEscalation"), "false");
            }
            let drops = context["capabilities"]["drop"].as_array().into_iter().flatten();
            if !drops.into_iter().any(|name| name == "ALL") {
                judged.refuse(format_args!("{at}.capabilities.drop"), "a list with ALL");
            }
            let at = at.strip_suffix(".securityContext").unwrap_or(&at);
            added_capabilities(at, context, &["NET_BIND_SERVICE"], judged);
            if context["seccompProfile"]["type"].is_null() && !seccomp(pod) {
                judged.refuse(
                    format_args!("{at}.securityContext.seccompProfile.type"),
                    "RuntimeDefault, Localhost",
                );
            }
        }
        let not_root = match &context["runAsNonRoot"] {
            Value::Null => pod["runAsNonRoot"] == Value::Bool(true),
            own => *own == Value::Bool(true),
        };
        if !not_root {
            judged.refuse(format_args!("{at}.runAsNonRoot"), "true");
        }
    }
    if pod["runAsNonRoot"] == Value::Bool(false) {
        judged.refuse("spec.securityContext.runAsNonRoot", "true");
    }
    for (at, context) in contexts(spec) {
        let user = &context["runAsUser"];
        if !(user.is_null() || user.as_i64().is_some_and(|user| user != 0)) {
            judged.refuse(format_args!("{at}.runAsUser"), "any but 0");
        }
    }
}
