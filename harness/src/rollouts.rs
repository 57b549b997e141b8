//! Which repository of rollouts is tried.

use std::{env, path::PathBuf};

/// Somebody's repository of rollouts, to be tried instead of the scenarios' own: what `COALMINE_ROLLOUTS` names. Its
/// images need not be there on the local bed.
pub fn rollouts() -> Option<PathBuf> {
    env::var_os("COALMINE_ROLLOUTS").filter(|path| !path.is_empty()).map(Into::into)
}
