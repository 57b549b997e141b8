//! Migrations of the articles' objects, and of others.

mod accepted;
mod articles;
mod carried;
mod converter;
mod delegation;
mod options;
mod properties;
mod reports;
mod silence;
mod values;

use std::collections::BTreeMap;

use super::{Form, Kind, Migration, Sources, Target, migrate};
use crate::values::{GatewayRef, Profile};

fn target(profile: Profile) -> Target {
    let (name, namespace) = ("edge".to_owned(), Some("infra".to_owned()));
    let gateway = GatewayRef { name, namespace, section_name: None };
    Target { profile, gateway, form: Form::GatewayApi }
}

fn sources(text: &str) -> Sources {
    let files = BTreeMap::from([("gloo.yaml".to_owned(), text.as_bytes().to_vec())]);
    Sources::of_files(&files, "default").unwrap()
}

fn valued(text: &str, profile: Profile) -> Migration {
    migrate(&sources(text), &Target { form: Form::Values, ..target(profile) })
}

fn migrated(text: &str, profile: Profile) -> Migration {
    migrate(&sources(text), &target(profile))
}

fn kinds(migration: &Migration) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = migration.differences.iter().map(|it| it.kind).collect();
    kinds.dedup();
    kinds
}

/// The written object with this kind and name.
fn object<'a>(migration: &'a Migration, kind: &str, name: &str) -> &'a serde_json::Value {
    let named = |it: &&serde_json::Value| it["kind"] == kind && it["metadata"]["name"] == name;
    migration
        .objects
        .iter()
        .find(named)
        .unwrap_or_else(|| panic!("no {kind} {name} in {}", serde_json::json!(migration.objects)))
}
