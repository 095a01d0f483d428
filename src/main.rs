//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    oneseat::cli::main().into()
}
