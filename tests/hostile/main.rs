//! What somebody who wants to do harm can push: it ends in clear messages, within bounds of time and
//! memory, and reaches nobody's terminal.

mod corpus;
mod revisions;

use std::fs;
use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use coalmine_core::sanitize::has_shape;

/// Address space of the process, in KiB: several times what the worst of these trees needs.
const MEMORY: u32 = 1 << 20;
/// Far more than any of these trees takes: whoever meets it does not end.
const AMPLE: Duration = Duration::from_secs(120);

/// Runs `coalmine validate` on a folder with bounded memory.
fn validate(folder: &Path) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" validate \"$1\"")])
        .arg(env!("CARGO_BIN_EXE_coalmine"))
        .arg(folder)
        .timeout(AMPLE)
        .output()
        .unwrap();
    let printed = [output.stderr, output.stdout].concat();
    (output.status.code(), String::from_utf8(printed).expect("text"))
}

/// No character in it is anything but what it looks like.
#[track_caller]
fn assert_harmless(name: &str, text: &str) {
    let harmful = text.chars().find(|it| *it != '\n' && !has_shape(*it));
    assert_eq!(harmful, None, "{name}: {text}");
}

#[test]
fn validate_judges_every_hostile_tree() {
    let mut wrong = Vec::new();
    for case in corpus::all() {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in &case.files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let (code, printed) = validate(folder.path());
        let is_valid = match code {
            Some(0) => true,
            Some(1) => false,
            code => panic!("{}: {code:?}: {printed}", case.name),
        };
        // The command line has the hint on a line of its own.
        let printed = printed.replace("\nhint: ", "; ");
        wrong.extend(case.differs(is_valid, &printed));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn validate_follows_no_link_and_opens_no_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let services = folder.path().join("services");
    fs::create_dir(&services).unwrap();
    std::os::unix::fs::symlink("/dev/zero", services.join("echo.yaml")).unwrap();
    let (code, printed) = validate(folder.path());
    assert!(code == Some(1) && printed.contains("is a symbolic link, which is never followed"));
    fs::remove_file(services.join("echo.yaml")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(services.join("echo.yaml")).unwrap();
    let (code, printed) = validate(folder.path());
    assert!(code == Some(1) && printed.contains("is neither a file nor a folder"), "{printed}");
}

#[test]
fn a_folder_whose_name_is_for_the_terminal_does_not_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = folder.path().join("a\u{1b}[2J\u{202e}\u{7}");
    let (code, printed) = validate(&hostile);
    assert_eq!(code, Some(1));
    assert_harmless("a folder", &printed);
    assert!(printed.contains("\\u{1b}[2J\\u{202e}\\u{7}: No such file"), "{printed}");
}
