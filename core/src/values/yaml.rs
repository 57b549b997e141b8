//! Reads YAML into located nodes, within bounds that no file escapes.

use std::collections::HashMap;
use std::sync::Arc;

use serde_yaml::granit_parser::{
    ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag, options,
};

use super::node::{Data, Extent, Key, Node};
use crate::problem::{Location, Problem};

/// No file of a repository is larger than this, in bytes.
const MAX_FILE: usize = 1 << 20;
/// No file holds more than this once its aliases are replaced: an alias bomb ends here. The text is
/// as much as a file can hold without aliases.
pub(super) const MAX_EXTENT: Extent = Extent { nodes: 100_000, text: MAX_FILE };
/// No key is longer than this, in bytes; no key of Kubernetes or Gloo comes near. A mapping repeats
/// the key it stands under with each of its own keys, in messages.
const MAX_KEY: usize = 500;
/// How the pointers of Git LFS begin: its specification, also under the name it had first.
const LFS_POINTERS: [&str; 2] =
    ["version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"];
/// Nothing is nested more deeply than this, aliases replaced.
const MAX_DEPTH: usize = 64;

/// The documents of a file, and what is wrong with it that can be reported beside them.
///
/// An error means that the file as a whole cannot be read.
pub(crate) fn documents(
    file: &Arc<str>,
    bytes: &[u8],
) -> Result<(Vec<Arc<Node>>, Vec<Problem>), Problem> {
    let text = readable(file, bytes)?;
    left_by_git(file, text)?;
    let limits = options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        emit_comments: false,
    };
    let mut builder = Builder::new(file);
    for event in Parser::new_from_str_with_options(text, limits) {
        let (event, span) = event.map_err(|error| match middle_of_conflict(file, text) {
            Some(problem) => problem,
            None => unreadable(file, &error),
        })?;
        builder.take(event, &span)?;
    }
    Ok((builder.documents, builder.problems))
}

fn readable<'a>(file: &Arc<str>, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    if bytes.len() > MAX_FILE {
        let message = format!("the file has {} bytes, the most is {MAX_FILE}", bytes.len());
        return Err(Problem::new(&Location::start_of(file), "", message)
            .help("values are short: is this the right file?"));
    }
    let not_text = |end: usize| {
        let good = String::from_utf8_lossy(&bytes[..end]);
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let at = Location { file: file.clone(), line, column, length: 1 };
        Problem::new(&at, "", "the file is not UTF-8 text").help("save it as UTF-8")
    };
    let text = str::from_utf8(bytes).map_err(|error| not_text(error.valid_up_to()))?;
    // UTF-16 has it in every other place.
    text.find('\0').map_or(Ok(text), |at| Err(not_text(at)))
}

/// What git itself writes into a file in place of its content: the two sides of a merge that is not
/// finished, or the name of a content that git LFS keeps elsewhere.
fn left_by_git(file: &Arc<str>, text: &str) -> Result<(), Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if LFS_POINTERS.iter().any(|start| text.starts_with(start)) {
        let message = "is a pointer of Git LFS, whose content is never fetched";
        return Err(Problem::new(&Location::start_of(file), "", message).help(
            "take the file out of LFS: exclude it in .gitattributes, then `git add --renormalize .` and \
             commit",
        ));
    }
    let found = text.lines().enumerate().find(|(_, line)| is_marker(line, &['<', '>', '|']));
    found.map_or(Ok(()), |(index, line)| Err(conflict(file, index, line)))
}

/// The line between the two sides of a merge: it could be a part of YAML, so it counts only where the
/// file is none.
fn middle_of_conflict(file: &Arc<str>, text: &str) -> Option<Problem> {
    let mut lines = text.lines().enumerate();
    let (index, line) = lines.find(|(_, line)| is_marker(line, &['=']))?;
    Some(conflict(file, index, line))
}

