//! Which local program stands for an image.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The program of an image, as its ENTRYPOINT would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The executable.
    pub program: PathBuf,
    /// Arguments before the container's own.
    pub args: Vec<String>,
}

/// Images by repository; every tag and digest of a repository is the same image.
#[derive(Clone, Debug, Default)]
pub struct Images(BTreeMap<String, Image>);

impl Images {
    /// The images of our beds:
    /// - `hashicorp/http-echo`: our own program of that name;
    /// - `coalmine/crash`: ends with status 1 at once;
    /// - `coalmine/slow`: http-echo that begins to listen after 5 seconds.
    pub fn standard(http_echo: &Path) -> Self {
        let shell = |script: &str| Image {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into(), http_echo.display().to_string()],
        };
        let echo = Image { program: http_echo.to_owned(), args: Vec::new() };
        Self(BTreeMap::from([
            ("hashicorp/http-echo".to_owned(), echo),
            ("coalmine/crash".to_owned(), shell("echo this image always fails >&2; exit 1")),
            ("coalmine/slow".to_owned(), shell("sleep 5; exec \"$0\" \"$@\"")),
        ]))
    }

    /// The image of a reference such as `hashicorp/http-echo:1.0`; `None` when nothing
    /// stands for it.
    pub fn find(&self, reference: &str) -> Option<&Image> {
        self.0.get(repository(reference))
    }
}

/// A reference without tag and digest.
fn repository(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        // A colon before a slash belongs to a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_and_digest_of_a_repository_is_the_same_image() {
        let images = Images::standard(Path::new("/bin/http-echo"));
        for reference in [
            "hashicorp/http-echo",
            "hashicorp/http-echo:latest",
            "hashicorp/http-echo:1.0@sha256:abc",
            "hashicorp/http-echo@sha256:abc",
        ] {
            let image = images.find(reference).unwrap_or_else(|| panic!("{reference}"));
            assert_eq!(image.program, Path::new("/bin/http-echo"));
        }
    }

    #[test]
    fn nothing_stands_for_an_image_that_is_not_listed() {
        let images = Images::standard(Path::new("/bin/http-echo"));
        for reference in ["nginx", "example.com:5000/hashicorp/http-echo", "hashicorp/http-ecko"] {
            assert_eq!(images.find(reference), None, "{reference}");
        }
    }
}
