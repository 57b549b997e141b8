//! Any objects at all, as YAML: they mean the same each time, also after what they meant before, and every request has
//! an answer.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use gloo::{Entry, Memory, Request, Snapshot, Translation, answer, translate};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (mut all, mut half) = (Snapshot::default(), Snapshot::default());
    for (at, document) in text.split("\n---").enumerate() {
        let Ok(object) = serde_yaml::from_str::<Value>(document) else { continue };
        all.upsert(&object);
        if at % 2 == 0 {
            half.upsert(&object);
        }
    }
    let first = translate(&all, &Memory::default());
    same(&first, &translate(&all, &Memory::default()));
    // What was there before changes nothing but what is frozen, and that does not change by looking again.
    let before = translate(&half, &Memory::default());
    let after = translate(&all, &before.memory);
    same(&after, &translate(&all, &after.memory));
});

fn same(one: &Translation, other: &Translation) {
    assert_eq!(one.listeners, other.listeners);
    assert_eq!(one.routes, other.routes);
    assert_eq!(one.statuses, other.statuses);
    assert_eq!(one.findings, other.findings);
    assert_eq!(one.notes, other.notes);
    for listener in &one.listeners {
        for path in ["/", "/echo?x=1", "/a/b"] {
            let entry = Entry {
                proxy: listener.proxy.clone(),
                port: listener.port,
                tls: None,
                source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            };
            let request = Request {
                method: "GET".to_owned(),
                host: "shop.example".to_owned(),
                path: path.to_owned(),
                headers: vec![("stage".to_owned(), "canary".to_owned())],
            };
            let answers = [one, other].map(|it| answer(it, &entry, &request));
            assert_eq!(answers[0], answers[1]);
            let all: f64 = answers[0].outcomes.iter().map(|(_, share)| share).sum();
            assert!((all - 1.0).abs() < 1e-6, "{all} of {path}");
        }
    }
}
