//! Header changes, as Envoy Gateway hands them to Envoy.

use super::fault::Fault;
use crate::api::{HeaderModifier, HeaderValue};
use crate::config::{HeaderEdit, HeaderEdits};

/// Adds the changes of a filter. Of several changes of one header the first counts; what cannot be is left out and said.
pub(super) fn merge(spec: Option<&HeaderModifier>, edits: &mut HeaderEdits) -> Option<Fault> {
    let spec = spec?;
    let mut faults = Vec::new();
    let added = spec.add.iter().map(|it| (it, true));
    for (header, append) in added.chain(spec.set.iter().map(|it| (it, false))) {
        if let Some(fault) = fault(header) {
            faults.push(fault);
            continue;
        }
        let known = |it: &HeaderEdit| it.name.eq_ignore_ascii_case(&header.name);
        if !edits.add.iter().any(known) {
            let (name, value) = (header.name.clone(), header.value.clone());
            edits.add.push(HeaderEdit { name, value, append });
        }
    }
    for name in &spec.remove {
        if !is_modifiable(name) {
            faults.push(format!("Header: {name:?}. The filter cannot remove it."));
            continue;
        }
        if !edits.remove.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            edits.remove.push(name.clone());
        }
    }
    let empty = spec.add.is_empty() && spec.set.is_empty() && spec.remove.is_empty();
    if edits.is_empty() && !empty {
        faults = vec!["The filter did not provide valid configuration for any headers".into()];
    }
    let words = faults.join("\n");
    (!faults.is_empty()).then(|| Fault::new("Accepted", "UnsupportedValue", words))
}

fn fault(header: &HeaderValue) -> Option<String> {
    if !is_modifiable(&header.name) {
        return Some(format!("Header: {:?}. The filter cannot change it.", header.name));
    }
    (!is_value(&header.value)).then(|| format!("Header: {:?}. The value is invalid.", header.name))
}

fn is_modifiable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', ':']) && !name.eq_ignore_ascii_case("host")
}

/// Visible letters, with single spaces or tabs between them.
fn is_value(value: &str) -> bool {
    let words = value.split([' ', '\t']);
    words.into_iter().all(|word| !word.is_empty() && word.bytes().all(|c| c.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_visible_letters_and_single_spaces() {
        for good in ["a", "a b", "a\tb", "50%", "{}"] {
            assert!(is_value(good), "{good:?}");
        }
        for bad in ["", " a", "a ", "a  b", "ä", "a\nb"] {
            assert!(!is_value(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_first_change_of_a_header_counts() {
        let header =
            |name: &str, value: &str| HeaderValue { name: name.into(), value: value.into() };
        let spec = HeaderModifier {
            add: vec![header("a", "1"), header("A", "2")],
            set: vec![header("a", "3"), header("host", "x")],
            remove: vec!["b".into(), "B".into()],
        };
        let mut edits = HeaderEdits::default();
        let fault = merge(Some(&spec), &mut edits).expect("the host cannot be changed");
        assert_eq!((fault.kind, fault.reason), ("Accepted", "UnsupportedValue"));
        let added = HeaderEdit { name: "a".into(), value: "1".into(), append: true };
        assert_eq!(edits, HeaderEdits { remove: vec!["b".into()], add: vec![added] });
    }
}
