//! The `coalmine` binary.

use std::process::ExitCode;

/// glibc's allocator keeps what a burst of work needed, and musl's makes threads wait for each other.
/// `.cargo/config.toml` has its settings.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    coalmine::cli::main()
}
