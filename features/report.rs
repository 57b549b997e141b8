//! What the suite says: to people on the terminal, to programs in `target/reports/`.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cucumber::writer::{self, Basic, Coloring, JUnit, Json, Verbosity};
use cucumber::{Writer, WriterExt as _};

use crate::world::World;

/// What a run needs of a writer.
pub(crate) trait Reports:
    Writer<World, Cli: Default> + writer::Stats<World> + writer::Normalized + 'static
{
}

impl<W> Reports for W where
    W: Writer<World, Cli: Default> + writer::Stats<World> + writer::Normalized + 'static
{
}

#[allow(dead_code, reason = "the suite uses it")]
/// The terminal, `features.junit.xml` and `features.json`.
///
/// # Errors
/// The disk's.
pub(crate) fn writer() -> Result<impl Reports> {
    let folder = folder("reports")?;
    let file = |name: &str| {
        let path = folder.join(name);
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))
    };
    let junit = JUnit::for_tee(file("features.junit.xml")?, Verbosity::Default);
    let json = Json::for_tee(file("features.json")?);
    let terminal = Basic::raw(io::stdout(), Coloring::Auto, Verbosity::Default).summarized();
    Ok(terminal.tee::<World, _>(junit).tee::<World, _>(json).normalized())
}

/// Nobody hears it.
#[allow(dead_code, reason = "the mutations use it")]
pub(crate) fn silence() -> impl Reports {
    Basic::raw(io::sink(), Coloring::Never, Verbosity::Default).summarized().normalized()
}

/// A folder beside what cargo builds.
///
/// # Errors
/// The disk's.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    let built = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = built.parent().context("cargo builds into a folder")?.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
