//! Where the links of the documentation lead.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use regex::Regex;

use crate::root;

/// The target of a link or picture, without a title.
static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").ok());

/// The project's pages: all in `docs/`, and those that people find first.
pub(crate) fn pages() -> Result<Vec<String>> {
    let mut pages =
        ["README.md", "CONTRIBUTING.md", "rollouts/README.md"].map(str::to_owned).to_vec();
    collect(Path::new("docs"), &mut pages)?;
    Ok(pages)
}

fn collect(folder: &Path, pages: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(root().join(folder));
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = folder.join(entry?.file_name());
        if root().join(&path).is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|it| it == "md") {
            pages.push(path.display().to_string());
        }
    }
    Ok(())
}

pub(crate) fn every_link_leads_to_a_file_and_a_heading() -> Result<()> {
    let mut broken = Vec::new();
    let mut links = 0;
    for page in pages()? {
        for (line, link) in links_of(&page)? {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = match link.split_once('#') {
                Some((file, heading)) => (file, Some(heading)),
                None => (link.as_str(), None),
            };
            let target = match file {
                "" => PathBuf::from(&page),
                file => tidy(&Path::new(&page).with_file_name("").join(file)),
            };
            let exists = root().join(&target).exists();
            if !exists || heading.is_some_and(|it| !headings(&target).contains(it)) {
                broken.push(format!("{page}:{line}: {link}"));
            }
        }
    }
    ensure!(links > 50, "only {links} links were found");
    ensure!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
    Ok(())
}

pub(crate) fn the_summary_names_every_page() -> Result<()> {
    let summary = "docs/SUMMARY.md";
    let named: BTreeSet<String> = links_of(summary)?
        .into_iter()
        .map(|(_, link)| tidy(&Path::new("docs").join(link)).display().to_string())
        .collect();
    let is_of_the_book = |page: &String| page.starts_with("docs/") && page != summary;
    let there: BTreeSet<String> = pages()?.into_iter().filter(is_of_the_book).collect();
    let differing: Vec<_> = named.symmetric_difference(&there).collect();
    ensure!(differing.is_empty(), "{summary} and the folder differ in {differing:?}");
    Ok(())
}

/// The links of a page with their lines, but for what stands in blocks of code.
fn links_of(page: &str) -> Result<Vec<(usize, String)>> {
    let pattern = LINK.as_ref().context("no pattern")?;
    let mut links = Vec::new();
    for (at, line) in prose(page)? {
        links.extend(pattern.captures_iter(&line).map(|found| (at, found[1].to_owned())));
    }
    Ok(links)
}

fn prose(page: &str) -> Result<Vec<(usize, String)>> {
    let text =
        fs::read_to_string(root().join(page)).with_context(|| format!("cannot read {page}"))?;
    let mut in_block = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            lines.push((at + 1, line.to_owned()));
        }
    }
    Ok(lines)
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn headings(page: &Path) -> BTreeSet<String> {
    let lines = prose(&page.display().to_string()).unwrap_or_default();
    let titles = lines.iter().filter(|(_, line)| line.starts_with('#'));
    titles.map(|(_, line)| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(title: &str) -> String {
    let kept = title.to_lowercase();
    let kept = kept.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

/// Without `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(tidied.pop()),
            Component::CurDir => {}
            part => tidied.push(part),
        }
    }
    tidied
}
