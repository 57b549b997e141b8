//! The images of the pods of [`super::offline`], from the programs that were built last.

use std::path::Path;

use anyhow::Result;

use crate::{
    container_image::{self, Image, Layer},
    node::Images,
    programs,
};

/// The tags under which an image without a tag of its own is there.
const TAGS: [&str; 2] = ["latest", "1.0"];

/// Writes an archive with all of them; `base` is the layer with a shell, libraries and Envoy.
pub(super) fn write(base: &Path, archive: &Path) -> Result<()> {
    let ours = Layer::write(&archive.with_file_name("programs"), |files| {
        for name in ["http-echo", "petstore", "gateway"] {
            container_image::append_program(files, name, &programs::find(name)?)?;
        }
        Ok(())
    })?;
    container_image::write_archive(archive, &[Layer::open(base)?, ours], &images())
}

fn images() -> Vec<Image> {
    let own: [(&str, &[&str]); 3] = [
        ("coalmine/pause", &["/bin/sleep", "2147483647"]),
        ("coalmine/gateway", &["/gateway"]),
        ("coalmine/envoy", &["/envoy"]),
    ];
    let own = own.map(|(repository, words)| image(repository, words.iter().copied()));
    // What a pod of the local bed can run, it can run here.
    let standard = Images::standard(Path::new("/http-echo"), Path::new("/petstore"));
    let standard = standard.iter().map(|(reference, local)| {
        let program = local.program.to_string_lossy();
        image(reference, [&*program].into_iter().chain(local.args.iter().map(String::as_str)))
    });
    own.into_iter().chain(standard.collect::<Vec<_>>()).collect()
}

/// An image with the tag that it is called by, or with all tags.
fn image<'a>(reference: &str, words: impl Iterator<Item = &'a str>) -> Image {
    let names = match reference.split_once(':') {
        Some(_) => vec![format!("docker.io/{reference}")],
        None => TAGS.iter().map(|tag| format!("docker.io/{reference}:{tag}")).collect(),
    };
    Image { names, entrypoint: words.map(str::to_owned).collect(), ..Image::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_local_bed_has_a_program_for_has_an_image() {
        let images = images();
        let find = |name: &str| images.iter().find(|image| image.names.iter().any(|n| n == name));
        let echo = find("docker.io/hashicorp/http-echo:latest").expect("http-echo");
        assert_eq!(echo.entrypoint, ["/http-echo"]);
        assert!(find("docker.io/hashicorp/http-echo:1.0").is_some());
        let crash = find("docker.io/coalmine/crash:latest").expect("crash");
        assert_eq!(crash.entrypoint[..2], ["/bin/sh", "-c"]);
        let petstore = find("docker.io/scottcranton/petstore:v2").expect("petstore");
        assert_eq!(petstore.entrypoint, ["/petstore", "v2"]);
    }
}
