//! Which version an answer is from.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The version that an answer names, for example `echo-v1` of `version:echo-v1`. An `x-pod` header
/// (`namespace/name`) must belong to it: the pods of version v1 are called `<service>-v1-...`, those of 1.4.2
/// `<service>-1-4-2-...`.
pub(super) fn version(body: &str, pod: Option<&str>) -> Result<String> {
    let Some(version) = body.trim().strip_prefix("version:").map(str::trim) else {
        return of_pets(body).map(str::to_owned).context("the answer names no version");
    };
    let Some((_, name)) = pod.and_then(|pod| pod.split_once('/')) else {
        return Ok(version.to_owned());
    };
    let named = version.to_ascii_lowercase().replace(['.', '_'], "-");
    let fits = name.starts_with(&format!("{named}-")) || name.contains(&format!("-{named}-"));
    if !fits {
        bail!("the answer says {version}, but it comes from pod {name}");
    }
    Ok(version.to_owned())
}

/// The pet store of the 2019 articles tells its versions apart by the status of its pets.
fn of_pets(body: &str) -> Option<&'static str> {
    let pets: Value = serde_json::from_str(body).ok()?;
    let pet = pets.get(0).unwrap_or(&pets);
    let status = pet.get("status")?.as_str()?;
    Some(if status == "v2" { "petstore-v2" } else { "petstore-v1" })
}