/// Whether git marks a conflict by this line: at least seven of one sign from the first column on, and
/// after a space, if anything, the name of a side (gitattributes(5), `conflict-marker-size`). No line of
/// YAML's own starts so.
fn is_marker(line: &str, signs: &[char]) -> bool {
    signs.iter().any(|sign| {
        let rest = line.trim_start_matches(*sign);
        line.len() - rest.len() >= 7 && (rest.is_empty() || rest.starts_with(' '))
    })
}

fn conflict(file: &Arc<str>, index: usize, line: &str) -> Problem {
    let length = line.chars().count().max(1);
    let at = Location { file: file.clone(), line: index + 1, column: 1, length };
    Problem::new(&at, "", "an unresolved merge conflict begins here").help(
        "keep what is right of the two sides, remove the lines that begin with <<<<<<<, ======= and >>>>>>>, \
         and commit",
    )
}

fn unreadable(file: &Arc<str>, error: &ScanError) -> Problem {
    let marker = error.marker();
    let at =
        Location { file: file.clone(), line: marker.line(), column: marker.col() + 1, length: 1 };
    let problem = Problem::new(&at, "", format!("not valid YAML: {}", error.info()));
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_much(&at),
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation => {
            problem.help("indent with spaces")
        }
        ErrorKind::UnknownAnchor => problem.help("an alias `*name` needs its `&name` before it"),
        _ => problem.help("check the indentation and the quotes here and on the line before"),
    }
}

/// A finished node, how much it holds and how deeply it is nested, aliases replaced.
#[derive(Clone)]
struct Finished {
    node: Arc<Node>,
    extent: Extent,
    height: usize,
}

/// A collection that is not finished yet.
struct Open {
    at: Location,
    data: Data,
    anchor: usize,
    extent: Extent,
    height: usize,
    /// The key that waits for its value (`None` in it when it is none).
    key: Option<Option<Key>>,
    /// The keys so far, with their lines.
    names: HashMap<String, usize>,
}

struct Builder<'a> {
    file: &'a Arc<str>,
    documents: Vec<Arc<Node>>,
    problems: Vec<Problem>,
    open: Vec<Open>,
    anchored: HashMap<usize, Finished>,
}

