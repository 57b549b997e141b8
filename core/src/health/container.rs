//! How the containers of a pod are doing, by the statuses that the kubelet writes.

use serde_json::Value;

use super::cause::Cause;

/// How often a container has to end before waiting alone is unlikely to help.
const RESTARTS: u64 = 3;
/// How much of what a container said at its end is shown, in characters.
const LONGEST: usize = 200;

/// The status of a container.
pub(super) struct Container<'a> {
    status: &'a Value,
    /// Whether it is an init container: the others wait for its end.
    is_init: bool,
}

impl<'a> Container<'a> {
    /// A status of `initContainerStatuses` or `containerStatuses`.
    pub(super) fn new(status: &'a Value, is_init: bool) -> Self {
        Self { status, is_init }
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        self.text("/name")
    }

    /// Whether a run of it has ended and it is not the last one: that one has not begun, or goes on.
    pub(super) fn has_begun_again(&self) -> bool {
        self.status.pointer("/state/terminated").is_none()
            && self.status.pointer("/lastState/terminated").is_some()
    }

    /// How it is called after the name of its pod.
    pub(super) fn title(&self) -> String {
        let name = self.name().map_or(String::new(), |name| format!(" {name}"));
        match (self.is_init, name.is_empty()) {
            (true, _) => format!(": init container{name}"),
            (false, false) => format!(": container{name}"),
            (false, true) => String::new(),
        }
    }

    /// What keeps it from being ready, whether that lasts, and the words for it. `None` when all is well, or
    /// when it waits for another container.
    pub(super) fn trouble(&self) -> Option<(Cause, bool, String)> {
        if let Some(reason) = self.text("/state/waiting/reason") {
            return self.waiting(reason);
        }
        if let Some(code) = self.code("/state/terminated") {
            // An init container that has ended well has done its work.
            let failed = code != 0 || !self.is_init;
            let words = || format!(" has ended{}", self.details("/state/terminated"));
            return failed.then(|| (Cause::Crashing, self.restarts() >= RESTARTS, words()));
        }
        self.status.pointer("/state/running")?;
        let is_on = |field: &str| self.status.get(field).and_then(Value::as_bool) == Some(true);
        // One that goes on beside the others is started when they may begin (KEP-753).
        if is_on("ready") || self.is_init && is_on("started") {
            return None;
        }
        if self.code("/lastState/terminated").is_some_and(|code| code != 0) {
            let words = format!(" runs again{}", self.details("/lastState/terminated"));
            return Some((Cause::Crashing, false, words));
        }
        // Nobody says why one that runs is not ready.
        self.is_init.then(|| (Cause::Starting, false, " has not ended yet".to_owned()))
    }

    /// How it ended, if it failed.
    pub(super) fn ended(&self) -> Option<String> {
        let failed = self.code("/state/terminated").is_some_and(|code| code != 0);
        let title = self.title();
        let title = title.trim_start_matches([':', ' ']);
        failed.then(|| format!("{title} has ended{}", self.details("/state/terminated")))
    }

    fn waiting(&self, reason: &str) -> Option<(Cause, bool, String)> {
        let cause = match reason {
            "PodInitializing" => return None,
            "CrashLoopBackOff" | "RunContainerError" | "PostStartHookError" => Cause::Crashing,
            "ImagePullBackOff"
            | "ErrImagePull"
            | "ErrImageNeverPull"
            | "InvalidImageName"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => Cause::Image,
            "CreateContainerConfigError"
            | "CreateContainerError"
            | "PreCreateHookError"
            | "PreStartHookError" => Cause::Configuration,
            _ => Cause::Starting,
        };
        let lasting = match reason {
            "CrashLoopBackOff" | "RunContainerError" => self.restarts() >= RESTARTS,
            "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "InvalidImageName"
            | "CreateContainerConfigError" => true,
            _ => false,
        };
        // As `kubectl get pods` shows it.
        let init = if self.is_init { "Init:" } else { "" };
        let details = self.details("/lastState/terminated");
        // Of a crash the kubelet says how long it pauses, which is another time at every look.
        let message = self.text("/state/waiting/message").filter(|_| reason != "CrashLoopBackOff");
        let message = message.map_or(String::new(), |message| format!(": {message}"));
        Some((cause, lasting, format!(" is in {init}{reason}{details}{message}")))
    }

    /// The restarts, the exit code and what else is known of how it ended, in parentheses.
    fn details(&self, state: &str) -> String {
        let mut details = Vec::new();
        match self.restarts() {
            0 => {}
            1 => details.push("1 restart".to_owned()),
            several => details.push(format!("{several} restarts")),
        }
        let code = self.code(state);
        if let Some(code) = code {
            let last = if state.starts_with("/last") { "last " } else { "" };
            details.push(format!("{last}exit code {code}"));
        }
        let field = |name: &str| self.text(&format!("{state}/{name}"));
        details.extend(
            field("reason").filter(|it| *it != "Error" && *it != "Completed").map(Into::into),
        );
        let details =
            if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        let said =
            field("message").and_then(|text| text.lines().rfind(|line| !line.trim().is_empty()));
        let said: Option<String> = said.map(|line| line.trim().chars().take(LONGEST).collect());
        said.map_or(details.clone(), |said| format!("{details}: {said}"))
    }

    fn restarts(&self) -> u64 {
        self.status.get("restartCount").and_then(Value::as_u64).unwrap_or(0)
    }

    fn code(&self, state: &str) -> Option<i64> {
        self.status.pointer(state)?.get("exitCode")?.as_i64()
    }

    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.status.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}
