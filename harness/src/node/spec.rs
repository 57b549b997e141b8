//! What a container's spec means for a process.

use std::{collections::BTreeMap, ffi::OsString, net::Ipv4Addr, time::Duration};

use k8s_openapi::{
    api::core::v1::{Container, EnvVar, Pod},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt as _;

use super::{images::Image, options::NodeOptions};
use crate::process::Program;

/// Why a container cannot be started: what its `waiting` state says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// The program that a container is.
pub(super) fn program(
    options: &NodeOptions,
    pod: &Pod,
    container: &Container,
    address: Ipv4Addr,
) -> Result<Program, Refusal> {
    let namespace = pod.namespace().unwrap_or_default();
    let mut env = BTreeMap::from([
        ("POD_NAME".to_owned(), pod.name_any()),
        ("POD_NAMESPACE".to_owned(), namespace.clone()),
        ("POD_IP".to_owned(), address.to_string()),
        ("HOSTNAME".to_owned(), pod.name_any()),
    ]);
    let name = format!("{namespace}_{}_{}", pod.name_any(), container.name);
    if let Some(stand_in) = options.images.for_all() {
        let program = Program::new(&name, stand_in, &options.logs);
        let env = env.into_iter().collect();
        return Ok(Program { args: of_stand_in(pod, container), env, ..program });
    }
    let reference = container.image.as_deref().unwrap_or_default();
    let image = options.images.find(reference).ok_or_else(|| Refusal {
        reason: "ErrImagePull",
        message: format!("no program of the process node stands for the image {reference:?}"),
    })?;
    for variable in container.env.iter().flatten() {
        let value = value(variable, pod, address).ok_or_else(|| Refusal {
            reason: "CreateContainerConfigError",
            message: format!(
                "env {}: the process node knows values and the fieldRefs metadata.name, \
                 metadata.namespace, metadata.uid, status.podIP, spec.nodeName",
                variable.name
            ),
        })?;
        let value = expand(&value, &env);
        env.insert(variable.name.clone(), value);
    }
    let args = arguments(image, container)
        .map_err(|message| Refusal { reason: "RunContainerError", message })?;
    let mut program = Program::new(&name, &image.program, &options.logs);
    program.args = args.iter().map(|arg| expand(arg, &env).into()).collect();
    program.env = env.into_iter().collect();
    Ok(program)
}

/// Where the container would listen, and which version its pod is of.
fn of_stand_in(pod: &Pod, container: &Container) -> Vec<OsString> {
    let label = |name: &str| pod.labels().get(name).cloned().unwrap_or_default();
    let port = container.ports.iter().flatten().next().map_or(8080, |port| port.container_port);
    let text = format!("-text=version:{}-{}", label("app"), label("version"));
    vec![format!("-listen=:{port}").into(), text.into()]
}

/// `command` replaces the image's entry point, which we can follow only when it is that very
/// program; `args` come after.
fn arguments(image: &Image, container: &Container) -> Result<Vec<String>, String> {
    let mut args = image.args.clone();
    let mut command = container.command.iter().flatten();
    if let Some(first) = command.next() {
        let named = first.rsplit('/').next();
        if named != image.program.file_name().and_then(|name| name.to_str()) {
            return Err(format!("exec: {first:?}: not in the image, as the process node knows it"));
        }
        args.extend(command.cloned());
    }
    args.extend(container.args.iter().flatten().cloned());
    Ok(args)
}

fn value(variable: &EnvVar, pod: &Pod, address: Ipv4Addr) -> Option<String> {
    let Some(source) = &variable.value_from else {
        return Some(variable.value.clone().unwrap_or_default());
    };
    match source.field_ref.as_ref()?.field_path.as_str() {
        "metadata.name" => Some(pod.name_any()),
        "metadata.namespace" => pod.namespace(),
        "metadata.uid" => pod.uid(),
        "status.podIP" => Some(address.to_string()),
        "spec.nodeName" => pod.spec.as_ref()?.node_name.clone(),
        _ => None,
    }
}

/// Replaces `$(NAME)` by the variable's value; `$$` stands for `$`, an unknown name stays as it is.
fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let name = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((value, after)) =
            name.and_then(|(name, after)| Some((env.get(name)?, after)))
        {
            expanded.push_str(value);
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded + rest
}

/// A port by number, or by the name the container gives it.
pub(super) fn port(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports.find(|port| port.name.as_ref() == Some(name))?.container_port
        }
    };
    number.try_into().ok()
}

/// How long a container runs on after its end was decided: its `preStop` sleep.
pub(super) fn drain(container: &Container) -> Duration {
    let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
    seconds(hook.and_then(|hook| hook.sleep.as_ref()).map_or(0, |sleep| sleep.seconds))
}

/// Seconds as the API has them; negative ones count as none.
pub(super) fn seconds(value: i64) -> Duration {
    Duration::from_secs(value.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{images::Images, restart::BackOff};
    use super::*;

    #[test]
    fn variables_are_put_in_where_they_are_known() {
        let env = BTreeMap::from([("NAME".to_owned(), "echo".to_owned())]);
        for (text, expanded) in [
            ("-text=$(NAME)!", "-text=echo!"),
            ("$(OTHER) $NAME $", "$(OTHER) $NAME $"),
            ("$$(NAME)", "$(NAME)"),
            ("$(NAME", "$(NAME"),
        ] {
            assert_eq!(expand(text, &env), expanded);
        }
    }

    #[test]
    fn whatever_a_container_is_its_stand_in_says_the_version_where_it_would_listen() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "labels": {"app": "shop", "version": "v3"}}}))
        .unwrap();
        let container: Container =
            serde_json::from_value(json!({"name": "c", "image": "their/shop",
            "command": ["/shop"], "ports": [{"name": "http", "containerPort": 9090}],
            "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}))
            .unwrap();
        let images = Images::stand_in("/http-echo".as_ref());
        let (name, back_off) = (String::new(), BackOff::default());
        let options = NodeOptions { name, images, logs: "/logs".into(), back_off };
        let program = program(&options, &pod, &container, Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(program.executable.to_str(), Some("/http-echo"));
        assert_eq!(program.args, ["-listen=:9090", "-text=version:shop-v3"]);
    }

    #[test]
    fn a_command_must_be_the_images_own_program() {
        let image = Image { program: "/x/http-echo".into(), args: Vec::new() };
        let container = |command: &str| -> Container {
            serde_json::from_value(json!({"name": "c", "command": [command, "-a"], "args": ["-b"]}))
                .unwrap()
        };
        assert_eq!(arguments(&image, &container("/http-echo")).unwrap(), ["-a", "-b"]);
        assert!(arguments(&image, &container("/bin/sleep")).unwrap_err().contains("/bin/sleep"));
    }

    #[test]
    fn a_port_is_found_by_number_and_by_name() {
        let container: Container = serde_json::from_value(
            json!({"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}),
        )
        .unwrap();
        assert_eq!(port(&container, &IntOrString::Int(81)), Some(81));
        assert_eq!(port(&container, &IntOrString::String("http".into())), Some(8080));
        assert_eq!(port(&container, &IntOrString::String("grpc".into())), None);
    }
}
