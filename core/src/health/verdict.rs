use std::fmt;

use serde_json::Value;

/// The word of the gateway on an Upstream, RouteTable, VirtualService or HTTPRoute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Served as written.
    Accepted,
    /// Served, with a flaw.
    Warning(String),
    /// Not served; an older version may be.
    Rejected(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("Accepted"),
            Self::Warning(said) => write!(f, "Warning: {said}"),
            Self::Rejected(said) => write!(f, "Rejected: {said}"),
        }
    }
}

impl Verdict {
    /// 0 for Accepted, 1 for Warning, 2 for Rejected: more is worse.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Warning(_) => 1,
            Self::Rejected(_) => 2,
        }
    }
}

/// Gloo's verdict in the object's status; `None` while it is Pending or Gloo has written nothing.
///
/// Gloo's status carries no generation. The verdict is fresh only because every apply of ours writes
/// `Pending` along with the spec, which Gloo then takes over.
pub(super) fn of_gloo(object: &Value, gloo_namespace: &str) -> Option<Verdict> {
    let status = object.get("status")?.get("statuses")?.get(gloo_namespace)?;
    let reason = || {
        let text = status.get("reason").and_then(Value::as_str).unwrap_or("no reason given");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // Older Gloo wrote the number of the protobuf enum instead of its name.
    match status.get("state")? {
        Value::String(state) => match state.as_str() {
            "Accepted" => Some(Verdict::Accepted),
            "Warning" => Some(Verdict::Warning(reason())),
            "Rejected" => Some(Verdict::Rejected(reason())),
            _ => None,
        },
        Value::Number(number) => match number.as_u64()? {
            1 => Some(Verdict::Accepted),
            2 => Some(Verdict::Rejected(reason())),
            3 => Some(Verdict::Warning(reason())),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of_gloo as verdict, *};

    #[test]
    fn pending_and_absent_verdicts_are_no_verdict() {
        let with = |state: Value| {
            json!({"status": {"statuses": {"gloo-system": {"state": state,
            "reason": "1 error\n  occurred"}}}})
        };
        assert_eq!(verdict(&json!({}), "gloo-system"), None);
        assert_eq!(verdict(&with("Pending".into()), "gloo-system"), None);
        assert_eq!(verdict(&with("Accepted".into()), "other"), None);
        assert_eq!(verdict(&with("Accepted".into()), "gloo-system"), Some(Verdict::Accepted));
        let rejected = Some(Verdict::Rejected("1 error occurred".into()));
        assert_eq!(verdict(&with("Rejected".into()), "gloo-system"), rejected);
        assert_eq!(verdict(&with(2.into()), "gloo-system"), rejected);
    }

    #[test]
    fn a_verdict_is_read_by_its_name_or_its_number() {
        let read = |state: Value| {
            let status = json!({"state": state, "reason": "too  late\n"});
            verdict(&json!({"status": {"statuses": {"gloo-system": status}}}), "gloo-system")
        };
        let (warning, rejected) =
            (Verdict::Warning("too late".into()), Verdict::Rejected("too late".into()));
        for (name, number, expected) in [
            ("Pending", 0, None),
            ("Accepted", 1, Some(Verdict::Accepted)),
            ("Rejected", 2, Some(rejected.clone())),
            ("Warning", 3, Some(warning.clone())),
            ("Strange", 4, None),
        ] {
            assert_eq!(read(name.into()), expected, "{name}");
            assert_eq!(read(number.into()), expected, "{number}");
        }
        assert_eq!(read(true.into()), None);
        let without = json!({"status": {"statuses": {"gloo-system": {"state": "Warning"}}}});
        let said = verdict(&without, "gloo-system").expect("a verdict");
        assert_eq!(said.to_string(), "Warning: no reason given");
        assert_eq!(rejected.to_string(), "Rejected: too late");
        assert_eq!(Verdict::Accepted.to_string(), "Accepted");
        assert_eq!([Verdict::Accepted, warning, rejected].map(|it| it.rank()), [0, 1, 2]);
    }
}
