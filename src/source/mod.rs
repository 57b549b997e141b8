//! Where the desired state comes from: one commit of a git repository, or a folder.

mod tree;

pub use tree::Tree;
