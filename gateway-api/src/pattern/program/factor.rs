//! What RE2 makes simpler before it compiles: alternatives that begin alike, and repetitions with a number.

use super::parse::Node;

/// Simplifies an expression and all its parts.
pub(super) fn simplify(node: Node) -> Node {
    let boxed = |inner: Box<Node>| Box::new(simplify(*inner));
    match node {
        Node::Concat(parts) => concat(parts.into_iter().map(simplify).collect()),
        Node::Alternate(all) => alternate(all.into_iter().map(simplify).collect()),
        Node::Star(inner) => Node::Star(boxed(inner)),
        Node::Plus(inner) => Node::Plus(boxed(inner)),
        Node::Quest(inner) => Node::Quest(boxed(inner)),
        Node::Capture(inner) => Node::Capture(boxed(inner)),
        Node::Repeat(inner, least, most) => repeat(&simplify(*inner), least, most),
        other => other,
    }
}

fn concat(parts: Vec<Node>) -> Node {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Node::Concat(inner) => flat.extend(inner),
            Node::Empty => {}
            other => flat.push(other),
        }
    }
    match flat.len() {
        0 => Node::Empty,
        1 => flat.remove(0),
        _ => Node::Concat(flat),
    }
}

/// `x{2,}` is `xx+`, `x{1,3}` is `x(x(x)?)?`.
fn repeat(inner: &Node, least: u32, most: Option<u32>) -> Node {
    let copies = |count: u32| (0..count).map(|_| inner.clone());
    let one = || Box::new(inner.clone());
    match most {
        None if least == 0 => Node::Star(one()),
        None => {
            let parts: Vec<Node> = copies(least - 1).chain([Node::Plus(one())]).collect();
            concat(parts)
        }
        Some(most) => {
            let mut rest = Node::Empty;
            for _ in least..most {
                rest = Node::Quest(Box::new(concat(vec![inner.clone(), rest])));
            }
            concat(copies(least).chain([rest]).collect())
        }
    }
}

/// Neighbours that begin alike share that beginning; neighbours of one letter become a class.
fn alternate(all: Vec<Node>) -> Node {
    let mut flat = Vec::new();
    for one in all {
        match one {
            Node::Alternate(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    let grouped = by_beginning(flat);
    let merged = letters(grouped);
    match merged.len() {
        1 => merged.into_iter().next().unwrap_or(Node::Empty),
        _ => Node::Alternate(merged),
    }
}

fn beginning(node: &Node) -> Vec<Node> {
    match node {
        Node::Letter(..) => vec![node.clone()],
        Node::Concat(parts) => {
            let letters = parts.iter().take_while(|part| matches!(part, Node::Letter(..)));
            let letters: Vec<Node> = letters.cloned().collect();
            match (letters.is_empty(), parts.first()) {
                // A class at the beginning may be shared, too.
                (true, Some(first @ (Node::Class(_) | Node::TextStart | Node::Place))) => {
                    vec![first.clone()]
                }
                _ => letters,
            }
        }
        Node::Class(_) | Node::TextStart | Node::Place => vec![node.clone()],
        _ => Vec::new(),
    }
}

fn without(node: Node, count: usize) -> Node {
    match node {
        Node::Concat(parts) => concat(parts.into_iter().skip(count).collect()),
        _ => Node::Empty,
    }
}

fn by_beginning(all: Vec<Node>) -> Vec<Node> {
    let mut out = Vec::new();
    let mut run: Vec<Node> = Vec::new();
    let mut shared: Vec<Node> = Vec::new();
    for one in all {
        let own = beginning(&one);
        let common = shared.iter().zip(&own).take_while(|(a, b)| a == b).count();
        if !run.is_empty() && common > 0 {
            shared.truncate(common);
            run.push(one);
            continue;
        }
        out.extend(close(std::mem::take(&mut run), &shared));
        shared = own;
        run.push(one);
    }
    out.extend(close(run, &shared));
    out
}

fn close(run: Vec<Node>, shared: &[Node]) -> Option<Node> {
    match run.len() {
        0 => None,
        1 => run.into_iter().next(),
        _ => {
            let count = shared.len();
            let rests = run.into_iter().map(|one| without(one, count)).collect();
            let parts = shared.iter().cloned().chain([alternate(rests)]).collect();
            Some(concat(parts))
        }
    }
}

fn letters(all: Vec<Node>) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::new();
    for one in all {
        let ranges = |node: &Node| match node {
            Node::Letter(c, false) => Some(vec![(*c as u32, *c as u32)]),
            Node::Class(ranges) => Some(ranges.clone()),
            _ => None,
        };
        match (out.last().and_then(ranges), ranges(&one)) {
            (Some(before), Some(own)) => {
                out.pop();
                out.push(Node::Class(union(before, own)));
            }
            _ if one == Node::Empty && out.last() == Some(&Node::Empty) => {}
            _ => out.push(one),
        }
    }
    out
}

fn union(mut one: Vec<(u32, u32)>, other: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    one.extend(other);
    one.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::new();
    for (low, high) in one {
        match out.last_mut() {
            Some((_, end)) if low <= end.saturating_add(1) => *end = (*end).max(high),
            _ => out.push((low, high)),
        }
    }
    out
}
