//! The API server as a `tower` service behind `kube::Client`. Before a request is done time goes by,
//! and with it whatever else happens in the cluster; and the process may die, or not hear the answer.

use std::sync::{Arc, Mutex};

use coalmine::cluster::Cluster;
use coalmine_core::labels::FIELD_MANAGER;
use coalmine_core::object::{Manifest, ObjectId};
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::KINDS;
use super::store::Refusal;
use crate::rules::Write;
use crate::world::World;

/// What goes wrong between the daemon and the API server.
#[derive(Default)]
pub(crate) struct Trouble {
    /// The process dies with this request from now: before it is done, or after.
    pub(crate) dies_in: Option<(u32, bool)>,
    /// Until when the API server refuses everything.
    pub(crate) away_until: i64,
    /// So many of the next writes are done, and their answers are lost.
    pub(crate) lost_answers: u32,
    /// Until when a request takes a second or more.
    pub(crate) slow_until: i64,
    /// Until when the API server turns everything away.
    pub(crate) busy_until: i64,
    /// Until when a webhook that is asked about every object cannot be called.
    pub(crate) webhook_until: i64,
    /// So many of the next requests are not answered, done or not.
    pub(crate) hangs: (u32, bool),
}

/// How long the daemon waits for an answer, in milliseconds.
const PATIENCE: i64 = 30_000;

/// What comes of a request.
enum Reply {
    Answer(u16, Value),
    /// Nothing, for as long as the client waits.
    Silence,
    /// Nobody is there any more to hear it.
    Nobody,
}

/// A client of the simulated API server.
pub(crate) fn client(world: &Arc<Mutex<World>>) -> Cluster {
    let world = world.clone();
    let service = tower::service_fn(move |request: Request<Body>| answer(world.clone(), request));
    Cluster::behind(Client::new(service, "default"))
}

fn lock(world: &Mutex<World>) -> std::sync::MutexGuard<'_, World> {
    world.lock().expect("nobody panics with it")
}

async fn answer(
    world: Arc<Mutex<World>>,
    request: Request<Body>,
) -> Result<Response<Body>, kube::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect_bytes().await?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    // Others may come first.
    let others = lock(&world).random.u32(0..3);
    for _ in 0..others {
        tokio::task::yield_now().await;
    }
    let answered = lock(&world).answer(&parts.method, &parts.uri, &body);
    let (status, body) = match answered {
        Reply::Answer(status, body) => (status, body),
        Reply::Silence => {
            let words = "no answer from the API server for 30 s";
            return Err(kube::Error::Service(words.into()));
        }
        Reply::Nobody => return std::future::pending().await,
    };
    let body = Body::from(body.to_string().into_bytes());
    Ok(Response::builder().status(status).body(body).expect("a status and a body"))
}

impl World {
    /// Does what is asked.
    fn answer(&mut self, method: &Method, uri: &http::Uri, body: &Value) -> Reply {
        if self.is_dead {
            return Reply::Nobody;
        }
        let slow = self.trouble.slow_until > self.now;
        let time = if slow { self.random.i64(500..3_000) } else { self.random.i64(1..30) };
        self.elapse(time);
        self.rules.tally.requests += 1;
        if self.trouble.away_until > self.now {
            return reply(failure(500, "InternalError", "the API server is away", ""));
        }
        if self.trouble.busy_until > self.now {
            let words =
                "the server has received too many requests and has asked us to try again later";
            return reply(failure(429, "TooManyRequests", words, ""));
        }
        if self.trouble.webhook_until > self.now && *method != Method::GET {
            let words = "Internal error occurred: failed calling webhook \"gate.example.com\": failed to call \
                webhook: Post \"https://gate.security.svc:443/?timeout=10s\": context deadline exceeded";
            return reply(failure(500, "InternalError", words, ""));
        }
        if let Some((left, before)) = &mut self.trouble.dies_in {
            if *left == 0 {
                if !*before {
                    self.perform(method, uri, body);
                }
                self.die();
                return Reply::Nobody;
            }
            *left -= 1;
        }
        let is_write =
            *method != Method::GET && !uri.query().unwrap_or_default().contains("dryRun");
        if self.trouble.hangs.0 > 0 {
            self.trouble.hangs.0 -= 1;
            if self.trouble.hangs.1 {
                self.perform(method, uri, body);
            }
            self.elapse(PATIENCE);
            if is_write && let Some(Requested::One(id)) = Requested::read(uri.path()) {
                self.rules.unheard(&id, self.now);
            }
            return if self.is_dead { Reply::Nobody } else { Reply::Silence };
        }
        let answer = self.perform(method, uri, body);
        if is_write && self.trouble.lost_answers > 0 {
            self.trouble.lost_answers -= 1;
            if let Some(Requested::One(id)) = Requested::read(uri.path()) {
                self.rules.unheard(&id, self.now);
            }
            return reply(failure(504, "Timeout", "the answer was lost", ""));
        }
        reply(answer)
    }

