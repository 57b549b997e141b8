//! How a process started by [`crate::enter`] knows which of the three it is: by its name
//! (`argv[0]`). Unlike the environment a name is not handed down to programs started later, and
//! the program's own arguments stay as they were.

use std::{env, ffi::OsString, fmt, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};

use super::openings::Outside;

/// What a process started by the guard or the init is there for.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Builds and fetches what a bed needs, while there still is a network.
    Build,
    /// Process 1 of the namespace; `guard` is its parent's id as `/proc` shows it.
    Init { guard: String, outside: Outside },
    /// The program itself.
    Inside { outside: Outside },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, guard, Outside { api, proxy, status }) = match self {
            Self::Build => return f.write_str("build"),
            Self::Init { guard, outside } => ("init", guard.as_str(), outside),
            Self::Inside { outside } => ("inside", "-", outside),
        };
        write!(f, "{word} guard={guard} api={api} proxy={proxy} status={status}")
    }
}

/// The stage this process was started for; `None` in a process that a person started.
pub(super) fn current() -> Option<Stage> {
    let name = env::args_os().next()?.into_string().ok()?;
    parse(name.strip_suffix(']')?.rsplit_once(" [")?.1)
}

fn parse(text: &str) -> Option<Stage> {
    if text == "build" {
        return Some(Stage::Build);
    }
    let mut words = text.split(' ');
    let word = words.next()?;
    let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
    let guard = value("guard")?.to_owned();
    let outside = Outside {
        api: value("api")?.parse().ok()?,
        proxy: value("proxy")?.parse().ok()?,
        status: value("status")?.parse().ok()?,
    };
    match word {
        "init" => Some(Stage::Init { guard, outside }),
        "inside" => Some(Stage::Inside { outside }),
        _ => None,
    }
}

/// This very program with its own arguments, to be started as `stage`.
pub(super) fn command(stage: &Stage) -> Result<Command> {
    let executable = env::current_exe().context("cannot find this program's own file")?;
    let mut name = OsString::from(executable.file_name().unwrap_or_default());
    name.push(format!(" [{stage}]"));
    // Not by path: a rebuild may have replaced the file since this process was started.
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name).args(env::args_os().skip(1));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_read_back_from_the_name_it_is_written_into() {
        let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(|a| a.parse().unwrap());
        let [api, proxy, status] = addresses;
        let outside = Outside { api, proxy, status };
        let text = Stage::Init { guard: "4711".into(), outside }.to_string();
        let Some(Stage::Init { guard, outside }) = parse(&text) else { panic!("{text}") };
        assert_eq!((guard.as_str(), outside.status), ("4711", status));
        assert!(matches!(
            parse(&Stage::Inside { outside }.to_string()),
            Some(Stage::Inside { .. })
        ));
    }

    #[test]
    fn an_ordinary_name_is_no_stage() {
        for text in ["", "builder", "init", "inside guard=- api=x proxy=y status=z", "a b c d e"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
