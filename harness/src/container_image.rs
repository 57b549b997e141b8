//! Container images without a registry: archives as `docker save` makes them, which every engine
//! can load.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header, HeaderMode};

/// Files of an image, as a tar file.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    path: PathBuf,
    /// SHA-256 in hexadecimal digits; also kept in a file beside the layer.
    digest: String,
}

/// What a layer is filled through. Owners, times and special bits are not taken over.
pub(crate) type Files = Builder<Hashed>;

impl Layer {
    /// Writes the layer `path` with what `fill` adds.
    pub(crate) fn write(path: &Path, fill: impl FnOnce(&mut Files) -> Result<()>) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
        let out = Hashed { file: BufWriter::new(file), hash: Sha256::new() };
        let mut files = Builder::new(out);
        files.mode(HeaderMode::Deterministic);
        files.follow_symlinks(false);
        fill(&mut files)?;
        let mut out = files.into_inner()?;
        out.flush()?;
        let digest = hexadecimal(&out.hash.finalize());
        fs::write(digest_of(path), &digest)?;
        Ok(Self { path: path.to_owned(), digest })
    }

    /// A layer that was written before.
    #[cfg(any(test, feature = "containers"))]
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let digest = fs::read_to_string(digest_of(path));
        let digest = digest.with_context(|| format!("{} is no layer", path.display()))?;
        Ok(Self { path: path.to_owned(), digest })
    }

    fn name(&self) -> String {
        format!("{}.tar", self.digest)
    }
}

/// An image of an archive. All images of an archive have the same layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    /// `repository:tag`, any number of them.
    pub(crate) names: Vec<String>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) volumes: Vec<&'static str>,
}

impl Image {
    fn config(&self, layers: &[Layer]) -> Value {
        let digests: Vec<String> =
            layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect();
        let volumes: serde_json::Map<String, Value> =
            self.volumes.iter().map(|path| ((*path).to_owned(), json!({}))).collect();
        json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Cmd": self.command,
                "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                "Volumes": volumes,
            },
            "rootfs": {"type": "layers", "diff_ids": digests},
            "history": layers.iter().map(|_| json!({"created_by": "harness"})).collect::<Vec<_>>(),
        })
    }
}

/// Writes the archive `path` with these images.
pub(crate) fn write_archive(path: &Path, layers: &[Layer], images: &[Image]) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    let mut archive = Builder::new(BufWriter::new(file));
    for layer in layers {
        archive.append_path_with_name(&layer.path, layer.name())?;
    }
    let mut manifest = Vec::new();
    for image in images {
        let config = image.config(layers).to_string();
        let name = format!("{}.json", hexadecimal(&Sha256::digest(&config)));
        append(&mut archive, &name, config.as_bytes(), 0o644)?;
        manifest.push(json!({
            "Config": name,
            "RepoTags": image.names,
            "Layers": layers.iter().map(Layer::name).collect::<Vec<_>>(),
        }));
    }
    append(&mut archive, "manifest.json", Value::from(manifest).to_string().as_bytes(), 0o644)?;
    archive.into_inner()?.flush()?;
    Ok(())
}

/// Adds one file with this content.
pub(crate) fn append(
    files: &mut Builder<impl Write>,
    path: &str,
    content: &[u8],
    mode: u32,
) -> Result<()> {
    append_from(files, path, content, content.len() as u64, mode)
}

/// Adds a program, found on this machine.
pub(crate) fn append_program(
    files: &mut Builder<impl Write>,
    path: &str,
    program: &Path,
) -> Result<()> {
    let file = File::open(program).with_context(|| format!("cannot read {}", program.display()))?;
    let size = file.metadata()?.len();
    append_from(files, path, file, size, 0o755)
}

fn append_from(
    files: &mut Builder<impl Write>,
    path: &str,
    content: impl Read,
    size: u64,
    mode: u32,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(mode);
    files.append_data(&mut header, path, content).with_context(|| format!("cannot add {path}"))
}

/// The machine's architecture in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn digest_of(layer: &Path) -> PathBuf {
    layer.with_extension("sha256")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file, and the digest of what was written to it.
#[derive(Debug)]
pub(crate) struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(archive: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(File::open(archive).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().to_string_lossy().into_owned(), content)
        });
        entries.collect()
    }

    #[test]
    fn every_image_of_an_archive_names_its_config_and_its_layers_by_their_digests() {
        let folder = tempfile::tempdir().unwrap();
        let layer = folder.path().join("layer.tar");
        let fill = |files: &mut Files| append(files, "bin/program", b"content", 0o755);
        let layer = Layer::write(&layer, fill).unwrap();
        let image = |name: &str| Image { names: vec![name.into()], ..Image::default() };
        let path = folder.path().join("archive.tar");
        write_archive(&path, &[layer], &[image("a:1"), image("b:1")]).unwrap();

        let files = read(&path);
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"], json!(["a:1"]));
        assert_eq!(manifest[1]["RepoTags"], json!(["b:1"]));
        for image in manifest.as_array().unwrap() {
            let layer = image["Layers"][0].as_str().unwrap();
            let config: Value =
                serde_json::from_slice(&files[image["Config"].as_str().unwrap()]).unwrap();
            let digest = hexadecimal(&Sha256::digest(&files[layer]));
            assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{digest}")]));
        }
    }

    #[test]
    fn a_layer_that_was_written_before_is_the_same_layer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("layer.tar");
        let written = Layer::write(&path, |_| Ok(())).unwrap();
        assert_eq!(Layer::open(&path).unwrap().digest, written.digest);
        assert!(Layer::open(&folder.path().join("other.tar")).is_err());
    }
}
