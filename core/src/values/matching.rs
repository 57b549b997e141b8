//! Reads which requests a route takes: paths, methods, query parameters, headers.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map};

use super::entry::{Entry, Problems};
use super::model::{HeaderMatch, Path, PathMatch, ValueMatch};
use super::node::Data;
use super::passed::Passed;
use super::precedence;
use super::schema::{self, MAX_PATHS};
use crate::problem::{Location, Problem};

/// Reads `routes.paths`, in the order of their routes.
pub(super) fn read_paths(entry: &Entry, problems: &mut Problems) -> Option<Vec<PathMatch>> {
    let items = entry.list(problems)?;
    if items.is_empty() {
        problems.push(entry.problem("the list is empty").help("leave it out for `/<service>`"));
    }
    if items.len() > MAX_PATHS {
        let message = format!("the list has {} paths, the most is {MAX_PATHS}", items.len());
        problems.push(entry.problem(message).help("match more with one prefix"));
        return None;
    }
    let mut paths: Vec<(PathMatch, &Entry)> = Vec::new();
    for item in &items {
        let Some(path) = read_path_match(item, problems) else { continue };
        if paths.iter().any(|(earlier, _)| earlier.collides(&path)) {
            let message = format!("the {} path is listed twice", path.path.kind());
            problems.push(item.problem(message).help("keep one of the two"));
        }
        paths.push((path, item));
    }
    precedence::sort(&mut paths, problems);
    Some(paths.into_iter().map(|(path, _)| path).collect())
}

fn read_path_match(entry: &Entry, problems: &mut Problems) -> Option<PathMatch> {
    let mut fields = entry.fields(problems)?;
    let kinds = [schema::Path::prefix(), schema::Path::exact(), schema::Path::regex()];
    let given = kinds.map(|key| (key.name(), fields.take(key)));
    let given: Vec<_> =
        given.into_iter().filter_map(|(kind, entry)| Some((kind, entry?))).collect();
    let path = match given.as_slice() {
        [(kind, path)] => read_path(kind, path, problems),
        _ => {
            let message = "expected exactly one of prefix, exact and regex";
            problems.push(entry.problem(message).help("for example `- prefix: /echo`"));
            None
        }
    };
    let methods = fields.take(schema::Path::methods()).map(|entry| read_methods(&entry, problems));
    let query =
        fields.take(schema::Path::query_parameters()).map(|entry| read_query(&entry, problems));
    let options =
        fields.take(schema::Path::options()).and_then(|entry| entry.object(Passed::Gloo, problems));
    let rest =
        fields.take(schema::Path::rest()).and_then(|entry| entry.object(Passed::Gloo, problems));
    fields.finish(problems);
    Some(PathMatch {
        path: path?,
        methods: methods.unwrap_or_default(),
        query_parameters: query.unwrap_or_default(),
        options: options.unwrap_or_default(),
        rest,
    })
}

fn read_path(kind: &str, entry: &Entry, problems: &mut Problems) -> Option<Path> {
    let text = entry.text(problems)?;
    if kind == "regex" {
        return check_regex(entry, &text, problems).then_some(Path::Regex(text));
    }
    if let Err(message) = check_path(&text) {
        let problem = entry.problem(message);
        problems.push(problem.help("Gloo refuses such a path, and with it others' routes"));
        return None;
    }
    Some(if kind == "exact" { Path::Exact(text) } else { Path::Prefix(text) })
}

/// What Gloo asks of a path (gloo-conformance case 09-matcher-invalid).
fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("a path starts with `/`, found {path:?}"));
    }
    let parts = ["//", "/./", "/../", "%2f", "%2F"];
    if let Some(part) = parts.into_iter().find(|part| path.contains(part)) {
        return Err(format!("a path does not contain `{part}`, found {path:?}"));
    }
    if let Some(end) = ["/.", "/.."].into_iter().find(|end| path.ends_with(end)) {
        return Err(format!("a path does not end with `{end}`, found {path:?}"));
    }
    let escapes = path.split('%').skip(1).all(|rest| {
        let mut digits = rest.bytes().take(2);
        digits.len() == 2 && digits.all(|digit| digit.is_ascii_hexdigit())
    });
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/:@._~!$&'()*+,;=-%".contains(&byte);
    if escapes && path.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("a path holds no spaces, `?`, `#` or other such characters, found {path:?}"))
}

