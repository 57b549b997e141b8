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

/// Images by reference, and by repository where every tag and digest of one is the same image.
#[derive(Clone, Debug, Default)]
pub struct Images {
    named: BTreeMap<String, Image>,
    stand_in: Option<PathBuf>,
}

impl Images {
    /// The images of our beds:
    /// - `hashicorp/http-echo`: our own program of that name;
    /// - `scottcranton/petstore:v1` and `:v2`: our own program `petstore`;
    /// - `coalmine/crash`: ends with status 1 at once;
    /// - `coalmine/slow`: http-echo that begins to listen after 5 seconds.
    pub fn standard(http_echo: &Path, petstore: &Path) -> Self {
        let shell = |script: &str| Image {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into(), http_echo.display().to_string()],
        };
        let petstore = |version: &str| {
            let image = Image { program: petstore.to_owned(), args: vec![version.into()] };
            (format!("scottcranton/petstore:{version}"), image)
        };
        let echo = Image { program: http_echo.to_owned(), args: Vec::new() };
        let named = BTreeMap::from([
            ("hashicorp/http-echo".to_owned(), echo),
            petstore("v1"),
            petstore("v2"),
            ("coalmine/crash".to_owned(), shell("echo this image always fails >&2; exit 1")),
            ("coalmine/slow".to_owned(), shell("sleep 5; exec \"$0\" \"$@\"")),
        ]);
        Self { named, stand_in: None }
    }

    /// Our http-echo in place of every image there is, so that somebody else's services can be rolled out
    /// where their images are not. Whatever a container is told, it answers `version:<app>-<version>`, by the
    /// labels of its pod.
    pub fn stand_in(http_echo: &Path) -> Self {
        Self { named: BTreeMap::new(), stand_in: Some(http_echo.to_owned()) }
    }

    /// The program in place of every image.
    pub(super) fn for_all(&self) -> Option<&Path> {
        self.stand_in.as_deref()
    }

    /// Every image, by its repository.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Image)> {
        self.named.iter().map(|(repository, image)| (repository.as_str(), image))
    }

    /// The image of a reference such as `hashicorp/http-echo:1.0`; `None` when nothing
    /// stands for it.
    pub fn find(&self, reference: &str) -> Option<&Image> {
        self.named.get(reference).or_else(|| self.named.get(repository(reference)))
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

    fn images() -> Images {
        Images::standard(Path::new("/bin/http-echo"), Path::new("/bin/petstore"))
    }

    #[test]
    fn a_tag_can_be_an_image_of_its_own() {
        let args = |reference| images().find(reference).map(|image| image.args.clone());
        assert_eq!(args("scottcranton/petstore:v2"), Some(vec!["v2".to_owned()]));
        assert_eq!(args("scottcranton/petstore:v3"), None);
    }

    #[test]
    fn every_tag_and_digest_of_a_repository_is_the_same_image() {
        let images = images();
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
        let images = images();
        for reference in ["nginx", "example.com:5000/hashicorp/http-echo", "hashicorp/http-ecko"] {
            assert_eq!(images.find(reference), None, "{reference}");
        }
    }
}