impl<'a> Builder<'a> {
    fn new(file: &'a Arc<str>) -> Self {
        let (documents, problems, open) = (Vec::new(), Vec::new(), Vec::new());
        Self { file, documents, problems, open, anchored: HashMap::new() }
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Problem> {
        let at = self.location(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_ref().is_some_and(|tag| is_core(tag, "str"));
                if tag.is_some() && !is_text {
                    self.refuse_tag(&at);
                }
                let extent = Extent { nodes: 1, text: text.len() };
                let plain = style == ScalarStyle::Plain && !is_text;
                let data = Data::Scalar { text: text.into_owned(), plain };
                self.finish(Node { at, data }, extent, 0, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let known = tag.is_none_or(|tag| is_core(&tag, "seq"));
                self.begin(at, Data::Sequence(Vec::new()), anchor, known)
            }
            Event::MappingStart(_, anchor, tag) => {
                let known = tag.is_none_or(|tag| is_core(&tag, "map"));
                self.begin(at, Data::Mapping(Vec::new()), anchor, known)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { at, data, anchor, extent, height, .. }) => {
                    self.finish(Node { at, data }, extent, height + 1, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchored.get(&anchor).cloned() {
                Some(repeated) => self.place(repeated, &at),
                None => Err(Problem::new(&at, "", "an alias stands inside what it repeats")
                    .help("write the repeated part out")),
            },
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        at: Location,
        data: Data,
        anchor: usize,
        known_tag: bool,
    ) -> Result<(), Problem> {
        if !known_tag {
            self.refuse_tag(&at);
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_much(&at));
        }
        let (extent, names) = (Extent { nodes: 1, text: 0 }, HashMap::new());
        self.open.push(Open { at, data, anchor, extent, height: 0, key: None, names });
        Ok(())
    }

    fn finish(
        &mut self,
        node: Node,
        extent: Extent,
        height: usize,
        anchor: usize,
    ) -> Result<(), Problem> {
        let at = node.at.clone();
        let finished = Finished { node: Arc::new(node), extent, height };
        if anchor != 0 {
            self.anchored.insert(anchor, finished.clone());
        }
        self.place(finished, &at)
    }

    /// Puts a finished node where it belongs: into the innermost open collection.
    fn place(&mut self, finished: Finished, at: &Location) -> Result<(), Problem> {
        let Finished { node, extent, height } = finished;
        let depth = self.open.len() + height;
        let Some(parent) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        parent.extent += extent;
        parent.height = parent.height.max(height);
        if parent.extent.exceeds(MAX_EXTENT) || depth > MAX_DEPTH {
            return Err(too_much(at));
        }
        match &mut parent.data {
            Data::Sequence(items) => items.push(node),
            Data::Mapping(entries) => match parent.key.take() {
                None => match key(&node, at) {
                    Ok(key) => parent.key = Some(Some(key)),
                    Err(problem) => {
                        parent.key = Some(None);
                        self.problems.push(problem);
                    }
                },
                Some(None) => {}
                Some(Some(key)) => match parent.names.get(&key.name) {
                    Some(first) => {
                        let first = *first;
                        self.refuse_duplicate(&key, first);
                    }
                    None => {
                        parent.names.insert(key.name.clone(), key.at.line);
                        entries.push((key, node));
                    }
                },
            },
            Data::Scalar { .. } => {}
        }
        Ok(())
    }

    fn refuse_duplicate(&mut self, key: &Key, first: usize) {
        let above = self.open.iter().filter_map(|open| open.key.as_ref()?.as_ref());
        let names: Vec<&str> = above.chain([key]).map(|key| key.name.as_str()).collect();
        let message = format!("the key stands twice, first on line {first}");
        let problem = Problem::new(&key.at, names.join("."), message);
        self.problems.push(problem.help("keep one of the two"));
    }

    fn refuse_tag(&mut self, at: &Location) {
        let problem = Problem::new(at, "", "YAML tags are not read here");
        self.problems.push(problem.help("leave the `!tag` away"));
    }

    fn location(&self, span: &Span) -> Location {
        let one_line = span.end.line() == span.start.line();
        let length = if one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        Location {
            file: self.file.clone(),
            line: span.start.line(),
            column: span.start.col() + 1,
            length: length.max(1),
        }
    }
}

fn is_core(tag: &Tag, name: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix() == name
}

/// The key that a node is, or the problem with it.
fn key(node: &Node, at: &Location) -> Result<Key, Problem> {
    let (message, help) = match &node.data {
        Data::Scalar { text, plain: true } if ["", "~"].contains(&text.as_str()) => {
            ("a key is missing here", "write `key: value`")
        }
        Data::Scalar { text, plain: true } if text == "<<" => {
            ("merge keys (`<<`) are not read here", "what services share stands in coalmine.yaml")
        }
        Data::Scalar { text, .. } if text.len() > MAX_KEY => {
            ("a key is longer than 500 bytes", "is a quote or a `: ` missing before?")
        }
        Data::Scalar { text, .. } => return Ok(Key { at: at.clone(), name: text.clone() }),
        Data::Sequence(_) | Data::Mapping(_) => {
            ("a key must be text", "write `key: value`; quote a text that starts with `{` or `[`")
        }
    };
    Err(Problem::new(at, "", message).help(help))
}

fn too_much(at: &Location) -> Problem {
    let Extent { nodes, text } = MAX_EXTENT;
    let message = format!(
        "the file holds more than {nodes} values, {text} bytes of text or {MAX_DEPTH} levels, \
         aliases replaced"
    );
    Problem::new(at, "", message).help("values are short and flat: is this the right file?")
}
