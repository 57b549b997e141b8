//! Commits by the daemon: the edit of one service's file, made on the branch's newest commit and pushed.
//!
//! Everything that touches git happens in a child process, as a fetch does, in a repository of its own below the state
//! directory that borrows the clone's objects. So a commit waits for no fetch that hangs and for no other commit, and
//! whatever a child that is killed leaves behind is removed with its folder.
//!
//! What is true is what the branch says. Before each try the branch is fetched: a commit of ours that it has already is
//! recognised by its words, also after a restart, and a file that somebody else changed ends the matter. A branch is
//! moved from the commit on which ours was made or not at all.

mod build;
mod edit;
mod error;
mod local;
mod outcome;
mod publisher;
mod signing;
mod task;
mod words;
mod work;

pub use edit::{Edit, Identity, Trailers};
pub use error::{PublishError, Step};
pub use outcome::Published;
pub use publisher::{PublishConfig, Publisher};
pub use work::serve as serve_publish;
