//! The objects, and what writing does to them.

use std::collections::{BTreeMap, BTreeSet};

use coalmine_core::labels::FIELD_MANAGER;
use coalmine_core::object::ObjectId;
use serde_json::{Value, json};

use super::fields::{self, Manager, Path};

/// A change as a watch would tell it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// It is so now.
    Now(Value),
    /// It was so when it was taken away.
    Gone(Value),
}

/// Why the API server does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotFound,
    NoNamespace,
    AlreadyThere,
    Conflict(String),
}

#[derive(Clone, Debug)]
struct Record {
    object: Value,
    managers: Vec<Manager>,
    /// As it is shown: with the managers in its metadata.
    shown: Value,
}

/// The objects of a cluster.
#[derive(Default)]
pub(crate) struct Store {
    records: BTreeMap<ObjectId, Record>,
    pub(crate) namespaces: BTreeSet<String>,
    /// Counts every change: the `resourceVersion`.
    version: u64,
    uids: u64,
    /// What was changed and not yet told to anybody.
    pub(crate) changes: Vec<(ObjectId, Change)>,
    /// Objects that are deleted go only when somebody lets them go.
    pub(crate) finalizers: bool,
}

/// How the objects were at a moment.
#[derive(Clone)]
pub(crate) struct Backup {
    records: BTreeMap<ObjectId, Record>,
    version: u64,
}

impl Store {
    /// How the objects of these kinds are.
    pub(crate) fn backup(&self, kinds: &[&str]) -> Backup {
        let of_kinds = self.records.iter().filter(|(id, _)| kinds.contains(&&*id.kind));
        let records = of_kinds.map(|(id, record)| (id.clone(), record.clone())).collect();
        Backup { records, version: self.version }
    }

    /// Brings the objects of these kinds back to how they were, with the versions that they had; what is written from
    /// now on has versions that were given once already. Returns the objects that are not as they were just now.
    pub(crate) fn restore(&mut self, backup: &Backup, kinds: &[&str]) -> Vec<ObjectId> {
        let now = self.backup(kinds);
        self.version = backup.version;
        let mut changed = Vec::new();
        for (id, record) in &now.records {
            if !backup.records.contains_key(id) {
                self.records.remove(id);
                self.changes.push((id.clone(), Change::Gone(record.shown.clone())));
                changed.push(id.clone());
            }
        }
        for (id, record) in &backup.records {
            if now.records.get(id).is_none_or(|now| now.shown != record.shown) {
                self.records.insert(id.clone(), record.clone());
                self.changes.push((id.clone(), Change::Now(record.shown.clone())));
                changed.push(id.clone());
            }
        }
        changed
    }

    pub(crate) fn get(&self, id: &ObjectId) -> Option<Value> {
        self.records.get(id).map(|record| record.shown.clone())
    }

    pub(crate) fn of_kind(&self, kind: &str) -> Vec<(ObjectId, Value)> {
        let of_kind = self.records.iter().filter(|(id, _)| id.kind == kind);
        of_kind.map(|(id, record)| (id.clone(), record.shown.clone())).collect()
    }

    /// Server-side apply with force. Says what is or would be stored.
    pub(crate) fn apply(
        &mut self,
        id: &ObjectId,
        manifest: &Value,
        manager: &str,
        dry_run: bool,
        now: i64,
    ) -> Result<Value, Refusal> {
        self.check_namespace(id)?;
        let old = self.records.get(id).cloned();
        let mut new = old.clone().unwrap_or_else(|| Record::named(id));
        let mut manifest = manifest.clone();
        if id.kind == "Deployment" || id.kind == "Service" {
            // Their status is a subresource.
            manifest.as_object_mut().map(|fields| fields.remove("status"));
        }
        let wanted = fields::of(&manifest);
        let before = own(&new.managers, manager);
        for path in before.difference(&wanted) {
            let others = new.managers.iter().filter(|other| !is(other, manager, "Apply"));
            if !others.clone().any(|other| other.fields.contains(path)) {
                fields::remove(&mut new.object, path);
            }
        }
        for path in &wanted {
            let value = fields::get(&manifest, path).cloned().unwrap_or_default();
            if fields::get(&new.object, path) != Some(&value) {
                disown(&mut new.managers, path, |other| !is(other, manager, "Apply"));
                fields::set(&mut new.object, path, value);
            }
        }
        enter(&mut new.managers, manager, "Apply", wanted, now);
        default(&mut new.object);
        Ok(self.put(id, old, new, dry_run))
    }

    /// Server-side apply without force, of fields of an object that is there: a conflict where one of them has
    /// another value.
    pub(crate) fn apply_unforced(
        &mut self,
        id: &ObjectId,
        part: &Value,
        manager: &str,
        now: i64,
    ) -> Result<Value, Refusal> {
        let record = self.records.get(id).ok_or(Refusal::NotFound)?;
        let differs = |path: &&Path| fields::get(&record.object, path) != fields::get(part, path);
        if let Some(path) = fields::of(part).iter().find(differs) {
            return Err(Refusal::Conflict(format!("conflict with another manager: {path:?}")));
        }
        self.apply(id, part, manager, false, now)
    }

