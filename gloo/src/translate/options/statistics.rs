use serde_json::{Map, Value};

use crate::code::Code;
use crate::translate::mistake::Mistake;

/// Virtual clusters need a name and a pattern (gloo-conformance case 19-virtual-host-options).
pub(super) fn of_virtual_host(options: &Map<String, Value>) -> Result<(), Mistake> {
    let clusters = options.get("stats").and_then(|stats| stats.get("virtualClusters"));
    for cluster in clusters.and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| cluster.get(name).and_then(Value::as_str).unwrap_or_default();
        let missing = ["name", "pattern"].into_iter().find(|field| text(field).is_empty());
        if let Some(field) = missing {
            let name = text("name");
            let words = format!("failed to process virtual cluster [{name}]: {field} is required");
            return Err(Mistake::new(Code::InvalidStatistics, words));
        }
    }
    Ok(())
}
