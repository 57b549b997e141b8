//! The changes of headers of a route and of its virtual host, as those of a route alone.

use gloo::config::{HeaderEdit, HeaderEdits, Route, VirtualHost};

/// Changes of the headers of requests, or of answers. What is removed goes first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    /// What is added, or put in the place of what is there.
    pub(super) add: Vec<HeaderEdit>,
    /// What is removed.
    pub(super) remove: Vec<String>,
}

/// The changes of requests, and those of answers. Envoy does what the route says before what its virtual host says: what
/// the host removes or puts in place is nothing that the route has to add.
pub(super) fn changes(route: &Route, host: &VirtualHost) -> [Changes; 2] {
    let (mut request, mut response) = (Changes::default(), Changes::default());
    for HeaderEdits { request_add, request_remove, response_add, response_remove } in
        [&route.headers, &host.headers]
    {
        request.then(request_add, request_remove);
        response.then(response_add, response_remove);
    }
    [request, response]
}

impl Changes {
    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    fn then(&mut self, add: &[HeaderEdit], remove: &[String]) {
        let replaced = add.iter().filter(|edit| edit.overwrite).map(|edit| edit.name.as_str());
        let gone: Vec<&str> = remove.iter().map(String::as_str).chain(replaced).collect();
        self.add.retain(|known| !gone.iter().any(|it| it.eq_ignore_ascii_case(&known.name)));
        self.add.extend(add.iter().cloned());
        for name in remove {
            if !self.remove.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                self.remove.push(name.clone());
            }
        }
    }
}
