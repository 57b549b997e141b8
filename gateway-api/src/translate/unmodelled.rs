//! What of the objects is not modelled.

use std::sync::Arc;

use super::output::Output;
use crate::ObjectRef;
use crate::snapshot::Snapshot;

/// Notes what of the objects is not modelled.
pub(super) fn note(snapshot: &Snapshot, output: &mut Output) {
    for (reference, route) in snapshot.routes.iter() {
        for field in &route.unknown {
            let object = ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name);
            let words =
                format!("{field} is not known to the CustomResourceDefinition and is not stored");
            output.note(&Arc::new(object), words);
        }
    }
    for object in snapshot.others() {
        let words =
            format!("{} is not modelled: what it does to requests is not judged", object.kind);
        output.note(&Arc::new(object), words);
    }
}