/// Refuses what is wrong to Go and RE2 as well as to this parser; the finer differences between
/// them are left to who compiles it. Parsing takes bounded time, compiling does not.
fn check_regex(entry: &Entry, text: &str, problems: &mut Problems) -> bool {
    use regex_syntax::ast::{ErrorKind, parse::Parser};
    let Err(error) = Parser::new().parse(text) else { return true };
    let is_wrong = matches!(
        error.kind(),
        ErrorKind::ClassRangeInvalid
            | ErrorKind::ClassUnclosed
            | ErrorKind::EscapeUnexpectedEof
            | ErrorKind::GroupUnclosed
            | ErrorKind::GroupUnopened
            | ErrorKind::RepetitionMissing
            | ErrorKind::UnsupportedBackreference
            | ErrorKind::UnsupportedLookAround
    );
    if is_wrong {
        let problem = entry.problem(format!("not a regular expression: {}", error.kind()));
        problems.push(problem.help("Gloo takes RE2: https://github.com/google/re2/wiki/Syntax"));
    }
    !is_wrong
}

fn read_methods(entry: &Entry, problems: &mut Problems) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for item in entry.list(problems).unwrap_or_default() {
        let Some(method) = item.text(problems) else { continue };
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            let help = format!("write `{}`", method.to_uppercase());
            let problem = item.expected("a method in upper-case letters");
            problems.push(if method.is_empty() { problem } else { problem.help(help) });
        }
        methods.insert(method);
    }
    methods
}

fn read_query(entry: &Entry, problems: &mut Problems) -> BTreeMap<String, ValueMatch> {
    let mut parameters = BTreeMap::new();
    for (name, entry) in entry.entries(problems).unwrap_or_default() {
        if let Some(HeaderMatch { value, invert }) = read_value_match(&entry, problems) {
            if invert {
                problems.push(entry.problem("Gloo cannot invert a query parameter"));
            }
            parameters.insert(name, value);
        }
    }
    parameters
}

/// Reads `routes.canary.headers`.
pub(super) fn read_headers(
    entry: &Entry,
    problems: &mut Problems,
) -> BTreeMap<String, HeaderMatch> {
    let mut headers = BTreeMap::new();
    let mut named: HashMap<String, Entry> = HashMap::new();
    for (name, entry) in entry.entries(problems).unwrap_or_default() {
        if let Err(help) = check_header(&name) {
            let message = format!("{name:?} is not a header's name");
            problems.push(Problem::new(&entry.key_at, &entry.path, message).help(help));
        }
        match named.entry(one_name(&name)) {
            hash_map::Entry::Vacant(free) => drop(free.insert(entry.clone())),
            hash_map::Entry::Occupied(first) => problems.push(one_header(first.get(), &entry)),
        }
        if let Some(header) = read_value_match(&entry, problems) {
            headers.insert(name, header);
        }
    }
    headers
}

/// Pseudo-headers of a request, which Envoy matches like other headers (RFC 9113, section 8.3.1).
const PSEUDO: [&str; 4] = [":authority", ":method", ":path", ":scheme"];

/// Whether a header can have this name: a token (RFC 9110, section 5.6.2) or a pseudo-header. Says what to write.
fn check_header(name: &str) -> Result<(), String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.starts_with(':') {
        let known = PSEUDO.join(", ");
        let is_known = PSEUDO.contains(&name);
        return is_known.then_some(()).ok_or(format!("with a colon before it there are {known}"));
    }
    let is_token = !name.is_empty() && name.bytes().all(token);
    is_token
        .then_some(())
        .ok_or_else(|| "it has letters, digits and `-`, as in `x-canary`".to_owned())
}

/// The name by which Envoy finds the header: case means nothing in it, and `Host` is what HTTP/2 calls `:authority`.
fn one_name(name: &str) -> String {
    let lowered = name.to_ascii_lowercase();
    if lowered == "host" { ":authority".to_owned() } else { lowered }
}