    fn perform(&mut self, method: &Method, uri: &http::Uri, body: &Value) -> (u16, Value) {
        let query = uri.query().unwrap_or_default().to_owned();
        let asked = match Requested::read(uri.path()) {
            Some(asked) => asked,
            None => return failure(404, "NotFound", "404 page not found", ""),
        };
        let id = match asked {
            Requested::Kinds(api_version) => return kinds(&api_version),
            Requested::All { .. } if *method == Method::POST => {
                Manifest::new(body.clone()).expect("complete").id().clone()
            }
            Requested::All { kind, namespace } => {
                return (200, self.listed(&kind, namespace, &query));
            }
            Requested::One(id) => id,
        };
        let now = self.now / 1000;
        let dry_run = query.contains("dryRun=All");
        let result = if *method == Method::GET {
            self.store.get(&id).ok_or(Refusal::NotFound)
        } else if *method == Method::POST {
            assert!(dry_run, "what is made is applied, and {id} is created");
            match self.store.get(&id) {
                Some(_) => Err(Refusal::AlreadyThere),
                None => self.store.apply(&id, body, FIELD_MANAGER, true, now),
            }
        } else if *method == Method::PATCH {
            let manager = parameter(&query, "fieldManager").unwrap_or(FIELD_MANAGER).to_owned();
            if manager == FIELD_MANAGER && !dry_run {
                self.judge_write(&id, &Write::Apply(body));
            }
            match parameter(&query, "force") {
                Some("true") => self.store.apply(&id, body, &manager, dry_run, now),
                _ => self.store.apply_unforced(&id, body, &manager, now),
            }
        } else {
            let uid = body["preconditions"]["uid"].as_str();
            self.judge_write(&id, &Write::Delete);
            let deleted = self.store.delete(&id, uid, now);
            deleted.map(|()| json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
        };
        self.follow_up();
        match result {
            Ok(object) => (200, object),
            Err(Refusal::NotFound) => {
                failure(404, "NotFound", &format!("{id} not found"), &id.kind)
            }
            Err(Refusal::AlreadyThere) => {
                failure(409, "AlreadyExists", &format!("{id} already exists"), &id.kind)
            }
            Err(Refusal::NoNamespace) => {
                failure(404, "NotFound", "the namespace is not found", "namespaces")
            }
            Err(Refusal::Conflict(reason)) => failure(409, "Conflict", &reason, &id.api_version),
        }
    }

    fn listed(&self, kind: &str, namespace: Option<String>, query: &str) -> Value {
        let selector = query.split('&').find_map(|part| part.strip_prefix("labelSelector="));
        let selector = selector.unwrap_or_default().replace("%3D", "=").replace("%2C", ",");
        let wanted: Vec<(&str, &str)> =
            selector.split(',').filter_map(|one| one.split_once('=')).collect();
        let fits = |object: &Value| {
            wanted.iter().all(|(label, value)| object["metadata"]["labels"][*label] == **value)
        };
        let found = self.store.of_kind(kind).into_iter().filter(|(id, object)| {
            (namespace.is_none() || namespace == id.namespace) && fits(object)
        });
        let items: Vec<Value> = found.map(|(_, object)| object).collect();
        json!({"kind": format!("{kind}List"), "apiVersion": "v1", "metadata": {}, "items": items})
    }
}

fn reply((status, body): (u16, Value)) -> Reply {
    Reply::Answer(status, body)
}

/// The value of a parameter in a query.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// What a path is about.
enum Requested {
    /// The kinds of an API version.
    Kinds(String),
    /// All objects of a kind.
    All { kind: String, namespace: Option<String> },
    /// One object.
    One(ObjectId),
}

impl Requested {
    fn read(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (api_version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let kind = |plural: &str| {
            let mut kinds = KINDS.into_iter();
            kinds.find(|kind| kind.0 == api_version && kind.2 == plural).map(|kind| kind.1)
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => {
                (Some((*namespace).to_owned()), rest)
            }
            rest => (None, rest),
        };
        Some(match rest {
            [] => Self::Kinds(api_version),
            [plural] => Self::All { kind: kind(plural)?.into(), namespace },
            [plural, name] => {
                Self::One(ObjectId::new(&api_version, kind(plural)?, namespace.as_deref(), name))
            }
            _ => return None,
        })
    }
}

fn kinds(api_version: &str) -> (u16, Value) {
    let of_version = KINDS.into_iter().filter(|kind| kind.0 == api_version);
    let resources: Vec<Value> = of_version
        .map(|(_, kind, plural)| {
            json!({"name": plural, "singularName": "", "kind": kind,
                "namespaced": kind != "Namespace", "verbs": ["get", "list", "patch", "delete"]})
        })
        .collect();
    let list = json!({"kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": api_version, "resources": resources});
    (200, list)
}

fn failure(code: u16, reason: &str, message: &str, kind: &str) -> (u16, Value) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message, "details": {"kind": kind}});
    (code, status)
}
