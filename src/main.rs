//! The `coalmine` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    coalmine::cli::main()
}
