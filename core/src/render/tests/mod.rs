//! What services become.

mod article;
mod gateway_api;
mod jwt;
mod objects;
mod properties;

use super::{Owner, Rendered, render};
use crate::traffic::Traffic;
use crate::values::tests::service;

fn owner() -> Owner {
    Owner { instance: "test".into(), revision: "abc123".into() }
}

/// The objects of the service `echo` with these values.
#[track_caller]
fn rendered(values: &str) -> Rendered {
    let service = service(values);
    render(&service, &Traffic::of(&service), &owner())
}

/// The objects as they would be written to a file.
fn yaml(rendered: &Rendered) -> String {
    let documents: Vec<String> =
        rendered.iter().map(|it| serde_yaml::to_string(it.object()).unwrap()).collect();
    documents.join("---\n")
}
