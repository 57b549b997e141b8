//! Any commit, and any file of keys: nobody's signature is taken for that of somebody who is trusted, and what the key
//! files say is read or refused.
#![no_main]

use std::sync::LazyLock;

use coalmine::source::{Signers, TrustedKeys};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const SSH_KEYS: &[u8] = include_bytes!("../../src/source/signature/recorded/allowed_signers");
const OPENPGP_KEYS: &[u8] = include_bytes!("../../src/source/signature/recorded/good.asc");
/// Commits that those who are trusted have signed.
const SIGNED: [&[u8]; 2] = [
    include_bytes!("../../src/source/signature/recorded/ssh.commit"),
    include_bytes!("../../src/source/signature/recorded/openpgp.commit"),
];
/// Between the days at which the keys begin and end.
const COMMITTED: &str = "2024-01-10T00:00:00Z";
const NOW: &str = "2024-06-01T00:00:00Z";

static SIGNERS: LazyLock<Signers> = LazyLock::new(|| {
    let mut signers = Signers::default();
    signers.add(&TrustedKeys::Ssh("".into()), SSH_KEYS.to_vec()).expect("keys");
    signers.add(&TrustedKeys::OpenPgp("".into()), OPENPGP_KEYS.to_vec()).expect("keys");
    for commit in SIGNED {
        assert_eq!(judge(&signers, commit), Ok(()));
    }
    signers
});

fuzz_target!(|input: &[u8]| {
    for file in [TrustedKeys::Ssh("".into()), TrustedKeys::OpenPgp("".into())] {
        let mut signers = Signers::default();
        if signers.add(&file, input.to_vec()).is_ok() {
            let _verdict = SIGNED.map(|commit| judge(&signers, commit));
        }
    }
    if judge(&SIGNERS, input).is_ok() {
        let said = unsigned(input);
        assert!(SIGNED.iter().any(|commit| unsigned(commit) == said), "a forged commit");
    }
});

fn judge(signers: &Signers, commit: &[u8]) -> Result<(), String> {
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    signers.judge(commit, time(COMMITTED), time(NOW))
}

/// The commit without the lines of its signature.
fn unsigned(commit: &[u8]) -> Vec<u8> {
    let (mut headers, mut inside) = (true, false);
    let mut rest = Vec::new();
    for line in commit.split_inclusive(|byte| *byte == b'\n') {
        headers &= line != b"\n";
        inside = headers && (line.starts_with(b"gpgsig ") || inside && line.starts_with(b" "));
        if !inside {
            rest.extend(line);
        }
    }
    rest
}
