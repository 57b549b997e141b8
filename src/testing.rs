//! What several tests of this crate start from.

use std::sync::Arc;

use coalmine_core::tree::Tree;
use coalmine_core::values::{Repository, Service};

/// The service `echo` of a good values file.
#[track_caller]
pub(crate) fn service(values: &str) -> Service {
    let files = [("services/echo.yaml".to_owned(), values.into())].into();
    let mut repository = Repository::parse(&Tree { revision: "local".into(), files });
    let (_, outcome) = repository.services.pop_first().expect("the file is a service");
    Arc::unwrap_or_clone(outcome.unwrap_or_else(|problems| panic!("{problems:#?}")))
}