/// The problem that two keys name one header: case means nothing in such a name (RFC 9110, section 5.1). The
/// keys of a service come before those that only the defaults have.
fn one_header(first: &Entry, second: &Entry) -> Problem {
    let is_default = first.key_at.file != second.key_at.file;
    let (here, other) = if is_default { (first, second) } else { (second, first) };
    let Location { file, line, .. } = &other.key_at;
    let place = if is_default { format!("{file}:{line}") } else { format!("line {line}") };
    let name = other.path.split_once(".headers.").map_or(&*other.path, |(_, name)| name);
    let own = here.path.split_once(".headers.").map_or(&*here.path, |(_, name)| name);
    let why = match own.eq_ignore_ascii_case(name) {
        true => "case means nothing in its name",
        false => "to HTTP/2 and Envoy the two are one",
    };
    let message = format!("this is the header `{name}` of {place}: {why}");
    Problem::new(&here.key_at, &here.path, message).help(match is_default {
        true => "spell it as the default does, which then is replaced",
        false => "keep one of the two; a condition on one of several values is a list",
    })
}

fn read_value_match(entry: &Entry, problems: &mut Problems) -> Option<HeaderMatch> {
    const FORMS: &str = "write text, a list of texts, `{regex: ...}` or `{present: true}`";
    if entry.node.is_null() {
        problems.push(entry.expected("text or a mapping").help(FORMS));
        return None;
    }
    if !entry.node.is_mapping() {
        let value = one_of(entry, problems)?;
        return Some(HeaderMatch { value, invert: false });
    }
    let mut fields = entry.fields(problems)?;
    let value = fields.take(schema::Match::value()).map(|entry| one_of(&entry, problems));
    let regex = fields.take(schema::Match::regex()).map(|entry| {
        let text = not_empty(&entry, problems)?;
        check_regex(&entry, &text, problems).then_some(ValueMatch::Regex(text))
    });
    let present =
        fields.take(schema::Match::present()).map(|entry| match entry.boolean(problems)? {
            true => Some(ValueMatch::Present),
            false => {
                let problem = entry.problem("`present` can only be true");
                problems.push(problem.help("write `{present: true, invert: true}` for absent"));
                None
            }
        });
    let invert = fields.take(schema::Match::invert()).and_then(|entry| entry.boolean(problems));
    fields.finish(problems);
    let mut given = [value, regex, present].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(value), None) => Some(HeaderMatch { value: value?, invert: invert == Some(true) }),
        _ => {
            let message = "expected exactly one of value, regex and present";
            problems.push(entry.problem(message).help(FORMS));
            None
        }
    }
}

/// A value, or a list of which it is one; nothing is a mistake.
pub(super) fn read_values(entry: &Entry, problems: &mut Problems) -> Option<ValueMatch> {
    if entry.node.is_null() {
        problems.push(entry.expected("text, a list of texts or a mapping"));
        return None;
    }
    one_of(entry, problems)
}

/// A value, or a list of which it is one. Gloo has no form for a list: it becomes an expression.
fn one_of(entry: &Entry, problems: &mut Problems) -> Option<ValueMatch> {
    if !matches!(entry.node.data, Data::Sequence(_)) {
        return not_empty(entry, problems).map(ValueMatch::Exact);
    }
    let items = entry.list(problems)?;
    if items.is_empty() {
        let problem = entry.problem("the list is empty, and no request has one of no values");
        problems.push(problem.help("write `{present: true}` if any value is meant"));
        return None;
    }
    // Every item is read, so that every wrong one is reported.
    let values: Vec<_> = items.iter().map(|item| not_empty(item, problems)).collect();
    let values: Vec<String> = values.into_iter().collect::<Option<_>>()?;
    Some(match values.as_slice() {
        [only] => ValueMatch::Exact(only.clone()),
        several => {
            let several: Vec<_> = several.iter().map(|value| literal(value)).collect();
            ValueMatch::Regex(several.join("|"))
        }
    })
}

/// The expression (RE2) that matches this text alone.
fn literal(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for sign in text.chars() {
        if r"\.+*?()|[]{}^$".contains(sign) {
            expression.push('\\');
        }
        expression.push(sign);
    }
    expression
}

/// A value or an expression. Gloo takes an empty one for "is present" (gloo-conformance case
/// 09-matcher-headers), which nobody means who writes it.
fn not_empty(entry: &Entry, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    if text.is_empty() {
        let problem = entry.problem("an empty value matches every request that has it");
        problems.push(problem.help("write `{present: true}` if that is meant"));
        return None;
    }
    Some(text)
}
