/// Changes of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Go first.
    pub remove: Vec<String>,
    /// What is set or added, in the order in which Envoy is told.
    pub add: Vec<HeaderEdit>,
}

/// A header that is set or added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderEdit {
    /// The header.
    pub name: String,
    /// The value in Envoy's notation, in which `%` begins a command.
    pub value: String,
    /// It comes after what is there; otherwise it replaces that.
    pub append: bool,
}

impl HeaderEdits {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }

    /// Adds further changes.
    pub fn extend(&mut self, other: &Self) {
        self.remove.extend(other.remove.iter().cloned());
        self.add.extend(other.add.iter().cloned());
    }

    /// Changes headers as Envoy does: what goes, goes first; what replaces comes before what is appended (case
    /// 05-request-headers step 5).
    pub fn apply(&self, headers: &mut Vec<(String, String)>) {
        headers.retain(|(name, _)| !self.remove.iter().any(|it| it.eq_ignore_ascii_case(name)));
        for edit in self.add.iter().filter(|edit| !edit.append) {
            headers.retain(|(name, _)| !edit.name.eq_ignore_ascii_case(name));
            headers.push((edit.name.to_ascii_lowercase(), edit.value.replace("%%", "%")));
        }
        for edit in self.add.iter().filter(|edit| edit.append) {
            headers.push((edit.name.to_ascii_lowercase(), edit.value.replace("%%", "%")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replaces_comes_before_what_is_appended() {
        let edit =
            |value: &str, append| HeaderEdit { name: "X-A".into(), value: value.into(), append };
        let edits = HeaderEdits {
            remove: vec!["X-B".into()],
            add: vec![edit("a", true), edit("50%%", false)],
        };
        let mut headers = vec![("x-a".into(), "1".into()), ("x-b".into(), "2".into())];
        edits.apply(&mut headers);
        let expected = [("x-a", "50%"), ("x-a", "a")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(headers, expected);
    }
}
