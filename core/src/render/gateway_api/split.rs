//! The limits of an HTTPRoute.

use serde_json::Value;

/// The most rules of an HTTPRoute.
const MOST_RULES: usize = 16;
/// The most matches of all of its rules (gateway-conformance case 07-too-many-rules).
const MOST_MATCHES: usize = 128;

/// Distributes rules over as many HTTPRoutes as they need, in their order: of two rules that fit a request equally the
/// one in the older route is taken, or else the one whose route's name comes first.
pub(crate) fn split(rules: Vec<Value>) -> Vec<Vec<Value>> {
    let mut routes: Vec<Vec<Value>> = Vec::new();
    let mut matches = 0;
    for rule in rules {
        let more = rule["matches"].as_array().map_or(1, Vec::len);
        match routes.last_mut() {
            Some(last) if last.len() < MOST_RULES && matches + more <= MOST_MATCHES => {
                last.push(rule);
                matches += more;
            }
            _ => {
                routes.push(vec![rule]);
                matches = more;
            }
        }
    }
    routes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_route_is_beyond_the_limits_and_the_order_stays() {
        let rule = |matches: usize| json!({"matches": vec![json!({}); matches]});
        let lengths = |counts: Vec<usize>| {
            let rules = counts.into_iter().map(rule).collect();
            split(rules).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(vec![1; 16]), [16]);
        assert_eq!(lengths(vec![1; 33]), [16, 16, 1]);
        assert_eq!(lengths(vec![9; 15]), [14, 1], "14 times 9 is 126");
        assert_eq!(lengths(vec![64, 64, 1]), [2, 1]);
        assert_eq!(lengths(vec![]), [0; 0]);
    }
}
