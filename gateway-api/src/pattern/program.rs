//! How long RE2's program for an expression is: Envoy refuses one of more than 100 steps unless its bootstrap says
//! otherwise (case 07-long-regex).
//!
//! The steps of RE2 are followed: parse and factor alternatives, compile to instructions, flatten these to lists. What
//! RE2 counts is the length of all lists.

mod compile;
mod factor;
mod flatten;
mod parse;

use self::compile::Compiler;
use self::parse::Node;

/// The number of steps; `None` for an expression that does not parse.
pub(super) fn size(expression: &str) -> Option<usize> {
    let node = parse::parse(expression)?;
    let (node, anchored) = without_anchors(factor::simplify(node));
    let mut compiler = Compiler::default();
    let (start, unanchored) = compiler.program(&node, anchored)?;
    Some(flatten::length(&compiler.instructions, start, unanchored))
}

/// Takes off anchors at both ends, which RE2 remembers and does not compile.
fn without_anchors(node: Node) -> (Node, bool) {
    match node {
        Node::Concat(mut parts) => {
            let anchored = matches!(parts.first(), Some(Node::TextStart));
            if anchored {
                parts.remove(0);
            }
            if matches!(parts.last(), Some(Node::TextEnd)) {
                parts.pop();
            }
            (Node::Concat(parts), anchored)
        }
        Node::TextStart => (Node::Empty, true),
        Node::TextEnd => (Node::Empty, false),
        other => (other, false),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn the_size_is_that_which_envoy_tells() {
        // Recorded in case 07-long-regex.
        let forty = "cfcd2084|c4ca4238|c81e728d|eccbc87e|a87ff679|e4da3b7f|1679091c|8f14e45f|c9f0f895|\
                     45c48cce|d3d94468|6512bd43|c20ad4d7|c51ce410|aab32389|9bf31c7f|c74d97b0|70efdf2e|\
                     6f4922f4|1f0e3dad|98f13708|3c59dc04|b6d767d2|37693cfc|1ff1de77|8e296a06|4e732ced|\
                     02e74f10|33e75ff0|6ea9ab1b|34173cb3|c16a5320|6364d3f0|182be0c5|e369853d|1c383cd3|\
                     19ca14e7|a5bfc9e0|a5771bce|d67d8ab4";
        assert_eq!(size(forty), Some(318));
    }

    #[test]
    fn a_program_has_a_step_for_each_letter_and_a_few_more() {
        assert_eq!(size("abc"), Some(7), "fail, the loop before it, three letters, match");
        assert_eq!(size("^abc$"), Some(5), "no loop");
        assert_eq!(size("a|b|c"), size("[a-c]"));
        assert_eq!(size("(?i)abc"), size("abc"));
        assert_eq!(size("abcd|abef").zip(size("ab(?:cd|ef)")).map(|(a, b)| a == b), Some(true));
        assert!(size("a{50}") < Some(60) && size("a{100}") > Some(100));
        assert_eq!(size("("), None);
    }

    #[test]
    fn what_people_write_in_routes_is_short() {
        for expression in
            ["/echo.*", "/(a|b)/[0-9]+", "(.*; *)?user=canary(;.*)?", ".*", r"[^/]+/\d{4}"]
        {
            assert!(size(expression) < Some(100), "{expression}: {:?}", size(expression));
        }
    }
}
