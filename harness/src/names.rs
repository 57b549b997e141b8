//! Names that nobody else has, for a cluster that is not the suite's alone.
//!
//! Features and example values call their services `echo` or `foxtrot`, and a service's namespace, its
//! objects, its path and the text of its pods are called after it. So a suffix on the service's name,
//! wherever it stands, makes all of them unique, and a scenario still says the same.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use regex::{Captures, Regex};

/// Namespaces that are Gloo's or Kubernetes' own.
const SHARED: [&str; 4] = ["gloo-system", "kube-system", "default", "coalmine"];

/// What turns names into our own.
#[derive(Clone, Debug)]
pub struct Names {
    /// Of letters and digits; empty where names stay as they are.
    suffix: String,
}

impl Names {
    /// Names stay as they are.
    pub fn plain() -> Self {
        Self { suffix: String::new() }
    }

    /// Names end with a suffix that no other run has.
    pub fn unique() -> Self {
        let letters = std::iter::repeat_with(fastrand::lowercase).take(5);
        Self { suffix: std::iter::once('x').chain(letters).collect() }
    }

    /// Whether a name has our suffix.
    pub(crate) fn is_ours(&self, name: &str) -> bool {
        !self.suffix.is_empty() && name.contains(&self.suffix)
    }

    /// Writes a copy of `folder` below `target`, in which the names of services and namespaces are our
    /// own; where names stay as they are, gives `folder` itself.
    ///
    /// # Errors
    /// A file that cannot be read, or not be written.
    pub fn localize(&self, folder: &Path, target: &Path) -> Result<PathBuf> {
        if self.suffix.is_empty() {
            return Ok(folder.to_owned());
        }
        let mut files = Vec::new();
        collect(folder, &mut files)?;
        let mut names = BTreeSet::new();
        for (path, text) in &files {
            names.append(&mut mentioned(text));
            names.append(&mut mentioned(&path.to_string_lossy()));
        }
        let rewrite = self.rewriting(&names)?;
        for (path, text) in &files {
            let relative = path.strip_prefix(folder)?.to_string_lossy();
            let path = target.join(rewrite(&relative));
            fs::create_dir_all(path.parent().unwrap_or(target))?;
            fs::write(&path, rewrite(text))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(target.to_owned())
    }

    /// A function that puts the suffix after each of the names.
    fn rewriting(&self, names: &BTreeSet<String>) -> Result<impl Fn(&str) -> String + use<'_>> {
        // The longest first: of names that begin alike only that is the whole.
        let mut names: Vec<_> = names.iter().map(|name| regex::escape(name)).collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        // An image is called as its registry calls it.
        let pattern = format!(r"image: \S+|(^|[^\w-])({})\b", names.join("|"));
        let pattern = Regex::new(&pattern)?;
        let suffix = self.suffix.as_str();
        Ok(move |text: &str| {
            let renamed = pattern.replace_all(text, |found: &Captures<'_>| match found.get(2) {
                Some(_) => format!("{}{suffix}", &found[0]),
                None => found[0].to_owned(),
            });
            renamed.into_owned()
        })
    }
}

/// The text files below a folder.
fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let entries = fs::read_dir(folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension != "rs") {
            let text = fs::read_to_string(&path);
            files.push((
                path.clone(),
                text.with_context(|| format!("cannot read {}", path.display()))?,
            ));
        }
    }
    Ok(())
}

/// The services and namespaces that a text is about.
fn mentioned(text: &str) -> BTreeSet<String> {
    let patterns = [
        r"services/(?:[\w.-]+/)*([a-z0-9-]+)\.yaml",
        r"namespace: ([a-z0-9-]+)",
        r"kind: Namespace\s+metadata:\s*\{?\s*name: ([a-z0-9-]+)",
    ];
    let patterns = patterns.into_iter().filter_map(|pattern| Regex::new(pattern).ok());
    let mut found = BTreeSet::new();
    for pattern in patterns {
        found.extend(pattern.captures_iter(text).map(|captures| captures[1].to_owned()));
    }
    found.retain(|name| !SHARED.contains(&name.as_str()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names { suffix: "xabc".to_owned() }
    }

    fn rewritten(text: &str) -> String {
        let all = mentioned("services/echo.yaml services/team-a/foxtrot.yaml namespace: team-a");
        names().rewriting(&all).unwrap()(text)
    }

    #[test]
    fn every_place_that_means_a_service_gets_its_new_name() {
        for (text, expected) in [
            ("Then echo is Stable", "Then echoxabc is Stable"),
            ("the Deployment echo/echo-v1 is gone", "the Deployment echoxabc/echoxabc-v1 is gone"),
            (
                r#"every request to "/echo" is answered by echo-v1"#,
                r#"every request to "/echoxabc" is answered by echoxabc-v1"#,
            ),
            ("services/team-a/foxtrot.yaml", "services/team-axabc/foxtrotxabc.yaml"),
            (
                "{ref: {name: echo-routes, namespace: echo}}",
                "{ref: {name: echoxabc-routes, namespace: echoxabc}}",
            ),
        ] {
            assert_eq!(rewritten(text), expected);
        }
    }

    #[test]
    fn what_only_sounds_like_a_service_stays() {
        for text in [
            "image: hashicorp/http-echo:1.0",
            "image: example.com/echo",
            "echoes of an-echo, _echo",
            "{name: app, namespace: gloo-system}",
        ] {
            assert_eq!(rewritten(text), text);
        }
    }

    #[test]
    fn a_folder_is_copied_with_its_files_renamed_and_programs_left_out() {
        let [from, to] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        fs::create_dir(from.path().join("services")).unwrap();
        for (file, text) in
            [("services/echo.yaml", "namespace: team\n"), ("a.feature", "echo"), ("x.rs", "echo")]
        {
            fs::write(from.path().join(file), text).unwrap();
        }
        let copy = names().localize(from.path(), to.path()).unwrap();
        assert_eq!(
            fs::read_to_string(copy.join("services/echoxabc.yaml")).unwrap(),
            "namespace: teamxabc\n"
        );
        assert_eq!(fs::read_to_string(copy.join("a.feature")).unwrap(), "echoxabc");
        assert!(!copy.join("x.rs").exists());
        assert_eq!(Names::plain().localize(from.path(), to.path()).unwrap(), from.path());
    }

    #[test]
    fn no_two_runs_have_the_same_names() {
        let (one, other) = (Names::unique(), Names::unique());
        assert_ne!(one.suffix, other.suffix);
        assert!(one.is_ours(&format!("echo{}-v1", one.suffix)) && !one.is_ours("echo"));
        assert!(!Names::plain().is_ours("echo"));
    }
}
