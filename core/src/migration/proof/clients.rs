//! What the headers of an answer become on the way to the client.

use std::collections::BTreeSet;

use gloo::config::HeaderEdits as GlooEdits;

/// Changes of an answer's headers: what is removed, then what is put in place, then what is added.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Edits {
    pub(super) remove: Vec<String>,
    pub(super) set: Vec<(String, String)>,
    pub(super) add: Vec<(String, String)>,
}

impl Edits {
    /// Those of a Gloo route, or of its virtual host.
    pub(super) fn of_gloo(edits: &GlooEdits) -> Self {
        let added = |overwrite: bool| {
            let all = edits.response_add.iter().filter(move |edit| edit.overwrite == overwrite);
            all.map(|edit| (edit.name.clone(), edit.value.clone())).collect()
        };
        Self { remove: edits.response_remove.clone(), set: added(true), add: added(false) }
    }

    /// Those of the new gateway.
    pub(super) fn of_gateway(edits: &gateway_api::config::HeaderEdits) -> Self {
        let added = |append: bool| {
            let all = edits.add.iter().filter(move |edit| edit.append == append);
            all.map(|edit| (edit.name.clone(), edit.value.replace("%%", "%"))).collect()
        };
        Self { remove: edits.remove.clone(), set: added(false), add: added(true) }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let added = self.set.iter().chain(&self.add).map(|(name, _)| name);
        self.remove.iter().chain(added).map(|name| name.to_ascii_lowercase())
    }

    fn apply(&self, headers: &mut Vec<(String, String)>) {
        let gone = self.remove.iter().chain(self.set.iter().map(|(name, _)| name));
        let gone: Vec<&String> = gone.collect();
        headers.retain(|(name, _)| !gone.iter().any(|it| it.eq_ignore_ascii_case(name)));
        let added = self.set.iter().chain(&self.add);
        headers.extend(added.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    }
}

/// The headers that a client gets now and afterwards, of those that one of the two changes, if they differ. Each has its
/// changes, in order, for every backend.
pub(super) fn differing(
    before: &[Vec<Edits>],
    after: &[Vec<Edits>],
    comes_from_pods: bool,
) -> Option<(String, String)> {
    let levels = || before.iter().chain(after).flatten();
    let names: BTreeSet<String> = levels().flat_map(Edits::names).collect();
    // A pod answers with all of them, a redirect with none.
    let of_pods = names.into_iter().map(|name| (name, "as the pod says".to_owned()));
    let of_pods: Vec<_> = of_pods.filter(|_| comes_from_pods).collect();
    let got = |levels: &[Edits]| {
        let mut headers = of_pods.clone();
        levels.iter().for_each(|edits| edits.apply(&mut headers));
        headers.sort();
        headers
    };
    let shown = |headers: &[(String, String)]| {
        let lines = headers.iter().map(|(name, value)| format!("{name}: {value}"));
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() { "none of these headers".to_owned() } else { lines.join(", ") }
    };
    for one in before.iter().map(|levels| got(levels)) {
        for other in after.iter().map(|levels| got(levels)) {
            if one != other {
                return Some((shown(&one), shown(&other)));
            }
        }
    }
    None
}
