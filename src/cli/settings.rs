//! Where options come from beside the command line: the environment, then a file.
//!
//! An option that is given wins over its variable, that over the file, and that over the default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Arg, Command};
use serde::Deserialize;

use crate::hint::advised;

/// The commands whose options have variables and keys: those that run where nobody types.
const COMMANDS: [&str; 5] = ["run", "doctor", "status", "wait", "explain"];

/// The option that names the file, and its variable.
const FILE: (&str, &str) = ("--config", "COALMINE_CONFIG");

/// A value of the file: one, or several for an option that may be repeated.
#[derive(Deserialize)]
#[serde(untagged)]
enum Setting {
    Flag(bool),
    Number(i64),
    Text(String),
    Several(Vec<String>),
}

impl Setting {
    fn texts(self) -> Vec<String> {
        match self {
            Self::Flag(flag) => vec![flag.to_string()],
            Self::Number(number) => vec![number.to_string()],
            Self::Text(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

/// The command with the variables and the file's settings as what holds when an option is not given.
///
/// # Errors
/// When the file cannot be read, or has a key that is no option.
pub(super) fn with_settings(command: Command, arguments: &[OsString]) -> anyhow::Result<Command> {
    let mut file = match named(arguments) {
        Some(path) => read(&path)?,
        None => BTreeMap::new(),
    };
    let mut known = Vec::new();
    let mut command = command;
    for name in COMMANDS {
        command = command.mut_subcommand(name, |sub| {
            sub.mut_args(|arg| {
                let Some(long) = arg.get_long().map(str::to_owned) else { return arg };
                known.push(long.clone());
                let arg = arg.env(variable(&long));
                match file.get_mut(&long) {
                    Some(values) => with_defaults(arg, values),
                    None => arg,
                }
            })
        });
    }
    if let Some(unknown) = file.keys().find(|key| !known.contains(key)) {
        known.sort();
        known.dedup();
        return Err(advised(
            format_args!("the configuration has the key `{unknown}`, which is no option"),
            format_args!("known: {}", known.join(", ")),
        ));
    }
    Ok(command)
}

fn with_defaults(arg: Arg, values: &[String]) -> Arg {
    arg.default_values(values.to_vec()).required(false)
}

/// `COALMINE_GIT_TOKEN_FILE` for `--git-token-file`. The endpoint's own option has its name already.
fn variable(long: &str) -> String {
    format!("COALMINE_{}", long.replace('-', "_").to_uppercase())
}

/// The file that the arguments name, or the environment.
fn named(arguments: &[OsString]) -> Option<PathBuf> {
    let (option, variable) = FILE;
    let mut arguments = arguments.iter().map_while(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        if argument == option {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
            return Some(path.into());
        }
    }
    std::env::var_os(variable).map(PathBuf::from)
}

fn read(path: &PathBuf) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let settings: Option<BTreeMap<String, Setting>> =
        serde_yaml::from_str(&text).with_context(|| format!("{shown} is no list of options"))?;
    let settings = settings.unwrap_or_default().into_iter();
    Ok(settings.map(|(key, setting)| (key, setting.texts())).collect())
}
