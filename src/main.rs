//! Tributary: one OpenAI endpoint over the AI accounts that people already have.

use std::process::ExitCode;

fn main() -> ExitCode {
    tributary::cli::main()
}