    /// An ordinary update by `manager`; creates the object if there is none.
    pub(crate) fn update(
        &mut self,
        id: &ObjectId,
        manager: &str,
        now: i64,
        edit: impl FnOnce(&mut Value),
    ) {
        let old = self.records.get(id).cloned();
        let mut new = old.clone().unwrap_or_else(|| Record::named(id));
        let before = new.object.clone();
        edit(&mut new.object);
        default(&mut new.object);
        let (had, has) = (fields::of(&before), fields::of(&new.object));
        let is_new = |path: &&Path| fields::get(&before, path) != fields::get(&new.object, path);
        let written: BTreeSet<Path> = has.iter().filter(is_new).cloned().collect();
        for path in had.difference(&has).chain(&written) {
            disown(&mut new.managers, path, |other| !is(other, manager, "Update"));
        }
        if !written.is_empty() {
            let mine = new.managers.iter().find(|other| is(other, manager, "Update"));
            let mine = mine.map(|mine| mine.fields.clone()).unwrap_or_default();
            let mine = mine.intersection(&has).chain(&written).cloned().collect();
            enter(&mut new.managers, manager, "Update", mine, now);
        }
        self.put(id, old, new, false);
    }

    /// Deletes in the background.
    pub(crate) fn delete(
        &mut self,
        id: &ObjectId,
        uid: Option<&str>,
        now: i64,
    ) -> Result<(), Refusal> {
        let record = self.records.get(id).ok_or(Refusal::NotFound)?;
        if let Some(uid) = uid
            && record.object["metadata"]["uid"] != uid
        {
            return Err(Refusal::Conflict(format!("the UID in the precondition is {uid}")));
        }
        if self.finalizers && id.kind != "Pod" && id.kind != "Endpoints" {
            self.update(id, "apiserver", now, |object| {
                let time = jiff::Timestamp::from_second(now).expect("within the calendar");
                object["metadata"]["deletionTimestamp"] = json!(time.to_string());
            });
        } else {
            self.remove(id);
        }
        Ok(())
    }

    /// The object is no more.
    pub(crate) fn remove(&mut self, id: &ObjectId) {
        if let Some(mut record) = self.records.remove(id) {
            self.version += 1;
            record.shown["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.changes.push((id.clone(), Change::Gone(record.shown)));
        }
    }

    fn check_namespace(&self, id: &ObjectId) -> Result<(), Refusal> {
        match &id.namespace {
            Some(namespace) if !self.namespaces.contains(namespace) => Err(Refusal::NoNamespace),
            _ => Ok(()),
        }
    }

    fn put(&mut self, id: &ObjectId, old: Option<Record>, mut new: Record, dry_run: bool) -> Value {
        let owned = |record: &Record| {
            let managers = record.managers.iter();
            managers.map(|m| (m.name.clone(), m.fields.clone())).collect::<Vec<_>>()
        };
        if let Some(old) = &old
            && old.object == new.object
            && owned(old) == owned(&new)
        {
            return old.shown.clone();
        }
        let spec_changed = old.as_ref().is_none_or(|old| {
            let is_gloo = id.api_version.ends_with("solo.io/v1");
            old.object["spec"] != new.object["spec"]
                // These kinds have no status subresource.
                || is_gloo && old.object["status"] != new.object["status"]
        });
        let metadata = &mut new.object["metadata"];
        if old.is_none() {
            metadata["uid"] = json!(format!("uid-{}", self.uids + 1));
        }
        if spec_changed {
            metadata["generation"] = json!(metadata["generation"].as_u64().unwrap_or(0) + 1);
        }
        if dry_run {
            // Only what is stored has a version.
            new.show();
            return new.shown;
        }
        self.version += 1;
        self.uids += u64::from(old.is_none());
        metadata["resourceVersion"] = json!(self.version.to_string());
        new.show();
        let shown = new.shown.clone();
        self.changes.push((id.clone(), Change::Now(shown.clone())));
        self.records.insert(id.clone(), new);
        shown
    }
}

impl Record {
    /// Nothing but a name.
    fn named(id: &ObjectId) -> Self {
        let mut metadata = json!({"name": id.name});
        if let Some(namespace) = &id.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let object = json!({"apiVersion": id.api_version, "kind": id.kind, "metadata": metadata});
        Self { object, managers: Vec::new(), shown: Value::Null }
    }

    fn show(&mut self) {
        let entries: Vec<Value> = self.managers.iter().map(fields::entry).collect();
        self.shown = self.object.clone();
        self.shown["metadata"]["managedFields"] = entries.into();
    }
}

/// What the API server fills in.
fn default(object: &mut Value) {
    if object["kind"] == "Deployment" && object["spec"]["replicas"].is_null() {
        object["spec"]["replicas"] = json!(1);
    }
}

fn is(manager: &Manager, name: &str, operation: &str) -> bool {
    manager.name == name && manager.operation == operation
}

fn own(managers: &[Manager], name: &str) -> BTreeSet<Path> {
    let mine = managers.iter().find(|manager| is(manager, name, "Apply"));
    mine.map(|mine| mine.fields.clone()).unwrap_or_default()
}

/// Nobody of these has this field, what is around it or what is in it any more.
fn disown(managers: &mut Vec<Manager>, path: &Path, whose: impl Fn(&Manager) -> bool) {
    for manager in managers.iter_mut().filter(|manager| whose(manager)) {
        manager.fields.retain(|field| !(field.starts_with(path) || path.starts_with(field)));
    }
    managers.retain(|manager| !manager.fields.is_empty());
}

fn enter(
    managers: &mut Vec<Manager>,
    name: &str,
    operation: &'static str,
    fields: BTreeSet<Path>,
    time: i64,
) {
    match managers.iter_mut().find(|manager| is(manager, name, operation)) {
        Some(known) => (known.fields, known.time) = (fields, time),
        None => managers.push(Manager { name: name.into(), operation, fields, time }),
    }
}

/// Whether this is an object that coalmine has applied, or that carries its label.
pub(crate) fn is_ours(object: &Value) -> bool {
    let managers = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut managers = managers.into_iter().flatten();
    object["metadata"]["labels"][coalmine_core::labels::INSTANCE] == super::INSTANCE
        || managers.any(|manager| manager["manager"] == FIELD_MANAGER)
}
