//! What is legal in a service's values and probably not meant.

use std::fmt;
use std::sync::Arc;

use super::layout::SETTINGS_FILE;
use super::yaml;
use crate::problem::Location;
use crate::tree::Tree;

/// Something that is legal in a service's values and probably not meant. `Display` is `key: what`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The names of the keys that lead to it.
    key: Vec<String>,
    words: String,
}

impl Remark {
    /// What is said of the value under these keys.
    pub(crate) fn new<K: ToString>(key: impl IntoIterator<Item = K>, words: String) -> Self {
        Self { key: key.into_iter().map(|name| name.to_string()).collect(), words }
    }

    /// The remark as errors are written, `file:line:column: key: what`: with the place of the key in the service's own
    /// file, or in the defaults of coalmine.yaml where that does not have it.
    pub fn located(&self, own_file: &str, tree: &Tree) -> String {
        let Location { file, line, column, .. } = self.place(own_file, tree);
        format!("{file}:{line}:{column}: {self}")
    }

    fn place(&self, own_file: &str, tree: &Tree) -> Location {
        let own: Vec<&str> = self.key.iter().map(String::as_str).collect();
        let (nearest, is_it) = follow(own_file, &own, tree);
        if is_it {
            return nearest;
        }
        // The defaults of a version are those of all.
        let below = match own.as_slice() {
            ["deployment", _, rest @ ..] => [&["defaults", "deployment"], rest].concat(),
            rest => [&["defaults"], rest].concat(),
        };
        match follow(SETTINGS_FILE, &below, tree) {
            (place, true) => place,
            _ => nearest,
        }
    }
}

/// Where the key stands in the file, or the last of the keys above it that is there; and whether it is the key itself.
fn follow(path: &str, keys: &[&str], tree: &Tree) -> (Location, bool) {
    let name: Arc<str> = path.into();
    let start = Location::start_of(&name);
    let content = tree.files.get(path).map_or(&[][..], |file| file.content());
    let Ok((documents, _)) = yaml::documents(&name, content) else { return (start, false) };
    let Some(mut node) = documents.first() else { return (start, false) };
    let mut place = start;
    for key in keys {
        let Some((at, below)) = node.entry(key) else { return (place, false) };
        (place, node) = (at.at.clone(), below);
    }
    (place, true)
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key.join("."), self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Repository;

    #[test]
    fn a_remark_names_the_line_of_its_key_wherever_that_stands() {
        let files = [
            ("coalmine.yaml", "defaults:\n  deployment:\n    replicas: 0\n"),
            (
                "services/echo.yaml",
                "deployment:\n  1.4.2:\n  1.4.3: {replicas: 0}\nroutes:\n  apiGroup: a\n  primary:\n    version: 1.4.2\n  \
                 canary:\n    version: 1.4.3\n    headers:\n      stage: {regex: ^beta}\n",
            ),
        ];
        let files = files.map(|(path, content)| (path.to_owned(), content.into())).into();
        let tree = Tree { revision: "r".into(), files };
        let repository = Repository::parse(&tree);
        let echo = repository.services["echo"].as_ref().expect("valid");
        let places: Vec<String> = echo
            .warnings()
            .iter()
            .map(|remark| remark.located(&echo.file, &tree))
            .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": "))
            .collect();
        assert_eq!(
            places,
            [
                "coalmine.yaml:3:5: deployment.1.4.2.replicas",
                "services/echo.yaml:3:11: deployment.1.4.3.replicas",
                "services/echo.yaml:11:7: routes.canary.headers.stage",
            ]
        );
        let nowhere = Remark::new(["deployment", "1.4.3", "image"], "it leaves".to_owned());
        let line = nowhere.located(&echo.file, &tree);
        assert_eq!(line, "services/echo.yaml:3:3: deployment.1.4.3.image: it leaves");
    }
}
