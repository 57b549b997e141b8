//! Files with secrets in them.

use std::{fs::File, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::{Context as _, Result};

/// Writes a file that only its owner may read.
pub(super) fn write(path: &Path, content: &str) -> Result<()> {
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
