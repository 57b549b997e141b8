//! The documentation, as its readers find it: every command that a page shows in a `console` block is run, page by
//! page, on the local bed, and every link leads somewhere.
//!
//! A block of commands for somebody's own cluster is marked `sh` and is not run. A program of its own kind, because
//! the bed wants a namespace before there are threads. A word after `cargo test --test docs` chooses the pages and
//! tests whose names contain it.

mod links;
mod output;
mod page;
mod scene;
mod session;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use harness::bed::Kind;
use harness::{Bed, BedOptions, Inside, Openings, Progress};

use page::Page;
use scene::{Scene, Stand};

/// Every page with commands, and what its reader has when they begin.
const PAGES: [(&str, Stand); 10] = [
    ("README.md", Stand::Followed),
    ("docs/tutorial.md", Stand::Demo),
    ("docs/howto/first-service.md", Stand::Followed),
    ("docs/howto/team.md", Stand::Followed),
    ("docs/howto/rollback.md", Stand::Followed),
    ("docs/howto/helm.md", Stand::Followed),
    ("docs/howto/from-gloo.md", Stand::Followed),
    ("docs/howto/flux-argo.md", Stand::Followed),
    ("docs/commands.md", Stand::Followed),
    ("docs/plan.md", Stand::Followed),
];

fn main() -> ExitCode {
    let outcome = match Kind::other_than_local_gloo() {
        None => harness::enter(&Openings::default()).and_then(run),
        Some(other) => {
            println!("commands are not run {other}, but with Gloo on the local one");
            Ok(read())
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A test that needs no bed, by its name.
type Test = (&'static str, fn() -> Result<()>);

/// What needs no bed.
fn read() -> bool {
    let tests: [Test; 5] = [
        (
            "every_link_leads_to_a_file_and_a_heading",
            links::every_link_leads_to_a_file_and_a_heading,
        ),
        ("the_summary_names_every_page", links::the_summary_names_every_page),
        ("a_page_with_commands_is_run", a_page_with_commands_is_run),
        ("a_page_is_read_as_a_shell_would", page::a_page_is_read_as_a_shell_would),
        (
            "an_output_is_compared_but_for_what_differs",
            output::an_output_is_compared_but_for_what_differs,
        ),
    ];
    let chosen = tests.into_iter().filter(|(name, _)| is_chosen(name));
    // All of them, also after a failure.
    chosen.fold(true, |passed, (name, test)| tell(name, &test()) && passed)
}

fn run(inside: Inside) -> Result<bool> {
    let mut passed = read();
    let pages: Vec<_> = PAGES.into_iter().filter(|(page, _)| is_chosen(page)).collect();
    if pages.is_empty() {
        return Ok(passed);
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let bed = Bed::start(BedOptions::new(inside), &Progress::new()).await?;
        for (file, stand) in pages {
            passed &= tell(file, &follow(&bed, file, stand).await);
            bed.reset().await?;
        }
        bed.stop().await?;
        Ok(passed)
    })
}

/// Does what a page says, in its order.
async fn follow(bed: &Bed, file: &str, stand: Stand) -> Result<()> {
    let page = Page::read(&root().join(file))?;
    let scene = Scene::set(bed, stand).await?;
    let mut session = scene.session(bed)?;
    let followed = async {
        for command in &page.commands {
            let place = || format!("{file}:{}: $ {}", command.line, command.text);
            session.run(command).await.with_context(place)?;
        }
        Ok(())
    };
    let outcome = followed.await;
    scene.strike(outcome).await
}

fn a_page_with_commands_is_run() -> Result<()> {
    for file in links::pages()? {
        let commands = Page::read(&root().join(&file))?.commands.len();
        let is_run = PAGES.iter().any(|(page, _)| *page == file);
        anyhow::ensure!(
            is_run == (commands > 0),
            "{file} has {commands} commands in console blocks, and stands in PAGES: {is_run}"
        );
    }
    Ok(())
}

fn tell(name: &str, outcome: &Result<()>) -> bool {
    println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
    if let Err(error) = outcome {
        println!("{error:#}");
    }
    outcome.is_ok()
}

fn is_chosen(name: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| name.contains(&word))
}

/// The project's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
